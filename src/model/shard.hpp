#pragma once
// A shard: one stored entity of a tenant, as one source knows it. And its history, field by field.

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace castiel::model {

// The natural key of a shard: one per source record.
struct ShardKey {
  std::string type;         // model::type
  std::string integration;  // the integration it came from: "salesforce", "files"
  std::string external_id;  // the source's identifier
  auto operator<=>(const ShardKey&) const = default;
};

struct Shard {
  ShardId id;
  ShardKey key;
  std::int64_t version = 0;  // 1 when created, one more for each change
  std::string
      data;  // JSON object text: canonical fields in name order; `custom` holds the source's unmapped ones
  std::string source;  // the record as the source sent it, verbatim
  std::string origin;  // JSON object text, where that was: {"file","line","encoding"} or {"url"}
  // The source's own modification time when `source_is_dated`, else the time of the import.
  Timestamp source_version;
  bool source_is_dated = false;
  std::uint64_t content_hash = 0;  // stable_hash of `data`
  CorrelationId correlation;
  Timestamp created_at;
  Timestamp updated_at;
  std::optional<Timestamp> deleted_at;
};

// One change of one field. "As of T known at K" reads entries with effective_at <= T and recorded_at <= K.
struct FieldChange {
  ShardKey shard;
  std::string field;                     // canonical name; "*" for a deletion or an undeletion
  std::optional<std::string> old_value;  // text form; nothing for null
  std::optional<std::string> new_value;
  Timestamp effective_at;  // at the source
  Timestamp recorded_at;   // here
  std::string origin;      // "import", "history_export", "sync", "webhook", "user"
  std::string actor;       // who changed it, where the source says so
  CorrelationId correlation;
};

}  // namespace castiel::model
