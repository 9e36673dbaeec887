#pragma once
// What one unit of a currency is worth in a tenant's base currency, by day. Plain values; any thread.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/decimal.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace castiel {

struct ExchangeRate {
  std::string currency;  // ISO 4217
  Date from;             // it counts from this day until the next rate of the currency
  Decimal rate;          // above 0, in the base currency
};

// "USD 2026-01-01 0.92". Error invalid_exchange_rate.
Result<ExchangeRate> parse_exchange_rate(std::string_view text);

class ExchangeRates {
 public:
  ExchangeRates() = default;
  // What is no rate is left out.
  explicit ExchangeRates(std::span<const std::string> texts);

  // The rate that counts on a day; nothing before the first one, or without any.
  std::optional<Decimal> rate(std::string_view currency, Date day) const;
  // Rounded to cents; nothing without a rate.
  std::optional<Decimal> convert(const Decimal& amount, std::string_view currency, Date day) const;
  bool empty() const { return rates_.empty(); }

 private:
  std::map<std::string, std::map<Date, Decimal>, std::less<>> rates_;
};

}  // namespace castiel
