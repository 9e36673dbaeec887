// What a store knows of flows: ledger, story, inbox, parked records, dead letters, retention; of every kind
// of store.

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "storage/tests/store_contract.hpp"

namespace castiel::storage {
namespace {

struct FlowContract : StoreContract {
  CorrelationId flow{"flow"};

  std::map<std::pair<std::string, std::string>, std::int64_t> ledger(const CorrelationId& correlation) {
    std::map<std::pair<std::string, std::string>, std::int64_t> values;
    const auto entries = read(acme)->ledger(correlation).value();
    for (const auto& e : entries) values[{e.stage, e.counter}] = e.value;
    return values;
  }
  DeadLetter letter(std::string id, std::string queue = "q") {
    DeadLetter d;
    d.id = std::move(id);
    d.queue = std::move(queue);
    d.type = "shard.created";
    d.at = {5};
    d.deliveries = 3;
    d.code = "bad";
    d.message = "not good";
    d.pointer = "/data/records/0";
    d.key = "account/1";
    d.correlation = flow;
    d.payload = std::string("\0\xFF{}", 4);
    d.errors = {{{1'000'000}, "slow", "too slow"}};
    return d;
  }
};

TEST_P(FlowContract, counters_of_a_flow_add_up) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.count(flow, "q", "in", 2));
    ASSERT_TRUE(tx.count(flow, "q", "in", 3));
    ASSERT_TRUE(tx.count(flow, "q", "out", 0));
    EXPECT_EQ(tx.ledger(flow).value().size(), 1u) << "a transaction sees what it counted";
  });
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.count(flow, "q", "in", -1));
    ASSERT_TRUE(tx.count(flow, "r", "in", 7));
    ASSERT_TRUE(tx.count(CorrelationId("another"), "q", "in", 9));
  });
  const auto values = ledger(flow);
  EXPECT_EQ(values.size(), 2u);
  EXPECT_EQ(values.at({"q", "in"}), 4);
  EXPECT_EQ(values.at({"r", "in"}), 7);
}

TEST_P(FlowContract, counters_lose_nothing_to_each_other) {
  constexpr int kThreads = 8, kEach = 25;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          auto tx = store->begin(acme, soon()).value();
          // In opposite orders, so that a store that locks as it goes would stand still.
          EXPECT_TRUE(tx->count(flow, t % 2 == 0 ? "a" : "b", "in", 1));
          EXPECT_TRUE(tx->count(flow, t % 2 == 0 ? "b" : "a", "in", 1));
          const auto committed = tx->commit();
          EXPECT_TRUE(committed) << committed.error().describe();
        }
      });
    }
  }
  EXPECT_EQ(ledger(flow).at({"a", "in"}), kThreads * kEach);
  EXPECT_EQ(ledger(flow).at({"b", "in"}), kThreads * kEach);
}

TEST_P(FlowContract, publishing_counts_for_every_queue_bound_to_the_type) {
  ASSERT_TRUE(host->declare_queue("q", {"shard.*"}));
  ASSERT_TRUE(host->declare_queue("r", {"shard.created", "#.created"}));
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.publish("stage", message("1")));
    ASSERT_TRUE(tx.publish("stage", message("2", "shard.updated")));
    ASSERT_TRUE(tx.publish("stage", message("3", "nobody.listens")));
  });
  EXPECT_EQ(ledger(flow).at({"stage", "out"}), 3);
  EXPECT_EQ(read(acme)->pending(flow, "q").value(), 2);
  EXPECT_EQ(read(acme)->pending(flow, "r").value(), 1);
  EXPECT_EQ(read(acme)->pending(flow).value(), 3);
  EXPECT_EQ(read(acme)->pending(CorrelationId("another")).value(), 0);
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.count(flow, "q", "settled", 2)); });
  EXPECT_EQ(read(acme)->pending(flow).value(), 1);
}

TEST_P(FlowContract, a_queue_declared_again_has_its_new_patterns) {
  ASSERT_TRUE(host->declare_queue("q", {"shard.*"}));
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.publish("stage", message("1"))); });
  EXPECT_EQ(read(acme)->pending(flow, "q").value(), 1);
  ASSERT_TRUE(host->declare_queue("q", {"email.*"}));
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.publish("stage", message("2"))); });
  EXPECT_EQ(read(acme)->pending(flow, "q").value(), 1);
}

TEST_P(FlowContract, a_queue_says_since_when_its_oldest_message_may_wait) {
  ASSERT_TRUE(host->declare_queue("q", {"shard.*"}));
  EXPECT_FALSE(read(acme)->oldest_waiting("q").value());
  const auto began = clock.now();
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.add_flow_entry(flow, {began, "stage", "event", "shard.created", "1", "", 1}));
    ASSERT_TRUE(tx.publish("stage", message("1")));
  });
  const auto oldest = read(acme)->oldest_waiting("q").value();
  ASSERT_TRUE(oldest);
  EXPECT_GE(*oldest, began);
  EXPECT_LE(*oldest, clock.now());
  EXPECT_FALSE(read(acme)->oldest_waiting("r").value());
  EXPECT_FALSE(read(other)->oldest_waiting("q").value());
}

