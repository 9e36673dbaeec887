#include "storage/sqlite/sqlite_store.hpp"

#include <fmt/format.h>

#include <set>

#include "storage/sqlite/impl/blob_references.hpp"
#include "storage/sqlite/impl/full_text.hpp"
#include "storage/sqlite/impl/migrations.hpp"
#include "storage/sqlite/impl/outbox_rows.hpp"
#include "storage/sqlite/impl/queries.hpp"
#include "storage/sqlite/impl/readers.hpp"
#include "storage/sqlite/impl/transaction.hpp"
#include "storage/sqlite/impl/writer.hpp"

namespace castiel::storage {

using namespace sqlite;

namespace {

class SnapshotHolder {
 protected:
  explicit SnapshotHolder(Snapshot snapshot) : snapshot_(std::move(snapshot)) {}
  Snapshot snapshot_;
};

class SqliteReader final : private SnapshotHolder, public Queries<Reader> {
 public:
  SqliteReader(Snapshot snapshot, TenantId tenant, bool queues_elsewhere)
      : SnapshotHolder(std::move(snapshot)),
        Queries(snapshot_.connection(), std::move(tenant), queues_elsewhere) {}
};

class SqliteOperatorView final : public OperatorView {
 public:
  SqliteOperatorView(Snapshot snapshot, const Clock& clock)
      : snapshot_(std::move(snapshot)), clock_(&clock) {}

  Result<std::vector<TenantInfo>> tenants() const override {
    return collect<TenantInfo>(
        query(db(), "SELECT tenant, created_at FROM tenant ORDER BY tenant"),
        [](const Statement& row) { return TenantInfo{TenantId(row.str(0)), row.time(1)}; });
  }
  Result<std::vector<DeadLetter>> dead_letters(std::string_view queue, std::string_view after,
                                               std::size_t limit) const override {
    static const std::string sql =
        std::string(kDeadLetterColumns) +
        "WHERE (?1='' OR queue=?1) AND id>?2 AND state='dead' ORDER BY id LIMIT ?3";
    return collect<DeadLetter>(query(db(), sql.c_str(), queue, after, static_cast<std::int64_t>(limit)),
                               read_dead_letter);
  }
  Result<std::int64_t> dead_letter_count() const override {
    auto n = first<std::int64_t>(query(db(), "SELECT count(*) FROM dead_letter WHERE state='dead'"),
                                 [](const Statement& row) { return row.integer(0); });
    if (!n) return std::unexpected(n.error());
    return n->value_or(0);
  }
  Result<std::vector<std::pair<std::string, std::int64_t>>> dead_letters_by_queue() const override {
    return collect<std::pair<std::string, std::int64_t>>(
        query(db(), "SELECT queue, count(*) FROM dead_letter WHERE state='dead' GROUP BY queue"), read_count);
  }
  Result<std::vector<std::pair<std::string, std::int64_t>>> parked_by_queue() const override {
    return collect<std::pair<std::string, std::int64_t>>(
        query(db(), "SELECT queue, count(*) FROM parked_record GROUP BY queue"), read_count);
  }
  Result<std::vector<TenantImport>> imports_for(std::string_view owner, std::size_t limit) const override {
    return collect<TenantImport>(
        query(
            db(),
            "SELECT r.tenant, r.correlation, r.status, r.started_at, r.finished_at, r.detail FROM import_run "
            "r INDEXED BY import_run_running LEFT JOIN lease l ON l.tenant=r.tenant AND "
            "l.name='import/'||r.correlation WHERE r.status='running' AND (l.owner IS NULL OR l.owner='' OR "
            "l.owner=?1 OR l.until<=?2) ORDER BY r.started_at LIMIT ?3",
            owner, clock_->now(), static_cast<std::int64_t>(limit)),
        [](const Statement& row) {
          TenantImport found{TenantId(row.str(0)),
                             {CorrelationId(row.str(1)), row.str(2), row.time(3), {}, row.str(5)}};
          if (!row.is_null(4)) found.run.finished_at = row.time(4);
          return found;
        });
  }
  Result<std::optional<TenantId>> tenant_of(const CorrelationId& correlation) const override {
    return first<TenantId>(
        query(db(), "SELECT tenant FROM flow_entry WHERE correlation=? LIMIT 1", correlation.str()),
        read_tenant);
  }
  Result<std::optional<TenantId>> tenant_of_dead_letter(std::string_view id) const override {
    return first<TenantId>(query(db(),
                                 "SELECT tenant FROM dead_letter WHERE id=?1 UNION ALL SELECT tenant FROM "
                                 "quarantine WHERE id=?1 LIMIT 1",
                                 id),
                           read_tenant);
  }
  Result<std::vector<DeadLetter>> letters(const LetterQuery& q) const override {
    return find_letters(db(), {}, q);
  }
  Result<std::vector<LetterGroup>> letter_groups(const LetterQuery& q, LetterGrouping by) const override {
    return group_letters(db(), {}, q, by);
  }

