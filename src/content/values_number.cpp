#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "base/utf8.hpp"
#include "content/impl/values_common.hpp"
#include "content/values.hpp"

namespace castiel::content {
namespace {

using impl::is_digit;

// The number inside of an amount's text, with its separators.
struct Digits {
  std::vector<std::string> groups;  // between separators
  std::string separators;           // '.', ',', ' ' (any space), '\''
  std::string exponent;             // of "1.2e3"
};

struct Reading {
  std::string plain;       // "1234.56"
  bool ambiguous = false;  // one separator before three digits
  char decimal = 0;        // '.' or ',' when the text demands it to be the decimal point
};

// One separator of a number at `text`: its class and length in bytes; 0 for something else.
std::pair<char, std::size_t> separator_at(std::string_view text) {
  switch (text.front()) {
    case '.':
    case ',':
    case ' ':
    case '\'':
      return {text.front(), 1};
    default:
      break;
  }
  for (const std::string_view space : {"\xC2\xA0", "\xE2\x80\x89", "\xE2\x80\xAF", "\xE2\x80\x87"}) {
    if (text.starts_with(space)) return {' ', space.size()};
  }
  if (text.starts_with("\xE2\x80\x99")) return {'\'', 3};  // right single quotation mark
  return {0, 0};
}

std::optional<Digits> split_digits(std::string_view body) {
  Digits digits;
  digits.groups.emplace_back();
  std::size_t i = 0;
  while (i < body.size()) {
    if (is_digit(body[i])) {
      digits.groups.back().push_back(body[i++]);
      continue;
    }
    if ((body[i] == 'e' || body[i] == 'E') && i > 0 && i + 1 < body.size()) {
      std::size_t j = i + 1;
      if (body[j] == '+' || body[j] == '-') ++j;
      if (j >= body.size() || body.size() - j > 2 ||
          !std::all_of(body.begin() + static_cast<std::ptrdiff_t>(j), body.end(), is_digit)) {
        return std::nullopt;
      }
      digits.exponent = body.substr(i);
      break;
    }
    const auto [separator, length] = separator_at(body.substr(i));
    if (length == 0) return std::nullopt;
    if (separator == ' ' && (digits.groups.back().empty() || i + length >= body.size())) return std::nullopt;
    digits.separators.push_back(separator);
    digits.groups.emplace_back();
    i += length;
  }
  return digits;
}

// Whether groups [from, to] are separated as thousands are, the Indian way (12,34,567) included.
bool grouped(const std::vector<std::string>& groups, std::size_t from, std::size_t to) {
  if (groups[from].empty() || groups[from].size() > 3) return false;
  if (groups[to].size() != 3) return false;
  bool western = true, indian = groups[from].size() <= 2;
  for (std::size_t i = from + 1; i < to; ++i) {
    western = western && groups[i].size() == 3;
    indian = indian && groups[i].size() == 2;
  }
  return western || indian;
}

std::string join(const std::vector<std::string>& groups, std::size_t to) {
  std::string out;
  for (std::size_t i = 0; i <= to; ++i) out += groups[i];
  return out;
}

// `cents`: an amount of at most two decimals, so that three digits after a lone separator are a group.
std::optional<Reading> read_digits(const Digits& digits, NumberStyle style, bool cents = false) {
  const auto& groups = digits.groups;
  const auto& separators = digits.separators;
  const std::size_t last = groups.size() - 1;
  Reading reading;
  const auto finish = [&](bool has_fraction) -> std::optional<Reading> {
    if (has_fraction) {
      const std::string whole = join(groups, last - 1);
      if (whole.empty() && groups[last].empty()) return std::nullopt;
      reading.plain = (whole.empty() ? "0" : whole) + (groups[last].empty() ? "" : "." + groups[last]);
    } else {
      reading.plain = join(groups, last);
    }
    if (reading.plain.empty()) return std::nullopt;
    reading.plain += digits.exponent;
    return reading;
  };
  if (separators.empty()) return finish(false);
  if (!digits.exponent.empty() && separators.size() > 1) return std::nullopt;
  const char tail = separators.back();
  const auto uses = static_cast<std::size_t>(std::ranges::count(separators, tail));
  const bool mixed = uses != separators.size();
  if (tail == '.' || tail == ',') {
    const std::size_t k = groups[last].size();
    if (mixed) {
      // Another separator came before: this one is the decimal point, and the other must group properly,
      // alone.
      if (uses != 1) return std::nullopt;
      const char other = separators.front();
      if (static_cast<std::size_t>(std::ranges::count(separators, other)) + 1 != separators.size())
        return std::nullopt;
      if (!grouped(groups, 0, last - 1)) return std::nullopt;
      reading.decimal = tail;
      return finish(true);
    }
    if (uses > 1) {
      if (!digits.exponent.empty() || !grouped(groups, 0, last)) return std::nullopt;
      reading.decimal = tail == '.' ? ',' : '.';
      return finish(false);
    }
    const bool could_group =
        k == 3 && !groups[0].empty() && groups[0].size() <= 3 && groups[0] != "0" && digits.exponent.empty();
    if (!could_group) {
      reading.decimal = tail;
      return finish(true);
    }
    if (style == NumberStyle::unknown && cents) return finish(false);
    if (style == NumberStyle::unknown) {
      reading.ambiguous = true;
      return finish(tail == '.');
    }
    return finish((tail == '.') == (style == NumberStyle::decimal_point));
  }
  if (mixed || !grouped(groups, 0, last)) return std::nullopt;
  return finish(false);
}

struct CurrencyName {
  std::string_view text;
  std::string_view code;
};
// Longer ones before their own endings: "US$" before "$".
constexpr std::array<CurrencyName, 41> kSymbols{{{"us$", "USD"},
                                                 {"ca$", "CAD"},
                                                 {"c$", "CAD"},
                                                 {"au$", "AUD"},
                                                 {"a$", "AUD"},
                                                 {"nz$", "NZD"},
                                                 {"hk$", "HKD"},
                                                 {"sg$", "SGD"},
                                                 {"s$", "SGD"},
                                                 {"mx$", "MXN"},
                                                 {"r$", "BRL"},
                                                 {"$", "USD"},
                                                 {"\xE2\x82\xAC", "EUR"},
                                                 {"\xC2\xA3", "GBP"},
                                                 {"\xC2\xA5", "JPY"},
                                                 {"\xE2\x82\xB9", "INR"},
                                                 {"rs.", "INR"},
                                                 {"rs", "INR"},
                                                 {"\xE2\x82\xBD", "RUB"},
                                                 {"\xE2\x82\xA9", "KRW"},
                                                 {"\xE2\x82\xBA", "TRY"},
                                                 {"\xE2\x82\xAA", "ILS"},
                                                 {"\xE2\x82\xAB", "VND"},
                                                 {"\xE0\xB8\xBF", "THB"},
                                                 {"\xE2\x82\xB4", "UAH"},
                                                 {"z\xC5\x82", "PLN"},
                                                 {"k\xC4\x8D", "CZK"},
                                                 {"ft", "HUF"},
                                                 {"sfr.", "CHF"},
                                                 {"sfr", "CHF"},
                                                 {"fr.", "CHF"},
                                                 {"euro", "EUR"},
                                                 {"euros", "EUR"},
                                                 {"dollar", "USD"},
                                                 {"dollars", "USD"},
                                                 {"us dollar", "USD"},
                                                 {"u.s. dollar", "USD"},
                                                 {"us dollars", "USD"},
                                                 {"pound sterling", "GBP"},
                                                 {"british pound", "GBP"},
                                                 {"swiss franc", "CHF"}}};

constexpr std::string_view kIsoCodes =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
    "HNL HTG "
    "HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD "
    "MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR "
    "RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS "
    "UAH UGX "
    "USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL ";

std::optional<std::string> currency_code(std::string_view text) {
  const std::string word = impl::ascii_lower(trim(text));
  if (word.size() == 3 && std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; })) {
    std::string code;
    for (const char c : word) code.push_back(static_cast<char>(c - 'a' + 'A'));
    for (std::size_t i = 0; i + 3 < kIsoCodes.size(); i += 4) {
      if (kIsoCodes.substr(i, 3) == code) return code;
    }
  }
  for (const auto& [symbol, code] : kSymbols) {
    if (word == symbol) return std::string(code);
  }
  return std::nullopt;
}

