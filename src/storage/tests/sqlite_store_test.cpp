#include "storage/sqlite/sqlite_store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <set>
#include <thread>

#include "base/random.hpp"
#include "storage/data_folder.hpp"

namespace castiel::storage {
namespace {

using namespace std::chrono_literals;

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct SqliteStoreTest : testing::Test {
  TempFolder folder;
  SystemClock clock;
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<SqliteStore> store = open();
  TenantId acme{"acme"}, other{"other"};

  std::unique_ptr<SqliteStore> open() {
    SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    return SqliteStore::open(options, clock).value();
  }
  Deadline soon() { return Deadline::after(clock, 5s); }
  void SetUp() override {
    ASSERT_TRUE(store->create_tenant(acme, soon()));
    ASSERT_TRUE(store->create_tenant(other, soon()));
  }

  ShardWrite shard(std::string external_id, std::int64_t expected = 0,
                   std::string data = R"({"name":"Acme"})") {
    ShardWrite write;
    write.expected_version = expected;
    write.shard.id = ShardId(ids.next());
    write.shard.key = {"account", "files", std::move(external_id)};
    write.shard.version = expected + 1;
    write.shard.data = std::move(data);
    write.shard.source = "Acme,1";
    write.shard.origin = "{}";
    return write;
  }
};

TEST_F(SqliteStoreTest, a_shard_is_there_after_commit_and_not_before) {
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  EXPECT_FALSE(store->read(acme).value()->shard({"account", "files", "1"}).value());
  ASSERT_TRUE(tx->commit());
  const auto found = store->read(acme).value()->shard({"account", "files", "1"}).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->version, 1);
  EXPECT_EQ(found->source, "Acme,1");
}

TEST_F(SqliteStoreTest, a_transaction_dropped_leaves_nothing) {
  {
    auto tx = store->begin(acme, soon()).value();
    ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  }
  EXPECT_TRUE(store->read(acme).value()->shards({}).value().empty());
}

TEST_F(SqliteStoreTest, a_stale_version_is_refused) {
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  ASSERT_TRUE(tx->commit());
  tx = store->begin(acme, soon()).value();
  const auto refused = tx->put_shards({{shard("1", 7)}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "version_conflict");
  EXPECT_FALSE(tx->commit()) << "a transaction that failed once must not commit the rest";
}

TEST_F(SqliteStoreTest, an_insert_of_an_existing_shard_is_a_conflict) {
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  EXPECT_EQ(tx->put_shards({{shard("1")}}).error().code, "version_conflict");
}

TEST_F(SqliteStoreTest, tenants_do_not_see_each_other) {
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  ASSERT_TRUE(tx->commit());
  const auto reader = store->read(other).value();
  EXPECT_TRUE(reader->shards({}).value().empty());
  EXPECT_FALSE(reader->shard({"account", "files", "1"}).value());
}

TEST_F(SqliteStoreTest, an_unknown_tenant_is_an_error) {
  EXPECT_EQ(store->read(TenantId("nobody")).error().code, "unknown_tenant");
  EXPECT_EQ(store->begin(TenantId("nobody"), soon()).error().code, "unknown_tenant");
}

TEST_F(SqliteStoreTest, relations_resolve_whichever_side_comes_first) {
  const auto account = shard("A1");
  auto tx = store->begin(acme, soon()).value();
  Relation by_id{ShardId("deal1"), "account", 0, "files", "account:id", "A1", "A1", {}, {}};
  Relation by_name{ShardId("deal2"), "account", 0, "files", "account:name", "acme", "Acme", {}, {}};
  ASSERT_TRUE(tx->put_relations({{by_id, by_name}}));
  EXPECT_EQ(tx->loose_relations(10).value().size(), 2u);
  ASSERT_TRUE(tx->put_shards({{account}}));
  ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "acme", "files", account.shard.id}}}));
  EXPECT_TRUE(tx->loose_relations(10).value().empty());
  Relation later = by_name;
  later.from = ShardId("deal3");
  ASSERT_TRUE(tx->put_relations({{later}}));
  EXPECT_EQ(tx->relations_to(account.shard.id).value().size(), 3u);
}

TEST_F(SqliteStoreTest, relations_are_found_in_whichever_segment_they_lie) {
  constexpr int kRelations = 10'000, kEach = 1'000;
  for (int i = 0; i < kRelations;) {
    auto tx = store->begin(acme, soon()).value();
    std::vector<Relation> relations;
    for (const int end = i + kEach; i < end; ++i)
      relations.push_back({ShardId(ids.next()),
                           "account",
                           0,
                           "files",
                           i % 2 == 0 ? "account:id" : "account:name",
                           "A" + std::to_string(i % 10),
                           "A",
                           {},
                           {}});
    ASSERT_TRUE(tx->put_relations(relations));
    ASSERT_TRUE(tx->commit());
  }
  auto tx = store->begin(acme, soon()).value();
  const auto two = shard("A2");
  ASSERT_TRUE(tx->put_shards({{two}}));
  ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "A3", "files", two.shard.id}}}));
  ASSERT_TRUE(tx->commit());
  EXPECT_EQ(store->read(acme).value()->relations_to(two.shard.id).value().size(), kRelations / 5);
  EXPECT_EQ(store->read(acme).value()->loose_relations(kRelations).value().size(), kRelations * 4 / 5);
}

