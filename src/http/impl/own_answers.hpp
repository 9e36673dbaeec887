#pragma once
// The server's own answers. They are made here and not inside the coroutines, where GCC 12 loses track of
// temporaries.

#include <cstdint>
#include <string_view>

#include "http/message.hpp"

namespace castiel::http::impl {

Response bad_request();
Response header_too_large();
Response malformed_body(std::string_view path);
Response body_too_large(std::string_view path, std::uint64_t limit);
Response busy(std::string_view path);
Response too_late(std::string_view path);
Response too_many_streams();
Response internal_mistake(std::string_view path);

}  // namespace castiel::http::impl
