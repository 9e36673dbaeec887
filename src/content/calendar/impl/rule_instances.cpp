#include <algorithm>
#include <array>

#include "base/time.hpp"
#include "content/calendar/impl/rule.hpp"

namespace castiel::content::calendar::impl {
namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  const auto q = a / b;
  return a % b < 0 ? q - 1 : q;
}
int weekday_of(std::int64_t day) {
  return static_cast<int>(((day + 3) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
}
YearMonthDay civil(std::int64_t day) {
  return split(Date{static_cast<std::int32_t>(day)});
}
std::int64_t day_number(std::int64_t year, int month, int day) {
  const auto date = make_date(static_cast<int>(year), month, day);
  return date ? date->days : kLastDay + 1;
}
bool is_leap(std::int64_t year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}
int month_length(std::int64_t year, int month) {
  static constexpr std::array<int, 12> kLengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kLengths[static_cast<std::size_t>(month - 1)];
}
bool has(const std::vector<int>& list, int value) {
  return std::ranges::binary_search(list, value);
}
// The first day of week 1 of a year: the week with at least four days in it.
std::int64_t first_week(std::int64_t year, int week_start) {
  const auto first = day_number(year, 1, 1);
  const int into = (weekday_of(first) - week_start + 7) % 7;
  return first - into + (into > 3 ? 7 : 0);
}
// The week's number in its own year from the start and from the end (-1 is the last).
struct Week {
  std::int64_t year;
  int number;
  int from_end;
};
Week week_of(std::int64_t day, int week_start) {
  auto year = static_cast<std::int64_t>(civil(day).year);
  if (day >= first_week(year + 1, week_start))
    ++year;
  else if (day < first_week(year, week_start))
    --year;
  const auto start = first_week(year, week_start);
  const auto weeks = (first_week(year + 1, week_start) - start) / 7;
  const auto number = (day - start) / 7 + 1;
  return {year, static_cast<int>(number), static_cast<int>(number - weeks - 1)};
}

std::vector<std::int64_t> times_of(const std::vector<int>& hours, const std::vector<int>& minutes,
                                   const std::vector<int>& seconds) {
  std::vector<std::int64_t> times;
  times.reserve(hours.size() * minutes.size() * seconds.size());
  for (const int h : hours) {
    for (const int m : minutes) {
      for (const int s : seconds) times.push_back(h * 3600 + m * 60 + std::min(s, 59));
    }
  }
  times.erase(std::unique(times.begin(), times.end()), times.end());
  return times;
}

}  // namespace

RuleInstances::RuleInstances(const Rule& rule, Local start, std::int64_t& budget)
    : rule_(rule), start_(start), budget_(&budget) {
  const auto day = floor_div(start, kDaySeconds);
  const auto second = start - day * kDaySeconds;
  const auto date = civil(day);
  auto& r = rule_;
  using enum Frequency;
  if (r.weeks.empty() && r.year_days.empty() && r.month_days.empty() && r.days.empty()) {
    if (r.frequency == yearly && r.months.empty()) r.months = {date.month};
    if (r.frequency == yearly || r.frequency == monthly) r.month_days = {date.day};
    if (r.frequency == weekly) r.days = {{0, weekday_of(day)}};
  }
  if (r.frequency == yearly && !r.weeks.empty() && r.days.empty()) r.days = {{0, weekday_of(day)}};
  const bool by_nth = r.frequency == monthly || (r.frequency == yearly && r.weeks.empty());
  if (!by_nth) {
    for (auto& item : r.days) item.nth = 0;
  }
  if (r.seconds.empty() && r.frequency > secondly) r.seconds = {static_cast<int>(second % 60)};
  if (r.minutes.empty() && r.frequency > minutely) r.minutes = {static_cast<int>(second / 60 % 60)};
  if (r.hours.empty() && r.frequency > hourly) r.hours = {static_cast<int>(second / 3600)};
  switch (r.frequency) {
    case yearly:
      base_ = date.year;
      // Years of weeks begin with their first week; a start outside of the rule counts for its plain year.
      if (!r.weeks.empty() && matches(day)) base_ = week_of(day, r.week_start).year;
      last_ = 9998 - base_;
      break;
    case monthly:
      base_ = static_cast<std::int64_t>(date.year) * 12 + date.month - 1;
      last_ = 9999 * 12 - base_;
      break;
    case weekly:
      base_ = day - (weekday_of(day) - r.week_start + 7) % 7;
      last_ = (kLastDay - base_) / 7 - 1;
      break;
    case daily:
      base_ = day;
      last_ = kLastDay - base_;
      break;
    case hourly:
      period_ = floor_div(start, 3600);
      last_ = kLastDay * 24;
      break;
    case minutely:
      period_ = floor_div(start, 60);
      last_ = kLastDay * 24 * 60;
      break;
    case secondly:
      period_ = start;
      last_ = kLastDay * kDaySeconds;
      break;
  }
  if (r.frequency >= daily) times_ = times_of(r.hours, r.minutes, r.seconds);
}

bool RuleInstances::matches_day_rule(std::int64_t day) const {
  const int weekday = weekday_of(day);
  const auto date = civil(day);
  for (const auto& item : rule_.days) {
    if (item.weekday != weekday) continue;
    if (item.nth == 0) return true;
    std::int64_t before = 0, after = 0;  // days of the month or year on either side
    if (rule_.frequency == Frequency::yearly && rule_.months.empty()) {
      before = day - day_number(date.year, 1, 1);
      after = day_number(date.year, 12, 31) - day;
    } else {
      before = date.day - 1;
      after = month_length(date.year, date.month) - date.day;
    }
    if (item.nth > 0 ? before / 7 + 1 == item.nth : after / 7 + 1 == -item.nth) return true;
  }
  return false;
}

bool RuleInstances::matches(std::int64_t day) const {
  const auto date = civil(day);
  if (!rule_.months.empty() && !has(rule_.months, date.month)) return false;
  if (!rule_.month_days.empty() && !has(rule_.month_days, date.day) &&
      !has(rule_.month_days, date.day - month_length(date.year, date.month) - 1))
    return false;
  if (!rule_.year_days.empty()) {
    const auto of_year = static_cast<int>(day - day_number(date.year, 1, 1)) + 1;
    if (!has(rule_.year_days, of_year) && !has(rule_.year_days, of_year - (is_leap(date.year) ? 367 : 366)))
      return false;
  }
  if (!rule_.weeks.empty()) {
    const auto week = week_of(day, rule_.week_start);
    if (!has(rule_.weeks, week.number) && !has(rule_.weeks, week.from_end)) return false;
  }
  return rule_.days.empty() || matches_day_rule(day);
}

void RuleInstances::add_days(std::int64_t first, std::int64_t last) {
  for (auto day = first; day <= last; ++day) {
    if (matches(day)) days_.push_back(day);
  }
  *budget_ -= last - first + 1;
}

// Days that the month or year does not have, moved to its neighbour (RFC 7529).
void RuleInstances::add_skipped() {
  const bool forward = rule_.skip == Skip::forward;
  const auto add = [&](std::int64_t day) {
    if (rule_.days.empty() || matches_day_rule(day)) days_.push_back(day);
  };
  const auto add_month = [&](std::int64_t year, int month) {
    const int length = month_length(year, month);
    const auto first = day_number(year, month, 1);
    for (const int day : rule_.month_days) {
      if (day > length) add(forward ? first + length : first + length - 1);
      if (day < -length) add(forward ? first : first - 1);
    }
  };
  const auto number = base_ + period_ * rule_.interval;
  if (rule_.frequency == Frequency::monthly) {
    const auto year = number / 12;
    const int month = static_cast<int>(number % 12) + 1;
    if (rule_.months.empty() || has(rule_.months, month)) add_month(year, month);
  } else if (rule_.frequency == Frequency::yearly) {
    for (int month = 1; month <= 12; ++month) {
      if (rule_.months.empty() || has(rule_.months, month)) add_month(number, month);
    }
    const int length = is_leap(number) ? 366 : 365;
    const auto first = day_number(number, 1, 1);
    for (const int day : rule_.year_days) {
      if (day > length) add(forward ? first + length : first + length - 1);
      if (day < -length) add(forward ? first : first - 1);
    }
  }
  std::ranges::sort(days_);
  days_.erase(std::unique(days_.begin(), days_.end()), days_.end());
}

void RuleInstances::fill_year() {
  const auto year = base_ + period_ * rule_.interval;
  if (rule_.weeks.empty()) {
    add_days(day_number(year, 1, 1), day_number(year, 12, 31));
  } else {
    add_days(first_week(year, rule_.week_start), first_week(year + 1, rule_.week_start) - 1);
  }
}

void RuleInstances::fill_month() {
  const auto number = base_ + period_ * rule_.interval;
  const int month = static_cast<int>(number % 12) + 1;
  *budget_ -= 1;
  if (!rule_.months.empty() && !has(rule_.months, month)) return;
  const auto first = day_number(number / 12, month, 1);
  add_days(first, first + month_length(number / 12, month) - 1);
}

void RuleInstances::fill_week() {
  const auto first = base_ + period_ * rule_.interval * 7;
  add_days(first, first + 6);
}

// One hour, minute or second; false when it is none of the rule's, `period_` then being the next worth a
// look.
bool RuleInstances::fill_short(std::int64_t unit) {
  const auto start = period_ * unit;
  const auto day = floor_div(start, kDaySeconds);
  const auto second = start - day * kDaySeconds;
  const int hour = static_cast<int>(second / 3600), minute = static_cast<int>(second / 60 % 60);
  const auto go_on =
      [&](std::int64_t length) {  // at the next period that begins in the next day, hour or minute
        const auto next = (floor_div(start, length) + 1) * length;
        const auto ahead = (next - start + unit - 1) / unit;
        period_ += std::max<std::int64_t>(1, (ahead + rule_.interval - 1) / rule_.interval) * rule_.interval;
        *budget_ -= 1;
        return false;
      };
  if (days_.empty() || days_.front() != day) {
    days_.clear();
    if (!matches(day)) return go_on(kDaySeconds);
    days_.push_back(day);
  }
  if (!rule_.hours.empty() && !has(rule_.hours, hour)) return go_on(3600);
  if (unit <= 60 && !rule_.minutes.empty() && !has(rule_.minutes, minute)) return go_on(60);
  if (unit == 1 && !rule_.seconds.empty() && !has(rule_.seconds, static_cast<int>(second % 60)))
    return go_on(1);
  times_.clear();
  if (unit == 3600)
    times_ = times_of({hour}, rule_.minutes, rule_.seconds);
  else if (unit == 60)
    times_ = times_of({hour}, {minute}, rule_.seconds);
  else
    times_.push_back(second);
  period_ += rule_.interval;
  *budget_ -= 1;
  return true;
}

void RuleInstances::choose() {
  chosen_.clear();
  if (rule_.positions.empty()) return;
  const auto size = static_cast<std::int64_t>(days_.size() * times_.size());
  for (const int position : rule_.positions) {
    const std::int64_t index = position > 0 ? position - 1 : size + position;
    if (index >= 0 && index < size) chosen_.push_back(static_cast<std::size_t>(index));
  }
  std::ranges::sort(chosen_);
  chosen_.erase(std::unique(chosen_.begin(), chosen_.end()), chosen_.end());
}

// The next period that has anything; false at the end.
bool RuleInstances::fill() {
  at_ = 0;
  using enum Frequency;
  while (true) {
    if (*budget_ <= 0) {
      *budget_ = 0;
      return false;
    }
    const bool is_short = rule_.frequency < daily;
    const auto first = is_short ? period_ : period_ * rule_.interval;
    if (first > last_ || period_ > last_) return false;
    if (is_short) {
      const std::int64_t unit = rule_.frequency == hourly ? 3600 : rule_.frequency == minutely ? 60 : 1;
      if (rule_.until && period_ * unit > *rule_.until) return false;
      if (!fill_short(unit)) continue;
      choose();
      return true;
    }
    days_.clear();
    if (rule_.frequency == yearly)
      fill_year();
    else if (rule_.frequency == monthly)
      fill_month();
    else if (rule_.frequency == weekly)
      fill_week();
    else
      add_days(base_ + first, base_ + first);
    if (rule_.skip != Skip::omit && rule_.frequency >= monthly) add_skipped();
    ++period_;
    if (rule_.until && rule_.frequency <= weekly &&
        (base_ + first * (rule_.frequency == weekly ? 7 : 1)) * kDaySeconds > *rule_.until)
      return false;
    if (days_.empty()) continue;
    choose();
    return true;
  }
}

std::optional<Local> RuleInstances::next() {
  if (rule_.count && given_ >= *rule_.count) ended_ = true;
  while (!ended_) {
    const bool by_position = !rule_.positions.empty();
    const std::size_t size = by_position ? chosen_.size() : days_.size() * times_.size();
    if (at_ >= size || times_.empty()) {
      if (!fill()) ended_ = true;
      continue;
    }
    const std::size_t index = by_position ? chosen_[at_] : at_;
    ++at_;
    const Local time = days_[index / times_.size()] * kDaySeconds + times_[index % times_.size()];
    if (time < start_ || (previous_ && time <= *previous_)) {
      if (--*budget_ <= 0) ended_ = true;
      continue;
    }
    if (rule_.until && time > *rule_.until) break;
    ++given_;
    previous_ = time;
    return time;
  }
  ended_ = true;
  return std::nullopt;
}

void RuleInstances::skip_to(Local from) {
  using enum Frequency;
  if (rule_.count || from <= start_ || at_ != 0) return;
  const auto day = floor_div(from, kDaySeconds);
  if (day > kLastDay) {
    ended_ = true;
    return;
  }
  // One or two periods early, as weeks and skipped days reach over a period's edge.
  const auto jump = [&](std::int64_t distance) {
    period_ = std::max<std::int64_t>(0, distance / rule_.interval - 2);
  };
  switch (rule_.frequency) {
    case yearly:
      jump(civil(day).year - base_);
      break;
    case monthly:
      jump(static_cast<std::int64_t>(civil(day).year) * 12 + civil(day).month - 1 - base_);
      break;
    case weekly:
      jump((day - base_) / 7);
      break;
    case daily:
      jump(day - base_);
      break;
    default: {
      const std::int64_t unit = rule_.frequency == hourly ? 3600 : rule_.frequency == minutely ? 60 : 1;
      const auto ahead = floor_div(from, unit) - period_;
      if (ahead > 0) period_ += ahead / rule_.interval * rule_.interval;
    }
  }
}

}  // namespace castiel::content::calendar::impl
