#pragma once
// Text of a source into typed values: amounts, dates, times, percents, booleans, addresses, in the notations
// of many countries and tools. Pure and thread-safe; no clock. Every error names the value.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/decimal.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace castiel::content {

enum class NumberStyle { unknown, decimal_point, decimal_comma };
enum class DateOrder { unknown, dmy, mdy, ymd };
enum class FractionScale { unknown, unit, percent };  // 0..1 or 0..100

std::string_view to_string(NumberStyle style);    // "unknown", "point", "comma"
std::string_view to_string(DateOrder order);      // "unknown", "dmy", "mdy", "ymd"
std::string_view to_string(FractionScale scale);  // "unknown", "unit", "percent"
std::optional<NumberStyle> number_style(std::string_view text);
std::optional<DateOrder> date_order(std::string_view text);
std::optional<FractionScale> fraction_scale(std::string_view text);

// Without the white space around it, Unicode's included, and without zero-width characters there.
std::string_view trim(std::string_view text);
// Nothing, or a sign for nothing: "", "-", "--", "null", "n/a", "#N/A", "NaN", "(blank)", "(none)", "\N".
bool is_missing(std::string_view text);

struct Amount {
  Decimal value;
  std::string currency;    // ISO 4217 if the text names one, else empty
  bool ambiguous = false;  // "1.234" in an unknown style: read as 1234 or 1.234, see below
};

// "1,234.56", "1.234,56", "1 234,56", "1'234.50", "12,34,567.00", "(500)", "5-", "€ 1.200", "USD 3k",
// "1.2e3". A single separator before exactly three digits is decimal or grouping only by the style. When that
// is unknown, it is grouping beside a currency of at most two decimals ("€ 1.200"); else a comma is read as
// grouping and a point as decimal, and the amount is marked ambiguous. Error: invalid_amount.
Result<Amount> parse_amount(std::string_view text, NumberStyle style = NumberStyle::unknown);
// The style that all values of a column allow and at least one demands; unknown when none does or they
// disagree (more than one in ten against the majority).
NumberStyle infer_number_style(std::span<const std::string_view> values);

Result<Decimal> parse_number(std::string_view text,
                             NumberStyle style = NumberStyle::unknown);  // invalid_number
// A whole number in the same notations, "2822.0" included. Error: invalid_integer.
Result<std::int64_t> parse_integer(std::string_view text, NumberStyle style = NumberStyle::unknown);
// "75%" is 0.75 in any scale. Unknown scale: more than 1 is a percentage. Error: invalid_fraction, also for
// less than 0 or more than 100 %.
Result<Decimal> parse_fraction(std::string_view text, FractionScale scale = FractionScale::unknown,
                               NumberStyle style = NumberStyle::unknown);
FractionScale infer_fraction_scale(std::span<const std::string_view> values);

// A time zone by its IANA name ("Europe/Berlin", "UTC") or fixed offset ("+02:00"). Cheap to copy;
// thread-safe.
class TimeZone {
 public:
  TimeZone();                                           // UTC
  static Result<TimeZone> find(std::string_view name);  // error: invalid_time_zone
  const std::string& name() const { return name_; }
  // The instant of a local time, given in microseconds as if it were UTC. In the gap of a spring the time
  // that the old offset gives; of the two in autumn the first.
  Timestamp to_utc(Timestamp local) const;
  // The local time of an instant, again as if it were UTC.
  Timestamp to_local(Timestamp instant) const;

 private:
  struct Rules;
  std::string name_ = "UTC";
  std::shared_ptr<const Rules> rules_;
};

struct DateRules {
  DateOrder order = DateOrder::unknown;
  TimeZone zone;  // of times without one; and of the day of a time with one
};

struct DateValue {
  Date date;
  bool implausible = false;  // before 1900-01-02 or after 2100-12-31: a usual marker for "no date"
  bool ambiguous = false;    // day and month could be exchanged and the order is unknown; read as month first
};

struct TimeValue {
  Timestamp time;
  bool date_only = false;  // midnight of the zone
  bool has_zone = false;   // the text names its offset
  bool implausible = false;
  bool ambiguous = false;
};

// ISO, day-month-year in any order with . / - or space, month names (English, German, French, Spanish,
// Italian, Dutch, Portuguese), times with or without seconds, AM/PM and offset, "/Date(1506384247000)/",
// epoch seconds and milliseconds, and days since 1899-12-30 (spreadsheets: 20000 to 80000). Years of two
// digits: 70 to 99 are 19xx.
Result<TimeValue> parse_time_value(std::string_view text, const DateRules& rules = {});  // invalid_time
// The day of it. A time with an offset gives the day in rules.zone, but midnight UTC, with which several
// tools write a plain date, keeps its day. Error: invalid_date.
Result<DateValue> parse_date_value(std::string_view text, const DateRules& rules = {});
// The order that the column's values demand: one with a first number over 12 is dmy, with a second one mdy.
// Unknown when none does, or some demand one and some the other.
DateOrder infer_date_order(std::span<const std::string_view> values);

Result<bool> parse_boolean(std::string_view text);  // true/false, yes/no, 1/0, ja/nein, …; invalid_boolean
// open, won or lost from a status word or stage ("Closed Won", "1" is not one). Error: invalid_status.
Result<std::string> parse_status(std::string_view text);
// ISO 4217 code from "USD", "usd", "$", "US Dollar", "€"; "$" alone is USD. Error: invalid_currency.
Result<std::string> parse_currency(std::string_view text);
// Without "mailto:", "Name <…>" and spaces; the domain in lower case. Error: invalid_email.
Result<std::string> parse_email(std::string_view text);
// With a scheme ("https://" when it has none) and a host in lower case. Error: invalid_url.
Result<std::string> parse_url(std::string_view text);
// The host of an URL or e-mail address without "www.", in lower case; empty when there is none.
std::string domain_of(std::string_view text);

// What most of a column's values look like, for recognition.
enum class ValueShape { empty, text, number, money, date, time, boolean, email, url, percent };
ValueShape shape_of(std::string_view value);
ValueShape column_shape(std::span<const std::string_view> values);

}  // namespace castiel::content
