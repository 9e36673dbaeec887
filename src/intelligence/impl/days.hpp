#pragma once
// Small readers shared by the analytics: days between instants, values of history texts. Any thread.

#include <optional>
#include <string>
#include <string_view>

#include "base/decimal.hpp"
#include "base/time.hpp"
#include "intelligence/deal.hpp"

namespace castiel::intelligence::impl {

inline constexpr std::int64_t kDayMicros = 86'400'000'000;

// Whole days from `from` to `to`, at least 0.
inline int days_between(Timestamp from, Timestamp to) {
  return to.micros <= from.micros ? 0 : static_cast<int>((to.micros - from.micros) / kDayMicros);
}
inline Timestamp plus_days(Timestamp t, double days) {
  return {t.micros + static_cast<std::int64_t>(days * static_cast<double>(kDayMicros))};
}
inline Timestamp end_of(Date day) {
  return {start_of(day + 1).micros - 1};
}

// "2017-03-01" and "2017-03-01T10:00:00Z" are the same date.
inline std::optional<Date> date_text(const std::optional<std::string>& text) {
  if (!text || text->size() < 10) return std::nullopt;
  const auto date = parse_date(std::string_view(*text).substr(0, 10));
  return date ? std::optional(*date) : std::nullopt;
}
inline std::optional<Decimal> decimal_text(const std::optional<std::string>& text) {
  if (!text || text->empty()) return std::nullopt;
  const auto value = Decimal::parse(*text);
  return value ? std::optional(*value) : std::nullopt;
}

inline bool in_view(const Change& change, Timestamp as_of, Timestamp known_at) {
  return change.effective_at <= as_of && change.recorded_at <= known_at;
}

// From when on the present values hold.
inline Timestamp state_from(const Deal& deal) {
  return deal.state_at.value_or(deal.recorded_at);
}

}  // namespace castiel::intelligence::impl
