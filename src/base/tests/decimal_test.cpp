#include "base/decimal.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace castiel {
namespace {

Decimal dec(std::string_view text) {
  return Decimal::parse(text).value();
}

TEST(Decimal, prints_what_it_read) {
  for (const char* text :
       {"0", "1", "-1", "10.50", "0.1", "-0.05", "999999999999999999.999999999999999999"}) {
    EXPECT_EQ(dec(text).str(), text);
  }
}

TEST(Decimal, reads_exponents) {
  EXPECT_EQ(dec("1.2e3").str(), "1200");
  EXPECT_EQ(dec("12e-1").str(), "1.2");
}

TEST(Decimal, compares_by_value_not_by_digits) {
  EXPECT_EQ(dec("1.50"), dec("1.5"));
  EXPECT_LT(dec("-2"), dec("-1.99"));
  EXPECT_GT(dec("100000000000000000000"), dec("99999999999999999999.9"));
}

TEST(Decimal, refuses_what_is_no_number) {
  for (const char* text : {"", "-", ".", "1.2.3", "abc", "1e", "1 2"}) {
    EXPECT_FALSE(Decimal::parse(text)) << text;
  }
  EXPECT_EQ(Decimal::parse("1234567890123456789012345678901234567").error().code, "number_out_of_range");
}

TEST(Decimal, multiplies_exactly_and_rounds_halves_away_from_zero) {
  EXPECT_EQ(dec("100.10").times(dec("0.92")).value(), dec("92.092"));
  EXPECT_EQ(dec("92.092").rounded(2).str(), "92.09");
  EXPECT_EQ(dec("0.125").rounded(2).str(), "0.13");
  EXPECT_EQ(dec("-0.125").rounded(2).str(), "-0.13");
  EXPECT_EQ(dec("7").rounded(2).str(), "7");
  EXPECT_EQ(dec("123456789012345678901234567890").times(dec("1234567.5")).error().code,
            "number_out_of_range");
}

RC_GTEST_PROP(DecimalProperty, sums_of_cents_are_exact, (std::vector<std::int32_t> cents)) {
  Decimal sum;
  std::int64_t expected = 0;
  for (const auto c : cents) {
    const std::string magnitude = std::to_string(std::abs(std::int64_t(c)) / 100) + "." +
                                  std::to_string(100 + std::abs(std::int64_t(c)) % 100).substr(1);
    sum = sum.plus(dec((c < 0 ? "-" : "") + magnitude)).value();
    expected += c;
  }
  RC_ASSERT(sum == dec(std::to_string(expected) + "e-2"));
}

}  // namespace
}  // namespace castiel
