#include "content/text/impl/date_grammar.hpp"

namespace castiel::content::text::impl {

DateSense DateGrammar::day(Date date) const {
  DateSense value;
  value.readings = {{seconds_of(date), seconds_of(date)}};
  return value;
}

DateSense DateGrammar::days(Date first, Date end, Grain grain) const {
  DateSense value;
  value.type = DateType::daterange;
  value.grain = grain;
  value.readings = {{seconds_of(first), seconds_of(end)}};
  return value;
}

std::optional<DateSense> DateGrammar::yearless(int month, int day) const {
  const int year = split(today_).year;
  std::optional<Date> next, last;
  for (int step = 0; step <= 8 && !next; ++step) {
    const auto date = make_date(year + step, month, day);
    if (date && seconds_of(*date) >= now_) next = date;
  }
  for (int step = 0; step <= 8 && !last; ++step) {
    const auto date = make_date(year - step, month, day);
    if (date && seconds_of(*date) < now_) last = date;
  }
  if (!next && !last) return std::nullopt;
  DateSense value;
  value.has_year = false;
  // A day that has just begun is still today's for who reads it.
  if (last && *last == today_) std::swap(next, last);
  for (const auto& date : {next, last})
    if (date) value.readings.push_back({seconds_of(*date), seconds_of(*date)});
  return value;
}

DateSense DateGrammar::weekday_value(int weekday) const {
  DateSense value;
  value.has_year = false;
  value.weekday = weekday;
  const int ahead = (weekday - weekday_of(today_) + 7) % 7;
  const Date next = today_ + ahead;
  value.readings = {{seconds_of(next), seconds_of(next)}, {seconds_of(next - 7), seconds_of(next - 7)}};
  return value;
}

namespace {

int year_of(std::int64_t value, std::size_t digits) {
  if (digits == 4) return static_cast<int>(value);
  return static_cast<int>(value < 50 ? 2000 + value : 1900 + value);
}

}  // namespace

// 2017-03-01, 3/1/2017, 31.3.2017, 1-Mar-17, 3/1, 2017-03, 3/2017.
DateGrammar::Match DateGrammar::numeric_date(std::size_t i) const {
  if (!t.number(i) || t.at(i).value < 0) return std::nullopt;
  // No part of a longer number, path or version.
  if (i > 0 && t.tight(i) && t.any(i - 1, " / . , - : $ # _ + = ")) {
    const bool after_range = t.is(i - 1, "-") && (t.is(i + 1, "/") || t.digits(i) == 4);
    const bool number_before = !after_range && i > 1 && t.tight(i - 1) &&
                               (t.number(i - 2) || t.at(i - 2).kind == DateToken::Kind::word);
    if (number_before || t.any(i - 1, " $ # _ = ")) return std::nullopt;
  }
  if (i > 0 && t.tight(i) && t.at(i - 1).kind == DateToken::Kind::word) return std::nullopt;
  const std::size_t first = t.digits(i);
  if (first == 8 && !t.tight(i + 1)) {
    const auto date =
        make_date(static_cast<int>(t.at(i).value / 10000), static_cast<int>(t.at(i).value / 100 % 100),
                  static_cast<int>(t.at(i).value % 100));
    if (!date || t.at(i).value < 19'000'000 || t.at(i).value > 21'000'000) return std::nullopt;
    return DateMatch{day(*date), i + 1};
  }
  if (first > 4 || first == 3) return std::nullopt;
  if (!t.any(i + 1, " / - . ") || !t.tight(i + 1)) return std::nullopt;
  const std::string_view sign = t.at(i + 1).word;
  if (!t.tight(i + 2)) return std::nullopt;
  const auto ends = [&](std::size_t next) {
    // Nothing glued to it that would make it something else.
    if (!t.tight(next)) return true;
    if (t.is(next, "t") && t.number(next + 1)) return true;
    if (t.any(next, " / . ") && t.tight(next + 1) &&
        (t.number(next + 1) || t.at(next + 1).kind == DateToken::Kind::word))
      return false;
    return t.at(next).kind == DateToken::Kind::sign && !t.any(next, " % _ $ = ");
  };
  const auto made = [&](std::int64_t year, std::int64_t month, std::int64_t d, std::size_t next) -> Match {
    if (!ends(next)) return std::nullopt;
    if (month < 1 || month > 12 || d < 1 || d > 31 || year < 1000 || year > 2999) return std::nullopt;
    const auto date = make_date(static_cast<int>(year), static_cast<int>(month), static_cast<int>(d));
    if (!date) {
      // A day that does not exist is a mention without a resolution.
      DateSense none;
      return DateMatch{none, next};
    }
    return DateMatch{day(*date), next};
  };
  if (const int month = month_number(t.word(i + 2)); month > 0) {
    if (t.is(i + 3, sign) && t.tight(i + 3) && t.number(i + 4) && t.tight(i + 4)) {
      if (first == 4) return made(t.at(i).value, month, t.at(i + 4).value, i + 5);
      if (t.digits(i + 4) == 4 || t.digits(i + 4) == 2)
        return made(year_of(t.at(i + 4).value, t.digits(i + 4)), month, t.at(i).value, i + 5);
      return std::nullopt;
    }
    if (first <= 2 && sign != ".") {
      if (auto value = yearless(month, static_cast<int>(t.at(i).value))) return DateMatch{*value, i + 3};
    }
    return std::nullopt;
  }
  if (!t.number(i + 2)) return std::nullopt;
  const std::int64_t a = t.at(i).value, b = t.at(i + 2).value;
  if (t.is(i + 3, sign) && t.tight(i + 3) && t.number(i + 4) && t.tight(i + 4) && t.at(i + 4).value >= 0) {
    const std::int64_t c = t.at(i + 4).value;
    if (first == 4) return t.digits(i + 2) <= 2 && t.digits(i + 4) <= 2 ? made(a, b, c, i + 5) : std::nullopt;
    if (t.digits(i + 2) > 2 || (t.digits(i + 4) != 4 && t.digits(i + 4) != 2)) return std::nullopt;
    const int year = year_of(c, t.digits(i + 4));
    const bool day_first = a > 12 || (sign == "." && b <= 12 && t.digits(i + 4) == 4 && t.digits(i) == 2 &&
                                      t.digits(i + 2) == 2 && a > 12);
    if (a > 12 && b > 12)
      return first == 2 && t.digits(i + 4) == 2 ? made(2000 + a, b, c, i + 5) : std::nullopt;
    return day_first ? made(year, b, a, i + 5) : made(year, a, b, i + 5);
  }
  if (first == 4 && a >= 1500 && a <= 2200 && t.digits(i + 2) <= 2 && b >= 1 && b <= 12 && sign != "." &&
      ends(i + 3)) {
    if (t.digits(i + 2) != 2 && sign == "-") return std::nullopt;
    const Date start = first_of_month(static_cast<int>(a), static_cast<int>(b));
    return DateMatch{days(start, add_months(start, 1), Grain::month), i + 3};
  }
  if (first <= 2 && t.digits(i + 2) == 4 && a >= 1 && a <= 12 && b >= 1500 && b <= 2200 && sign != "." &&
      ends(i + 3)) {
    const Date start = first_of_month(static_cast<int>(b), static_cast<int>(a));
    return DateMatch{days(start, add_months(start, 1), Grain::month), i + 3};
  }
  if (first > 2 || t.digits(i + 2) > 2 || !ends(i + 3)) return std::nullopt;
  // "3/1" may be a fraction and "3-1" or "3.1" a score or a version: those need a word that leads to a day.
  const bool led =
      i > 0 &&
      t.any(i - 1, " on by until till from since before after to through due dated between and for ");
  if (sign != "/" && !led) return std::nullopt;
  if (sign == "." && !t.any(i - 1, " on by until till due dated ")) return std::nullopt;
  if (sign == "-" && !t.any(i - 1, " on by until till due dated ")) return std::nullopt;
  if ((a == 24 && b == 7) ||
      (t.any(i + 3, " hour hours h year years of cup day days month months ") && b <= 4 && a < b))
    return std::nullopt;
  if (a >= 1 && a <= 12 && b >= 1 && b <= 31) {
    if (auto value = yearless(static_cast<int>(a), static_cast<int>(b))) return DateMatch{*value, i + 3};
  } else if (a > 12 && a <= 31 && b >= 1 && b <= 12) {
    if (auto value = yearless(static_cast<int>(b), static_cast<int>(a))) return DateMatch{*value, i + 3};
  }
  return std::nullopt;
}

// "March 1", "March 1st, 2017", "1 March", "the first of March 2017"; "March", "March 2017".
DateGrammar::Match DateGrammar::month_date(std::size_t i) const {
  const auto finish = [&](int month, int d, std::size_t next) -> Match {
    std::size_t at = next;
    if (t.is(at, ".") && t.tight(at)) ++at;
    std::size_t year_at = skip(at, " , ");
    if (year_at == at) year_at = skip(at, " of in - / ");
    if (const auto year = read_year(t, year_at);
        year && !(t.number(year_at) && t.any(year->next, " : % people users ") && t.tight(year->next))) {
      const auto date = make_date(static_cast<int>(year->value), month, d);
      return DateMatch{date ? day(*date) : DateSense{}, year->next};
    }
    // "04-Jan-19" is numeric; "Jan 4 '19" and "Jan 4, 19" are not certain without the mark.
    auto value = yearless(month, d);
    if (!value) return DateMatch{DateSense{}, next};
    return DateMatch{*value, next};
  };
  // Day first.
  std::size_t at = skip(i, " the ");
  const auto ordinal = read_ordinal(t, at);
  const auto plain = ordinal ? ordinal
                     : (at == i && t.number(i) && t.digits(i) <= 2) || (at == i && !t.number(i))
                         ? read_number(t, at)
                         : std::nullopt;
  if (plain && plain->value >= 1 && plain->value <= 31 && plain->value == static_cast<int>(plain->value)) {
    if (!(i > 0 && t.number(at) && t.tight(at) && t.any(i - 1, " . : / ")) &&
        !(i > 0 && t.any(i - 1, " $ \xE2\x82\xAC \xC2\xA3 "))) {
      std::size_t next = skip(plain->next, " of ");
      if (next == plain->next && (t.is(next, "-") || t.is(next, ".") || t.is(next, "/")) && t.tight(next))
        ++next;
      next = skip(next, " this next last ");
      if (const int month = month_number(t.word(next)); month > 0) {
        const bool modal = t.is(next, "may") && !ordinal && next == plain->next && !read_year(t, next + 1) &&
                           !t.tight(next + 2) && t.at(next + 1).kind == DateToken::Kind::word &&
                           !t.any(next + 1, " at to from until through and for or ");
        if (!modal) return finish(month, static_cast<int>(plain->value), next + 1);
      }
    }
  }
  // Month first.
  const int month = month_number(t.word(i));
  if (month == 0) return std::nullopt;
  std::size_t next = i + 1;
  if (t.is(next, ".") && t.tight(next)) ++next;
  const bool may = t.any(i, " may mar sep dec jan ") && t.word(i).size() == 3;
  {
    std::size_t day_at = skip(next, " the ");
    if (day_at == next && t.any(next, " , - / ") && (t.tight(next) || t.is(next, ","))) ++day_at;
    if (t.is(day_at, "the")) ++day_at;
    auto number = read_ordinal(t, day_at);
    if (!number && (!t.number(day_at) || t.digits(day_at) <= 2)) number = read_number(t, day_at);
    const bool whole = number && number->value >= 1 && number->value <= 31 &&
                       number->value == static_cast<int>(number->value);
    // Not the hour of "March at 3" nor "March 3:30".
    if (whole && !(t.number(day_at) && t.is(number->next, ":") && t.tight(number->next)) &&
        !(t.number(day_at) && t.any(number->next, " am pm % ")) && !read_year(t, day_at)) {
      return finish(month, static_cast<int>(number->value), number->next);
    }
  }
  std::size_t year_at = skip(next, " of in , ");
  if (year_at == next && t.any(next, " - / ") && t.tight(next)) ++year_at;
  if (const auto year = read_year(t, year_at)) {
    const Date start = first_of_month(static_cast<int>(year->value), month);
    return DateMatch{days(start, add_months(start, 1), Grain::month), year->next};
  }
  if (t.any(year_at, " this next last ") && t.is(year_at + 1, "year")) {
    const int shift = t.is(year_at, "next") ? 1 : t.is(year_at, "last") ? -1 : 0;
    const Date start = first_of_month(split(today_).year + shift, month);
    return DateMatch{days(start, add_months(start, 1), Grain::month), year_at + 2};
  }
  // Alone, words that are also verbs or names need a lead.
  const bool led =
      i > 0 &&
      (t.is(i, "may")
           ? t.any(i - 1,
                   " in of since until till by from through during before early late mid this next last ")
           : t.any(i - 1,
                   " in of since until till by from to through during before after for early late mid and "));
  if (may && !led) return std::nullopt;
  if (t.is(i, "march") && !led && i > 0 && t.any(i - 1, " to the we they i will ")) return std::nullopt;
  const int this_year = split(today_).year;
  DateSense value =
      days(first_of_month(this_year, month), add_months(first_of_month(this_year, month), 1), Grain::month);
  const Date own = first_of_month(this_year, month);
  const Date future = add_months(own, 1) <= today_ || (own < today_ && split(today_).month != month)
                          ? first_of_month(this_year + 1, month)
                          : own;
  const Date past = add_months(future, -12);
  value.readings = {{seconds_of(future), seconds_of(add_months(future, 1))},
                    {seconds_of(past), seconds_of(add_months(past, 1))}};
  value.has_year = false;
  return DateMatch{value, next};
}

// "the 18th", after a lead also "18th".
DateGrammar::Match DateGrammar::day_of_month(std::size_t i) const {
  const bool the = t.is(i, "the");
  const auto ordinal = read_ordinal(t, i + (the ? 1 : 0));
  if (!ordinal || ordinal->value > 31) return std::nullopt;
  const bool digits = t.number(i + (the ? 1 : 0));
  const bool led =
      i > 0 && t.any(i - 1, " on by until till from to through before after since and - between or ");
  if (!led && i > 0) return std::nullopt;
  if (!the && !led) return std::nullopt;
  if (!digits && !led) return std::nullopt;
  // "the 3rd floor" is no day.
  const auto& after = t.at(ordinal->next);
  if (after.kind == DateToken::Kind::word &&
      !t.any(ordinal->next,
             " at from to until till through and or for if is was will please in with "
             "works would around before after between of morning afternoon evening we "
             "i we're not does can should right ok "))
    return std::nullopt;
  if (t.is(ordinal->next, "of") && !t.any(ordinal->next + 1, " this next last the ")) return std::nullopt;
  const int d = static_cast<int>(ordinal->value);
  const auto [year, month, current] = split(today_);
  std::size_t next = ordinal->next;
  if (t.is(next, "of")) {
    const std::size_t word = t.is(next + 1, "the") ? next + 2 : next + 2;
    if (!t.is(word, "month")) return std::nullopt;
    const int shift = t.is(next + 1, "next") ? 1 : t.is(next + 1, "last") ? -1 : 0;
    const auto [y, m, unused] = split(add_months(first_of_month(year, month), shift));
    const auto date = make_date(y, m, d);
    return DateMatch{date ? day(*date) : DateSense{}, word + 1};
  }
  DateSense value;
  value.has_year = false;
  Date base = first_of_month(year, month);
  const auto within = [&](int shift) {
    const auto [y, m, unused] = split(add_months(base, shift));
    return make_date(y, m, d);
  };
  std::optional<Date> future, past;
  for (int shift = 0; shift < 3 && !future; ++shift)
    if (const auto date = within(shift); date && *date >= today_) future = date;
  for (int shift = 0; shift > -3 && !past; --shift)
    if (const auto date = within(shift); date && *date < today_) past = date;
  for (const auto& date : {future, past})
    if (date) value.readings.push_back({seconds_of(*date), seconds_of(*date)});
  return DateMatch{value, next};
}

// "Friday", "next Friday", "Friday next week", "Friday, March 3", "Friday the 13th".
DateGrammar::Match DateGrammar::weekday(std::size_t i) const {
  constexpr std::string_view kSaid = " this next last past previous coming following upcoming current ";
  std::size_t at = i;
  std::string_view said;
  if (t.is(at, "the") && t.any(at + 1, kSaid)) ++at;
  while (t.any(at, kSaid) && at < i + 3) {
    said = t.at(at).word;
    ++at;
  }
  // "next week on Tuesday"
  if (!said.empty() && t.is(at, "week")) {
    const int named = weekday_number(t.word(skip(at + 1, " on - , ")));
    if (named < 0 || said == "past") return std::nullopt;
    const int shift = said == "next" || said == "following" || said == "coming" ? 7
                      : said == "last" || said == "previous"                    ? -7
                                                                                : 0;
    DateSense value = day(monday_of(today_) + shift + named);
    value.weekday = named;
    return DateMatch{value, skip(at + 1, " on - , ") + 1};
  }
  const int weekday = weekday_number(t.word(at));
  if (weekday < 0) return std::nullopt;
  const bool is_short = t.word(at).size() <= 4;
  if (t.any(at, " sun sat mon wed ") && said.empty()) {
    // Short ones are also other words; a capital or a date beside it decides elsewhere. "sat at 5" is a day.
    const bool led =
        (i > 0 && t.any(i - 1, " on by until till from to through before after since and - , or ( ")) ||
        i == 0;
    const bool follows = t.at(at + 1).kind != DateToken::Kind::word ||
                         t.any(at + 1,
                               " at from to the morning afternoon evening night through and jan feb mar apr "
                               "may jun jul aug sep oct nov dec ");
    if (!led && !follows) return std::nullopt;
  }
  std::size_t next = at + 1;
  if (is_short && t.is(next, ".") && t.tight(next)) ++next;
  const Date monday = monday_of(today_);
  if (said.empty()) {
    // A date beside it says which one.
    std::size_t date_at = skip(next, " , ");
    date_at = skip(date_at, " the ");
    for (const auto& match : {numeric_date(date_at), month_date(date_at)})
      if (match && match->value.type == DateType::date && !match->value.readings.empty()) return match;
    const auto ordinal = read_ordinal(t, date_at);
    const bool bare = !ordinal && t.number(date_at) && t.at(date_at).value >= 1 &&
                      t.at(date_at).value <= 31 && t.digits(date_at) == 2 && date_at == next &&
                      !t.any(date_at + 1, " : am pm - / . hours ");
    if ((ordinal && ordinal->value <= 31) || bare) {
      const int d = bare ? static_cast<int>(t.at(date_at).value) : static_cast<int>(ordinal->value);
      DateSense value;
      value.has_year = false;
      const Date base = first_of_month(split(today_).year, split(today_).month);
      std::optional<Date> future, past;
      for (int shift = 0; shift < 60 && (!future || !past); ++shift) {
        for (const int sign : {1, -1}) {
          const auto [y, m, unused] = split(add_months(base, sign * shift));
          const auto date = make_date(y, m, d);
          if (!date || weekday_of(*date) != weekday) continue;
          if (!future && *date >= today_) future = date;
          if (!past && *date < today_) past = date;
        }
      }
      for (const auto& date : {future, past})
        if (date) value.readings.push_back({seconds_of(*date), seconds_of(*date)});
      // The month that is running decides where it fits.
      const auto [this_year, this_month, unused_day] = split(today_);
      if (const auto own = make_date(this_year, this_month, d); own && weekday_of(*own) == weekday)
        value.readings = {{seconds_of(*own), seconds_of(*own)}};
      return DateMatch{value, bare ? date_at + 1 : ordinal->next};
    }
    // "Friday next week", "Monday of last week".
    std::size_t week = skip(next, " of in - ");
    week = skip(week, " the ");
    if (t.any(week, kSaid) && t.is(week + 1, "week")) {
      const int shift = t.any(week, " next following ") ? 7 : t.any(week, " last past previous ") ? -7 : 0;
      return DateMatch{day(monday + shift + weekday), week + 2};
    }
    // "Monday week", "Monday two weeks from now".
    if (const auto span = duration(next); span && span->value.seconds % (7 * kDaySeconds) == 0 &&
                                          span->value.seconds > 0 && t.is(span->next, "from") &&
                                          t.any(span->next + 1, " now today ")) {
      return DateMatch{day(monday_of(day_of(now_ + span->value.seconds)) + weekday), span->next + 2};
    }
    return DateMatch{weekday_value(weekday), next};
  }
  Date date = monday + weekday;
  if (said == "next" || said == "following")
    date = date + 7;
  else if (said == "last" || said == "previous")
    date = date - 7;
  else if (said == "past")
    date = date >= today_ ? date - 7 : date;
  else if (said == "coming" || said == "upcoming")
    date = date <= today_ ? date + 7 : date;
  DateSense value = day(date);
  value.weekday = weekday;
  // A date may follow: "this Friday 5/12".
  for (const auto& match : {numeric_date(next), month_date(skip(next, " , "))})
    if (match && match->value.type == DateType::date && !match->value.readings.empty()) return match;
  return DateMatch{value, next};
}

// "today", "the day after tomorrow", "eod".
DateGrammar::Match DateGrammar::named_day(std::size_t i) const {
  const std::size_t the = skip(i, " the ");
  if (t.is(the, "day") && t.any(the + 1, " after before ")) {
    const int step = t.is(the + 1, "after") ? 1 : -1;
    if (t.any(the + 2, " tomorrow tmr tmrw ")) return DateMatch{day(today_ + 1 + step), the + 3};
    if (t.is(the + 2, "yesterday")) return DateMatch{day(today_ - 1 + step), the + 3};
    return std::nullopt;
  }
  if (t.is(i, "today") || t.is(i, "tod"))
    return t.is(i, "tod") ? std::nullopt : Match(DateMatch{day(today_), i + 1});
  if (t.is(the, "current") && t.is(the + 1, "date")) return DateMatch{day(today_), the + 2};
  if (t.any(i, " tomorrow tmr tmrw tommorow tomorow tommorrow ")) return DateMatch{day(today_ + 1), i + 1};
  if (t.is(i, "yesterday")) return DateMatch{day(today_ - 1), i + 1};
  if (t.any(the, " next following ") && t.is(the + 1, "day")) return DateMatch{day(today_ + 1), the + 2};
  if (t.any(the, " last previous ") && t.is(the + 1, "day") && !t.is(the + 2, "of"))
    return DateMatch{day(today_ - 1), the + 2};
  if (the > i && t.is(the, "day") && !t.any(the + 1, " of before after when ") && i > 0 &&
      t.any(i - 1, " of for "))
    return DateMatch{day(today_), the + 1};
  return std::nullopt;
}

DateGrammar::Match DateGrammar::holiday_date(std::size_t i) const {
  std::size_t at = i;
  int shift = 0;
  const bool said = t.any(at, " this next last following coming ");
  if (said) {
    shift = t.any(at, " next following coming ") ? 1 : t.is(at, "last") ? -1 : 0;
    ++at;
  }
  if (!begins_holiday(t.word(at))) return std::nullopt;
  std::string name;
  std::string best;
  std::size_t best_next = 0;
  std::size_t next = at;
  for (std::size_t words = 0; words < kMaxHolidayWords && next < t.size(); ++words) {
    if (t.word(next).empty()) break;
    name += (name.empty() ? "" : " ") + std::string(t.word(next));
    ++next;
    if (t.is(next, "'") && t.tight(next)) {
      ++next;
      if (t.is(next, "s") && t.tight(next)) {
        ++next;
        name += "s";
      }
    }
    if (t.is(next, ".") && t.tight(next) && words < 2) {
      if (holiday(name, 2000)) {
        best = name;
        best_next = next;
      }
      ++next;
      continue;
    }
    if (holiday(name, 2000)) {
      best = name;
      best_next = next;
    }
  }
  if (best.empty()) return std::nullopt;
  std::size_t year_at = skip(best_next, " , of in ");
  if (const auto year = read_year(t, year_at)) {
    const auto date = holiday(best, static_cast<int>(year->value));
    return DateMatch{date ? day(*date) : DateSense{}, year->next};
  }
  const int year = split(today_).year;
  if (t.is(best_next, "of") && t.any(best_next + 1, " this next last ") && t.is(best_next + 2, "year"))
    ++best_next;
  if (t.any(best_next, " this next last ") && t.is(best_next + 1, "year")) {
    const auto date = holiday(best, year + (t.is(best_next, "next") ? 1 : t.is(best_next, "last") ? -1 : 0));
    return DateMatch{date ? day(*date) : DateSense{}, best_next + 2};
  }
  const auto own = holiday(best, year);
  if (!own) return std::nullopt;
  const bool ahead = *own >= today_;
  const Date future = ahead ? *own : *holiday(best, year + 1);
  const Date past = ahead ? *holiday(best, year - 1) : *own;
  if (said) return DateMatch{day(shift > 0 ? future : shift < 0 ? past : *own), best_next};
  DateSense value = day(future);
  value.readings.push_back({seconds_of(past), seconds_of(past)});
  value.has_year = false;
  return DateMatch{value, best_next};
}

// "in 2017", "the year 2017", "twenty eighteen": a number alone must look like a year of this time.
DateGrammar::Match DateGrammar::year_alone(std::size_t i) const {
  std::size_t at = skip(i, " the ");
  const bool named = t.is(at, "year") && !t.is(at, "years");
  if (named)
    ++at;
  else
    at = i;
  const auto year = read_year(t, at);
  if (!year) return std::nullopt;
  if (!named) {
    if (i > 0 && t.tight(i) &&
        (t.at(i - 1).kind == DateToken::Kind::word || t.any(i - 1, " . , $ # _ / : = + ")))
      return std::nullopt;
    if (i > 0 && t.any(i - 1, " $ € £ # no number room suite version page ")) return std::nullopt;
    if (t.tight(year->next) &&
        (t.at(year->next).kind == DateToken::Kind::word || t.any(year->next, " % : _ / ") ||
         (t.any(year->next, " , . ") && t.tight(year->next + 1) && t.number(year->next + 1))))
      return std::nullopt;
    if (t.any(year->next,
              " dollars euros usd eur people users employees units items pages miles km kg steps hours "
              "minutes days "))
      return std::nullopt;
  }
  if (!named && t.number(at)) {
    // A part of a code, or a count of things.
    if (i > 0 && t.tight(i) && t.is(i - 1, "-") && i > 1 && t.number(i - 2) && t.tight(i - 1) &&
        !(t.digits(i - 2) == 4))
      return std::nullopt;
    if (t.tight(year->next) && t.is(year->next, "-") && t.number(year->next + 1) && t.tight(year->next + 1) &&
        t.digits(year->next + 1) != 4)
      return std::nullopt;
    const bool led =
        i > 0 &&
        t.any(i - 1,
              " in since of by from until till to before after during year and between through for - ");
    const auto following = t.word(year->next);
    if (!led && following.size() > 3 && following.ends_with('s') && i > 0) return std::nullopt;
  }
  const int y = static_cast<int>(year->value);
  return DateMatch{days(*make_date(y, 1, 1), *make_date(y + 1, 1, 1), Grain::year), year->next};
}

DateGrammar::Match DateGrammar::calendar_date(std::size_t i) const {
  Match best;
  const auto take = [&](Match match) {
    if (match && match->value.type == DateType::date && (!best || match->next > best->next))
      best = std::move(match);
  };
  take(numeric_date(i));
  take(month_date(i));
  take(weekday(i));
  take(named_day(i));
  take(holiday_date(i));
  take(day_of_month(i));
  take(nth_of(i));
  // "this 5/12" is of this year, "next 6th of April" the coming one.
  if (t.any(i, " this next ")) {
    for (auto match : {numeric_date(i + 1), month_date(i + 1)}) {
      if (!match || match->value.type != DateType::date || match->value.has_year ||
          match->value.readings.empty())
        continue;
      Reading chosen = match->value.readings.front();
      if (t.is(i, "this"))
        for (const auto& reading : match->value.readings)
          if (split(day_of(reading.start)).year == split(today_).year) chosen = reading;
      match->value.readings = {chosen};
      take(std::move(match));
    }
  }
  return best;
}

}  // namespace castiel::content::text::impl
