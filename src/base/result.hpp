#pragma once
// Result and Error: how every expected failure travels. Exceptions stop at the edge of a library.

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace castiel {

// What a caller may do about a failure (RETRY-2).
enum class ErrorClass {
  transient,    // may succeed later, unchanged: lost connection, busy store
  permanent,    // will fail the same way again: bad input, refused, not found
  conditional,  // worth a bounded number of tries: server error, deadlock, version conflict
};

std::string_view to_string(ErrorClass cls);

struct Error {
  std::string code;     // stable, snake_case, for programs: "not_found", "store_busy"
  std::string message;  // for a person: what happened, where, and what to do about it
  ErrorClass cls = ErrorClass::permanent;
  std::string cause;  // the underlying system's own words, may be empty

  // The message with its cause, for a log line or a terminal.
  std::string describe() const;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> permanent(std::string code, std::string message, std::string cause = {}) {
  return std::unexpected(Error{std::move(code), std::move(message), ErrorClass::permanent, std::move(cause)});
}
inline std::unexpected<Error> transient(std::string code, std::string message, std::string cause = {}) {
  return std::unexpected(Error{std::move(code), std::move(message), ErrorClass::transient, std::move(cause)});
}
inline std::unexpected<Error> conditional(std::string code, std::string message, std::string cause = {}) {
  return std::unexpected(
      Error{std::move(code), std::move(message), ErrorClass::conditional, std::move(cause)});
}

}  // namespace castiel

#define CASTIEL_CONCAT_(a, b) a##b
#define CASTIEL_CONCAT(a, b) CASTIEL_CONCAT_(a, b)

// Returns the error of a Result<…> expression from the enclosing function, or goes on.
#define CASTIEL_TRY(expression)                                                                              \
  do {                                                                                                       \
    if (auto CASTIEL_CONCAT(castiel_try_, __LINE__) = (expression); !CASTIEL_CONCAT(castiel_try_, __LINE__)) \
        [[unlikely]]                                                                                         \
      return std::unexpected(std::move(CASTIEL_CONCAT(castiel_try_, __LINE__).error()));                     \
  } while (false)

// Declares `target` from the value of a Result<T> expression, or returns its error.
#define CASTIEL_ASSIGN(target, expression)                                                \
  auto CASTIEL_CONCAT(castiel_result_, __LINE__) = (expression);                          \
  if (!CASTIEL_CONCAT(castiel_result_, __LINE__)) [[unlikely]]                            \
    return std::unexpected(std::move(CASTIEL_CONCAT(castiel_result_, __LINE__).error())); \
  target = std::move(*CASTIEL_CONCAT(castiel_result_, __LINE__))