// Powers of ten by word; 0 for none.
int multiplier(std::string_view word) {
  const std::string key = impl::ascii_lower(word);
  for (const std::string_view k : {"k", "tsd", "tsd.", "thousand", "t"}) {
    if (key == k) return 3;
  }
  for (const std::string_view m : {"m", "mm", "mn", "mio", "mio.", "mil", "million", "millions"}) {
    if (key == m) return 6;
  }
  for (const std::string_view b : {"b", "bn", "mrd", "mrd.", "billion", "billions"}) {
    if (key == b) return 9;
  }
  return 0;
}

struct Parts {
  std::string_view body;
  std::string currency;
  int power = 0;
  bool negative = false;
};

bool take_front(std::string_view& text, std::string_view sign) {
  if (!text.starts_with(sign)) return false;
  text.remove_prefix(sign.size());
  return true;
}

// Cuts the text into sign, currency, digits and multiplier.
std::optional<Parts> split_amount(std::string_view text) {
  Parts parts;
  text = trim(text);
  if (text.size() > 80) return std::nullopt;
  if (text.size() > 2 && text.front() == '(' && text.back() == ')') {
    parts.negative = true;
    text = trim(text.substr(1, text.size() - 2));
  }
  std::size_t first = 0;
  while (first < text.size() && !is_digit(text[first])) ++first;
  if (first == text.size()) return std::nullopt;
  std::size_t last = text.size();
  while (!is_digit(text[last - 1])) --last;
  std::string_view prefix = text.substr(0, first), suffix = text.substr(last);
  // ".5": the point belongs to the digits; "Fr.5" and "Rs. 5" have a letter before it.
  if (prefix.ends_with('.') || prefix.ends_with(',')) {
    const std::string_view rest = prefix.substr(0, prefix.size() - 1);
    const bool word = !rest.empty() && ((rest.back() >= 'a' && rest.back() <= 'z') ||
                                        (rest.back() >= 'A' && rest.back() <= 'Z'));
    if (!word) {
      prefix = rest;
      --first;
    }
  }
  int signs = 0;
  const auto take_sign = [&](std::string_view& side) {
    for (const std::string_view minus : {"-", "\xE2\x88\x92", "\xE2\x80\x93"}) {
      if (take_front(side, minus)) {
        ++signs;
        parts.negative = true;
        return;
      }
      if (side.ends_with(minus)) {
        side.remove_suffix(minus.size());
        ++signs;
        parts.negative = true;
        return;
      }
    }
    if (take_front(side, "+") || (side.ends_with('+') && (side.remove_suffix(1), true))) ++signs;
  };
  prefix = trim(prefix);
  take_sign(prefix);
  prefix = trim(prefix);
  // "1.200,-" and "100.-" are whole amounts, not negative ones.
  for (const std::string_view dash : {",-", ".-", ",\xE2\x80\x93", ".\xE2\x80\x93", ",--", ".--"}) {
    if (suffix.starts_with(dash) && (suffix.size() == dash.size() || suffix[dash.size()] == ' ')) {
      suffix.remove_prefix(dash.size());
      break;
    }
  }
  if (suffix == "." || suffix == ",") suffix = {};
  suffix = trim(suffix);
  const bool had_sign = signs > 0 || parts.negative;
  if (!suffix.empty() && !had_sign) take_sign(suffix);
  suffix = trim(suffix);
  if (signs > 1) return std::nullopt;
  if (!prefix.empty()) {
    const auto code = currency_code(prefix);
    if (!code && impl::ascii_lower(prefix) != "kr" && impl::ascii_lower(prefix) != "kr.") return std::nullopt;
    parts.currency = code.value_or("");
  }
  // A multiplier, then a currency; either may be missing.
  while (!suffix.empty()) {
    std::size_t word_end = suffix.find(' ');
    if (const auto wide = suffix.find("\xC2\xA0"); wide < word_end) word_end = wide;
    const std::string_view word = suffix.substr(0, word_end);
    const std::string lower = impl::ascii_lower(word);
    if (const int power = multiplier(word); power != 0 && parts.power == 0 && parts.currency.empty()) {
      parts.power = power;
    } else if (const int also = multiplier(word); also != 0 && parts.power == 0) {
      parts.power = also;
    } else if (const auto code = currency_code(word);
               code && (parts.currency.empty() || parts.currency == *code)) {
      parts.currency = *code;
    } else if (lower == "kr" || lower == "kr." || lower == ",-") {
      // Several countries' crowns: the currency stays unknown.
    } else if (const auto whole = currency_code(suffix); whole && parts.currency.empty()) {
      parts.currency = *whole;
      break;
    } else if (word.size() > 1 && multiplier(word.substr(0, 1)) != 0 && currency_code(word.substr(1)) &&
               parts.power == 0) {
      parts.power = multiplier(word.substr(0, 1));  // "3k€"
      parts.currency = *currency_code(word.substr(1));
    } else {
      return std::nullopt;
    }
    suffix = word_end == suffix.npos ? std::string_view() : trim(suffix.substr(word_end));
  }
  parts.body = text.substr(first, last - first);
  return parts;
}