TEST_F(SqliteStoreTest, a_name_shared_by_two_is_left_open) {
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->put_aliases(
      {{Alias{"user:name", "kim", "a", ShardId("1")}, Alias{"user:name", "kim", "b", ShardId("2")}}}));
  ASSERT_TRUE(
      tx->put_relations({{Relation{ShardId("d"), "owner", 0, "c", "user:name", "kim", "Kim", {}, {}}}}));
  EXPECT_EQ(tx->relations_from(ShardId("d")).value().front().how, "ambiguous");
  ASSERT_TRUE(
      tx->put_relations({{Relation{ShardId("d"), "owner", 0, "b", "user:name", "kim", "Kim", {}, {}}}}));
  EXPECT_EQ(tx->relations_from(ShardId("d")).value().front().to, ShardId("2"))
      << "the source's own shard is preferred";
}

TEST_F(SqliteStoreTest, a_shared_name_ends_the_same_whichever_side_comes_first) {
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->put_relations(
      {{Relation{ShardId("d"), "account", 0, "c", "account:name", "acme", "Acme", {}, {}}}}));
  ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "acme", "a", ShardId("1")}}}));
  EXPECT_EQ(tx->relations_from(ShardId("d")).value().front().to, ShardId("1"));
  ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "acme", "b", ShardId("2")}}}));
  EXPECT_EQ(tx->relations_from(ShardId("d")).value().front().how, "ambiguous");
  EXPECT_FALSE(tx->relations_from(ShardId("d")).value().front().to);
  ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "acme", "c", ShardId("3")}}}));
  EXPECT_EQ(tx->relations_from(ShardId("d")).value().front().to, ShardId("3"));
}

TEST_F(SqliteStoreTest, threads_that_commit_together_lose_nothing) {
  constexpr int kThreads = 8, kEach = 40;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        auto tx = store->begin(acme, Deadline::after(clock, 30s)).value();
        ASSERT_TRUE(tx->put_shards({{shard(std::to_string(t) + "/" + std::to_string(i))}}));
        if (i % 4 == 3) continue;  // every fourth is dropped
        ASSERT_TRUE(tx->commit());
      }
    });
  }
  threads.clear();
  EXPECT_EQ(store->read(acme).value()->shard_counts().value().front().second, kThreads * kEach * 3 / 4);
}

TEST_F(SqliteStoreTest, every_table_with_a_tenant_is_erased) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "castiel.db").c_str(), &db), SQLITE_OK);
  std::set<std::string> tables;
  sqlite3_exec(
      db,
      "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%' AND sql LIKE '%tenant "
      "TEXT%'",
      [](void* out, int, char** values, char**) {
        static_cast<std::set<std::string>*>(out)->insert(values[0]);
        return 0;
      },
      &tables, nullptr);
  sqlite3_close(db);
  const auto known = SqliteStore::tenant_tables();
  EXPECT_EQ(tables, std::set<std::string>(known.begin(), known.end()))
      << "a table with tenants' rows has no owner of its erasure";

  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  ASSERT_TRUE(tx->commit());
  ASSERT_TRUE(store->erase_tenant(acme, soon()));
  EXPECT_EQ(store->read(acme).error().code, "unknown_tenant");
}

TEST_F(SqliteStoreTest, a_second_process_is_refused_by_name) {
  const auto first = DataFolder::open(folder / "data").value();
  EXPECT_EQ(DataFolder::open(folder / "data").error().code, "data_folder_in_use");
}

TEST(TopicMatches, follows_amqp) {
  EXPECT_TRUE(topic_matches("shard.*", "shard.created"));
  EXPECT_FALSE(topic_matches("shard.*", "shard.created.late"));
  EXPECT_TRUE(topic_matches("#", "a.b.c"));
  EXPECT_TRUE(topic_matches("integration.#", "integration.data.raw"));
  EXPECT_TRUE(topic_matches("integration.#", "integration"));
  EXPECT_TRUE(topic_matches("#.raw", "integration.data.raw"));
  EXPECT_FALSE(topic_matches("integration.*", "integration"));
  EXPECT_FALSE(topic_matches("shard.created", "shard.updated"));
}

}  // namespace
}  // namespace castiel::storage
