#pragma once
// Shards that other rows name and that are not there (FLOW-11).

#include <string>
#include <vector>

#include "storage/postgres/impl/session.hpp"
#include "storage/records.hpp"

namespace castiel::storage::postgres {

Result<std::vector<MissingShard>> find_missing_shards(Session& session, const std::string& tenant,
                                                      std::size_t limit);

}  // namespace castiel::storage::postgres
