// What the SQLite store has beyond the contract: its file, group commit, segments, queue rows.

#include "storage/sqlite/sqlite_store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
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

TEST_F(SqliteStoreTest, an_erased_tenants_words_leave_the_file) {
  for (const auto& [tenant, word] : {std::pair(acme, "xylophonic"), std::pair(other, "marimba")}) {
    auto tx = store->begin(tenant, soon()).value();
    SearchChunk chunk;
    chunk.shard = ShardId("m");
    chunk.text = word;
    ASSERT_TRUE(tx->put_chunks(chunk.shard, {{chunk}}));
    ASSERT_TRUE(tx->commit());
  }
  ASSERT_TRUE(store->erase_tenant(acme, soon()));
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "castiel.db").c_str(), &db), SQLITE_OK);
  std::set<std::string> blocks;
  sqlite3_exec(
      db, "SELECT block FROM search_text_data WHERE instr(block, CAST('xyloph' AS BLOB)) > 0",
      [](void* out, int, char**, char**) {
        static_cast<std::set<std::string>*>(out)->insert("found");
        return 0;
      },
      &blocks, nullptr);
  sqlite3_close(db);
  EXPECT_TRUE(blocks.empty()) << "the index still has an erased word";
}

TEST_F(SqliteStoreTest, a_queue_says_since_when_its_oldest_message_waits) {
  ASSERT_TRUE(store->queue_rows().declare("q", 5, {{"a.b", "q"}}));
  const auto before = clock.now();
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->publish("s", {"1", "a.b", CorrelationId("c"), 0, 1, "{}"}));
  ASSERT_TRUE(tx->commit());
  EXPECT_GE(store->read(acme).value()->oldest_waiting("q").value().value(), before);
}

TEST_F(SqliteStoreTest, a_file_of_a_later_version_is_left_alone) {
  store.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "castiel.db").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version = 999", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  SqliteStore::Options options;
  options.path = (folder / "castiel.db").string();
  EXPECT_EQ(SqliteStore::open(options, clock).error().code, "store_too_new");
}

TEST_F(SqliteStoreTest, a_file_that_is_no_database_is_named_as_such) {
  SqliteStore::Options options;
  options.path = (folder / "other.db").string();
  std::ofstream(options.path) << std::string(50'000, 'z');
  EXPECT_EQ(SqliteStore::open(options, clock).error().code, "store_corrupt");
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
