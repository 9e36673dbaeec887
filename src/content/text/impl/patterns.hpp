#pragma once
// RE2 over a text: linear time, no overlaps. The patterns are compiled once and shared by all threads.

#include <re2/re2.h>

#include <array>
#include <cstddef>
#include <string_view>

namespace castiel::content::text::impl {

inline const re2::RE2::Options& ignoring_case() {
  static const re2::RE2::Options options = [] {
    re2::RE2::Options made;
    made.set_case_sensitive(false);
    return made;
  }();
  return options;
}

// Calls `found(groups)` for each match from left to right; groups[0] is the whole. Stops when it returns
// false.
template <std::size_t N, typename F>
void each_match(const re2::RE2& pattern, std::string_view text, F found) {
  std::array<re2::StringPiece, N> groups;
  const re2::StringPiece whole(text.data(), text.size());
  std::size_t at = 0;
  while (at <= text.size() &&
         pattern.Match(whole, at, text.size(), re2::RE2::UNANCHORED, groups.data(), static_cast<int>(N))) {
    const std::size_t start = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t end = start + groups[0].size();
    if (!found(groups)) return;
    at = end > at && end > start ? end : end + 1;
  }
}

inline std::string_view view(const re2::StringPiece& piece) {
  return {piece.data(), piece.size()};
}

}  // namespace castiel::content::text::impl
