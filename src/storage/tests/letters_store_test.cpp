// Letters, and what reconciliation asks of a store.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/random.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::storage {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct LettersStore : testing::Test {
  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  ManualClock clock{parse_timestamp("2026-01-01T00:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<SqliteStore> store;
  TenantId acme{"acme"}, other{"other"};

  void SetUp() override {
    SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.sync = false;
    store = SqliteStore::open(options, clock).value();
    for (const auto& tenant : {acme, other}) ASSERT_TRUE(store->create_tenant(tenant, soon()));
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  Deadline soon() { return Deadline::after(clock, 5s); }
  std::unique_ptr<Transaction> begin(const TenantId& tenant) { return store->begin(tenant, soon()).value(); }
  std::unique_ptr<Reader> read(const TenantId& tenant) { return store->read(tenant).value(); }

  std::string put(const TenantId& tenant, LetterPlace place, std::string queue, std::string signature) {
    clock.advance(1s);
    DeadLetter letter;
    letter.id = ids.next();
    letter.queue = std::move(queue);
    letter.type = "t";
    letter.at = clock.now();
    letter.code = "bad";
    letter.message = "no good";
    letter.signature = std::move(signature);
    letter.payload = "bytes";
    letter.place = place;
    letter.errors = {{clock.now(), "bad", "no good"}};
    auto tx = begin(tenant);
    EXPECT_TRUE(tx->put_dead_letter(letter));
    EXPECT_TRUE(tx->commit());
    return letter.id;
  }
  std::vector<std::string> found(const LetterQuery& query, const TenantId& tenant) {
    std::vector<std::string> list;
    const auto letters = read(tenant)->letters(query).value();
    for (const auto& letter : letters) list.push_back(letter.id);
    return list;
  }
};

TEST_F(LettersStore, letters_are_found_by_place_queue_cause_and_state) {
  const auto a = put(acme, LetterPlace::dead, "q1", "bad:1"), b = put(acme, LetterPlace::dead, "q2", "bad:1"),
             c = put(acme, LetterPlace::dead, "q1", "bad:2"),
             d = put(acme, LetterPlace::quarantine, "q1", "bad:1"),
             e = put(other, LetterPlace::dead, "q1", "");
  EXPECT_THAT(found({}, acme), ElementsAre(a, b, c));
  EXPECT_THAT(found({.queue = "q1"}, acme), ElementsAre(a, c));
  EXPECT_THAT(found({.signature = "bad:1"}, acme), ElementsAre(a, b));
  EXPECT_THAT(found({.place = LetterPlace::quarantine}, acme), ElementsAre(d));
  EXPECT_THAT(found({.after = a, .limit = 1}, acme), ElementsAre(b));
  EXPECT_THAT(found({.signature = "bad"}, other), ElementsAre(e))
      << "a letter without signature has its code";
  {
    auto tx = begin(acme);
    ASSERT_TRUE(tx->set_dead_letter_state(a, "replayed"));
    ASSERT_TRUE(tx->set_dead_letter_state(d, "replayed"));
    EXPECT_EQ(tx->set_dead_letter_state(a, "purged").error().code, "not_found") << "not open any more";
    ASSERT_TRUE(tx->commit());
  }
  EXPECT_THAT(found({}, acme), ElementsAre(b, c));
  EXPECT_THAT(found({.state = "replayed"}, acme), ElementsAre(a));
  EXPECT_THAT(found({.state = "any"}, acme), ElementsAre(a, b, c));
  EXPECT_THAT(found({.place = LetterPlace::quarantine}, acme), IsEmpty());

  const auto whole = read(acme)->letters({.limit = 1}).value().at(0);
  EXPECT_EQ(whole.payload, "bytes");
  EXPECT_THAT(whole.errors, SizeIs(1));
  const auto slim = read(acme)->letters({.limit = 1, .with_payload = false}).value().at(0);
  EXPECT_EQ(slim.payload, "");
  EXPECT_EQ(slim.size, 5);
  EXPECT_EQ(read(acme)->dead_letter(d).value()->place, LetterPlace::quarantine);
  EXPECT_FALSE(read(other)->dead_letter(d).value());
  EXPECT_EQ(store->operator_view().value()->tenant_of_dead_letter(d).value(), acme);
  EXPECT_THAT(store->operator_view().value()->letters({}).value(), SizeIs(3));
}

TEST_F(LettersStore, letters_are_grouped) {
  put(acme, LetterPlace::dead, "q1", "bad:1");
  const auto newest = put(acme, LetterPlace::dead, "q2", "bad:1");
  put(other, LetterPlace::dead, "q1", "bad:2");
  const auto causes = read(acme)->letter_groups({}, LetterGrouping::cause).value();
  ASSERT_THAT(causes, SizeIs(1));
  EXPECT_EQ(causes[0].key, "bad:1");
  EXPECT_EQ(causes[0].count, 2);
  EXPECT_EQ(causes[0].example, newest);
  EXPECT_EQ(causes[0].newest - causes[0].oldest, Duration(1s));
  EXPECT_EQ(causes[0].message, "no good");
  const auto view = store->operator_view().value();
  EXPECT_THAT(view->letter_groups({}, LetterGrouping::tenant).value(), SizeIs(2));
  EXPECT_EQ(view->letter_groups({}, LetterGrouping::queue).value()[0].key, "q1");
  EXPECT_THAT(view->letter_groups({.queue = "q2"}, LetterGrouping::cause).value(), SizeIs(1));
  EXPECT_THAT(view->letter_groups({.place = LetterPlace::quarantine}, LetterGrouping::cause).value(),
              IsEmpty());
}

TEST_F(LettersStore, the_outcome_of_a_replay_is_kept_and_dead_stays_dead) {
  const auto a = put(acme, LetterPlace::dead, "q", "bad:1");
  auto tx = begin(acme);
  ASSERT_TRUE(tx->set_dead_letter_state(a, "replayed"));
  ASSERT_TRUE(tx->set_replay_outcome(a, "effect", ""));
  EXPECT_EQ(tx->dead_letter(a).value()->outcome, "effect");
  ASSERT_TRUE(tx->set_replay_outcome(a, "dead", "b"));
  ASSERT_TRUE(tx->set_replay_outcome(a, "effect", ""));
  EXPECT_EQ(tx->dead_letter(a).value()->outcome, "dead");
  EXPECT_EQ(tx->dead_letter(a).value()->outcome_id, "b");
  EXPECT_TRUE(tx->set_replay_outcome("gone", "effect", ""));
  ASSERT_TRUE(tx->commit());
  EXPECT_EQ(read(acme)->letter_groups({.state = "replayed"}, LetterGrouping::outcome).value()[0].key, "dead");
}

// FLOW-11
TEST_F(LettersStore, a_shard_that_is_named_and_not_stored_is_told_and_forgotten) {
  auto tx = begin(acme);
  const auto write = [&](const char* id, const char* type, const char* key) {
    ShardWrite w;
    w.shard.id = ShardId(id);
    w.shard.key = {type, "files", key};
    w.shard.version = 1;
    w.shard.data = "{}";
    ASSERT_TRUE(tx->put_shards({&w, 1}));
  };
  write("01A", "contact", "C1");
  const Alias alias{"account:id", "A1", "files", ShardId("01GONE")},
      kept{"contact:name", "kim", "files", ShardId("01A")};
  ASSERT_TRUE(tx->put_aliases({&alias, 1}));
  ASSERT_TRUE(tx->put_aliases({&kept, 1}));
  ASSERT_TRUE(
      tx->put_insight({ShardId("01GONE"), "deal", clock.now(), "{}", CorrelationId("flow"), clock.now()}));
  const SearchChunk chunk{ShardId("01GONE"), "account", 0, clock.now(), "{}", "Globex", "text"};
  ASSERT_TRUE(tx->put_chunks(ShardId("01GONE"), {&chunk, 1}));
  ASSERT_TRUE(tx->commit());
  const auto missing = read(acme)->missing_shards(10).value();
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_EQ(missing[0].id, ShardId("01GONE"));
  EXPECT_EQ(missing[0].key, "A1");
  EXPECT_EQ(missing[0].name, "Globex");
  EXPECT_EQ(missing[0].correlation, CorrelationId("flow"));
  EXPECT_THAT(missing[0].seen, ElementsAre("alias", "insight", "text"));
  EXPECT_THAT(read(other)->missing_shards(10).value(), IsEmpty());

  tx = begin(acme);
  EXPECT_EQ(tx->forget_shard(ShardId("01A")).error().code, "conflict");
  tx.reset();
  tx = begin(acme);
  ASSERT_TRUE(tx->forget_shard(ShardId("01GONE")));
  ASSERT_TRUE(tx->commit());
  EXPECT_THAT(read(acme)->missing_shards(10).value(), IsEmpty());
  EXPECT_THAT(read(acme)->aliases("contact:name", "kim").value(), SizeIs(1));
  EXPECT_THAT(read(acme)->chunks(ShardId("01GONE")).value(), IsEmpty());
}

TEST_F(LettersStore, flows_are_found_by_what_was_told_of_them_since) {
  auto tx = begin(acme);
  ASSERT_TRUE(tx->add_flow_entry(CorrelationId("old"), {clock.now(), "files", "note", "t", "1", "told", 1}));
  clock.advance(1h);
  const auto since = clock.now();
  ASSERT_TRUE(tx->add_flow_entry(CorrelationId("new"), {clock.now(), "files", "note", "t", "1", "told", 1}));
  ASSERT_TRUE(tx->add_flow_entry(CorrelationId("new"), {clock.now(), "files", "note", "t", "2", "told", 1}));
  ASSERT_TRUE(tx->commit());
  EXPECT_THAT(read(acme)->flows_since(since, 10).value(), ElementsAre(CorrelationId("new")));
  EXPECT_THAT(read(acme)->flows_since(Timestamp{0}, 10).value(), SizeIs(2));
  EXPECT_THAT(read(other)->flows_since(Timestamp{0}, 10).value(), IsEmpty());
}

}  // namespace
}  // namespace castiel::storage
