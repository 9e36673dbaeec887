#pragma once
// Small helpers that the parsers of values share. Pure.

#include <string>
#include <string_view>

#include "base/utf8.hpp"

namespace castiel::content::impl {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

inline std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// A value as an error message shows it: not the whole of a long one.
inline std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 60;
  return text.size() <= kShown ? std::string(text) : std::string(utf8_prefix(text, kShown)) + "…";
}

}  // namespace castiel::content::impl
