#include "storage/sqlite/impl/outbox_rows.hpp"

#include <fmt/format.h>

#include <unordered_set>

namespace castiel::storage::sqlite {

namespace {

constexpr auto kWriteDeadline = std::chrono::seconds(10);

// A lease is known by its fence, which no other holder of the partition ever has.
Result<> check_lease(Connection& db, const OutboxLease& lease) {
  CASTIEL_ASSIGN(auto row, query(db, "SELECT 1 FROM outbox_lease WHERE partition=? AND fence=? AND owner<>''",
                                 lease.partition, lease.fence));
  CASTIEL_ASSIGN(const bool held, row.step());
  if (held) return {};
  return conditional("lease_lost",
                     fmt::format("another relay has partition {} of the outbox", lease.partition));
}

}  // namespace

Deadline SqliteOutbox::soon() const {
  return Deadline::after(*clock_, kWriteDeadline);
}

Result<> SqliteOutbox::load() {
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(*readers_));
  CASTIEL_ASSIGN(auto bindings, read_bindings(snapshot.connection()));
  routes_->set(std::move(bindings));
  return {};
}

namespace {
constexpr int kAdopted = 500;  // rows a transaction
}

Result<> SqliteOutbox::adopt(SqliteStore::PublishTo publish_to) {
  for (;;) {
    CASTIEL_ASSIGN(const bool more,
                   publish_to == SqliteStore::PublishTo::outbox ? adopt_queued() : adopt_outbox());
    if (!more) return {};
  }
}

// Each row of a queue goes to that queue alone: what it was published to besides it has settled or waits
// there.
Result<bool> SqliteOutbox::adopt_queued() {
  struct Row {
    std::int64_t seq;
    std::string tenant;
    int part;
  };
  return writer_->in_transaction(soon(), [&]() -> Result<bool> {
    auto& db = writer_->connection();
    auto rows = collect<Row>(query(db, "SELECT seq, tenant, part FROM queued ORDER BY seq LIMIT ?", kAdopted),
                             [](const Statement& row) {
                               return Row{row.integer(0), row.str(1), static_cast<int>(row.integer(2))};
                             });
    if (!rows) return std::unexpected(std::move(rows.error()));
    for (const auto& row : *rows) {
      CASTIEL_TRY(
          run(db,
              "INSERT INTO outbox (partition, tenant, part, message_id, type, correlation, records, queue, "
              "record_key, errors, due, at, body) SELECT ?, tenant, part, message_id, type, correlation, "
              "records, queue, record_key, errors, available_at, enqueued_at, body FROM queued WHERE seq=?",
              outbox_partition(TenantId(row.tenant), row.part), row.seq));
      CASTIEL_TRY(run(db, "DELETE FROM queued WHERE seq=?", row.seq));
    }
    return !rows->empty();
  });
}

Result<bool> SqliteOutbox::adopt_outbox() {
  struct Row {
    std::int64_t seq;
    std::string queue, type;
  };
  return writer_->in_transaction(soon(), [&]() -> Result<bool> {
    auto& db = writer_->connection();
    auto rows =
        collect<Row>(query(db, "SELECT seq, queue, type FROM outbox ORDER BY seq LIMIT ?", kAdopted),
                     [](const Statement& row) { return Row{row.integer(0), row.str(1), row.str(2)}; });
    if (!rows) return std::unexpected(std::move(rows.error()));
    for (const auto& row : *rows) {
      const auto queues =
          row.queue.empty() ? routes_->queues_for(row.type) : std::vector<std::string>{row.queue};
      for (const auto& queue : queues) {
        CASTIEL_TRY(run(
            db,
            "INSERT INTO queued (queue, tenant, part, message_id, type, correlation, records, record_key, "
            "available_at, enqueued_at, errors, body) SELECT ?, tenant, part, message_id, type, "
            "correlation, records, record_key, due, at, errors, body FROM outbox WHERE seq=?",
            queue, row.seq));
      }
      CASTIEL_TRY(run(db, "DELETE FROM outbox WHERE seq=?", row.seq));
    }
    return !rows->empty();
  });
}

Result<> SqliteOutbox::bind(std::string_view queue, std::span<const std::string> patterns) {
  std::vector<Binding> bindings;
  for (const auto& pattern : patterns) bindings.push_back({pattern, std::string(queue)});
  return writer_->in_transaction(
      soon(), [&] { return keep_bindings(writer_->connection(), *routes_, queue, bindings); });
}

Result<std::vector<OutboxLease>> SqliteOutbox::lease(std::string_view owner, int most, Duration term) {
  CASTIEL_TRY(observe("lease"));
  return writer_->in_transaction(soon(), [&]() -> Result<std::vector<OutboxLease>> {
    auto& db = writer_->connection();
    const Timestamp now = clock_->now();
    const Timestamp until = now + term;
    for (int p = 0; p < kOutboxPartitions; ++p)
      CASTIEL_TRY(run(
          db, "INSERT OR IGNORE INTO outbox_lease (partition, owner, fence, until) VALUES (?,'',0,0)", p));
    const auto read = [](const Statement& row) {
      return OutboxLease{static_cast<int>(row.integer(0)), row.integer(1), row.time(2)};
    };
    auto held = collect<OutboxLease>(
        query(db, "SELECT partition, fence, until FROM outbox_lease WHERE owner=? ORDER BY partition", owner),
        read);
    if (!held) return held;
    std::vector<OutboxLease> leases;
    for (auto& lease : *held) {
      const bool keep = static_cast<int>(leases.size()) < most;
      CASTIEL_TRY(run(db, "UPDATE outbox_lease SET owner=?, until=? WHERE partition=?",
                      keep ? owner : std::string_view(), until, lease.partition));
      lease.until = until;
      if (keep) leases.push_back(lease);
    }
    auto free = collect<OutboxLease>(
        query(db,
              "SELECT partition, fence, until FROM outbox_lease WHERE owner<>?1 AND (owner='' OR until<=?2) "
              "ORDER BY partition",
              owner, now),
        read);
    if (!free) return free;
    for (auto& lease : *free) {
      if (static_cast<int>(leases.size()) >= most) break;
      lease.fence += 1;
      lease.until = until;
      CASTIEL_TRY(run(db, "UPDATE outbox_lease SET owner=?, fence=?, until=? WHERE partition=?", owner,
                      lease.fence, until, lease.partition));
      leases.push_back(lease);
    }
    return leases;
  });
}

