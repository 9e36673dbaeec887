#pragma once
// UTF-8 checks that need no library.

#include <cstddef>
#include <string>
#include <string_view>

namespace castiel {

// Bytes of the valid UTF-8 sequence `text` begins with: 1 to 4, or 0 if it begins with none.
// Overlong forms, surrogates and values past U+10FFFF are not valid.
std::size_t utf8_sequence_length(std::string_view text);
bool is_utf8(std::string_view text);
// Appends a code point; U+FFFD for what is none.
void append_utf8(std::string& out, char32_t code_point);
// At most `limit` bytes of `text`, never cutting a sequence.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

}  // namespace castiel
