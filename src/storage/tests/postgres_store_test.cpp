// What the PostgreSQL store has beyond the contract: row-level security, migrations side by side, limits,
// restarts.

#include "storage/postgres/postgres_store.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "base/random.hpp"
#include "base/utf8.hpp"
#include "storage/postgres/impl/session.hpp"
#include "storage/postgres/impl/text_code.hpp"
#include "storage/testing/postgres_server.hpp"

namespace castiel::storage {
namespace {

using namespace std::chrono_literals;
using testing::PostgresServer;

struct PostgresStoreTest : ::testing::Test {
  static PostgresServer& server() {
    static auto started = PostgresServer::start();
    EXPECT_TRUE(started) << started.error().describe();
    return **started;
  }

  SystemClock clock;
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  TenantId acme{"acme"}, other{"other"};
  std::string database = [] {
    static int number = 0;
    return "own_" + std::to_string(++number);
  }();
  std::unique_ptr<PostgresStore> store;

  void SetUp() override { ASSERT_TRUE(server().create_database(database)); }
  void TearDown() override {
    store.reset();
    EXPECT_TRUE(server().drop_database(database));
  }
  PostgresStore::Options options() const {
    PostgresStore::Options o;
    o.url = server().url(database);
    return o;
  }
  void open(const PostgresStore::Options& o) {
    auto opened = PostgresStore::open(o, clock);
    ASSERT_TRUE(opened) << opened.error().describe();
    store = std::move(*opened);
    for (const auto& tenant : {acme, other}) ASSERT_TRUE(store->create_tenant(tenant, soon()));
  }
  void open() { open(options()); }
  Deadline soon() const { return Deadline::after(clock, 30s); }

