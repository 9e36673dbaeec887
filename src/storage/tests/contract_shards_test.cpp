// Shards, their versions and history, of every kind of store.

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "storage/tests/store_contract.hpp"

namespace castiel::storage {
namespace {

struct ShardContract : StoreContract {};

TEST_P(ShardContract, a_shard_is_there_after_commit_and_not_before) {
  auto tx = begin(acme);
  ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  EXPECT_FALSE(read(acme)->shard({"account", "files", "1"}).value());
  EXPECT_TRUE(tx->shard({"account", "files", "1"}).value()) << "a transaction sees what it wrote";
  ASSERT_TRUE(tx->commit());
  const auto found = read(acme)->shard({"account", "files", "1"}).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->version, 1);
  EXPECT_EQ(found->source, "Acme,1");
}

TEST_P(ShardContract, every_field_of_a_shard_comes_back_as_it_was) {
  auto write = shard("1");
  auto& s = write.shard;
  s.source_version = {1'700'000'000'123'456};
  s.source_is_dated = true;
  s.content_hash = 0xFEDCBA9876543210u;
  s.correlation = CorrelationId("import-1");
  s.created_at = {1};
  s.updated_at = {-2};
  s.deleted_at = Timestamp{3};
  s.origin = R"({"file":"a.csv"})";
  ASSERT_NO_FATAL_FAILURE(this->write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{write}})); }));
  const auto found = read(acme)->shard(s.id).value().value();
  EXPECT_EQ(found.key, s.key);
  EXPECT_EQ(found.source_version, s.source_version);
  EXPECT_TRUE(found.source_is_dated);
  EXPECT_EQ(found.content_hash, s.content_hash);
  EXPECT_EQ(found.correlation, s.correlation);
  EXPECT_EQ(found.created_at, s.created_at);
  EXPECT_EQ(found.updated_at, s.updated_at);
  EXPECT_EQ(found.deleted_at, s.deleted_at);
  EXPECT_EQ(found.origin, s.origin);
  EXPECT_EQ(found.data, s.data);
}

TEST_P(ShardContract, bytes_that_are_no_text_come_back_as_they_were) {
  const std::string odd("a\0b\xFF\xC3(\xF4\x8F\xBF\xBF\xF4\x8F\xBC\x80 ü€😀", 26);
  auto one = shard(odd, 0, odd);
  one.shard.source = odd;
  ASSERT_NO_FATAL_FAILURE(write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{one}})); }));
  const auto found = read(acme)->shard({"account", "files", odd}).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key.external_id, odd);
  EXPECT_EQ(found->data, odd);
  EXPECT_EQ(found->source, odd);
  EXPECT_FALSE(read(acme)->shard({"account", "files", "a"}).value()) << "a text ends where it ends";
}

TEST_P(ShardContract, a_transaction_dropped_leaves_nothing) {
  {
    auto tx = begin(acme);
    ASSERT_TRUE(tx->put_shards({{shard("1")}}));
    ASSERT_TRUE(tx->put_aliases({{Alias{"account:name", "acme", "files", ShardId("1")}}}));
    ASSERT_TRUE(tx->count(CorrelationId("c"), "s", "in", 1));
  }
  EXPECT_TRUE(read(acme)->shards({}).value().empty());
  EXPECT_TRUE(read(acme)->aliases("account:name", "acme").value().empty());
  EXPECT_TRUE(read(acme)->ledger(CorrelationId("c")).value().empty());
}

TEST_P(ShardContract, a_stale_version_is_refused) {
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{shard("1")}})); });
  auto tx = begin(acme);
  const auto refused = tx->put_shards({{shard("1", 7)}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "version_conflict");
  EXPECT_EQ(refused.error().cls, ErrorClass::conditional);
  EXPECT_FALSE(tx->commit()) << "a transaction that failed once must not commit the rest";
}

TEST_P(ShardContract, a_stale_version_among_good_ones_keeps_none_of_them) {
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{shard("1"), shard("2")}})); });
  {
    auto tx = begin(acme);
    EXPECT_EQ(tx->put_shards({{shard("1", 1), shard("2", 2), shard("3")}}).error().code, "version_conflict");
    EXPECT_FALSE(tx->commit());
  }
  EXPECT_EQ(read(acme)->shard({"account", "files", "1"}).value()->version, 1);
  EXPECT_FALSE(read(acme)->shard({"account", "files", "3"}).value());
}

