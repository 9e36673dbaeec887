#pragma once
// From a Response to the bytes of an HTTP/1.1 message.

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "http/message.hpp"

namespace castiel::http::impl {

// What of the request decides the form of the answer.
struct AnswerForm {
  bool http11 = true;
  bool keep_alive = true;
  bool head = false;  // the method was HEAD
};

// Replaces a large compressible text body by its gzip form when the client accepts it.
void compress(Response& response, std::string_view accept_encoding);

// Status line and header fields, with the security headers the response does not set itself. The length of
// the body is known, or the message is chunked (HTTP/1.1) or ends with the connection (HTTP/1.0).
std::string render_head(const Response& response, const AnswerForm& form, Timestamp now,
                        std::string_view content_security_policy, std::optional<std::uint64_t> length);

}  // namespace castiel::http::impl
