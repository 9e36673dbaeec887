#pragma once
// Text of any encoding as UTF-8. Pure; any thread.

#include <string>
#include <string_view>

namespace castiel::content::documents::impl {

// By byte order mark, then `declared` (an IANA name, may be empty), then what the bytes look like.
std::string to_utf8(std::string_view bytes, std::string_view declared = {});
// From a Windows code page, 1252 for one that is not known.
std::string from_code_page(std::string_view bytes, int code_page);

}  // namespace castiel::content::documents::impl
