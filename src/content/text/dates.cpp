#include <algorithm>
#include <unordered_map>

#include "content/text/impl/date_grammar.hpp"
#include "content/values.hpp"

namespace castiel::content::text {
namespace impl {
namespace {

std::string_view name_of(DateType type) {
  switch (type) {
    case DateType::date:
      return "date";
    case DateType::time:
      return "time";
    case DateType::datetime:
      return "datetime";
    case DateType::daterange:
      return "daterange";
    case DateType::timerange:
      return "timerange";
    case DateType::datetimerange:
      return "datetimerange";
    case DateType::duration:
      return "duration";
    case DateType::set:
      return "set";
  }
  return "date";
}

// How often the grammar is tried in one text: more than 4 MiB of prose need, and a few seconds at the worst.
constexpr std::size_t kMaxTries = 150'000;

// Words a mention may begin with, beside names of days and months and words of numbers.
constexpr std::string_view kStarts =
    " a an the this that these next last past previous coming following upcoming current same today tod "
    "tomorrow tmr tmrw tommorow "
    "tomorow tommorrow yesterday tonight tonite now right in within after before by until till til since "
    "from between during for on no not later "
    "earlier sooner greater bigger as around circa approximately about starting beginning prior every each "
    "daily weekly monthly "
    "quarterly yearly annually biweekly bimonthly hourly everyday nightly annual semiannual semiannually "
    "biannual biannually fortnightly weekdays "
    "weekends mondays tuesdays wednesdays thursdays fridays saturdays sundays mornings afternoons evenings "
    "nights noon midday "
    "noontime midnight mid half quarter early late later end ending close start middle rest remainder all "
    "few "
    "several couple dozen some noonish remaining working workweek eod cob eob "
    "eow eom eoq eoy ytd mtd qtd year month week q h day morning afternoon evening night nighttime daytime "
    "lunchtime business less more at "
    "once twice weekend ";
// What follows an article that begins a mention and may itself begin none.
constexpr std::string_view kBehindArticle =
    " second seconds minute minutes hour hours day days week weeks weekend fortnight month months quarter "
    "quarters year "
    "years decade decades century single additional full whole present moment night date ";

// Whether a mention may begin with a word, by the word alone; one text says the same words again and again.
class Beginnings {
 public:
  explicit Beginnings(const DateTokens& tokens) : t(tokens) {}
  bool at(std::size_t i) {
    // Within a row of figures there is no date, only at its end: "… 26 10 2016".
    if (t.number(i)) return !(t.number(i + 1) && t.number(i + 2) && t.number(i + 3));
    if (t.is(i, "'")) return true;
    const auto word = t.word(i);
    if (word.empty() || !word_at(i)) return false;
    if (word != "a" && word != "an" && word != "the") return true;
    const auto next = t.word(i + 1);
    if (t.number(i + 1) || t.is(i + 1, "'")) return true;
    return next != "a" && next != "an" && next != "the" && (in_list(kBehindArticle, next) || word_at(i + 1));
  }

 private:
  bool word_at(std::size_t i) {
    const auto word = t.word(i);
    if (word.empty()) return false;
    const auto [known, fresh] = known_.try_emplace(word, false);
    if (fresh)
      known->second = month_number(word) > 0 || weekday_number(word) >= 0 || begins_holiday(word) ||
                      in_list(kStarts, word) || read_number(t, i).has_value() ||
                      read_ordinal(t, i).has_value() || is_tens(word);
    return known->second;
  }
  // "twenty first": what follows decides whether it is an ordinal.
  static bool is_tens(std::string_view word) {
    return in_list(" twenty thirty forty fifty sixty seventy eighty ninety ", word);
  }
  const DateTokens& t;
  std::unordered_map<std::string_view, bool> known_;
};

json::array resolution_of(const DateSense& value) {
  json::array out;
  if (value.type == DateType::duration) {
    out.emplace_back(std::to_string(value.readings.front().start));
    return out;
  }
  if (value.type == DateType::set) return out;
  constexpr std::size_t kMaxReadings = 8;
  const auto written = [&](Seconds t) {
    switch (value.type) {
      case DateType::date:
      case DateType::daterange:
        return iso_date(t);
      case DateType::time:
      case DateType::timerange:
        return iso_time(t);
      default:
        return iso_datetime(t);
    }
  };
  const bool span = value.type == DateType::daterange || value.type == DateType::timerange ||
                    value.type == DateType::datetimerange;
  for (const auto& reading : value.readings) {
    if (out.size() == kMaxReadings) break;
    json::value item;
    if (!span) {
      item = written(reading.start);
    } else {
      json::object object;
      if (reading.has_start) object["start"] = written(reading.start);
      if (reading.has_end) object["end"] = written(reading.end);
      item = std::move(object);
    }
    if (std::ranges::find(out, item) == out.end()) out.push_back(std::move(item));
  }
  return out;
}

std::optional<Date> due_of(const DateSense& value, Date today) {
  if (value.readings.empty() || value.type == DateType::duration || value.type == DateType::set)
    return std::nullopt;
  const Reading& reading = value.readings.front();
  switch (value.type) {
    case DateType::date:
    case DateType::datetime:
      return day_of(reading.start);
    case DateType::time:
      return today;
    case DateType::timerange:
      return reading.has_end ? std::optional(today) : std::nullopt;
    case DateType::daterange:
      if (!reading.has_end) return std::nullopt;
      return value.inclusive_end ? day_of(reading.end) : day_of(reading.end - 1);
    default:
      if (!reading.has_end) return std::nullopt;
      return day_of(reading.end - 1);
  }
}

}  // namespace
}  // namespace impl

std::vector<DateMention> find_dates(std::string_view text, const Context& context) {
  using namespace impl;
  const Source source(text);
  const auto zone = TimeZone::find(context.time_zone).value_or(TimeZone());
  const Seconds now = zone.to_local(context.at).micros / 1'000'000;
  const DateTokens tokens(source.text());
  const DateGrammar grammar(tokens, now);
  Beginnings beginnings(tokens);
  std::vector<DateMention> out;
  std::size_t tries = 0;
  for (std::size_t i = 0; i < tokens.size() && out.size() < kMaxFindings && tries < kMaxTries;) {
    const bool may = beginnings.at(i);
    tries += may ? 1 : 0;
    const auto match = may ? grammar.mention(i) : std::nullopt;
    if (!match || match->next <= i) {
      ++i;
      continue;
    }
    const std::size_t start = tokens.at(i).start, end = tokens.at(match->next - 1).end;
    out.push_back({source.part(start, end), source.span(start, end), std::string(name_of(match->value.type)),
                   resolution_of(match->value), due_of(match->value, day_of(now))});
    i = match->next;
  }
  return out;
}

}  // namespace castiel::content::text
