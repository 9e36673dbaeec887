#pragma once
// The day a text gives for itself at its head: "Berlin, 6. Oktober 2026", "Minutes, 2026-10-07". Pure.

#include <optional>
#include <string_view>

#include "base/time.hpp"

namespace castiel::content::documents {

inline constexpr std::size_t kDatelineLines = 5;       // that are not empty, from the beginning
inline constexpr std::size_t kMaxDatelineBytes = 200;  // of a line; a longer one is prose

// The first whole date (day, month and year of four digits) in the first short lines. Not one that says until
// or since when something holds, nor figures whose day and month could be exchanged.
std::optional<Date> dateline_of(std::string_view text);

}  // namespace castiel::content::documents
