#include "content/mail/impl/header_fields.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "content/mail/impl/charset.hpp"
#include "content/mail/message.hpp"

namespace castiel::content::mail::impl {
namespace {

constexpr std::size_t kMaxWordBytes = 8192;  // of an encoded word; the standard allows 75

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}
std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string decode_base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    int v = -1;
    if (c >= 'A' && c <= 'Z') v = c - 'A';
    if (c >= 'a' && c <= 'z') v = c - 'a' + 26;
    if (c >= '0' && c <= '9') v = c - '0' + 52;
    if (c == '+' || c == '-') v = 62;
    if (c == '/') v = 63;
    if (v < 0) continue;
    bits = (bits << 6) | static_cast<std::uint32_t>(v);
    if (++count == 4) {
      out.push_back(static_cast<char>(bits >> 16));
      out.push_back(static_cast<char>(bits >> 8));
      out.push_back(static_cast<char>(bits));
      bits = 0;
      count = 0;
    }
  }
  if (count >= 2) out.push_back(static_cast<char>(bits >> (count == 2 ? 4 : 10)));
  if (count == 3) out.push_back(static_cast<char>(bits >> 2));
  return out;
}

std::string decode_q(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_') {
      out.push_back(' ');
    } else if (text[i] == '=' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
               hex_digit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

struct Word {
  std::string charset;
  std::string bytes;
  std::size_t end;
};
// The encoded word at the start of `text`.
std::optional<Word> encoded_word(std::string_view text) {
  if (!text.starts_with("=?")) return std::nullopt;
  const auto first = text.find('?', 2);
  if (first == text.npos || first == 2 || first > 60 || first + 3 >= text.size() || text[first + 2] != '?')
    return std::nullopt;
  const char kind = lower(text[first + 1]);
  if (kind != 'b' && kind != 'q') return std::nullopt;
  const auto end = text.substr(0, first + kMaxWordBytes).find("?=", first + 3);
  if (end == text.npos) return std::nullopt;
  const auto body = text.substr(first + 3, end - first - 3);
  return Word{lowered(text.substr(2, first - 2)), kind == 'b' ? decode_base64(body) : decode_q(body),
              end + 2};
}

// A line end and the white space after it are one space.
std::string unfolded(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  bool folding = false;
  for (const char c : raw) {
    if (c == '\r' || c == '\0') continue;
    if (c == '\n') {
      while (!out.empty() && (out.back() == ' ' || out.back() == '\t')) out.pop_back();
      folding = true;
      continue;
    }
    if (folding && (c == ' ' || c == '\t')) continue;
    if (folding && !out.empty()) out.push_back(' ');
    folding = false;
    out.push_back(c == '\t' ? ' ' : c);
  }
  return std::string(trimmed(out));
}

}  // namespace

std::string decode_words(std::string_view raw) {
  const std::string text = to_utf8(unfolded(raw), "").text;
  if (text.find("=?") == text.npos) return text;
  std::string out;
  std::string charset;
  std::string
      bytes;  // of words that follow one another in one charset: a character may be split between them
  const auto flush = [&] {
    if (!bytes.empty()) out += to_utf8(bytes, charset).text;
    bytes.clear();
  };
  std::string_view rest = text;
  while (!rest.empty()) {
    if (const auto word = encoded_word(rest)) {
      if (word->charset != charset) flush();
      charset = word->charset;
      bytes += word->bytes;
      rest.remove_prefix(word->end);
      const auto next = rest.find_first_not_of(" \t");
      if (next != rest.npos && encoded_word(rest.substr(next))) rest.remove_prefix(next);
      continue;
    }
    flush();
    const auto next = rest.find("=?", 1);
    out.append(rest.substr(0, next));
    rest.remove_prefix(std::min(next, rest.size()));
  }
  flush();
  std::ranges::replace(out, '\n', ' ');
  std::erase(out, '\r');
  return std::string(trimmed(out));
}

namespace {

// One address's pieces while its text is read.
struct AddressScan {
  std::string phrase;   // words outside of brackets
  std::string comment;  // of the last comment
  std::string angle;    // inside <>
  bool has_angle = false;

