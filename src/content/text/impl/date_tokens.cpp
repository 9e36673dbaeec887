#include "content/text/impl/date_tokens.hpp"

#include <array>

namespace castiel::content::text::impl {

DateTokens::DateTokens(std::string_view text) {
  bool spaced = true;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (is_space(c) || text.substr(i).starts_with("\xC2\xA0")) {
      spaced = true;
      i += is_space(c) ? 1 : 2;
      continue;
    }
    DateToken token;
    token.spaced = spaced;
    token.start = static_cast<std::uint32_t>(i);
    spaced = false;
    if (is_digit(c)) {
      token.kind = DateToken::Kind::number;
      while (i < text.size() && is_digit(text[i])) {
        token.value = i - token.start < 9 ? token.value * 10 + (text[i] - '0') : -1;
        ++i;
      }
    } else if (is_alpha(c) ||
               (static_cast<unsigned char>(c) >= 0x80 && !text.substr(i).starts_with("\xE2\x80"))) {
      token.kind = DateToken::Kind::word;
      while (i < text.size() && (is_alpha(text[i]) || (static_cast<unsigned char>(text[i]) >= 0x80 &&
                                                       !text.substr(i).starts_with("\xE2\x80") &&
                                                       !text.substr(i).starts_with("\xC2\xA0"))))
        ++i;
      token.word = lower(text.substr(token.start, i - token.start));
    } else if (text.substr(i).starts_with("\xE2\x80")) {
      const auto sign = text.substr(i, 3);
      i = std::min(i + 3, text.size());
      token.word =
          sign == "\xE2\x80\x93" || sign == "\xE2\x80\x94" || sign == "\xE2\x80\x90" || sign == "\xE2\x80\x91"
              ? "-"
          : sign == "\xE2\x80\x99" || sign == "\xE2\x80\x98" ? "'"
                                                             : "?";
    } else {
      token.word = std::string(1, c);
      ++i;
    }
    token.end = static_cast<std::uint32_t>(i);
    tokens_.push_back(std::move(token));
  }
  end_.spaced = true;
}

