#include "content/text/impl/due.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "content/text/impl/date_calendar.hpp"
#include "content/text/impl/source.hpp"
#include "content/values.hpp"

namespace castiel::content::text::impl {
namespace {

constexpr std::size_t kMaxTokens = 300;  // of a clause
constexpr int kWidestDays = 8;           // of a span that is a deadline without "by"
constexpr int kMaxPastDays = 45;         // a day without a year further back is next year's

Date today_of(const Context& context) {
  const auto zone = TimeZone::find(context.time_zone).value_or(TimeZone());
  return day_of(zone.to_local(context.at).micros / 1'000'000);
}

// --- English
// -----------------------------------------------------------------------------------------------------

bool is_deadline_word(std::string_view word) {
  return in_list(" by before until till due latest eod eow eom cob deadline end within ", word);
}

std::string_view word_before(std::string_view text, std::size_t at) {
  while (at > 0 && !is_word_byte(text[at - 1])) --at;
  const auto end = at;
  while (at > 0 && is_word_byte(text[at - 1])) --at;
  return text.substr(at, end - at);
}

int days_of(const DateMention& mention) {
  if (mention.resolution.empty() || !mention.resolution.front().is_object()) return 1;
  const auto& span = mention.resolution.front().get_object();
  const auto start = parse_date(string_or(span, "start").substr(0, 10)),
             end = parse_date(string_or(span, "end").substr(0, 10));
  return start && end ? *end - *start : 1;
}

std::optional<Due> english_due(std::string_view clause, const Context& context) {
  const auto today = today_of(context);
  std::optional<Due> best;
  for (const auto& date : find_dates(clause, context)) {
    if (!date.due || *date.due < today || date.type == "time" || date.type == "duration" ||
        date.type == "set")
      continue;
    const auto words = lower(date.text);
    if (words == "now" || words == "right now" || words == "currently" || words == "same") continue;
    const auto first = std::string_view(words).substr(0, words.find(' '));
    const auto at = slice(clause, date.span).data() - clause.data();
    const bool deadline = is_deadline_word(first) || words.find("end of") != std::string::npos ||
                          is_deadline_word(lower(word_before(clause, static_cast<std::size_t>(at))));
    const bool year_alone = words.size() == 4 && std::ranges::all_of(words, is_digit);
    if (!deadline && (year_alone || days_of(date) > kWidestDays)) continue;
    std::string shown = date.text;
    while (!shown.empty() && (shown.back() == '.' || shown.back() == ',')) shown.pop_back();
    if (!best || deadline) best = Due{*date.due, std::move(shown)};
    if (deadline) break;
  }
  return best;
}

// --- other languages
// ---------------------------------------------------------------------------------------------

struct Token {
  std::string word;  // lower case; digits as they stand
  std::size_t start, end;
  bool dot = false;  // a full stop follows at once
};

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> out;
  for (std::size_t i = 0; i < text.size() && out.size() < kMaxTokens;) {
    if (!is_word_byte(text[i])) {
      ++i;
      continue;
    }
    const bool digits = is_digit(text[i]);
    std::size_t end = i;
    while (end < text.size() &&
           (digits ? is_digit(text[end]) : is_word_byte(text[end]) && !is_digit(text[end])))
      ++end;
    out.push_back({lower(text.substr(i, end - i)), i, end, end < text.size() && text[end] == '.'});
    i = end;
  }
  return out;
}

struct Names {
  std::array<std::string_view, 12> months;   // with their short forms
  std::array<std::string_view, 7> weekdays;  // Monday first
  std::string_view deadlines, today, tomorrow, after_tomorrow, next, this_one, week, weeks, days, in, end,
      fill;
};
constexpr Names kGerman = {{" januar jan jänner ", " februar feb ", " märz mär maerz ", " april apr ",
                            " mai ", " juni jun ", " juli jul ", " august aug ", " september sep sept ",
                            " oktober okt ", " november nov ", " dezember dez "},
                           {" montag mo ", " dienstag di ", " mittwoch mi ", " donnerstag do ",
                            " freitag fr ", " samstag sonnabend sa ", " sonntag so "},
                           " bis vor spätestens zum ",
                           " heute ",
                           " morgen ",
                           " übermorgen ",
                           " nächste nächsten nächster kommende kommenden kommender ",
                           " diese diesen dieser ",
                           " woche ",
                           " wochen ",
                           " tagen ",
                           " in ",
                           " ende ",
                           " zum zur am den dem der des einschließlich spätestens nächsten "};
constexpr Names kFrench = {
    {" janvier ", " février ", " mars ", " avril ", " mai ", " juin ", " juillet ", " août ", " septembre ",
     " octobre ", " novembre ", " décembre "},
    {" lundi ", " mardi ", " mercredi ", " jeudi ", " vendredi ", " samedi ", " dimanche "},
    " avant ici jusqu tard pour ",
    " aujourd ",
    " demain ",
    " surlendemain ",
    " prochain prochaine ",
    " cette ",
    " semaine ",
    " semaines ",
    " jours ",
    " dans ",
    " fin ",
    " le la au du de d l à "};
constexpr Names kSpanish = {
    {" enero ", " febrero ", " marzo ", " abril ", " mayo ", " junio ", " julio ", " agosto ", " septiembre ",
     " octubre ", " noviembre ", " diciembre "},
    {" lunes ", " martes ", " miércoles ", " jueves ", " viernes ", " sábado ", " domingo "},
    " antes hasta para ",
    " hoy ",
    " mañana ",
    "  ",
    " próximo próxima ",
    " esta ",
    " semana ",
    " semanas ",
    " días ",
    " en ",
    " fin finales ",
    " el la los de del al "};
constexpr Names kItalian = {
    {" gennaio ", " febbraio ", " marzo ", " aprile ", " maggio ", " giugno ", " luglio ", " agosto ",
     " settembre ", " ottobre ", " novembre ", " dicembre "},
    {" lunedì ", " martedì ", " mercoledì ", " giovedì ", " venerdì ", " sabato ", " domenica "},
    " entro prima fino per ",
    " oggi ",
    " domani ",
    " dopodomani ",
    " prossimo prossima ",
    " questa ",
    " settimana ",
    " settimane ",
    " giorni ",
    " tra fra ",
    " fine ",
    " il la lo di del al l "};

const Names& names_of(std::string_view language) {
  return language == "fr" ? kFrench : language == "es" ? kSpanish : language == "it" ? kItalian : kGerman;
}

std::optional<int> number_at(const std::vector<Token>& t, std::size_t i, int least, int most) {
  if (i >= t.size()) return std::nullopt;
  int value = 0;
  const auto& word = t[i].word;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value < least || value > most)
    return std::nullopt;
  return value;
}

