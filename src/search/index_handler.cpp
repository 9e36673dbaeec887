#include "search/index_handler.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/json.hpp"
#include "model/event_types.hpp"
#include "search/chunks.hpp"

namespace castiel::search {
namespace {

using messaging::Incoming;

struct Entry {
  std::int64_t version = 0;
  std::vector<storage::SearchChunk> chunks;
};

class IndexPlan final : public messaging::Plan {
 public:
  std::map<ShardId, Entry> entries;

  Result<> apply(messaging::Step& step) override {
    for (const auto& [id, entry] : entries) {
      // An event that is handled later must not bring an older text back.
      CASTIEL_ASSIGN(const auto shard, step.tx().shard(id));
      if (shard && shard->version != entry.version)
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
  for (const Incoming& in : batch) {
    const auto* records = get_array(in.event.data.get_object(), "records");
    if (records == nullptr) continue;
    for (const auto& item : *records) {
      const auto* record = item.if_object();
      if (record == nullptr || !is_searched(string_or(*record, "type"))) continue;
      const ShardId id(string_or(*record, "id"));
      const auto [it, fresh] = plan->entries.try_emplace(id);
      if (!fresh) continue;
      CASTIEL_ASSIGN(const auto shard, reader.shard(id));
      if (!shard) continue;
      it->second.version = shard->version;
      if (!shard->deleted_at) it->second.chunks = chunks_of(*shard);
    }
  }
  return plan;
}

}  // namespace castiel::search