TEST_P(FlowContract, a_story_is_told_in_order) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.add_flow_entry(flow, {{5}, "a", "event", "t", "1", "first", 1}));
    ASSERT_TRUE(tx.add_flow_entry(flow, {{4}, "b", "note", "t", "2", "second", 2}));
    ASSERT_TRUE(tx.add_flow_entry(CorrelationId("another"), {{1}, "c", "note", "", "", "elsewhere", 0}));
  });
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.add_flow_entry(flow, {{3}, "c", "shard", "t", "3", "third", 3}));
    EXPECT_EQ(tx.flow(flow, 10).value().size(), 3u);
  });
  const auto story = read(acme)->flow(flow, 10).value();
  ASSERT_EQ(story.size(), 3u);
  EXPECT_EQ(story[0].text, "first");
  EXPECT_EQ(story[1].kind, "note");
  EXPECT_EQ(story[2].count, 3);
  EXPECT_EQ(story[2].at, Timestamp{3});
  EXPECT_EQ(read(acme)->flow(flow, 2).value().size(), 2u);
}

TEST_P(FlowContract, the_shards_a_flow_wrote_are_named) {
  auto mine = shard("1");
  mine.shard.correlation = flow;
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{mine, shard("2")}})); });
  const auto written = read(acme)->shards_written_by(flow, 10).value();
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0].id, mine.shard.id.str());
  EXPECT_EQ(written[0].text, "1, version 1");
}

TEST_P(FlowContract, problems_are_kept_in_order_up_to_a_limit_and_all_counted) {
  constexpr std::int64_t kTooMany = Transaction::kMaxProblems + 5;
  write(acme, [&](Transaction& tx) {
    for (int i = 0; i < 3; ++i)
      ASSERT_TRUE(tx.add_problem(flow, {"a.csv", i, "bad", "line " + std::to_string(i)}));
  });
  const auto problems = read(acme)->problems(flow, 10).value();
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_EQ(problems[2].message, "line 2");
  EXPECT_EQ(read(acme)->problems(flow, 1).value().size(), 1u);
  write(acme, [&](Transaction& tx) {
    for (std::int64_t i = 3; i < kTooMany; ++i) ASSERT_TRUE(tx.add_problem(flow, {"a.csv", i, "bad", ""}));
    ASSERT_TRUE(tx.add_problem(CorrelationId("another"), {"b.csv", 1, "bad", ""}));
  });
  EXPECT_EQ(read(acme)->problems(flow, kTooMany).value().size(),
            static_cast<std::size_t>(Transaction::kMaxProblems));
  EXPECT_EQ(read(acme)->problems(CorrelationId("another"), 10).value().size(), 1u);
  EXPECT_EQ(ledger(flow).at({"", "problems"}), kTooMany);
}

TEST_P(FlowContract, the_inbox_takes_many_messages_at_once) {
  using Flags = std::vector<bool>;
  const std::vector<std::string> first{"a", "b", "a"}, second{"c", "b", "d"};
  write(acme, [&](Transaction& tx) {
    EXPECT_EQ(tx.add_all_to_inbox("q", first).value(), (Flags{true, true, false}));
    EXPECT_EQ(tx.add_all_to_inbox("q", second).value(), (Flags{true, false, true}));
    EXPECT_TRUE(tx.add_all_to_inbox("q", {}).value().empty());
  });
  const std::vector<std::string> asked{"d", "x", "a"};
  EXPECT_EQ(read(acme)->all_in_inbox("q", asked).value(), (Flags{true, false, true}));
  EXPECT_EQ(read(acme)->all_in_inbox("r", asked).value(), (Flags{false, false, false}));
  EXPECT_EQ(read(other)->all_in_inbox("q", asked).value(), (Flags{false, false, false}));
}

TEST_P(FlowContract, the_inbox_knows_a_message_once_it_was_committed) {
  write(acme, [&](Transaction& tx) {
    EXPECT_TRUE(tx.add_to_inbox("q", "m").value());
    EXPECT_FALSE(tx.add_to_inbox("q", "m").value());
    EXPECT_TRUE(tx.add_to_inbox("r", "m").value()) << "another consumer";
  });
  EXPECT_TRUE(read(acme)->in_inbox("q", "m").value());
  EXPECT_FALSE(read(acme)->in_inbox("q", "n").value());
  write(acme, [&](Transaction& tx) { EXPECT_FALSE(tx.add_to_inbox("q", "m").value()); });
  write(other, [&](Transaction& tx) { EXPECT_TRUE(tx.add_to_inbox("q", "m").value()); });
}