 private:
  static TenantId read_tenant(const Statement& row) { return TenantId(row.str(0)); }
  static std::pair<std::string, std::int64_t> read_count(const Statement& row) {
    return {row.str(0), row.integer(1)};
  }
  Connection& db() const { return const_cast<Snapshot&>(snapshot_).connection(); }
  Snapshot snapshot_;
  const Clock* clock_;
};

}  // namespace

struct SqliteStore::Impl final : QueueRows {
  Impl(Options o, const Clock& c, std::unique_ptr<Connection> connection)
      : options(std::move(o)),
        clock(&c),
        writer(std::move(connection), options.group_limit, options.observer),
        readers(options.path, options.cache_bytes / 4),
        outbox(writer, readers, routes, *clock, options.observer) {}

  Result<> observe(std::string_view call) const {
    return options.observer == nullptr ? Result<>() : options.observer->before(call);
  }

  Result<> declare(std::string_view queue, int max_deliveries, const std::vector<Binding>& bindings) override;
  Result<std::vector<LaneInfo>> lanes() override;
  Result<std::vector<QueuedMessage>> claim(std::string_view queue, const TenantId& tenant, int partition,
                                           int max_messages, int max_records, int batch_from,
                                           Deadline deadline) override;
  Result<> reopen_claims(Deadline deadline) override;
  Result<> reopen_lane(std::string_view queue, const TenantId& tenant, int partition,
                       const std::set<std::int64_t>& held, Deadline deadline) override;
  Result<std::optional<Timestamp>> next_due(std::string_view queue, const TenantId& tenant,
                                            int partition) override;
  Result<> remove(Transaction& tx, const QueuedMessage& message) override;
  Result<> add(Transaction& tx, std::string_view queue, const OutgoingMessage& message,
               std::string_view record_key, Timestamp available_at, std::string_view errors) override;
  Result<> release(const std::vector<QueuedMessage>& messages, Timestamp available_at, bool count_delivery,
                   std::string_view errors, Deadline deadline) override;
  void on_commit(std::function<void(const std::vector<LaneChange>&)> listener) override {
    writer.on_commit(std::move(listener));
  }

  Options options;
  const Clock* clock;
  Writer writer;
  ReaderPool readers;
  Routes routes;
  SqliteOutbox outbox;
  std::mutex tenants_mutex;
  std::set<TenantId> known_tenants;
  std::uint64_t erasures = 0;  // under tenants_mutex
};

SqliteStore::SqliteStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(Options options, const Clock& clock) {
  CASTIEL_ASSIGN(auto connection, Connection::open(options.path, Connection::Mode::read_write));
  // 8 KiB pages keep a usual shard (about 1.5 KB) inside its leaf; the log is folded back every 32 MiB or
  // when idle.
  CASTIEL_TRY(connection->execute(fmt::format(
      "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous={}; PRAGMA temp_store=memory;"
      " PRAGMA wal_autocheckpoint=4096; PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-{}",
      options.sync ? "FULL" : "OFF", options.cache_bytes >> 10)));
  CASTIEL_TRY(migrate(*connection));
  std::unique_ptr<SqliteStore> store(
      new SqliteStore(std::make_unique<Impl>(std::move(options), clock, std::move(connection))));
  CASTIEL_TRY(store->impl_->outbox.load());
  CASTIEL_TRY(store->impl_->outbox.adopt(store->impl_->options.publish_to));
  return store;
}

Result<bool> SqliteStore::tenant_exists(const TenantId& tenant) {
  std::uint64_t erasures = 0;
  {
    std::lock_guard lock(impl_->tenants_mutex);
    if (impl_->known_tenants.contains(tenant)) return true;
    erasures = impl_->erasures;
  }
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(impl_->readers));
  bool found = false;
  {
    CASTIEL_ASSIGN(auto statement,
                   query(snapshot.connection(), "SELECT 1 FROM tenant WHERE tenant=?", tenant.str()));
    CASTIEL_ASSIGN(found, statement.step());
  }
  if (found) {
    std::lock_guard lock(impl_->tenants_mutex);
    // What the snapshot showed may have been erased since.
    if (erasures == impl_->erasures) impl_->known_tenants.insert(tenant);
  }
  return found;
}

