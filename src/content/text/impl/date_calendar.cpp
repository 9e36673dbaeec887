#include "content/text/impl/date_calendar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

namespace castiel::content::text::impl {

Date add_months(Date date, std::int64_t months) {
  const auto [year, month, day] = split(date);
  const std::int64_t index = static_cast<std::int64_t>(year) * 12 + month - 1 + months;
  const int to_year = static_cast<int>(std::clamp<std::int64_t>(index / 12, 1, 9998));
  const int to_month = static_cast<int>(((index % 12) + 12) % 12) + 1;
  for (int d = day; d >= 28; --d)
    if (const auto made = make_date(to_year, to_month, d)) return *made;
  return *make_date(to_year, to_month, std::min(day, 28));
}

Date iso_week(int year, int week) {
  return monday_of(*make_date(year, 1, 4)) + 7 * (week - 1);
}

std::string iso_date(Seconds t) {
  return to_string(day_of(t));
}

std::string iso_time(Seconds t) {
  const Seconds of_day = ((t % kDaySeconds) + kDaySeconds) % kDaySeconds;
  return fmt::format("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60);
}

std::string iso_datetime(Seconds t) {
  return iso_date(t) + "T" + iso_time(t);
}

namespace {

Date nth_weekday(int year, int month, int weekday, int nth) {
  const Date first = first_of_month(year, month);
  return first + (weekday - weekday_of(first) + 7) % 7 + 7 * (nth - 1);
}

Date last_weekday(int year, int month, int weekday) {
  const Date last = add_months(first_of_month(year, month), 1) - 1;
  return last - (weekday_of(last) - weekday + 7) % 7;
}

// Gauss's rule as Meeus and Jones write it.
Date easter(int year) {
  const int a = year % 19, b = year / 100, c = year % 100, d = b / 4, e = b % 4, f = (b + 8) / 25,
            g = (b - f + 1) / 3;
  const int h = (19 * a + b - d - g + 15) % 30, i = c / 4, k = c % 4, l = (32 + 2 * e + 2 * i - h - k) % 7;
  const int m = (a + 11 * h + 22 * l) / 451, month = (h + l - 7 * m + 114) / 31,
            day = (h + l - 7 * m + 114) % 31 + 1;
  return *make_date(year, month, day);
}

struct Holiday {
  std::string_view names;  // between bars
  int month;               // 0: days from Easter Sunday in `day`
  int day;                 // of the month; or the nth (9: last) `weekday`
  int weekday;             // -1: a fixed day
  int shift;               // days to add
};
constexpr std::array<Holiday, 46> kHolidays{{
    {"|new year|new years|new years day|new year day|", 1, 1, -1, 0},
    {"|new years eve|new year eve|silvester|", 12, 31, -1, 0},
    {"|christmas|christmas day|xmas|xmas day|x mas|", 12, 25, -1, 0},
    {"|christmas eve|xmas eve|", 12, 24, -1, 0},
    {"|boxing day|st stephens day|", 12, 26, -1, 0},
    {"|valentines day|valentine day|valentines|valentine|st valentines day|saint valentines day|", 2, 14, -1,
     0},
    {"|st patricks day|saint patricks day|st patrick day|st patricks|", 3, 17, -1, 0},
    {"|april fools day|april fools|april fool day|april fool|", 4, 1, -1, 0},
    {"|earth day|", 4, 22, -1, 0},
    {"|may day|international workers day|international labor day|", 5, 1, -1, 0},
    {"|cinco de mayo|", 5, 5, -1, 0},
    {"|juneteenth|freedom day|jubilee day|", 6, 19, -1, 0},
    {"|canada day|", 7, 1, -1, 0},
    {"|independence day|us independence day|american independence day|", 7, 4, -1, 0},
    {"|bastille day|", 7, 14, -1, 0},
    {"|halloween|halloween day|all hallows eve|", 10, 31, -1, 0},
    {"|all saints day|all hallows day|all saints|", 11, 1, -1, 0},
    {"|all souls day|", 11, 2, -1, 0},
    {"|guy fawkes day|guy fawkes night|bonfire night|", 11, 5, -1, 0},
    {"|veterans day|veteran day|armistice day|remembrance day|", 11, 11, -1, 0},
    {"|groundhog day|groundhogs day|", 2, 2, -1, 0},
    {"|womens day|international womens day|", 3, 8, -1, 0},
    {"|flag day|", 6, 14, -1, 0},
    {"|tax day|", 4, 15, -1, 0},
    {"|epiphany|three kings day|", 1, 6, -1, 0},
    {"|australia day|", 1, 26, -1, 0},
    {"|anzac day|", 4, 25, -1, 0},
    {"|kings day|", 4, 27, -1, 0},
    {"|inauguration day|", 1, 20, -1, 0},
    {"|pi day|", 3, 14, -1, 0},
    {"|mlk day|martin luther king day|martin luther king jr day|martin luther kings day|", 1, 3, 0, 0},
    {"|presidents day|president day|washingtons birthday|", 2, 3, 0, 0},
    {"|memorial day|", 5, 9, 0, 0},
    {"|labor day|labour day|", 9, 1, 0, 0},
    {"|columbus day|indigenous peoples day|", 10, 2, 0, 0},
    {"|thanksgiving|thanksgiving day|thanks giving|thanks giving day|", 11, 4, 3, 0},
    {"|black friday|", 11, 4, 3, 1},
    {"|cyber monday|", 11, 4, 3, 4},
    {"|mothers day|mother day|", 5, 2, 6, 0},
    {"|fathers day|father day|", 6, 3, 6, 0},
    {"|easter|easter sunday|easter day|", 0, 0, -1, 0},
    {"|easter monday|", 0, 1, -1, 0},
    {"|good friday|", 0, -2, -1, 0},
    {"|ash wednesday|", 0, -46, -1, 0},
    {"|palm sunday|", 0, -7, -1, 0},
    {"|pentecost|whit sunday|", 0, 49, -1, 0},
}};

}  // namespace

std::optional<Date> holiday(std::string_view name, int year) {
  if (year < 1 || year > 9998) return std::nullopt;
  const std::string key = "|" + std::string(name) + "|";
  for (const auto& [names, month, day, weekday, shift] : kHolidays) {
    if (names.find(key) == names.npos) continue;
    if (month == 0) return easter(year) + day;
    if (weekday < 0) return make_date(year, month, day);
    return (day == 9 ? last_weekday(year, month, weekday) : nth_weekday(year, month, weekday, day)) + shift;
  }
  return std::nullopt;
}

bool begins_holiday(std::string_view word) {
  static const std::unordered_set<std::string_view> words = [] {
    std::unordered_set<std::string_view> made;
    for (const auto& item : kHolidays) {
      for (std::size_t at = 1; at < item.names.size();) {
        made.insert(item.names.substr(at, item.names.find_first_of(" |", at) - at));
        at = item.names.find('|', at) + 1;
      }
    }
    // As they stand before an apostrophe.
    for (const std::string_view more : {"mother", "father", "president", "veteran", "valentine"})
      made.insert(more);
    return made;
  }();
  return words.contains(word);
}

}  // namespace castiel::content::text::impl
