#include "content/text/impl/date_grammar.hpp"
#include "content/text/impl/date_units.hpp"

namespace castiel::content::text::impl {
namespace {

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

}  // namespace

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

namespace {

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

}  // namespace castiel::content::text::impl