  void clear() { *this = {}; }
};

std::string clean_address(std::string_view raw) {
  std::string out;
  for (const char c : raw)
    if (!is_space(c)) out.push_back(c);
  // A route ("@a,@b:user@host") comes before the address.
  if (out.starts_with('@')) {
    const auto colon = out.find(':');
    if (colon != out.npos) out.erase(0, colon + 1);
  }
  if (out.starts_with("mailto:")) out.erase(0, 7);
  while (out.starts_with('<')) out.erase(0, 1);
  while (out.ends_with('>') || out.ends_with(',') || out.ends_with(';')) out.pop_back();
  return to_utf8(out, "").text;
}

void finish_address(AddressScan& scan, std::vector<Mailbox>& out) {
  Mailbox box;
  if (scan.has_angle) {
    box.name = decode_words(scan.phrase);
    box.email = clean_address(decode_words(scan.angle));
    if (box.name.empty()) box.name = decode_words(scan.comment);
  } else {
    const std::string text = decode_words(scan.phrase);
    if (text.find('@') != text.npos) {
      // "Jane Doe jane@x.example" without brackets: the word with the at sign is the address.
      const auto at = text.find('@');
      const auto space = text.rfind(' ', at);
      const auto end = text.find(' ', at);
      const bool spaced = (at > 0 && text[at - 1] == ' ') || (at + 1 < text.size() && text[at + 1] == ' ');
      if (spaced || (space == text.npos && end == text.npos)) {
        box.email = clean_address(text);
      } else {
        const auto begin = space == text.npos ? 0 : space + 1;
        box.email =
            clean_address(std::string_view(text).substr(begin, end == text.npos ? text.npos : end - begin));
        box.name = std::string(trimmed(std::string_view(text).substr(0, begin)));
      }
      if (!scan.comment.empty()) box.name = decode_words(scan.comment);
    } else {
      box.name = text.empty() ? decode_words(scan.comment) : text;
      if (!scan.comment.empty() && !text.empty()) {
        box.email = text;
        box.name = decode_words(scan.comment);
      }
    }
  }
  std::string_view name = trimmed(box.name);
  while (name.size() >= 2 &&
         ((name.front() == '"' && name.back() == '"') || (name.front() == '\'' && name.back() == '\'')))
    name = trimmed(name.substr(1, name.size() - 2));
  box.name = std::string(name);
  scan.clear();
  if (!box.email.empty() || !box.name.empty()) out.push_back(std::move(box));
}

// Reads "(…)" with nesting and escapes; returns the place behind it.
std::size_t read_comment(std::string_view text, std::size_t at, std::string& out) {
  int depth = 0;
  out.clear();
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\' && at + 1 < text.size()) {
      out.push_back(text[++at]);
      continue;
    }
    if (c == '(' && depth++ == 0) continue;
    if (c == ')' && --depth == 0) return at + 1;
    out.push_back(c);
  }
  return at;
}

std::size_t read_quoted(std::string_view text, std::size_t at, std::string& out) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      out.push_back(text[++at]);
    } else if (text[at] == '"') {
      return at + 1;
    } else {
      out.push_back(text[at]);
    }
  }
  return at;
}

}  // namespace

std::vector<Mailbox> parse_addresses(std::string_view raw) {
  std::vector<Mailbox> out;
  AddressScan scan;
  bool in_group = false;
  const std::string text = unfolded(raw);
  const std::string_view view = text;
  for (std::size_t i = 0; i < view.size() && out.size() < kMaxAddresses;) {
    const char c = view[i];
    if (c == '"') {
      // A quote without its end is a character.
      if (view.find('"', i + 1) == view.npos) {
        ++i;
        continue;
      }
      std::string quoted;
      i = read_quoted(view, i, quoted);
      if (!scan.phrase.empty() && scan.phrase.back() != ' ' && (i >= view.size() || view[i] != '@'))
        scan.phrase += ' ';
      scan.phrase += i < view.size() && view[i] == '@' ? '"' + quoted + '"' : quoted;
      continue;
    }
    if (c == '(') {
      i = read_comment(view, i, scan.comment);
      continue;
    }
    if (c == '=' && view.substr(i, 2) == "=?") {
      if (const auto word = encoded_word(view.substr(i))) {
        scan.phrase += view.substr(i, word->end);
        i += word->end;
        continue;
      }
    }
    if (c == '<') {
      auto end = view.find('>', i);
      if (end == view.npos) end = view.size();
      scan.angle = std::string(view.substr(i + 1, end - i - 1));
      scan.has_angle = true;
      i = std::min(end + 1, view.size());
      continue;
    }
    if (c == ',' || (c == ';' && !in_group)) {
      finish_address(scan, out);
    } else if (c == ';') {
      finish_address(scan, out);
      in_group = false;
    } else if (c == ':' && !in_group && !scan.has_angle && scan.phrase.find('@') == scan.phrase.npos &&
               lowered(scan.phrase) != "mailto") {
      scan.clear();
      in_group = true;
    } else {
      scan.phrase.push_back(c);
    }
    ++i;
  }
  finish_address(scan, out);
  return out;
}