  ShardWrite shard(std::string external_id, std::int64_t expected = 0) {
    ShardWrite write;
    write.expected_version = expected;
    write.shard.id = ShardId(ids.next());
    write.shard.key = {"account", "files", std::move(external_id)};
    write.shard.version = expected + 1;
    write.shard.data = write.shard.origin = "{}";
    return write;
  }
  void put(const TenantId& tenant, const ShardWrite& write) {
    auto tx = store->begin(tenant, soon()).value();
    ASSERT_TRUE(tx->put_shards({{write}}));
    ASSERT_TRUE(tx->commit());
  }
  // As the program's login, with its roles.
  Result<std::string> as(const std::string& role, const std::string& tenant,
                         const std::string& script) const {
    std::string all = "BEGIN; SET LOCAL search_path = castiel; ";
    if (!role.empty()) all += "SET LOCAL ROLE " + role + "; ";
    if (!tenant.empty()) all += "SET LOCAL castiel.tenant = '" + tenant + "'; ";
    return testing::run_sql(server().url(database), all + script);
  }
  std::string superuser(const std::string& script) const { return server().sql(database, script).value(); }
};

// --- who sees what (TENANT-2) ---

TEST_F(PostgresStoreTest, a_statement_without_its_tenant_or_with_another_sees_and_changes_nothing) {
  open();
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  SearchChunk chunk;
  chunk.shard = ShardId("s");
  chunk.text = "secret";
  ASSERT_TRUE(tx->put_chunks(ShardId("s"), {{chunk}}));
  ASSERT_TRUE(tx->publish("stage", {"m", "a.b", CorrelationId("c"), 0, 1, "{}"}));
  ASSERT_TRUE(tx->commit());
  for (const auto* table : {"shard", "search_chunk", "search_index", "outbox", "ledger"}) {
    const std::string count = std::string("SELECT count(*) FROM ") + table;
    EXPECT_NE(as("castiel_app", "acme", count).value(), "0") << table;
  }
  for (const auto& table : PostgresStore::tenant_tables()) {
    const std::string count = "SELECT count(*) FROM " + table;
    EXPECT_EQ(as("castiel_app", "", count).value(), "0") << table;
    const bool has_own = table == "tenant" || table == "tenant_version";  // the other tenant's
    EXPECT_EQ(as("castiel_app", "other", count).value(), has_own ? "1" : "0") << table;
    EXPECT_EQ(
        as("castiel_app", "other", "DELETE FROM " + table + " WHERE tenant='acme' RETURNING tenant").value(),
        "")
        << table;
  }
  for (const auto* tenant : {"", "other"}) {
    EXPECT_EQ(
        as("castiel_app", tenant, "SELECT count(*) FROM search_matches('''acme:secret'''::tsquery, '', 10)")
            .value(),
        "0");
    EXPECT_EQ(as("castiel_app", tenant, "SELECT search_count('''acme:secret'''::tsquery)").value(), "0");
  }
  EXPECT_EQ(as("castiel_app", "acme", "SELECT search_count('''acme:secret'''::tsquery)").value(), "1");
  // Nor does it write for another one.
  const auto smuggled = as("castiel_app", "other", "INSERT INTO tenant_setting VALUES ('acme', 'k', 'v', 1)");
  ASSERT_FALSE(smuggled);
  EXPECT_NE(smuggled.error().message.find("row-level security"), std::string::npos)
      << smuggled.error().message;
  EXPECT_FALSE(as("castiel_app", "acme", "UPDATE shard SET tenant='other'"));
}

TEST_F(PostgresStoreTest, each_role_can_do_what_it_is_for_and_no_more) {
  open();
  put(acme, shard("1"));
  EXPECT_FALSE(as("", "acme", "SELECT count(*) FROM shard")) << "the login itself has no rights";
  EXPECT_FALSE(as("castiel_operator", "acme", "SELECT count(*) FROM shard"));
  EXPECT_FALSE(as("castiel_operator", "", "DELETE FROM tenant"));
  EXPECT_EQ(as("castiel_operator", "", "SELECT count(*) FROM tenant").value(), "2");
  EXPECT_FALSE(as("castiel_app", "acme", "DROP TABLE shard"));
  EXPECT_FALSE(as("castiel_app", "acme", "ALTER TABLE shard DISABLE ROW LEVEL SECURITY"));
  EXPECT_FALSE(as("castiel_app", "acme", "DELETE FROM schema_version"));
  EXPECT_EQ(as("castiel_owner", "", "SELECT count(*) FROM shard").value(), "0")
      << "its owner sees no rows either";
}

TEST_F(PostgresStoreTest, every_table_with_a_tenant_is_secured_keyed_by_it_and_erased) {
  open();
  const auto known = PostgresStore::tenant_tables();
  std::string list;
  for (const auto& table : std::set<std::string>(known.begin(), known.end()))
    list += list.empty() ? table : "," + table;
  EXPECT_EQ(
      superuser("SELECT string_agg(c.relname, ',' ORDER BY c.relname COLLATE \"C\") FROM pg_class c JOIN "
                "pg_attribute a ON "
                "a.attrelid=c.oid AND a.attname='tenant' WHERE c.relnamespace='castiel'::regnamespace AND "
                "c.relkind='r'"),
      list)
      << "a table with tenants' rows has no owner of its erasure";
  EXPECT_EQ(
      superuser(
          "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid=c.oid AND a.attname='tenant' "
          "WHERE c.relnamespace='castiel'::regnamespace AND c.relkind='r' AND NOT (relrowsecurity AND "
          "(relforcerowsecurity OR relname='search_index') AND EXISTS (SELECT 1 FROM pg_policy p WHERE "
          "p.polrelid=c.oid AND p.polname='own_rows'))"),
      "0");
  EXPECT_EQ(
      superuser(
          "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid=c.oid AND a.attname='tenant' "
          "JOIN pg_index i ON i.indrelid=c.oid AND i.indisunique WHERE "
          "c.relnamespace='castiel'::regnamespace AND i.indkey[0] <> a.attnum"),
      "0")
      << "Citus distributes by a column of every unique index";
}

TEST_F(PostgresStoreTest, a_transaction_leaves_nothing_behind_on_its_connection) {
  open();
  postgres::Pool::Options one;
  one.url = server().url(database).reveal();
  one.connections = 1;
  postgres::Pool pool(one, clock);
  {
    auto session = postgres::Session::open(pool, clock, {.tenant = "acme"}, soon()).value();
    EXPECT_EQ(session.query("SELECT current_user::text").value()[0].str(0), "castiel_app");
    EXPECT_EQ(session.query("SELECT current_setting('castiel.tenant')").value()[0].str(0), "acme");
  }
  auto connection = pool.take(soon()).value();
  EXPECT_TRUE(connection.used());
  const auto ask = [&](const char* sql) { return connection->query(sql, {}, soon()).value()[0].str(0); };
  EXPECT_EQ(ask("SELECT current_user::text"), PostgresServer::kUser);
  EXPECT_EQ(ask("SELECT coalesce(current_setting('castiel.tenant', true), '')"), "");
  EXPECT_EQ(ask("SELECT current_setting('statement_timeout')"), "0");
  EXPECT_EQ(ask("SELECT count(*)::text FROM pg_prepared_statements"), "0");
}

// --- set-up and migrations ---

TEST_F(PostgresStoreTest, processes_that_start_together_migrate_once) {
  std::atomic<int> opened = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        const auto one = PostgresStore::open(options(), clock);
        EXPECT_TRUE(one) << one.error().describe();
        if (one) ++opened;
      });
    }
  }
  EXPECT_EQ(opened, 4);
  EXPECT_EQ(superuser("SELECT count(*) = max(version) FROM castiel.schema_version"), "t");
}

