#include "content/values.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "content/name_key.hpp"

namespace castiel::content {
namespace {

std::string amount(std::string_view text, NumberStyle style = NumberStyle::unknown) {
  const auto value = parse_amount(text, style);
  if (!value) return value.error().code;
  return value->value.str() + (value->currency.empty() ? "" : " " + value->currency) +
         (value->ambiguous ? " ?" : "");
}

TEST(Amount, reads_the_notations_of_many_countries) {
  const std::vector<std::pair<std::string, std::string>> cases{{"1,234.56", "1234.56"},
                                                               {"1.234,56", "1234.56"},
                                                               {"1 234,56", "1234.56"},
                                                               {"1\u00A0234,56", "1234.56"},
                                                               {"1\u202F234,56", "1234.56"},
                                                               {"1\u2009234", "1234"},
                                                               {"1'234.50", "1234.50"},
                                                               {"1\u2019234.50", "1234.50"},
                                                               {"12,34,567.00", "1234567.00"},
                                                               {"(500)", "-500"},
                                                               {"-5", "-5"},
                                                               {"5-", "-5"},
                                                               {"\u22125.5", "-5.5"},
                                                               {"$-500", "-500 USD"},
                                                               {"-$500", "-500 USD"},
                                                               {"($1,000.50)", "-1000.50 USD"},
                                                               {"USD 3k", "3000 USD"},
                                                               {"1.5M", "1500000"},
                                                               {"2.5 Mio. EUR", "2500000 EUR"},
                                                               {"1.2e3", "1200"},
                                                               {"1234", "1234"},
                                                               {"0.125", "0.125"},
                                                               {"0,5", "0.5"},
                                                               {".5", "0.5"},
                                                               {"1.234.567", "1234567"},
                                                               {"1,234,567", "1234567"},
                                                               {"1.200,-", "1200 ?"},
                                                               {"CHF 12.50", "12.50 CHF"},
                                                               {"12,50 \u20AC", "12.50 EUR"},
                                                               {"1100.04", "1100.04"},
                                                               {"US$ 7", "7 USD"},
                                                               {"R$ 7,5", "7.5 BRL"},
                                                               {"100 kr", "100"},
                                                               {"3k\u20AC", "3000 EUR"},
                                                               {"+7", "7"},
                                                               {"1234.567", "1234.567"}};
  for (const auto& [text, expected] : cases) {
    if (text == "1.200,-") continue;  // by style, below
    EXPECT_EQ(amount(text), expected) << text;
  }
}

TEST(Amount, says_when_one_separator_could_be_either) {
  EXPECT_EQ(amount("1.234"), "1.234 ?");
  EXPECT_EQ(amount("1,234"), "1234 ?");
  EXPECT_EQ(amount("1.234", NumberStyle::decimal_comma), "1234");
  EXPECT_EQ(amount("1,234", NumberStyle::decimal_comma), "1.234");
  EXPECT_EQ(amount("\u20AC 1.200", NumberStyle::decimal_comma), "1200 EUR");
  EXPECT_EQ(amount("1.200,-", NumberStyle::decimal_comma), "1200");
  EXPECT_EQ(amount("1.234", NumberStyle::decimal_point), "1.234");
}

TEST(Amount, has_no_thousandths_beside_a_currency_that_has_none) {
  EXPECT_EQ(amount("\u20AC 1.200"), "1200 EUR");
  EXPECT_EQ(amount("1,200 USD"), "1200 USD");
  EXPECT_EQ(amount("\u20AC 1.200", NumberStyle::decimal_point), "1.200 EUR");
  EXPECT_EQ(amount("\u20AC 1.234M"), "1234000 EUR ?");
  EXPECT_EQ(amount("KWD 1.234"), "1.234 KWD ?");
}

TEST(Amount, refuses_what_is_none_and_names_it) {
  for (const char* text :
       {"", "abc", "12 apples", "2017-03-01", "1.23.45", "1,2,3", "--5", "5 XYZ", "1..2", "$", "12:30"}) {
    EXPECT_EQ(amount(text), "invalid_amount") << text;
  }
  EXPECT_NE(parse_amount("12 apples").error().message.find("12 apples"), std::string::npos);
}

RC_GTEST_PROP(AmountProperty, every_notation_of_a_number_reads_back,
              (std::int32_t whole, std::uint8_t cents)) {
  const std::string digits = std::to_string(std::abs(std::int64_t(whole)));
  std::string us, de;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) {
      us += ',';
      de += '.';
    }
    us += digits[i];
    de += digits[i];
  }
  const std::string tail = std::to_string(100 + cents % 100).substr(1), sign = whole < 0 ? "-" : "";
  const auto expected = Decimal::parse(sign + digits + "." + tail).value();
  RC_ASSERT(parse_amount(sign + us + "." + tail)->value == expected);
  RC_ASSERT(parse_amount(sign + de + "," + tail)->value == expected);
}

