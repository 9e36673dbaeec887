#include "content/mail/impl/quote_blocks.hpp"

#include <algorithm>
#include <array>

#include "content/mail/impl/mail_words.hpp"
#include "content/values.hpp"

namespace castiel::content::mail::impl {
namespace {

constexpr std::size_t kMaxLabelBytes = 40;
constexpr std::size_t kMaxAttributionBytes = 400;
constexpr std::size_t kMaxAttributionLines = 4;
constexpr std::size_t kMaxBlockLines = 60;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct LabelLine {
  Label label;
  std::string_view value;
};

std::string_view without_stars(std::string_view text) {
  while (!text.empty() && (text.front() == '*' || text.front() == '_')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == '*' || text.back() == '_')) text.remove_suffix(1);
  return trim(text);
}

std::optional<LabelLine> read_label(std::string_view line) {
  auto colon = line.find(':');
  std::size_t width = 1;
  if (const auto wide = line.find("："); wide < colon) {
    colon = wide;
    width = 3;
  }
  if (colon == line.npos || colon == 0 || colon > kMaxLabelBytes) return std::nullopt;
  auto name = without_stars(trim(line.substr(0, colon)));
  // "Kopie (CC)"
  if (const auto bracket = name.find(" ("); bracket != name.npos && name.ends_with(')'))
    name = name.substr(0, bracket);
  const auto label = label_of(fold(name));
  if (!label) return std::nullopt;
  auto value = line.substr(colon + width);
  if (value.starts_with('*')) value.remove_prefix(1);
  return LabelLine{*label, trim(value)};
}

void put(QuoteHeader& block, Label label, std::string_view value) {
  switch (label) {
    case Label::from: {
      auto boxes = parse_mailboxes(value);
      if (!block.from && !boxes.empty()) {
        // A sender is one, however many commas its name has.
        if (boxes.size() > 1 && boxes.front().email.empty()) {
          Mailbox one = boxes.back();
          std::string name;
          for (const auto& box : boxes) name += (name.empty() ? "" : ", ") + box.name;
          one.name = name;
          boxes.front() = one;
        }
        block.from = boxes.front();
      }
      break;
    }
    case Label::to: {
      auto boxes = parse_mailboxes(value);
      block.to.insert(block.to.end(), boxes.begin(), boxes.end());
      break;
    }
    case Label::cc: {
      auto boxes = parse_mailboxes(value);
      block.cc.insert(block.cc.end(), boxes.begin(), boxes.end());
      break;
    }
    case Label::date:
      if (block.date.empty()) block.date = std::string(value);
      break;
    case Label::subject:
      if (block.subject.empty()) block.subject = std::string(value);
      break;
    case Label::reply_to:
      break;
  }
}

}  // namespace

std::vector<Line> split_lines(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t at = 0; at <= text.size();) {
    auto end = text.find('\n', at);
    if (end == text.npos) end = text.size();
    auto raw = text.substr(at, end - at);
    if (raw.ends_with('\r')) raw.remove_suffix(1);
    Line line{raw, 0, raw};
    auto& rest = line.content;
    for (;;) {
      auto next = rest;
      while (next.starts_with(' ') && rest.size() - next.size() < 3) next.remove_prefix(1);
      if (!next.starts_with('>')) break;
      next.remove_prefix(1);
      ++line.quotes;
      rest = next;
    }
    rest = trim(rest);
    lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

std::optional<QuoteHeader> read_block(const std::vector<Line>& lines, std::size_t at) {
  if (at >= lines.size() || !read_label(lines[at].content)) return std::nullopt;
  QuoteHeader block;
  block.begin = at;
  std::array<bool, 6> seen{};
  std::optional<Label> open;
  std::string value;
  const auto finish = [&] {
    if (open) put(block, *open, value);
    open.reset();
    value.clear();
  };
  std::size_t i = at;
  for (; i < lines.size() && i < at + kMaxBlockLines; ++i) {
    if (lines[i].quotes != lines[at].quotes || lines[i].blank()) break;
    if (const auto label = read_label(lines[i].content)) {
      // The same label twice begins another block, or text.
      if (seen[static_cast<std::size_t>(label->label)] && label->label != Label::reply_to) break;
      finish();
      seen[static_cast<std::size_t>(label->label)] = true;
      open = label->label;
      value = std::string(label->value);
      continue;
    }
    const bool addresses = open && (*open == Label::to || *open == Label::cc || *open == Label::from);
    const bool continued = addresses && (lines[i].content.find('@') != std::string_view::npos ||
                                         value.ends_with(';') || value.ends_with(','));
    const bool indented =
        open && (lines[i].raw.starts_with('\t') || lines[i].raw.starts_with("  ")) && addresses;
    if (!continued && !indented) break;
    value += ' ';
    value += lines[i].content;
  }
  finish();
  block.end = i;
  seen[static_cast<std::size_t>(Label::reply_to)] = false;
  block.kinds = static_cast<int>(std::ranges::count(seen, true));
  if (block.kinds < 2 || !block.from) return std::nullopt;
  return block;
}

std::optional<QuoteHeader> read_inline_block(std::string_view line) {
  struct Found {
    std::size_t begin, end;
    Label label;
  };
  std::vector<Found> found;
  std::size_t after = 0;
  for (std::size_t colon = line.find(':'); colon != line.npos && colon < 4000;
       colon = line.find(':', colon + 1)) {
    std::optional<Found> best;
    for (std::size_t length = 1; length <= kMaxLabelBytes && length <= colon - after; ++length) {
      const std::size_t begin = colon - length;
      if ((static_cast<unsigned char>(line[begin]) & 0xC0) == 0x80) continue;
      const auto word = line.substr(begin, length);
      const std::string folded = fold(word);
      const auto label = label_of(folded);
      if (!label) continue;
      // A label in the middle of a word is none, unless it begins with a capital letter.
      const bool capital = !std::string_view(folded).starts_with(word.substr(0, 1)) ||
                           static_cast<unsigned char>(word[0]) >= 0x80;
      const bool apart =
          begin == 0 || line[begin - 1] == ' ' || line[begin - 1] == '>' || line[begin - 1] == '\t';
      if (capital || apart) best = Found{begin, colon + 1, *label};
    }
    if (best) {
      found.push_back(*best);
      after = best->end;
      if (best->label == Label::subject) break;  // it is the last, and may have colons
    }
  }
  QuoteHeader block;
  std::array<bool, 6> seen{};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::size_t end = i + 1 < found.size() ? found[i + 1].begin : line.size();
    seen[static_cast<std::size_t>(found[i].label)] = true;
    put(block, found[i].label, trim(line.substr(found[i].end, end - found[i].end)));
  }
  block.kinds = static_cast<int>(std::ranges::count(seen, true));
  if (block.kinds < 2 || !block.from) return std::nullopt;
  return block;
}