TEST_F(PostgresStoreTest, a_database_of_a_later_version_is_left_alone) {
  open();
  superuser("INSERT INTO castiel.schema_version (version, name) VALUES (999, 'later')");
  EXPECT_EQ(PostgresStore::open(options(), clock).error().code, "store_too_new");
}

TEST_F(PostgresStoreTest, a_role_that_sees_everything_is_refused) {
  superuser("ALTER ROLE castiel_app BYPASSRLS");
  const auto refused = PostgresStore::open(options(), clock);
  superuser("ALTER ROLE castiel_app NOBYPASSRLS");
  EXPECT_EQ(refused.error().code, "store_unsafe");
}

TEST_F(PostgresStoreTest, a_login_without_the_roles_is_told_what_is_missing) {
  superuser("CREATE ROLE plain LOGIN PASSWORD 'plain'");
  auto o = options();
  o.url = Secret("postgresql://plain:plain@127.0.0.1:" + std::to_string(server().port()) + "/" + database);
  const auto refused = PostgresStore::open(o, clock);
  superuser("DROP ROLE plain");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "store_denied");
  EXPECT_NE(refused.error().message.find("castiel_owner"), std::string::npos);
}

TEST_F(PostgresStoreTest, no_error_repeats_a_password) {
  const auto port = std::to_string(server().port());
  std::map<std::string, std::string> codes = {
      {"postgresql://castiel:sesame@127.0.0.1:" + port + "/" + database, "store_denied"},
      {"postgresql://castiel:sesame@127.0.0.1:1/x", "store_unreachable"},
      {"postgresql://castiel:sesame@127.0.0.1:" + port + "/nowhere", "store_denied"},
      {"postgresql://castiel:sesame@127.0.0.1:port/x", "invalid_url"},
      {"postgresql://castiel:sesame@[::1/x?sesame", "invalid_url"},
      {"host=127.0.0.1 password=sesame", "invalid_url"},
  };
  for (const auto& [url, code] : codes) {
    auto o = options();
    o.url = Secret(url);
    const auto refused = PostgresStore::open(o, clock);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code, code) << refused.error().describe();
    EXPECT_EQ(refused.error().describe().find("sesame"), std::string::npos) << refused.error().describe();
    EXPECT_EQ(PostgresStore::place(o.url).find("sesame"), std::string::npos);
  }
  EXPECT_EQ(PostgresStore::place(Secret("postgresql://u:sesame@db.example:6432/castiel?sslmode=require")),
            "postgresql://db.example:6432/castiel");
}

// --- limits (BREAK-2, BREAK-3) ---

TEST_F(PostgresStoreTest, who_finds_all_connections_in_use_waits_for_a_while) {
  auto o = options();
  o.connections = 2;
  o.connection_wait = 50ms;
  open(o);
  auto one = store->read(acme).value();
  const auto two = store->read(acme).value();
  const auto refused = store->read(acme);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "store_busy");
  EXPECT_EQ(refused.error().cls, ErrorClass::transient);
  one.reset();
  EXPECT_TRUE(store->read(acme));
  EXPECT_EQ(store->begin(acme, Deadline::after(clock, 0s)).error().code, "store_busy");
}

