#include "operations/reconcile.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>

#include "messaging/embedded/embedded_broker.hpp"
#include "model/event_types.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::operations {
namespace {

using namespace std::chrono_literals;

const std::string kRaw(model::queue::kDataRaw), kRisk(model::queue::kAnalyticsRisk);

struct ReconcileTest : testing::Test {
  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  ManualClock clock{parse_timestamp("2026-01-01T00:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<messaging::SchemaRegistry> schemas =
      messaging::SchemaRegistry::create(messaging::builtin_schemas()).value();
  messaging::Publisher publisher{*schemas, clock, ids};
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<messaging::EmbeddedBroker> broker;
  std::unique_ptr<Reconciler> reconciler;
  std::vector<CorrelationId> asked_at_source;
  std::optional<CorrelationId> source_brings = CorrelationId("import-2");
  TenantId acme{"acme"};
  CorrelationId flow{"import-1"};

  void SetUp() override {
    open();
    ASSERT_TRUE(store->create_tenant(acme, soon()));
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  void open() {
    reconciler.reset();
    broker.reset();
    store.reset();
    storage::SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.sync = false;
    store = storage::SqliteStore::open(options, clock).value();
    broker = messaging::EmbeddedBroker::create(*store, clock).value();
    ASSERT_TRUE(broker->declare({kRaw, {std::string(model::event::kDataRaw)}, 5}));
    ASSERT_TRUE(broker->declare({kRisk, {std::string(model::event::kOpportunityUpdated)}, 5}));
    Consequence insight{"insight",
                        kRisk,
                        {"opportunity"},
                        [](const storage::Reader& reader, const model::Shard& shard) -> Result<bool> {
                          CASTIEL_ASSIGN(const auto found, reader.insight("deal", shard.id));
                          return found.has_value();
                        },
                        [](const TenantId&, std::span<const model::Shard> shards) {
                          json::array records;
                          for (const auto& s : shards)
                            records.push_back(json::object{{"shardId", s.id.str()}});
                          const int n = static_cast<int>(records.size());
                          return messaging::Publication{
                              model::event::kOpportunityUpdated, "", {{"records", std::move(records)}}, 0, n};
                        }};
    reconciler = std::make_unique<Reconciler>(
        Reconciler::Parts{store.get(), broker.get(), &publisher, &clock},
        Reconciler::Options{.queues = {{kRaw, {std::string(model::event::kDataRaw)}, true},
                                       {kRisk, {std::string(model::event::kOpportunityUpdated)}, false}},
                            .consequences = {insight},
                            .integration_of = [](const storage::Reader&,
                                                 const CorrelationId&) { return std::string("files"); },
                            .refetch = [this](const TenantId&, const CorrelationId& of)
                                -> Result<std::optional<CorrelationId>> {
                              asked_at_source.push_back(of);
                              return source_brings;
                            }});
  }
  // Behind the store's back.
  void sql(const std::string& text) {
    reconciler.reset();
    broker.reset();
    store.reset();
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((folder / "castiel.db").c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
    open();
  }
  Deadline soon() { return Deadline::after(clock, 5s); }
  std::unique_ptr<storage::Transaction> begin() { return store->begin(acme, soon()).value(); }

  std::string publish_raw() {
    auto tx = begin();
    auto id = publisher.publish(*tx, "files", {flow, ""},
                                {model::event::kDataRaw,
                                 "",
                                 {{"integrationId", "files"},
                                  {"entityType", "opportunity"},
                                  {"format", {{"kind", "csv"}}},
                                  {"mapping", json::object()},
                                  {"observedAt", "2026-01-01T00:00:00Z"},
                                  {"records", {{{"key", "O1"}, {"source", "x"}}}}},
                                 0,
                                 1});
    EXPECT_TRUE(id);
    EXPECT_TRUE(tx->count(flow, "files", "read", 1));
    EXPECT_TRUE(tx->commit());
    return id.value_or("");
  }
  // What its stages would do: the message handled, the deal stored and evaluated.
  ShardId handle(const std::string& message, const std::string& key, bool evaluated = true) {
    const auto deliveries = broker->receive(kRaw, {}, Deadline::after(clock, 0s)).value();
    EXPECT_EQ(deliveries.size(), 1u);
    auto tx = begin();
    EXPECT_TRUE(tx->add_to_inbox(kRaw, message).value());
    storage::ShardWrite write;
    write.shard.id = ShardId(ids.next());
    write.shard.key = {"opportunity", "files", key};
    write.shard.version = 1;
    write.shard.data = R"({"name":"Big","status":"open"})";
    write.shard.source = "x";
    write.shard.origin = "{}";
    write.shard.correlation = flow;
    write.shard.created_at = write.shard.updated_at = clock.now();
    EXPECT_TRUE(tx->put_shards({&write, 1}));
    const storage::Alias alias{"opportunity:name", "big", "files", write.shard.id};
    EXPECT_TRUE(tx->put_aliases({&alias, 1}));
    EXPECT_TRUE(tx->count(flow, kRaw, "mapped", 1));
    if (evaluated) {
      EXPECT_TRUE(tx->put_insight({write.shard.id, "deal", clock.now(), "{}", flow, clock.now()}));
    }
    EXPECT_TRUE(broker->settle(*tx, deliveries));
    EXPECT_TRUE(tx->commit());
    broker->settled(deliveries);
    return write.shard.id;
  }
  Reconciliation run(bool repair = false) {
    clock.advance(10s);
    auto result = reconciler->run(acme, Timestamp{0}, repair);
    EXPECT_TRUE(result) << (result ? "" : result.error().describe());
    return result.value_or(Reconciliation{});
  }
};

TEST_F(ReconcileTest, nothing_is_missing_where_everything_came_through) {
  handle(publish_raw(), "O1");
  const auto result = run(true);
  EXPECT_EQ(result.drift, 0) << json::serialize(to_json(result));
  const auto& counts = result.integrations.at("files");
  EXPECT_EQ(counts.published, 1);
  EXPECT_EQ(counts.mapped, 1);
  EXPECT_EQ(counts.stored, 1);
  EXPECT_EQ(counts.evaluated, 1);
  EXPECT_EQ(counts.due, 1);
  EXPECT_TRUE(asked_at_source.empty());
}

TEST_F(ReconcileTest, what_waits_is_not_missing) {
  publish_raw();
  const auto result = run();
  EXPECT_EQ(result.drift, 0);
  EXPECT_EQ(result.waiting, 1);
}

TEST_F(ReconcileTest, a_message_that_went_away_is_named_and_asked_for_at_its_source) {
  const auto id = publish_raw();
  sql("DELETE FROM queued");
  const auto result = run(true);
  ASSERT_EQ(result.drift, 1);
  EXPECT_EQ(result.missing[0].kind, "message");
  EXPECT_EQ(result.missing[0].id, id);
  EXPECT_EQ(result.missing[0].queue, kRaw);
  EXPECT_EQ(result.missing[0].integration, "files");
  EXPECT_EQ(result.missing[0].repair, "refetched");
  EXPECT_EQ(asked_at_source, std::vector{flow});
  EXPECT_EQ(store->read(acme).value()->pending(flow).value(), 0) << "the flow can come to its end";
  EXPECT_EQ(run(true).drift, 0);
  EXPECT_EQ(asked_at_source.size(), 1u) << "once";
}

TEST_F(ReconcileTest, a_source_that_cannot_be_asked_leaves_it_named) {
  publish_raw();
  sql("DELETE FROM queued");
  source_brings.reset();
  EXPECT_EQ(run(true).impossible, 1);
  const auto again = run(true);
  ASSERT_EQ(again.drift, 1);
  EXPECT_EQ(again.missing[0].repair, "impossible");
}

TEST_F(ReconcileTest, a_deal_without_evaluation_is_published_again) {
  const auto shard = handle(publish_raw(), "O1");
  sql("DELETE FROM insight");
  EXPECT_EQ(run().missing.at(0).repair, "") << "named only";
  EXPECT_TRUE(broker->receive(kRisk, {}, Deadline::after(clock, 0s)).value().empty());
  const auto result = run(true);
  ASSERT_EQ(result.drift, 1);
  EXPECT_EQ(result.missing[0].kind, "insight");
  EXPECT_EQ(result.missing[0].id, shard.str());
  EXPECT_EQ(result.missing[0].key, "O1");
  EXPECT_EQ(result.republished, 1);
  EXPECT_EQ(run(true).drift, 0) << "it waits in the queue: not asked twice";
  const auto deliveries = broker->receive(kRisk, {}, Deadline::after(clock, 0s)).value();
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_NE(deliveries[0].body.find(shard.str()), std::string::npos);
  EXPECT_EQ(deliveries[0].correlation, flow) << "in the flow that brought it";
}

TEST_F(ReconcileTest, consequences_of_a_lost_message_are_asked_for_again_although_older_ones_are_there) {
  const auto shard = handle(publish_raw(), "O1");
  auto tx = begin();
  ASSERT_TRUE(publisher.publish(*tx, kRaw, {flow, ""},
                                {model::event::kOpportunityUpdated,
                                 "",
                                 {{"records", json::array{json::object{{"shardId", shard.str()}}}}},
                                 0,
                                 1}));
  ASSERT_TRUE(tx->commit());
  sql("DELETE FROM queued");
  const auto result = run(true);
  ASSERT_EQ(result.drift, 1);
  EXPECT_EQ(result.missing[0].kind, "message");
  EXPECT_EQ(result.missing[0].repair, "republished");
  EXPECT_EQ(broker->receive(kRisk, {}, Deadline::after(clock, 0s)).value().size(), 1u);
}

TEST_F(ReconcileTest, a_shard_that_went_away_is_named_and_asked_for_and_stays_named_until_it_comes) {
  const auto shard = handle(publish_raw(), "O1");
  auto tx = begin();
  storage::Relation relation;
  relation.from = ShardId("01OTHER");
  relation.role = "opportunity";
  relation.integration = "files";
  relation.kind = "opportunity:id";
  relation.key = relation.text = "O1";
  storage::ShardWrite other;
  other.shard.id = relation.from;
  other.shard.key = {"contact", "files", "C1"};
  other.shard.version = 1;
  other.shard.data = "{}";
  other.shard.correlation = flow;
  ASSERT_TRUE(tx->put_shards({&other, 1}));
  ASSERT_TRUE(tx->put_relations({&relation, 1}));
  ASSERT_TRUE(tx->commit());
  sql("DELETE FROM shard WHERE type='opportunity'");
  const auto result = run(true);
  ASSERT_EQ(result.drift, 1) << json::serialize(to_json(result));
  EXPECT_EQ(result.missing[0].kind, "shard");
  EXPECT_EQ(result.missing[0].id, shard.str());
  EXPECT_EQ(result.missing[0].type, "opportunity");
  EXPECT_EQ(result.missing[0].repair, "refetched");
  EXPECT_EQ(asked_at_source, std::vector{flow});
  EXPECT_TRUE(store->read(acme).value()->aliases("opportunity:name", "big").value().empty())
      << "nothing stands in the way of the one that comes";

  const auto again = run(true);
  const bool known = !result.missing[0].key.empty();
  EXPECT_EQ(again.drift, known ? 1 : 0);
  ASSERT_TRUE(known);
  EXPECT_EQ(again.missing[0].repair, "impossible") << "its source did not bring it";
  // And now it does.
  handle(publish_raw(), "O1");
  EXPECT_EQ(run(true).drift, 0);
  EXPECT_EQ(run(true).drift, 0);
  EXPECT_EQ(asked_at_source.size(), 1u);
}

}  // namespace
}  // namespace castiel::operations