TEST_P(FlowContract, of_two_that_handle_a_message_side_by_side_one_is_first) {
  std::atomic<int> firsts = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        auto tx = store->begin(acme, soon()).value();
        if (tx->add_to_inbox("q", "m").value() && tx->commit()) ++firsts;
      });
    }
  }
  EXPECT_EQ(firsts, 1);
}

TEST_P(FlowContract, parked_records_leave_in_order_and_then_free_their_key) {
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.mark_parked("q", "k"));
    ASSERT_TRUE(tx.mark_parked("q", "k"));
    ASSERT_TRUE(tx.park("q", "k", message("1")));
    ASSERT_TRUE(tx.park("q", "k", message("2")));
    ASSERT_TRUE(tx.mark_parked("q", "free"));
  });
  EXPECT_TRUE(read(acme)->any_parked("q").value());
  EXPECT_FALSE(read(acme)->any_parked("r").value());
  EXPECT_EQ(read(acme)->parked_keys("q").value(), (std::vector<std::string>{"free", "k"}));
  EXPECT_EQ(read(acme)->pending(flow, "q").value(), 2);
  EXPECT_TRUE(read(acme)->oldest_waiting("q").value());
  write(acme, [&](Transaction& tx) {
    const auto first = tx.unpark("q", "k").value();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->id, "1");
    EXPECT_EQ(first->partition, kRetryLane);
    EXPECT_EQ(first->body, R"({"n":1})");
    EXPECT_EQ(tx.unpark("q", "k").value()->id, "2");
    EXPECT_TRUE(tx.any_parked("q").value());
    EXPECT_FALSE(tx.unpark("q", "k").value());
    EXPECT_FALSE(tx.unpark("q", "free").value());
    EXPECT_FALSE(tx.any_parked("q").value());
  });
  EXPECT_FALSE(read(acme)->any_parked("q").value());
  EXPECT_EQ(read(acme)->pending(flow, "q").value(), 0);
}

// A record parked behind a key while another transaction finds nothing behind it and frees it must not stay.
TEST_P(FlowContract, no_record_is_left_behind_a_key_that_is_freed_side_by_side) {
  constexpr int kRounds = 25;
  for (int round = 0; round < kRounds; ++round) {
    const std::string key = "k" + std::to_string(round);
    write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.mark_parked("q", key)); });
    std::atomic<bool> parked = false, unparked = false;
    {
      std::jthread parks([&] {
        auto tx = store->begin(acme, soon()).value();
        const auto keys = tx->parked_keys("q").value();
        if (std::ranges::find(keys, key) == keys.end()) return;
        EXPECT_TRUE(tx->park("q", key, message(key)));
        const auto committed = tx->commit();
        EXPECT_TRUE(committed) << committed.error().describe();
        parked = true;
      });
      std::jthread frees([&] {
        auto tx = store->begin(acme, soon()).value();
        unparked = tx->unpark("q", key).value().has_value();
        const auto committed = tx->commit();
        EXPECT_TRUE(committed) << committed.error().describe();
      });
    }
    if (!parked || unparked) continue;
    write(acme, [&](Transaction& tx) {
      EXPECT_EQ(tx.parked_keys("q").value(), std::vector<std::string>{key})
          << "nobody would ever take it out";
      EXPECT_TRUE(tx.unpark("q", key).value());
      EXPECT_FALSE(tx.unpark("q", key).value());
    });
  }
}

TEST_P(FlowContract, dead_letters_are_kept_whole_and_listed_while_open) {
  write(acme, [&](Transaction& tx) {
    for (const auto* id : {"1", "2", "3"})
      ASSERT_TRUE(tx.put_dead_letter(letter(id, *id == '3' ? "r" : "q")));
  });
  const auto found = read(acme)->dead_letter("1").value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->tenant, acme);
  EXPECT_EQ(found->payload, std::string("\0\xFF{}", 4));
  ASSERT_EQ(found->errors.size(), 1u);
  EXPECT_EQ(found->errors[0].code, "slow");
  EXPECT_EQ(found->pointer, "/data/records/0");
  EXPECT_EQ(found->key, "account/1");
  EXPECT_EQ(found->deliveries, 3);
  EXPECT_EQ(read(acme)->dead_letter_count().value(), 3);
  EXPECT_EQ(read(acme)->dead_letters("q", "", 10).value().size(), 2u);
  EXPECT_EQ(read(acme)->dead_letters("", "1", 10).value().size(), 2u);
  EXPECT_EQ(read(acme)->dead_letters("", "", 1).value().at(0).id, "1");
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.set_dead_letter_state("2", "replayed"));
    EXPECT_EQ(tx.set_dead_letter_state("2", "purged").error().code, "not_found");
    EXPECT_EQ(tx.set_dead_letter_state("9", "purged").error().code, "not_found");
  });
  EXPECT_EQ(read(acme)->dead_letter("2").value()->state, "replayed");
  EXPECT_EQ(read(acme)->dead_letter_count().value(), 2);
  EXPECT_EQ(read(acme)->dead_letters("q", "", 10).value().size(), 1u);
}

