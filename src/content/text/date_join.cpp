#include <algorithm>

#include "content/text/impl/date_grammar.hpp"

namespace castiel::content::text::impl {

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