std::optional<Separator> read_separator(std::string_view line) {
  line = trim(without_stars(line));
  const char mark = line.empty() ? ' ' : line.front();
  if (mark != '-' && mark != '=' && mark != '_') return std::nullopt;
  const std::size_t dashes = std::min(line.find_first_not_of(mark), line.size());
  if (dashes < 2 || dashes == line.size()) return std::nullopt;
  const std::string two(2, mark);
  const auto close = line.find(two, dashes);
  if (close == line.npos || close - dashes > 90) return std::nullopt;
  Separator out;
  out.words = trim(line.substr(dashes, close - dashes));
  out.dashes = dashes;
  auto end = line.find_first_not_of(mark, close);
  if (end == line.npos) end = line.size();
  out.rest = trim(line.substr(end));
  if (out.words.empty() || std::ranges::count(out.words, ' ') > 9) return std::nullopt;
  // "-------- Preposlaná správa --- Forwarded Message --------"
  if (out.rest.ends_with(two)) {
    out.words = trim(line.substr(dashes, line.find_last_not_of(mark) + 1 - dashes));
    out.rest = {};
  }
  return out;
}

bool is_rule(std::string_view line, std::size_t least) {
  line = trim(line);
  if (line.size() < least || line.empty()) return false;
  const char mark = line.front();
  if (mark != '-' && mark != '_' && mark != '=' && mark != '*') return false;
  return std::ranges::all_of(line, [&](char c) { return c == mark; });
}

namespace {

// What the text of a quote line says: is there a time of day, a date, an address?
struct Marks {
  bool time = false;
  bool date = false;
  bool address = false;
};
Marks marks_of(std::string_view text) {
  Marks marks;
  marks.address = text.find('@') != text.npos;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_digit(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && is_digit(text[end])) ++end;
    const std::size_t digits = end - i;
    if (digits == 4 && (text.substr(i, 2) == "19" || text.substr(i, 2) == "20")) marks.date = true;
    if (digits <= 2 && end + 2 < text.size() && is_digit(text[end + 1])) {
      const bool two = is_digit(text[end + 2]) && (end + 3 >= text.size() || !is_digit(text[end + 3]));
      if ((text[end] == ':' || text[end] == '.' || text[end] == 'h') && two) marks.time = true;
      if (text[end] == '/' || text[end] == '.' || text[end] == '-') marks.date = true;
    }
    i = end;
  }
  return marks;
}

// Whether a line may begin the quote line that a later one ends.
bool may_open(std::string_view folded) {
  if (folded.empty()) return false;
  if (is_digit(folded[0])) return true;
  static constexpr std::array kOpeners = std::to_array<std::string_view>(
      {"on ",     "am ",       "le ",      "el ",     "il ",      "em ",    "op ",         "den ",
       "dne ",    "dňa ",      "dnia ",    "w dniu ", "på ",      "pe ",    "dana ",       "quoting ",
       "vào ",    "mon, ",     "tue, ",    "wed, ",   "thu, ",    "fri, ",  "sat, ",       "sun, ",
       "mon ",    "tue ",      "wed ",     "thu ",    "fri ",     "sat ",   "sun ",        "monday",
       "tuesday", "wednesday", "thursday", "friday",  "saturday", "sunday", "пн, ",        "вт, ",
       "ср, ",    "чт, ",      "пт, ",     "сб, ",    "вс, ",     "at ",    "in article ", "in message ",
       "ma ",     "ti ",       "ke ",      "to ",     "pe ",      "la ",    "su ",         "lun",
       "mar",     "mer",       "jeu",      "ven",     "sam",      "dim",    "mié",         "jue",
       "vie",     "sáb",       "dom",      "pon",     "wt.",      "śr",     "czw",         "pt.",
       "sob",     "ndz"});
  return std::ranges::any_of(kOpeners, [&](std::string_view word) { return folded.starts_with(word); });
}

