#pragma once
// Sales periods: years, quarters and months, with a fiscal year that may start in any month.
// Pure functions; any thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace castiel::intelligence {

enum class PeriodKind { month, quarter, year };

// A fiscal year carries the number of the calendar year in which it ends: with a start in April, FY 2018 runs
// from 2017-04-01 to 2018-03-31 and "2018-Q1" begins in April 2017. Months are calendar months.
struct Period {
  std::string name;  // "2017-Q4", "2017-11", "2017"
  PeriodKind kind = PeriodKind::quarter;
  Date start;  // first day
  Date end;    // last day, inclusive
  bool contains(Date day) const { return start <= day && day <= end; }
  int days() const { return end - start + 1; }
  bool operator==(const Period&) const = default;
};

// `fiscal_start_month`: 1..12, other values count as 1. Error: invalid_period.
Result<Period> parse_period(std::string_view text, int fiscal_start_month = 1);
Period period_of(Date day, PeriodKind kind, int fiscal_start_month = 1);
Period next_period(const Period& period, int fiscal_start_month = 1);
Period previous_period(const Period& period, int fiscal_start_month = 1);
// The period of `day` and the following ones, `count` in all.
std::vector<Period> periods_from(Date day, PeriodKind kind, int count, int fiscal_start_month = 1);

}  // namespace castiel::intelligence
