#include "storage/postgres/postgres_store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "storage/postgres/impl/migrate.hpp"
#include "storage/postgres/impl/outbox.hpp"
#include "storage/postgres/impl/transaction.hpp"
#include "storage/postgres/impl/url.hpp"

namespace castiel::storage {

using namespace postgres;

namespace {

constexpr Duration kReadWait = std::chrono::seconds(10);     // of calls that have no deadline of their own
constexpr Duration kLongestLook = std::chrono::minutes(10);  // through all rows of a tenant

// A tenant's transactions share this lock; who erases the tenant holds it alone.
std::int64_t tenant_lock(const TenantId& tenant) {
  return static_cast<std::int64_t>(stable_hash(tenant.view()) & 0x7FFFFFFF);
}
constexpr char kShareTenant[] = "SELECT pg_advisory_xact_lock_shared(1129530740, $1::bigint::int)";
constexpr char kTakeTenant[] = "SELECT pg_advisory_xact_lock(1129530740, $1::bigint::int)";

std::unexpected<Error> unknown_tenant(const TenantId& tenant) {
  return permanent(
      "unknown_tenant",
      fmt::format("there is no tenant '{}'; `castiel tenants list` shows those that exist", tenant.str()));
}

class PostgresReader final : public Queries<Reader> {
  using Queries::Queries;
};

class PostgresOperatorView final : public OperatorView {
 public:
  PostgresOperatorView(Session session, const Clock& clock) : session_(std::move(session)), clock_(&clock) {}

  Result<std::vector<TenantInfo>> tenants() const override {
    return collect<TenantInfo>(session_.query("SELECT tenant, created_at FROM tenant ORDER BY tenant"),
                               [](const Row& row) { return TenantInfo{TenantId(row.str(0)), row.time(1)}; });
  }
  Result<std::vector<DeadLetter>> dead_letters(std::string_view queue, std::string_view after,
                                               std::size_t limit) const override {
    LetterQuery query;
    query.queue = queue;
    query.after = after;
    query.limit = limit;
    return find_letters(session_, {}, query);
  }
  Result<std::vector<DeadLetter>> letters(const LetterQuery& query) const override {
    return find_letters(session_, {}, query);
  }
  Result<std::vector<LetterGroup>> letter_groups(const LetterQuery& query, LetterGrouping by) const override {
    return group_letters(session_, {}, query, by);
  }
  Result<std::int64_t> dead_letter_count() const override {
    return number(session_.query("SELECT count(*) FROM dead_letter WHERE state='dead'"));
  }
  Result<std::vector<std::pair<std::string, std::int64_t>>> dead_letters_by_queue() const override {
    return collect<std::pair<std::string, std::int64_t>>(
        session_.query(
            "SELECT queue, count(*) FROM dead_letter WHERE state='dead' GROUP BY queue ORDER BY queue"),
        read_count);
  }
  Result<std::vector<std::pair<std::string, std::int64_t>>> parked_by_queue() const override {
    return collect<std::pair<std::string, std::int64_t>>(
        session_.query("SELECT queue, count(*) FROM parked_record GROUP BY queue ORDER BY queue"),
        read_count);
  }
  Result<std::vector<TenantImport>> imports_for(std::string_view owner, std::size_t limit) const override {
    return collect<TenantImport>(
        session_.query("SELECT r.correlation, r.status, r.started_at, r.finished_at, r.detail, r.tenant FROM"
                       " import_run r LEFT JOIN lease l ON l.tenant=r.tenant AND"
                       " l.name='import/'||r.correlation WHERE r.status='running' AND (l.owner IS NULL OR"
                       " l.owner='' OR l.owner=$1 OR l.until<=$2) ORDER BY r.started_at LIMIT $3",
                       Params(owner, clock_->now(), as_limit(limit))),
        [](const Row& row) { return TenantImport{TenantId(row.str(5)), read_run(row)}; });
  }
  // By way of the tenants, whose keys lead every index.
  Result<std::optional<TenantId>> tenant_of(const CorrelationId& correlation) const override {
    return first<TenantId>(
        session_.query("SELECT t.tenant FROM tenant t WHERE EXISTS (SELECT 1 FROM flow_entry f"
                       " WHERE f.tenant=t.tenant AND f.correlation=$1) LIMIT 1",
                       Params(correlation)),
        read_tenant);
  }
  Result<std::optional<TenantId>> tenant_of_dead_letter(std::string_view id) const override {
    return first<TenantId>(
        session_.query("SELECT t.tenant FROM tenant t WHERE EXISTS (SELECT 1 FROM dead_letter d"
                       " WHERE d.tenant=t.tenant AND d.id=$1) OR EXISTS (SELECT 1 FROM quarantine q"
                       " WHERE q.tenant=t.tenant AND q.id=$1) LIMIT 1",
                       Params(id)),
        read_tenant);
  }