class ForeignDays {
 public:
  ForeignDays(std::string_view text, const Names& names, Date today)
      : text_(text), names_(names), today_(today), tokens_(tokens_of(text)) {}

  std::optional<Due> best() {
    std::optional<Due> found;
    for (std::size_t i = 0; i < tokens_.size();) {
      std::size_t next = i;
      const auto day = read(i, next);
      if (!day) {
        ++i;
        continue;
      }
      const auto from = deadline_before(i);
      if (*day >= today_ && !is_beginning(i) && (!found || from)) {
        const auto start = tokens_[from.value_or(i)].start;
        found = Due{*day, std::string(text_.substr(start, tokens_[next - 1].end - start))};
        if (from) break;
      }
      i = next;
    }
    return found;
  }

 private:
  bool is(std::size_t i, std::string_view list) const {
    return i < tokens_.size() && in_list(list, tokens_[i].word);
  }
  std::string_view raw(std::size_t i) const {
    return text_.substr(tokens_[i].start, tokens_[i].end - tokens_[i].start);
  }

  // The word that makes a deadline of the day at a token.
  std::optional<std::size_t> deadline_before(std::size_t i) const {
    for (std::size_t back = 1; back <= 3 && back <= i; ++back) {
      std::size_t at = i - back;
      if (is(at, names_.deadlines)) {
        if (at > 0 && is(at - 1, names_.deadlines)) --at;  // "bis zum"
        return at;
      }
      if (!is(at, names_.fill)) return std::nullopt;
    }
    return std::nullopt;
  }
  // "nach dem 2. Dezember": not before that day, so no deadline.
  bool is_beginning(std::size_t i) const {
    for (std::size_t back = 1; back <= 3 && back <= i; ++back) {
      if (is(i - back, " nach ab seit apr\xC3\xA8s d\xC3\xA8s depuis desde despu\xC3\xA9s dopo "))
        return true;
      if (!is(i - back, names_.fill)) return false;
    }
    return false;
  }

  int month_at(std::size_t i) const {
    for (std::size_t m = 0; m < 12; ++m) {
      if (is(i, names_.months[m])) return static_cast<int>(m) + 1;
    }
    return 0;
  }

  Date of_year(int month, int day) const {
    const int year = split(today_).year;
    const auto this_year = make_date(year, month, day);
    if (this_year && *this_year >= today_ - kMaxPastDays) return *this_year;
    return make_date(year + 1, month, day).value_or(this_year.value_or(today_ - 1));
  }

  std::optional<Date> dated(int day, int month, std::size_t& next) const {
    std::size_t year_at = next;
    if (is(year_at, " de del ")) ++year_at;
    if (const auto year = number_at(tokens_, year_at, 1990, 2199)) {
      next = year_at + 1;
      return make_date(*year, month, day);
    }
    if (!make_date(2024, month, day)) return std::nullopt;
    return of_year(month, day);
  }

