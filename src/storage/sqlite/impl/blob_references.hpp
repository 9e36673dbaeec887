#pragma once
// The rows of one tenant that name blobs. One connection, one thread.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "storage/sqlite/impl/connection.hpp"

namespace castiel::storage::sqlite {

// Of `tables` all are read that are not known to hold no blob's URL, so that a new one is not forgotten.
Result<> each_blob_reference(Connection& db, const std::vector<std::string>& tables, std::string_view tenant,
                             const std::function<void(std::string_view sha256)>& visit);
// When the oldest flow began that is not settled; nothing when all are.
Result<std::optional<Timestamp>> oldest_flow_under_way(Connection& db, std::string_view tenant);

}  // namespace castiel::storage::sqlite