TEST_P(ShardContract, an_insert_of_an_existing_shard_is_a_conflict) {
  auto tx = begin(acme);
  ASSERT_TRUE(tx->put_shards({{shard("1")}}));
  EXPECT_EQ(tx->put_shards({{shard("1")}}).error().code, "version_conflict");
}

TEST_P(ShardContract, of_many_inserts_one_that_exists_is_a_conflict_before_anything_is_kept) {
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{shard("77")}})); });
  std::vector<ShardWrite> many;
  for (int i = 0; i < 100; ++i) many.push_back(shard(std::to_string(i)));
  auto tx = begin(acme);
  auto done = tx->put_shards(many);
  if (done) done = tx->put_aliases({{Alias{"account:name", "acme", "files", many[0].shard.id}}});
  if (done) done = tx->commit();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "version_conflict");
  EXPECT_EQ(done.error().cls, ErrorClass::conditional);
  EXPECT_FALSE(tx->commit());
  EXPECT_FALSE(read(acme)->shard({"account", "files", "1"}).value());
}

TEST_P(ShardContract, many_are_read_at_once_in_the_order_asked_for) {
  const auto one = shard("1"), two = shard("2");
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{one, two}})); });
  auto newer = shard("2", 1);
  newer.shard.id = two.shard.id;
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{newer}})); });
  const std::vector<ShardId> wanted{two.shard.id, ShardId("none"), one.shard.id, two.shard.id};
  const auto found = read(acme)->shards_of(wanted).value();
  ASSERT_EQ(found.size(), 4u);
  EXPECT_FALSE(found[1]);
  EXPECT_EQ(found[0].value().key.external_id, "2");
  EXPECT_EQ(found[0].value().source, "Acme,1");
  EXPECT_EQ(found[2].value().key.external_id, "1");
  EXPECT_EQ(found[3].value().version, 2);
  EXPECT_EQ(read(acme)->versions_of(wanted).value(),
            (std::vector<std::optional<std::int64_t>>{2, std::nullopt, 1, 2}));
  EXPECT_TRUE(read(acme)->shards_of({}).value().empty());
  EXPECT_FALSE(read(other)->shards_of(wanted).value()[0]) << "another tenant's";
}

TEST_P(ShardContract, a_shard_may_be_written_twice_in_one_call) {
  const auto first = shard("1");
  auto second = shard("1", 1, R"({"name":"B"})");
  second.shard.id = first.shard.id;
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{first, second}})); });
  const auto found = read(acme)->shard({"account", "files", "1"}).value().value();
  EXPECT_EQ(found.version, 2);
  EXPECT_EQ(found.data, R"({"name":"B"})");
  EXPECT_EQ(found.id, first.shard.id);
}

// Of two that change the same version of a shard side by side, one is refused, whoever comes first.
TEST_P(ShardContract, of_two_concurrent_writers_of_a_shard_one_wins) {
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{shard("1")}})); });
  constexpr int kWriters = 4;
  std::atomic<int> kept = 0, refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&] {
        auto tx = store->begin(acme, soon()).value();
        const auto put = tx->put_shards({{shard("1", 1)}});
        if (put && tx->commit()) {
          ++kept;
        } else {
          EXPECT_EQ(put.error().code, "version_conflict");
          ++refused;
        }
      });
    }
  }
  EXPECT_EQ(kept, 1);
  EXPECT_EQ(refused, kWriters - 1);
  EXPECT_EQ(read(acme)->shard({"account", "files", "1"}).value()->version, 2);
}

TEST_P(ShardContract, of_two_concurrent_writers_of_a_new_shard_one_wins) {
  constexpr int kWriters = 4;
  std::atomic<int> kept = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&] {
        auto tx = store->begin(acme, soon()).value();
        if (tx->put_shards({{shard("1")}}) && tx->commit()) ++kept;
      });
    }
  }
  EXPECT_EQ(kept, 1);
  EXPECT_EQ(read(acme)->shard_count("account").value(), 1);
}

TEST_P(ShardContract, threads_that_commit_together_lose_nothing) {
  constexpr int kThreads = 8, kEach = 40;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          auto tx = store->begin(acme, soon()).value();
          ASSERT_TRUE(tx->put_shards({{shard(std::to_string(t) + "/" + std::to_string(i))}}));
          ASSERT_TRUE(tx->count(CorrelationId("c"), "s", "in", 1));
          if (i % 4 == 3) continue;  // every fourth is dropped
          ASSERT_TRUE(tx->commit());
        }
      });
    }
  }
  EXPECT_EQ(read(acme)->shard_counts().value().front().second, kThreads * kEach * 3 / 4);
  EXPECT_EQ(read(acme)->ledger(CorrelationId("c")).value().front().value, kThreads * kEach * 3 / 4);
}

