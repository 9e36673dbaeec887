#pragma once
// Units of time by their words.

#include "content/text/impl/date_grammar.hpp"

namespace castiel::content::text::impl {

struct Unit {
  std::string_view names;
  Seconds seconds;
  std::int64_t months;
  Grain grain;
};
// Nothing when the token names none.
const Unit* unit_of(const DateTokens& t, std::size_t i);

}  // namespace castiel::content::text::impl
