#pragma once
// PostgreSQL's text holds valid UTF-8 without NUL; ours may be any bytes, for a source may send anything.
// What does not fit is written byte by byte as U+10FF00 to U+10FFFF, and so are those code points themselves,
// so that every text comes back as it was.

#include <string>
#include <string_view>

namespace castiel::storage::postgres {

// The text itself when it fits, else its code in `buffer`.
std::string_view encode_text(std::string_view text, std::string& buffer);
std::string decode_text(std::string_view text);

}  // namespace castiel::storage::postgres
