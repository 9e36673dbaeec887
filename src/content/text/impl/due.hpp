#pragma once
// By when something asked or promised is due: of the days in a clause the one that is a deadline. English by
// the grammar of dates; German, French, Spanish and Italian by names of days and months. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "content/text/text.hpp"

namespace castiel::content::text::impl {

struct Due {
  Date day;
  std::string text;
};
// Nothing when the clause has no day, or only spans too wide to be a deadline ("in 2027").
std::optional<Due> find_due(std::string_view clause, std::string_view language, const Context& context);

}  // namespace castiel::content::text::impl