TEST_P(FlowContract, a_letters_size_is_in_bytes_whatever_they_are) {
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_dead_letter(letter("1"))); });
  LetterQuery query;
  for (const bool with_payload : {true, false}) {
    query.with_payload = with_payload;
    const auto letters = read(acme)->letters(query).value();
    ASSERT_EQ(letters.size(), 1u);
    EXPECT_EQ(letters[0].size, 4) << "a NUL and a byte that is no UTF-8 are among them";
    EXPECT_EQ(letters[0].payload.size(), with_payload ? 4u : 0u);
  }
}

TEST_P(FlowContract, what_was_kept_for_long_enough_goes_and_nothing_else) {
  const auto old = CorrelationId("old"), busy = CorrelationId("busy"), running = CorrelationId("running");
  ASSERT_TRUE(host->declare_queue("q", {"shard.*"}));
  write(acme, [&](Transaction& tx) {
    ASSERT_TRUE(tx.add_to_inbox("q", "m").value());
    ASSERT_TRUE(tx.put_shards({{shard("1"), shard("2")}}));
    for (const auto* id : {"open", "done"}) ASSERT_TRUE(tx.put_dead_letter(letter(id)));
    ASSERT_TRUE(tx.set_dead_letter_state("done", "purged"));
    for (const auto& f : {old, busy, running}) {
      for (int i = 0; i < 3; ++i) ASSERT_TRUE(tx.add_flow_entry(f, {{10}, "s", "note", "", "", "", 1}));
      ASSERT_TRUE(tx.count(f, "s", "in", 1));
      ASSERT_TRUE(tx.add_problem(f, {"f", 1, "c", "m"}));
      ASSERT_TRUE(tx.put_import_run({f, f == running ? "running" : "done", {1}, {}, "{}"}));
      ASSERT_TRUE(tx.put_cursor(f.str(), "file", "x"));
    }
    ASSERT_TRUE(tx.publish("s", message("1", "shard.created", 0, "busy")));
  });
  auto changed = shard("1", 1);
  changed.shard.updated_at = {20};
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.put_shards({{changed}})); });

  const Timestamp later = clock.now() + 1h;
  const auto prune = [&](Timestamp inbox, Timestamp flows, Timestamp versions, Timestamp letters,
                         std::int64_t rows) {
    std::map<std::string, std::int64_t> removed;
    write(acme, [&](Transaction& tx) {
      KeptSince since;
      since.inbox = inbox;
      since.flows = flows;
      since.versions = versions;
      since.dead_letters = letters;
      const auto pruned = tx.prune(since, rows).value();
      for (const auto& [table, n] : pruned) removed[table] += n;
    });
    return removed;
  };
  EXPECT_TRUE(prune({1}, {10}, {20}, {1}, 100).empty()) << "nothing is that old";
  auto removed = prune(later, {11}, {21}, later, 2);
  EXPECT_EQ(removed["inbox"], 1);
  EXPECT_EQ(removed["shard_version"], 1);
  EXPECT_EQ(removed["dead_letter"], 1);
  EXPECT_EQ(removed["flow_entry"], 2) << "at most as many as asked for";
  EXPECT_EQ(removed.count("ledger"), 0u);
  removed = prune(later, {11}, {21}, later, 2);
  EXPECT_EQ(removed["flow_entry"], 1);
  EXPECT_EQ(removed["problem"], 1);
  EXPECT_EQ(removed["import_run"], 1);
  EXPECT_EQ(removed["sync_cursor"], 1);
  EXPECT_TRUE(prune(later, {11}, {21}, later, 2).empty());

  EXPECT_TRUE(read(acme)->ledger(old).value().empty());
  EXPECT_FALSE(read(acme)->import_run(old).value());
  EXPECT_EQ(read(acme)->flow(busy, 10).value().size(), 3u) << "a message of it waits";
  EXPECT_EQ(read(acme)->flow(running, 10).value().size(), 3u) << "its import is not over";
  EXPECT_FALSE(read(acme)->in_inbox("q", "m").value());
  EXPECT_TRUE(read(acme)->dead_letter("open").value());
  EXPECT_FALSE(read(acme)->dead_letter("done").value());
  EXPECT_EQ(read(acme)->shard({"account", "files", "1"}).value()->version, 2);
}

CASTIEL_FOR_ALL_STORES(FlowContract);

}  // namespace
}  // namespace castiel::storage
