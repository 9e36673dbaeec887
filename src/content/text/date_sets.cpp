#include "content/text/impl/date_grammar.hpp"
#include "content/text/impl/date_units.hpp"

namespace castiel::content::text::impl {

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
