#include "storage/sqlite/impl/transaction.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "model/entity.hpp"
#include "storage/outbox.hpp"

namespace castiel::storage::sqlite {

void Routes::set(std::vector<Binding> bindings) {
  std::lock_guard lock(mutex_);
  bindings_ = std::move(bindings);
  resolved_.clear();
}

std::vector<std::string> Routes::queues_for(const std::string& type) {
  std::lock_guard lock(mutex_);
  const auto [it, fresh] = resolved_.try_emplace(type);
  if (fresh) {
    for (const auto& binding : bindings_) {
      if (topic_matches(binding.pattern, type) &&
          std::ranges::find(it->second, binding.queue) == it->second.end()) {
        it->second.push_back(binding.queue);
      }
    }
  }
  return it->second;
}

Result<std::vector<Binding>> read_bindings(Connection& db) {
  return collect<Binding>(query(db, "SELECT pattern, queue FROM binding"),
                          [](const Statement& row) { return Binding{row.str(0), row.str(1)}; });
}

Result<> keep_bindings(Connection& db, Routes& routes, std::string_view queue,
                       const std::vector<Binding>& bindings) {
  CASTIEL_TRY(run(db, "DELETE FROM binding WHERE queue=?", queue));
  for (const auto& b : bindings)
    CASTIEL_TRY(run(db, "INSERT OR IGNORE INTO binding (pattern, queue) VALUES (?,?)", b.pattern, queue));
  CASTIEL_ASSIGN(auto all, read_bindings(db));
  routes.set(std::move(all));
  return {};
}

namespace {
// Alias kinds are "<shard type>:<what>".
bool is_of_directory(std::string_view alias_kind) {
  return model::find_entity(alias_kind.substr(0, alias_kind.find(':'))) != nullptr;
}
}  // namespace

SqliteTransaction::~SqliteTransaction() {
  if (!finished_) writer_->rollback();
}

Result<> SqliteTransaction::commit() {
  if (finished_) return permanent("store_failed", "the transaction is over already");
  if (failed_) return std::unexpected(*failed_);
  if (data_changed_ || directory_changed_) {
    CASTIEL_TRY(write(
        "UPDATE tenant SET data_version = data_version + ?, directory_version = directory_version + ? WHERE "
        "tenant=?",
        data_changed_, directory_changed_, t()));
  }
  if (segment_) CASTIEL_TRY(keep_segment());
  finished_ = true;
  return writer_->commit(std::move(lane_changes_), wrote_outbox_);
}

Result<> SqliteTransaction::put_shards(std::span<const ShardWrite> writes) {
  data_changed_ = data_changed_ || !writes.empty();
  for (const auto& [shard, expected] : writes) {
    const auto& key = shard.key;
    directory_changed_ = directory_changed_ || model::find_entity(key.type) != nullptr;
    if (expected == 0) {
      CASTIEL_TRY(write(
          "INSERT OR IGNORE INTO shard (tenant, type, integration, external_id, id, version, source_version, "
          "source_is_dated,"
          " content_hash, correlation, created_at, updated_at, deleted_at, origin, data, source)"
          " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
          t(), key.type, key.integration, key.external_id, shard.id.str(), shard.version,
          shard.source_version, shard.source_is_dated, shard.content_hash, shard.correlation.str(),
          shard.created_at, shard.updated_at, shard.deleted_at, shard.origin, shard.data, shard.source));
    } else {
      CASTIEL_TRY(write(
          "INSERT OR IGNORE INTO shard_version (tenant, shard_id, version, source_version, "
          "correlation, updated_at, origin, data, source, replaced_at)"
          " SELECT tenant, id, version, source_version, correlation, updated_at, origin, data, source, ? "
          "FROM shard"
          " WHERE tenant=? AND type=? AND integration=? AND external_id=? AND version=?",
          shard.updated_at, t(), key.type, key.integration, key.external_id, expected));
      CASTIEL_TRY(
          write("UPDATE shard SET version=?, source_version=?, source_is_dated=?, content_hash=?, "
                "correlation=?, updated_at=?,"
                " deleted_at=?, origin=?, data=?, source=?"
                " WHERE tenant=? AND type=? AND integration=? AND external_id=? AND version=?",
                shard.version, shard.source_version, shard.source_is_dated, shard.content_hash,
                shard.correlation.str(), shard.updated_at, shard.deleted_at, shard.origin, shard.data,
                shard.source, t(), key.type, key.integration, key.external_id, expected));
    }
    if (sqlite3_changes64(db().handle()) != 1) {
      failed_ = Error{"version_conflict",
                      fmt::format("{} {} was changed by someone else meanwhile", key.type, key.external_id),
                      ErrorClass::conditional,
                      {}};
      return std::unexpected(*failed_);
    }
    if (expected != 0) continue;
    fresh_.insert(shard.id.str());
    const std::string kind = key.type + ":id";
    CASTIEL_ASSIGN(const bool waits, anything_waits(kind));
    if (!waits) continue;
    CASTIEL_TRY(write(
        "UPDATE relation INDEXED BY relation_open SET to_id=?1, how='id' WHERE tenant=?2 AND segment IN "
        "(SELECT segment FROM relation_segment WHERE tenant=?2) AND kind=?3 AND key=?4 AND how<>'id' "
        "AND integration=?5",
        shard.id.str(), t(), kind, key.external_id, key.integration));
  }
  return {};
}

Result<std::int64_t> SqliteTransaction::add_changes(std::span<const model::FieldChange> changes) {
  std::int64_t added = 0;
  for (const auto& c : changes) {
    const std::uint64_t hash = c.new_value ? stable_hash(*c.new_value) : 0;
    CASTIEL_TRY(
        write("INSERT OR IGNORE INTO field_change (tenant, type, integration, external_id, effective_at, "
              "field, value_hash, recorded_at,"
              " old_value, new_value, origin, actor, correlation) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
              t(), c.shard.type, c.shard.integration, c.shard.external_id, c.effective_at, c.field, hash,
              c.recorded_at, c.old_value, c.new_value, c.origin, c.actor, c.correlation.str()));
    added += sqlite3_changes64(db().handle());
  }
  data_changed_ = data_changed_ || added > 0;
  return added;
}

Result<> SqliteTransaction::put_aliases(std::span<const Alias> aliases) {
  for (const auto& a : aliases) {
    targets_.clear();
    CASTIEL_TRY(
        write("INSERT OR IGNORE INTO alias (tenant, kind, key, integration, shard_id) VALUES (?,?,?,?,?)",
              t(), a.kind, a.key, a.integration, a.shard.str()));
    if (sqlite3_changes64(db().handle()) == 0) continue;
    data_changed_ = true;
    directory_changed_ = directory_changed_ || is_of_directory(a.kind);
    CASTIEL_ASSIGN(const bool waits, anything_waits(a.kind));
    if (!waits) continue;
    // What comes later may answer otherwise for each source: its own shard first, and none when several have
    // the name.
    CASTIEL_ASSIGN(
        const auto sources,
        collect<std::string>(query(db(),
                                   "SELECT DISTINCT integration FROM relation INDEXED BY relation_open"
                                   " WHERE tenant=?1 AND segment IN (SELECT segment FROM relation_segment "
                                   "WHERE tenant=?1) AND kind=?2 AND key=?3 AND how<>'id'",
                                   t(), a.kind, a.key),
                             [](const Statement& row) { return row.str(0); }));
    for (const auto& integration : sources) {
      Relation relation;
      relation.kind = a.kind;
      relation.key = a.key;
      relation.integration = integration;
      CASTIEL_ASSIGN(const auto target, find_target(relation));
      CASTIEL_TRY(write(
          "UPDATE relation INDEXED BY relation_open SET to_id=?1, how=?2 WHERE tenant=?3 AND segment IN "
          "(SELECT segment FROM relation_segment WHERE tenant=?3) AND kind=?4 AND key=?5 AND how<>'id' "
          "AND integration=?6",
          target.to ? std::optional(target.to->str()) : std::nullopt, target.how, t(), a.kind, a.key,
          integration));
    }
  }
  return {};
}

Result<> SqliteTransaction::drop_aliases(const ShardId& shard) {
  targets_.clear();
  return write("DELETE FROM alias WHERE tenant=? AND shard_id=?", t(), shard.str());
}

Result<bool> SqliteTransaction::anything_waits(const std::string& kind) {
  if (const auto it = waiting_.find(kind); it != waiting_.end()) return it->second;
  CASTIEL_ASSIGN(auto statement,
                 query(db(),
                       "SELECT 1 FROM relation INDEXED BY relation_open WHERE tenant=?1 AND "
                       "segment IN (SELECT segment FROM relation_segment WHERE tenant=?1) AND "
                       "kind=?2 AND how<>'id' LIMIT 1",
                       t(), kind));
  CASTIEL_ASSIGN(const bool waits, statement.step());
  waiting_.emplace(kind, waits);
  return waits;
}

Result<SqliteTransaction::Target> SqliteTransaction::find_target(const Relation& r) {
  const std::string cache_key = fmt::format("{}\n{}\n{}", r.kind, r.integration, r.key);
  if (const auto it = targets_.find(cache_key); it != targets_.end()) return it->second;
  Target target;
  if (r.kind.ends_with(":id")) {
    auto found = first<std::string>(
        query(db(), "SELECT id FROM shard WHERE tenant=? AND type=? AND integration=? AND external_id=?", t(),
              std::string_view(r.kind).substr(0, r.kind.size() - 3), r.integration, r.key),
        [](const Statement& row) { return row.str(0); });
    if (!found) return std::unexpected(found.error());
    if (*found) target = {ShardId(**found), "id"};
  } else {
    CASTIEL_ASSIGN(const auto candidates, aliases(r.kind, r.key));
    // The source's own shard first; another integration's only when there is just one.
    std::vector<const Alias*> own;
    for (const auto& alias : candidates) {
      if (alias.integration == r.integration) own.push_back(&alias);
    }
    if (own.size() == 1) {
      target = {own.front()->shard, "name"};
    } else if (own.empty() && candidates.size() == 1) {
      target = {candidates.front().shard, "name"};
    } else if (!candidates.empty()) {
      target = {std::nullopt, "ambiguous"};
    }
  }
  targets_.emplace(cache_key, target);
  return target;
}

Result<> SqliteTransaction::put_relations(std::span<const Relation> relations) {
  const ShardId* last = nullptr;
  for (const auto& r : relations) {
    if ((last == nullptr || *last != r.from) && fresh_.erase(r.from.str()) == 0) {
      CASTIEL_TRY(write("DELETE FROM relation WHERE tenant=? AND from_id=?", t(), r.from.str()));
    }
    last = &r.from;
    if (r.kind.empty()) continue;  // only clears
    directory_changed_ = true;
    CASTIEL_ASSIGN(const auto target, find_target(r));
    if (!target.to) waiting_[r.kind] = true;
    CASTIEL_ASSIGN(const auto segment, next_segment());
    CASTIEL_TRY(
        write("INSERT OR REPLACE INTO relation (tenant, from_id, role, ordinal, integration, kind, key, "
              "text, to_id, how, segment)"
              " VALUES (?,?,?,?,?,?,?,?,?,?,?)",
              t(), r.from.str(), r.role, r.ordinal, r.integration, r.kind, r.key, r.text,
              target.to ? std::optional(target.to->str()) : std::nullopt, target.how, segment));
  }
  data_changed_ = data_changed_ || !relations.empty();
  return {};
}

// Segments grow with their number, so that both the places a batch writes at and the segments a look-up asks
// grow with the square root of what is stored.
constexpr std::int64_t kSegmentEntries = 4096;
constexpr std::int64_t kEqualSegments = 16;

Result<std::int64_t> SqliteTransaction::next_segment() {
  if (!segment_) {
    auto last = first<Segment>(
        query(db(),
              "SELECT segment, entries FROM relation_segment WHERE tenant=? ORDER BY segment DESC LIMIT 1",
              t()),
        [](const Statement& row) { return Segment{row.integer(0), row.integer(1)}; });
    if (!last) return std::unexpected(last.error());
    segment_ = last->value_or(Segment{});
  }
  if (segment_->entries >= kSegmentEntries * std::max<std::int64_t>(1, segment_->number / kEqualSegments)) {
    CASTIEL_TRY(keep_segment());
    *segment_ = {segment_->number + 1, 0};
  }
  // Known before its first relation: what resolves relations later in this transaction asks for it.
  if (segment_->entries++ == 0) CASTIEL_TRY(keep_segment());
  return segment_->number;
}

Result<> SqliteTransaction::keep_segment() {
  return write("INSERT OR REPLACE INTO relation_segment (tenant, segment, entries) VALUES (?,?,?)", t(),
               segment_->number, segment_->entries);
}

Result<> SqliteTransaction::resolve_relation(const Relation& r) {
  waiting_.clear();
  data_changed_ = true;
  directory_changed_ = true;
  return write("UPDATE relation SET to_id=?, how=? WHERE tenant=? AND from_id=? AND role=? AND ordinal=?",
               r.to ? std::optional(r.to->str()) : std::nullopt, r.how, t(), r.from.str(), r.role, r.ordinal);
}

Result<> SqliteTransaction::publish(std::string_view stage, const OutgoingMessage& m) {
  CASTIEL_TRY(count(m.correlation, stage, "out", 1));
  const Timestamp now = clock_->now();
  const bool elsewhere = publish_to_ == SqliteStore::PublishTo::outbox;
  // Due at once, whatever the clock of another process or a stepped one says: else a later message of the
  // lane might be due before it.
  if (elsewhere) CASTIEL_TRY(add_to_outbox({}, m, {}, Timestamp{0}, {}));
  for (const auto& queue : routes_->queues_for(m.type)) {
    CASTIEL_TRY(elsewhere ? count(m.correlation, queue, "enqueued", 1) : add_queued(queue, m, {}, now, {}));
  }
  return {};
}

Result<> SqliteTransaction::add_to_outbox(std::string_view queue, const OutgoingMessage& m,
                                          std::string_view record_key, Timestamp due,
                                          std::string_view errors) {
  CASTIEL_TRY(
      write("INSERT INTO outbox (partition, tenant, part, message_id, type, correlation, records, queue, "
            "record_key, errors, due, at, body) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            outbox_partition(tenant(), m.partition), t(), m.partition, m.id, m.type, m.correlation.str(),
            m.records, queue, record_key, errors, due, clock_->now(), m.body));
  wrote_outbox_ = true;
  return {};
}

Result<> SqliteTransaction::add_queued(std::string_view queue, const OutgoingMessage& m,
                                       std::string_view record_key, Timestamp available_at,
                                       std::string_view errors) {
  CASTIEL_TRY(
      write("INSERT INTO queued (queue, tenant, part, message_id, type, correlation, records, record_key, "
            "available_at, enqueued_at,"
            " errors, body) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            queue, t(), m.partition, m.id, m.type, m.correlation.str(), m.records, record_key, available_at,
            clock_->now(), errors, m.body));
  lane_changes_.push_back({std::string(queue), tenant(), m.partition, 1, available_at});
  return count(m.correlation, queue, "enqueued", 1);
}

Result<> SqliteTransaction::remove_queued(const QueuedMessage& m) {
  CASTIEL_TRY(write("DELETE FROM queued WHERE seq=? AND tenant=?", m.seq, t()));
  if (sqlite3_changes64(db().handle()) != 1) {
    failed_ = Error{"not_claimed",
                    fmt::format("message {} of queue {} is not there to settle", m.message_id, m.queue),
                    ErrorClass::permanent,
                    {}};
    return std::unexpected(*failed_);
  }
  lane_changes_.push_back({m.queue, tenant(), m.partition, -1, {}});
  return count(m.correlation, m.queue, "settled", 1);
}

Result<bool> SqliteTransaction::add_to_inbox(std::string_view consumer, std::string_view message_id) {
  CASTIEL_TRY(write("INSERT OR IGNORE INTO inbox (tenant, consumer, message_id, at) VALUES (?,?,?,?)", t(),
                    consumer, message_id, clock_->now()));
  return sqlite3_changes64(db().handle()) == 1;
}

Result<> SqliteTransaction::count(const CorrelationId& correlation, std::string_view stage,
                                  std::string_view counter, std::int64_t by) {
  if (by == 0) return {};
  return write(
      "INSERT INTO ledger (tenant, correlation, stage, counter, value) VALUES (?,?,?,?,?)"
      " ON CONFLICT DO UPDATE SET value = value + excluded.value",
      t(), correlation.str(), stage, counter, by);
}

Result<> SqliteTransaction::add_flow_entry(const CorrelationId& correlation, const FlowEntry& e) {
  return write(
      "INSERT INTO flow_entry (tenant, correlation, at, stage, kind, type, id, text, count) VALUES "
      "(?,?,?,?,?,?,?,?,?)",
      t(), correlation.str(), e.at, e.stage, e.kind, e.type, e.id, e.text, e.count);
}

Result<> SqliteTransaction::add_problem(const CorrelationId& correlation, const Problem& p) {
  CASTIEL_TRY(count(correlation, "", "problems", 1));
  auto total = first<std::int64_t>(
      query(db(),
            "SELECT value FROM ledger WHERE tenant=? AND correlation=? AND stage='' AND counter='problems'",
            t(), correlation.str()),
      [](const Statement& row) { return row.integer(0); });
  if (!total) return std::unexpected(total.error());
  if (total->value_or(0) > kMaxProblems) return {};
  return write("INSERT INTO problem (tenant, correlation, file, line, code, message) VALUES (?,?,?,?,?,?)",
               t(), correlation.str(), p.file, p.line, p.code, p.message);
}

Result<> SqliteTransaction::put_dead_letter(const DeadLetter& d) {
  static constexpr char kDead[] =
      "INSERT INTO dead_letter (id, tenant, queue, type, at, deliveries, code, message, pointer, record_key, "
      "correlation, state, errors, payload, signature, repeats, replay_of, outcome, outcome_id, message_id, "
      "reason, fix, shown) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
  static constexpr char kQuarantine[] =
      "INSERT INTO quarantine (id, tenant, queue, type, at, deliveries, code, message, pointer, record_key, "
      "correlation, state, errors, payload, signature, repeats, replay_of, outcome, outcome_id, message_id, "
      "reason, fix, shown) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
  const bool held = d.place == LetterPlace::quarantine;
  return write(held ? kQuarantine : kDead, d.id, t(), d.queue, d.type, d.at, d.deliveries, d.code, d.message,
               d.pointer, d.key, d.correlation.str(), held && d.state == "dead" ? "held" : d.state,
               failures_to_json(d.errors), d.payload, d.signature.empty() ? d.code : d.signature, d.repeats,
               d.replay_of, d.outcome, d.outcome_id, d.message_id, d.reason, d.fix, d.shown);
}

Result<> SqliteTransaction::set_dead_letter_state(std::string_view id, std::string_view state) {
  CASTIEL_TRY(write("UPDATE dead_letter SET state=?, done_at=? WHERE id=? AND tenant=? AND state='dead'",
                    state, clock_->now(), id, t()));
  if (sqlite3_changes64(db().handle()) == 1) return {};
  CASTIEL_TRY(write("UPDATE quarantine SET state=?, done_at=? WHERE id=? AND tenant=? AND state='held'",
                    state, clock_->now(), id, t()));
  if (sqlite3_changes64(db().handle()) == 1) return {};
  return permanent("not_found", fmt::format("there is no open dead letter {} of tenant {}", id, t()));
}

Result<> SqliteTransaction::set_replay_outcome(std::string_view id, std::string_view outcome,
                                               std::string_view by) {
  CASTIEL_TRY(
      write("UPDATE dead_letter SET outcome=?1, outcome_id=?2 WHERE id=?3 AND tenant=?4 AND "
            "outcome<>'dead'",
            outcome, by, id, t()));
  return write(
      "UPDATE quarantine SET outcome=?1, outcome_id=?2 WHERE id=?3 AND tenant=?4 AND outcome<>'dead'",
      outcome, by, id, t());
}

Result<> SqliteTransaction::forget_shard(const ShardId& id) {
  CASTIEL_ASSIGN(const bool there,
                 exists(query(db(), "SELECT 1 FROM shard WHERE tenant=? AND id=?", t(), id.str())));
  if (there) return permanent("conflict", fmt::format("shard {} is there", id.str()));
  targets_.clear();
  directory_changed_ = true;
  data_changed_ = true;
  CASTIEL_TRY(write("DELETE FROM alias WHERE tenant=? AND shard_id=?", t(), id.str()));
  CASTIEL_TRY(write("DELETE FROM relation WHERE tenant=? AND from_id=?", t(), id.str()));
  CASTIEL_TRY(write("UPDATE relation SET to_id=NULL, how='' WHERE tenant=? AND to_id=?", t(), id.str()));
  CASTIEL_TRY(write("DELETE FROM insight WHERE tenant=? AND shard_id=?", t(), id.str()));
  CASTIEL_TRY(write("DELETE FROM link WHERE tenant=?1 AND (from_id=?2 OR to_id=?2)", t(), id.str()));
  CASTIEL_TRY(write("DELETE FROM shard_version WHERE tenant=? AND shard_id=?", t(), id.str()));
  CASTIEL_TRY(put_footprints(id, {}));
  CASTIEL_TRY(put_interactions(id, {}));
  return put_chunks(id, {});
}

Result<> SqliteTransaction::mark_parked(std::string_view queue, std::string_view key) {
  return write("INSERT OR IGNORE INTO parked_key (tenant, queue, key, since) VALUES (?,?,?,?)", t(), queue,
               key, clock_->now());
}

Result<> SqliteTransaction::park(std::string_view queue, std::string_view key, const OutgoingMessage& m) {
  CASTIEL_TRY(
      write("INSERT INTO parked_record (tenant, queue, key, message_id, type, correlation, body) VALUES "
            "(?,?,?,?,?,?,?)",
            t(), queue, key, m.id, m.type, m.correlation.str(), m.body));
  return count(m.correlation, queue, "enqueued", 1);
}

Result<std::optional<OutgoingMessage>> SqliteTransaction::unpark(std::string_view queue,
                                                                 std::string_view key) {
  auto next = first<std::pair<std::int64_t, OutgoingMessage>>(
      query(db(),
            "SELECT seq, message_id, type, correlation, body FROM parked_record WHERE tenant=? AND queue=? "
            "AND key=? ORDER BY seq LIMIT 1",
            t(), queue, key),
      [](const Statement& row) {
        return std::pair(row.integer(0), OutgoingMessage{row.str(1), row.str(2), CorrelationId(row.str(3)),
                                                         kRetryLane, 1, row.str(4)});
      });
  if (!next) return std::unexpected(next.error());
  if (!*next) {
    CASTIEL_TRY(write("DELETE FROM parked_key WHERE tenant=? AND queue=? AND key=?", t(), queue, key));
    return std::optional<OutgoingMessage>();
  }
  CASTIEL_TRY(write("DELETE FROM parked_record WHERE seq=? AND tenant=?", (*next)->first, t()));
  CASTIEL_TRY(count((*next)->second.correlation, queue, "settled", 1));
  return std::optional(std::move((*next)->second));
}

Result<> SqliteTransaction::put_insight(const Insight& i) {
  return write(
      "INSERT OR REPLACE INTO insight (tenant, kind, shard_id, as_of, payload, correlation, recorded_at) "
      "VALUES (?,?,?,?,?,?,?)",
      t(), i.kind, i.shard.str(), i.as_of, i.payload, i.correlation.str(), i.recorded_at);
}

Result<> SqliteTransaction::put_import_run(const ImportRun& r) {
  return write(
      "INSERT OR REPLACE INTO import_run (tenant, correlation, status, started_at, finished_at, detail) "
      "VALUES (?,?,?,?,?,?)",
      t(), r.correlation.str(), r.status, r.started_at, r.finished_at, r.detail);
}

Result<> SqliteTransaction::put_imported_file(const ImportedFile& f) {
  return write(
      "INSERT OR REPLACE INTO imported_file (tenant, sha256, mapping, correlation, complete, dated, cursor, "
      "records) VALUES (?,?,?,?,?,?,?,?)",
      t(), f.sha256, f.mapping, f.correlation.str(), f.complete, f.dated, f.cursor, f.records);
}

Result<> SqliteTransaction::put_cursor(std::string_view integration, std::string_view name,
                                       std::string_view value) {
  return write(
      "INSERT OR REPLACE INTO sync_cursor (tenant, integration, name, value, updated_at) VALUES (?,?,?,?,?)",
      t(), integration, name, value, clock_->now());
}

Result<> SqliteTransaction::put_setting(std::string_view key, std::string_view value) {
  return write("INSERT OR REPLACE INTO tenant_setting (tenant, key, value, updated_at) VALUES (?,?,?,?)", t(),
               key, value, clock_->now());
}

Result<std::optional<Lease>> SqliteTransaction::take_lease(std::string_view name, std::string_view owner,
                                                           Duration term) {
  struct Row {
    std::string owner;
    std::int64_t fence;
    Timestamp until;
  };
  const Timestamp now = clock_->now();
  CASTIEL_ASSIGN(
      const auto known,
      first<Row>(query(db(), "SELECT owner, fence, until FROM lease WHERE tenant=? AND name=?", t(), name),
                 [](const Statement& row) { return Row{row.str(0), row.integer(1), row.time(2)}; }));
  const bool own = known && known->owner == owner;
  if (known && !own && !known->owner.empty() && known->until > now) return std::nullopt;
  const Lease lease{std::string(name), known ? known->fence + (own ? 0 : 1) : 1, now + term};
  CASTIEL_TRY(write("INSERT OR REPLACE INTO lease (tenant, name, owner, fence, until) VALUES (?,?,?,?,?)",
                    t(), name, owner, lease.fence, lease.until));
  return std::optional(lease);
}

// There is one writer: what is seen here holds until the commit.
Result<> SqliteTransaction::hold_lease(const Lease& lease) {
  if (failed_) return std::unexpected(*failed_);
  CASTIEL_ASSIGN(auto row,
                 query(db(), "SELECT 1 FROM lease WHERE tenant=? AND name=? AND fence=? AND owner<>''", t(),
                       lease.name, lease.fence));
  CASTIEL_ASSIGN(const bool held, row.step());
  if (held) return {};
  failed_ = Error{"lease_lost",
                  fmt::format("another process has the lease '{}'", lease.name),
                  ErrorClass::conditional,
                  {}};
  return std::unexpected(*failed_);
}

Result<> SqliteTransaction::give_back_lease(const Lease& lease) {
  return write("UPDATE lease SET owner='', until=0 WHERE tenant=? AND name=? AND fence=?", t(), lease.name,
               lease.fence);
}

Result<> SqliteTransaction::add_audit(const AuditEntry& e) {
  return write("INSERT INTO audit (tenant, at, actor, action, target, detail) VALUES (?,?,?,?,?,?)", t(),
               e.at, e.actor, e.action, e.target, e.detail);
}

}  // namespace castiel::storage::sqlite