TEST_F(PostgresStoreTest, a_statement_that_waits_for_too_long_is_ended) {
  auto o = options();
  o.statement = 200ms;
  open(o);
  put(acme, shard("1"));
  auto holds = store->begin(acme, soon()).value();
  ASSERT_TRUE(holds->put_shards({{shard("1", 1)}}));
  {
    auto waits = store->begin(acme, soon()).value();
    const auto refused = waits->put_shards({{shard("1", 1)}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "store_busy");
    EXPECT_EQ(refused.error().cls, ErrorClass::transient);
    EXPECT_FALSE(waits->commit());
  }
  EXPECT_TRUE(holds->commit());
}

TEST_F(PostgresStoreTest, a_transaction_that_takes_too_long_keeps_nothing) {
  ManualClock manual{clock.now()};
  auto opened = PostgresStore::open(options(), manual).value();
  ASSERT_TRUE(opened->create_tenant(acme, Deadline::after(manual, 30s)));
  auto tx = opened->begin(acme, Deadline::after(manual, 30s)).value();
  ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  manual.advance(11s);
  const auto refused = tx->commit();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "store_busy");
  tx.reset();
  EXPECT_TRUE(opened->read(acme).value()->shards({}).value().empty());
}

TEST_F(PostgresStoreTest, two_transactions_in_each_others_way_are_told_so) {
  open();
  for (const auto* id : {"1", "2"}) put(acme, shard(id));
  std::atomic<int> conflicts = 0, kept = 0;
  std::atomic<int> ready = 0;
  const auto work = [&](const std::string& first, const std::string& second) {
    auto tx = store->begin(acme, soon()).value();
    ASSERT_TRUE(tx->put_shards({{shard(first, 1)}}));
    ++ready;
    while (ready < 2) std::this_thread::yield();
    const auto put_second = tx->put_shards({{shard(second, 1)}});
    if (put_second && tx->commit()) {
      ++kept;
      return;
    }
    EXPECT_EQ(put_second.error().cls, ErrorClass::conditional) << put_second.error().describe();
    ++conflicts;
  };
  {
    std::jthread one([&] { work("1", "2"); }), two([&] { work("2", "1"); });
  }
  EXPECT_EQ(kept, 1);
  EXPECT_EQ(conflicts, 1);
}

TEST_F(PostgresStoreTest, what_an_error_means_follows_from_its_state) {
  const auto means = [](const char* state, const char* code, ErrorClass cls) {
    const auto error = postgres::to_error(state, "words");
    EXPECT_EQ(error.code, code) << state;
    EXPECT_EQ(error.cls, cls) << state;
  };
  means("53100", "store_full", ErrorClass::transient);
  means("53300", "store_unreachable", ErrorClass::transient);
  means("57P01", "store_unreachable", ErrorClass::transient);
  means("57P03", "store_unreachable", ErrorClass::transient);
  means("40001", "store_conflict", ErrorClass::conditional);
  means("40P01", "store_conflict", ErrorClass::conditional);
  means("57014", "store_busy", ErrorClass::transient);
  means("55P03", "store_busy", ErrorClass::transient);
  means("25P02", "store_busy", ErrorClass::transient);
  means("28P01", "store_denied", ErrorClass::permanent);
  means("42501", "store_denied", ErrorClass::permanent);
  means("58030", "store_io", ErrorClass::transient);
  means("23505", "version_conflict", ErrorClass::conditional);
}

// --- a server that goes away ---

TEST_F(PostgresStoreTest, a_restart_of_the_server_costs_the_transactions_under_way_and_no_more) {
  open();
  put(acme, shard("1"));
  auto under_way = store->begin(acme, soon()).value();
  ASSERT_TRUE(under_way->put_shards({{shard("2")}}));
  ASSERT_TRUE(server().start_again());  // as after a crash
  const auto refused = under_way->put_shards({{shard("3")}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cls, ErrorClass::transient) << refused.error().describe();
  EXPECT_FALSE(under_way->commit());
  under_way.reset();
  put(acme, shard("4"));
  EXPECT_EQ(store->read(acme).value()->shards({}).value().size(), 2u);
}

TEST_F(PostgresStoreTest, a_server_that_is_away_is_a_transient_error) {
  open();
  server().stop(true);
  const auto read = store->read(acme);
  const auto begun = store->begin(acme, soon());
  ASSERT_TRUE(server().start_again());
  ASSERT_FALSE(read);
  ASSERT_FALSE(begun);
  EXPECT_EQ(read.error().code, "store_unreachable");
  EXPECT_EQ(begun.error().cls, ErrorClass::transient);
  EXPECT_TRUE(store->read(acme));
}

// The server goes away while it commits: nobody knows.
TEST_F(PostgresStoreTest, a_connection_lost_in_the_commit_leaves_it_unknown) {
  open();
  superuser(
      "CREATE FUNCTION castiel.linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); "
      "RETURN NULL; "
      "END $$; CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON castiel.audit DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW "
      "EXECUTE FUNCTION castiel.linger()");
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->add_audit({{1}, "kim", "did", "it", "{}"}));
  std::jthread ends([&] {
    const std::string end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname='" +
                            database + "' AND query='COMMIT' AND state='active'";
    const auto deadline = soon();
    while (server().sql("postgres", end).value() == "0" && !deadline.passed()) std::this_thread::yield();
  });
  const auto committed = tx->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, "commit_unknown") << committed.error().describe();
  EXPECT_EQ(committed.error().cls, ErrorClass::transient);
}

