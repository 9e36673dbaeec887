#pragma once
// Arithmetic of local times (seconds since 1970 as if the zone were UTC) and the days of holidays. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace castiel::content::text::impl {

using Seconds = std::int64_t;
inline constexpr Seconds kMinuteSeconds = 60;
inline constexpr Seconds kHourSeconds = 3600;
inline constexpr Seconds kDaySeconds = 86'400;

inline Seconds seconds_of(Date date) {
  return static_cast<Seconds>(date.days) * kDaySeconds;
}
inline Date day_of(Seconds t) {
  return Date{static_cast<std::int32_t>((t >= 0 ? t : t - kDaySeconds + 1) / kDaySeconds)};
}
inline int weekday_of(Date date) {  // 0 for Monday
  return ((date.days + 3) % 7 + 7) % 7;
}
inline Date monday_of(Date date) {
  return date - weekday_of(date);
}
// The same day some months on; the last of the month where there is none.
Date add_months(Date date, std::int64_t months);
inline Date first_of_month(int year, int month) {
  return *make_date(year, month, 1);
}
// Monday of an ISO week.
Date iso_week(int year, int week);
std::string iso_date(Seconds t);      // 2017-03-01
std::string iso_time(Seconds t);      // 10:00:00
std::string iso_datetime(Seconds t);  // 2017-03-01T10:00:00

// The day of a holiday in a year; `name` in lower case without apostrophes: "christmas eve", "mlk day".
std::optional<Date> holiday(std::string_view name, int year);
inline constexpr std::size_t kMaxHolidayWords = 5;
// Whether a name may begin with this word.
bool begins_holiday(std::string_view word);

}  // namespace castiel::content::text::impl
