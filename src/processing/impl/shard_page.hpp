#pragma once
// What a page of records does to the shards that are stored: decided against a snapshot, written and
// announced in the step's transaction. Shared by all stages. One owner, one thread.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "messaging/handler.hpp"
#include "model/shard.hpp"
#include "storage/store.hpp"

namespace castiel::processing {

enum class Effect { created, updated, unchanged, deleted };

// A record as a stage understood it.
struct Candidate {
  model::ShardKey key;
  std::string data;    // as model::Shard::data
  std::string source;  // verbatim
  std::string origin;
  std::uint64_t content_hash = 0;  // of data
  Timestamp source_version;
  bool dated = false;  // source_version is the source's own time
  bool deleted = false;
  bool force = false;  // the record wins even when it is not newer
  // Copies of one thing that reach us in different dress (a mail in two mailboxes): as long as these members
  // of `data` agree, another content in the same version changes nothing. Empty: it is a collision.
  std::vector<std::string_view> identity;
  // A member of `data`, a number: of two contents the one with the higher number is the later one, whatever
  // their versions. Empty: there is none.
  std::string_view revision;
};

// What is stored of the keys of a batch, or will be once the records before are.
class KnownShards {
 public:
  struct Known {
    storage::ShardHead head;
    std::optional<model::Shard> shard;  // loaded when something has to be compared
  };
  // Reads what is stored of these keys at once, so that find() need not ask for each.
  Result<> load(const storage::Reader& reader, std::string_view type, std::string_view integration,
                std::span<const std::string> external_ids);
  // Nothing when there is no such shard. The pointer lives until the next put().
  Result<Known*> find(const storage::Reader& reader, const model::ShardKey& key);
  void put(const model::Shard& shard);

 private:
  struct KeyHash {
    std::size_t operator()(const model::ShardKey& key) const {
      return std::hash<std::string>{}(key.external_id) * 31 + std::hash<std::string>{}(key.type);
    }
  };
  std::unordered_map<model::ShardKey, std::optional<Known>, KeyHash> known_;
};

class ShardPage {
 public:
  struct Placed {
    Effect effect = Effect::unchanged;
    ShardId id;
    std::vector<std::string> changed;  // names of changed fields, of an update
  };

  // Error key_collision (permanent): the same version with other content; the earlier one is kept.
  Result<Placed> place(const storage::Reader& reader, KnownShards& known, Candidate candidate,
                       IdGenerator& ids, Timestamp now, const CorrelationId& correlation);

  Result<> write(storage::Transaction& tx) const;
  // shard.created, shard.updated and shard.deleted for what was written.
  Result<> publish(messaging::Step& step, const messaging::Event& cause, std::string_view integration,
                   std::string_view entity, int lane) const;

  const std::vector<storage::ShardWrite>& writes() const { return writes_; }
  std::int64_t count(Effect effect) const;
  std::vector<model::FieldChange>& changes() { return changes_; }

 private:
  std::vector<storage::ShardWrite> writes_;
  std::vector<Effect> effects_;                    // of each write
  std::vector<std::vector<std::string>> changed_;  // of each write
  std::vector<model::FieldChange> changes_;
  std::int64_t unchanged_ = 0;
};

}  // namespace castiel::processing
