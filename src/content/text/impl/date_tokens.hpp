#pragma once
// Words, numbers and signs of a text as the grammar of dates reads them. One owner; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "content/text/impl/source.hpp"

namespace castiel::content::text::impl {

struct DateToken {
  enum class Kind : std::uint8_t { word, number, sign };
  Kind kind = Kind::sign;
  bool spaced = false;  // white space before it
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  std::int64_t value = 0;  // of a number; -1 for one of more than nine digits
  std::string word;        // lower case; a sign as itself
};

class DateTokens {
 public:
  explicit DateTokens(std::string_view text);
  std::size_t size() const { return tokens_.size(); }
  const DateToken& at(std::size_t i) const { return i < tokens_.size() ? tokens_[i] : end_; }
  std::string_view word(std::size_t i) const {
    return at(i).kind == DateToken::Kind::word ? std::string_view(at(i).word) : std::string_view();
  }
  bool is(std::size_t i, std::string_view word) const { return at(i).word == word; }
  bool any(std::size_t i, std::string_view list) const { return in_list(list, at(i).word); }
  bool number(std::size_t i) const { return at(i).kind == DateToken::Kind::number; }
  std::size_t digits(std::size_t i) const { return at(i).end - at(i).start; }
  // Directly after the token before it.
  bool tight(std::size_t i) const { return i < tokens_.size() && !tokens_[i].spaced; }
  bool dash(std::size_t i) const { return is(i, "-") || is(i, "~"); }

 private:
  std::vector<DateToken> tokens_;
  DateToken end_;
};

struct Counted {
  double value = 0;
  std::size_t next = 0;
};
// "12", "1.5", "1,000", "twenty-two", "three hundred".
std::optional<Counted> read_number(const DateTokens& t, std::size_t i);
// "1st", "first", "twenty second".
std::optional<Counted> read_ordinal(const DateTokens& t, std::size_t i);
// "2017", "'17", "nineteen ninety three", "two thousand and fifteen".
std::optional<Counted> read_year(const DateTokens& t, std::size_t i);
// 1 to 12 or 0.
int month_number(std::string_view word);
// 0 for Monday to 6, or -1.
int weekday_number(std::string_view word);

}  // namespace castiel::content::text::impl
