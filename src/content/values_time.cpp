#include <fmt/format.h>
#include <unicode/basictz.h>
#include <unicode/timezone.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "content/impl/values_common.hpp"
#include "content/name_key.hpp"
#include "content/values.hpp"

namespace castiel::content {

struct TimeZone::Rules {
  std::unique_ptr<icu::BasicTimeZone> zone;
};

namespace {

using impl::is_digit;

constexpr std::int64_t kMicros = 1'000'000;
constexpr std::int64_t kDaySeconds = 86'400;

// What a text says, before a zone is applied.
struct Moment {
  Date date;
  std::int64_t micros = 0;  // of the day
  bool has_time = false;
  std::optional<std::int32_t> offset;  // seconds east of UTC, where the text says so
  bool ambiguous = false;
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  bool done() const { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  bool take_any(std::string_view chars) {
    if (done() || chars.find(peek()) == chars.npos) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    for (;;) {
      if (peek() == ' ' || peek() == '\t')
        ++at_;
      else if (text_.substr(at_).starts_with("\xC2\xA0"))
        at_ += 2;
      else if (text_.substr(at_).starts_with("\xE2\x80\xAF"))
        at_ += 3;  // before AM and PM, by some locales
      else
        return;
    }
  }
  // A run of digits, at most nine; `length` 0 if there is none.
  int number(std::size_t& length) {
    int value = 0;
    length = 0;
    while (length < 9 && is_digit(peek())) {
      value = value * 10 + (peek() - '0');
      ++at_;
      ++length;
    }
    return value;
  }
  // A run of letters (every byte over 0x7F counts as one).
  std::string_view word() {
    const std::size_t from = at_;
    while (!done()) {
      const auto c = static_cast<unsigned char>(peek());
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80)) break;
      ++at_;
    }
    return text_.substr(from, at_ - from);
  }
  std::string_view rest() const { return text_.substr(at_); }
  std::size_t mark() const { return at_; }
  void back_to(std::size_t mark) { at_ = mark; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

struct MonthNames {
  int month;
  std::string_view names;  // keys between spaces
};
constexpr std::array<MonthNames, 12> kMonths{{
    {1, " jan january januar janvier janv enero ene gennaio gen januari janeiro jaenner janner "},
    {2, " feb february februar fevrier fevr fev febrero febbraio februari fevereiro "},
    {3, " mar march marz maerz mrz mars marzo maart mrt marco "},
    {4, " apr april avril avr abril abr aprile "},
    {5, " may mai mayo maggio mag mei maio "},
    {6, " jun june juni juin junio giugno giu junho "},
    {7, " jul july juli juillet juil julio luglio lug julho "},
    {8, " aug august aout agosto ago augustus "},
    {9, " sep sept september septembre septiembre settembre set setembro "},
    {10, " oct october okt oktober octobre octubre ottobre ott outubro out "},
    {11, " nov november novembre noviembre novembro "},
    {12, " dec december dez dezember decembre diciembre dic dicembre dezembro "},
}};
constexpr std::string_view kWeekdays =
    " mon monday tue tues tuesday wed wednesday thu thur thurs thursday fri friday sat saturday sun sunday "
    "mo montag di "
    "dienstag mi mittwoch do donnerstag fr freitag sa samstag so sonntag ";

int month_of(std::string_view word) {
  if (word.size() < 3) return 0;
  const std::string key = " " + name_key(word) + " ";
  if (key.size() < 5) return 0;
  for (const auto& [month, names] : kMonths) {
    if (names.find(key) != names.npos) return month;
  }
  return 0;
}

bool is_weekday(std::string_view word) {
  return word.size() >= 2 && kWeekdays.find(" " + impl::ascii_lower(word) + " ") != kWeekdays.npos;
}

int full_year(int year, std::size_t digits) {
  if (digits > 2) return year;
  return year >= 70 ? 1900 + year : 2000 + year;
}

// "17:30", "5:30:01.25 PM", with "Z", "+0100", "UTC" and a zone's name in brackets after it.
bool scan_time(Scanner& in, Moment& moment) {
  std::size_t length = 0;
  int hour = in.number(length);
  if (length == 0 || length > 2) return false;
  int minute = 0, second = 0;
  std::int64_t fraction = 0;
  bool colon = false;
  if (in.take(':')) {
    colon = true;
    minute = in.number(length);
    if (length != 2) return false;
    if (in.take(':')) {
      second = in.number(length);
      if (length != 2) return false;
      if ((in.peek() == '.' || in.peek() == ',') && is_digit(in.peek(1))) {
        in.take_any(".,");
        std::int64_t unit = kMicros / 10;
        for (; is_digit(in.peek()); in.take(in.peek()), unit /= 10) fraction += (in.peek() - '0') * unit;
      }
    }
  }
  in.skip_space();
  const std::size_t before_word = in.mark();
  const std::string word = impl::ascii_lower(in.word());
  bool zone_word = false;
  if (word == "am" || word == "pm") {
    if (hour < 1 || hour > 12) return false;
    hour = hour % 12 + (word == "pm" ? 12 : 0);
    colon = true;
    in.skip_space();
  } else if (word == "z" || word == "utc" || word == "gmt") {
    moment.offset = 0;
    zone_word = true;
  } else if (word == "uhr") {
    colon = true;
    in.skip_space();
  } else {
    in.back_to(before_word);
  }
  if (!colon || hour > 24 || minute > 59 || second > 60 || (hour == 24 && (minute != 0 || second != 0)))
    return false;
  if (!zone_word) {
    const std::size_t mark = in.mark();
    const std::string zone = impl::ascii_lower(in.word());
    if (zone == "utc" || zone == "gmt" || zone == "z")
      moment.offset = 0;
    else
      in.back_to(mark);
  }
  if (in.peek() == '+' || in.peek() == '-') {
    const bool west = in.peek() == '-';
    in.take_any("+-");
    int hours = in.number(length), minutes = 0;
    if (length == 4) {
      minutes = hours % 100;
      hours /= 100;
    } else if (length == 1 || length == 2) {
      if (in.take(':')) {
        minutes = in.number(length);
        if (length != 2) return false;
      }
    } else {
      return false;
    }
    if (hours > 18 || minutes > 59) return false;
    moment.offset = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
  }
  in.skip_space();
  if (in.peek() == '(' && in.rest().ends_with(')')) in.back_to(in.mark() + in.rest().size());
  moment.has_time = true;
  moment.micros = (hour * 3600 + minute * 60 + std::min(second, 59)) * kMicros + fraction;
  return true;
}

bool set_date(Moment& moment, int year, int month, int day) {
  const auto date = make_date(year, month, day);
  if (!date || year < 1) return false;
  moment.date = *date;
  return true;
}

// Two numbers that are day and month in an order to be found.
bool set_by_order(Moment& moment, int a, int b, int year, char separator, DateOrder order) {
  if (a > 12 && b > 12) return false;
  const bool open = a <= 12 && b <= 12;
  bool day_first = a > 12;
  if (open) {
    day_first = order == DateOrder::dmy || (order != DateOrder::mdy && separator == '.');
    moment.ambiguous = a != b && order != DateOrder::dmy && order != DateOrder::mdy && separator != '.';
  }
  return day_first ? set_date(moment, year, b, a) : set_date(moment, year, a, b);
}

bool scan_date(Scanner& in, Moment& moment, DateOrder order) {
  std::size_t length = 0;
  const std::size_t start = in.mark();
  if (!is_digit(in.peek())) {
    std::string_view word = in.word();
    if (is_weekday(word)) {
      in.take('.');
      in.take(',');
      in.skip_space();
      if (is_digit(in.peek())) return scan_date(in, moment, order);
      word = in.word();
    }
    // "Mar 1, 2017", "March 1st 2017"
    const int month = month_of(word);
    if (month == 0) return false;
    in.take('.');
    in.take_any("-/");
    in.skip_space();
    const int day = in.number(length);
    if (length == 0 || length > 2) return false;
    const std::size_t mark = in.mark();
    const std::string suffix = impl::ascii_lower(in.word());
    if (suffix != "st" && suffix != "nd" && suffix != "rd" && suffix != "th") in.back_to(mark);
    in.take_any(",-/");
    in.skip_space();
    const int year = in.number(length);
    if (length != 4 && length != 2) return false;
    return set_date(moment, full_year(year, length), month, day);
  }
  const int first = in.number(length);
  const std::size_t first_length = length;
  if (length != 4 && length > 2) return false;
  {
    const std::size_t mark = in.mark();
    const std::string suffix = impl::ascii_lower(in.word());
    if (first_length > 2 || (suffix != "st" && suffix != "nd" && suffix != "rd" && suffix != "th"))
      in.back_to(mark);
  }
  const std::size_t after_first = in.mark();
  in.take_any(".-/,");
  in.skip_space();
  std::string_view word = in.word();
  if (impl::ascii_lower(word) == "de") {
    in.skip_space();
    word = in.word();
  }
  if (const int month = month_of(word)) {
    // "1 March 2017", "01-Mar-17", "2017-Mar-01"
    in.take('.');
    in.take_any("-/,");
    in.skip_space();
    if (in.rest().starts_with("de ")) {
      in.word();
      in.skip_space();
    }
    const int last = in.number(length);
    if (first_length == 4) return length >= 1 && length <= 2 && set_date(moment, first, month, last);
    return (length == 4 || length == 2) && set_date(moment, full_year(last, length), month, first);
  }
  in.back_to(after_first);
  const char separator = in.peek();
  if (!in.take_any(".-/ ")) return false;
  if (separator == '.') in.skip_space();
  const int second = in.number(length);
  if (length == 0 || length > 2) return false;
  if (!in.take(separator)) return false;
  if (separator == '.') in.skip_space();
  const int third = in.number(length);
  (void)start;
  if (first_length == 4) return length >= 1 && length <= 2 && set_date(moment, first, second, third);
  if (length == 2 && order == DateOrder::ymd)
    return set_date(moment, full_year(first, first_length), second, third);
  if (length != 4 && length != 2) return false;
  return set_by_order(moment, first, second, full_year(third, length), separator, order);
}

std::optional<Moment> from_instant(std::int64_t micros) {
  // 0001-01-01 to 9999-12-31, the years that other forms can write.
  if (micros < -62'135'596'800LL * kMicros || micros >= 253'402'300'800LL * kMicros) return std::nullopt;
  Moment moment;
  moment.date = date_of(Timestamp{micros});
  moment.micros = micros - start_of(moment.date).micros;
  moment.has_time = true;
  moment.offset = 0;
  return moment;
}

// Digits only: epoch, YYYYMMDD, YYYYMMDDhhmmss, or the days of a spreadsheet with a fraction for the time.
std::optional<Moment> scan_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  const std::string_view decimals = point < text.size() ? text.substr(point + 1) : std::string_view();
  if (whole.empty() || whole.size() > 16 || !std::ranges::all_of(whole, is_digit) ||
      !std::ranges::all_of(decimals, is_digit)) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  std::from_chars(whole.data(), whole.data() + whole.size(), value);
  const auto two = [&](std::size_t at) { return (whole[at] - '0') * 10 + (whole[at + 1] - '0'); };
  Moment moment;
  if (whole.size() == 5 && !negative && value >= 20'000 && value <= 80'000) {
    // Day 0 of spreadsheets is 1899-12-30 for every day after February 1900.
    moment.date = Date{static_cast<std::int32_t>(value) - 25'569};
    if (!decimals.empty()) {
      double part = 0;
      const std::string fraction = "0." + std::string(decimals);
      std::from_chars(fraction.data(), fraction.data() + fraction.size(), part);
      const auto seconds = static_cast<std::int64_t>(part * static_cast<double>(kDaySeconds) + 0.5);
      moment.has_time = seconds > 0;
      moment.micros = std::min(seconds, kDaySeconds - 1) * kMicros;
    }
    return moment;
  }
  if (whole.size() == 13) return from_instant((negative ? -value : value) * 1000);
  if (whole.size() == 10) {
    std::int64_t micros = value * kMicros, unit = kMicros / 10;
    for (const char c : decimals) {
      micros += (c - '0') * unit;
      unit /= 10;
    }
    return from_instant(negative ? -micros : micros);
  }
  if (whole.size() == 16) return from_instant(negative ? -value : value);
  if (negative || !decimals.empty()) return std::nullopt;
  if (whole.size() == 8 || whole.size() == 14) {
    if (!set_date(moment, two(0) * 100 + two(2), two(4), two(6))) return std::nullopt;
    if (whole.size() == 14) {
      if (two(8) > 23 || two(10) > 59 || two(12) > 59) return std::nullopt;
      moment.has_time = true;
      moment.micros = (two(8) * 3600 + two(10) * 60 + two(12)) * kMicros;
    }
    return moment;
  }
  return std::nullopt;
}

std::optional<Moment> scan_moment(std::string_view text, DateOrder order) {
  text = trim(text);
  if (text.empty() || text.size() > 80) return std::nullopt;
  if (text.starts_with("/Date(") && text.ends_with(")/")) {
    const std::string_view inner = text.substr(6, text.size() - 8);
    std::int64_t millis = 0;
    const auto [end, error] = std::from_chars(inner.data(), inner.data() + inner.size(), millis);
    // An offset after the milliseconds is for display only.
    if (error != std::errc() || (end != inner.data() + inner.size() && *end != '+' && *end != '-'))
      return std::nullopt;
    if (millis > 253'402'300'800'000LL || millis < -62'135'596'800'000LL) return std::nullopt;
    return from_instant(millis * 1000);
  }
  if (auto moment = scan_number(text)) return moment;
  Scanner in(text);
  Moment moment;
  if (!scan_date(in, moment, order)) return std::nullopt;
  if (in.done()) return moment;
  // Between date and time: "T", a comma, "at", "um" or spaces; of the JavaScript form nothing but a space.
  const bool joined = in.take('T') || in.take('t');
  if (!joined) {
    const std::size_t before = in.mark();
    in.take(',');
    in.skip_space();
    const std::size_t mark = in.mark();
    const std::string word = impl::ascii_lower(in.word());
    if (word == "at" || word == "um" || word == "de")
      in.skip_space();
    else
      in.back_to(mark);
    if (in.mark() == before) {
      // "2017-03-01Z" and "2017-03-01+01:00" are dates with a zone.
      if (in.take('Z') && in.done()) return moment;
      return std::nullopt;
    }
  }
  if (!scan_time(in, moment)) return std::nullopt;
  in.skip_space();
  if (!in.done()) return std::nullopt;
  return moment;
}

bool is_implausible(Date date) {
  static const Date kFirst = *make_date(1900, 1, 1), kLast = *make_date(2100, 12, 31);
  return date <= kFirst || date > kLast;
}

}  // namespace

TimeZone::TimeZone() = default;

Result<TimeZone> TimeZone::find(std::string_view name) {
  TimeZone zone;
  const std::string_view id = trim(name);
  if (id.empty() || id == "UTC" || id == "Z" || id == "GMT" || id == "Etc/UTC") return zone;
  std::string text(id);
  if (text.front() == '+' || text.front() == '-') text.insert(0, "GMT");
  if (text.size() > 64) text.clear();
  std::unique_ptr<icu::TimeZone> found(icu::TimeZone::createTimeZone(icu::UnicodeString::fromUTF8(text)));
  auto* basic = dynamic_cast<icu::BasicTimeZone*>(found.get());
  if (basic == nullptr || *found == icu::TimeZone::getUnknown()) {
    return permanent("invalid_time_zone",
                     fmt::format("'{}' is no time zone: expected a name such as Europe/Berlin, or UTC",
                                 impl::shown(name)));
  }
  found.release();
  auto rules = std::make_shared<Rules>();
  rules->zone.reset(basic);
  zone.name_ = id;
  zone.rules_ = std::move(rules);
  return zone;
}

Timestamp TimeZone::to_utc(Timestamp local) const {
  if (!rules_) return local;
  UErrorCode status = U_ZERO_ERROR;
  int32_t raw = 0, saving = 0;
  rules_->zone->getOffsetFromLocal(static_cast<double>(local.micros / 1000), UCAL_TZ_LOCAL_FORMER,
                                   UCAL_TZ_LOCAL_FORMER, raw, saving, status);
  return U_FAILURE(status) ? local : local - std::chrono::milliseconds(raw + saving);
}

Timestamp TimeZone::to_local(Timestamp instant) const {
  if (!rules_) return instant;
  UErrorCode status = U_ZERO_ERROR;
  int32_t raw = 0, saving = 0;
  rules_->zone->getOffset(static_cast<double>(instant.micros / 1000), false, raw, saving, status);
  return U_FAILURE(status) ? instant : instant + std::chrono::milliseconds(raw + saving);
}

Result<TimeValue> parse_time_value(std::string_view text, const DateRules& rules) {
  const auto moment = scan_moment(text, rules.order);
  if (!moment) {
    return permanent("invalid_time",
                     fmt::format("'{}' is not a date or time in a known form", impl::shown(text)));
  }
  TimeValue value;
  const Timestamp local{start_of(moment->date).micros + moment->micros};
  value.time = moment->offset ? local - std::chrono::seconds(*moment->offset) : rules.zone.to_utc(local);
  value.date_only = !moment->has_time;
  value.has_zone = moment->offset.has_value();
  value.implausible = is_implausible(moment->date);
  value.ambiguous = moment->ambiguous;
  return value;
}

Result<DateValue> parse_date_value(std::string_view text, const DateRules& rules) {
  const auto moment = scan_moment(text, rules.order);
  if (!moment) {
    return permanent("invalid_date", fmt::format("'{}' is not a date in a known form", impl::shown(text)));
  }
  DateValue value;
  value.date = moment->date;
  value.ambiguous = moment->ambiguous;
  if (moment->offset && !(*moment->offset == 0 && moment->micros == 0)) {
    const Timestamp instant =
        Timestamp{start_of(moment->date).micros + moment->micros} - std::chrono::seconds(*moment->offset);
    value.date = date_of(rules.zone.to_local(instant));
  }
  value.implausible = is_implausible(value.date);
  return value;
}

DateOrder infer_date_order(std::span<const std::string_view> values) {
  std::size_t dmy = 0, mdy = 0, ymd = 0;
  for (const auto value : values) {
    Scanner in(trim(value));
    std::size_t first_length = 0, second_length = 0, third_length = 0;
    const int first = in.number(first_length);
    const char separator = in.peek();
    if (first_length == 0 || first_length == 3 || first_length > 4 || !in.take_any(".-/ ")) continue;
    const int second = in.number(second_length);
    if (second_length == 0 || second_length > 2 || !in.take(separator)) continue;
    if (first_length == 4) {
      ++ymd;
      continue;
    }
    in.number(third_length);
    if (third_length != 4 && third_length != 2) continue;
    if (separator == '.' || (first > 12 && second <= 12))
      ++dmy;
    else if (second > 12 && first <= 12)
      ++mdy;
  }
  if (dmy > 0 && mdy > 0) return DateOrder::unknown;
  if (dmy > 0) return DateOrder::dmy;
  if (mdy > 0) return DateOrder::mdy;
  return ymd > 0 ? DateOrder::ymd : DateOrder::unknown;
}

}  // namespace castiel::content