// Currencies with three decimals, by ISO 4217.
bool has_thousandths(std::string_view currency) {
  constexpr std::string_view kCodes = "BHD IQD JOD KWD LYD OMR TND ";
  return kCodes.find(std::string(currency) + " ") != kCodes.npos;
}

Result<Amount> read_amount(std::string_view text, NumberStyle style, std::string_view code,
                           std::string_view what) {
  const auto bad = [&](std::string_view why) {
    return permanent(std::string(code), fmt::format("'{}' is not {}{}", impl::shown(text), what, why));
  };
  const auto parts = split_amount(text);
  if (!parts) return bad("");
  const auto digits = split_digits(parts->body);
  if (!digits) return bad("");
  // "€ 1.200" is no 1.2 euros, but "€ 1.234M" and "KWD 1.234" have their decimals.
  const bool cents = !parts->currency.empty() && parts->power == 0 && !has_thousandths(parts->currency);
  const auto reading = read_digits(*digits, style, cents);
  if (!reading) return bad(": its separators fit no notation");
  std::string plain = reading->plain;
  if (parts->power != 0) {
    if (!digits->exponent.empty()) return bad("");
    plain += "e" + std::to_string(parts->power);
  }
  auto value = Decimal::parse(plain);
  if (!value) return bad(" of at most 36 digits and 18 decimals");
  return Amount{parts->negative ? value->negated() : *value, parts->currency, reading->ambiguous};
}

}  // namespace

