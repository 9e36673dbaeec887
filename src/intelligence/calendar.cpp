#include "intelligence/calendar.hpp"

#include <fmt/format.h>

#include <charconv>

namespace castiel::intelligence {
namespace {

int valid_start(int month) {
  return month >= 1 && month <= 12 ? month : 1;
}

// The first day of the month `months` after January of `year`; months may be negative or above 11.
Date month_start(int year, int months) {
  year += months >= 0 ? months / 12 : -((11 - months) / 12);
  months = ((months % 12) + 12) % 12;
  return *make_date(year, months + 1, 1);
}

Period month_period(int year, int month) {
  return {fmt::format("{:04}-{:02}", year, month), PeriodKind::month, month_start(year, month - 1),
          month_start(year, month) - 1};
}

// Months from January of the fiscal year's number to its first month.
int fiscal_offset(int start_month) {
  return start_month == 1 ? 0 : start_month - 1 - 12;
}

Period quarter_period(int year, int quarter, int start_month) {
  const int first = fiscal_offset(start_month) + (quarter - 1) * 3;
  return {fmt::format("{:04}-Q{}", year, quarter), PeriodKind::quarter, month_start(year, first),
          month_start(year, first + 3) - 1};
}

Period year_period(int year, int start_month) {
  const int first = fiscal_offset(start_month);
  return {fmt::format("{:04}", year), PeriodKind::year, month_start(year, first),
          month_start(year, first + 12) - 1};
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<Period> parse_period(std::string_view text, int fiscal_start_month) {
  const int start = valid_start(fiscal_start_month);
  const auto refuse = [&] {
    return permanent("invalid_period",
                     fmt::format("'{}' is not a period; write a year, quarter or month as 2017, "
                                 "2017-Q4 or 2017-11",
                                 text));
  };
  const auto year = text.size() >= 4 ? number(text.substr(0, 4)) : std::nullopt;
  if (!year || *year < 1900 || *year > 2999) return refuse();
  if (text.size() == 4) return year_period(*year, start);
  if (text.size() != 7 || text[4] != '-') return refuse();
  if (text[5] == 'Q' || text[5] == 'q') {
    const auto quarter = number(text.substr(6));
    if (!quarter || *quarter < 1 || *quarter > 4) return refuse();
    return quarter_period(*year, *quarter, start);
  }
  const auto month = number(text.substr(5));
  if (!month || *month < 1 || *month > 12) return refuse();
  return month_period(*year, *month);
}

Period period_of(Date day, PeriodKind kind, int fiscal_start_month) {
  const int start = valid_start(fiscal_start_month);
  const auto [year, month, _] = split(day);
  if (kind == PeriodKind::month) return month_period(year, month);
  const int fiscal_year = start > 1 && month >= start ? year + 1 : year;
  if (kind == PeriodKind::year) return year_period(fiscal_year, start);
  return quarter_period(fiscal_year, (month - start + 12) % 12 / 3 + 1, start);
}

Period next_period(const Period& period, int fiscal_start_month) {
  return period_of(period.end + 1, period.kind, fiscal_start_month);
}

Period previous_period(const Period& period, int fiscal_start_month) {
  return period_of(period.start - 1, period.kind, fiscal_start_month);
}

std::vector<Period> periods_from(Date day, PeriodKind kind, int count, int fiscal_start_month) {
  std::vector<Period> periods;
  for (int i = 0; i < count; ++i) {
    periods.push_back(i == 0 ? period_of(day, kind, fiscal_start_month)
                             : next_period(periods.back(), fiscal_start_month));
  }
  return periods;
}

}  // namespace castiel::intelligence
