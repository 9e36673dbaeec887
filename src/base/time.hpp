#pragma once
// Instants and calendar dates. Everything stored is UTC; an instant has microseconds, a date has none.

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace castiel {

using Duration = std::chrono::microseconds;

// An instant: microseconds since 1970-01-01T00:00:00Z.
struct Timestamp {
  std::int64_t micros = 0;
  auto operator<=>(const Timestamp&) const = default;
  Timestamp operator+(Duration d) const { return {micros + d.count()}; }
  Timestamp operator-(Duration d) const { return {micros - d.count()}; }
  Duration operator-(Timestamp other) const { return Duration(micros - other.micros); }
};

// A calendar date of the proleptic Gregorian calendar, as days since 1970-01-01, without a time zone.
struct Date {
  std::int32_t days = 0;
  auto operator<=>(const Date&) const = default;
  Date operator+(int d) const { return {days + d}; }
  Date operator-(int d) const { return {days - d}; }
  int operator-(Date other) const { return days - other.days; }
};

struct YearMonthDay {
  int year;
  int month;  // 1..12
  int day;    // 1..31
};

std::optional<Date> make_date(int year, int month, int day);  // nothing if there is no such day
YearMonthDay split(Date date);
Date date_of(Timestamp t);         // the UTC day
Timestamp start_of(Date date);     // midnight UTC
std::string to_string(Date date);  // 2017-03-01
// RFC 3339 UTC, "2017-03-01T10:00:00Z", with a fraction of 3 or 6 digits only where there is one.
std::string to_string(Timestamp t);

// RFC 3339 date-time with 'Z' or an offset. Error: invalid_time.
Result<Timestamp> parse_timestamp(std::string_view text);
// YYYY-MM-DD. Error: invalid_date.
Result<Date> parse_date(std::string_view text);

}  // namespace castiel
