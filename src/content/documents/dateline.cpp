#include "content/documents/dateline.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "content/values.hpp"

namespace castiel::content::documents {
namespace {

constexpr std::string_view kSpaces = " \t\r\v\f*_#|";
constexpr std::string_view kEdges = ",;:()[]{}\"'<>.!?";

// What stands before a day on which something ends, begins or is due.
constexpr auto kOtherDays = std::to_array<std::string_view>(
    {"ab",    "alla",   "au",        "before",   "bis",     "by",   "deadline", "depuis",
     "desde", "due",    "effective", "entro",    "expires", "fino", "from",     "fällig",
     "frist", "gültig", "hasta",     "jusqu'au", "les",     "seit", "since",    "starting",
     "to",    "tot",    "until",     "valid",    "vanaf",   "vom",  "von",      "zum"});

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view without_edges(std::string_view word) {
  while (!word.empty() && kEdges.find(word.front()) != kEdges.npos) word.remove_prefix(1);
  while (!word.empty() && kEdges.find(word.back()) != kEdges.npos) word.remove_suffix(1);
  return word;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t from = line.find_first_not_of(kSpaces); from < line.size();) {
    const auto to = std::min(line.find_first_of(kSpaces, from), line.size());
    if (const auto word = without_edges(line.substr(from, to - from)); !word.empty()) words.push_back(word);
    from = line.find_first_not_of(kSpaces, to);
  }
  return words;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_year(std::string_view word) {
  return word.size() == 4 && std::ranges::all_of(word, is_digit) &&
         (word.starts_with("19") || word.starts_with("20"));
}
bool is_day(std::string_view word) {
  std::size_t digits = 0;
  while (digits < word.size() && is_digit(word[digits])) ++digits;
  const auto rest = lower(word.substr(digits));
  return (digits == 1 || digits == 2) &&
         (rest.empty() || rest == "st" || rest == "nd" || rest == "rd" || rest == "th" || rest == "er");
}
bool is_name(std::string_view word) {
  return word.size() >= 3 && std::ranges::none_of(word, is_digit);
}

std::optional<Date> parsed(std::string_view text, DateOrder order) {
  DateRules rules;
  rules.order = order;
  const auto value = parse_date_value(text, rules);
  if (!value || value->implausible || value->ambiguous) return std::nullopt;
  return value->date;
}

// "2026-10-07", "07.10.2026", "10/27/2026"
std::optional<Date> date_in_word(std::string_view word) {
  const auto signs = std::ranges::count_if(word, [](char c) { return c == '-' || c == '.' || c == '/'; });
  const bool year_first = word.size() >= 8 && is_year(word.substr(0, 4)) && !is_digit(word[4]);
  const bool year_last =
      word.size() >= 8 && is_year(word.substr(word.size() - 4)) && !is_digit(word[word.size() - 5]);
  if (signs != 2 || (!year_first && !year_last)) return std::nullopt;
  if (std::ranges::any_of(word, [](char c) { return !is_digit(c) && c != '-' && c != '.' && c != '/'; }))
    return std::nullopt;
  return parsed(word, word.find('.') != word.npos ? DateOrder::dmy : DateOrder::unknown);
}

// "7 October 2026", "October 7 2026", "27 de noviembre de 2026"
std::optional<Date> date_in_words(std::span<const std::string_view> words) {
  std::vector<std::string_view> said;
  for (const auto word : words) {
    if (said.size() == 3) break;
    if (!said.empty() && (word == "de" || word == "of")) continue;
    said.push_back(word);
  }
  if (said.size() < 3 || !is_year(said[2])) return std::nullopt;
  const bool day_first = is_day(said[0]) && is_name(said[1]);
  if (!day_first && !(is_name(said[0]) && is_day(said[1]))) return std::nullopt;
  const auto day = day_first ? said[0] : said[1];
  const auto number = day.substr(0, day.find_first_not_of("0123456789"));
  return parsed(
      std::string(number) + " " + std::string(day_first ? said[1] : said[0]) + " " + std::string(said[2]),
      DateOrder::dmy);
}

}  // namespace

std::optional<Date> dateline_of(std::string_view text) {
  std::size_t lines = 0;
  for (std::size_t from = 0; from < text.size() && lines < kDatelineLines;) {
    const auto to = std::min(text.find('\n', from), text.size());
    const auto line = text.substr(from, to - from);
    from = to + 1;
    if (line.find_first_not_of(kSpaces) == line.npos) continue;
    ++lines;
    if (line.size() > kMaxDatelineBytes) continue;
    const auto words = words_of(line);
    for (std::size_t i = 0; i < words.size(); ++i) {
      auto date = date_in_word(words[i]);
      if (!date) date = date_in_words(std::span(words).subspan(i));
      if (!date) continue;
      if (i > 0 && std::ranges::find(kOtherDays, lower(words[i - 1])) != kOtherDays.end()) continue;
      return date;
    }
  }
  return std::nullopt;
}

}  // namespace castiel::content::documents
