#pragma once
// Exact decimal numbers for money. Never a double: 0.1 is 0.1, and what came in goes out.

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace castiel {

// coefficient * 10^-scale, up to 36 significant digits and a scale of 0 to 18. Trailing zeros are kept
// ("10.50" prints as "10.50") but do not count in comparisons.
class Decimal {
 public:
  Decimal() = default;
  explicit Decimal(std::int64_t whole) : coefficient_(whole) {}
  // Plain notation with an optional sign, '.' and an exponent: "-12", "0.50", "1.2e3".
  // Errors: invalid_number; number_out_of_range past 36 digits or 18 decimals.
  static Result<Decimal> parse(std::string_view text);

  std::string str() const;
  // The nearest double, for statistics only; sums of money stay decimal.
  double to_double() const;
  bool is_negative() const { return coefficient_ < 0; }
  bool is_zero() const { return coefficient_ == 0; }

  // Exact; number_out_of_range when the sum does not fit.
  Result<Decimal> plus(const Decimal& other) const;
  Decimal negated() const;
  // The product, exact to 18 decimals; number_out_of_range when it does not fit 36 digits.
  Result<Decimal> times(const Decimal& other) const;
  // With at most so many decimals, halves away from zero.
  Decimal rounded(int decimals) const;
  // Without trailing zeros after the point.
  Decimal normalized() const;

  friend bool operator==(const Decimal& a, const Decimal& b) { return compare(a, b) == 0; }
  friend std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) { return compare(a, b) <=> 0; }

 private:
  static int compare(const Decimal& a, const Decimal& b);
  __extension__ typedef __int128 Coefficient;
  Coefficient coefficient_ = 0;
  int scale_ = 0;
};

}  // namespace castiel
