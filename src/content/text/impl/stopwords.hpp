#pragma once
// Words that carry no subject of their own. Read-only; any thread.

#include <string_view>

namespace castiel::content::text::impl {

bool is_stop_word(std::string_view word);  // lower case

}  // namespace castiel::content::text::impl
