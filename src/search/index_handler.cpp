#include "search/index_handler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/json.hpp"
#include "model/event_types.hpp"
#include "search/chunks.hpp"

namespace castiel::search {
namespace {

using messaging::Incoming;

constexpr std::size_t kShardsAtOnce = 100;  // read, with all their text

struct Entry {
  std::int64_t version = 0;
  std::vector<storage::SearchChunk> chunks;
};

class IndexPlan final : public messaging::Plan {
 public:
  std::map<ShardId, Entry> entries;

  Result<> apply(messaging::Step& step) override {
    std::vector<ShardId> ids;
    for (const auto& [id, entry] : entries) ids.push_back(id);
    CASTIEL_ASSIGN(const auto versions, step.tx().versions_of(ids));
    auto version = versions.begin();
    for (const auto& [id, entry] : entries) {
      // An event that is handled later must not bring an older text back.
      if (const auto now = *version++; now && now != entry.version)
        return conditional("version_conflict", "the shard changed meanwhile");
      CASTIEL_TRY(step.tx().put_chunks(id, entry.chunks));
      chunks_ += entry.chunks.size();
    }
    return {};
  }
  std::span<const messaging::RecordFailure> failures() const override { return {}; }
  std::string summary() const override {
    return fmt::format("{} texts of {} shards indexed", chunks_, entries.size());
  }

 private:
  std::size_t chunks_ = 0;
};

}  // namespace

std::vector<std::string> IndexHandler::patterns() {
  return {std::string(model::event::kShardCreated), std::string(model::event::kShardUpdated),
          std::string(model::event::kShardDeleted)};
}

Result<std::unique_ptr<messaging::Plan>> IndexHandler::prepare(const storage::Reader& reader,
                                                               std::span<const Incoming> batch) {
  auto plan = std::make_unique<IndexPlan>();
  std::vector<ShardId> ids;
  for (const Incoming& in : batch) {
    const auto* records = get_array(in.event.data.get_object(), "records");
    if (records == nullptr) continue;
    for (const auto& item : *records) {
      const auto* record = item.if_object();
      if (record == nullptr || !is_searched(string_or(*record, "type"))) continue;
      ShardId id(string_or(*record, "id"));
      if (plan->entries.try_emplace(id).second) ids.push_back(std::move(id));
    }
  }
  for (std::size_t from = 0; from < ids.size(); from += kShardsAtOnce) {
    const auto some = std::span(ids).subspan(from, std::min(kShardsAtOnce, ids.size() - from));
    CASTIEL_ASSIGN(const auto shards, reader.shards_of(some));
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (!shards[i]) continue;
      auto& entry = plan->entries[some[i]];
      entry.version = shards[i]->version;
      if (!shards[i]->deleted_at) entry.chunks = chunks_of(*shards[i]);
    }
  }
  return plan;
}

}  // namespace castiel::search
