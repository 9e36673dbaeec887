#include "content/text/impl/date_grammar.hpp"

namespace castiel::content::text::impl {

// "Q1 2018", "first quarter of 2018", "H2", "week 31", "last quarter" is elsewhere.
DateGrammar::Match DateGrammar::quarter(std::size_t i) const {
  std::size_t at = i;
  int part = 0, months = 3;
  const auto with_year = [&](std::size_t next, auto made) -> Match {
    std::size_t year_at = skip(next, " of in , - / ");
    year_at = skip(year_at, " the ");
    if (const auto year = read_year(t, year_at)) {
      DateSense value = made(static_cast<int>(year->value));
      return DateMatch{value, year->next};
    }
    if (t.is(year_at, "year") && year_at > 0 && t.is(year_at - 1, "the"))
      return DateMatch{made(split(today_).year), year_at + 1};
    if (t.any(year_at, " this next last current ") && t.is(year_at + 1, "year")) {
      const int shift = t.is(year_at, "next") ? 1 : t.is(year_at, "last") ? -1 : 0;
      return DateMatch{made(split(today_).year + shift), year_at + 2};
    }
    return std::nullopt;
  };
  // "2017-Q1", "2018Q4"
  if (const auto year = read_year(t, at); year && t.number(at)) {
    std::size_t q = skip(year->next, " - / ");
    if (t.any(q, " q h ") && t.number(q + 1) && t.tight(q + 1) && t.at(q + 1).value >= 1 &&
        t.at(q + 1).value <= (t.is(q, "q") ? 4 : 2)) {
      const int length = t.is(q, "q") ? 3 : 6;
      const Date start =
          first_of_month(static_cast<int>(year->value), static_cast<int>(t.at(q + 1).value - 1) * length + 1);
      return DateMatch{days(start, add_months(start, length), Grain::quarter), q + 2};
    }
  }
  // "next year's first quarter"
  {
    std::size_t p = at;
    if (t.any(p, " next last this ") && t.is(p + 1, "year") && t.is(p + 2, "'") && t.is(p + 3, "s")) {
      if (const auto nth = read_ordinal(t, p + 4); nth && t.is(nth->next, "quarter") && nth->value <= 4) {
        const int shift = t.is(p, "next") ? 1 : t.is(p, "last") ? -1 : 0;
        const Date start =
            first_of_month(split(today_).year + shift, static_cast<int>(nth->value - 1) * 3 + 1);
        return DateMatch{days(start, add_months(start, 3), Grain::quarter), nth->next + 1};
      }
    }
  }
  std::size_t next = 0;
  const std::size_t the = skip(at, " the ");
  if (t.any(at, " q h ") && t.number(at + 1) && t.tight(at + 1) && t.digits(at + 1) == 1 &&
      !(t.tight(at + 2) && t.at(at + 2).kind == DateToken::Kind::word)) {
    months = t.is(at, "q") ? 3 : 6;
    part = static_cast<int>(t.at(at + 1).value);
    if (part < 1 || part > 12 / months) return std::nullopt;
    next = at + 2;
  } else if (const auto nth = read_ordinal(t, the);
             nth && t.any(nth->next, " quarter half ") && nth->value <= 4) {
    months = t.is(nth->next, "quarter") ? 3 : 6;
    part = static_cast<int>(nth->value);
    next = nth->next + 1;
    if (months == 6 && part > 2) return std::nullopt;
    if (months == 6 && !t.any(next, " of ")) return std::nullopt;
  } else if (t.any(the, " week ") && t.number(the + 1) && t.at(the + 1).value >= 1 &&
             t.at(the + 1).value <= 53) {
    const int week = static_cast<int>(t.at(the + 1).value);
    const auto made = [&](int year) {
      return days(iso_week(year, week), iso_week(year, week) + 7, Grain::week);
    };
    if (auto match = with_year(the + 2, made)) return match;
    return DateMatch{made(split(today_).year), the + 2};
  } else {
    return std::nullopt;
  }
  const auto made = [&](int year) {
    const Date start = first_of_month(year, (part - 1) * months + 1);
    return days(start, add_months(start, months), Grain::quarter);
  };
  if (auto match = with_year(next, made)) return match;
  const int year = split(today_).year;
  DateSense value = made(year);
  value.has_year = false;
  if (value.readings.front().end <= seconds_of(today_)) {
    const auto past = value.readings.front();
    value = made(year + 1);
    value.readings.push_back(past);
  } else {
    value.readings.push_back(made(year - 1).readings.front());
  }
  value.has_year = false;
  return DateMatch{value, next};
}

// "first Monday of March", "the third week of January", "last Friday of the month", "the week of March 3".
DateGrammar::Match DateGrammar::nth_of(std::size_t i) const {
  std::size_t at = skip(i, " the ");
  if (t.is(at, "week") && t.any(at + 1, " of commencing starting beginning ")) {
    std::size_t target = at + 2;
    target = skip(target, " the on ");
    auto date = calendar_date(target);
    if (!date || date->value.readings.empty()) return std::nullopt;
    DateSense value = date->value;
    value.type = DateType::daterange;
    value.grain = Grain::week;
    for (auto& reading : value.readings) {
      const Date monday = monday_of(day_of(reading.start));
      reading = {seconds_of(monday), seconds_of(monday + 7)};
    }
    return DateMatch{value, date->next};
  }
  int nth = 0;
  std::size_t next = 0;
  if (t.is(at, "last")) {
    nth = -1;
    next = at + 1;
  } else if (const auto ordinal = read_ordinal(t, at)) {
    nth = static_cast<int>(ordinal->value);
    next = ordinal->next;
  } else {
    return std::nullopt;
  }
  const bool week = t.is(next, "week");
  const int weekday = weekday_number(t.word(next));
  const bool plain_day = t.is(next, "day");
  const bool plain_month = t.is(next, "month");
  if (!week && weekday < 0 && !plain_day && !plain_month) return std::nullopt;
  const std::size_t of = next + 1;
  if (!t.any(of, " of in ")) return std::nullopt;
  std::size_t target = of + 1;
  std::vector<std::pair<Date, Date>> frames;  // first day, day after the last
  const auto [year, month, unused] = split(today_);
  bool has_year = true;
  std::size_t end = 0;
  if (const auto span = month_date(target); span && span->value.type == DateType::daterange) {
    for (const auto& reading : span->value.readings)
      frames.emplace_back(day_of(reading.start), day_of(reading.end));
    has_year = span->value.has_year;
    end = span->next;
  } else if (const auto unit = relative_unit(target);
             unit && unit->value.type == DateType::daterange && !unit->value.readings.empty()) {
    frames.emplace_back(day_of(unit->value.readings[0].start), day_of(unit->value.readings[0].end));
    end = unit->next;
  } else if (const auto alone = year_alone(target)) {
    frames.emplace_back(day_of(alone->value.readings[0].start), day_of(alone->value.readings[0].end));
    end = alone->next;
  } else if (t.is(target, "the") && t.any(target + 1, " month year ")) {
    const Date start = t.is(target + 1, "month") ? first_of_month(year, month) : first_of_month(year, 1);
    frames.emplace_back(start, add_months(start, t.is(target + 1, "month") ? 1 : 12));
    end = target + 2;
  } else {
    return std::nullopt;
  }
  DateSense value;
  value.has_year = has_year;
  value.type = week || plain_month ? DateType::daterange : DateType::date;
  value.grain = week ? Grain::week : Grain::day;
  for (const auto& [first, after] : frames) {
    if (plain_month) {
      if (after - first < 300) return std::nullopt;
      const Date start = nth > 0 ? add_months(first, nth - 1) : add_months(after, -1);
      if (start >= after) return std::nullopt;
      value.readings.push_back({seconds_of(start), seconds_of(add_months(start, 1))});
    } else if (week) {
      const bool whole_year = after - first > 300;
      Date start = whole_year ? iso_week(split(first).year, 1) : monday_of(first + 3);
      start = nth > 0 ? start + 7 * (nth - 1) : monday_of(after - 4);
      value.readings.push_back({seconds_of(start), seconds_of(start + 7)});
    } else if (plain_day) {
      const Date date = nth > 0 ? first + (nth - 1) : after - 1;
      value.readings.push_back({seconds_of(date), seconds_of(date)});
    } else {
      const Date date = nth > 0 ? first + (weekday - weekday_of(first) + 7) % 7 + 7 * (nth - 1)
                                : after - 1 - (weekday_of(after - 1) - weekday + 7) % 7;
      if (date >= after) continue;
      value.readings.push_back({seconds_of(date), seconds_of(date)});
    }
  }
  return DateMatch{value, end};
}

// "end of month", "early next week", "EOD", "later this month", "rest of the year".
DateGrammar::Match DateGrammar::edge_of(std::size_t i) const {
  const auto [year, month, unused] = split(today_);
  // Business shorthand.
  if (t.any(i, " eod cob eob ")) {
    std::size_t target = skip(i + 1, " on ");
    auto date = calendar_date(target);
    if (!date && t.is(target, "of")) date = calendar_date(target + 1);
    constexpr Seconds kEndOfWork = 17 * kHourSeconds;
    DateSense value;
    value.type = DateType::datetime;
    const bool work = !t.is(i, "eod");
    const Seconds at = work ? kEndOfWork : kDaySeconds - 1;
    const std::vector<Reading> bases =
        date ? date->value.readings : std::vector<Reading>{{seconds_of(today_), seconds_of(today_)}};
    for (const auto& base : bases) value.readings.push_back({base.start + at, base.start + at});
    return DateMatch{value, date ? date->next : i + 1};
  }
  if (t.any(i, " eow eom eoq eoy ")) {
    const Date monday = monday_of(today_);
    const Date quarter_end = add_months(first_of_month(year, (month - 1) / 3 * 3 + 1), 3);
    const Date end = t.is(i, "eow")   ? (today_ <= monday + 4 ? monday + 5 : monday + 12)
                     : t.is(i, "eom") ? add_months(first_of_month(year, month), 1)
                     : t.is(i, "eoq") ? quarter_end
                                      : first_of_month(year + 1, 1);
    return DateMatch{day(end - 1), i + 1};
  }
  std::size_t at = skip(i, " the ");
  enum { start, mid, end, rest, later, earlier } edge;
  std::size_t next = at + 1;
  if (t.any(at, " end ending close ") && t.is(at + 1, "of")) {
    edge = end;
    next = at + 2;
  } else if (t.any(at, " beginning start ") && t.is(at + 1, "of")) {
    edge = start;
    next = at + 2;
  } else if (t.is(at, "middle") && t.is(at + 1, "of")) {
    edge = mid;
    next = at + 2;
  } else if (t.any(at, " rest remainder remaining ") && t.is(at + 1, "of")) {
    edge = rest;
    next = at + 2;
  } else if (t.any(at, " early ")) {
    edge = start;
    next = skip(at + 1, " in ");
  } else if (t.is(at, "mid")) {
    edge = mid;
    next = skip(at + 1, " - ");
  } else if (t.any(at, " late ")) {
    edge = end;
    next = skip(at + 1, " in ");
  } else if (t.is(at, "later")) {
    edge = later;
    next = skip(at + 1, " in ");
  } else if (t.is(at, "earlier")) {
    edge = earlier;
    next = skip(at + 1, " in ");
  } else {
    return std::nullopt;
  }
  // "end of day", "end of tomorrow": the last moment of a day.
  if (edge == end && t.is(at + 1, "of")) {
    const std::size_t of = skip(next, " the ");
    if (t.any(of, " day business ") && !t.any(of + 1, " of ")) {
      const std::size_t after = t.is(of, "business") && t.is(of + 1, "day") ? of + 2 : of + 1;
      std::size_t target = skip(after, " on , ");
      const auto date = calendar_date(target);
      DateSense value;
      value.type = DateType::datetime;
      const std::vector<Reading> bases =
          date ? date->value.readings : std::vector<Reading>{{seconds_of(today_), seconds_of(today_)}};
      for (const auto& base : bases)
        value.readings.push_back({base.start + kDaySeconds - 1, base.start + kDaySeconds - 1});
      return DateMatch{value, date ? date->next : after};
    }
    if (const auto date = calendar_date(next)) {
      DateSense value = date->value;
      value.type = DateType::datetime;
      for (auto& reading : value.readings)
        reading = {reading.start + kDaySeconds - 1, reading.start + kDaySeconds - 1};
      return DateMatch{value, date->next};
    }
  }
  Match span = relative_unit(next);
  if (!span) span = quarter(next);
  if (!span) {
    if (auto m = month_date(next); m && m->value.type == DateType::daterange) span = m;
  }
  if (!span) span = year_alone(next);
  if (!span && t.any(skip(next, " the "), " month year week quarter ") && t.is(at + 1, "of")) {
    const std::size_t of = skip(next, " the ");
    DateSense value;
    if (t.is(of, "week")) value = days(monday_of(today_), monday_of(today_) + 7, Grain::week);
    if (t.is(of, "month"))
      value = days(first_of_month(year, month), add_months(first_of_month(year, month), 1), Grain::month);
    if (t.is(of, "year")) value = days(first_of_month(year, 1), first_of_month(year + 1, 1), Grain::year);
    if (t.is(of, "quarter")) {
      const Date s = first_of_month(year, (month - 1) / 3 * 3 + 1);
      value = days(s, add_months(s, 3), Grain::quarter);
    }
    span = DateMatch{value, of + 1};
  }
  if (!span || span->value.readings.empty() || span->value.type != DateType::daterange) return std::nullopt;
  DateSense value = span->value;
  const bool names_now = value.readings.front().start <= now_ && value.readings.front().end > now_;
  for (auto& reading : value.readings) {
    const Date first = day_of(reading.start), after = day_of(reading.end);
    Date half = first + (after - first + 1) / 2;
    if (value.grain == Grain::week) half = first + 4;
    if (value.grain == Grain::month) half = first + 15;
    if (value.grain == Grain::year && after - first > 300) half = *make_date(split(first).year, 7, 1);
    switch (edge) {
      case start:
        reading.end = seconds_of(half);
        break;
      case earlier:
        reading.end = names_now && value.grain != Grain::month ? seconds_of(today_) : seconds_of(half);
        break;
      case mid:
        reading =
            value.grain == Grain::month ? Reading{seconds_of(first + 9), seconds_of(first + 20)}
            : value.grain == Grain::year
                ? Reading{seconds_of(add_months(first, 4)), seconds_of(add_months(first, 8))}
                : Reading{seconds_of(first + (after - first) / 4), seconds_of(after - (after - first) / 4)};
        break;
      case end:
        reading.start = seconds_of(value.grain == Grain::week ? first + 3 : half);
        break;
      case later:
        reading.start = names_now ? seconds_of(today_ + 1) : seconds_of(half);
        break;
      case rest:
        if (names_now) reading.start = seconds_of(today_);
        if (value.grain == Grain::week) reading.end -= kDaySeconds;
        break;
    }
  }
  return DateMatch{value, span->next};
}

DateGrammar::Match DateGrammar::any_span(std::size_t i) const {
  Match best;
  const auto take = [&](Match match) {
    if (match && match->value.type != DateType::date && (!best || match->next > best->next))
      best = std::move(match);
  };
  take(edge_of(i));
  take(relative_unit(i));
  take(quarter(i));
  take(nth_of(i));
  take(numeric_date(i));
  take(month_date(i));
  take(year_alone(i));
  return best;
}

}  // namespace castiel::content::text::impl
