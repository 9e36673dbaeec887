#include "base/decimal.hpp"

#include <algorithm>
#include <charconv>
#include <compare>

namespace castiel {
namespace {

__extension__ typedef __int128 Wide;  // -Wpedantic wants the keyword
constexpr int kMaxDigits = 36;
constexpr int kMaxScale = 18;

Wide power_of_ten(int exponent) {
  Wide value = 1;
  for (int i = 0; i < exponent; ++i) value *= 10;
  return value;
}

int digit_count(Wide value) {
  int count = 0;
  for (; value != 0; value /= 10) ++count;
  return count;
}

std::unexpected<Error> not_a_number(std::string_view text) {
  return permanent("invalid_number", "'" + std::string(text) + "' is not a number");
}

std::unexpected<Error> out_of_range(std::string_view text) {
  return permanent("number_out_of_range",
                   "'" + std::string(text) + "' has more than 36 digits or 18 decimals");
}

}  // namespace

Result<Decimal> Decimal::parse(std::string_view text) {
  const std::string_view whole = text;
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  Decimal result;
  int digits = 0;
  bool seen_digit = false, point = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.') {
      if (point) return not_a_number(whole);
      point = true;
    } else if (c >= '0' && c <= '9') {
      seen_digit = true;
      if (digits > 0 || c != '0') ++digits;
      if (point) ++result.scale_;
      if (digits > kMaxDigits || result.scale_ > kMaxScale) return out_of_range(whole);
      result.coefficient_ = result.coefficient_ * 10 + (c - '0');
    } else {
      break;
    }
  }
  if (!seen_digit) return not_a_number(whole);
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') return not_a_number(whole);
    int exponent = 0;
    const char* first = text.data() + i + 1;
    if (first < text.data() + text.size() && *first == '+') ++first;
    const auto [end, error] = std::from_chars(first, text.data() + text.size(), exponent);
    if (error != std::errc() || end != text.data() + text.size()) return not_a_number(whole);
    if (exponent < -kMaxScale * 2 || exponent > kMaxDigits) return out_of_range(whole);
    result.scale_ -= exponent;
    if (result.scale_ < 0) {
      if (digits - result.scale_ > kMaxDigits) return out_of_range(whole);
      result.coefficient_ *= power_of_ten(-result.scale_);
      result.scale_ = 0;
    }
    if (result.scale_ > kMaxScale) return out_of_range(whole);
  }
  if (negative) result.coefficient_ = -result.coefficient_;
  return result;
}

std::string Decimal::str() const {
  Wide value = coefficient_ < 0 ? -coefficient_ : coefficient_;
  std::string digits;
  for (; value != 0; value /= 10) digits.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
  while (static_cast<int>(digits.size()) <= scale_) digits.push_back('0');
  std::ranges::reverse(digits);
  if (scale_ > 0) digits.insert(digits.size() - static_cast<std::size_t>(scale_), 1, '.');
  if (coefficient_ < 0) digits.insert(0, 1, '-');
  return digits;
}

double Decimal::to_double() const {
  return static_cast<double>(coefficient_) / static_cast<double>(power_of_ten(scale_));
}

Result<Decimal> Decimal::plus(const Decimal& other) const {
  Decimal a = *this, b = other;
  if (a.scale_ < b.scale_) std::swap(a, b);
  const int lift = a.scale_ - b.scale_;
  if (digit_count(b.coefficient_) + lift > kMaxDigits) return out_of_range(other.str());
  a.coefficient_ += b.coefficient_ * power_of_ten(lift);
  if (digit_count(a.coefficient_) > kMaxDigits) return out_of_range(str());
  return a;
}

Decimal Decimal::negated() const {
  Decimal result = *this;
  result.coefficient_ = -result.coefficient_;
  return result;
}

Result<Decimal> Decimal::times(const Decimal& other) const {
  const Decimal a = normalized(), b = other.normalized();
  if (digit_count(a.coefficient_) + digit_count(b.coefficient_) > kMaxDigits) return out_of_range(str());
  Decimal result;
  result.coefficient_ = a.coefficient_ * b.coefficient_;
  result.scale_ = a.scale_ + b.scale_;
  return result.scale_ > kMaxScale ? result.rounded(kMaxScale) : result;
}

Decimal Decimal::rounded(int decimals) const {
  Decimal result = *this;
  if (scale_ <= decimals) return result;
  const Wide unit = power_of_ten(scale_ - decimals);
  const Wide half = coefficient_ < 0 ? -unit / 2 : unit / 2;
  result.coefficient_ = (coefficient_ + half) / unit;
  result.scale_ = decimals;
  return result;
}

Decimal Decimal::normalized() const {
  Decimal result = *this;
  while (result.scale_ > 0 && result.coefficient_ % 10 == 0) {
    result.coefficient_ /= 10;
    --result.scale_;
  }
  return result;
}

int Decimal::compare(const Decimal& a, const Decimal& b) {
  // Compare whole parts first: scaling both to one exponent could overflow.
  const Wide pa = power_of_ten(a.scale_), pb = power_of_ten(b.scale_);
  const Wide wa = a.coefficient_ / pa, wb = b.coefficient_ / pb;
  if (wa != wb) return wa < wb ? -1 : 1;
  const Wide fa = a.coefficient_ % pa * power_of_ten(kMaxScale - a.scale_);
  const Wide fb = b.coefficient_ % pb * power_of_ten(kMaxScale - b.scale_);
  return fa == fb ? 0 : fa < fb ? -1 : 1;
}

}  // namespace castiel
