#pragma once
// How words feel, -4 to 4. Read-only tables; any thread.

#include <string_view>

namespace castiel::content::text::impl {

// 0 for a word that is not known. `word` is in lower case.
double valence_of(std::string_view word);

}  // namespace castiel::content::text::impl
