#include <algorithm>

#include "content/text/impl/date_grammar.hpp"

namespace castiel::content::text::impl {

DateSense DateGrammar::time_on(const DateSense& date, const DateSense& time) const {
  DateSense value;
  const bool span = time.type == DateType::timerange;
  value.type = span ? DateType::datetimerange : DateType::datetime;
  value.grain = time.grain;
  value.has_year = date.has_year;
  value.weekday = date.weekday;
  for (const auto& of_day : time.readings) {
    for (const auto& base : date.readings) {
      Reading reading{base.start + of_day.start, base.start + (of_day.has_end ? of_day.end : 0),
                      of_day.has_start, of_day.has_end};
      if (span && of_day.has_start && of_day.has_end && reading.end < reading.start)
        reading.end += kDaySeconds;
      value.readings.push_back(reading);
    }
  }
  return value;
}

// "tomorrow at 3pm", "9am on Tuesday", "Friday morning", "tonight", "yesterday between 3 and 5".
DateGrammar::Match DateGrammar::day_with_time(std::size_t i) const {
  Match best;
  const auto take = [&](DateSense value, std::size_t next) {
    if (!best || next > best->next) best = DateMatch{std::move(value), next};
  };
  if (t.any(i, " now ") && !(t.is(i + 1, "that"))) {
    DateSense value;
    value.type = DateType::datetime;
    value.readings = {{now_, now_}};
    return DateMatch{value, i + 1};
  }
  if (t.is(i, "right") && t.is(i + 1, "now")) {
    DateSense value;
    value.type = DateType::datetime;
    value.readings = {{now_, now_}};
    return DateMatch{value, i + 2};
  }
  if (t.is(i, "at") && ((t.is(i + 1, "the") && t.any(i + 2, " moment minute ")) || t.is(i + 1, "present") ||
                        (t.is(i + 1, "this") && t.any(i + 2, " time moment ")))) {
    DateSense value;
    value.type = DateType::datetime;
    value.readings = {{now_, now_}};
    return DateMatch{value, t.is(i + 1, "present") ? i + 2 : i + 3};
  }
  // The hour that a bare number after a word such as "at" names.
  const auto time_at = [&](std::size_t p, bool bare) -> Match {
    if (auto match = clock(p)) return match;
    if (!bare) return std::nullopt;
    const auto number = read_number(t, p);
    if (!number || number->value < 1 || number->value > 23 ||
        number->value != static_cast<int>(number->value))
      return std::nullopt;
    if (t.number(p) && t.digits(p) > 2) return std::nullopt;
    if (t.tight(number->next) && t.any(number->next, " / % - : ")) return std::nullopt;
    if (t.any(number->next, " people days weeks months years hours minutes % percent places locations "))
      return std::nullopt;
    const int hour = static_cast<int>(number->value);
    DateSense value;
    value.type = DateType::time;
    value.grain = Grain::hour;
    value.open_hour = hour <= 12;
    const bool evening_first = hour < 7;
    const Seconds morning = hour % 12 * kHourSeconds, evening = morning + 12 * kHourSeconds;
    if (hour > 12) {
      value.readings = {{hour * kHourSeconds, hour * kHourSeconds}};
    } else {
      const Seconds first = evening_first ? evening : morning, second = evening_first ? morning : evening;
      value.readings = {{first, first}, {second, second}};
    }
    return DateMatch{value, number->next};
  };
  // Keeps of an open hour the reading that lies in a part of the day.
  const auto settle = [](DateSense time, const DateSense& part) {
    if (!time.open_hour || time.readings.size() < 2) return time;
    // "tonight at 3" is in the small hours.
    const bool small_hours = part.readings.front().start >= 20 * kHourSeconds &&
                             time.readings.front().start % (12 * kHourSeconds) < 6 * kHourSeconds;
    const bool late = part.readings.front().start >= 12 * kHourSeconds && !small_hours;
    std::vector<Reading> kept;
    for (const auto& reading : time.readings) {
      const bool pm = reading.start >= 12 * kHourSeconds;
      if (pm == late) kept.push_back(reading);
    }
    if (!kept.empty()) time.readings = std::move(kept);
    time.open_hour = false;
    return time;
  };
  // Part of a day: "tonight", "this morning", "last night", "early this evening".
  const auto day_of_part = [&](std::size_t p) -> std::optional<std::pair<DateMatch, DateSense>> {
    std::size_t at = p;
    int shade = 0;
    if (t.any(at, " early late later ")) {
      shade = t.is(at, "early") ? 1 : 2;
      ++at;
    }
    if (t.any(at, " tonight tonite ")) {
      DateSense part;
      part.type = DateType::timerange;
      part.readings = {{20 * kHourSeconds, kDaySeconds - 1}};
      if (shade == 1) part.readings[0].end = 22 * kHourSeconds;
      return std::pair{DateMatch{day(today_), at + 1}, part};
    }
    int shift = 0;
    if (t.any(at, " this today tomorrow "))
      shift = t.is(at, "tomorrow") ? 1 : 0;
    else if (t.any(at, " last yesterday "))
      shift = -1;
    else if (t.any(at, " next "))
      shift = 1;
    else
      return std::nullopt;
    if (t.any(at, " today tomorrow yesterday ")) return std::nullopt;
    auto part = day_part(at + 1);
    if (!part || t.any(at + 1, " in at during ")) return std::nullopt;
    auto& reading = part->value.readings.front();
    if (shade == 1) reading.end = reading.start + 2 * kHourSeconds;
    if (shade == 2) reading.start = reading.end - 2 * kHourSeconds;
    return std::pair{DateMatch{day(today_ + shift), part->next}, part->value};
  };
  if (const auto named = day_of_part(i)) {
    const auto& [date, part] = *named;
    take(time_on(date.value, part), date.next);
    std::size_t p = date.next;
    const std::size_t lead = skip(skip(p, " , "), " at around @ by ");
    if (const auto hours = clock_range(lead);
        hours && (t.any(p, " from between ") || lead > p || !hours->value.open_hour)) {
      DateSense time = hours->value;
      time.open_hour = true;
      take(time_on(date.value, settle(time, part)), hours->next);
    } else if (const auto time = time_at(lead, lead > p)) {
      take(time_on(date.value, settle(time->value, part)), time->next);
    }
  }
  // Date first.
  if (const auto date = calendar_date(i)) {
    std::size_t p = date->next;
    std::size_t lead = skip(p, " , - ");
    const bool comma = lead > p;
    const std::size_t before_at = lead;
    lead = skip(lead, " at @ around about ");
    const bool at = lead > before_at;
    if (const auto part = day_part(at ? before_at : lead); part && !date->value.readings.empty()) {
      take(time_on(date->value, part->value), part->next);
      std::size_t more = skip(skip(part->next, " , "), " at around @ ");
      if (const auto hours = clock_range(more);
          hours && (t.any(part->next, " from between ") || !hours->value.open_hour)) {
        DateSense time = hours->value;
        time.open_hour = true;
        take(time_on(date->value, settle(time, part->value)), hours->next);
      } else if (const auto time = time_at(more, more > part->next)) {
        take(time_on(date->value, settle(time->value, part->value)), time->next);
      }
    }
    if (const auto hours = clock_range(lead);
        hours && (!hours->value.open_hour || t.any(lead, " from between ") || at ||
                  (!comma && date->value.weekday >= 0)))
      take(time_on(date->value, hours->value), hours->next);
    // "from 9:30 for 2 hours"
    const std::size_t from = skip(lead, " from ");
    if (const auto time = time_at(from, at || from > lead || t.is(p, "t"));
        time && !(comma && time->value.open_hour && !at && t.word(lead).size() > 0)) {
      DateSense value = time_on(date->value, time->value);
      std::size_t next = time->next;
      // "at 8 in the morning" was read by the clock; "8:00 early morning" and "5 this evening" are here.
      if (const auto part = day_part(next)) {
        value = time_on(date->value, settle(time->value, part->value));
        next = part->next;
      }
      if (t.is(next, "for")) {
        if (const auto length = duration(next + 1); length && length->value.grain <= Grain::hour) {
          value.type = DateType::datetimerange;
          for (auto& reading : value.readings) reading.end = reading.start + length->value.seconds;
          next = length->next;
        }
      }
      // "Oct 26 15:50:06 2016"
      if (const auto year = read_year(t, next);
          year && t.number(next) && !date->value.has_year && value.type == DateType::datetime) {
        const auto [y, m, d] = split(day_of(value.readings.front().start));
        const Seconds of_day =
            value.readings.front().start - seconds_of(day_of(value.readings.front().start));
        if (const auto exact = make_date(static_cast<int>(year->value), m, d)) {
          value.readings = {{seconds_of(*exact) + of_day, seconds_of(*exact) + of_day}};
          next = year->next;
        }
      }
      take(std::move(value), next);
    }
    // ISO 8601: 2017-03-01T10:00.
    if (t.is(p, "t") && t.tight(p)) {
      if (const auto time = clock(p + 1)) {
        std::size_t next = time->next;
        if (t.is(next, "z") && t.tight(next)) ++next;
        DateSense of_day = time->value;
        const std::size_t hour_token = p + 1;
        const Seconds written = t.at(hour_token).value * kHourSeconds;
        if (of_day.readings.size() > 1)
          std::erase_if(of_day.readings,
                        [&](const Reading& r) { return r.start / kHourSeconds != written / kHourSeconds; });
        take(time_on(date->value, of_day), next);
      }
    }
  }
  // Time first.
  const std::size_t lead = i;
  if (const auto time = clock(lead)) {
    std::size_t p = skip(time->next, " , ");
    p = skip(p, " on of ");
    if (const auto part = day_of_part(p)) {
      take(time_on(part->first.value, settle(time->value, part->second)), part->first.next);
    } else if (const auto date = calendar_date(p); date && !date->value.readings.empty()) {
      DateSense value = time_on(date->value, time->value);
      std::size_t next = date->next;
      if (const auto part2 = day_part(next)) {
        value = time_on(date->value, settle(time->value, part2->value));
        next = part2->next;
      }
      take(std::move(value), next);
    }
  } else if (const auto number = read_number(t, i);
             number && i > 0 && t.any(i - 1, " at around by ") && number->value >= 1 && number->value <= 12) {
    if (const auto part = day_of_part(number->next)) {
      const auto hour = time_at(i, true);
      if (hour) take(time_on(part->first.value, settle(hour->value, part->second)), part->first.next);
    } else if (const auto date = calendar_date(skip(number->next, " on "));
               date && !date->value.readings.empty()) {
      if (const auto hour = time_at(i, true)) take(time_on(date->value, hour->value), date->next);
    }
  }
  if (const auto hours = clock_range(i)) {
    std::size_t p = skip(skip(hours->next, " , "), " on ");
    if (const auto part = day_of_part(p)) {
      DateSense time = hours->value;
      time.open_hour = true;
      take(time_on(part->first.value, settle(time, part->second)), part->first.next);
    } else if (const auto date = calendar_date(p);
               date && !date->value.readings.empty() && date->value.type == DateType::date) {
      take(time_on(date->value, hours->value), date->next);
    }
  }
  // "morning of March 3", "in the morning on Friday", "the night of".
  if (const auto part = day_part(skip(i, " the "))) {
    std::size_t p = skip(part->next, " of on , ");
    if (const auto date = calendar_date(p); date && !date->value.readings.empty())
      take(time_on(date->value, part->value), date->next);
  }
  return best;
}

DateGrammar::Match DateGrammar::simple(std::size_t i) const {
  Match best;
  const auto take = [&](Match match) {
    if (match && (!best || match->next > best->next)) best = std::move(match);
  };
  take(day_with_time(i));
  take(calendar_date(i));
  take(any_span(i));
  take(relative_duration(i));
  take(clock(i));
  if (auto hours = clock_range(i); hours && !hours->value.open_hour) take(std::move(hours));
  take(day_part(i));
  // "in the morning 9 o'clock"
  if (const auto part = day_part(i)) {
    if (auto time = clock(skip(part->next, " at , "))) {
      const bool late = part->value.readings.front().start >= 12 * kHourSeconds;
      if (time->value.open_hour)
        std::erase_if(time->value.readings,
                      [&](const Reading& r) { return (r.start >= 12 * kHourSeconds) != late; });
      if (!time->value.readings.empty()) take(std::move(time));
    }
  }
  return best;
}

std::optional<DateSense> DateGrammar::between(DateSense from, DateSense to) const {
  if (from.readings.empty() || to.readings.empty()) return std::nullopt;
  DateSense value;
  const bool from_time = from.type == DateType::time, to_time = to.type == DateType::time;
  if (from.type == DateType::datetime && to.type != DateType::datetime && from.readings.front().start == now_)
    from = day(today_);
  const bool timed = from.type == DateType::datetime || to.type == DateType::datetime;
  if (from_time && to_time) return std::nullopt;  // clock_range's
  if (from_time != to_time) {
    if (!to_time || from.type != DateType::datetime) return std::nullopt;
    // "Monday 3pm to 5pm"
    DateSense out;
    out.type = DateType::datetimerange;
    for (const auto& a : from.readings) {
      for (const auto& b : to.readings) {
        const Seconds end = seconds_of(day_of(a.start)) + b.start;
        if (end > a.start) {
          out.readings.push_back({a.start, end});
          break;
        }
      }
    }
    if (out.readings.empty()) return std::nullopt;
    return out;
  }
  const auto is_day = [](const DateSense& v) {
    return v.type == DateType::date || v.type == DateType::datetime || v.type == DateType::daterange;
  };
  if (!is_day(from) || !is_day(to)) return std::nullopt;
  value.type = timed ? DateType::datetimerange : DateType::daterange;
  value.grain = to.grain;
  value.has_year = from.has_year && to.has_year;
  if (!from.has_year && to.has_year && from.weekday < 0) {
    // The year stands at the end only: "10/1-11/2/2017".
    std::vector<Reading> moved;
    for (const auto& b : to.readings) {
      const auto [y, m, d] = split(day_of(from.readings.front().start));
      const Seconds of_day = from.readings.front().start - seconds_of(day_of(from.readings.front().start));
      auto date = make_date(split(day_of(b.start)).year, m, d);
      if (date && seconds_of(*date) > b.start) date = make_date(split(day_of(b.start)).year - 1, m, d);
      if (date) moved.push_back({seconds_of(*date) + of_day, 0});
    }
    if (!moved.empty()) from.readings = moved;
  }
  for (const auto& a : from.readings) {
    std::optional<Seconds> end;
    for (const auto& b : to.readings)
      if (b.start > a.start && (!end || b.start < *end)) end = b.start;
    if (!end && !to.has_year) {
      // The next one of a day that comes every year or week.
      const Seconds b = to.readings.front().start;
      if (to.weekday >= 0) {
        Seconds next = b;
        while (next <= a.start) next += 7 * kDaySeconds;
        end = next;
      } else {
        const auto [y, m, d] = split(day_of(b));
        auto date = make_date(split(day_of(a.start)).year, m, d);
        if (date && seconds_of(*date) <= a.start) date = make_date(split(day_of(a.start)).year + 1, m, d);
        if (date) end = seconds_of(*date) + (b - seconds_of(day_of(b)));
      }
    }
    if (end) value.readings.push_back({a.start, *end});
  }
  // A span that is going on now is the one that is meant.
  for (const auto reading : value.readings) {
    if (!from.has_year && from.weekday < 0 && from.grain == Grain::day &&
        reading.start < seconds_of(today_) && reading.end > now_) {
      value.readings = {reading};
      break;
    }
  }
  if (value.readings.empty()) return std::nullopt;
  return value;
}

// "from March 1 to March 5", "March 1-5", "2014-2018", "Monday through Wednesday", "between now and May".
DateGrammar::Match DateGrammar::range(std::size_t i) const {
  const bool from = t.any(i, " from between ") || (t.is(i, "in") && t.number(i + 1));
  const bool between_word = t.is(i, "between");
  std::size_t at = from ? i + 1 : i;
  if (from && t.is(at, "from")) ++at;
  Match best;
  const auto take = [&](DateSense value, std::size_t next) {
    if (!best || next > best->next) best = DateMatch{std::move(value), next};
  };
  const auto join_at = [&](std::size_t p) -> std::size_t {
    if (t.dash(p)) return p + 1;
    if (t.any(p, " to until till through thru til "))
      return t.is(p, "through") && t.is(p + 1, "to") ? p + 2 : p + 1;
    if (t.is(p, "up") && t.is(p + 1, "to")) return p + 2;
    if (between_word && t.is(p, "and")) return p + 1;
    return 0;
  };
  const auto end_at = [&](std::size_t p) -> Match {
    Match found = day_with_time(p);
    for (Match other : {calendar_date(p), any_span(p), relative_duration(p), clock(p)})
      if (other && (!found || other->next > found->next)) found = std::move(other);
    return found;
  };
  // "March 1 to 5", "March 1st - 5th, 2018"; "1 to 5 March", "the ninth and the seventeenth of April".
  const auto day_number = [&](std::size_t p, std::size_t& next) -> int {
    std::size_t q = skip(p, " the ");
    auto number = read_ordinal(t, q);
    if (!number && !(t.number(q) && t.digits(q) > 2)) number = read_number(t, q);
    if (!number || number->value < 1 || number->value > 31 ||
        number->value != static_cast<int>(number->value))
      return 0;
    if (t.tight(number->next) && t.any(number->next, " : / % ")) return 0;
    next = number->next;
    return static_cast<int>(number->value);
  };
  if (const auto first = calendar_date(at);
      first && !first->value.readings.empty() && first->value.weekday < 0) {
    const std::size_t join = join_at(first->next);
    std::size_t next = 0;
    const bool and_more = between_word || !t.is(first->next, "and");
    if (join > 0 && and_more && !month_date(join) && !numeric_date(join) && !weekday(join) &&
        !named_day(join)) {
      const int d = day_number(join, next);
      const bool hours = t.any(next, " am pm : o p a ") || month_number(t.word(next)) > 0 ||
                         t.is(next, "of") ||
                         t.any(next, " minutes hours days weeks months years people percent ");
      if (d > 0 && !hours) {
        DateSense value = first->value;
        value.type = DateType::daterange;
        std::size_t year_at = skip(next, " , of ");
        const auto year = first->value.has_year ? std::nullopt : read_year(t, year_at);
        bool good = true;
        for (auto& reading : value.readings) {
          auto [y, m, start_day] = split(day_of(reading.start));
          if (year) y = static_cast<int>(year->value);
          const auto start = make_date(y, m, start_day);
          auto end = make_date(y, m, d);
          if (start && end && *end <= *start) {
            const auto [y2, m2, u] = split(add_months(first_of_month(y, m), 1));
            end = make_date(y2, m2, d);
          }
          if (!start || !end) {
            good = false;
            break;
          }
          reading = {seconds_of(*start), seconds_of(*end)};
        }
        if (year) {
          value.readings.resize(1);
          value.has_year = true;
        }
        if (good) take(value, year ? year->next : next);
      }
    }
  }
  {
    std::size_t next = 0;
    const int d = day_number(at, next);
    const std::size_t join = d > 0 ? join_at(next) : 0;
    if (join > 0) {
      if (const auto last = month_date(join); last && last->value.type == DateType::date &&
                                              !last->value.readings.empty() &&
                                              month_number(t.word(join)) == 0) {
        DateSense value = last->value;
        value.type = DateType::daterange;
        bool good = true;
        for (auto& reading : value.readings) {
          const auto [y, m, u] = split(day_of(reading.start));
          const auto start = make_date(y, m, d);
          if (!start || seconds_of(*start) >= reading.start) {
            good = false;
            break;
          }
          reading = {seconds_of(*start), reading.start};
        }
        if (good) take(value, last->next);
      }
    }
  }
  // Any two ends.
  Match first = end_at(at);
  for (int longer = 0; first && longer < 2; ++longer) {
    const std::size_t join = join_at(first->next);
    if (join > 0) {
      const std::size_t target = skip(join, " around about ");
      if (auto second = end_at(target)) {
        // "to the end of 2008" runs through it.
        if (t.any(skip(target, " the "), " end ending close ") && second->value.type == DateType::daterange)
          for (auto& reading : second->value.readings) reading.start = reading.end;
        DateSense from_value = first->value;
        // "March to May 2018"
        if (from_value.type == DateType::daterange && second->value.type == DateType::daterange &&
            !from_value.has_year && second->value.has_year) {
        }
        // A quarter or month ends where it begins: "from Q1 to Q3" runs up to the third.
        if (auto value = between(from_value, second->value)) {
          // "Monday to Friday next week" and the like keep the week of the first.
          take(*value, second->next);
        }
      }
    }
    // The longest first end may have eaten the join; try the plain day.
    if (best) break;
    auto shorter = calendar_date(at);
    if (!shorter || shorter->next == first->next) break;
    first = std::move(shorter);
  }
  if (auto hours = clock_range(i);
      hours && (!hours->value.open_hour || (from && (between_word || t.is(i, "from")))))
    take(hours->value, hours->next);
  // "from 9 for 2.5 hours", "for 3 hours from 10 am"
  {
    const bool lead = t.is(i, "for");
    const auto length = lead ? duration(i + 1) : Match();
    std::size_t clock_at = lead && length && t.is(length->next, "from") ? length->next + 1
                           : t.is(i, "from")                            ? i + 1
                                                                        : 0;
    if (clock_at > 0) {
      auto time = clock(clock_at);
      std::size_t next = time ? time->next : 0;
      if (!time && !lead && t.number(clock_at) && t.at(clock_at).value >= 1 && t.at(clock_at).value <= 12 &&
          t.is(clock_at + 1, "for")) {
        const Seconds hour = t.at(clock_at).value * kHourSeconds;
        DateSense bare;
        bare.readings = {{hour, hour}};
        time = DateMatch{bare, clock_at + 1};
        next = clock_at + 1;
      }
      const auto after = !lead && time && t.is(next, "for") ? duration(next + 1) : Match();
      const auto& spoken = lead ? length : after;
      if (time && spoken && spoken->value.grain <= Grain::hour) {
        DateSense value = time->value;
        value.type = DateType::timerange;
        for (auto& reading : value.readings) reading.end = reading.start + spoken->value.seconds;
        take(value, lead ? next : spoken->next);
      }
    }
  }
  // "for 3 days from today"
  if (t.is(i, "for")) {
    if (const auto length = duration(i + 1); length) {
      std::size_t p = skip(length->next, " , ");
      if (t.any(p, " from starting beginning ")) {
        p = skip(p + 1, " from on ");
        if (const auto start = calendar_date(p); start && !start->value.readings.empty()) {
          DateSense value = start->value;
          value.type = DateType::daterange;
          for (auto& reading : value.readings) {
            const Date moved = add_months(day_of(reading.start), length->value.months);
            reading.end = seconds_of(moved) + length->value.seconds;
          }
          take(value, start->next);
        }
      }
    }
  }
  return best;
}

// "before Friday", "by the end of March", "since 2015", "after 3pm", "1/1/2016 and later", "more than 2
// hours".
DateGrammar::Match DateGrammar::bounded(std::size_t i) const {
  enum { none, before, until, after, since, about } bound = none;
  std::size_t at = i + 1;
  if (t.is(i, "before") || (t.is(i, "prior") && t.is(i + 1, "to"))) {
    bound = before;
    if (t.is(i, "prior")) ++at;
  } else if (t.any(i, " by until till til ")) {
    bound = until;
  } else if (t.is(i, "after")) {
    bound = after;
  } else if (t.any(i, " since ")) {
    bound = since;
  } else if (t.any(i, " starting beginning ") && t.any(i + 1, " from on in at ")) {
    bound = since;
    at = i + 2;
  } else if (t.any(i, " no not ") && t.any(i + 1, " later earlier ") && t.is(i + 2, "than")) {
    bound = t.is(i + 1, "later") ? until : since;
    at = i + 3;
  } else if (t.any(i, " later earlier sooner ") && t.is(i + 1, "than")) {
    bound = t.is(i, "later") ? after : before;
    at = i + 2;
  } else if (t.any(i, " greater bigger ") && t.is(i + 1, "than")) {
    bound = after;
    at = i + 2;
  } else if (t.is(i, "as") && t.any(i + 1, " early late ") && t.is(i + 2, "as")) {
    bound = t.is(i + 1, "early") ? since : until;
    at = i + 3;
  } else if (t.is(i, "on") && t.is(i + 1, "or") && t.any(i + 2, " before after ")) {
    bound = t.is(i + 2, "before") ? until : since;
    at = i + 3;
  } else if (t.any(i, " around circa approximately ") ||
             (t.is(i, "about") && t.number(i + 1) && !(i > 0 && t.any(i - 1, " how what ")))) {
    bound = about;
  }
  if (bound == none) {
    auto match = simple(i);
    if (!match || match->value.readings.empty()) return std::nullopt;
    std::size_t p = skip(match->next, " , ");
    if (t.any(p, " and or ") && t.any(p + 1, " later after onward onwards afterwards earlier before ") &&
        !t.any(p + 2, " the this that ") && !clock(p + 2)) {
      const bool up = t.any(p + 1, " later after onward onwards afterwards ");
      DateSense value = match->value;
      for (auto& reading : value.readings) {
        if (up)
          reading.has_end = false;
        else
          reading = {0, reading.start, false, true};
      }
      value.type = value.type == DateType::time || value.type == DateType::timerange ? DateType::timerange
                   : value.type == DateType::datetime || value.type == DateType::datetimerange
                       ? DateType::datetimerange
                       : DateType::daterange;
      value.inclusive_end = !up;
      return DateMatch{value, p + 2};
    }
    if (t.any(p, " onward onwards ")) {
      DateSense value = match->value;
      for (auto& reading : value.readings) reading.has_end = false;
      value.type = value.type == DateType::datetime ? DateType::datetimerange
                   : value.type == DateType::time   ? DateType::timerange
                                                    : DateType::daterange;
      return DateMatch{value, p + 1};
    }
    // "Feb 1st no later than 6:00", "Tuesday by 2pm", "1/1/2015 after 2:00".
    if (match->value.type == DateType::date && t.any(p, " no not after before by since until ")) {
      if (const auto limit = bounded(p);
          limit && limit->value.type == DateType::timerange && !limit->value.readings.empty())
        return DateMatch{time_on(match->value, limit->value), limit->next};
    }
    return std::nullopt;
  }
  std::size_t target = skip(at, " the ");
  if (t.is(target, "start") || t.is(target, "end") || t.is(target, "beginning") || target > at) target = at;
  target = bound == about ? target : skip(target, " around about ");
  Match found = range(target);
  if (found && !(found->value.type == DateType::daterange && bound != about)) found.reset();
  if (auto other = simple(target); other && (!found || other->next > found->next)) found = std::move(other);
  if (!found && bound != about && bound != since) {
    // "by 2 in the afternoon" is a clock; "by 5" is one here.
    const auto number = read_number(t, target);
    if (number && t.is(i, "by") && number->value >= 1 && number->value <= 12 && t.number(target) &&
        t.digits(target) <= 2 &&
        (t.at(number->next).kind != DateToken::Kind::word || t.any(number->next, " on today tomorrow ")) &&
        !t.any(number->next, " % / . : - ")) {
      const Seconds h = static_cast<int>(number->value) % 12 * kHourSeconds;
      DateSense value;
      value.type = DateType::time;
      value.open_hour = true;
      const bool evening = h < 7 * kHourSeconds;
      value.readings = {{evening ? h + 12 * kHourSeconds : h, 0}, {evening ? h : h + 12 * kHourSeconds, 0}};
      found = DateMatch{value, number->next};
    }
  }
  if (!found) return std::nullopt;
  DateSense value = found->value;
  if (value.type == DateType::duration || value.type == DateType::set) return std::nullopt;
  if (bound == about) {
    if (value.type != DateType::time && value.type != DateType::datetime && value.type != DateType::date)
      return std::nullopt;
    return DateMatch{value, found->next};
  }
  const bool span = value.type == DateType::daterange || value.type == DateType::timerange ||
                    value.type == DateType::datetimerange;
  const bool names_end = span && t.any(skip(target, " the "), " end ending close ");
  const bool names_start = span && t.any(skip(target, " the "), " start beginning ");
  if (names_end)
    for (auto& reading : value.readings) reading.start = reading.end;
  if (names_start)
    for (auto& reading : value.readings) reading.end = reading.start;
  for (auto& reading : value.readings) {
    switch (bound) {
      case before:
        reading = {0, reading.start, false, true};
        break;
      case until:
        reading = {0,
                   span ? (t.is(i, "by") && value.grain >= Grain::month ? reading.start : reading.start)
                        : reading.start,
                   false, true};
        break;
      case after:
        reading = {span ? reading.end : reading.start, 0, true, false};
        break;
      default:
        reading = {reading.start, 0, true, false};
        break;
    }
  }
  value.inclusive_end = bound == until && !names_end;
  switch (value.type) {
    case DateType::time:
    case DateType::timerange:
      value.type = DateType::timerange;
      break;
    case DateType::datetime:
    case DateType::datetimerange:
      value.type = DateType::datetimerange;
      break;
    default:
      value.type = DateType::daterange;
      break;
  }
  return DateMatch{value, found->next};
}

DateGrammar::Match DateGrammar::mention(std::size_t i) const {
  Match best;
  const auto take = [&](Match match) {
    if (match && (!best || match->next > best->next)) best = std::move(match);
  };
  take(set(i));
  take(range(i));
  take(bounded(i));
  take(simple(i));
  if (t.any(i, " less more ") && t.is(i + 1, "than")) {
    if (auto length = duration(i + 2)) {
      take(length);
      // "less than 3 days after tomorrow"
      if (auto moment = relative_duration(i + 2);
          moment && !moment->value.readings.empty() && moment->next > length->next) {
        DateSense value = moment->value;
        const Seconds end = value.readings.front().start;
        value.type = value.type == DateType::datetime ? DateType::datetimerange : DateType::daterange;
        Seconds base = value.type == DateType::daterange ? seconds_of(today_) : now_;
        if (const auto day = calendar_date(moment->next - 1); day && !day->value.readings.empty())
          base = day->value.readings.front().start;
        value.readings = {t.is(i, "less") ? Reading{std::min(base, end), std::max(base, end)}
                                          : Reading{end, 0, true, false}};
        take(DateMatch{value, moment->next});
      }
    }
  }
  if (auto length = duration(i)) take(std::move(length));
  // The article is no part of "next week" and "end of March"; the mention begins after it.
  if (best && t.is(i, "the")) {
    for (const auto& bare : {t.is(i + 1, "weekend") ? Match() : relative_unit(i + 1), edge_of(i + 1),
                             t.is(i + 1, "week") ? quarter(i + 1) : Match()})
      if (bare && bare->next == best->next) return std::nullopt;
  }
  return best;
}

}  // namespace castiel::content::text::impl