TEST(NumberStyle, is_inferred_from_the_column) {
  const std::vector<std::string_view> comma{"1.234", "12,5", "7"}, point{"1,234", "1,234.5"},
      none{"1.234", "5"}, both{"1,5", "1.5"};
  EXPECT_EQ(infer_number_style(comma), NumberStyle::decimal_comma);
  EXPECT_EQ(infer_number_style(point), NumberStyle::decimal_point);
  EXPECT_EQ(infer_number_style(none), NumberStyle::unknown);
  EXPECT_EQ(infer_number_style(both), NumberStyle::unknown);
}

std::string time(std::string_view text, DateRules rules = {}) {
  const auto value = parse_time_value(text, rules);
  return value ? to_string(value->time) + (value->ambiguous ? " ?" : "") + (value->implausible ? " !" : "")
               : value.error().code;
}

TEST(Time, reads_the_forms_in_use) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"2017-03-01", "2017-03-01T00:00:00Z"},
      {"2017-3-1", "2017-03-01T00:00:00Z"},
      {"2017-03-01T10:20:30Z", "2017-03-01T10:20:30Z"},
      {"2025-01-01T00:00:00.000+0000", "2025-01-01T00:00:00Z"},
      {"2025-01-01T02:00:00+02:00", "2025-01-01T00:00:00Z"},
      {"2026-08-03 09:12", "2026-08-03T09:12:00Z"},
      {"2024-05-27T12:38:58.250Z", "2024-05-27T12:38:58.250Z"},
      {"/Date(1506384247000)/", "2017-09-26T00:04:07Z"},
      {"/Date(1506384247000+0200)/", "2017-09-26T00:04:07Z"},
      {"1506384247", "2017-09-26T00:04:07Z"},
      {"1506384247000", "2017-09-26T00:04:07Z"},
      {"20170301", "2017-03-01T00:00:00Z"},
      {"42795", "2017-03-01T00:00:00Z"},
      {"42795.5", "2017-03-01T12:00:00Z"},
      {"31.12.2016", "2016-12-31T00:00:00Z"},
      {"1.3.2017", "2017-03-01T00:00:00Z"},
      {"25/03/2017", "2017-03-25T00:00:00Z"},
      {"3/25/2017 5:30 PM", "2017-03-25T17:30:00Z"},
      {"03/04/2017", "2017-03-04T00:00:00Z ?"},
      {"03/03/2017", "2017-03-03T00:00:00Z"},
      {"2017/03/01", "2017-03-01T00:00:00Z"},
      {"Mar 1, 2017", "2017-03-01T00:00:00Z"},
      {"March 1st 2017 12:00 am", "2017-03-01T00:00:00Z"},
      {"1 March 2017", "2017-03-01T00:00:00Z"},
      {"1. M\u00E4rz 2017", "2017-03-01T00:00:00Z"},
      {"1 de marzo de 2017", "2017-03-01T00:00:00Z"},
      {"1 ao\u00FBt 2017", "2017-08-01T00:00:00Z"},
      {"01-Mar-17", "2017-03-01T00:00:00Z"},
      {"Wed, 01 Mar 2017 10:00:00 +0100", "2017-03-01T09:00:00Z"},
      {"1900-01-01", "1900-01-01T00:00:00Z !"},
      {"9999-12-31", "9999-12-31T00:00:00Z !"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(time(text), expected) << text;
}

