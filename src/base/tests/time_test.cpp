#include "base/time.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/random.hpp"

namespace castiel {
namespace {

TEST(Time, reads_offsets_into_utc) {
  EXPECT_EQ(to_string(parse_timestamp("2017-03-01T10:00:00+02:00").value()), "2017-03-01T08:00:00Z");
  EXPECT_EQ(to_string(parse_timestamp("2025-01-01T00:00:00.000+0000").value()), "2025-01-01T00:00:00Z");
  EXPECT_EQ(to_string(parse_timestamp("1899-12-31T23:59:59.5Z").value()), "1899-12-31T23:59:59.500Z");
}

TEST(Time, refuses_days_that_do_not_exist) {
  EXPECT_FALSE(parse_date("2017-02-29"));
  EXPECT_FALSE(parse_date("2017-13-01"));
  EXPECT_FALSE(parse_timestamp("2017-02-30T00:00:00Z"));
  EXPECT_FALSE(parse_timestamp("2017-02-20T00:00:00"));
}

RC_GTEST_PROP(TimeProperty, text_round_trips, ()) {
  const Timestamp t{*rc::gen::inRange<std::int64_t>(-2'208'988'800'000'000, 253'402'300'799'000'000)};
  RC_ASSERT(parse_timestamp(to_string(t)).value() == t);
}

TEST(IdGenerator, ids_increase_within_a_millisecond_and_across) {
  ManualClock clock(parse_timestamp("2026-01-01T00:00:00Z").value());
  SeededRandom random(7);
  IdGenerator ids(clock, random);
  std::string last = ids.next();
  for (int i = 0; i < 5000; ++i) {
    if (i % 100 == 0) clock.advance(std::chrono::milliseconds(1));
    const std::string next = ids.next();
    ASSERT_LT(last, next);
    last = next;
  }
}

}  // namespace
}  // namespace castiel