std::vector<std::string> parse_ids(std::string_view raw) {
  std::vector<std::string> out;
  const std::string text = unfolded(raw);
  const std::string_view view = text;
  for (std::size_t i = 0; i < view.size();) {
    const auto open = view.find('<', i);
    if (open == view.npos) break;
    const auto close = view.find('>', open);
    if (close == view.npos) break;
    std::string id;
    for (const char c : view.substr(open + 1, close - open - 1))
      if (c != ' ' && c != '<') id.push_back(c);
    if (!id.empty() && id.size() <= 998) out.push_back(to_utf8(id, "").text);
    i = close + 1;
  }
  if (!out.empty()) return out;
  for (std::size_t i = 0; i < view.size();) {
    const auto end = std::min(view.find_first_of(" ,;<>", i), view.size());
    const auto word = view.substr(i, end - i);
    if (word.find('@') != word.npos && word.size() <= 998) out.push_back(to_utf8(word, "").text);
    i = end + 1;
  }
  if (out.empty() && !view.empty() && view.find(' ') == view.npos && view.size() <= 998) {
    std::string id(view);
    std::erase_if(id, [](char c) { return c == '<' || c == '>'; });
    if (!id.empty()) out.push_back(to_utf8(id, "").text);
  }
  return out;
}

std::string_view Parameters::get(std::string_view name) const {
  for (const auto& [key, item] : items)
    if (key == name) return item;
  return {};
}

namespace {

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

struct RawParameter {
  std::string name;
  std::string value;
  bool quoted = false;
};

RawParameter read_parameter(std::string_view view, std::size_t& i) {
  RawParameter out;
  while (i < view.size() && view[i] != '=' && view[i] != ';') {
    if (view[i] == '(') {
      std::string comment;
      i = read_comment(view, i, comment);
      continue;
    }
    if (!is_space(view[i])) out.name.push_back(lower(view[i]));
    ++i;
  }
  if (i >= view.size() || view[i] == ';') return out;
  ++i;
  while (i < view.size() && is_space(view[i])) ++i;
  if (i < view.size() && view[i] == '"') {
    out.quoted = true;
    i = read_quoted(view, i, out.value);
    while (i < view.size() && view[i] != ';') ++i;
    return out;
  }
  while (i < view.size() && view[i] != ';') {
    if (view[i] == '(') {
      std::string comment;
      i = read_comment(view, i, comment);
      continue;
    }
    out.value.push_back(view[i++]);
  }
  out.value = std::string(trimmed(out.value));
  return out;
}

}  // namespace

Parameters parse_parameters(std::string_view raw) {
  Parameters out;
  const std::string text = unfolded(raw);
  const std::string_view view = text;
  std::size_t i = 0;
  while (i < view.size() && view[i] != ';') {
    if (view[i] == '(') {
      std::string comment;
      i = read_comment(view, i, comment);
      continue;
    }
    if (!is_space(view[i])) out.value.push_back(lower(view[i]));
    ++i;
  }
  // RFC 2231: name*N*=…; pieces by number, the charset is in the first coded one.
  struct Piece {
    std::string value;
    bool coded;
  };
  std::map<std::string, std::map<int, Piece>> pieces;
  while (i < view.size() && out.items.size() < 200 && pieces.size() < 200) {
    ++i;  // the semicolon
    auto parameter = read_parameter(view, i);
    if (parameter.name.empty()) continue;
    const auto star = parameter.name.find('*');
    if (star == std::string::npos) {
      if (out.get(parameter.name).empty())
        out.items.emplace_back(parameter.name, decode_words(parameter.value));
      continue;
    }
    const bool coded = parameter.name.ends_with('*');
    int number = 0;
    std::from_chars(parameter.name.data() + star + 1, parameter.name.data() + parameter.name.size(), number);
    auto& list = pieces[parameter.name.substr(0, star)];
    if (list.size() < 1000) list[number] = {std::move(parameter.value), coded};
  }
  for (const auto& [name, list] : pieces) {
    std::string bytes;
    std::string charset;
    bool first = true;
    for (const auto& [number, piece] : list) {
      std::string_view value = piece.value;
      if (piece.coded && first) {
        const auto one = value.find('\'');
        const auto two = one == value.npos ? one : value.find('\'', one + 1);
        if (two != value.npos) {
          charset = std::string(value.substr(0, one));
          value.remove_prefix(two + 1);
        }
      }
      first = false;
      bytes += piece.coded ? percent_decoded(value) : std::string(value);
    }
    std::erase_if(out.items, [&](const auto& item) { return item.first == name; });
    out.items.emplace_back(name, decode_words(to_utf8(bytes, charset).text));
  }
  return out;
}

}  // namespace castiel::content::mail::impl
