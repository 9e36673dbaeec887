#pragma once
// The full-text index: one FTS5 table, in which each tenant has a range of row ids of its own. Ranking is
// BM25 (Robertson & Zaragoza 2009) over the tenant's range alone, so that neither texts nor scores tell one
// tenant of another.

#include "storage/sqlite/impl/connection.hpp"
#include "storage/store.hpp"

namespace castiel::storage::sqlite {

// Makes the ranking's SQL function known to a connection.
Result<> register_full_text(sqlite3* db);

Result<SearchAnswer> full_text_search(Connection& db, const std::string& tenant, const SearchQuery& query);
Result<std::vector<SearchChunk>> read_chunks(Connection& db, const std::string& tenant, const ShardId& shard);
// Words as the length of a text counts them.
std::int64_t count_words(std::string_view text);

// Takes the tenant's texts out of the index and merges what is left, so that no word of theirs stays on disk.
Result<> erase_full_text(Connection& db, const std::string& tenant);

}  // namespace castiel::storage::sqlite