std::optional<Mailbox> sender_of(std::string_view text) {
  const auto open = text.find('<');
  const auto close = open == text.npos ? open : text.find('>', open);
  if (close == text.npos) {
    // "jane@acme.example (Jane Doe) writes:"
    const auto at = text.find('@');
    if (at == text.npos) return std::nullopt;
    const auto begin = text.find_last_of(" \t(\"", at);
    const auto end = std::min(text.find_first_of(" \t)\":,", at), text.size());
    const auto from = begin == text.npos ? 0 : begin + 1;
    return Mailbox{"", std::string(text.substr(from, end - from))};
  }
  auto name = trim(text.substr(0, open));
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kQuotes{
      {{"\"", "\""}, {"«", "»"}, {"„", "“"}, {"“", "”"}, {"'", "'"}}};
  bool quoted = false;
  for (const auto& [left, right] : kQuotes) {
    if (!name.ends_with(right)) continue;
    const auto inner = name.substr(0, name.size() - right.size());
    const auto start = inner.rfind(left);
    if (start == inner.npos) continue;
    name = trim(inner.substr(start + left.size()));
    quoted = true;
    break;
  }
  if (!quoted) {
    // Behind the last comma, or behind the time.
    const auto comma = name.rfind(',');
    std::size_t last = comma == name.npos ? 0 : comma + 1;
    for (std::size_t i = last; i < name.size(); ++i)
      if (is_digit(name[i])) last = i + 1;
    auto rest = trim(name.substr(last));
    while (rest.ends_with('(')) rest = trim(rest.substr(0, rest.size() - 1));
    // Small words before the name are the sentence around it: "heeft", "um", "schrieb", "PM GMT+1".
    for (auto space = rest.find(' '); space != rest.npos; space = rest.find(' ')) {
      const auto word = rest.substr(0, space);
      const std::string folded = fold(word);
      const bool small =
          folded == word && folded != "van" && folded != "von" && folded != "de" && folded != "di";
      if (!small && folded != "pm" && folded != "am" && folded != "uhr" && folded != "gmt" && folded != "utc")
        break;
      rest = trim(rest.substr(space));
    }
    name = rest;
  }
  return Mailbox{std::string(name), std::string(trim(text.substr(open + 1, close - open - 1)))};
}

std::string_view ends_with_colon(std::string_view text) {
  while (!text.empty() && (text.back() == '*' || text.back() == '_' || text.back() == ' '))
    text.remove_suffix(1);
  if (text.ends_with(':')) return text.substr(0, text.size() - 1);
  if (text.ends_with("：")) return text.substr(0, text.size() - 3);
  return {};
}

}  // namespace

std::optional<QuoteHeader> read_attribution(const std::vector<Line>& lines, std::size_t at) {
  if (at >= lines.size() || lines[at].blank()) return std::nullopt;
  const std::size_t depth = lines[at].quotes;
  const std::string first = fold(lines[at].content.substr(0, 60));
  const bool opens = may_open(first);
  std::string joined;
  for (std::size_t i = at; i < lines.size() && i < at + kMaxAttributionLines; ++i) {
    if (lines[i].blank() || lines[i].quotes != depth) return std::nullopt;
    if (i > at && !opens && lines[at].content.find('@') == std::string_view::npos) return std::nullopt;
    if (!joined.empty()) joined += ' ';
    joined += lines[i].content;
    if (joined.size() > kMaxAttributionBytes) return std::nullopt;
    const auto body = ends_with_colon(joined);
    if (body.empty()) continue;
    const Marks marks = marks_of(body);
    const bool verb = has_writing_verb(fold(body));
    std::size_t next = i + 1;
    while (next < lines.size() && lines[next].blank() && lines[next].quotes <= depth) ++next;
    const bool quote_follows = next < lines.size() && lines[next].quotes > depth;
    const bool strong = (verb && (marks.address || (marks.date && marks.time))) ||
                        (marks.address && marks.date && marks.time);
    const bool weak = quote_follows && ((verb && body.size() < 120) || (marks.date && (marks.time || opens)));
    if (!strong && !weak) return std::nullopt;
    // A later line that begins one of its own: this one was text.
    for (std::size_t k = at + 1; k <= i; ++k)
      if (fold(lines[k].content.substr(0, 3)) == "on ") return std::nullopt;
    QuoteHeader out;
    out.begin = at;
    out.end = i + 1;
    out.kinds = 1;
    out.from = sender_of(body);
    return out;
  }
  return std::nullopt;
}

}  // namespace castiel::content::mail::impl
