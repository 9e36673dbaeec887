#pragma once
// Words that carry no subject of their own. Read-only; any thread.

#include <string_view>

namespace castiel::content::text::impl {

// `word` in lower case, `language` as language_of gives it; English ones are stop words in every language:
// texts are mixed.
bool is_stop_word(std::string_view word, std::string_view language);

}  // namespace castiel::content::text::impl
