#include "storage/postgres/impl/transaction.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/digest.hpp"
#include "model/entity.hpp"

namespace castiel::storage::postgres {

Result<> PostgresTransaction::fail(Error error) const {
  if (!failed_) failed_ = error;
  return std::unexpected(std::move(error));
}

Result<> PostgresTransaction::write(const char* sql, const Params& params, Connection::Then then) {
  if (failed_) return std::unexpected(*failed_);
  session().queue(sql, params, std::move(then));
  return {};
}

void PostgresTransaction::keep(const char* sql, Params params, Connection::Then then) {
  kept_.push_back({sql, std::move(params), std::move(then)});
}

Result<Rows> PostgresTransaction::ask(const char* sql, const Params& params) const {
  if (failed_) return std::unexpected(*failed_);
  auto rows = Queries::ask(sql, params);
  if (!rows) failed_ = rows.error();
  return rows;
}

Result<> PostgresTransaction::commit() {
  if (finished_) return permanent("store_failed", "the transaction is over already");
  CASTIEL_TRY(write_names());
  CASTIEL_TRY(write_texts());
  CASTIEL_TRY(write_flows());
  if (data_changed_ || directory_changed_) {
    CASTIEL_TRY(
        write("INSERT INTO tenant_version AS v (tenant, stripe, data_version, directory_version)"
              " VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, stripe) DO UPDATE SET"
              " data_version = v.data_version + excluded.data_version,"
              " directory_version = v.directory_version + excluded.directory_version",
              Params(t(), stripe(), std::int64_t{data_changed_}, std::int64_t{directory_changed_})));
  }
  if (failed_) return std::unexpected(*failed_);
  finished_ = true;
  CASTIEL_TRY(session().commit());
  if (wrote_outbox_) written_->tell();
  return {};
}

// --- shards and their history ---

namespace {
struct KeyHash {
  std::size_t operator()(const model::ShardKey* key) const {
    return std::hash<std::string>{}(key->external_id);
  }
};
struct KeyEqual {
  bool operator()(const auto* a, const auto* b) const { return *a == *b; }
};
}  // namespace

Result<> PostgresTransaction::put_shards(std::span<const ShardWrite> writes) {
  // A shard written twice in one call is written one after the other.
  std::vector<const ShardWrite*> inserts, updates;
  std::unordered_set<const model::ShardKey*, KeyHash, KeyEqual> keys;
  const auto flush = [&]() -> Result<> {
    CASTIEL_TRY(insert_shards(inserts));
    CASTIEL_TRY(update_shards(updates));
    inserts.clear();
    updates.clear();
    keys.clear();
    return {};
  };
  for (const auto& write : writes) {
    if (!keys.insert(&write.shard.key).second) {
      CASTIEL_TRY(flush());
      keys.insert(&write.shard.key);
    }
    (write.expected_version == 0 ? inserts : updates).push_back(&write);
    directory_changed_ = directory_changed_ || model::find_entity(write.shard.key.type) != nullptr;
  }
  data_changed_ = data_changed_ || !writes.empty();
  return flush();
}

namespace {
constexpr std::size_t kInsertedUnasked = 50;

Error changed_meanwhile(std::span<const ShardWrite* const> writes, std::int64_t kept) {
  const auto& key = writes.front()->shard.key;
  return {"version_conflict",
          writes.size() == 1
              ? fmt::format("{} {} was changed by someone else meanwhile", key.type, key.external_id)
              : fmt::format("{} of {} records such as {} {} were changed by someone else meanwhile",
                            static_cast<std::int64_t>(writes.size()) - kept, writes.size(), key.type,
                            key.external_id),
          ErrorClass::conditional,
          {}};
}
}  // namespace

Result<> PostgresTransaction::insert_shards(std::span<const ShardWrite* const> writes) {
  if (writes.empty()) return {};
  Column type(kText), integration(kText), external_id(kText), id(kText), version(kInt8),
      source_version(kInt8), dated(kBool), hash(kInt8), correlation(kText), created(kInt8), updated(kInt8),
      deleted(kInt8), origin(kText), data(kText), source(kBytea);
  for (const auto* write : writes) {
    const auto& s = write->shard;
    type.add(s.key.type);
    integration.add(s.key.integration);
    external_id.add(s.key.external_id);
    id.add(s.id);
    version.add(s.version);
    source_version.add(s.source_version);
    dated.add(s.source_is_dated);
    hash.add(s.content_hash);
    correlation.add(s.correlation);
    created.add(s.created_at);
    updated.add(s.updated_at);
    deleted.add(s.deleted_at);
    origin.add(s.origin);
    data.add(s.data);
    source.add(Bytes{s.source});
  }
  Params params(t());
  for (auto* column : {&type, &integration, &external_id, &id, &version, &source_version, &dated, &hash,
                       &correlation, &created, &updated, &deleted, &origin, &data, &source})
    params.add(*column);
  // A shard that is there already is an error of the statement, version_conflict.
  CASTIEL_TRY(
      write("INSERT INTO shard (tenant, type, integration, external_id, id, version, source_version,"
            " source_is_dated, content_hash, correlation, created_at, updated_at, deleted_at, origin, data,"
            " source) SELECT $1, w.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[],"
            " $6::bigint[], $7::bigint[], $8::boolean[], $9::bigint[], $10::text[], $11::bigint[],"
            " $12::bigint[], $13::bigint[], $14::text[], $15::text[], $16::bytea[]) AS w",
            params));
  // The server works on many while the step goes on.
  if (writes.size() < kInsertedUnasked) {
    if (auto done = session().sync(); !done) return fail(done.error());
  }

  for (const auto* write : writes) {
    const auto& key = write->shard.key;
    const std::string kind = key.type + ":id";
    lock_name(kind, key.external_id, true);
    new_ids_.kind.add(kind);
    new_ids_.key.add(key.external_id);
    new_ids_.integration.add(key.integration);
    new_ids_.id.add(write->shard.id);
    fresh_.insert(write->shard.id.str());
  }
  return {};
}

Result<> PostgresTransaction::update_shards(std::span<const ShardWrite* const> writes) {
  if (writes.empty()) return {};
  Column type(kText), integration(kText), external_id(kText), expected(kInt8), version(kInt8),
      source_version(kInt8), dated(kBool), hash(kInt8), correlation(kText), updated(kInt8), deleted(kInt8),
      origin(kText), data(kText), source(kBytea);
  for (const auto* write : writes) {
    const auto& s = write->shard;
    type.add(s.key.type);
    integration.add(s.key.integration);
    external_id.add(s.key.external_id);
    expected.add(write->expected_version);
    version.add(s.version);
    source_version.add(s.source_version);
    dated.add(s.source_is_dated);
    hash.add(s.content_hash);
    correlation.add(s.correlation);
    updated.add(s.updated_at);
    deleted.add(s.deleted_at);
    origin.add(s.origin);
    data.add(s.data);
    source.add(Bytes{s.source});
  }
  Params params(t());
  for (auto* column : {&type, &integration, &external_id, &expected, &version, &source_version, &dated, &hash,
                       &correlation, &updated, &deleted, &origin, &data, &source})
    params.add(*column);
  CASTIEL_ASSIGN(
      const auto rows,
      ask("WITH w AS (SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],"
          " $7::bigint[], $8::boolean[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], "
          "$13::text[],"
          " $14::text[], $15::bytea[]) AS w(type, integration, external_id, expected, version, "
          "source_version,"
          " source_is_dated, content_hash, correlation, updated_at, deleted_at, origin, data, source)),"
          " replaced AS (INSERT INTO shard_version (tenant, shard_id, version, source_version, correlation,"
          " updated_at, origin, data, source, replaced_at)"
          " SELECT s.tenant, s.id, s.version, s.source_version, s.correlation, s.updated_at, s.origin, "
          "s.data,"
          " s.source, w.updated_at FROM w JOIN shard s ON s.tenant=$1 AND s.type=w.type AND"
          " s.integration=w.integration AND s.external_id=w.external_id AND s.version=w.expected"
          " ON CONFLICT DO NOTHING)"
          " UPDATE shard s SET version=w.version, source_version=w.source_version,"
          " source_is_dated=w.source_is_dated, content_hash=w.content_hash, correlation=w.correlation,"
          " updated_at=w.updated_at, deleted_at=w.deleted_at, origin=w.origin, data=w.data, source=w.source "
          "FROM w"
          " WHERE s.tenant=$1 AND s.type=w.type AND s.integration=w.integration AND "
          "s.external_id=w.external_id AND"
          " s.version=w.expected",
          params));
  if (rows.affected() != static_cast<std::int64_t>(writes.size()))
    return fail(changed_meanwhile(writes, rows.affected()));
  return {};
}

Result<std::int64_t> PostgresTransaction::add_changes(std::span<const model::FieldChange> changes) {
  if (changes.empty()) return 0;
  Column type(kText), integration(kText), external_id(kText), effective(kInt8), field(kText), hash(kInt8),
      recorded(kInt8), old_value(kText), new_value(kText), origin(kText), actor(kText), correlation(kText);
  for (const auto& c : changes) {
    type.add(c.shard.type);
    integration.add(c.shard.integration);
    external_id.add(c.shard.external_id);
    effective.add(c.effective_at);
    field.add(c.field);
    hash.add(c.new_value ? stable_hash(*c.new_value) : std::uint64_t{0});
    recorded.add(c.recorded_at);
    old_value.add(c.old_value);
    new_value.add(c.new_value);
    origin.add(c.origin);
    actor.add(c.actor);
    correlation.add(c.correlation);
  }
  Params params(t());
  for (auto* column : {&type, &integration, &external_id, &effective, &field, &hash, &recorded, &old_value,
                       &new_value, &origin, &actor, &correlation})
    params.add(*column);
  CASTIEL_ASSIGN(
      const auto rows,
      ask("INSERT INTO field_change (tenant, type, integration, external_id, effective_at, field,"
          " value_hash, recorded_at, old_value, new_value, origin, actor, correlation)"
          " SELECT $1, w.* FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[],"
          " $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])"
          " AS w ON CONFLICT DO NOTHING",
          params));
  const std::int64_t added = rows.affected();
  data_changed_ = data_changed_ || added > 0;
  return added;
}

// --- messages ---

Result<bool> PostgresTransaction::add_to_inbox(std::string_view consumer, std::string_view message_id) {
  CASTIEL_ASSIGN(const auto rows,
                 ask("INSERT INTO inbox (tenant, consumer, message_id, at) VALUES ($1, $2, $3, $4)"
                     " ON CONFLICT DO NOTHING",
                     Params(t(), consumer, message_id, clock_->now())));
  return rows.affected() == 1;
}

// Duplicates among the ids: the first is new, the others are known.
Result<std::vector<bool>> PostgresTransaction::add_all_to_inbox(std::string_view consumer,
                                                                std::span<const std::string> message_ids) {
  Column wanted(kText);
  for (const auto& id : message_ids) wanted.add(id);
  return flags(message_ids.size(),
               ask("WITH w AS (SELECT id, min(n) AS n FROM unnest($4::text[]) WITH ORDINALITY AS w(id, n)"
                   " GROUP BY id), added AS (INSERT INTO inbox (tenant, consumer, message_id, at)"
                   " SELECT $1, $2, w.id, $3 FROM w ON CONFLICT DO NOTHING RETURNING message_id)"
                   " SELECT w.n FROM w JOIN added ON added.message_id = w.id",
                   std::move(Params(t(), consumer, clock_->now()).add(wanted))));
}

Result<> PostgresTransaction::publish(std::string_view stage, const OutgoingMessage& m) {
  CASTIEL_TRY(count(m.correlation, stage, "out", 1));
  for (const auto& queue : routes_->queues_for(m.type))
    CASTIEL_TRY(count(m.correlation, queue, "enqueued", 1));
  // Due at once, whatever the clocks of the processes say: else a later message of the lane might be due
  // before it.
  outgoing_.push_back({m, {}, {}, {}, Timestamp{0}});
  return {};
}

Result<> PostgresTransaction::add_outgoing(std::string_view queue, const OutgoingMessage& m,
                                           std::string_view record_key, Timestamp due,
                                           std::string_view errors) {
  outgoing_.push_back({m, std::string(queue), std::string(record_key), std::string(errors), due});
  return count(m.correlation, queue, "enqueued", 1);
}

Result<> PostgresTransaction::put_dead_letter(const DeadLetter& d) {
  const bool held = d.place == LetterPlace::quarantine;
  const auto into = [&](const char* sql) {
    return write(
        sql, Params(t(), d.id, d.queue, d.type, d.at, d.deliveries, d.code, d.message, d.pointer, d.key,
                    d.correlation, held && d.state == "dead" ? std::string("held") : d.state,
                    failures_to_json(d.errors), Bytes{d.payload}, d.signature.empty() ? d.code : d.signature,
                    d.repeats, d.replay_of, d.outcome, d.outcome_id, d.message_id, d.reason, d.fix, d.shown));
  };
#define CASTIEL_LETTER_COLUMNS                                                                            \
  " (tenant, id, queue, type, at, deliveries, code, message, pointer, record_key, correlation, state,"    \
  " errors, payload, signature, repeats, replay_of, outcome, outcome_id, message_id, reason, fix, shown)" \
  " VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23)"
  return into(held ? "INSERT INTO quarantine" CASTIEL_LETTER_COLUMNS
                   : "INSERT INTO dead_letter" CASTIEL_LETTER_COLUMNS);
#undef CASTIEL_LETTER_COLUMNS
}

Result<> PostgresTransaction::set_dead_letter_state(std::string_view id, std::string_view state) {
  for (const char* sql :
       {"UPDATE dead_letter SET state=$3, done_at=$4 WHERE tenant=$1 AND id=$2 AND state='dead'",
        "UPDATE quarantine SET state=$3, done_at=$4 WHERE tenant=$1 AND id=$2 AND state='held'"}) {
    CASTIEL_ASSIGN(const auto rows, ask(sql, Params(t(), id, state, clock_->now())));
    if (rows.affected() == 1) return {};
  }
  return permanent("not_found", fmt::format("there is no open dead letter {} of tenant {}", id, t()));
}

Result<> PostgresTransaction::set_replay_outcome(std::string_view id, std::string_view outcome,
                                                 std::string_view by) {
  for (const char* sql :
       {"UPDATE dead_letter SET outcome=$3, outcome_id=$4 WHERE tenant=$1 AND id=$2 AND outcome<>'dead'",
        "UPDATE quarantine SET outcome=$3, outcome_id=$4 WHERE tenant=$1 AND id=$2 AND outcome<>'dead'"})
    CASTIEL_TRY(write(sql, Params(t(), id, outcome, by)));
  return {};
}

Result<> PostgresTransaction::forget_shard(const ShardId& id) {
  CASTIEL_ASSIGN(const bool there,
                 exists(ask("SELECT 1 FROM shard WHERE tenant=$1 AND id=$2", Params(t(), id))));
  if (there) return permanent("conflict", fmt::format("shard {} is there", id.str()));
  data_changed_ = true;
  directory_changed_ = true;
  keep_fresh();
  for (const char* sql : {"DELETE FROM alias WHERE tenant=$1 AND shard_id=$2",
                          "DELETE FROM relation WHERE tenant=$1 AND from_id=$2",
                          "UPDATE relation SET to_id=NULL, how='' WHERE tenant=$1 AND to_id=$2"})
    keep(sql, Params(t(), id));
  for (const char* sql : {"DELETE FROM insight WHERE tenant=$1 AND shard_id=$2",
                          "DELETE FROM link WHERE tenant=$1 AND (from_id=$2 OR to_id=$2)",
                          "DELETE FROM shard_version WHERE tenant=$1 AND shard_id=$2"})
    CASTIEL_TRY(write(sql, Params(t(), id)));
  CASTIEL_TRY(put_footprints(id, {}));
  CASTIEL_TRY(put_interactions(id, {}));
  return put_chunks(id, {});
}

Result<> PostgresTransaction::mark_parked(std::string_view queue, std::string_view key) {
  // A key that is marked already is locked: it is not unmarked before this transaction is over.
  return write(
      "INSERT INTO parked_key AS p (tenant, queue, key, since) VALUES ($1, $2, $3, $4)"
      " ON CONFLICT (tenant, queue, key) DO UPDATE SET since = p.since",
      Params(t(), queue, key, clock_->now()));
}

Result<> PostgresTransaction::park(std::string_view queue, std::string_view key, const OutgoingMessage& m) {
  CASTIEL_TRY(
      write("INSERT INTO parked_record (tenant, queue, key, message_id, type, correlation, body)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            Params(t(), queue, key, m.id, m.type, m.correlation, Bytes{m.body})));
  return count(m.correlation, queue, "enqueued", 1);
}

Result<std::optional<OutgoingMessage>> PostgresTransaction::unpark(std::string_view queue,
                                                                   std::string_view key) {
  // First the key: who parks a record behind it at this moment is waited for, and its record is seen.
  CASTIEL_TRY(write("SELECT 1 FROM parked_key WHERE tenant=$1 AND queue=$2 AND key=$3 FOR UPDATE",
                    Params(t(), queue, key)));
  CASTIEL_ASSIGN(
      const auto next,
      ask("DELETE FROM parked_record p USING (SELECT seq FROM parked_record WHERE tenant=$1 AND queue=$2 AND"
          " key=$3 ORDER BY seq LIMIT 1) n WHERE p.tenant=$1 AND p.queue=$2 AND p.key=$3 AND p.seq=n.seq"
          " RETURNING p.message_id, p.type, p.correlation, p.body",
          Params(t(), queue, key)));
  if (next.empty()) {
    CASTIEL_TRY(
        write("DELETE FROM parked_key WHERE tenant=$1 AND queue=$2 AND key=$3", Params(t(), queue, key)));
    return std::optional<OutgoingMessage>();
  }
  const auto row = next[0];
  OutgoingMessage message{row.str(0), row.str(1), CorrelationId(row.str(2)), kRetryLane, 1, row.bytes(3)};
  CASTIEL_TRY(count(message.correlation, queue, "settled", 1));
  return std::optional(std::move(message));
}

// --- the rest, one statement each ---

Result<> PostgresTransaction::put_insight(const Insight& i) {
  return write(
      "INSERT INTO insight (tenant, kind, shard_id, as_of, payload, correlation, recorded_at)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, kind, shard_id) DO UPDATE SET"
      " as_of=excluded.as_of, payload=excluded.payload, correlation=excluded.correlation,"
      " recorded_at=excluded.recorded_at",
      Params(t(), i.kind, i.shard, i.as_of, i.payload, i.correlation, i.recorded_at));
}

Result<> PostgresTransaction::put_import_run(const ImportRun& r) {
  return write(
      "INSERT INTO import_run (tenant, correlation, status, started_at, finished_at, detail)"
      " VALUES ($1, $2, $3, $4, $5::bigint, $6) ON CONFLICT (tenant, correlation) DO UPDATE SET"
      " status=excluded.status, started_at=excluded.started_at, finished_at=excluded.finished_at,"
      " detail=excluded.detail",
      Params(t(), r.correlation, r.status, r.started_at, r.finished_at, r.detail));
}

Result<> PostgresTransaction::put_imported_file(const ImportedFile& f) {
  return write(
      "INSERT INTO imported_file (tenant, sha256, mapping, correlation, complete, dated, cursor, records)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, sha256, mapping) DO UPDATE SET"
      " correlation=excluded.correlation, complete=excluded.complete, dated=excluded.dated,"
      " cursor=excluded.cursor, records=excluded.records",
      Params(t(), f.sha256, f.mapping, f.correlation, f.complete, f.dated, f.cursor, f.records));
}

Result<> PostgresTransaction::put_cursor(std::string_view integration, std::string_view name,
                                         std::string_view value) {
  return write(
      "INSERT INTO sync_cursor (tenant, integration, name, value, updated_at) VALUES ($1, $2, $3, $4, $5)"
      " ON CONFLICT (tenant, integration, name) DO UPDATE SET value=excluded.value,"
      " updated_at=excluded.updated_at",
      Params(t(), integration, name, value, clock_->now()));
}

Result<> PostgresTransaction::put_setting(std::string_view key, std::string_view value) {
  return write(
      "INSERT INTO tenant_setting (tenant, key, value, updated_at) VALUES ($1, $2, $3, $4)"
      " ON CONFLICT (tenant, key) DO UPDATE SET value=excluded.value, updated_at=excluded.updated_at",
      Params(t(), key, value, clock_->now()));
}

Result<std::optional<Lease>> PostgresTransaction::take_lease(std::string_view name, std::string_view owner,
                                                             Duration term) {
  const Timestamp now = clock_->now();
  CASTIEL_ASSIGN(const auto rows,
                 ask("INSERT INTO lease AS l (tenant, name, owner, fence, until) VALUES ($1, $2, $3, 1, $4)"
                     " ON CONFLICT (tenant, name) DO UPDATE SET owner=excluded.owner, until=excluded.until,"
                     " fence = CASE WHEN l.owner=excluded.owner THEN l.fence ELSE l.fence + 1 END"
                     " WHERE l.owner=excluded.owner OR l.owner='' OR l.until<=$5 RETURNING fence",
                     Params(t(), name, owner, now + term, now)));
  if (rows.empty()) return std::nullopt;
  return std::optional(Lease{std::string(name), rows[0].integer(0), now + term});
}

// Whoever wants to take it over waits until this transaction is over.
Result<> PostgresTransaction::hold_lease(const Lease& lease) {
  CASTIEL_ASSIGN(const auto rows,
                 ask("SELECT 1 FROM lease WHERE tenant=$1 AND name=$2 AND fence=$3 AND owner<>'' FOR SHARE",
                     Params(t(), lease.name, lease.fence)));
  if (!rows.empty()) return {};
  return fail({"lease_lost",
               fmt::format("another process has the lease '{}'", lease.name),
               ErrorClass::conditional,
               {}});
}

Result<> PostgresTransaction::give_back_lease(const Lease& lease) {
  return write("UPDATE lease SET owner='', until=0 WHERE tenant=$1 AND name=$2 AND fence=$3",
               Params(t(), lease.name, lease.fence));
}

Result<> PostgresTransaction::add_audit(const AuditEntry& e) {
  return write(
      "INSERT INTO audit (tenant, at, actor, action, target, detail) VALUES ($1, $2, $3, $4, $5, $6)",
      Params(t(), e.at, e.actor, e.action, e.target, e.detail));
}

}  // namespace castiel::storage::postgres
