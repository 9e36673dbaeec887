#include "base/result.hpp"

namespace castiel {

std::string_view to_string(ErrorClass cls) {
  switch (cls) {
    case ErrorClass::transient:
      return "transient";
    case ErrorClass::permanent:
      return "permanent";
    case ErrorClass::conditional:
      return "conditional";
  }
  return "permanent";
}

std::string Error::describe() const {
  if (cause.empty()) return message;
  return message + " (" + cause + ")";
}

}  // namespace castiel
