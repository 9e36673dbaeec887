#include "base/time.hpp"

#include <fmt/format.h>

#include <charconv>

namespace castiel {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

bool digits(std::string_view text, std::size_t at, std::size_t count, int& value) {
  if (at + count > text.size()) return false;
  value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

}  // namespace

std::optional<Date> make_date(int year, int month, int day) {
  using namespace std::chrono;
  const year_month_day ymd{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                           std::chrono::day(static_cast<unsigned>(day))};
  if (year < -32767 || year > 32767 || month < 1 || day < 1 || !ymd.ok()) return std::nullopt;
  return Date{static_cast<std::int32_t>(sys_days(ymd).time_since_epoch().count())};
}

YearMonthDay split(Date date) {
  using namespace std::chrono;
  const year_month_day ymd{sys_days(days(date.days))};
  return {static_cast<int>(ymd.year()), static_cast<int>(static_cast<unsigned>(ymd.month())),
          static_cast<int>(static_cast<unsigned>(ymd.day()))};
}

Date date_of(Timestamp t) {
  return {static_cast<std::int32_t>(floor_div(t.micros, kMicrosPerDay))};
}
Timestamp start_of(Date date) {
  return {date.days * kMicrosPerDay};
}

std::string to_string(Date date) {
  const auto ymd = split(date);
  return fmt::format("{:04}-{:02}-{:02}", ymd.year, ymd.month, ymd.day);
}

std::string to_string(Timestamp t) {
  const Date date = date_of(t);
  const std::int64_t in_day = t.micros - start_of(date).micros;
  const std::int64_t seconds = in_day / kMicrosPerSecond;
  const std::int64_t micros = in_day % kMicrosPerSecond;
  std::string text =
      fmt::format("{}T{:02}:{:02}:{:02}", to_string(date), seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (micros != 0) {
    text += micros % 1000 == 0 ? fmt::format(".{:03}", micros / 1000) : fmt::format(".{:06}", micros);
  }
  return text + "Z";
}

Result<Date> parse_date(std::string_view text) {
  int y = 0, m = 0, d = 0;
  if (text.size() == 10 && text[4] == '-' && text[7] == '-' && digits(text, 0, 4, y) &&
      digits(text, 5, 2, m) && digits(text, 8, 2, d)) {
    if (auto date = make_date(y, m, d)) return *date;
  }
  return permanent("invalid_date", "'" + std::string(text) + "' is not a date: expected YYYY-MM-DD");
}

Result<Timestamp> parse_timestamp(std::string_view text) {
  const auto bad = [&] {
    return permanent("invalid_time", "'" + std::string(text) +
                                         "' is not a time: expected RFC 3339 such as 2017-03-01T10:00:00Z");
  };
  int hour = 0, minute = 0, second = 0;
  if (text.size() < 20 || (text[10] != 'T' && text[10] != 't' && text[10] != ' ')) return bad();
  const auto date = parse_date(text.substr(0, 10));
  if (!date || !digits(text, 11, 2, hour) || text[13] != ':' || !digits(text, 14, 2, minute) ||
      text[16] != ':' || !digits(text, 17, 2, second) || hour > 23 || minute > 59 || second > 60) {
    return bad();
  }
  std::size_t at = 19;
  std::int64_t micros = 0;
  if (text[at] == '.') {
    std::int64_t unit = kMicrosPerSecond / 10;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      micros += (text[at] - '0') * unit;
    if (at == first) return bad();
  }
  int offset_minutes = 0;
  if (at < text.size() && (text[at] == 'Z' || text[at] == 'z')) {
    ++at;
  } else if (at + 5 <= text.size() && (text[at] == '+' || text[at] == '-')) {
    int oh = 0, om = 0;
    const bool colon = at + 6 <= text.size() && text[at + 3] == ':';
    if (!digits(text, at + 1, 2, oh) || !digits(text, at + (colon ? 4 : 3), 2, om) || oh > 23 || om > 59)
      return bad();
    offset_minutes = (oh * 60 + om) * (text[at] == '-' ? -1 : 1);
    at += colon ? 6 : 5;
  } else {
    return bad();
  }
  if (at != text.size()) return bad();
  const std::int64_t seconds = hour * 3600 + minute * 60 + second - offset_minutes * 60;
  return Timestamp{start_of(*date).micros + seconds * kMicrosPerSecond + micros};
}

}  // namespace castiel
