#pragma once
// The full-text index: a tsvector with a GIN index for each chunk, its words prepared by us (words.hpp) and
// led by their tenant, so that the postings of a word are one tenant's. Ranking is BM25 (Robertson & Zaragoza
// 2009) over the tenant's chunks alone, with the same weights as in the embedded store.

#include <string>

#include "base/ids.hpp"
#include "storage/postgres/impl/session.hpp"
#include "storage/postgres/impl/words.hpp"
#include "storage/records.hpp"

namespace castiel::storage::postgres {

// Of the chunks that match, so many of the best by the server's own rank are ranked exactly.
inline constexpr std::int64_t kMaxRanked = 2000;

struct IndexedText {
  std::string tokens;  // a tsvector's notation
  std::int64_t words = 0;
};
IndexedText index_text(WordReader& reader, const TenantId& tenant, std::string_view title,
                       std::string_view text);

Result<SearchAnswer> full_text_search(Session& session, const TenantId& tenant, const SearchQuery& query);

}  // namespace castiel::storage::postgres
