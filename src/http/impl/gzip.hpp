#pragma once
// Gzip of whole bodies.

#include <optional>
#include <string>
#include <string_view>

namespace castiel::http::impl {

// Nothing when zlib refuses (out of memory): the body is then sent as it is.
std::optional<std::string> gzip(std::string_view text);

}  // namespace castiel::http::impl