Result<> SqliteOutbox::give_back(std::string_view owner) {
  CASTIEL_TRY(observe("give_back"));
  return writer_->in_transaction(soon(), [&] {
    return run(writer_->connection(), "UPDATE outbox_lease SET owner='' WHERE owner=?", owner);
  });
}

Result<std::vector<OutboxMessage>> SqliteOutbox::waiting(const OutboxLease& lease,
                                                         std::span<const std::int64_t> skip,
                                                         std::size_t limit, std::size_t bytes) {
  CASTIEL_TRY(observe("waiting"));
  const std::unordered_set<std::int64_t> left_out(skip.begin(), skip.end());
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(*readers_));
  CASTIEL_TRY(check_lease(snapshot.connection(), lease));
  CASTIEL_ASSIGN(auto rows,
                 query(snapshot.connection(),
                       "SELECT seq, tenant, part, message_id, type, correlation, records, queue, record_key, "
                       "errors, due, at, body FROM outbox INDEXED BY outbox_order WHERE partition=? AND "
                       "due<=? ORDER BY seq LIMIT ?",
                       lease.partition, clock_->now(), static_cast<std::int64_t>(limit + skip.size())));
  std::vector<OutboxMessage> messages;
  for (std::size_t taken = 0; messages.size() < limit;) {
    CASTIEL_ASSIGN(const bool more, rows.step());
    if (!more) break;
    if (left_out.contains(rows.integer(0))) continue;
    taken += rows.text(12).size();
    if (!messages.empty() && taken > bytes) break;
    OutboxMessage m;
    m.row = rows.integer(0);
    m.tenant = TenantId(rows.str(1));
    m.message = {rows.str(3),
                 rows.str(4),
                 CorrelationId(rows.str(5)),
                 static_cast<int>(rows.integer(2)),
                 static_cast<int>(rows.integer(6)),
                 rows.str(12)};
    m.queue = rows.str(7);
    m.record_key = rows.str(8);
    m.errors = rows.str(9);
    m.due = rows.time(10);
    m.written_at = rows.time(11);
    messages.push_back(std::move(m));
  }
  return messages;
}

Result<> SqliteOutbox::published(const OutboxLease& lease, std::span<const std::int64_t> rows) {
  CASTIEL_TRY(observe("published"));
  return writer_->in_transaction(soon(), [&]() -> Result<> {
    auto& db = writer_->connection();
    CASTIEL_TRY(check_lease(db, lease));
    for (const auto row : rows) {
      CASTIEL_TRY(run(
          db,
          "INSERT INTO outbox_last (tenant, part, type, queue, seq, message_id, correlation) SELECT tenant, "
          "part, type, queue, seq, message_id, correlation FROM outbox WHERE seq=? AND partition=? AND "
          "part<>-1 ON CONFLICT (tenant, part, type, queue) DO UPDATE SET seq=excluded.seq, "
          "message_id=excluded.message_id, correlation=excluded.correlation WHERE "
          "excluded.seq>outbox_last.seq",
          row, lease.partition));
      CASTIEL_TRY(run(db, "DELETE FROM outbox WHERE seq=? AND partition=?", row, lease.partition));
    }
    return {};
  });
}

Result<std::vector<std::string>> SqliteOutbox::queues_for(std::string_view type) {
  return routes_->queues_for(std::string(type));
}

Result<std::vector<Outbox::Last>> SqliteOutbox::last_published(const TenantId& tenant, int lane) {
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(*readers_));
  return collect<Last>(
      query(snapshot.connection(),
            "SELECT type, queue, message_id, correlation FROM outbox_last WHERE tenant=? AND "
            "part=? ORDER BY type, queue",
            tenant.str(), lane),
      [](const Statement& row) {
        return Last{row.str(0), row.str(1), row.str(2), CorrelationId(row.str(3))};
      });
}

Result<Outbox::Depth> SqliteOutbox::depth() {
  CASTIEL_ASSIGN(auto snapshot, Snapshot::open(*readers_));
  auto depth = first<Depth>(query(snapshot.connection(),
                                  "SELECT count(*), coalesce(min(CASE WHEN due<=? THEN max(due, at) END), 0) "
                                  "FROM outbox",
                                  clock_->now()),
                            [](const Statement& row) { return Depth{row.integer(0), row.time(1)}; });
  if (!depth) return std::unexpected(depth.error());
  return depth->value_or(Depth());
}

Result<> SqliteOutbox::add(Transaction& tx, std::string_view queue, const OutgoingMessage& message,
                           std::string_view record_key, Timestamp due, std::string_view errors) {
  CASTIEL_TRY(static_cast<SqliteTransaction&>(tx).add_to_outbox(queue, message, record_key, due, errors));
  return tx.count(message.correlation, queue, "enqueued", 1);
}

}  // namespace castiel::storage::sqlite
