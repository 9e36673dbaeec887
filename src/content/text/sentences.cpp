#include <algorithm>

#include "content/text/impl/source.hpp"

namespace castiel::content::text {
namespace impl {
namespace {

constexpr std::string_view kAbbreviations =
    " mr mrs ms dr prof sr jr st vs etc inc ltd co corp llc no nos fig eq approx dept est ext e.g i.e al jan "
    "feb mar "
    "apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun a.m p.m u.s u.k messrs "
    "gen col "
    "capt lt sen rep gov rev hon ave blvd rd ph.d m.d b.a incl attn tel ca resp bzw usw z.b d.h nr str abs "
    "ggf vgl "
    "mme mlle ";

// "30. November", "4. September": the number's full stop is an ordinal's.
constexpr std::string_view kMonthsBehindOrdinals =
    " januar februar m\xC3\xA4rz april mai juni juli august september oktober november dezember "
    "j\xC3\xA4nner feber jan feb "
    "m\xC3\xA4r apr jun jul aug sep sept okt nov dez ledna \xC3\xBAnora b\xC5\x99"
    "ezna dubna kv\xC4\x9Btna \xC4\x8D"
    "ervna "
    "\xC4\x8D"
    "ervence srpna z\xC3\xA1\xC5\x99\xC3\xAD \xC5\x99\xC3\xADjna listopadu prosince stycznia lutego marca "
    "kwietnia maja "
    "czerwca lipca sierpnia wrze\xC5\x9Bnia pa\xC5\xBA"
    "dziernika listopada grudnia januari februari maart mei augustus oktober ";

// A line that stands for itself: an item of a list, or one of a form.
bool starts_item(std::string_view line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  if (line.starts_with("- ") || line.starts_with("* ") || line.starts_with("+ ") ||
      line.starts_with("\xE2\x80\xA2") || line.starts_with("\xE2\x80\x93 ") ||
      line.starts_with("\xE2\x80\x94 ") || line.starts_with("[ ]") || line.starts_with("[x]") ||
      line.starts_with("\xC2\xB7") || line.starts_with(">"))
    return true;
  std::size_t digits = 0;
  while (digits < line.size() && digits < 3 && is_digit(line[digits])) ++digits;
  return digits > 0 && digits + 1 < line.size() && (line[digits] == '.' || line[digits] == ')') &&
         line[digits + 1] == ' ';
}

bool ends_sentence(std::string_view text, std::size_t mark, std::size_t after) {
  // `mark` is the first of the closing marks, `after` the first byte past them and their quotes.
  if (after < text.size() && !is_space(text[after])) return false;
  if (text[mark] != '.') return true;
  if (after - mark >= 3) return true;
  std::size_t word = mark;
  while (word > 0 && (is_word_byte(text[word - 1]) || text[word - 1] == '.')) --word;
  const std::string last = lower(text.substr(word, mark - word));
  std::size_t next = after;
  while (next < text.size() && (text[next] == ' ' || text[next] == '\t')) ++next;
  const bool end_of_line = next >= text.size() || text[next] == '\n' || text[next] == '\r';
  const bool lower_next = next < text.size() && text[next] >= 'a' && text[next] <= 'z';
  if (lower_next) return false;
  if (last.size() == 1 && is_alpha(last[0]) && last != "i" && !end_of_line) return false;
  if (in_list(kAbbreviations, last)) {
    // "at 3 p.m. We" ends, "Dr. Smith" does not.
    return end_of_line ||
           ((last == "a.m" || last == "p.m" || last == "etc") && next < text.size() && is_upper(text[next]));
  }
  if (!last.empty() && std::ranges::all_of(last, is_digit) && last.size() <= 2) {
    std::size_t word_end = next;
    while (word_end < text.size() && is_word_byte(text[word_end])) ++word_end;
    if (in_list(kMonthsBehindOrdinals, lower(text.substr(next, word_end - next)))) return false;
    // "1. First" opens a list; "in 12. We" does not happen often enough to matter.
    std::size_t before = word;
    while (before > 0 && (text[before - 1] == ' ' || text[before - 1] == '\t')) --before;
    if (before == 0 || text[before - 1] == '\n') return false;
  }
  return true;
}

// The sign an item of a list opens with, and the space behind it: no part of what it says.
std::size_t bullet_bytes(std::string_view sentence) {
  constexpr std::string_view kSigns[] = {
      "-", "*", "+", "\xE2\x80\xA2", "\xE2\x80\x93", "\xE2\x80\x94", "[ ]", "[x]", "\xC2\xB7"};
  for (const auto sign : kSigns) {
    if (!sentence.starts_with(sign)) continue;
    std::size_t end = sign.size();
    while (end < sentence.size() && is_space(sentence[end])) ++end;
    if (end > sign.size() && end < sentence.size()) return end;
  }
  return 0;
}

void push(std::vector<Range>& out, std::string_view text, std::size_t start, std::size_t end) {
  while (start < end && is_space(text[start])) ++start;
  while (end > start && is_space(text[end - 1])) --end;
  start += bullet_bytes(text.substr(start, end - start));
  if (start < end) out.push_back({start, end});
}

}  // namespace

std::vector<Range> sentence_ranges(std::string_view text) {
  std::vector<Range> out;
  std::size_t start = 0;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\n') {
      const std::size_t line_end = i;
      std::size_t next = i + 1;
      std::size_t next_end = std::min(text.find('\n', next), text.size());
      std::string_view following = text.substr(next, next_end - next);
      const bool blank = std::ranges::all_of(following, is_space);
      std::string_view line = text.substr(line_start, line_end - line_start);
      while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
      // A short line was ended by its author, a long one by a program that wraps.
      constexpr std::size_t kWrapColumns = 55;
      const bool is_short = line.size() < kWrapColumns;
      const bool header = line.ends_with(':') || line.ends_with(',');
      if (blank || starts_item(following) || header ||
          (is_short && !following.empty() && !(following[0] >= 'a' && following[0] <= 'z'))) {
        push(out, text, start, i);
        start = i + 1;
      }
      line_start = i + 1;
      ++i;
      continue;
    }
    const bool ideographic = text.substr(i).starts_with("\xE3\x80\x82") ||
                             text.substr(i).starts_with("\xEF\xBC\x9F") ||
                             text.substr(i).starts_with("\xEF\xBC\x81");
    if (ideographic) {
      push(out, text, start, i + 3);
      start = i += 3;
      continue;
    }
    if (c != '.' && c != '?' && c != '!') {
      ++i;
      continue;
    }
    std::size_t after = i;
    while (after < text.size() && (text[after] == '.' || text[after] == '?' || text[after] == '!')) ++after;
    std::size_t past = after;
    while (past < text.size()) {
      if (text[past] == '"' || text[past] == ')' || text[past] == '\'' || text[past] == ']')
        ++past;
      else if (text.substr(past).starts_with("\xE2\x80\x9D") || text.substr(past).starts_with("\xE2\x80\x99"))
        past += 3;
      else
        break;
    }
    const std::size_t marks = after - i;
    const bool mixed = marks > 1;
    if (ends_sentence(text, i, mixed ? past : past)) {
      push(out, text, start, past);
      start = past;
    }
    i = past;
  }
  push(out, text, start, text.size());
  return out;
}

}  // namespace impl

std::vector<Span> sentences(std::string_view text) {
  const impl::Source source(text);
  std::vector<Span> out;
  for (const auto& [start, end] : impl::sentence_ranges(source.text()))
    out.push_back(source.span(start, end));
  return out;
}

bool is_question(std::string_view sentence) {
  while (!sentence.empty() && (impl::is_space(sentence.back()) || sentence.back() == '"' ||
                               sentence.back() == ')' || sentence.back() == '\'' || sentence.back() == '!'))
    sentence.remove_suffix(1);
  if (sentence.ends_with("\xE2\x80\x9D")) sentence.remove_suffix(3);
  return sentence.ends_with('?') || sentence.ends_with("\xEF\xBC\x9F");
}

}  // namespace castiel::content::text
