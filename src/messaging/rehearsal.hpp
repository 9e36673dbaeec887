#pragma once
// What a message would do if it were handled now: its stage prepares and applies it in a transaction that is
// never committed, and what it would have changed is told as a difference. Nothing is written, published or
// settled. Thread-safe once all stages are added; a rehearsal holds the store's writer while it applies.

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "messaging/handler.hpp"
#include "messaging/letters.hpp"

namespace castiel::messaging {

struct FieldDifference {
  std::string field;
  std::optional<std::string> before, after;  // as text, cut to kMaxValueBytes
};

struct ShardDifference {
  ShardId id;
  model::ShardKey key;
  std::string name;    // of the shard, may be empty
  std::string effect;  // created, updated, deleted
  std::vector<FieldDifference> fields;
  std::size_t more_fields = 0;  // changed too, left out
};

struct RehearsedError {
  std::string code;
  std::string message;
  std::string pointer;  // JSON pointer into the event, may be empty
  std::string key;      // of the record
};

struct Rehearsed {
  // effect: it would be handled, perhaps changing nothing; fails: at least one record, or all of it, would
  // end as dead letter; retries: for now it would be tried again; waits: for other work to be done first;
  // impossible: it cannot be replayed; already: it was.
  std::string would;
  std::string summary;  // the stage's own words
  std::vector<ShardDifference> shards;
  std::size_t more_shards = 0;
  std::vector<std::pair<std::string, int>> events;  // that would be published: type and records
  std::vector<RehearsedError> errors;
  std::string behind;  // the letter of the same key that was rehearsed before it, whose effects it saw
};

class Rehearsal {
 public:
  static constexpr std::size_t kMaxValueBytes = 400;
  static constexpr std::size_t kMaxFields = 60;
  static constexpr std::size_t kMaxShards = 50;

  struct Parts {
    storage::Store* store;
    const SchemaRegistry* schemas;
    const Clock* clock;
    IdGenerator* ids;
    Duration transaction = std::chrono::seconds(10);  // wait for the writer at most
  };
  explicit Rehearsal(Parts parts) : parts_(parts) {}

  // `sees_writes`: the handler reads what it decides on from the reader it is given and remembers nothing of
  // it, so that letters of one key are rehearsed one after the other, each over the effects of the one
  // before.
  void add(std::string queue, Handler& handler, bool sees_writes) {
    stages_[std::move(queue)] = {&handler, sees_writes};
  }

  // One for each letter, in the same order; the letters are one tenant's. Letters with the same queue and key
  // are rehearsed in their order. Errors: the store's.
  Result<std::vector<Rehearsed>> rehearse(const TenantId& tenant,
                                          std::span<const storage::DeadLetter> letters) const;

 private:
  struct Stage {
    Handler* handler = nullptr;
    bool sees_writes = false;
  };
  class DryStep;
  using Written = std::map<ShardId, std::string>;  // data of shards that earlier letters of the key wrote
  Result<Rehearsed> one(const TenantId& tenant, const Stage& stage, const storage::DeadLetter& letter,
                        storage::Transaction& tx, Written& written, bool& spoilt) const;
  Result<> tell(const storage::Reader& before, const storage::Reader& after, const json::object& record,
                std::string effect, std::string integration, Written& written, Rehearsed& told) const;

  Parts parts_;
  std::map<std::string, Stage, std::less<>> stages_;
};

// Field by field; members of objects by "outer.inner".
std::vector<FieldDifference> differences(std::string_view before, std::string_view after);

}  // namespace castiel::messaging
