#pragma once
// What a user types, and what is found: keyword search over a tenant's texts with cited places. Pure parsing;
// searching blocks on disk.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "storage/store.hpp"

namespace castiel::search {

inline constexpr std::size_t kMaxQueryBytes = 2'000;
inline constexpr std::size_t kDefaultLimit = 10, kMaxLimit = 100;

struct Request {
  std::string text;
  std::string mode = "hybrid";  // hybrid, keyword or vector
  std::string type;             // only of this shard type; empty: all
  std::size_t limit = kDefaultLimit;
};

// Words, "phrases in quotes" and begin*nings. Words that are in every text do not count where others do.
std::vector<storage::SearchTerm> parse_query(std::string_view text);

// {"query","mode","total","items":[{"shardId","type","externalId","integration","title","date","score","snippet",
// "highlights":[{"start","end"}],"locator"}]}. `mode` is how it was searched: without vectors, hybrid is
// keyword. Errors: invalid_parameter (nothing to search for, too long), not_available (mode vector).
Result<json::object> search(const storage::Reader& reader, const Request& request);

}  // namespace castiel::search
