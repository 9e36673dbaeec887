#pragma once
// Rows of the tables as values.

#include "storage/postgres/impl/connection.hpp"
#include "storage/records.hpp"

namespace castiel::storage::postgres {

inline constexpr char kShardColumns[] =
    "SELECT type, integration, external_id, id, version, source_version, source_is_dated, content_hash, "
    "correlation, created_at, updated_at, deleted_at, origin, data";
inline constexpr int kShardWithSourceColumns = 15;

inline model::Shard read_shard(const Row& row, bool with_source) {
  model::Shard shard;
  shard.key = {row.str(0), row.str(1), row.str(2)};
  shard.id = ShardId(row.str(3));
  shard.version = row.integer(4);
  shard.source_version = row.time(5);
  shard.source_is_dated = row.flag(6);
  shard.content_hash = static_cast<std::uint64_t>(row.integer(7));
  shard.correlation = CorrelationId(row.str(8));
  shard.created_at = row.time(9);
  shard.updated_at = row.time(10);
  if (!row.is_null(11)) shard.deleted_at = row.time(11);
  shard.origin = row.str(12);
  shard.data = row.str(13);
  if (with_source) shard.source = row.bytes(14);
  return shard;
}

inline constexpr char kChangeColumns[] =
    "SELECT type, integration, external_id, field, old_value, new_value, effective_at, recorded_at, origin, "
    "actor, "
    "correlation, value_hash FROM field_change";

inline model::FieldChange read_change(const Row& row) {
  return {{row.str(0), row.str(1), row.str(2)},
          row.str(3),
          row.optional_str(4),
          row.optional_str(5),
          row.time(6),
          row.time(7),
          row.str(8),
          row.str(9),
          CorrelationId(row.str(10))};
}

inline constexpr char kRelationColumns[] =
    "SELECT r.from_id, r.role, r.ordinal, r.integration, r.kind, r.key, r.text, r.to_id, r.how";

inline Relation read_relation(const Row& row) {
  Relation r{ShardId(row.str(0)), row.str(1), static_cast<int>(row.integer(2)),
             row.str(3),          row.str(4), row.str(5),
             row.str(6),          {},         row.str(8)};
  if (!row.is_null(7)) r.to = ShardId(row.str(7));
  return r;
}

inline Alias read_alias(const Row& row) {
  return {row.str(0), row.str(1), row.str(2), ShardId(row.str(3))};
}

inline constexpr char kLetterColumns[] =
    "id, tenant, queue, type, at, deliveries, code, message, pointer, record_key, correlation, state, "
    "signature, repeats, replay_of, outcome, outcome_id, message_id, reason, fix, length(payload)::bigint";

// A row of kLetterColumns and, where it has them, errors, payload and shown.
inline DeadLetter read_letter(const Row& row, LetterPlace place, bool with_payload) {
  DeadLetter letter;
  letter.id = row.str(0);
  letter.tenant = TenantId(row.str(1));
  letter.queue = row.str(2);
  letter.type = row.str(3);
  letter.at = row.time(4);
  letter.deliveries = static_cast<int>(row.integer(5));
  letter.code = row.str(6);
  letter.message = row.str(7);
  letter.pointer = row.str(8);
  letter.key = row.str(9);
  letter.correlation = CorrelationId(row.str(10));
  letter.state = row.str(11);
  letter.signature = row.str(12);
  letter.repeats = static_cast<int>(row.integer(13));
  letter.replay_of = row.str(14);
  letter.outcome = row.str(15);
  letter.outcome_id = row.str(16);
  letter.message_id = row.str(17);
  letter.reason = row.str(18);
  letter.fix = row.str(19);
  letter.size = row.integer(20);
  letter.place = place;
  if (!with_payload) return letter;
  letter.errors = failures_from_json(row.str(21));
  letter.payload = row.bytes(22);
  letter.shown = row.str(23);
  return letter;
}

inline constexpr char kLinkColumns[] =
    "SELECT id, from_id, from_type, to_id, to_type, strategy, confidence, status, reason, evidence, "
    "created_by, "
    "created_at, last_verified_at, decided_by, correlation FROM link";

inline Link read_link(const Row& row) {
  return {row.str(0),
          ShardId(row.str(1)),
          row.str(2),
          ShardId(row.str(3)),
          row.str(4),
          row.str(5),
          static_cast<int>(row.integer(6)),
          row.str(7),
          row.str(8),
          row.str(9),
          row.str(10),
          row.time(11),
          row.time(12),
          row.str(13),
          CorrelationId(row.str(14))};
}

inline Insight read_insight(const Row& row) {
  return {ShardId(row.str(0)), row.str(1), row.time(2), row.str(3), CorrelationId(row.str(4)), row.time(5)};
}

inline ImportRun read_run(const Row& row) {
  ImportRun run{CorrelationId(row.str(0)), row.str(1), row.time(2), {}, row.str(4)};
  if (!row.is_null(3)) run.finished_at = row.time(3);
  return run;
}

inline SearchChunk read_chunk(const Row& row) {
  return {ShardId(row.str(0)), row.str(1), static_cast<int>(row.integer(2)), row.time(3), row.str(4),
          row.str(5),          row.str(6)};
}

}  // namespace castiel::storage::postgres
