#include "storage/store.hpp"

namespace castiel::storage {

// One by one, for stores to which a question costs next to nothing.

Result<std::vector<std::optional<model::Shard>>> Reader::shards_of(std::span<const ShardId> ids) const {
  std::vector<std::optional<model::Shard>> found;
  found.reserve(ids.size());
  for (const auto& id : ids) {
    CASTIEL_ASSIGN(auto one, shard(id));
    found.push_back(std::move(one));
  }
  return found;
}

Result<std::vector<std::optional<std::int64_t>>> Reader::versions_of(std::span<const ShardId> ids) const {
  std::vector<std::optional<std::int64_t>> found;
  found.reserve(ids.size());
  for (const auto& id : ids) {
    CASTIEL_ASSIGN(const auto one, shard(id));
    found.push_back(one ? std::optional(one->version) : std::nullopt);
  }
  return found;
}

Result<std::vector<bool>> Reader::all_in_inbox(std::string_view consumer,
                                               std::span<const std::string> message_ids) const {
  std::vector<bool> known;
  known.reserve(message_ids.size());
  for (const auto& id : message_ids) {
    CASTIEL_ASSIGN(const bool one, in_inbox(consumer, id));
    known.push_back(one);
  }
  return known;
}

Result<bool> is_under_way(const Reader& reader, const ImportRun& run, Timestamp now) {
  if (run.status != "running") return false;
  CASTIEL_ASSIGN(const auto until, reader.leased_until(import_lease(run.correlation)));
  return until && *until > now;
}

Result<std::vector<bool>> Transaction::add_all_to_inbox(std::string_view consumer,
                                                        std::span<const std::string> message_ids) {
  std::vector<bool> added;
  added.reserve(message_ids.size());
  for (const auto& id : message_ids) {
    CASTIEL_ASSIGN(const bool one, add_to_inbox(consumer, id));
    added.push_back(one);
  }
  return added;
}

}  // namespace castiel::storage
