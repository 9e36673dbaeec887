#pragma once
// iCalendar's content lines, or jCal, as a tree of components. Takes anything; says what it left out.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::content::calendar::impl {

inline constexpr std::size_t kMaxDepth = 8;                // of components; deeper ones are left out
inline constexpr std::size_t kMaxComponents = 200'000;     // per file
inline constexpr std::size_t kMaxProperties = 2'000'000;   // per file
inline constexpr std::size_t kMaxPropertyBytes = 1 << 20;  // a longer one is cut
inline constexpr std::size_t kMaxParameters = 64;          // per property

struct Property {
  std::string name;                                             // upper case
  std::vector<std::pair<std::string, std::string>> parameters;  // names in upper case, values without quotes
  std::string value;                                            // as written, escapes included
  std::string_view parameter(std::string_view wanted) const;
};

struct Component {
  std::string name;  // upper case
  std::vector<Property> properties;
  std::vector<Component> children;
  const Property* find(std::string_view wanted) const;
  std::string text(std::string_view wanted) const;  // unescaped; empty when absent
};

struct Parsed {
  std::vector<Component> roots;  // VCALENDARs; events outside of any are in one of their own
  std::vector<std::string> warnings;
};
// Error: corrupt, when there is no component at all.
Result<Parsed> parse_components(std::string_view text);
// jCal (RFC 7265). Error: corrupt.
Result<Parsed> parse_jcal(const json::value& value);

std::string unescape(std::string_view value);
// Splits at commas that no backslash escapes.
std::vector<std::string_view> split_values(std::string_view value);
std::string upper_ascii(std::string_view text);

}  // namespace castiel::content::calendar::impl
