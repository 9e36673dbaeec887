#pragma once
// Check digits of cards, bank accounts and national numbers. Pure; any thread.

#include <string_view>

namespace castiel::content::text::impl {

bool passes_luhn(std::string_view digits);     // digits only
bool is_card_number(std::string_view digits);  // a known issuer's prefix and length, and Luhn
bool is_iban(std::string_view compact);        // country's length and mod 97; capitals and digits only
bool is_us_ssn(std::string_view digits);       // nine digits in the ranges that are issued
bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);

}  // namespace castiel::content::text::impl
