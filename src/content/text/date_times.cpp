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

}  // namespace castiel::content::text::impl
