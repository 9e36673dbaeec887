#pragma once
// The rows the store keeps besides shards: plain values, no behaviour.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "model/shard.hpp"

namespace castiel::storage {

// What a writer must know of a stored shard before it decides: everything but the payload.
struct ShardHead {
  ShardId id;
  std::int64_t version = 0;
  Timestamp source_version;
  bool source_is_dated = false;
  std::uint64_t content_hash = 0;
  bool deleted = false;
};

// One insert (expected_version 0) or update (the version that was read) of a shard.
struct ShardWrite {
  model::Shard shard;  // `version` is the new one: expected_version + 1
  std::int64_t expected_version = 0;
};

// A name under which a shard can be found: its external id, name, e-mail or domain.
struct Alias {
  std::string kind;  // "account:id", "account:name", "user:email", …
  std::string key;   // normalised value
  std::string integration;
  ShardId shard;
  auto operator<=>(const Alias&) const = default;
};

// An edge from a shard to another, given by the source as an id or a name and resolved through aliases.
struct Relation {
  ShardId from;
  std::string role;  // "account", "owner", "product", "contact", "parent", "manager", …
  int ordinal = 0;
  std::string integration;  // of the shard it starts from; its own aliases are preferred
  std::string kind;         // alias kind to look up
  std::string key;          // normalised
  std::string text;         // as the source wrote it
  std::optional<ShardId> to;
  std::string how;  // "id", "name", "near", "ambiguous", "" while unresolved
};

// Lanes of a queue are numbered by partition; retries of single records wait in a lane of their own, where
// the parked key, not the lane, keeps the order.
inline constexpr int kRetryLane = -1;

// All relations that name the same thing in the same words.
struct NamedRelation {
  std::string kind;
  std::string text;
  ShardId to;
  std::string how;
  std::int64_t count = 0;
};

// A message on its way to queues. Serialised once; the routing key is the event type.
struct OutgoingMessage {
  std::string id;
  std::string type;
  CorrelationId correlation;
  int partition = 0;  // messages of one partition of a queue are handled one after another
  int records = 1;
  std::string body;
};

// A row of one queue's retry lane or dead-letter queue keeps the tries so far and their errors.
struct Failure {
  Timestamp at;
  std::string code;
  std::string message;
};

// As text in rows. What cannot be read gives no failures.
std::string failures_to_json(std::span<const Failure> failures);
std::vector<Failure> failures_from_json(std::string_view text);

struct DeadLetter {
  std::string id;
  TenantId tenant;
  std::string queue;
  std::string type;  // event type
  Timestamp at;
  int deliveries = 0;
  std::string code;
  std::string message;
  std::string pointer;  // JSON pointer of the offending part, may be empty
  std::string key;      // the record's key, empty for a whole message
  CorrelationId correlation;
  std::string state = "dead";  // dead, replayed, purged
  std::string payload;         // the original message
  std::vector<Failure> errors;
};

// One line of a flow's story, for `trace`.
struct FlowEntry {
  Timestamp at;
  std::string stage;  // queue or producer
  std::string kind;   // event, retry, dead_letter, parked, shard, insight, note
  std::string type;   // event type or shard type
  std::string id;
  std::string text;
  std::int64_t count = 0;
};

// One counter of the flow ledger. The names in use: in, out, records, created:<type>, updated:<type>,
// unchanged:<type>, dead, parked, retried, enqueued, settled.
struct LedgerEntry {
  std::string stage;
  std::string counter;
  std::int64_t value = 0;
};

struct Problem {
  std::string file;
  std::int64_t line = 0;  // 1-based, 0 for the file as a whole
  std::string code;
  std::string message;
};

struct Insight {
  ShardId shard;
  std::string kind;  // "deal"
  Timestamp as_of;
  std::string payload;  // JSON text
  CorrelationId correlation;
  Timestamp recorded_at;
};

struct ImportRun {
  CorrelationId correlation;
  std::string status;  // running, done, failed
  Timestamp started_at;
  std::optional<Timestamp> finished_at;
  std::string detail;  // JSON text: paths, files, what was understood
};

struct ImportedFile {
  std::string sha256;
  std::string mapping;  // hash of how it was read: another mapping is another import
  CorrelationId correlation;
  bool complete = false;
  bool dated = false;  // its records carry their own modification times
  std::string cursor;  // where to go on, JSON text
  std::int64_t records = 0;
};

struct AuditEntry {
  Timestamp at;
  std::string actor;
  std::string action;
  std::string target;
  std::string detail;  // JSON text
};

// What was kept for long enough, by kind: rows from before these instants may go (TENANT-4).
struct KeptSince {
  Timestamp inbox;     // handled messages
  Timestamp flows;     // story, ledger, problems and import run of a flow that ended and wrote nothing since
  Timestamp versions;  // versions replaced before
  Timestamp dead_letters;  // replayed or purged before
};

struct TenantInfo {
  TenantId tenant;
  Timestamp created_at;
};

}  // namespace castiel::storage
