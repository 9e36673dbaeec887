#include "base/exchange_rate.hpp"

#include <algorithm>
#include <iterator>

namespace castiel {

Result<ExchangeRate> parse_exchange_rate(std::string_view text) {
  const auto wrong = [&] {
    return permanent("invalid_exchange_rate",
                     "'" + std::string(text) + "' is no rate such as 'USD 2026-01-01 0.92'");
  };
  constexpr std::size_t kDay = 4, kRate = 15;  // where they begin
  if (text.size() <= kRate || text[kDay - 1] != ' ' || text[kRate - 1] != ' ') return wrong();
  const auto currency = text.substr(0, 3);
  const auto day = parse_date(text.substr(kDay, 10));
  const auto rate = Decimal::parse(text.substr(kRate));
  if (!std::ranges::all_of(currency, [](char c) { return c >= 'A' && c <= 'Z'; }) || !day || !rate ||
      rate->is_negative() || rate->is_zero())
    return wrong();
  return ExchangeRate{std::string(currency), *day, *rate};
}

ExchangeRates::ExchangeRates(std::span<const std::string> texts) {
  for (const auto& text : texts) {
    if (auto parsed = parse_exchange_rate(text)) rates_[parsed->currency][parsed->from] = parsed->rate;
  }
}

std::optional<Decimal> ExchangeRates::rate(std::string_view currency, Date day) const {
  const auto known = rates_.find(currency);
  if (known == rates_.end()) return std::nullopt;
  const auto next = known->second.upper_bound(day);
  if (next == known->second.begin()) return std::nullopt;
  return std::prev(next)->second;
}

std::optional<Decimal> ExchangeRates::convert(const Decimal& amount, std::string_view currency,
                                              Date day) const {
  const auto factor = rate(currency, day);
  if (!factor) return std::nullopt;
  const auto product = amount.times(*factor);
  return product ? std::optional(product->rounded(2)) : std::nullopt;
}

}  // namespace castiel