namespace {
std::unexpected<Error> unknown_tenant(const TenantId& tenant) {
  return permanent(
      "unknown_tenant",
      fmt::format("there is no tenant '{}'; `castiel tenants list` shows those that exist", tenant.str()));
}
}  // namespace

Result<std::unique_ptr<Reader>> SqliteStore::read(const TenantId& tenant) {
  CASTIEL_TRY(impl_->observe("read"));
  CASTIEL_ASSIGN(const bool known, tenant_exists(tenant));
  if (!known) return unknown_tenant(tenant);
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(impl_->readers));
  return std::make_unique<SqliteReader>(std::move(snapshot), tenant,
                                        impl_->options.publish_to == PublishTo::outbox);
}

Result<std::unique_ptr<Transaction>> SqliteStore::begin(const TenantId& tenant, Deadline deadline) {
  CASTIEL_TRY(impl_->observe("begin"));
  CASTIEL_ASSIGN(const bool known, tenant_exists(tenant));
  if (!known) return unknown_tenant(tenant);
  CASTIEL_TRY(impl_->writer.acquire(deadline));
  auto transaction = std::make_unique<SqliteTransaction>(impl_->writer, impl_->routes, *impl_->clock,
                                                         impl_->options.publish_to, tenant);
  // Erased while this one waited for the writer: nothing of the tenant may be written any more.
  CASTIEL_ASSIGN(auto statement,
                 query(impl_->writer.connection(), "SELECT 1 FROM tenant WHERE tenant=?", tenant.str()));
  CASTIEL_ASSIGN(const bool still, statement.step());
  if (!still) return unknown_tenant(tenant);
  return transaction;
}

Result<> SqliteStore::create_tenant(const TenantId& tenant, Deadline deadline) {
  return impl_->writer.in_transaction(deadline, [&] {
    // The version goes on from the clock: what was made of an erased tenant of this name is never taken for
    // the new one's.
    return run(impl_->writer.connection(),
               "INSERT OR IGNORE INTO tenant (tenant, created_at, data_version) VALUES (?1,?2,?2)",
               tenant.str(), impl_->clock->now());
  });
}

std::vector<std::string> SqliteStore::tenant_tables() {
  return {"shard",         "shard_version", "field_change",     "alias",
          "same_as",       "relation",      "relation_segment", "inbox",
          "outbox",        "queued",        "parked_key",       "parked_record",
          "dead_letter",   "quarantine",    "ledger",           "flow_entry",
          "problem",       "insight",       "import_run",       "imported_file",
          "sync_cursor",   "audit",         "tenant_setting",   "link",
          "link_feedback", "interaction",   "footprint",        "search_chunk",
          "search_tenant", "lease",         "outbox_last",      "tenant"};
}

Result<std::vector<std::pair<std::string, std::int64_t>>> SqliteStore::erase_tenant(const TenantId& tenant,
                                                                                    Deadline deadline) {
  static const std::vector<std::pair<std::string, std::string>> kStatements = [] {
    std::vector<std::pair<std::string, std::string>> statements;
    for (const auto& table : tenant_tables())
      statements.emplace_back(table, fmt::format("DELETE FROM {} WHERE tenant=?", table));
    return statements;
  }();
  CASTIEL_TRY(impl_->writer.acquire(deadline));
  auto& db = impl_->writer.connection();
  std::vector<LaneChange> lanes;
  const auto erase = [&]() -> Result<std::vector<std::pair<std::string, std::int64_t>>> {
    CASTIEL_ASSIGN(
        lanes, collect<LaneChange>(
                   query(db, "SELECT queue, part, count(*) FROM queued WHERE tenant=? GROUP BY queue, part",
                         tenant.str()),
                   [&](const Statement& row) {
                     return LaneChange{row.str(0),      tenant, static_cast<int>(row.integer(1)),
                                       -row.integer(2), {},     true};
                   }));
    std::vector<std::pair<std::string, std::int64_t>> counts;
    CASTIEL_TRY(erase_full_text(db, tenant.str()));
    for (const auto& [table, sql] : kStatements) {
      CASTIEL_TRY(run(db, sql.c_str(), tenant.str()));
      counts.emplace_back(table, sqlite3_changes64(db.handle()));
    }
    return counts;
  };
  auto erased = erase();
  if (!erased) {
    impl_->writer.rollback();
    return erased;
  }
  const auto committed = impl_->writer.commit(std::move(lanes));
  {
    std::lock_guard lock(impl_->tenants_mutex);
    impl_->known_tenants.erase(tenant);
    ++impl_->erasures;
  }
  if (!committed) return std::unexpected(committed.error());
  return erased;
}

