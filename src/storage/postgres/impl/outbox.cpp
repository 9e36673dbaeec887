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
  const Look look{lease, {skip.begin(), skip.end()}, limit, bytes};
  CASTIEL_ASSIGN(auto found, waiting_in({&look, 1}));
  if (!found.front()) return lost(lease);
  return std::move(*found.front());
}

Result<std::vector<std::optional<std::vector<OutboxMessage>>>> PostgresOutbox::waiting_in(
    std::span<const Look> looks) {
  Column parts(kInt8), fences(kInt8), limits(kInt8), bytes(kInt8), skipped(kInt8);
  for (const auto& look : looks) {
    parts.add(look.lease.partition);
    fences.add(look.lease.fence);
    limits.add(as_limit(look.limit));
    bytes.add(as_limit(std::max<std::size_t>(look.bytes, 1)));
    for (const auto row : look.skip) skipped.add(row);
  }
  CASTIEL_ASSIGN(auto session, this->session());
  CASTIEL_ASSIGN(
      const auto rows,
      session.query(
          "SELECT l.n, o.seq, o.tenant, o.part, o.message_id, o.type, o.correlation, o.records, o.queue,"
          " o.record_key, o.errors, o.due, o.written_at, o.body FROM unnest($1::bigint[], $2::bigint[],"
          " $3::bigint[], $4::bigint[]) WITH ORDINALITY AS l(part, fence, most, bytes, n)"
          " JOIN outbox_lease e ON e.part=l.part AND e.fence=l.fence AND e.owner<>''"
          " LEFT JOIN LATERAL (SELECT q.* FROM (SELECT b.*, sum(octet_length(body)) OVER (ORDER BY seq) -"
          " octet_length(body) AS before FROM (SELECT * FROM outbox WHERE relay=l.part AND due<=$5 AND"
          " seq <> ALL($6::bigint[]) ORDER BY seq LIMIT l.most) b) q WHERE q.before < l.bytes) o ON true"
          " ORDER BY l.n, o.seq",
          std::move(Params().add(parts).add(fences).add(limits).add(bytes).add(clock_->now()).add(skipped))));
  std::vector<std::optional<std::vector<OutboxMessage>>> all(looks.size());
  for (int i = 0; i < rows.size(); ++i) {
    const auto row = rows[i];
    auto& messages = all[static_cast<std::size_t>(row.integer(0) - 1)];
    if (!messages) messages.emplace();
    if (row.is_null(1)) continue;  // nothing waits there
    OutboxMessage m;
    m.row = row.integer(1);
    m.tenant = TenantId(row.str(2));
    m.message = {row.str(4),
                 row.str(5),
                 CorrelationId(row.str(6)),
                 static_cast<int>(row.integer(3)),
                 static_cast<int>(row.integer(7)),
                 row.bytes(13)};
    m.queue = row.str(8);
    m.record_key = row.str(9);
    m.errors = row.str(10);
    m.due = row.time(11);
    m.written_at = row.time(12);
    messages->push_back(std::move(m));
  }
  return all;
}

Result<> PostgresOutbox::published(const OutboxLease& lease, std::span<const std::int64_t> rows) {
  Column published(kInt8);
  for (const auto row : rows) published.add(row);
  CASTIEL_ASSIGN(auto session, this->session());
  // What a crash of the server brings back is published twice, which it may be anyway.
  session.queue("SET LOCAL synchronous_commit = off");
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
