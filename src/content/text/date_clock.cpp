#include "content/text/impl/date_grammar.hpp"

namespace castiel::content::text::impl {
namespace {

// "am", "p.m.", "p m", "a" and "p" directly after digits. Returns 0 for none, 1 for am, 2 for pm.
int meridiem(const DateTokens& t, std::size_t i, std::size_t& next) {
  if (t.any(i, " am pm ")) {
    // "I am" is no time.
    if (t.is(i, "am") && !t.tight(i) && i > 1 && t.at(i - 1).kind == DateToken::Kind::word &&
        t.is(i - 1, "i"))
      return 0;
    next = i + 1;
    return t.is(i, "am") ? 1 : 2;
  }
  if (t.any(i, " a p ")) {
    const bool dotted = t.is(i + 1, ".");
    const std::size_t m = dotted ? i + 2 : i + 1;
    if (t.is(m, "m") && (dotted || !t.tight(m))) {
      next = m + 1;
      if (dotted && t.is(next, ".") && (t.tight(next) || !t.tight(m))) ++next;
      return t.is(i, "a") ? 1 : 2;
    }
    if (t.tight(i) && !(t.tight(i + 1) && t.at(i + 1).kind == DateToken::Kind::word)) {
      next = i + 1;
      return t.is(i, "a") ? 1 : 2;
    }
  }
  return 0;
}

DateSense time_value(Seconds of_day, bool open) {
  DateSense value;
  value.type = DateType::time;
  value.grain = Grain::minute;
  value.open_hour = open;
  if (!open) {
    value.readings = {{of_day, of_day}};
    return value;
  }
  // Without am or pm working hours come first.
  const Seconds morning = of_day % (12 * kHourSeconds), evening = morning + 12 * kHourSeconds;
  const bool evening_first = morning < 7 * kHourSeconds;
  value.readings = {{evening_first ? evening : morning, 0}, {evening_first ? morning : evening, 0}};
  for (auto& reading : value.readings) reading.end = reading.start;
  return value;
}

}  // namespace

// "3pm", "15:30", "8.30 pm", "half past two", "noon", "3 o'clock", "eight thirty", "3 in the afternoon".
DateGrammar::Match DateGrammar::clock(std::size_t i) const {
  if (t.number(i) && t.at(i).value == 12 && t.any(i + 1, " noon midday "))
    return DateMatch{time_value(12 * kHourSeconds, false), i + 2};
  if (t.any(i, " noon midday noontime noonish "))
    return DateMatch{time_value(12 * kHourSeconds, false), i + 1};
  if (t.any(i, " midnight ")) return DateMatch{time_value(0, false), i + 1};
  if (t.is(i, "mid") && t.is(skip(i + 1, " - "), "day"))
    return DateMatch{time_value(12 * kHourSeconds, false), skip(i + 1, " - ") + 1};
  if (t.is(i, "lunch") && false) return std::nullopt;
  std::size_t next = i;
  int hour = -1, minute = 0, second = 0;
  bool sure = false;        // surely a time
  bool written_24 = false;  // "03:30", "15:30"
  if (t.any(i, " half quarter ") || (t.is(i, "a") && t.is(i + 1, "quarter"))) {
    const std::size_t word = t.is(i, "a") ? i + 1 : i;
    if (!t.any(word + 1, " past to after before till ")) return std::nullopt;
    const auto number = read_number(t, word + 2);
    if (!number || number->value < 1 || number->value > 12) return std::nullopt;
    const bool before = t.any(word + 1, " to before till ");
    minute = t.is(word, "half") ? 30 : 15;
    hour = static_cast<int>(number->value);
    if (before) {
      hour = hour == 1 ? 12 : hour - 1;
      minute = 60 - minute;
    }
    next = number->next;
    sure = true;
  } else if (const auto minutes = read_number(t, i);
             minutes && minutes->value < 60 && minutes->value == static_cast<int>(minutes->value) &&
             t.any(skip(skip(minutes->next, " - "), " minutes minute mins min "), " past to after til ") &&
             (t.any(skip(minutes->next, " - "), " past ") ||
              t.any(minutes->next, " minutes minute min mins ") || !t.number(i)) &&
             [&] {
               const std::size_t at = skip(skip(minutes->next, " - "), " minutes minute mins min ");
               const auto number = read_number(t, at + 1);
               return number && number->value >= 1 && number->value <= 12 &&
                      number->value == static_cast<int>(number->value) &&
                      (t.is(at, "past") || t.any(minutes->next, " minutes minute min mins "));
             }()) {
    const std::size_t at = skip(skip(minutes->next, " - "), " minutes minute mins min ");
    const auto number = read_number(t, at + 1);
    hour = static_cast<int>(number->value);
    minute = static_cast<int>(minutes->value);
    if (t.any(at, " to til ")) {
      hour = hour == 1 ? 12 : hour - 1;
      minute = (60 - minute) % 60;
    }
    next = number->next;
    sure = true;
  } else if (t.number(i)) {
    if (i > 0 && t.tight(i) &&
        (t.any(i - 1, " $ . , / # + : _ = ") && !(t.any(i - 1, " : . , ") && (i < 2 || !t.number(i - 2)))))
      return std::nullopt;
    if (i > 0 && t.tight(i) && t.at(i - 1).kind == DateToken::Kind::word && t.at(i - 1).word != "t")
      return std::nullopt;
    if (t.digits(i) > 4 || t.digits(i) == 3 || t.at(i).value < 0) return std::nullopt;
    if (t.digits(i) == 4) {
      // "0930", "1430 hours"
      const auto value = t.at(i).value;
      const bool military = (t.any(i + 1, " hours hrs h ") || t.at(i).start + 4 == t.at(i).end) &&
                            value / 100 < 24 && value % 100 < 60;
      std::size_t unused_next = 0;
      const bool led = meridiem(t, i + 1, unused_next) != 0 || t.any(i + 1, " hours hrs ") ||
                       (value < 1000 && i > 0 && t.any(i - 1, " at from by until till to between and - ")) ||
                       (i > 0 && t.is(i - 1, "at"));
      if (!military || !led) return std::nullopt;
      hour = static_cast<int>(value / 100);
      minute = static_cast<int>(value % 100);
      next = t.any(i + 1, " hours hrs ") ? i + 2 : i + 1;
      sure = written_24 = true;
      if (value < 1300 && value >= 100 && !t.any(i + 1, " hours hrs ")) written_24 = false;
    } else {
      hour = static_cast<int>(t.at(i).value);
      next = i + 1;
      if (t.is(next, ":") && t.tight(next) && t.number(next + 1) && t.tight(next + 1) &&
          t.digits(next + 1) == 2) {
        minute = static_cast<int>(t.at(next + 1).value);
        next += 2;
        sure = true;
        written_24 = hour > 12 || hour == 0 || t.digits(i) == 2;
        if (t.is(next, ":") && t.tight(next) && t.number(next + 1) && t.tight(next + 1) &&
            t.digits(next + 1) == 2) {
          second = static_cast<int>(t.at(next + 1).value);
          next += 2;
          if (t.is(next, ".") && t.tight(next) && t.number(next + 1) && t.tight(next + 1)) next += 2;
        }
        if (t.is(next, ":") && t.tight(next)) return std::nullopt;
        // A ratio such as 1:10,000 or 2:1.
        if (t.tight(next) && t.any(next, " , . / ") && t.number(next + 1) && t.tight(next + 1))
          return std::nullopt;
      } else if (t.is(next, ".") && t.tight(next) && t.number(next + 1) && t.tight(next + 1) &&
                 t.digits(next + 1) == 2 && t.at(next + 1).value < 60) {
        std::size_t after = 0;
        const bool led = i > 0 && t.any(i - 1, " at ");
        if (meridiem(t, next + 2, after) == 0 && !(led && hour < 24)) return std::nullopt;
        minute = static_cast<int>(t.at(next + 1).value);
        next += 2;
        sure = true;
      } else if (t.is(next, "h") && t.tight(next) && hour < 24) {
        next += 1;
        sure = written_24 = true;
        if (t.number(next) && t.tight(next) && t.digits(next) == 2) {
          minute = static_cast<int>(t.at(next).value);
          ++next;
        } else if (!(i > 0 && t.any(i - 1, " at from to until till by around "))) {
          return std::nullopt;
        }
      } else if (t.is(next, "ish") || (t.is(next, "-") && t.is(next + 1, "ish"))) {
        next += t.is(next, "ish") ? 1 : 2;
        sure = written_24 = true;
      }
    }
  } else {
    const auto number = read_number(t, i);
    if (!number || number->value < 1 || number->value > 24 || t.number(i)) return std::nullopt;
    hour = static_cast<int>(number->value);
    next = number->next;
    // "eight thirty", "seven oh five"; "twenty five" is one number already.
    std::size_t minute_at = next;
    if (t.is(minute_at, "-") && t.tight(minute_at)) ++minute_at;
    if (hour <= 12) {
      const auto more = read_number(t, minute_at);
      if (more && !t.number(minute_at) && more->value >= 10 && more->value < 60) {
        minute = static_cast<int>(more->value);
        next = more->next;
        sure = true;
      }
    }
  }
  if (hour < 0 || hour > 24 || minute > 59 || second > 59) return std::nullopt;
  if (t.is(next, "o") && t.is(next + 1, "'") && t.is(next + 2, "clock")) {
    next += 3;
    sure = true;
  } else if (t.is(next, "oclock")) {
    ++next;
    sure = true;
  }
  std::size_t after = next;
  int half = meridiem(t, next, after);
  if (half != 0) {
    if (hour > 12 || hour == 0) {
      if (hour > 12 && half == 2 && written_24)
        half = 0;
      else if (hour > 12)
        return std::nullopt;
    }
    next = after;
    sure = true;
  }
  // "3 in the afternoon", "8 at night", "9 this morning" is a day with a time.
  if (half == 0 && hour <= 12) {
    std::size_t part = next;
    if (t.is(part, "in") && t.is(part + 1, "the"))
      part += 2;
    else if (t.is(part, "at") && t.is(part + 1, "night"))
      part += 1;
    else
      part = 0;
    if (part > 0 && t.any(part, " morning afternoon evening night ")) {
      half = t.is(part, "morning") ? 1 : 2;
      if (t.is(part, "night") && hour < 5) half = 1;
      next = part + 1;
      sure = true;
    }
  }
  if (!sure) {
    // A bare number is an hour only after a word that leads to one.
    return std::nullopt;
  }
  Seconds of_day = 0;
  bool open = false;
  if (half != 0) {
    const int h = hour % 12 + (half == 2 ? 12 : 0);
    of_day = h * kHourSeconds;
  } else {
    of_day = (hour % 24) * kHourSeconds;
    open = !written_24 && hour >= 1 && hour <= 12;
    if (t.number(i) && t.digits(i) == 2 && t.at(i).value < 10) open = false;
    if (t.number(i) && t.digits(i) == 2 && hour >= 10 && hour <= 12 && t.is(i + 1, ":")) open = true;
  }
  of_day += minute * kMinuteSeconds + second;
  DateSense value = time_value(of_day, open);
  if (second > 0) value.grain = Grain::second;
  return DateMatch{value, next};
}

// "morning", "in the evening", "early afternoon", "lunchtime".
DateGrammar::Match DateGrammar::day_part(std::size_t i) const {
  std::size_t at = i;
  if (t.any(at, " in during ") && t.is(at + 1, "the"))
    at += 2;
  else if (t.is(at, "in") || t.is(at, "at"))
    at += t.is(at + 1, "night") ? 1 : 0;
  int shade = 0;
  if (t.any(at, " early late later mid ")) {
    shade = t.is(at, "early") ? 1 : t.any(at, " late later ") ? 2 : 3;
    ++at;
    if (t.is(at, "-")) ++at;
    if (t.is(at, "in") && t.is(at + 1, "the")) at += 2;
  }
  Seconds from = 0, to = 0;
  if (t.is(at, "morning") || (t.is(at, "mornings") && false)) {
    from = 8, to = 12;
  } else if (t.is(at, "afternoon") || (t.is(at, "after") && t.is(at + 1, "noon") && t.tight(at + 1))) {
    from = 12, to = 16;
  } else if (t.is(at, "evening")) {
    from = 16, to = 20;
  } else if (t.any(at, " night nighttime ")) {
    from = 20, to = 24;
  } else if (t.any(at, " daytime ")) {
    from = 8, to = 18;
  } else if (t.any(at, " lunchtime ")) {
    from = 11, to = 13;
  } else if (t.is(at, "business") && t.any(at + 1, " hour hours ")) {
    from = 8, to = 18;
    ++at;
  } else {
    return std::nullopt;
  }
  if (at == i && i > 0 && t.is(i - 1, "good")) return std::nullopt;
  if (shade == 1) to = from + 2;
  if (shade == 2) from = to - 2;
  DateSense value;
  value.type = DateType::timerange;
  value.part_of_day = true;
  value.grain = Grain::hour;
  const Seconds end = to == 24 ? kDaySeconds - 1 : to * kHourSeconds;
  value.readings = {{from * kHourSeconds, end}};
  return DateMatch{value, at + 1};
}

// "from 3 to 5pm", "3-4pm", "between 9 and 11:30", "8am until 6".
DateGrammar::Match DateGrammar::clock_range(std::size_t i) const {
  std::size_t at = i;
  const bool from = t.is(at, "from");
  const bool between = t.is(at, "between");
  if (from || between) ++at;
  at = skip(at, " around ");
  const auto hour_at = [&](std::size_t p) -> Match {
    if (auto match = clock(p)) return match;
    const auto number = read_number(t, p);
    if (!number || number->value < 0 || number->value > 24 ||
        number->value != static_cast<int>(number->value))
      return std::nullopt;
    if (t.number(p) && t.digits(p) > 2) return std::nullopt;
    if (t.number(p) && t.tight(p) && p > 0 && t.any(p - 1, " $ # . / : ")) return std::nullopt;
    if (t.any(number->next, " % / . ") && t.tight(number->next)) return std::nullopt;
    const int hour = static_cast<int>(number->value);
    DateSense value = time_value((hour % 24) * kHourSeconds, hour >= 1 && hour <= 12);
    return DateMatch{value, number->next};
  };
  const auto first = hour_at(at);
  if (!first) return std::nullopt;
  std::size_t join = first->next;
  const bool dash = t.dash(join);
  if (dash)
    ++join;
  else if (t.any(join, " to till until til through thru ") || (between && t.is(join, "and")))
    ++join;
  else
    return std::nullopt;
  join = skip(join, " around about ");
  const auto second = hour_at(join);
  if (!second) return std::nullopt;
  // Two bare numbers are hours only where a word says so; the caller adds the day that says it.
  const bool first_sure = clock(at).has_value(), second_sure = clock(join).has_value();
  DateSense value;
  value.type = DateType::timerange;
  value.grain = Grain::minute;
  value.open_hour = !first_sure && !second_sure;
  if (t.any(second->next,
            " people users days weeks months years hours minutes percent % dollars times items "))
    return std::nullopt;
  if (t.any(second->next, " / - ") && t.tight(second->next)) return std::nullopt;
  for (const auto& a : first->value.readings) {
    for (const auto& b : second->value.readings) {
      Seconds end = b.start;
      if (end <= a.start) {
        if (first->value.open_hour || second->value.open_hour) continue;
        end = b.start;  // past midnight
      }
      if (first->value.open_hour && second->value.open_hour && end - a.start >= 12 * kHourSeconds) continue;
      if (first->value.open_hour && !second->value.open_hour && end - a.start > 12 * kHourSeconds) continue;
      if (!first->value.open_hour && second->value.open_hour && end - a.start > 12 * kHourSeconds) continue;
      value.readings.push_back({a.start, end});
    }
  }
  if (value.readings.empty()) {
    for (const auto& a : first->value.readings)
      for (const auto& b : second->value.readings)
        if (value.readings.empty()) value.readings.push_back({a.start, b.start});
  }
  // "3-4pm": only the nearest of the open ones.
  if (first->value.open_hour != second->value.open_hour && value.readings.size() > 1) {
    auto best = value.readings.front();
    for (const auto& reading : value.readings)
      if (reading.end - reading.start < best.end - best.start) best = reading;
    value.readings = {best};
  }
  if (first->value.open_hour && second->value.open_hour && value.readings.size() > 2) {
    // Both in the same half of the day.
    std::erase_if(value.readings,
                  [](const Reading& r) { return r.start < 12 * kHourSeconds && r.end >= 13 * kHourSeconds; });
  }
  return DateMatch{value, second->next};
}

}  // namespace castiel::content::text::impl
