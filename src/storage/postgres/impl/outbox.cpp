#include "storage/postgres/impl/outbox.hpp"

#include <fmt/format.h>

#include <set>

#include "storage/postgres/impl/transaction.hpp"

namespace castiel::storage::postgres {

namespace {
std::unexpected<Error> lost(const OutboxLease& lease) {
  return conditional("lease_lost", fmt::format("partition {} of the outbox belongs to another relay by now",
                                               lease.partition));
}
}  // namespace

Result<> read_routes(Session& session, Routes& routes) {
  CASTIEL_ASSIGN(const auto rows,
                 session.query("SELECT r.version, b.pattern, b.queue FROM queue_routing r LEFT JOIN"
                               " queue_binding b ON true ORDER BY b.queue, b.pattern"));
  std::vector<Binding> bindings;
  for (int i = 0; i < rows.size(); ++i) {
    if (!rows[i].is_null(1)) bindings.push_back({rows[i].str(1), rows[i].str(2)});
  }
  if (!rows.empty()) routes.set(rows[0].integer(0), std::move(bindings));
  return {};
}

Result<> PostgresOutbox::bind(std::string_view queue, std::span<const std::string> patterns) {
  CASTIEL_ASSIGN(auto session,
                 Session::open(*pool_, *clock_, {Session::Mode::write, "castiel_app", {}, limits_},
                               Deadline::after(*clock_, limits_.transaction)));
  const std::set<std::string> wanted(patterns.begin(), patterns.end());
  const auto is_as_wanted = [&]() -> Result<bool> {
    CASTIEL_ASSIGN(const auto rows,
                   session.query("SELECT pattern FROM queue_binding WHERE queue=$1", Params(queue)));
    std::set<std::string> known;
    for (int i = 0; i < rows.size(); ++i) known.insert(rows[i].str(0));
    return known == wanted;
  };
  CASTIEL_ASSIGN(const bool known, is_as_wanted());
  if (!known) {
    session.queue("UPDATE queue_routing SET version = version + 1");  // and one after the other
    CASTIEL_ASSIGN(const bool known_now, is_as_wanted());
    if (!known_now) {
      Column column(kText);
      for (const auto& pattern : wanted) column.add(pattern);
      session.queue("DELETE FROM queue_binding WHERE queue=$1", Params(queue));
      session.queue("INSERT INTO queue_binding (queue, pattern) SELECT $1, p FROM unnest($2::text[]) p",
                    Params(queue).add(column));
    }
  }
  CASTIEL_TRY(session.commit());
  CASTIEL_ASSIGN(auto now,
                 Session::open(*pool_, *clock_, {Session::Mode::snapshot, "castiel_app", {}, limits_},
                               Deadline::after(*clock_, limits_.transaction)));
  return read_routes(now, *routes_);
}

Result<Session> PostgresOutbox::session() {
  return Session::open(*pool_, *clock_, {Session::Mode::write, "castiel_operator", {}, limits_},
                       Deadline::after(*clock_, limits_.transaction));
}

Result<std::vector<OutboxLease>> PostgresOutbox::lease(std::string_view owner, int most, Duration term) {
  CASTIEL_ASSIGN(auto session, this->session());
  session.queue(
      "INSERT INTO outbox_lease (part, owner, fence, until) SELECT n, '', 0, 0 FROM generate_series(0, $1 - "
      "1)"
      " AS n ON CONFLICT DO NOTHING",
      Params(kOutboxPartitions));
  CASTIEL_ASSIGN(
      const auto rows,
      session.query("SELECT part, owner, fence, until FROM outbox_lease ORDER BY part FOR UPDATE"));
  const Timestamp now = clock_->now();
  std::vector<OutboxLease> held;
  Column parts(kInt8), owners(kText), fences(kInt8), untils(kInt8);
  const auto set = [&](std::int64_t part, std::string_view to, std::int64_t fence, Timestamp until) {
    parts.add(part);
    owners.add(to);
    fences.add(fence);
    untils.add(until);
  };
  const auto has_room = [&] { return static_cast<int>(held.size()) < most; };
  for (int i = 0; i < rows.size(); ++i) {
    if (rows[i].str(1) != owner) continue;
    if (!has_room()) {
      set(rows[i].integer(0), "", rows[i].integer(2), {});
      continue;
    }
    held.push_back({static_cast<int>(rows[i].integer(0)), rows[i].integer(2), now + term});
    set(rows[i].integer(0), owner, rows[i].integer(2), now + term);
  }
  for (int i = 0; i < rows.size() && has_room(); ++i) {
    if (rows[i].str(1) == owner || (!rows[i].str(1).empty() && rows[i].time(3) > now)) continue;
    held.push_back({static_cast<int>(rows[i].integer(0)), rows[i].integer(2) + 1, now + term});
    set(rows[i].integer(0), owner, rows[i].integer(2) + 1, now + term);
  }
  if (parts.size() > 0) {
    session.queue(
        "UPDATE outbox_lease l SET owner=w.owner, fence=w.fence, until=w.until FROM unnest($1::bigint[],"
        " $2::text[], $3::bigint[], $4::bigint[]) AS w(part, owner, fence, until) WHERE l.part=w.part",
        Params().add(parts).add(owners).add(fences).add(untils));
  }
  CASTIEL_TRY(session.commit());
  return held;
}

Result<> PostgresOutbox::give_back(std::string_view owner) {
  CASTIEL_ASSIGN(auto session, this->session());
  session.queue("UPDATE outbox_lease SET owner='', until=0 WHERE owner=$1 AND owner<>''", Params(owner));
  return session.commit();
}

Result<std::vector<OutboxMessage>> PostgresOutbox::waiting(const OutboxLease& lease,
                                                           std::span<const std::int64_t> skip,
                                                           std::size_t limit, std::size_t bytes) {
  Column skipped(kInt8);
  for (const auto row : skip) skipped.add(row);
  CASTIEL_ASSIGN(auto session, this->session());
  bool held = false;
  session.queue("SELECT 1 FROM outbox_lease WHERE part=$1 AND fence=$2 AND owner<>''",
                Params(lease.partition, lease.fence), [&](Rows& rows) -> Result<> {
                  held = !rows.empty();
                  return {};
                });
  CASTIEL_ASSIGN(
      const auto rows,
      session.query(
          "SELECT seq, tenant, part, message_id, type, correlation, records, queue, record_key, errors, due,"
          " written_at, body FROM (SELECT o.*, sum(octet_length(body)) OVER (ORDER BY seq) -"
          " octet_length(body) AS before FROM (SELECT * FROM outbox WHERE relay=$1 AND due<=$2 AND"
          " seq <> ALL($5::bigint[]) ORDER BY seq LIMIT $3) o) q WHERE before < $4 ORDER BY seq",
          Params(lease.partition, clock_->now(), as_limit(limit), as_limit(std::max<std::size_t>(bytes, 1)))
              .add(skipped)));
  if (!held) return lost(lease);
  std::vector<OutboxMessage> messages;
  for (int i = 0; i < rows.size(); ++i) {
    const auto row = rows[i];
    OutboxMessage m;
    m.row = row.integer(0);
    m.tenant = TenantId(row.str(1));
    m.message = {row.str(3),
                 row.str(4),
                 CorrelationId(row.str(5)),
                 static_cast<int>(row.integer(2)),
                 static_cast<int>(row.integer(6)),
                 row.bytes(12)};
    m.queue = row.str(7);
    m.record_key = row.str(8);
    m.errors = row.str(9);
    m.due = row.time(10);
    m.written_at = row.time(11);
    messages.push_back(std::move(m));
  }
  return messages;
}

Result<> PostgresOutbox::published(const OutboxLease& lease, std::span<const std::int64_t> rows) {
  Column published(kInt8);
  for (const auto row : rows) published.add(row);
  CASTIEL_ASSIGN(auto session, this->session());
  bool held = false;
  // Nobody takes the lease over while the rows go.
  session.queue("SELECT 1 FROM outbox_lease WHERE part=$1 AND fence=$2 AND owner<>'' FOR SHARE",
                Params(lease.partition, lease.fence), [&](Rows& found) -> Result<> {
                  held = !found.empty();
                  return {};
                });
  session.queue(
      "WITH gone AS (DELETE FROM outbox WHERE relay=$1 AND seq = ANY($3::bigint[]) AND EXISTS (SELECT 1 FROM"
      " outbox_lease WHERE part=$1 AND fence=$2 AND owner<>'') RETURNING tenant, seq, part, type, queue,"
      " message_id, correlation)"
      " INSERT INTO outbox_last AS l (tenant, part, type, queue, seq, message_id, correlation) SELECT"
      " DISTINCT ON (tenant, part, type, queue) tenant, part, type, queue, seq, message_id, correlation"
      " FROM gone WHERE part <> -1 ORDER BY tenant, part, type, queue, seq DESC"
      " ON CONFLICT (tenant, part, type, queue) DO UPDATE SET seq = excluded.seq, message_id ="
      " excluded.message_id, correlation = excluded.correlation WHERE excluded.seq > l.seq",
      Params(lease.partition, lease.fence).add(published));
  CASTIEL_TRY(session.commit());
  if (!held) return lost(lease);
  return {};
}

Result<std::vector<std::string>> PostgresOutbox::queues_for(std::string_view type) {
  {
    CASTIEL_ASSIGN(auto session,
                   Session::open(*pool_, *clock_, {Session::Mode::snapshot, "castiel_app", {}, limits_},
                                 Deadline::after(*clock_, limits_.transaction)));
    CASTIEL_TRY(read_routes(session, *routes_));
  }
  return routes_->queues_for(std::string(type));
}

Result<std::vector<Outbox::Last>> PostgresOutbox::last_published(const TenantId& tenant, int lane) {
  CASTIEL_ASSIGN(auto session, this->session());
  CASTIEL_ASSIGN(
      const auto rows,
      session.query("SELECT type, queue, message_id, correlation FROM outbox_last WHERE tenant=$1 AND"
                    " part=$2 ORDER BY type, queue",
                    Params(tenant, lane)));
  std::vector<Last> found;
  for (int i = 0; i < rows.size(); ++i)
    found.push_back({rows[i].str(0), rows[i].str(1), rows[i].str(2), CorrelationId(rows[i].str(3))});
  return found;
}

Result<Outbox::Depth> PostgresOutbox::depth() {
  CASTIEL_ASSIGN(auto session, this->session());
  CASTIEL_ASSIGN(const auto rows, session.query("SELECT count(*), coalesce(min(greatest(due, written_at)) "
                                                "FILTER (WHERE due<=$1), 0)::bigint FROM outbox",
                                                Params(clock_->now())));
  return Depth{rows[0].integer(0), rows[0].time(1)};
}

Result<> PostgresOutbox::add(Transaction& tx, std::string_view queue, const OutgoingMessage& message,
                             std::string_view record_key, Timestamp due, std::string_view errors) {
  return static_cast<PostgresTransaction&>(tx).add_outgoing(queue, message, record_key, due, errors);
}

}  // namespace castiel::storage::postgres
