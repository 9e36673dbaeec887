#include "content/text/impl/checksums.hpp"

#include <algorithm>

#include "content/text/impl/source.hpp"

namespace castiel::content::text::impl {

bool passes_luhn(std::string_view digits) {
  if (digits.empty()) return false;
  int sum = 0;
  bool twice = false;
  for (auto at = digits.rbegin(); at != digits.rend(); ++at, twice = !twice) {
    if (!is_digit(*at)) return false;
    int value = *at - '0';
    if (twice) value = value > 4 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum % 10 == 0;
}

bool is_card_number(std::string_view digits) {
  if (digits.size() < 12 || digits.size() > 19 || !passes_luhn(digits)) return false;
  if (std::ranges::all_of(digits, [&](char c) { return c == digits.front(); })) return false;
  const int two = (digits[0] - '0') * 10 + (digits[1] - '0');
  const int four = two * 100 + (digits[2] - '0') * 10 + (digits[3] - '0');
  const std::size_t length = digits.size();
  if (digits[0] == '4') return length == 13 || length == 16 || length == 19;
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return length == 16;
  if (two == 34 || two == 37) return length == 15;
  if (two == 36 || two == 38 || two == 39 || (four >= 3000 && four <= 3059) || four == 3095)
    return length == 14 || length >= 16;
  if (four == 2131 || four == 1800) return length == 15;
  if (four >= 3528 && four <= 3589) return length >= 16;
  if (four == 6011 || two == 65 || (four >= 6440 && four <= 6499) || two == 62) return length >= 16;
  // Maestro and its forerunners.
  if (two == 50 || (two >= 56 && two <= 58) || two == 60 || two == 63 || two == 67) return true;
  return false;
}

bool is_iban(std::string_view compact) {
  struct Country {
    char code[3];
    std::size_t length;
  };
  static constexpr Country kCountries[] = {
      {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
      {"BH", 22}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22},
      {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FO", 18}, {"FR", 27},
      {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28},
      {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20},
      {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"MC", 27}, {"MD", 24},
      {"ME", 22}, {"MK", 19}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NL", 18}, {"NO", 15}, {"PK", 24},
      {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"SA", 24}, {"SC", 31},
      {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"ST", 25}, {"SV", 28}, {"TL", 23}, {"TN", 24},
      {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}};
  if (compact.size() < 15 || compact.size() > 34) return false;
  const auto country =
      std::ranges::find_if(kCountries, [&](const Country& c) { return compact.starts_with(c.code); });
  if (country == std::end(kCountries) || country->length != compact.size()) return false;
  int rest = 0;
  for (std::size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[(i + 4) % compact.size()];
    if (is_digit(c))
      rest = (rest * 10 + (c - '0')) % 97;
    else if (is_upper(c))
      rest = (rest * 100 + (c - 'A' + 10)) % 97;
    else
      return false;
  }
  return rest == 1;
}

bool is_us_ssn(std::string_view digits) {
  if (digits.size() != 9 || !std::ranges::all_of(digits, is_digit)) return false;
  const auto area = digits.substr(0, 3);
  if (area == "000" || area == "666" || area[0] == '9') return false;
  return digits.substr(3, 2) != "00" && digits.substr(5) != "0000" && digits != "123456789" &&
         digits != "078051120";
}

bool is_ipv4(std::string_view text) {
  int parts = 0;
  while (true) {
    std::size_t length = 0;
    int value = 0;
    while (length < text.size() && length < 4 && is_digit(text[length]))
      value = value * 10 + (text[length++] - '0');
    if (length == 0 || length > 3 || value > 255 || (length > 1 && text[0] == '0')) return false;
    text.remove_prefix(length);
    if (++parts == 4) return text.empty();
    if (text.empty() || text[0] != '.') return false;
    text.remove_prefix(1);
  }
}

bool is_ipv6(std::string_view text) {
  if (text.size() > 45) return false;
  const bool shortened = text.find("::") != text.npos;
  int groups = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ':') {
      ++at;
      continue;
    }
    const std::size_t end = std::min(text.find(':', at), text.size());
    const auto group = text.substr(at, end - at);
    if (group.find('.') != group.npos) {
      if (end != text.size() || !is_ipv4(group)) return false;
      groups += 2;
    } else {
      if (group.size() > 4 || !std::ranges::all_of(group, [](char c) {
            return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
          }))
        return false;
      ++groups;
    }
    at = end;
  }
  if (text.find(":::") != text.npos || text.find("::") != text.rfind("::")) return false;
  if (!shortened && (text.starts_with(':') || text.ends_with(':'))) return false;
  return shortened ? groups <= 7 && groups >= 1 : groups == 8;
}

}  // namespace castiel::content::text::impl