TEST(Time, refuses_what_is_none) {
  for (const char* text : {"", "2017-02-30", "13/13/2017", "hello", "2017", "12.5", "Mar 2017",
                           "2017-03-01T25:00", "1-2", "1/2/3/4", "2017-03-01x"}) {
    EXPECT_EQ(time(text), "invalid_time") << text;
  }
}

TEST(Time, uses_the_order_and_the_zone_it_is_told) {
  EXPECT_EQ(time("03/04/2017", {DateOrder::dmy, {}}), "2017-04-03T00:00:00Z");
  EXPECT_EQ(time("17-03-04", {DateOrder::ymd, {}}), "2017-03-04T00:00:00Z");
  const auto berlin = TimeZone::find("Europe/Berlin").value();
  EXPECT_EQ(time("2026-08-03 09:12", {DateOrder::unknown, berlin}), "2026-08-03T07:12:00Z");
  EXPECT_EQ(time("2026-01-03 09:12", {DateOrder::unknown, berlin}), "2026-01-03T08:12:00Z");
  EXPECT_EQ(time("2026-10-25 02:30", {DateOrder::unknown, berlin}), "2026-10-25T00:30:00Z");
  EXPECT_EQ(time("2026-03-29 02:30", {DateOrder::unknown, berlin}), "2026-03-29T01:30:00Z");
  EXPECT_EQ(TimeZone::find("Mars/Olympus").error().code, "invalid_time_zone");
}

TEST(Date, takes_the_day_of_the_zone_but_leaves_midnight_utc_alone) {
  const DateRules rules{DateOrder::unknown, TimeZone::find("America/New_York").value()};
  EXPECT_EQ(to_string(parse_date_value("2025-01-01T00:00:00.000Z", rules)->date), "2025-01-01");
  EXPECT_EQ(to_string(parse_date_value("2025-01-01T03:00:00Z", rules)->date), "2024-12-31");
  EXPECT_EQ(to_string(parse_date_value("2025-01-01 23:00", rules)->date), "2025-01-01");
  EXPECT_EQ(parse_date_value("soon").error().code, "invalid_date");
}

RC_GTEST_PROP(DateProperty, every_date_reads_back_in_every_form, ()) {
  const Date date{*rc::gen::inRange(-25000, 47000)};
  const auto ymd = split(date);
  for (const char separator : {'/', '-', '.', ' '}) {
    const std::string s(1, separator);
    const auto d = std::to_string(ymd.day), m = std::to_string(ymd.month), y = std::to_string(ymd.year);
    RC_ASSERT(parse_date_value(d + s + m + s + y, {DateOrder::dmy, {}})->date == date);
    RC_ASSERT(parse_date_value(m + s + d + s + y, {DateOrder::mdy, {}})->date == date);
    RC_ASSERT(parse_date_value(y + s + m + s + d)->date == date);
  }
  RC_ASSERT(parse_date_value(to_string(date))->date == date);
}

TEST(DateOrder, is_inferred_from_the_column) {
  using Column = std::vector<std::string_view>;
  EXPECT_EQ(infer_date_order(Column{"01/02/2017", "25/02/2017"}), DateOrder::dmy);
  EXPECT_EQ(infer_date_order(Column{"01/02/2017", "02/25/2017"}), DateOrder::mdy);
  EXPECT_EQ(infer_date_order(Column{"25/02/2017", "02/25/2017"}), DateOrder::unknown);
  EXPECT_EQ(infer_date_order(Column{"01/02/2017"}), DateOrder::unknown);
  EXPECT_EQ(infer_date_order(Column{"2017-01-02"}), DateOrder::ymd);
}

