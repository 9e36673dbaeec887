#pragma once
// Recurrence rules of RFC 5545 (and 7529's SKIP) on local time: parsing, and their instances in order.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace castiel::content::calendar::impl {

// Seconds since 1970-01-01T00:00:00 of a local time, as if it were UTC.
using Local = std::int64_t;
inline constexpr std::int64_t kDaySeconds = 86'400;
inline constexpr std::int64_t kLastDay = 2'932'896;  // 9999-12-31

enum class Frequency { secondly, minutely, hourly, daily, weekly, monthly, yearly };
enum class Skip { omit, backward, forward };

struct RuleDay {
  int nth = 0;      // 0: every one
  int weekday = 0;  // 0: Monday
};

struct Rule {
  Frequency frequency = Frequency::yearly;
  std::int64_t interval = 1;
  std::optional<std::uint64_t> count;
  std::optional<Local> until;  // the last moment that counts, local or UTC
  bool until_utc = false;
  std::vector<int> seconds, minutes, hours, month_days, year_days, weeks, months, positions;
  std::vector<RuleDay> days;
  int week_start = 0;
  Skip skip = Skip::omit;
  std::string scale;  // RSCALE other than GREGORIAN
};

// Error: invalid_rule.
Result<Rule> parse_rule(std::string_view text);

// One instance after another, ascending. Looks at no more than `budget` days (or hours and less, where the
// rule goes by them), which it takes off; when nothing is left it ends and `budget` is 0.
class RuleInstances {
 public:
  RuleInstances(const Rule& rule, Local start, std::int64_t& budget);
  std::optional<Local> next();
  // Passes over what begins before `from`, fast where the rule does not count.
  void skip_to(Local from);

 private:
  bool fill();
  void fill_year();
  void fill_month();
  void fill_week();
  bool fill_short(std::int64_t unit);
  void add_days(std::int64_t first, std::int64_t last);
  bool matches(std::int64_t day) const;
  bool matches_day_rule(std::int64_t day) const;
  void add_skipped();
  void choose();

  Rule rule_;
  Local start_;
  std::int64_t* budget_;
  std::int64_t period_ = 0;  // number of the next period; for hours and less the unit's own number
  std::int64_t base_ = 0;    // first period's year, month or day
  std::int64_t last_ = 0;    // last period that can begin before year 10000
  bool ended_ = false;
  std::vector<std::int64_t> days_;
  std::vector<std::int64_t> times_;  // seconds of the day
  std::vector<std::size_t> chosen_;  // indices of day x time; used where the rule has positions
  std::size_t at_ = 0;
  std::uint64_t given_ = 0;
  std::optional<Local> previous_;
};

// The time "19970902T090000" or "19970902" as seconds; nothing for anything else. A "Z" sets `utc`.
struct TimeText {
  Local time = 0;
  bool date_only = false;
  bool utc = false;
};
std::optional<TimeText> parse_time_text(std::string_view text);
std::string time_text(Local time, bool date_only, bool utc);

// By libical: rules of other calendars (RSCALE). At most `limit` instances that begin before `to`.
// Error: invalid_rule, also for calendars it does not know.
Result<std::vector<Local>> foreign_instances(std::string_view rule, Local start, bool date_only, Local to,
                                             std::size_t limit);

}  // namespace castiel::content::calendar::impl
