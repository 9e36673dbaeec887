#pragma once
// Problem details (RFC 9457): the one shape of an error answer, made from castiel::Error.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "http/message.hpp"

namespace castiel::http {

struct Problem {
  int status = 500;
  std::string code;             // stable: Error::code
  std::string title;            // the status in words
  std::string detail;           // Error::message; never its cause, which may tell of the inside
  std::string instance;         // the path of the request, may be empty
  int retry_after_seconds = 0;  // > 0: sent as Retry-After
};

// By code where the code has a status of its own, else by class: permanent 400, transient and conditional
// 503.
int status_of(const Error& error);
Problem problem_of(const Error& error, std::string_view instance = {});
Response to_response(const Problem& problem);
inline Response error_response(const Error& error, std::string_view instance = {}) {
  return to_response(problem_of(error, instance));
}

}  // namespace castiel::http