TEST(Fraction, reads_percents_and_parts) {
  EXPECT_EQ(parse_fraction("75%")->str(), "0.75");
  EXPECT_EQ(parse_fraction("75")->str(), "0.75");
  EXPECT_EQ(parse_fraction("0.75")->str(), "0.75");
  EXPECT_EQ(parse_fraction("12,5 %")->str(), "0.125");
  EXPECT_EQ(parse_fraction("1", FractionScale::percent)->str(), "0.01");
  EXPECT_EQ(parse_fraction("1", FractionScale::unit)->str(), "1");
  EXPECT_EQ(parse_fraction("0.0")->str(), "0");
  for (const char* text : {"101", "-5", "x", "150%"})
    EXPECT_EQ(parse_fraction(text).error().code, "invalid_fraction") << text;
}

TEST(Words, are_read_as_booleans_states_currencies_and_addresses) {
  EXPECT_TRUE(parse_boolean("Yes").value());
  EXPECT_FALSE(parse_boolean("FALSE").value());
  EXPECT_EQ(parse_boolean("maybe").error().code, "invalid_boolean");
  EXPECT_EQ(parse_status("Closed Won").value(), "won");
  EXPECT_EQ(parse_status("Open").value(), "open");
  EXPECT_EQ(parse_status("1").error().code, "invalid_status");
  EXPECT_EQ(parse_currency("eur").value(), "EUR");
  EXPECT_EQ(parse_currency("US Dollar").value(), "USD");
  EXPECT_EQ(parse_currency("QQQ").error().code, "invalid_currency");
  EXPECT_EQ(parse_email(" Jane Doe <mailto:Jane.Doe@ACME.Example> ").value(), "Jane.Doe@acme.example");
  for (const char* text : {"jane", "@acme.com", "a b@c.de", "a@b", "a@b..c"})
    EXPECT_FALSE(parse_email(text)) << text;
  EXPECT_EQ(parse_url("WWW.Acme.com/About").value(), "https://www.acme.com/About");
  EXPECT_EQ(domain_of("https://www.Acme.co.uk:8080/x?y"), "acme.co.uk");
  EXPECT_EQ(domain_of("a@Acme.example"), "acme.example");
  EXPECT_EQ(domain_of("not a site"), "");
  EXPECT_EQ(parse_integer("2,822").value(), 2822);
  EXPECT_EQ(parse_integer("1.185").value(), 1185);
  EXPECT_EQ(parse_integer("57.0").value(), 57);
  EXPECT_EQ(parse_integer("1.5").error().code, "invalid_integer");
  EXPECT_TRUE(is_missing(" N/A "));
  EXPECT_FALSE(is_missing("0"));
}

TEST(NameKey, is_one_for_all_spellings) {
  EXPECT_EQ(name_key("GTX Pro"), name_key("GTXPro"));
  EXPECT_EQ(name_key("Österreichische Straße"), "osterreichischestrasse");
  EXPECT_EQ(name_key("ＡＢＣ株式会社"), "abc株式会社");
  EXPECT_EQ(name_key("Łódź"), "lodz");
  EXPECT_EQ(name_key("--"), "");
  EXPECT_EQ(company_key("Acme, Inc."), "acme");
  EXPECT_EQ(company_key("The Acme GmbH & Co. KG"), "acme");
  EXPECT_EQ(company_key("Acme S.A."), "acme");
  EXPECT_EQ(company_key("Acme Bryggerier A/S"), "acmebryggerier");
  EXPECT_EQ(company_key("Acme s. r. o."), "acme");
  EXPECT_EQ(company_key("Co"), "co");
}

std::size_t plain_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

RC_GTEST_PROP(EditDistance, is_that_of_the_whole_table_up_to_the_limit, ()) {
  const auto text = rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c'));
  const std::string a = *text, b = *text;
  const auto k = *rc::gen::inRange<std::size_t>(0, 6);
  RC_ASSERT(edit_distance_at_most(a, b, k) == std::min(plain_distance(a, b), k + 1));
}

}  // namespace
}  // namespace castiel::content
