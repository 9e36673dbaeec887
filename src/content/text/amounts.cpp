#include <algorithm>
#include <array>
#include <optional>

#include "content/text/impl/patterns.hpp"
#include "content/text/impl/source.hpp"

namespace castiel::content::text {
namespace impl {
namespace {

struct Currency {
  std::string_view code;
  std::string_view names;  // lower case, between spaces
};
// Words that are no currency on their own ("pound" of weight aside) are left to the code beside the number.
constexpr std::array<Currency, 30> kCurrencies{{
    {"USD", " usd us$ $ dollar dollars buck bucks "},
    {"EUR", " eur € euro euros "},
    {"GBP", " gbp £ pound pounds quid sterling "},
    {"JPY", " jpy ¥ yen "},
    {"CHF", " chf sfr fr. franken "},
    {"CAD", " cad ca$ c$ "},
    {"AUD", " aud au$ a$ "},
    {"NZD", " nzd nz$ "},
    {"CNY", " cny rmb yuan renminbi cn¥ "},
    {"INR", " inr ₹ rs rs. rupee rupees "},
    {"BRL", " brl r$ real reais "},
    {"MXN", " mxn mx$ "},
    {"SEK", " sek "},
    {"NOK", " nok "},
    {"DKK", " dkk "},
    {"PLN", " pln zł zloty zlotys "},
    {"CZK", " czk kč koruna "},
    {"HUF", " huf forint forints "},
    {"RUB", " rub ₽ ruble rubles rouble roubles "},
    {"TRY", " try ₺ lira liras "},
    {"ILS", " ils ₪ nis shekel shekels "},
    {"KRW", " krw ₩ won "},
    {"SGD", " sgd s$ "},
    {"HKD", " hkd hk$ "},
    {"ZAR", " zar rand rands "},
    {"AED", " aed dirham dirhams "},
    {"SAR", " sar riyal riyals "},
    {"THB", " thb ฿ baht "},
    {"MYR", " myr rm ringgit "},
    {"UAH", " uah ₴ hryvnia "},
}};

std::string_view currency_of(std::string_view name) {
  const std::string key = lower(name);
  for (const auto& [code, names] : kCurrencies) {
    if (in_list(names, key)) return code;
  }
  return {};
}

// Powers of ten of "k", "million", "Mrd" …; -1 for what is none.
int scale_of(std::string_view word) {
  const std::string key = lower(word);
  if (key.empty()) return 0;
  if (in_list(" hundred ", key)) return 2;
  if (in_list(" k thousand thousands grand tsd tausend mil mille ", key)) return 3;
  if (in_list(" lakh lakhs ", key)) return 5;
  if (in_list(" crore crores ", key)) return 7;
  if (in_list(" m mm mn mio mio. million millions millionen millones ", key)) return 6;
  if (in_list(" b bn bln bil billion billions mrd mrd. milliarden milliarde milliards ", key)) return 9;
  if (in_list(" t tn trn trillion trillions ", key)) return 12;
  return -1;
}

// The digits of a number with separators of one locale or another, as a plain decimal.
std::optional<std::string> plain_number(std::string_view written) {
  std::string digits;
  char last = 0;
  std::size_t commas = 0, points = 0, after_last = 0;
  std::string compact;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const char c = written[i];
    if (is_digit(c)) {
      compact += c;
      ++after_last;
    } else if (c == ',' || c == '.') {
      (c == ',' ? commas : points) += 1;
      last = c;
      after_last = 0;
      compact += c;
    }  // spaces and apostrophes only group
  }
  if (last == 0) {
    digits = compact;
  } else {
    const std::size_t count = last == ',' ? commas : points;
    const bool both = commas > 0 && points > 0;
    // The last separator is the decimal one when both occur, or when it does not group by threes.
    const bool decimal =
        both ? count == 1
             : (count == 1 && (after_last != 3 || compact.front() == '0' || compact.front() == last));
    const std::size_t at = decimal ? compact.rfind(last) : compact.npos;
    for (std::size_t i = 0; i < compact.size(); ++i) {
      if (is_digit(compact[i]))
        digits += compact[i];
      else if (i == at)
        digits += '.';
    }
  }
  if (digits.empty() || digits.size() > 30) return std::nullopt;
  if (digits.front() == '.') digits.insert(0, "0");
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

std::string scaled(std::string number, int power) {
  std::size_t point = number.find('.');
  std::string whole = number.substr(0, point);
  std::string part = point == number.npos ? "" : number.substr(point + 1);
  for (int i = 0; i < power; ++i) {
    if (part.empty()) {
      whole += '0';
    } else {
      whole += part.front();
      part.erase(0, 1);
    }
  }
  const std::size_t first = std::min(whole.find_first_not_of('0'), whole.size());
  whole.erase(0, first);
  if (whole.empty()) whole = "0";
  const bool zero = part.find_first_not_of('0') == part.npos;
  if (zero) part.clear();
  return part.empty() ? whole : whole + "." + part;
}

constexpr char kNumber[] =
    "(?:\\d{1,3}(?:[,.'\\x{2019}\\x{a0}\\x{202f} ]\\d{3})+(?:[.,]\\d{1,4})?|\\d+(?:[.,]\\d+)?|[.]\\d+)";
constexpr char kScale[] =
    "(?:hundred|thousands?|grand|tsd|tausend|lakhs?|crores?|millions?|millionen|mio|mln|billions?|milliarden?"
    "|mrd|"
    "trillions?|bln|bn|mm|mn|k|m|b|t)";
constexpr char kBefore[] =
    "(?:US\\$|CA\\$|AU\\$|NZ\\$|HK\\$|MX\\$|CN¥|[ACSR]\\$|\\$|€|£|¥|₹|₽|₺|₪|"
    "₩|฿|₴|USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|INR|Rs\\.?|BRL|MXN|SEK|NOK|DKK|PLN|CZK|HUF|RUB|"
    "TRY|ILS|KRW|SGD|HKD|ZAR|AED|SAR|THB|MYR|RM|UAH|SFr)";
constexpr char kAfter[] =
    "(?:US\\$|\\$|€|£|¥|₹|₽|₺|₪|₩|₴|USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|"
    "RMB|INR|BRL|MXN|SEK|NOK|DKK|PLN|CZK|HUF|RUB|ILS|KRW|SGD|HKD|ZAR|AED|SAR|THB|MYR|UAH|zł|Kč|dollars?|"
    "bucks|euros?|pounds? "
    "sterling|pounds?|quid|yen|yuan|renminbi|rupees?|rubles?|roubles?|francs?|franken|kronor|"
    "reais|pesos?|zlotys?|forints?|shekels?|ringgit|baht|rand)";

}  // namespace

const re2::RE2& amount_pattern() {
  static const re2::RE2 pattern = [] {
    const std::string number(kNumber), scale(kScale);
    return "(?:(" + std::string(kBefore) + ")[ \\x{a0}\\x{202f}]?(-?" + number + ")(?:[ \\x{a0}-]?(" + scale +
           ")\\b)?|(-?" + number + ")(?:[ \\x{a0}-]?(" + scale + ")\\b)?[ \\x{a0}\\x{202f}]?(" +
           std::string(kAfter) + "))";
  }();
  return pattern;
}

}  // namespace impl

std::vector<AmountMention> find_amounts(std::string_view text) {
  using namespace impl;
  const Source source(text);
  std::vector<AmountMention> out;
  const std::string_view clean = source.text();
  each_match<7>(amount_pattern(), clean, [&](const auto& groups) {
    const auto whole = view(groups[0]);
    const std::size_t start = static_cast<std::size_t>(whole.data() - clean.data());
    std::size_t end = start + whole.size();
    const bool leading = !groups[1].empty();
    const auto symbol = view(leading ? groups[1] : groups[6]);
    const auto number = view(leading ? groups[2] : groups[4]);
    const auto scale = view(leading ? groups[3] : groups[5]);
    // No part of a longer word or number.
    const char before = start > 0 ? clean[start - 1] : ' ';
    const char after = end < clean.size() ? clean[end] : ' ';
    if ((is_alpha(symbol.front()) || !leading) && (is_alpha(before) || is_digit(before) || before == '_'))
      return true;
    if (!leading && (before == '.' || before == ',') && start > 1 && is_digit(clean[start - 2])) return true;
    if (is_alpha(symbol.back()) && !leading && (is_alpha(after) || is_digit(after))) return true;
    if (leading && scale.empty() && is_alpha(after)) return true;
    // Codes are written in capitals; "try 3" and "m 5" are none.
    if (leading && is_alpha(symbol.front()) && symbol.size() == 3 && symbol != "Rs." &&
        !is_upper(symbol[1]) && symbol != "SFr")
      return true;
    const auto plain = plain_number(number);
    if (!plain) return true;
    std::string_view code = currency_of(symbol);
    if (code.empty()) {
      const std::string name = lower(symbol);
      if (name.starts_with("franc") || name == "sfr") code = "CHF";
      if (name == "kronor") code = "SEK";
      if (name.starts_with("peso")) code = "MXN";
      if (name.starts_with("pound")) code = "GBP";
    }
    AmountMention mention;
    mention.value = scaled(*plain, std::max(scale_of(scale), 0));
    if (number.starts_with('-') && mention.value != "0") mention.value.insert(0, "-");
    mention.currency = code.empty() ? "unknown" : std::string(code);
    mention.text = source.part(start, end);
    mention.span = source.span(start, end);
    out.push_back(std::move(mention));
    return out.size() < kMaxFindings;
  });
  return out;
}

}  // namespace castiel::content::text
