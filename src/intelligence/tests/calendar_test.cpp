#include "intelligence/calendar.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace castiel::intelligence {
namespace {

TEST(Calendar, reads_years_quarters_and_months) {
  const auto quarter = parse_period("2017-Q4");
  ASSERT_TRUE(quarter);
  EXPECT_EQ(to_string(quarter->start), "2017-10-01");
  EXPECT_EQ(to_string(quarter->end), "2017-12-31");
  const auto month = parse_period("2016-02");
  ASSERT_TRUE(month);
  EXPECT_EQ(to_string(month->end), "2016-02-29");
  const auto year = parse_period("2017");
  ASSERT_TRUE(year);
  EXPECT_EQ(year->days(), 365);
}

TEST(Calendar, refuses_what_is_no_period) {
  for (const char* text :
       {"", "17", "2017-Q5", "2017-13", "2017-00", "2017-1", "2017-Q", "abcd", "2017-10-01", "20171"}) {
    const auto period = parse_period(text);
    ASSERT_FALSE(period) << text;
    EXPECT_EQ(period.error().code, "invalid_period");
  }
}

TEST(Calendar, a_fiscal_year_carries_the_number_of_the_year_it_ends_in) {
  const auto quarter = parse_period("2018-Q1", 4);
  ASSERT_TRUE(quarter);
  EXPECT_EQ(to_string(quarter->start), "2017-04-01");
  EXPECT_EQ(to_string(parse_period("2018", 4)->end), "2018-03-31");
  EXPECT_EQ(period_of(*make_date(2018, 3, 31), PeriodKind::quarter, 4).name, "2018-Q4");
  EXPECT_EQ(period_of(*make_date(2017, 12, 1), PeriodKind::quarter, 12).name, "2018-Q1");
}

RC_GTEST_PROP(Calendar, periods_follow_each_other_without_gap_and_read_back, ()) {
  const int start_month = *rc::gen::inRange(1, 13);
  const auto kind = *rc::gen::element(PeriodKind::month, PeriodKind::quarter, PeriodKind::year);
  const Date day{*rc::gen::inRange(0, 30000)};
  const Period period = period_of(day, kind, start_month);
  RC_ASSERT(period.contains(day));
  const Period next = next_period(period, start_month);
  RC_ASSERT(next.start == period.end + 1);
  RC_ASSERT(previous_period(next, start_month) == period);
  const auto read = parse_period(period.name, start_month);
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == period);
}

}  // namespace
}  // namespace castiel::intelligence