TEST_P(ShardContract, a_reader_keeps_to_the_moment_it_was_made) {
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{shard("1")}})); });
  const auto before = read(acme);
  const auto version = before->data_version().value();
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.put_shards({{shard("1", 1), shard("2")}}));
    ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "acme", "files", ShardId("1")}}}));
  });
  EXPECT_EQ(before->shard({"account", "files", "1"}).value()->version, 1);
  EXPECT_EQ(before->shards({}).value().size(), 1u);
  EXPECT_TRUE(before->aliases("account:name", "acme").value().empty());
  EXPECT_EQ(before->data_version().value(), version);
  EXPECT_EQ(read(acme)->shards({}).value().size(), 2u);
}

TEST_P(ShardContract, heads_come_in_the_order_they_were_asked_for) {
  auto deleted = shard("3");
  deleted.shard.deleted_at = Timestamp{1};
  deleted.shard.content_hash = 77;
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{shard("1"), deleted}})); });
  const std::vector<std::string> wanted = {"3", "2", "1", "3"};
  const auto heads = read(acme)->heads("account", "files", wanted).value();
  ASSERT_EQ(heads.size(), 4u);
  EXPECT_TRUE(heads[0]->deleted);
  EXPECT_EQ(heads[0]->content_hash, 77u);
  EXPECT_FALSE(heads[1]);
  EXPECT_EQ(heads[2]->version, 1);
  EXPECT_EQ(heads[3]->id, deleted.shard.id);
  EXPECT_TRUE(read(acme)->heads("account", "files", {}).value().empty());
}

TEST_P(ShardContract, shards_are_listed_in_id_order_page_by_page) {
  constexpr int kShards = 25;
  std::vector<ShardWrite> writes;
  for (int i = 0; i < kShards; ++i) writes.push_back(shard(std::to_string(i)));
  writes[3].shard.key.type = "contact";
  writes[4].shard.key.integration = "crm";
  writes[5].shard.deleted_at = Timestamp{1};
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards(writes)); });
  ShardQuery query;
  query.limit = 10;
  std::vector<ShardId> seen;
  for (;;) {
    const auto page = read(acme)->shards(query).value();
    for (const auto& s : page) seen.push_back(s.id);
    if (page.size() < query.limit) break;
    query.after = page.back().id;
  }
  ASSERT_EQ(seen.size(), kShards - 1u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  const auto count = [&](auto&& restrict) {
    ShardQuery restricted;
    restrict(restricted);
    return read(acme)->shards(restricted).value().size();
  };
  EXPECT_EQ(count([](ShardQuery& q) { q.type = "contact"; }), 1u);
  EXPECT_EQ(count([](ShardQuery& q) { q.integration = "crm"; }), 1u);
  EXPECT_EQ(count([](ShardQuery& q) { q.include_deleted = true; }), kShards + 0u);
  EXPECT_EQ(read(acme)->shard_count("account").value(), kShards - 2);
}

TEST_P(ShardContract, every_live_shard_of_a_type_is_visited_once_in_key_order) {
  constexpr int kShards = 4500;  // more than one page of any store
  std::vector<ShardWrite> writes;
  for (int i = 0; i < kShards; ++i) writes.push_back(shard(std::to_string(i)));
  writes[7].shard.key.integration = "a";
  writes[8].shard.deleted_at = Timestamp{1};
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards(writes)); });
  std::vector<model::ShardKey> seen;
  const auto reader = read(acme);
  ASSERT_TRUE(reader->each_shard("account", [&](const model::Shard& s) -> Result<> {
    EXPECT_TRUE(s.source.empty());
    EXPECT_TRUE(!seen.empty() || reader->shard(s.id).value()) << "a visitor may ask for more";
    seen.push_back(s.key);
    return {};
  }));
  ASSERT_EQ(seen.size(), kShards - 1u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), seen.size());
  int visits = 0;
  const auto stopped = reader->each_shard("account", [&](const model::Shard&) -> Result<> {
    ++visits;
    return permanent("enough", "enough");
  });
  EXPECT_EQ(stopped.error().code, "enough");
  EXPECT_EQ(visits, 1);
}