namespace {

constexpr std::string_view kUnits[] = {"zero",    "one",     "two",       "three",    "four",
                                       "five",    "six",     "seven",     "eight",    "nine",
                                       "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                       "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::string_view kTens[] = {"",      "",      "twenty",  "thirty", "forty",
                                      "fifty", "sixty", "seventy", "eighty", "ninety"};
constexpr std::string_view kOrdinals[] = {
    "",           "first",     "second",    "third",       "fourth",     "fifth",     "sixth",
    "seventh",    "eighth",    "ninth",     "tenth",       "eleventh",   "twelfth",   "thirteenth",
    "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"};

int unit_word(std::string_view word) {
  if (word.empty()) return -1;
  for (int i = 0; i < 20; ++i)
    if (kUnits[i] == word) return i;
  return -1;
}

int tens_word(std::string_view word) {
  if (word.empty()) return -1;
  for (int i = 2; i < 10; ++i)
    if (kTens[i] == word) return i * 10;
  return -1;
}

// 1 to 99 in words.
std::optional<Counted> below_hundred(const DateTokens& t, std::size_t i) {
  if (const int tens = tens_word(t.word(i)); tens > 0) {
    std::size_t next = i + 1;
    if (t.is(next, "-") && t.tight(next)) ++next;
    const int unit = unit_word(t.word(next));
    if (unit >= 1 && unit <= 9) return Counted{static_cast<double>(tens + unit), next + 1};
    return Counted{static_cast<double>(tens), i + 1};
  }
  if (const int unit = unit_word(t.word(i)); unit >= 0) return Counted{static_cast<double>(unit), i + 1};
  return std::nullopt;
}

}  // namespace

std::optional<Counted> read_number(const DateTokens& t, std::size_t i) {
  if (t.number(i)) {
    if (t.at(i).value < 0) return std::nullopt;
    double value = static_cast<double>(t.at(i).value);
    std::size_t next = i + 1;
    while (t.is(next, ",") && t.tight(next) && t.number(next + 1) && t.tight(next + 1) &&
           t.digits(next + 1) == 3) {
      value = value * 1000 + static_cast<double>(t.at(next + 1).value);
      next += 2;
    }
    if (t.is(next, ".") && t.tight(next) && t.number(next + 1) && t.tight(next + 1) &&
        t.at(next + 1).value >= 0) {
      double part = static_cast<double>(t.at(next + 1).value);
      for (std::size_t d = 0; d < t.digits(next + 1); ++d) part /= 10;
      return Counted{value + part, next + 2};
    }
    if (value == 1 && t.is(next, "/") && t.tight(next) && t.number(next + 1) && t.at(next + 1).value >= 2 &&
        t.at(next + 1).value <= 4)
      return Counted{1.0 / static_cast<double>(t.at(next + 1).value), next + 2};
    return Counted{value, next};
  }
  auto first = below_hundred(t, i);
  if (!first) return std::nullopt;
  if (t.is(first->next, "hundred")) {
    Counted out{first->value * 100, first->next + 1};
    std::size_t rest = out.next;
    if (t.is(rest, "and")) ++rest;
    if (const auto low = below_hundred(t, rest)) return Counted{out.value + low->value, low->next};
    return out;
  }
  return first;
}

std::optional<Counted> read_ordinal(const DateTokens& t, std::size_t i) {
  if (t.number(i)) {
    if (t.at(i).value > 0 && t.at(i).value < 400 && t.tight(i + 1) && t.any(i + 1, " st nd rd th "))
      return Counted{static_cast<double>(t.at(i).value), i + 2};
    return std::nullopt;
  }
  const auto word = t.word(i);
  if (word.empty()) return std::nullopt;
  for (int n = 1; n < 20; ++n)
    if (kOrdinals[n] == word) return Counted{static_cast<double>(n), i + 1};
  if (word == "twentieth") return Counted{20, i + 1};
  if (word == "thirtieth") return Counted{30, i + 1};
  if (const int tens = tens_word(word); tens > 0) {
    std::size_t next = i + 1;
    if (t.is(next, "-") && t.tight(next)) ++next;
    for (int n = 1; n < 10; ++n)
      if (kOrdinals[n] == t.word(next)) return Counted{static_cast<double>(tens + n), next + 1};
  }
  return std::nullopt;
}

std::optional<Counted> read_year(const DateTokens& t, std::size_t i) {
  if (t.number(i)) {
    if (t.digits(i) != 4 || t.at(i).value < 1500 || t.at(i).value > 2200) return std::nullopt;
    return Counted{static_cast<double>(t.at(i).value), i + 1};
  }
  if (t.is(i, "'") && t.number(i + 1) && t.tight(i + 1) && t.digits(i + 1) == 2) {
    const auto two = t.at(i + 1).value;
    return Counted{static_cast<double>(two < 50 ? 2000 + two : 1900 + two), i + 2};
  }
  if (t.is(i, "two") && t.is(i + 1, "thousand")) {
    std::size_t next = i + 2;
    if (t.is(next, "and")) ++next;
    if (const auto low = below_hundred(t, next); low && low->value > 0)
      return Counted{2000 + low->value, low->next};
    return Counted{2000, i + 2};
  }
  const auto century = below_hundred(t, i);
  if (!century || century->value < 15 || century->value > 21) return std::nullopt;
  std::size_t next = century->next;
  if (t.is(next, "-") && t.tight(next)) ++next;
  const bool hundred = t.is(next, "hundred");
  if (hundred) {
    ++next;
    if (t.is(next, "and")) ++next;
  }
  if (t.is(next, "oh") || t.is(next, "o")) {
    const int unit = unit_word(t.word(next + 1));
    if (unit >= 1 && unit <= 9) return Counted{century->value * 100 + unit, next + 2};
  }
  const auto low = below_hundred(t, next);
  if (low && (low->value >= 10 || hundred)) return Counted{century->value * 100 + low->value, low->next};
  if (hundred && century->value < 21) return Counted{century->value * 100, next};
  return std::nullopt;
}

int month_number(std::string_view word) {
  constexpr std::array<std::string_view, 12> kNames{
      " jan january ",  " feb february febr ", " mar march ",  " apr april ",          " may ",
      " jun june ",     " jul july ",          " aug august ", " sep sept september ", " oct october ",
      " nov november ", " dec december "};
  if (word.size() < 3) return 0;
  for (int i = 0; i < 12; ++i)
    if (in_list(kNames[static_cast<std::size_t>(i)], word)) return i + 1;
  return 0;
}

int weekday_number(std::string_view word) {
  constexpr std::array<std::string_view, 7> kNames{" mon monday mondays ",
                                                   " tue tues tuesday tuesdays ",
                                                   " wed weds wednesday wednesdays ",
                                                   " thu thur thurs thursday thursdays ",
                                                   " fri friday fridays ",
                                                   " sat saturday saturdays ",
                                                   " sun sunday sundays "};
  if (word.size() < 3) return -1;
  for (int i = 0; i < 7; ++i)
    if (in_list(kNames[static_cast<std::size_t>(i)], word)) return i;
  return -1;
}

}  // namespace castiel::content::text::impl