Result<std::unique_ptr<OperatorView>> SqliteStore::operator_view() {
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(impl_->readers));
  return std::make_unique<SqliteOperatorView>(std::move(snapshot), *impl_->clock);
}

Result<Timestamp> SqliteStore::each_blob_reference(
    const TenantId& tenant, const std::function<void(std::string_view sha256)>& visit) {
  CASTIEL_ASSIGN(const bool known, tenant_exists(tenant));
  if (!known) return unknown_tenant(tenant);
  const Timestamp now = impl_->clock->now();
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(impl_->readers));
  CASTIEL_TRY(sqlite::each_blob_reference(snapshot.connection(), tenant_tables(), tenant.view(), visit));
  // What waits in the queues of this file was read.
  if (impl_->options.publish_to == PublishTo::queues) return now;
  CASTIEL_ASSIGN(const auto began, oldest_flow_under_way(snapshot.connection(), tenant.view()));
  return began.value_or(now);
}

QueueRows& SqliteStore::queue_rows() {
  return *impl_;
}

Outbox& SqliteStore::outbox() {
  return impl_->outbox;
}

// --- queue rows ---

Result<> SqliteStore::Impl::declare(std::string_view queue, int max_deliveries,
                                    const std::vector<Binding>& bindings) {
  const auto deadline = Deadline::after(*clock, std::chrono::seconds(10));
  return writer.in_transaction(deadline, [&]() -> Result<> {
    CASTIEL_TRY(run(writer.connection(), "INSERT OR REPLACE INTO queue (name, max_deliveries) VALUES (?,?)",
                    queue, max_deliveries));
    return keep_bindings(writer.connection(), routes, queue, bindings);
  });
}

Result<std::vector<LaneInfo>> SqliteStore::Impl::lanes() {
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(readers));
  return collect<LaneInfo>(query(snapshot.connection(),
                                 "SELECT l.queue, l.tenant, l.part, l.n, (SELECT CASE l.part WHEN -1 THEN "
                                 "(SELECT min(available_at) FROM queued r WHERE"
                                 " r.queue=l.queue AND r.tenant=l.tenant AND r.part=-1) ELSE available_at "
                                 "END FROM queued h WHERE h.seq=l.head),"
                                 " (SELECT enqueued_at FROM queued o WHERE o.seq=l.head)"
                                 " FROM (SELECT queue, tenant, part, count(*) AS n, min(seq) AS head FROM "
                                 "queued GROUP BY queue, tenant, part) l"),
                           [](const Statement& row) {
                             return LaneInfo{
                                 row.str(0),     TenantId(row.str(1)), static_cast<int>(row.integer(2)),
                                 row.integer(3), row.time(4),          row.time(5)};
                           });
}

Result<std::vector<QueuedMessage>> SqliteStore::Impl::claim(std::string_view queue, const TenantId& tenant,
                                                            int partition, int max_messages, int max_records,
                                                            int batch_from, Deadline deadline) {
  CASTIEL_TRY(observe("claim"));
  auto claimed = writer.in_transaction(deadline, [&]() -> Result<std::vector<QueuedMessage>> {
    std::vector<QueuedMessage> messages;
    const Timestamp now = clock->now();
    int records = 0;
    {
      // The retry lane hands out whatever is due; other lanes only their head and what follows it.
      CASTIEL_ASSIGN(auto rows, query(writer.connection(),
                                      "SELECT seq, message_id, type, correlation, records, record_key, "
                                      "deliveries, available_at, enqueued_at, errors, body"
                                      " FROM queued WHERE queue=?1 AND tenant=?2 AND part=?3 AND claimed=0 "
                                      "AND (?3 <> -1 OR available_at <= ?4)"
                                      " ORDER BY seq LIMIT ?5",
                                      queue, tenant.str(), partition, now, max_messages));
      for (;;) {
        CASTIEL_ASSIGN(const bool more, rows.step());
        if (!more) break;
        QueuedMessage m;
        m.seq = rows.integer(0);
        m.records = static_cast<int>(rows.integer(4));
        m.deliveries = static_cast<int>(rows.integer(6)) + 1;
        m.available_at = rows.time(7);
        const bool redelivered = m.deliveries > 1;
        if (m.available_at > now) break;
        if (!messages.empty() && (redelivered || records + m.records > max_records)) break;
        m.queue = queue;
        m.tenant = tenant;
        m.partition = partition;
        m.message_id = rows.str(1);
        m.type = rows.str(2);
        m.correlation = CorrelationId(rows.str(3));
        m.record_key = rows.str(5);
        m.enqueued_at = rows.time(8);
        m.errors = rows.str(9);
        m.body = rows.str(10);
        records += m.records;
        messages.push_back(std::move(m));
        if (redelivered) break;
      }
    }
    if (messages.size() > 1 && records < batch_from) messages.resize(1);
    for (const auto& m : messages) {
      CASTIEL_TRY(run(writer.connection(),
                      "UPDATE queued SET deliveries = deliveries + 1, claimed = 1 WHERE seq=?", m.seq));
    }
    return messages;
  });
  return claimed;
}