TEST_P(ShardContract, history_is_told_oldest_first_and_each_change_once) {
  const model::ShardKey key{"account", "files", "1"};
  const auto change = [&](std::string field, std::optional<std::string> value, std::int64_t at) {
    model::FieldChange c;
    c.shard = key;
    c.field = std::move(field);
    c.old_value = value ? std::nullopt : std::optional<std::string>("before");
    c.new_value = std::move(value);
    c.effective_at = {at};
    c.recorded_at = {at + 1};
    c.origin = "import";
    c.actor = "kim";
    c.correlation = CorrelationId("c");
    return c;
  };
  write(acme, [&](Transaction& tx) {
    EXPECT_EQ(tx.add_changes({{change("stage", "won", 20), change("stage", "open", 10)}}).value(), 2);
    EXPECT_EQ(tx.add_changes({{change("stage", "won", 20), change("stage", std::nullopt, 30)}}).value(), 1);
  });
  const auto history = read(acme)->history(key).value();
  ASSERT_EQ(history.size(), 3u);
  EXPECT_EQ(history[0].new_value, "open");
  EXPECT_EQ(history[1].effective_at, Timestamp{20});
  EXPECT_FALSE(history[2].new_value);
  EXPECT_EQ(history[2].old_value, "before");
  EXPECT_EQ(history[2].actor, "kim");
  EXPECT_EQ(history[2].correlation, CorrelationId("c"));
  const auto recent = read(acme)->recent_changes("account", 2).value();
  ASSERT_EQ(recent.size(), 2u);
  EXPECT_EQ(recent[0].effective_at, Timestamp{30});
  EXPECT_EQ(recent[1].effective_at, Timestamp{20});
}

TEST_P(ShardContract, every_change_of_a_type_is_visited_once) {
  constexpr int kChanges = 4500;
  std::vector<model::FieldChange> changes;
  for (int i = 0; i < kChanges; ++i) {
    model::FieldChange c;
    c.shard = {"account", "files", std::to_string(i % 7)};
    c.field = i % 2 == 0 ? "a" : "b";
    c.new_value = std::to_string(i);
    c.effective_at = {i / 10};
    changes.push_back(std::move(c));
  }
  write(acme, [&](Transaction& tx) { ASSERT_EQ(tx.add_changes(changes).value(), kChanges); });
  std::set<std::string> seen;
  int visits = 0;
  ASSERT_TRUE(read(acme)->each_change("account", [&](const model::FieldChange& c) -> Result<> {
    seen.insert(*c.new_value);
    ++visits;
    return {};
  }));
  EXPECT_EQ(visits, kChanges);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kChanges));
}

TEST_P(ShardContract, a_change_of_the_data_moves_its_version_and_nothing_else_does) {
  const auto version = [&] { return read(acme)->data_version().value(); };
  const auto other_before = read(other)->data_version().value();
  auto last = version();
  const auto moves = [&](auto&& work) {
    write(acme, work);
    const auto now = version();
    const bool moved = now > last;
    last = now;
    return moved;
  };
  EXPECT_TRUE(moves([&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{shard("1")}})); }));
  EXPECT_TRUE(moves([&](Transaction& tx) {
    ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "acme", "files", ShardId("1")}}}));
  }));
  EXPECT_FALSE(moves([&](Transaction& tx) {
    ASSERT_TRUE(tx.put_aliases({{Alias{"account:name", "acme", "files", ShardId("1")}}}));
  })) << "a name that was known";
  EXPECT_FALSE(moves([&](Transaction& tx) { ASSERT_TRUE(tx.count(CorrelationId("c"), "s", "in", 1)); }));
  EXPECT_FALSE(moves([&](Transaction& tx) { ASSERT_TRUE(tx.put_cursor("i", "n", "v")); }));
  EXPECT_EQ(read(other)->data_version().value(), other_before);
}

TEST_P(ShardContract, the_directory_version_leaves_content_alone) {
  auto mail = shard("m");
  mail.shard.key.type = "email";
  const auto before = read(acme)->directory_version().value();
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{mail}})); });
  EXPECT_EQ(read(acme)->directory_version().value(), before);
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{shard("1")}})); });
  EXPECT_GT(read(acme)->directory_version().value(), before);
}

TEST_P(ShardContract, what_was_committed_is_there_after_a_restart) {
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{shard("1")}})); });
  ASSERT_TRUE(host->reopen());
  EXPECT_TRUE(host->store().read(acme).value()->shard({"account", "files", "1"}).value());
}

CASTIEL_FOR_ALL_STORES(ShardContract);

}  // namespace
}  // namespace castiel::storage
