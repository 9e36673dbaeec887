#pragma once
// Bytes of a text file of any encoding as valid UTF-8.

#include <string>
#include <string_view>

namespace castiel::content::impl {

// Invalid sequences become U+FFFD.
std::string valid_utf8(std::string_view text);
// Decoded by detect_encoding; bytes that look like no text are taken as UTF-8. NULs are dropped.
std::string text_of(std::string_view bytes);

}  // namespace castiel::content::impl
