#pragma once
// Under which external id a task is kept. Pure.

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace castiel::model {

// The key of a task is what it says, so that the same words in the same record are the same task however
// often they are read. `type` and `external_id` are of the record it was said in.
inline std::string task_key(std::string_view type, std::string_view external_id, std::string_view kind,
                            std::string_view text) {
  return fmt::format("{}:{}:{:016x}", type, external_id, stable_hash(fmt::format("{}\n{}", kind, text)));
}

}  // namespace castiel::model
