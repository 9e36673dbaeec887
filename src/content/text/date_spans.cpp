#include "content/text/impl/date_grammar.hpp"

namespace castiel::content::text::impl {
namespace {

struct Unit {
  std::string_view names;
  Seconds seconds;
  std::int64_t months;
  Grain grain;
};
constexpr Unit kUnits[] = {
    {" second seconds sec secs ", 1, 0, Grain::second},
    {" minute minutes min mins ", kMinuteSeconds, 0, Grain::minute},
    {" hour hours hr hrs h ", kHourSeconds, 0, Grain::hour},
    {" day days night nights ", kDaySeconds, 0, Grain::day},
    {" week weeks wk wks ", 7 * kDaySeconds, 0, Grain::week},
    {" fortnight fortnights ", 14 * kDaySeconds, 0, Grain::week},
    {" weekend weekends ", 2 * kDaySeconds, 0, Grain::week},
    {" month months mon mth mths mo mos ", 0, 1, Grain::month},
    {" quarter quarters qtr qtrs ", 0, 3, Grain::quarter},
    {" year years yr yrs ", 0, 12, Grain::year},
    {" decade decades ", 0, 120, Grain::year},
    {" century centuries ", 0, 1200, Grain::year},
};

const Unit* unit_of(const DateTokens& t, std::size_t i) {
  const auto word = t.word(i);
  if (word.empty()) return nullptr;
  for (const Unit& unit : kUnits)
    if (in_list(unit.names, word)) return &unit;
  // Letters alone only directly after their number: "2w", "30m".
  if (t.tight(i) && i > 0 && t.number(i - 1)) {
    if (word == "s") return &kUnits[0];
    if (word == "m") return &kUnits[1];
    if (word == "d") return &kUnits[3];
    if (word == "w") return &kUnits[4];
    if (word == "y") return &kUnits[9];
  }
  return nullptr;
}

constexpr Seconds kMonthSeconds = 30 * kDaySeconds;
constexpr Seconds kYearSeconds = 365 * kDaySeconds;

Seconds length_of(const DateSense& duration) {
  return duration.seconds + duration.months / 12 * kYearSeconds + duration.months % 12 * kMonthSeconds;
}

Seconds moved(Seconds from, const DateSense& duration, int sign) {
  const Date date = day_of(from);
  const Seconds of_day = from - seconds_of(date);
  return seconds_of(add_months(date, sign * duration.months)) + of_day + sign * duration.seconds;
}

struct Amount {
  double value = 1;
  std::size_t next = 0;
  bool article = false;
};

// "3", "a", "a few", "half an", "a couple of", "one and a half", "two and a quarter".
std::optional<Amount> amount_of(const DateTokens& t, std::size_t i) {
  const auto skip_half_article = [&](std::size_t at) { return t.any(at, " a an ") ? at + 1 : at; };
  if (t.is(i, "half")) return Amount{0.5, skip_half_article(i + 1), false};
  std::size_t at = i;
  const bool article = t.any(at, " a an ");
  if (article) ++at;
  if (t.is(at, "half") && article) return Amount{0.5, skip_half_article(at + 1), false};
  if (t.any(at, " few several some ")) return Amount{3, at + 1, false};
  if (t.is(at, "couple")) return Amount{2, t.is(at + 1, "of") ? at + 2 : at + 1, false};
  if (t.is(at, "dozen")) return Amount{12, at + 1, false};
  if (article) {
    // "a single day", "an additional week".
    if (t.any(at, " single additional full whole ")) ++at;
    return Amount{1, at, true};
  }
  const auto number = read_number(t, i);
  if (!number || number->value > 100'000) return std::nullopt;
  Amount out{number->value, number->next, false};
  if (t.is(out.next, "and")) {
    std::size_t half = out.next + 1;
    if (t.any(half, " a an ")) ++half;
    if (t.is(half, "half") && !t.any(half + 1, " of ")) {
      out.value += 0.5;
      out.next = half + 1;
    } else if (t.is(half, "quarter") && unit_of(t, half + 1)) {
      out.value += 0.25;
      out.next = half + 1;
    }
  }
  return out;
}

void add_units(DateSense& value, double amount, const Unit& unit) {
  if (unit.months > 0) {
    const double months = amount * static_cast<double>(unit.months);
    const auto whole = static_cast<std::int64_t>(months);
    value.months += whole;
    const double rest = months - static_cast<double>(whole);
    // Half a year has as many days as a year has halves.
    if (unit.months == 12) {
      value.months += -(whole % 12);
      value.seconds += static_cast<Seconds>((static_cast<double>(whole % 12) + rest) / 12 *
                                            static_cast<double>(kYearSeconds));
    } else {
      value.seconds += static_cast<Seconds>(rest * static_cast<double>(kMonthSeconds));
    }
  } else {
    value.seconds += static_cast<Seconds>(amount * static_cast<double>(unit.seconds) + 0.5);
  }
}

}  // namespace

// "3 days", "an hour and a half", "2 weeks and 3 days", "half a year".
DateGrammar::Match DateGrammar::duration(std::size_t i) const {
  if (t.number(i) && i > 0 && t.tight(i) && t.any(i - 1, " $ # . : / , ")) return std::nullopt;
  DateSense value;
  value.type = DateType::duration;
  if (t.is(i, "all") && t.any(i + 1, " day week month year night ")) {
    const Unit* unit = unit_of(t, i + 1);
    add_units(value, 1, *unit);
    value.grain = unit->grain;
    value.readings = {{length_of(value), 0}};
    return DateMatch{value, i + 2};
  }
  std::size_t at = i;
  bool found = false;
  Grain last = Grain::year;
  for (int parts = 0; parts < 5; ++parts) {
    const auto amount = amount_of(t, at);
    if (!amount) break;
    std::size_t unit_at = amount->next;
    if (t.is(unit_at, "-") && t.tight(unit_at)) ++unit_at;
    if (t.any(unit_at, " more extra full whole consecutive additional long ")) ++unit_at;
    const bool business = t.any(unit_at, " business working ") && t.any(unit_at + 1, " day days ");
    if (business) ++unit_at;
    const Unit* unit = unit_of(t, unit_at);
    if (unit == nullptr) break;
    if (found && unit->grain > last) break;
    if (amount->article && found && t.any(unit_at, " second minute ")) break;
    // "second" after "a" is an ordinal when a noun follows; left to context: "a second time".
    if (t.is(unit_at, "second") && amount->article && t.at(unit_at + 1).kind == DateToken::Kind::word &&
        !t.any(unit_at + 1, " ago later before after from and or to for "))
      break;
    if (unit->grain == Grain::quarter && (t.any(unit_at + 1, " past to after of ") || amount->article)) break;
    add_units(value, amount->value, *unit);
    if (business) value.seconds = value.seconds;
    value.grain = unit->grain;
    last = unit->grain;
    found = true;
    at = unit_at + 1;
    // "an hour and a half"
    if (t.is(at, "and") && t.any(at + 1, " a half ") && (t.is(at + 1, "half") || t.is(at + 2, "half")) &&
        unit_of(t, t.is(at + 1, "half") ? at + 2 : at + 3) == nullptr) {
      add_units(value, 0.5, *unit);
      at += t.is(at + 1, "half") ? 2 : 3;
      break;
    }
    std::size_t next = skip(at, " , ");
    next = skip(next, " and ");
    if (!amount_of(t, next)) break;
    const auto more = amount_of(t, next);
    if (more == std::nullopt || unit_of(t, more->next) == nullptr) break;
    at = next;
    const Unit* second = unit_of(t, more->next);
    if (second->grain >= last) {
      at = unit_at + 1;
      break;
    }
  }
  if (!found) return std::nullopt;
  value.readings = {{length_of(value), 0}};
  return DateMatch{value, at};
}

// "3 days ago", "in 2 weeks", "2 weeks from now", "3 days after Monday", "within 2 days".
DateGrammar::Match DateGrammar::relative_duration(std::size_t i) const {
  std::size_t at = i;
  const bool in = t.any(at, " in after ");
  const bool within = t.any(at, " within ");
  std::size_t about = at;
  if (in || within) ++at;
  const std::size_t lead = at;
  at = skip(at, " the ");
  if (in && t.any(at, " next coming following last past ")) return std::nullopt;
  if (within) at = skip(at, " next coming following ");
  at = skip(at, " about around approximately roughly ");
  (void)about;
  (void)lead;
  const auto span = duration(at);
  if (!span) return std::nullopt;
  const DateSense& length = span->value;
  std::size_t next = span->next;
  const bool fine = length.grain <= Grain::hour || length.seconds % kDaySeconds != 0;
  const auto point = [&](Seconds base, bool timed, int sign, std::size_t end) -> Match {
    DateSense value;
    const Seconds moment = moved(base, length, sign);
    value.type = fine || timed ? DateType::datetime : DateType::date;
    const Seconds whole = value.type == DateType::date ? seconds_of(day_of(moment)) : moment;
    value.readings = {{whole, whole}};
    return DateMatch{value, end};
  };
  const Seconds base = now_;
  if (within) {
    DateSense value;
    value.type = fine ? DateType::datetimerange : DateType::daterange;
    const Seconds start = fine ? now_ : seconds_of(today_);
    value.readings = {{start, moved(start, length, 1)}};
    return DateMatch{value, next};
  }
  if (t.is(next, "ago") || (t.any(next, " earlier prior back ") && !t.any(next + 1, " to ")))
    return in ? std::nullopt : point(base, false, -1, next + 1);
  if (t.is(next, "before") && t.is(next + 1, "now")) return point(base, false, -1, next + 2);
  if (t.any(next, " later hence afterwards ")) return point(base, false, 1, next + 1);
  if (in && t.any(next, " from after ")) return std::nullopt;
  if (t.any(next, " from after ") &&
      (t.any(next + 1, " now today ") || (t.is(next + 1, "right") && t.is(next + 2, "now")))) {
    const bool today = t.is(next + 1, "today");
    if (today && fine) return std::nullopt;
    return point(base, false, 1, next + (t.is(next + 1, "right") ? 3 : 2));
  }
  if (t.any(next, " before after from since prior ") || (t.is(next, "prior") && t.is(next + 1, "to"))) {
    const std::size_t target = next + (t.is(next, "prior") && t.is(next + 1, "to") ? 2 : 1);
    const int sign = t.any(next, " before prior ") ? -1 : 1;
    if (t.any(target, " that this then ") &&
        !t.any(target + 1, " monday tuesday wednesday thursday friday saturday sunday "))
      return in ? Match() : std::nullopt;
    Match other = day_with_time(target);
    if (!other) other = calendar_date(target);
    if (!other) other = year_alone(target);
    if (other && !other->value.readings.empty() &&
        (other->value.type == DateType::date || other->value.type == DateType::datetime ||
         other->value.type == DateType::daterange)) {
      DateSense value;
      value.type = fine || other->value.type == DateType::datetime ? DateType::datetime : DateType::date;
      // A day without a year is the coming one here.
      const auto moment = moved(other->value.readings.front().start, length, sign);
      value.readings = {{moment, moment}};
      return DateMatch{value, other->next};
    }
  }
  if (t.is(i, "in"))
    return point(base, false, 1, next + (t.is(next, "'") && t.tight(next) && t.is(next + 1, "time") ? 2 : 0));
  return std::nullopt;
}

// "this week", "next 3 months", "the last few days", "weekend", "rest of the week", "year to date".
DateGrammar::Match DateGrammar::relative_unit(std::size_t i) const {
  std::size_t at = skip(i, " the ");
  const Date monday = monday_of(today_);
  const auto [year, month, unused] = split(today_);
  const Date month_start = first_of_month(year, month);
  const Date quarter_start = first_of_month(year, (month - 1) / 3 * 3 + 1);
  const Date year_start = first_of_month(year, 1);
  if (t.any(at, " year month week quarter ") && t.is(at + 1, "to") && t.is(at + 2, "date")) {
    const Date start = t.is(at, "year")      ? year_start
                       : t.is(at, "month")   ? month_start
                       : t.is(at, "quarter") ? quarter_start
                                             : monday;
    return DateMatch{days(start, today_, Grain::day), at + 3};
  }
  if (t.any(at, " ytd mtd qtd ")) {
    const Date start = t.is(at, "ytd") ? year_start : t.is(at, "mtd") ? month_start : quarter_start;
    return DateMatch{days(start, today_, Grain::day), at + 1};
  }
  int direction = 0;
  bool said = false;
  constexpr std::string_view kAhead = " next coming following upcoming ";
  constexpr std::string_view kBack = " last past previous prior ";
  constexpr std::string_view kHere = " this current same ";
  const auto read_direction = [&](std::size_t from) -> std::size_t {
    std::size_t p = from;
    while (p < from + 2 && (t.any(p, kAhead) || t.any(p, kBack) || t.any(p, kHere))) {
      direction = t.any(p, kAhead) ? 1 : t.any(p, kBack) ? -1 : direction;
      said = true;
      ++p;
    }
    return p;
  };
  at = read_direction(at);
  // "the week after next"
  if (!said && t.any(at, " week month year ") && t.is(at + 1, "after") && t.is(at + 2, "next")) {
    if (t.is(at, "week")) return DateMatch{days(monday + 14, monday + 21, Grain::week), at + 3};
    const int months = t.is(at, "month") ? 1 : 12;
    const Date start = add_months(t.is(at, "month") ? month_start : year_start, 2 * months);
    return DateMatch{days(start, add_months(start, months), Grain::month), at + 3};
  }
  // "3 next weeks", "the next 3 weeks"
  {
    std::size_t p = at;
    std::optional<Amount> amount = amount_of(t, p);
    if (amount && !amount->article) {
      p = amount->next;
      if (!said) p = read_direction(p);
      if (said && direction != 0) {
        const bool business = t.any(p, " business working ") && t.any(p + 1, " day days ");
        if (business) ++p;
        const Unit* unit = unit_of(t, p);
        if (unit != nullptr && !(t.number(p - 1) && t.tight(p) && t.word(p).size() == 1)) {
          DateSense length;
          add_units(length, amount->value, *unit);
          DateSense value;
          value.grain = unit->grain;
          if (unit->grain <= Grain::hour) {
            value.type = DateType::datetimerange;
            value.readings = {direction > 0 ? Reading{now_, now_ + length.seconds}
                                            : Reading{now_ - length.seconds, now_}};
          } else {
            value.type = DateType::daterange;
            Date from = direction > 0 ? today_ + 1 : today_;
            if (unit->grain == Grain::quarter)
              from = direction > 0 ? add_months(quarter_start, 3) : quarter_start;
            if (unit->grain == Grain::year && direction > 0) from = today_ + 1;
            const Seconds other = moved(seconds_of(from), length, direction);
            value.readings = {direction > 0 ? Reading{seconds_of(from), other}
                                            : Reading{other, seconds_of(from)}};
          }
          if (value.readings.front().start == value.readings.front().end) return std::nullopt;
          return DateMatch{value, p + 1};
        }
      }
    }
    if (amount && !amount->article) return std::nullopt;
  }
  const bool the = at > i && t.is(i, "the") && !said;
  if (t.any(at, " fiscal school academic calendar ") && t.any(at + 1, " year ") && said) {
    DateSense value;
    value.type = DateType::daterange;
    if (t.is(at, "calendar"))
      return DateMatch{days(add_months(year_start, 12 * direction),
                            add_months(year_start, 12 * direction + 12), Grain::year),
                       at + 2};
    return DateMatch{value, at + 2};
  }
  if (!said && t.is(at, "weekend")) return DateMatch{days(monday + 5, monday + 7, Grain::week), at + 1};
  if (!said && !the) return std::nullopt;
  if (the && !(i == 0 || t.any(i - 1, " for of in during over by throughout within "))) return std::nullopt;
  const bool glued_more = t.is(at + 1, "'") && t.tight(at + 1);
  (void)glued_more;
  if (t.is(at, "workweek") || (t.any(at, " working work ") && t.is(at + 1, "week")))
    return DateMatch{days(monday + 7 * direction, monday + 7 * direction + 5, Grain::week),
                     t.is(at, "workweek") ? at + 1 : at + 2};
  if (t.is(at, "fortnight"))
    return DateMatch{days(monday + 14 * direction, monday + 14 * direction + 14, Grain::week), at + 1};
  if (t.any(at, " week wk ")) {
    if (the && t.is(at + 1, "of")) return std::nullopt;
    return DateMatch{days(monday + 7 * direction, monday + 7 * direction + 7, Grain::week), at + 1};
  }
  if (t.is(at, "weekend")) {
    DateSense value = days(monday + 7 * direction + 5, monday + 7 * direction + 7, Grain::week);
    value.is_week_or_weekend = true;
    return DateMatch{value, at + 1};
  }
  if (t.is(at, "month"))
    return DateMatch{
        days(add_months(month_start, direction), add_months(month_start, direction + 1), Grain::month),
        at + 1};
  if (t.any(at, " quarter qtr "))
    return DateMatch{days(add_months(quarter_start, 3 * direction),
                          add_months(quarter_start, 3 * direction + 3), Grain::quarter),
                     at + 1};
  if (t.any(at, " year yr ")) {
    if (the && t.is(at + 1, "of")) return std::nullopt;
    return DateMatch{days(add_months(year_start, 12 * direction), add_months(year_start, 12 * direction + 12),
                          Grain::year),
                     at + 1};
  }
  if (t.is(at, "decade") && said) {
    const int start = year / 10 * 10 + 10 * direction;
    return DateMatch{days(first_of_month(start, 1), first_of_month(start + 10, 1), Grain::year), at + 1};
  }
  if (said && t.any(at, " spring summer fall autumn winter ")) {
    DateSense value;
    value.type = DateType::daterange;
    return DateMatch{value, at + 1};
  }
  if (said && t.any(at, " hour minute ") && direction != 0) {
    const Seconds length = t.is(at, "hour") ? kHourSeconds : kMinuteSeconds;
    DateSense value;
    value.type = DateType::datetimerange;
    value.readings = {direction > 0 ? Reading{now_, now_ + length} : Reading{now_ - length, now_}};
    return DateMatch{value, at + 1};
  }
  if (said) {
    if (const int m = month_number(t.word(at)); m > 0 && t.word(at) != "sun") {
      if (read_ordinal(t, at + 1) || (t.number(at + 1) && t.digits(at + 1) <= 2)) {
        const auto number = read_ordinal(t, at + 1) ? read_ordinal(t, at + 1) : read_number(t, at + 1);
        const auto date = make_date(year + direction, m, static_cast<int>(number->value));
        if (date && direction == 0) return DateMatch{day(*date), number->next};
      }
      // "next March" is the coming one, "last March" the one before.
      int y = year;
      if (direction > 0 && m <= month) y = year + 1;
      if (direction < 0 && m >= month) y = year - 1;
      const Date start = first_of_month(y, m);
      return DateMatch{days(start, add_months(start, 1), Grain::month), at + 1};
    }
  }
  return std::nullopt;
}

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

// "every Monday at 9", "daily", "each quarter", "Tuesdays", "twice a week".
DateGrammar::Match DateGrammar::set(std::size_t i) const {
  DateSense value;
  value.type = DateType::set;
  const auto with_time = [&](std::size_t next) -> Match {
    std::size_t at = skip(next, " at , ");
    if (const auto time = clock(at); time && (at > next || !time->value.open_hour || t.is(time->next, "am")))
      return DateMatch{value, time->next};
    if (const auto part = day_part(next)) return DateMatch{value, part->next};
    return DateMatch{value, next};
  };
  if (t.any(i,
            " daily weekly monthly quarterly yearly annually biweekly bimonthly hourly everyday nightly "
            "annual semiannual semiannually biannual biannually fortnightly weekdays weekends ")) {
    if (t.any(i, " weekends weekdays ") && i > 0 && !t.any(i - 1, " on every ")) return std::nullopt;
    return with_time(i + 1);
  }
  if (t.any(i, " every each ") || (t.any(i, " a an per once twice ") && false)) {
    std::size_t at = i + 1;
    at = skip(at, " other single second third ");
    if (const auto span = duration(at); span && span->value.grain >= Grain::minute)
      return with_time(span->next);
    if (unit_of(t, at) != nullptr) {
      if (t.is(at, "day") && t.is(at + 1, "of")) return std::nullopt;
      return with_time(at + 1);
    }
    if (t.is(at, "weekday") || t.is(at, "weekend") || t.is(at, "workday")) return with_time(at + 1);
    if (weekday_number(t.word(at)) >= 0) {
      // "every Monday and Wednesday" stays two mentions' worth of days but one rhythm.
      return with_time(at + 1);
    }
    if (const auto part = day_part(at)) return with_time(part->next);
    if (t.any(at, " morning afternoon evening night ")) return with_time(at + 1);
    if (const auto date = month_date(at)) return with_time(date->next);
    return std::nullopt;
  }
  // "6am every day", "19th of every month", "Tuesday afternoons"
  if (const auto time = clock(i); time && t.any(time->next, " every each everyday daily ")) {
    if (const auto rhythm = set(time->next)) return DateMatch{value, rhythm->next};
  }
  if (const auto nth = read_ordinal(t, skip(i, " the "));
      nth && t.is(nth->next, "of") && t.any(nth->next + 1, " every each ")) {
    if (const auto rhythm = set(nth->next + 1)) return DateMatch{value, rhythm->next};
  }
  if (weekday_number(t.word(i)) >= 0 && t.any(i + 1, " mornings afternoons evenings nights "))
    return DateMatch{value, i + 2};
  const auto word = t.word(i);
  if (word.size() > 5 && word.ends_with("days") && weekday_number(word) >= 0) return with_time(i + 1);
  if (t.any(i, " mornings afternoons evenings nights ")) return with_time(i + 1);
  return std::nullopt;
}

}  // namespace castiel::content::text::impl