  std::optional<Date> weekday(std::size_t i, std::size_t& next) const {
    for (std::size_t d = 0; d < 7; ++d) {
      if (!is(i, names_.weekdays[d])) continue;
      if (raw(i).size() <= 2 && !(tokens_[i].dot && is_upper(raw(i)[0])))
        continue;  // "so", "mi" are words too
      next = i + 1;
      // "Freitag, 4. September" is the date.
      std::size_t behind = next;
      while (behind < next + 3 && is(behind, names_.fill)) ++behind;
      if (const auto date = numbered(behind, behind)) {
        next = behind;
        return date;
      }
      auto day = monday_of(today_) + static_cast<int>(d);
      if (is(next, names_.next) && is(next + 1, names_.week)) {
        next += 2;
        return day + 7;
      }
      if (is(next, names_.next)) ++next;
      return day < today_ ? day + 7 : day;
    }
    return std::nullopt;
  }

  std::optional<Date> numbered(std::size_t i, std::size_t& next) const {
    const auto day = number_at(tokens_, i, 1, 31);
    if (!day) return std::nullopt;
    std::size_t at = i + 1;
    if (is(at, " de d ")) ++at;
    if (const int month = month_at(at); month > 0) {
      next = at + 1;
      return dated(*day, month, next);
    }
    const char mark = tokens_[i].end < text_.size() ? text_[tokens_[i].end] : ' ';
    if (mark != '.' && mark != '/') return std::nullopt;
    const auto month = number_at(tokens_, i + 1, 1, 12);
    if (!month || tokens_[i + 1].start - tokens_[i].end > 2 || (mark == '.' && !tokens_[i + 1].dot))
      return std::nullopt;
    next = i + 2;
    return dated(*day, *month, next);
  }

  std::optional<Date> end_of(std::size_t i, std::size_t& next) const {
    std::size_t at = i + 1;
    while (at < i + 3 && is(at, names_.fill)) ++at;
    const bool coming = is(at, names_.next);
    if (coming || is(at, names_.this_one)) ++at;
    if (is(at, names_.week)) {
      next = at + 1;
      return monday_of(today_) + 4 + (coming ? 7 : 0);
    }
    int month = month_at(at);
    Date first = of_month(today_);
    if (month > 0) {
      const auto [year, current, day] = split(today_);
      first = first_of_month(year + (month < current ? 1 : 0), month);
    } else if (!is(at, " monats monat mois mes mese ")) {
      return std::nullopt;
    }
    next = at + 1;
    return add_months(first, coming ? 2 : 1) - 1;
  }

  static Date of_month(Date day) { return first_of_month(split(day).year, split(day).month); }

  std::optional<Date> read(std::size_t i, std::size_t& next) const {
    if (const auto date = numbered(i, next)) return date;
    if (const auto date = weekday(i, next)) return date;
    if (is(i, names_.end)) return end_of(i, next);
    next = i + 1;
    if (is(i, " monatsende ")) return add_months(of_month(today_), 1) - 1;
    if (is(i, names_.today)) return today_;
    if (is(i, names_.after_tomorrow)) return today_ + 2;
    // "Guten Morgen", "am Morgen", "ab morgen" set no day.
    if (is(i, names_.tomorrow) && !is_upper(raw(i)[0]) &&
        (i == 0 || !is(i - 1, " guten am ab por buena la ")))
      return today_ + 1;
    if (is(i, names_.tomorrow) && i == 0) return today_ + 1;
    if ((is(i, names_.this_one) || is(i, names_.next)) && is(i + 1, names_.week)) {
      next = i + 2;
      return monday_of(today_) + 6 + (is(i, names_.next) ? 7 : 0);
    }
    if (is(i, names_.week) && is(i + 1, names_.next)) {
      next = i + 2;
      return monday_of(today_) + 13;
    }
    if (is(i, names_.in)) {
      const auto many = number_at(tokens_, i + 1, 1, 60);
      const auto named = is(i + 1, " einer une una ")         ? 1
                         : is(i + 1, " zwei deux dos due ")   ? 2
                         : is(i + 1, " drei trois tres tre ") ? 3
                                                              : 0;
      const int count = many.value_or(named);
      next = i + 3;
      if (count > 0 && (is(i + 2, names_.weeks) || is(i + 2, names_.week))) return today_ + 7 * count;
      if (count > 0 && is(i + 2, names_.days)) return today_ + count;
    }
    if (is(i, " kw ")) {
      if (const auto week = number_at(tokens_, i + 1, 1, 53)) {
        next = i + 2;
        const int year = split(today_).year;
        const auto day = iso_week(year, *week) + 6;
        return day < today_ - kMaxPastDays ? iso_week(year + 1, *week) + 6 : day;
      }
    }
    // "bis Oktober": a month is a deadline only behind such a word.
    if (const int month = month_at(i); month > 0 && deadline_before(i)) {
      next = i + 1;
      const auto [year, current, day] = split(today_);
      return add_months(first_of_month(year + (month < current ? 1 : 0), month), 1) - 1;
    }
    return std::nullopt;
  }

  std::string_view text_;
  const Names& names_;
  Date today_;
  std::vector<Token> tokens_;
};

}  // namespace

std::optional<Due> find_due(std::string_view clause, std::string_view language, const Context& context) {
  if (language == "de" || language == "fr" || language == "es" || language == "it")
    return ForeignDays(clause, names_of(language), today_of(context)).best();
  return english_due(clause, context);
}

}  // namespace castiel::content::text::impl