 private:
  static TenantId read_tenant(const Row& row) { return TenantId(row.str(0)); }
  static std::pair<std::string, std::int64_t> read_count(const Row& row) {
    return {row.str(0), row.integer(1)};
  }
  mutable Session session_;
  const Clock* clock_;
};

}  // namespace

struct PostgresStore::Impl {
  Impl(Options o, const Clock& c)
      : options(std::move(o)),
        clock(&c),
        limits{options.statement, options.transaction, options.statement},
        pool({options.url.reveal(), options.connections, std::min(options.connections, kIdle),
              options.connection_wait, options.connect},
             c),
        outbox(pool, routes, written, c, limits) {}
  static constexpr int kIdle = 16;

  Result<Session> open(Session::Mode mode, const TenantId& tenant, Deadline deadline,
                       const Session::More& more = {}) {
    return Session::open(pool, *clock, {mode, "castiel_app", tenant.str(), limits}, deadline, more);
  }

  Options options;
  const Clock* clock;
  Limits limits;
  Pool pool;
  Routes routes;
  Listener written;
  PostgresOutbox outbox;
};

PostgresStore::PostgresStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresStore::~PostgresStore() = default;

Result<std::unique_ptr<PostgresStore>> PostgresStore::open(Options options, const Clock& clock) {
  CASTIEL_TRY(check_url(options.url));
  {
    CASTIEL_ASSIGN(auto connection,
                   Connection::open(options.url.reveal(), clock, Deadline::after(clock, options.connect)));
    CASTIEL_TRY(migrate(*connection, options.migration));
  }
  auto impl = std::make_unique<Impl>(std::move(options), clock);
  {
    CASTIEL_ASSIGN(auto session,
                   impl->open(Session::Mode::snapshot, TenantId(), Deadline::after(clock, kReadWait)));
    CASTIEL_TRY(read_routes(session, impl->routes));
  }
  return std::unique_ptr<PostgresStore>(new PostgresStore(std::move(impl)));
}

Result<bool> PostgresStore::tenant_exists(const TenantId& tenant) {
  CASTIEL_ASSIGN(auto session,
                 impl_->open(Session::Mode::snapshot, tenant, Deadline::after(*impl_->clock, kReadWait)));
  return exists(session.query("SELECT 1 FROM tenant WHERE tenant=$1", Params(tenant)));
}

Result<std::unique_ptr<Reader>> PostgresStore::read(const TenantId& tenant) {
  bool known = false;
  CASTIEL_ASSIGN(auto session,
                 impl_->open(Session::Mode::snapshot, tenant, Deadline::after(*impl_->clock, kReadWait),
                             [&](Connection& connection) {
                               connection.queue("SELECT 1 FROM tenant WHERE tenant=$1", Params(tenant),
                                                [&](Rows& rows) -> Result<> {
                                                  known = !rows.empty();
                                                  return {};
                                                });
                             }));
  if (!known) return unknown_tenant(tenant);
  return std::make_unique<PostgresReader>(std::move(session), tenant);
}

Result<std::unique_ptr<Transaction>> PostgresStore::begin(const TenantId& tenant, Deadline deadline) {
  if (deadline.passed()) return transient("store_busy", "the deadline passed before the transaction began");
  bool known = false;
  std::int64_t routing = 0;
  CASTIEL_ASSIGN(auto session,
                 impl_->open(Session::Mode::write, tenant, deadline, [&](Connection& connection) {
                   connection.queue(kShareTenant, Params(tenant_lock(tenant)));
                   // A statement of its own, after the lock: an erasure that was waited for is seen.
                   connection.queue("SELECT (SELECT version FROM queue_routing) FROM tenant WHERE tenant=$1",
                                    Params(tenant), [&](Rows& rows) -> Result<> {
                                      known = !rows.empty();
                                      if (known) routing = rows[0].integer(0);
                                      return {};
                                    });
                 }));
  if (!known) return unknown_tenant(tenant);
  if (routing != impl_->routes.version()) CASTIEL_TRY(read_routes(session, impl_->routes));
  return std::make_unique<PostgresTransaction>(std::move(session), impl_->routes, impl_->written,
                                               *impl_->clock, tenant);
}

Result<> PostgresStore::create_tenant(const TenantId& tenant, Deadline deadline) {
  CASTIEL_ASSIGN(auto session, impl_->open(Session::Mode::write, tenant, deadline));
  session.queue(kShareTenant, Params(tenant_lock(tenant)));
  // The version goes on from the clock: what was made of an erased tenant of this name is never taken for the
  // new one's.
  session.queue(
      "WITH made AS (INSERT INTO tenant (tenant, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING"
      " tenant) INSERT INTO tenant_version (tenant, stripe, data_version, directory_version)"
      " SELECT tenant, 0, $2, $2 FROM made",
      Params(tenant, impl_->clock->now()));
  return session.commit();
}

std::vector<std::string> PostgresStore::tenant_tables() {
  return {"shard",        "shard_version", "field_change", "alias",         "relation",
          "inbox",        "outbox",        "parked_key",   "parked_record", "dead_letter",
          "quarantine",   "ledger",        "flow_entry",   "problem",       "insight",
          "import_run",   "imported_file", "sync_cursor",  "audit",         "tenant_setting",
          "link",         "link_feedback", "interaction",  "footprint",     "search_chunk",
          "search_index", "search_size",   "lease",        "outbox_last",   "tenant_version",
          "tenant"};
}

Result<std::vector<std::pair<std::string, std::int64_t>>> PostgresStore::erase_tenant(const TenantId& tenant,
                                                                                      Deadline deadline) {
  // All at once, however much there is: half an erased tenant must never be seen.
  const Duration longest = deadline.remaining();
  CASTIEL_ASSIGN(
      auto session,
      Session::open(impl_->pool, *impl_->clock,
                    {Session::Mode::write, "castiel_app", tenant.str(), {longest, longest, longest}},
                    deadline));
  session.queue(kTakeTenant, Params(tenant_lock(tenant)));
  std::vector<std::pair<std::string, std::int64_t>> counts;
  for (const auto& table : tenant_tables()) {
    session.queue(fmt::format("DELETE FROM {} WHERE tenant=$1", table).c_str(), Params(tenant),
                  [&counts, table](Rows& rows) -> Result<> {
                    counts.emplace_back(table, rows.affected());
                    return {};
                  });
  }
  CASTIEL_TRY(session.commit());
  return counts;
}

Result<std::unique_ptr<OperatorView>> PostgresStore::operator_view() {
  CASTIEL_ASSIGN(auto session, Session::open(impl_->pool, *impl_->clock,
                                             {Session::Mode::snapshot, "castiel_operator", {}, impl_->limits},
                                             Deadline::after(*impl_->clock, kReadWait)));
  return std::make_unique<PostgresOperatorView>(std::move(session), *impl_->clock);
}

Outbox& PostgresStore::outbox() {
  return impl_->outbox;
}

Result<Timestamp> PostgresStore::each_blob_reference(
    const TenantId& tenant, const std::function<void(std::string_view sha256)>& visit) {
  const Timestamp now = impl_->clock->now();
  CASTIEL_ASSIGN(
      auto session,
      Session::open(
          impl_->pool, *impl_->clock,
          {Session::Mode::snapshot, "castiel_app", tenant.str(), {kLongestLook, kLongestLook, kLongestLook}},
          Deadline::after(*impl_->clock, kReadWait)));
  CASTIEL_ASSIGN(const bool known,
                 exists(session.query("SELECT 1 FROM tenant WHERE tenant=$1", Params(tenant))));
  if (!known) return unknown_tenant(tenant);
  // Bytes in escape notation keep their letters and digits.
  constexpr std::pair<const char*, const char*> kTexts[] = {
      {"shard", "data"},
      {"shard", "source"},
      {"shard_version", "data"},
      {"shard_version", "source"},
      {"field_change", "concat(old_value, ' ', new_value)"},
      {"outbox", "encode(body, 'escape')"},
      {"parked_record", "encode(body, 'escape')"},
      {"dead_letter", "encode(payload, 'escape')"},
      {"quarantine", "encode(payload, 'escape')"},
      {"insight", "payload"},
      {"import_run", "detail"},
      {"imported_file", "cursor"},
      {"sync_cursor", "value"}};
  for (const auto& [table, text] : kTexts) {
    const auto sql = fmt::format(
        "SELECT DISTINCT (regexp_matches({0}, 'blob:([0-9a-f]{{64}})', 'g'))[1] FROM {1} WHERE tenant=$1 AND "
        "{0} LIKE"
        " '%blob:%'",
        text, table);
    CASTIEL_ASSIGN(const auto rows, session.query(sql.c_str(), Params(tenant)));
    for (int i = 0; i < rows.size(); ++i) visit(rows[i].str(0));
  }
  // What a relay or broker has on its way is of a flow that has not settled everything.
  CASTIEL_ASSIGN(
      const auto began,
      session.query(
          "SELECT min(began) FROM (SELECT coalesce((SELECT started_at FROM import_run r WHERE r.tenant=$1 AND"
          " r.correlation=l.correlation), (SELECT min(f.at) FROM flow_entry f WHERE f.tenant=$1 AND"
          " f.correlation=l.correlation), 0) AS began FROM ledger l WHERE l.tenant=$1 GROUP BY l.correlation "
          "HAVING"
          " sum(CASE l.counter WHEN 'enqueued' THEN l.value WHEN 'settled' THEN -l.value ELSE 0 END) > 0) w",
          Params(tenant)));
  return began.empty() || began[0].is_null(0) ? now : began[0].time(0);
}

std::string PostgresStore::place(const Secret& url) {
  return place_of(url);
}

}  // namespace castiel::storage
