#include "tenancy/retention.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/random.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "tenancy/tenant_settings.hpp"

namespace castiel::tenancy {
namespace {

using namespace std::chrono_literals;

constexpr auto kDay = 24h;

struct RetentionTest : testing::Test {
  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  ManualClock clock{parse_timestamp("2026-01-01T00:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<storage::SqliteStore> store = [this] {
    storage::SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.sync = false;
    return storage::SqliteStore::open(options, clock).value();
  }();
  TenantId acme{"acme"}, other{"other"};
  TenantSettings tenants{*store, clock, SettingValues()};
  telemetry::Metrics metrics;
  Retention retention{*store, tenants, clock, {}, &metrics, {.every = 1h, .batch_rows = 3}};

  void SetUp() override {
    ASSERT_TRUE(store->create_tenant(acme, soon()));
    ASSERT_TRUE(store->create_tenant(other, soon()));
  }
  void TearDown() override {
    store.reset();
    std::filesystem::remove_all(folder);
  }
  Deadline soon() { return Deadline::after(clock, 5s); }
  std::unique_ptr<storage::Reader> reader(const TenantId& tenant) { return store->read(tenant).value(); }
  std::unique_ptr<storage::Transaction> begin(const TenantId& tenant) {
    return store->begin(tenant, soon()).value();
  }

  // A round over all tenants; how many steps it took.
  int round() {
    int steps = 1;
    while (retention.step().value()) ++steps;
    return steps;
  }

  storage::ShardWrite version(std::int64_t expected) {
    storage::ShardWrite write;
    write.expected_version = expected;
    write.shard.id = ShardId("s1");
    write.shard.key = {"account", "files", "A1"};
    write.shard.version = expected + 1;
    write.shard.data = write.shard.origin = "{}";
    write.shard.updated_at = clock.now();
    return write;
  }

  std::string dead_letter(storage::Transaction& tx) {
    storage::DeadLetter letter;
    letter.id = ids.next();
    letter.queue = "q";
    letter.at = clock.now();
    EXPECT_TRUE(tx.put_dead_letter(letter));
    return letter.id;
  }

  void add_flow(const TenantId& tenant, const CorrelationId& flow, int entries) {
    auto tx = begin(tenant);
    for (int i = 0; i < entries; ++i)
      ASSERT_TRUE(tx->add_flow_entry(flow, {clock.now(), "files", "note", "t", "1", "told", 1}));
    ASSERT_TRUE(tx->count(flow, "files", "read", 3));
    ASSERT_TRUE(tx->add_problem(flow, {"a.csv", 1, "bad", "bad"}));
    ASSERT_TRUE(tx->put_import_run({flow, "done", clock.now(), clock.now(), "{}"}));
    ASSERT_TRUE(tx->commit());
  }
};

TEST_F(RetentionTest, a_handled_message_is_remembered_for_its_time_and_no_longer) {
  {
    auto tx = begin(acme);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(tx->add_to_inbox("q", "old" + std::to_string(i)));
    ASSERT_TRUE(tx->commit());
  }
  clock.advance(29 * kDay);
  {
    auto tx = begin(acme);
    ASSERT_TRUE(tx->add_to_inbox("q", "new"));
    ASSERT_TRUE(tx->commit());
  }
  round();
  EXPECT_EQ(retention.removed(), 0);
  clock.advance(2 * kDay);
  EXPECT_GE(round(), 4) << "ten rows go in pieces of three";
  EXPECT_EQ(retention.removed(), 10);
  EXPECT_FALSE(reader(acme)->in_inbox("q", "old0").value());
  EXPECT_TRUE(reader(acme)->in_inbox("q", "new").value());
  EXPECT_NE(metrics.render().find("castiel_retention_removed_rows_total{table=\"inbox\"} 10"),
            std::string::npos)
      << metrics.render();
}

TEST_F(RetentionTest, looks_again_only_when_the_next_round_is_due) {
  round();
  {
    auto tx = begin(acme);
    ASSERT_TRUE(tx->add_to_inbox("q", "m"));
    ASSERT_TRUE(tx->commit());
  }
  EXPECT_EQ(retention.until_due(), Duration(1h));
  clock.step_wall_clock(40 * kDay);
  EXPECT_FALSE(retention.step().value());
  EXPECT_EQ(retention.removed(), 0);
  clock.advance(1h);
  round();
  EXPECT_EQ(retention.removed(), 1);
}

TEST_F(RetentionTest, a_finished_flow_goes_as_a_whole_and_one_under_way_stays) {
  const CorrelationId done("import-1"), waiting("import-2"), running("import-3"), fresh("import-4");
  for (const auto& flow : {done, waiting, running, fresh}) add_flow(acme, flow, 7);
  {
    auto tx = begin(acme);
    ASSERT_TRUE(tx->count(waiting, "q", "enqueued", 1));
    ASSERT_TRUE(tx->put_import_run({running, "running", clock.now(), {}, "{}"}));
    ASSERT_TRUE(tx->commit());
  }
  clock.advance(100 * kDay);
  {
    auto tx = begin(acme);
    ASSERT_TRUE(tx->add_flow_entry(fresh, {clock.now(), "files", "note", "t", "1", "told", 1}));
    ASSERT_TRUE(tx->commit());
  }
  clock.advance(100 * kDay);
  round();
  const auto now = reader(acme);
  EXPECT_TRUE(now->flow(done, 100).value().empty());
  EXPECT_TRUE(now->ledger(done).value().empty());
  EXPECT_TRUE(now->problems(done, 10).value().empty());
  EXPECT_FALSE(now->import_run(done).value());
  EXPECT_EQ(now->flow(waiting, 100).value().size(), 7u);
  EXPECT_EQ(now->pending(waiting).value(), 1);
  EXPECT_EQ(now->flow(running, 100).value().size(), 7u);
  EXPECT_EQ(now->flow(fresh, 100).value().size(), 8u);
}

TEST_F(RetentionTest, a_version_goes_by_when_it_was_replaced_and_the_present_one_stays) {
  for (const std::int64_t v : {0, 1, 2}) {
    auto tx = begin(acme);
    const auto write = version(v);
    ASSERT_TRUE(tx->put_shards({&write, 1}));
    ASSERT_TRUE(tx->commit());
    clock.advance(400 * kDay);
  }
  round();  // the first was replaced 800 days ago, the second 400
  EXPECT_EQ(retention.removed(), 1);
  clock.advance(400 * kDay);
  round();
  EXPECT_EQ(retention.removed(), 2);
  EXPECT_EQ(reader(acme)->shard(ShardId("s1")).value()->version, 3);
}

TEST_F(RetentionTest, open_dead_letters_stay_and_done_ones_go_by_when_they_were_done) {
  std::string open, purged, replayed;
  {
    auto tx = begin(acme);
    open = dead_letter(*tx);
    purged = dead_letter(*tx);
    replayed = dead_letter(*tx);
    ASSERT_TRUE(tx->set_dead_letter_state(purged, "purged"));
    ASSERT_TRUE(tx->commit());
  }
  clock.advance(80 * kDay);
  {
    auto tx = begin(acme);
    ASSERT_TRUE(tx->set_dead_letter_state(replayed, "replayed"));
    ASSERT_TRUE(tx->commit());
  }
  clock.advance(20 * kDay);
  round();
  EXPECT_TRUE(reader(acme)->dead_letter(open).value());
  EXPECT_FALSE(reader(acme)->dead_letter(purged).value());
  EXPECT_TRUE(reader(acme)->dead_letter(replayed).value());
}

// RETRY-4
TEST_F(RetentionTest, the_quarantine_goes_by_its_age_whatever_became_of_it) {
  std::vector<std::string> held;
  const auto put = [&] {
    storage::DeadLetter letter;
    letter.id = ids.next();
    letter.queue = "q";
    letter.at = clock.now();
    letter.place = storage::LetterPlace::quarantine;
    auto tx = begin(acme);
    ASSERT_TRUE(tx->put_dead_letter(letter));
    ASSERT_TRUE(tx->commit());
    held.push_back(letter.id);
  };
  put();
  clock.advance(29 * kDay);
  put();
  round();
  EXPECT_TRUE(reader(acme)->dead_letter(held[0]).value());
  clock.advance(2 * kDay);
  round();
  EXPECT_FALSE(reader(acme)->dead_letter(held[0]).value());
  EXPECT_TRUE(reader(acme)->dead_letter(held[1]).value());
}

TEST_F(RetentionTest, each_tenant_has_its_own_times) {
  ASSERT_TRUE(tenants.set(other, "retention.inbox", "365d", "ann"));
  for (const auto& tenant : {acme, other}) {
    auto tx = begin(tenant);
    ASSERT_TRUE(tx->add_to_inbox("q", "m"));
    ASSERT_TRUE(tx->commit());
  }
  clock.advance(40 * kDay);
  round();
  EXPECT_FALSE(reader(acme)->in_inbox("q", "m").value());
  EXPECT_TRUE(reader(other)->in_inbox("q", "m").value());
}

}  // namespace
}  // namespace castiel::tenancy