Result<> SqliteStore::Impl::reopen_claims(Deadline deadline) {
  return writer.in_transaction(
      deadline, [&] { return run(writer.connection(), "UPDATE queued SET claimed = 0 WHERE claimed <> 0"); });
}

Result<> SqliteStore::Impl::reopen_lane(std::string_view queue, const TenantId& tenant, int partition,
                                        const std::set<std::int64_t>& held, Deadline deadline) {
  CASTIEL_TRY(observe("reopen"));
  return writer.in_transaction(deadline, [&]() -> Result<> {
    auto claimed = collect<std::int64_t>(
        query(writer.connection(),
              "SELECT seq FROM queued WHERE queue=? AND tenant=? AND part=? AND claimed<>0", queue,
              tenant.str(), partition),
        [](const Statement& row) { return row.integer(0); });
    if (!claimed) return std::unexpected(claimed.error());
    for (const auto seq : *claimed) {
      if (!held.contains(seq))
        CASTIEL_TRY(run(writer.connection(),
                        "UPDATE queued SET claimed = 0, deliveries = deliveries - 1 WHERE seq=?", seq));
    }
    return {};
  });
}

Result<std::optional<Timestamp>> SqliteStore::Impl::next_due(std::string_view queue, const TenantId& tenant,
                                                             int partition) {
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(readers));
  if (partition == kRetryLane) {
    return first<Timestamp>(query(snapshot.connection(),
                                  "SELECT available_at FROM queued WHERE queue=? AND tenant=? AND part=-1 "
                                  "AND claimed=0 ORDER BY available_at LIMIT 1",
                                  queue, tenant.str()),
                            [](const Statement& row) { return row.time(0); });
  }
  return first<Timestamp>(query(snapshot.connection(),
                                "SELECT available_at FROM queued WHERE queue=? AND tenant=? AND part=? AND "
                                "claimed=0 ORDER BY seq LIMIT 1",
                                queue, tenant.str(), partition),
                          [](const Statement& row) { return row.time(0); });
}

Result<> SqliteStore::Impl::remove(Transaction& tx, const QueuedMessage& message) {
  return static_cast<SqliteTransaction&>(tx).remove_queued(message);
}

Result<> SqliteStore::Impl::add(Transaction& tx, std::string_view queue, const OutgoingMessage& message,
                                std::string_view record_key, Timestamp available_at,
                                std::string_view errors) {
  return static_cast<SqliteTransaction&>(tx).add_queued(queue, message, record_key, available_at, errors);
}

Result<> SqliteStore::Impl::release(const std::vector<QueuedMessage>& messages, Timestamp available_at,
                                    bool count_delivery, std::string_view errors, Deadline deadline) {
  CASTIEL_TRY(observe("release"));
  return writer.in_transaction(deadline, [&]() -> Result<> {
    for (const auto& m : messages) {
      CASTIEL_TRY(run(writer.connection(),
                      "UPDATE queued SET claimed = 0, available_at = ?, deliveries = deliveries - ?, errors "
                      "= ? WHERE seq=? AND claimed <> 0",
                      available_at, count_delivery ? 0 : 1,
                      errors.empty() ? std::string_view(m.errors) : errors, m.seq));
    }
    return {};
  });
}

}  // namespace castiel::storage
