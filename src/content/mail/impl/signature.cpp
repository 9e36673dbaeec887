#include "content/mail/impl/signature.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/utf8.hpp"
#include "content/mail/impl/mail_words.hpp"
#include "content/values.hpp"

namespace castiel::content::mail::impl {
namespace {

constexpr std::size_t kMaxSignatureLines = 14;  // that are not empty
constexpr std::size_t kMaxDelimitedLines = 20;  // behind a delimiter
constexpr std::size_t kMaxSignatureLineBytes = 90;

enum class Kind { blank, body, closing, contact, name, title, device, disclaimer, rule };

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < text.size();) {
    const auto begin = text.find_first_not_of(" \t,|/()", i);
    if (begin == text.npos) break;
    const auto end = std::min(text.find_first_of(" \t,|/()", begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    i = end;
  }
  return out;
}

bool has_phone(std::string_view text) {
  std::size_t digits = 0;
  std::size_t other = 0;
  for (const char c : text) {
    if (is_digit(c)) {
      ++digits;
    } else if (std::string_view(" -.()+/").find(c) == std::string_view::npos) {
      ++other;
    }
  }
  return digits >= 7 && digits <= 22 && other <= 24;
}

bool is_contact(std::string_view text, const std::string& folded) {
  const bool address = text.find('@') != text.npos && std::ranges::count(text, ' ') <= 6;
  const bool url = (folded.find("www.") != folded.npos || folded.find("http://") != folded.npos ||
                    folded.find("https://") != folded.npos) &&
                   std::ranges::count(text, ' ') <= 5;
  static constexpr std::array kLabels = std::to_array<std::string_view>(
      {"tel",     "phone", "ph:",      "ph.",     "mobile", "mob",   "fax",  "cell",  "office:",  "direct",
       "telefon", "tél",   "teléfono", "e-mail:", "email:", "mail:", "web:", "skype", "linkedin", "twitter",
       "t:",      "m:",    "f:",       "p:",      "e:",     "w:",    "o:",   "t +",   "m +",      "тел"});
  const bool labelled =
      std::ranges::any_of(kLabels, [&](std::string_view label) { return folded.starts_with(label); }) &&
      (has_phone(text) || address || url);
  const bool domain = text.find(' ') == text.npos && text.size() > 4 && folded.find('.') != folded.npos &&
                      (folded.ends_with(".com") || folded.ends_with(".org") || folded.ends_with(".net") ||
                       folded.ends_with(".de") || folded.ends_with(".co.uk") || folded.ends_with(".io") ||
                       folded.ends_with(".example"));
  return address || url || labelled || domain || has_phone(text);
}

// Words that begin with a capital letter, and perhaps small ones between them; no end of a sentence.
bool is_capitalised(std::string_view text) {
  const auto words = words_of(text);
  if (words.empty() || words.size() > 8) return false;
  static constexpr std::array kSmall = std::to_array<std::string_view>(
      {"of", "and", "the", "for", "de",  "van", "von", "der", "den", "la", "le", "di",
       "da", "y",   "e",   "und", "für", "et",  "i",   "&",   "-",   "at", "in"});
  bool capital = false;
  for (const auto word : words) {
    if (is_lower(word.front()) && std::ranges::find(kSmall, word) == kSmall.end()) return false;
    capital = capital || !is_lower(word.front());
  }
  return capital;
}

// Whether a text says the sender's name or a good part of it.
bool names_sender(const std::string& folded, const SplitHints& hints) {
  std::vector<std::string> parts;
  std::string who = fold(hints.sender_name);
  const auto at = hints.sender_email.find('@');
  if (at != std::string_view::npos) who += ' ' + fold(hints.sender_email.substr(0, at));
  std::string word;
  for (const char c : who + ' ') {
    if (std::string_view(" .,-_+@()\"'").find(c) == std::string_view::npos) {
      word.push_back(c);
      continue;
    }
    if (word.size() >= 2 && !std::ranges::all_of(word, is_digit)) parts.push_back(word);
    word.clear();
  }
  const auto said = words_of(folded);
  for (auto token : said) {
    while (!token.empty() && std::string_view(".!*_-~").find(token.back()) != std::string_view::npos)
      token.remove_suffix(1);
    while (!token.empty() && std::string_view("*_-~").find(token.front()) != std::string_view::npos)
      token.remove_prefix(1);
    for (const auto& part : parts) {
      if (token == part) return true;
      // "jdoe" or "johndoe" in the address and "Doe" in the text.
      if (token.size() >= 4 && part.size() > token.size() && part.find(token) != part.npos) return true;
    }
  }
  return false;
}

bool is_name(std::string_view text, const std::string& folded, const SplitHints& hints) {
  if (text.size() > 60 || text.ends_with(',') || text.ends_with(':') || text.ends_with('?')) return false;
  const auto words = words_of(text);
  if (words.empty() || words.size() > 6) return false;
  if (words.size() <= 4 && names_sender(folded, hints)) return true;
  if (text.ends_with('!') || (text.ends_with('.') && words.size() > 2)) return false;
  if (std::ranges::any_of(text, is_digit)) return false;
  return words.size() <= 5 && is_capitalised(text);
}

bool is_title(std::string_view text) {
  if (text.size() > 80 || text.ends_with('?') || text.ends_with(':') || text.ends_with('!') ||
      text.ends_with(','))
    return false;
  if (text.ends_with('.') && !(text.ends_with("Inc.") || text.ends_with("Ltd.") || text.ends_with("Corp.") ||
                               text.ends_with("S.A.")))
    return false;
  return is_capitalised(text);
}

Kind kind_of(const Line& line, const SplitHints& hints) {
  if (line.blank()) return Kind::blank;
  auto text = line.content;
  while (!text.empty() && (text.front() == '*' || text.front() == '_')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == '*' || text.back() == '_')) text.remove_suffix(1);
  if (text.empty() || is_rule(line.content, 2)) return Kind::rule;
  const std::string folded = fold(text.substr(0, 600));
  if (is_device_line(folded)) return Kind::device;
  if (is_disclaimer(folded)) return Kind::disclaimer;
  if (text.size() > kMaxSignatureLineBytes) return Kind::body;
  if (is_closing(folded)) return Kind::closing;
  if (is_contact(text, folded)) return Kind::contact;
  if (is_name(text, folded, hints)) return Kind::name;
  if (is_title(text)) return Kind::title;
  return Kind::body;
}

// "-- ", "--", "—", "__": everything behind it is signature.
std::size_t behind_delimiter(std::span<const Line> lines) {
  std::size_t filled = 0;
  std::size_t begin = lines.size();
  for (std::size_t i = lines.size(); i-- > 0;) {
    const auto text = lines[i].content;
    const bool delimiter = text == "--" || text == "—" || text == "–" || text == "---" ||
                           (is_rule(text, 2) && text.front() == '_');
    if (delimiter && filled <= kMaxDelimitedLines && (filled > 0 || begin < lines.size())) {
      begin = i;
      filled = 0;
    } else if (!lines[i].blank()) {
      ++filled;
    }
    if (filled > kMaxDelimitedLines) break;
  }
  return begin;
}

// "-Jane" or "-- Jane Doe" and at most a few lines behind it.
std::size_t dashed_name(std::span<const Line> lines, const SplitHints& hints) {
  std::size_t filled = 0;
  for (std::size_t i = lines.size(); i-- > 0 && filled < 5;) {
    auto text = lines[i].content;
    if (text.empty()) continue;
    ++filled;
    const auto dashes = text.starts_with("—") || text.starts_with("–")
                            ? 3
                            : std::min(text.find_first_not_of('-'), text.size());
    if (dashes == 0 || dashes > 3) continue;
    const bool spaced = text.size() > dashes && text[dashes] == ' ';
    text = trim(text.substr(dashes));
    const auto folded = fold(text);
    if (text.empty() || words_of(text).size() > 4 || !is_name(text, folded, hints)) continue;
    if (spaced && dashes == 1 && !names_sender(folded, hints)) continue;  // a list
    std::size_t before = i;
    while (before > 0 && lines[before - 1].blank()) --before;
    if (before > 0 && lines[before - 1].content.starts_with("-")) continue;  // one of a list
    return i;
  }
  return lines.size();
}

}  // namespace

