#pragma once
// The pieces of a shard's text that are found on their own: pages, slides, stretches of a transcript, mails.
// Pure.

#include <vector>

#include "model/shard.hpp"
#include "storage/records.hpp"

namespace castiel::search {

inline constexpr std::size_t kChunkBytes =
    2'400;  // of a longer text, split where a paragraph or sentence ends
inline constexpr std::size_t kMaxChunks = 2'000;  // of one shard; what follows is not found

// Whether shards of a type are searched at all.
bool is_searched(std::string_view type);

// In order. Locators: {"page":2}, {"slide":3}, {"sheet":"Q3"}, {"segment":14,"minute":7}, {"message":id} or
// {"field"}, each with "start" and "end", code points of the text of that page, segment or field.
std::vector<storage::SearchChunk> chunks_of(const model::Shard& shard);

}  // namespace castiel::search