TEST_F(PostgresStoreTest, what_relays_may_take_is_fenced) {
  open();
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->publish("stage", {"m", "a.b", CorrelationId("c"), 0, 1, "{}"}));
  ASSERT_TRUE(store->outbox().add(*tx, "q", {"later", "a.b", CorrelationId("c"), kRetryLane, 1, "{}"}, "k",
                                  clock.now() + 1h, "[]"));
  ASSERT_TRUE(tx->commit());
  auto& outbox = store->outbox();
  const auto leases = outbox.lease("one", kOutboxPartitions, 60s).value();
  ASSERT_EQ(leases.size(), static_cast<std::size_t>(kOutboxPartitions));
  EXPECT_TRUE(outbox.lease("two", kOutboxPartitions, 60s).value().empty());
  std::vector<OutboxMessage> found;
  OutboxLease holder;
  for (const auto& lease : leases) {
    const auto waiting = outbox.waiting(lease, {}, 10, 1000).value();
    if (!waiting.empty()) holder = lease;
    found.insert(found.end(), waiting.begin(), waiting.end());
  }
  ASSERT_EQ(found.size(), 1u) << "a retried record waits for its time";
  EXPECT_EQ(found[0].message.id, "m");
  EXPECT_EQ(found[0].tenant, acme);
  EXPECT_TRUE(outbox.waiting(holder, {{found[0].row}}, 10, 1000).value().empty());
  std::vector<Outbox::Look> looks;
  for (const auto& lease : leases) looks.push_back({lease, {}, 10, 1000});
  looks[static_cast<std::size_t>((holder.partition + 1) % kOutboxPartitions)].lease.fence += 1;
  const auto together = outbox.waiting_in(looks).value();
  for (std::size_t i = 0; i < looks.size(); ++i) {
    const bool is_lost = looks[i].lease.partition == (holder.partition + 1) % kOutboxPartitions;
    EXPECT_EQ(together[i].has_value(), !is_lost);
    if (!is_lost) EXPECT_EQ(together[i]->size(), looks[i].lease.partition == holder.partition ? 1u : 0u);
  }
  EXPECT_EQ(outbox.depth().value().messages, 2);
  ASSERT_TRUE(outbox.give_back("one"));
  const auto theirs = outbox.lease("two", kOutboxPartitions, 60s).value();
  EXPECT_EQ(theirs.size(), static_cast<std::size_t>(kOutboxPartitions));
  EXPECT_EQ(outbox.published(holder, {{found[0].row}}).error().code, "lease_lost");
  EXPECT_EQ(outbox.waiting(holder, {}, 10, 1000).error().code, "lease_lost");
  holder.fence += 1;
  ASSERT_TRUE(outbox.published(holder, {{found[0].row}}));
  EXPECT_EQ(outbox.depth().value().messages, 1);
}

RC_GTEST_PROP(TextCode, any_bytes_become_text_and_come_back, ()) {
  const auto piece =
      rc::gen::element<std::string>("a", "ü", "€", "😀", std::string(1, '\0'), "\xFF", "\xC3", "\xF4\x8F",
                                    "\xF4\x8F\xBC\x80", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBB\xBF", "12345678");
  const auto pieces = *rc::gen::container<std::vector<std::string>>(piece);
  std::string text;
  for (const auto& p : pieces) text += p;
  std::string buffer;
  const std::string encoded(postgres::encode_text(text, buffer));
  RC_ASSERT(is_utf8(encoded));
  RC_ASSERT(encoded.find('\0') == std::string::npos);
  RC_ASSERT(postgres::decode_text(encoded) == text);
}

}  // namespace
}  // namespace castiel::storage