SignatureAt find_signature(std::span<const Line> lines, const SplitHints& hints) {
  SignatureAt out{lines.size(), false};
  const std::size_t delimiter = behind_delimiter(lines);
  if (delimiter < lines.size()) out = {delimiter, true};
  std::span<const Line> rest = lines.subspan(0, out.begin);
  if (const std::size_t dashed = dashed_name(rest, hints); dashed < rest.size()) return {dashed, true};

  std::size_t begin = rest.size();
  std::size_t filled = 0;
  std::size_t contacts = 0;
  std::size_t names = 0;
  std::size_t certain_from = rest.size();  // device lines and disclaimers need no more evidence
  bool closing = false;
  bool sender = false;
  for (std::size_t i = rest.size(); i-- > 0 && filled < kMaxSignatureLines;) {
    const Kind kind = kind_of(rest[i], hints);
    if (kind == Kind::blank) continue;
    if (kind == Kind::body) break;
    if (kind == Kind::rule) continue;
    ++filled;
    if (kind == Kind::device || kind == Kind::disclaimer) {
      if (begin == certain_from) certain_from = i;
      begin = i;
      continue;
    }
    if (kind == Kind::closing) {
      // A closing that nothing follows is a word of thanks.
      if (begin == rest.size()) break;
      if (i > 0 && filled < kMaxSignatureLines && !rest[i - 1].blank() &&
          kind_of(rest[i - 1], hints) == Kind::closing) {
        begin = i;
        continue;
      }
      closing = true;
      begin = i;
      break;
    }
    if (kind == Kind::contact) ++contacts;
    if (kind == Kind::name) {
      ++names;
      sender = sender || names_sender(fold(rest[i].content), hints);
    }
    begin = i;
  }
  const bool accepted = closing || (names > 0 && contacts > 0) || contacts >= 2 || sender;
  if (!accepted) return certain_from < rest.size() ? SignatureAt{certain_from, true} : out;
  // Without a closing it begins with a name or a contact: what stands above, such as a heading, does not
  // belong to it.
  if (!closing) {
    std::size_t first = begin;
    if (sender) {
      while (first < rest.size() && !names_sender(fold(rest[first].content.substr(0, 100)), hints)) ++first;
    }
    if (first < rest.size()) begin = first;
  }
  const auto is_filled = [](const Line& line) { return !line.blank(); };
  if (std::ranges::none_of(rest.subspan(0, begin), is_filled)) {
    // The whole text: a closing is what it says, and the name below its signature.
    if (!closing) return certain_from < rest.size() ? SignatureAt{certain_from, true} : out;
    ++begin;
    while (begin < rest.size() && rest[begin].blank()) ++begin;
    if (begin >= rest.size()) return out;
  }
  return {begin, out.certain || contacts > 0 || sender || certain_from < rest.size()};
}

}  // namespace castiel::content::mail::impl
