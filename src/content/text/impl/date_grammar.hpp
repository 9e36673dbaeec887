#pragma once
// The grammar of dates and times in English texts: what stands at a token, as instants and spans of local
// time. Built for one text; one owner.

#include <optional>
#include <vector>

#include "content/text/impl/date_calendar.hpp"
#include "content/text/impl/date_tokens.hpp"

namespace castiel::content::text::impl {

enum class Grain : std::uint8_t { second, minute, hour, day, week, month, quarter, year };

// One reading: a point has start == end; of a span the end is not part.
struct Reading {
  Seconds start = 0;
  Seconds end = 0;
  bool has_start = true;
  bool has_end = true;
  bool operator==(const Reading&) const = default;
};

enum class DateType : std::uint8_t {
  date,
  time,
  datetime,
  daterange,
  timerange,
  datetimerange,
  duration,
  set
};

struct DateSense {
  DateType type = DateType::date;
  std::vector<Reading> readings;  // likeliest first; none: a form without days of its own ("every Monday")
  Seconds seconds = 0;            // of a duration
  std::int64_t months = 0;        // of a duration, beside `seconds`
  Grain grain = Grain::day;
  bool has_year = true;        // false: year found by the reference time
  bool open_hour = false;      // no am or pm
  int weekday = -1;            // of a bare one
  bool inclusive_end = false;  // "by", "until": the day named still counts
  bool part_of_day = false;
  bool is_week_or_weekend = false;
};

struct DateMatch {
  DateSense value;
  std::size_t next = 0;  // token after it
};

class DateGrammar {
 public:
  DateGrammar(const DateTokens& tokens, Seconds now) : t(tokens), now_(now), today_(day_of(now)) {}
  // The longest mention that begins at a token.
  std::optional<DateMatch> mention(std::size_t i) const;

 private:
  using Match = std::optional<DateMatch>;
  // date_atoms.cpp
  Match numeric_date(std::size_t i) const;
  Match month_date(std::size_t i) const;
  Match day_of_month(std::size_t i) const;
  Match weekday(std::size_t i) const;
  Match named_day(std::size_t i) const;
  Match holiday_date(std::size_t i) const;
  Match year_alone(std::size_t i) const;
  Match calendar_date(std::size_t i) const;  // any of the above that is one day
  // date_spans.cpp
  Match duration(std::size_t i) const;
  Match relative_duration(std::size_t i) const;
  Match relative_unit(std::size_t i) const;
  // date_edges.cpp
  Match quarter(std::size_t i) const;
  Match nth_of(std::size_t i) const;
  Match edge_of(std::size_t i) const;
  Match any_span(std::size_t i) const;
  // date_sets.cpp
  Match set(std::size_t i) const;
  // date_clock.cpp
  Match clock(std::size_t i) const;
  Match day_part(std::size_t i) const;
  Match clock_range(std::size_t i) const;
  // date_times.cpp
  Match day_with_time(std::size_t i) const;
  Match simple(std::size_t i) const;
  // date_join.cpp
  Match range(std::size_t i) const;
  Match bounded(std::size_t i) const;

  DateSense day(Date date) const;
  DateSense days(Date first, Date end, Grain grain) const;
  // A day of every year: the next one and the last one.
  std::optional<DateSense> yearless(int month, int day) const;
  DateSense weekday_value(int weekday) const;
  DateSense time_on(const DateSense& date, const DateSense& time) const;
  std::optional<DateSense> between(DateSense from, DateSense to) const;
  std::size_t skip(std::size_t i, std::string_view list) const { return t.any(i, list) ? i + 1 : i; }

  const DateTokens& t;
  Seconds now_;
  Date today_;
};

}  // namespace castiel::content::text::impl