Result<Amount> parse_amount(std::string_view text, NumberStyle style) {
  return read_amount(text, style, "invalid_amount", "an amount");
}

Result<Decimal> parse_number(std::string_view text, NumberStyle style) {
  auto amount = read_amount(text, style, "invalid_number", "a number");
  if (!amount) return std::unexpected(std::move(amount.error()));
  return amount->value;
}

Result<std::int64_t> parse_integer(std::string_view text, NumberStyle style) {
  const auto bad = [&] {
    return permanent("invalid_integer", fmt::format("'{}' is not a whole number", impl::shown(text)));
  };
  auto amount = read_amount(text, style, "invalid_integer", "a whole number");
  if (!amount) return std::unexpected(std::move(amount.error()));
  std::string digits = amount->value.normalized().str();
  // A whole number with one separator before three digits is grouped: "1.185" employees.
  if (amount->ambiguous && digits.find('.') != digits.npos) {
    amount = read_amount(text, NumberStyle::decimal_comma, "invalid_integer", "a whole number");
    if (!amount) return std::unexpected(std::move(amount.error()));
    digits = amount->value.normalized().str();
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return bad();
  return value;
}

NumberStyle infer_number_style(std::span<const std::string_view> values) {
  std::size_t point = 0, comma = 0;
  for (const auto value : values) {
    if (is_missing(value)) continue;
    const auto parts = split_amount(value);
    if (!parts) continue;
    const auto digits = split_digits(parts->body);
    if (!digits) continue;
    const auto reading = read_digits(*digits, NumberStyle::unknown);
    if (!reading) continue;
    point += reading->decimal == '.';
    comma += reading->decimal == ',';
  }
  if (point > 9 * comma) return NumberStyle::decimal_point;
  if (comma > 9 * point) return NumberStyle::decimal_comma;
  return NumberStyle::unknown;
}

Result<Decimal> parse_fraction(std::string_view text, FractionScale scale, NumberStyle style) {
  const auto bad = [&] {
    return permanent("invalid_fraction",
                     fmt::format("'{}' is not a percentage from 0 to 100", impl::shown(text)));
  };
  std::string_view number = trim(text);
  bool percent = scale == FractionScale::percent;
  if (number.ends_with('%')) {
    number = trim(number.substr(0, number.size() - 1));
    percent = true;
  }
  auto amount = read_amount(number, style, "invalid_fraction", "a percentage");
  if (!amount) return std::unexpected(std::move(amount.error()));
  if (amount->ambiguous && (percent || scale == FractionScale::unit)) {
    // "0.125" is not ambiguous, and no percentage needs grouping: the separator is the decimal point.
    std::string plain(number);
    std::ranges::replace(plain, ',', '.');
    if (auto exact = Decimal::parse(plain)) amount->value = *exact;
  }
  if (scale == FractionScale::unknown && !percent) percent = amount->value > Decimal(1);
  if (amount->value.is_negative() || amount->value > Decimal(percent ? 100 : 1)) return bad();
  if (!percent) return amount->value.normalized();
  auto fraction = Decimal::parse(amount->value.normalized().str() + "e-2");
  if (!fraction) return bad();
  return fraction->normalized();
}

FractionScale infer_fraction_scale(std::span<const std::string_view> values) {
  bool above = false, between = false;
  for (const auto value : values) {
    if (is_missing(value)) continue;
    if (trim(value).ends_with('%')) {
      above = true;
      continue;
    }
    const auto amount = parse_amount(value);
    if (!amount) continue;
    above = above || amount->value > Decimal(1);
    between =
        between || (amount->value < Decimal(1) && !amount->value.is_zero() && !amount->value.is_negative());
  }
  if (above) return FractionScale::percent;
  return between ? FractionScale::unit : FractionScale::unknown;
}

Result<std::string> parse_currency(std::string_view text) {
  if (auto code = currency_code(text)) return *code;
  // "EUR - Euro", "USD (US Dollar)"
  const std::string_view word = trim(text).substr(0, 3);
  const std::string_view whole = trim(text);
  if (whole.size() > 3 && (whole[3] == ' ' || whole[3] == '-')) {
    if (auto code = currency_code(word)) return *code;
  }
  return permanent("invalid_currency",
                   fmt::format("'{}' is not a currency: expected a code such as USD", impl::shown(text)));
}

}  // namespace castiel::content
