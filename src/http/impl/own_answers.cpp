#include "http/impl/own_answers.hpp"

#include <fmt/format.h>

#include "http/problem.hpp"
#include "http/server.hpp"

namespace castiel::http::impl {

namespace {

Response answer(std::string code, std::string message, ErrorClass cls, std::string_view path = {}) {
  return error_response({std::move(code), std::move(message), cls, {}}, path);
}

}  // namespace

Response bad_request() {
  return answer("bad_request", "This is not an HTTP/1.1 request.", ErrorClass::permanent);
}

Response header_too_large() {
  return answer("header_too_large",
                fmt::format("The request's header is larger than {} bytes.", kMaxHeaderBytes),
                ErrorClass::permanent);
}

Response malformed_body(std::string_view path) {
  return answer("bad_request", "The request's body is malformed.", ErrorClass::permanent, path);
}

Response body_too_large(std::string_view path, std::uint64_t limit) {
  return answer("body_too_large", fmt::format("The request's body is larger than {} bytes.", limit),
                ErrorClass::permanent, path);
}

Response busy(std::string_view path) {
  return answer("server_busy", "Too many requests at once. Try again shortly.", ErrorClass::transient, path);
}

Response too_late(std::string_view path) {
  return answer("deadline_exceeded", "The request waited too long for its turn. Try again shortly.",
                ErrorClass::transient, path);
}

Response too_many_streams() {
  return answer("server_busy", "Too many event streams are open.", ErrorClass::transient);
}

Response internal_mistake(std::string_view path) {
  return answer("internal", "The server made a mistake; its log says more.", ErrorClass::permanent, path);
}

}  // namespace castiel::http::impl
