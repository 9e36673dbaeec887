#include "messaging/letters.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>

#include "messaging/consumer.hpp"
#include "messaging/embedded/embedded_broker.hpp"
#include "messaging/rehearsal.hpp"
#include "model/event_types.hpp"

namespace castiel::messaging {
namespace {

using namespace std::chrono_literals;
using storage::DeadLetter;
using storage::LetterPlace;

const std::string kQueue(model::queue::kDataRaw);

TEST(Signature, leaves_out_what_differs_between_two_messages_of_one_cause) {
  EXPECT_EQ(normalised("line 12: 'Acme Ltd' has  3 fields, not 6.", ""), "line #: # has # fields, not #.");
  EXPECT_EQ(normalised("deal Bergholt: sent by ann@example.com", "Bergholt"), "deal #: sent by #");
  EXPECT_EQ(normalised("it isn't there", ""), "it isn't there");
  EXPECT_EQ(normalised("not in /tmp/x/deals.csv: see deals.csv.", ""), "not in #: see #.");
  EXPECT_EQ(signature_of("bad", "amount '1' of O-1", "O-1"),
            signature_of("bad", "amount '27' of O-2", "O-2"));
  EXPECT_NE(signature_of("bad", "amount", ""), signature_of("worse", "amount", ""));
  EXPECT_TRUE(signature_of("bad", "x", "").starts_with("bad:"));
}

// RETRY-4
TEST(Quarantine, is_for_what_no_retry_and_no_replay_helps) {
  QuarantinePolicy policy;
  Trouble t{.code = "bad", .signature = "bad:1"};
  EXPECT_EQ(quarantine_reason(policy, t), "");
  t.tries = 10;
  EXPECT_EQ(quarantine_reason(policy, t), "");
  t.tries = 11;
  EXPECT_EQ(quarantine_reason(policy, t), "tries");
  t.tries = 1;
  t.age = 25h;
  EXPECT_EQ(quarantine_reason(policy, t), "") << "it only waited";
  t.failed_before = true;
  EXPECT_EQ(quarantine_reason(policy, t), "age");
  t.repeats = 3;
  EXPECT_EQ(quarantine_reason(policy, t), "repeats");
  t.crashes = 3;
  EXPECT_EQ(quarantine_reason(policy, t), "crashes");
  t.bytes = policy.message_bytes + 1;
  EXPECT_EQ(quarantine_reason(policy, t), "size");
  policy.blocked = {"other:1", "bad:1"};
  EXPECT_EQ(quarantine_reason(policy, t), "blocked");
}

struct Died {};

// The process dies at the n-th call of the store.
struct Deadly final : storage::CallObserver {
  std::int64_t left = -1;
  Result<> count() {
    if (left > 0 && --left == 0) {
      left = -1;
      throw Died{};
    }
    return {};
  }
  Result<> before(std::string_view) override { return count(); }
  Result<> after(std::string_view) override { return count(); }
};

// Writes each record's source down; what is broken fails with the error given.
class NotingHandler final : public Handler {
 public:
  std::map<std::string, Error> broken;  // by key
  Result<std::unique_ptr<Plan>> prepare(const storage::Reader&, std::span<const Incoming> batch) override {
    auto plan = std::make_unique<NotingPlan>();
    for (std::size_t m = 0; m < batch.size(); ++m) {
      const auto& records = *get_array(batch[m].event.data.get_object(), "records");
      for (std::size_t r = 0; r < records.size(); ++r) {
        const auto& record = records[r].get_object();
        const auto key = string_or(record, "key");
        if (const auto it = broken.find(key); it != broken.end()) {
          if (it->second.code == "whole") return std::unexpected(it->second);
          plan->failed.push_back({m, r, it->second, "/source"});
        } else {
          plan->effects.push_back(key + "=" + string_or(record, "source"));
        }
      }
    }
    return plan;
  }

 private:
  struct NotingPlan final : Plan {
    std::vector<std::string> effects;
    std::vector<RecordFailure> failed;
    Result<> apply(Step& step) override {
      for (const auto& effect : effects)
        CASTIEL_TRY(step.tx().add_audit({step.now(), "test", "effect", effect, "{}"}));
      return {};
    }
    std::span<const RecordFailure> failures() const override { return failed; }
    std::string summary() const override { return fmt::format("{} noted", effects.size()); }
  };
};

struct LettersTest : testing::Test {
  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  int world = 0;
  ManualClock clock{parse_timestamp("2026-01-01T00:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<SchemaRegistry> schemas = SchemaRegistry::create(builtin_schemas()).value();
  Deadly deadly;
  ConsumerTuning tuning{{}, 3, 1s, 60s, QuarantinePolicy{}};
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<EmbeddedBroker> broker;
  std::unique_ptr<Publisher> publisher;
  std::unique_ptr<Consumer> consumer;
  NotingHandler handler;
  TenantId acme{"acme"};
  CorrelationId flow{"import-1"};

  void SetUp() override { start(); }
  void TearDown() override { std::filesystem::remove_all(folder); }

  // A process on the folder; the one before ends without a word.
  void start() {
    deadly.left = -1;
    consumer.reset();
    broker.reset();
    store.reset();
    storage::SqliteStore::Options options;
    options.path = (folder / fmt::format("castiel-{}.db", world)).string();
    options.sync = false;
    options.observer = &deadly;
    store = storage::SqliteStore::open(options, clock).value();
    broker = EmbeddedBroker::create(*store, clock).value();
    publisher = std::make_unique<Publisher>(*schemas, clock, ids);
    ConsumerOptions consumer_options;
    consumer_options.queue = {kQueue, {std::string(model::event::kDataRaw)}, 3};
    consumer_options.tuning_of = [this](const TenantId&) { return tuning; };
    consumer_options.redact = [](std::string_view) { return "masked"; };
    consumer = std::make_unique<Consumer>(
        ConsumerParts{store.get(), broker.get(), schemas.get(), publisher.get(), &clock, &random, &ids, {}},
        consumer_options, handler);
    ASSERT_TRUE(consumer->declare());
    ASSERT_TRUE(store->create_tenant(acme, soon()));
  }
  Deadline soon() { return Deadline::after(clock, 5s); }

  void publish(std::vector<std::pair<std::string, std::string>> records) {
    auto tx = store->begin(acme, soon()).value();
    json::array list;
    for (const auto& [key, source] : records) list.push_back({{"key", key}, {"source", source}});
    const int n = static_cast<int>(list.size());
    ASSERT_TRUE(publisher->publish(*tx, "files", {flow, ""},
                                   {model::event::kDataRaw,
                                    "",
                                    {{"integrationId", "files"},
                                     {"entityType", "account"},
                                     {"format", {{"kind", "csv"}}},
                                     {"mapping", json::object()},
                                     {"observedAt", "2026-01-01T00:00:00Z"},
                                     {"records", std::move(list)}},
                                    0,
                                    n}));
    ASSERT_TRUE(tx->commit());
  }
  void drain() {
    for (int i = 0; i < 1000; ++i) {
      if (consumer->step(Deadline::after(clock, 0s)).value()) continue;
      const auto due = broker->next_due();
      if (!due) return;
      clock.advance(std::max(Duration(1), *due - clock.now()));
    }
    FAIL() << "never idle";
  }
  std::vector<DeadLetter> letters(LetterPlace place, std::string state = "open") {
    storage::LetterQuery query;
    query.place = place;
    query.state = std::move(state);
    return store->read(acme).value()->letters(query).value();
  }
  std::vector<DeadLetter> dead() { return letters(LetterPlace::dead); }
  std::vector<DeadLetter> held() { return letters(LetterPlace::quarantine); }
  DeadLetter letter(const std::string& id) {
    return store->read(acme).value()->dead_letter(id).value().value();
  }
  std::int64_t counted(std::string_view counter) {
    std::int64_t sum = 0;
    const auto entries = store->read(acme).value()->ledger(flow).value();
    for (const auto& entry : entries) {
      if (entry.counter == counter) sum += entry.value;
    }
    return sum;
  }
  std::vector<std::string> effects() {
    std::vector<std::string> list;
    const auto entries = store->read(acme).value()->audit(100).value();
    for (const auto& entry : entries) {
      if (entry.action == "effect") list.insert(list.begin(), entry.target);
    }
    return list;
  }
  PutBack replay(const std::string& id) {
    auto tx = store->begin(acme, soon()).value();
    const auto chosen = tx->dead_letter(id).value().value();
    auto put = put_back(*tx, *broker, chosen, ids, clock.now(), clock.now(), "ann");
    EXPECT_TRUE(put);
    EXPECT_TRUE(tx->commit());
    return put.value_or(PutBack{});
  }
  static Error permanent_error(std::string message) {
    return {"invalid_amount", std::move(message), ErrorClass::permanent, {}};
  }
};

TEST_F(LettersTest, letters_of_one_cause_are_one_group) {
  handler.broken["a"] = permanent_error("amount 'x' of a is none");
  handler.broken["b"] = permanent_error("amount 'y' of b is none");
  handler.broken["c"] = {"other", "no", ErrorClass::permanent, {}};
  publish({{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}});
  drain();
  const auto groups = store->read(acme).value()->letter_groups({}, storage::LetterGrouping::cause).value();
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].count, 2);
  EXPECT_EQ(groups[0].code, "invalid_amount");
  EXPECT_EQ(groups[0].example, dead()[1].id);
  EXPECT_EQ(groups[1].count, 1);
  storage::LetterQuery one;
  one.signature = groups[0].key;
  EXPECT_EQ(store->read(acme).value()->letters(one).value().size(), 2u);
  EXPECT_EQ(
      store->operator_view().value()->letter_groups(one, storage::LetterGrouping::tenant).value()[0].key,
      "acme");
}

TEST_F(LettersTest, a_replay_is_linked_to_its_outcome) {
  handler.broken["a"] = handler.broken["b"] = permanent_error("no");
  publish({{"a", "1"}, {"b", "1"}});
  drain();
  const auto first = dead();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(counted("dead"), 2);
  handler.broken.erase("a");
  EXPECT_TRUE(replay(first[0].id).done);
  EXPECT_TRUE(replay(first[1].id).done);
  EXPECT_EQ(counted("dead"), 0) << "both are open again";
  EXPECT_EQ(letter(first[0].id).outcome, "");
  drain();
  EXPECT_EQ(letter(first[0].id).outcome, "effect");
  EXPECT_EQ(letter(first[1].id).outcome, "dead");
  ASSERT_EQ(dead().size(), 1u);
  const auto again = dead()[0];
  EXPECT_EQ(letter(first[1].id).outcome_id, again.id);
  EXPECT_EQ(again.replay_of, first[1].id);
  EXPECT_EQ(again.errors.size(), 2u) << "the history of both lives";
  EXPECT_EQ(again.repeats, 2);
  EXPECT_EQ(counted("dead"), 1);
  EXPECT_EQ(effects(), std::vector<std::string>{"a=1"});
}

TEST_F(LettersTest, a_letter_is_replayed_once) {
  handler.broken["a"] = permanent_error("no");
  publish({{"a", "1"}});
  drain();
  const auto id = dead()[0].id;
  handler.broken.clear();
  EXPECT_TRUE(replay(id).done);
  const auto second = replay(id);
  EXPECT_FALSE(second.done);
  EXPECT_EQ(second.why_not, "already");
  drain();
  EXPECT_FALSE(replay(id).done);
  drain();
  EXPECT_EQ(effects(), std::vector<std::string>{"a=1"});
}

// FLOW-9
TEST_F(LettersTest, letters_of_a_key_are_replayed_in_their_order) {
  handler.broken["a"] = permanent_error("no");
  publish({{"a", "1"}});
  publish({{"a", "2"}});
  publish({{"a", "3"}});
  drain();
  handler.broken.clear();
  for (const auto& one : dead()) EXPECT_TRUE(replay(one.id).done);
  publish({{"a", "4"}});
  drain();
  EXPECT_EQ(effects(), (std::vector<std::string>{"a=1", "a=2", "a=3", "a=4"}));
}

// RETRY-4
TEST_F(LettersTest, the_third_life_with_the_same_error_ends_in_the_quarantine) {
  handler.broken["a"] = permanent_error("no");
  publish({{"a", "1"}});
  drain();
  for (int life = 2; life <= 3; ++life) {
    ASSERT_EQ(dead().size(), 1u);
    replay(dead()[0].id);
    drain();
  }
  EXPECT_TRUE(dead().empty());
  ASSERT_EQ(held().size(), 1u);
  const auto record = held()[0];
  EXPECT_EQ(record.state, "held");
  EXPECT_EQ(record.reason, "repeats");
  EXPECT_EQ(record.errors.size(), 3u);
  EXPECT_EQ(record.shown, "masked");
  EXPECT_FALSE(record.fix.empty());
  EXPECT_NE(record.payload.find("\"a\""), std::string::npos) << "whole, for its replay";
  EXPECT_EQ(counted("quarantined"), 1);
  handler.broken.clear();
  EXPECT_TRUE(replay(record.id).done);
  drain();
  EXPECT_EQ(effects(), std::vector<std::string>{"a=1"});
  EXPECT_EQ(letter(record.id).outcome, "effect");
  EXPECT_EQ(counted("quarantined"), 0);
}

TEST_F(LettersTest, a_blocked_cause_goes_to_the_quarantine_at_its_first_failure) {
  handler.broken["a"] = {"slow", "took too long", ErrorClass::conditional, {}};
  tuning.quarantine->blocked = {signature_of("slow", "took too long", "a")};
  publish({{"a", "1"}});
  drain();
  ASSERT_EQ(held().size(), 1u);
  EXPECT_EQ(held()[0].reason, "blocked");
  EXPECT_EQ(held()[0].errors.size(), 1u) << "not retried";
  handler.broken["a"] = {"whole", "nothing of it", ErrorClass::conditional, {}};
  tuning.quarantine->blocked = {signature_of("whole", "nothing of it", "")};
  publish({{"a", "2"}});
  drain();
  EXPECT_EQ(held().size(), 2u) << "whole messages too";
}

TEST_F(LettersTest, a_message_that_keeps_ending_the_process_is_no_dead_letter) {
  publish({{"a", "1"}});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(broker->receive(kQueue, {}, Deadline::after(clock, 0s)).value().size(), 1u);
    start();
  }
  drain();
  EXPECT_TRUE(dead().empty());
  ASSERT_EQ(held().size(), 1u);
  EXPECT_EQ(held()[0].code, "crashed");
  EXPECT_EQ(held()[0].reason, "crashes");
}

TEST_F(LettersTest, tries_add_up_over_queues_and_replays) {
  tuning.quarantine->repeats = 100;
  tuning.quarantine->tries = 5;
  handler.broken["a"] = {"slow", "took too long", ErrorClass::conditional, {}};
  publish({{"a", "1"}});
  drain();
  ASSERT_EQ(dead().size(), 1u);
  EXPECT_EQ(dead()[0].errors.size(), 3u);
  replay(dead()[0].id);
  drain();
  ASSERT_EQ(held().size(), 1u);
  EXPECT_EQ(held()[0].reason, "tries");
}

// A dry run
TEST_F(LettersTest, a_rehearsal_says_what_would_be_and_leaves_nothing_behind) {
  handler.broken["a"] = handler.broken["b"] = permanent_error("no");
  publish({{"a", "1"}, {"b", "1"}});
  drain();
  handler.broken.erase("a");
  const auto chosen = dead();
  Rehearsal rehearsal({store.get(), schemas.get(), &clock, &ids});
  rehearsal.add(kQueue, handler, true);
  const auto told = rehearsal.rehearse(acme, chosen).value();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].would, "effect");
  EXPECT_EQ(told[0].summary, "1 noted");
  EXPECT_EQ(told[1].would, "fails");
  ASSERT_EQ(told[1].errors.size(), 1u);
  EXPECT_EQ(told[1].errors[0].code, "invalid_amount");
  EXPECT_TRUE(effects().empty());
  EXPECT_EQ(dead().size(), 2u);
  EXPECT_FALSE(broker->next_due());
  replay(chosen[0].id);
  EXPECT_EQ(rehearsal.rehearse(acme, std::vector{letter(chosen[0].id)}).value()[0].would, "already");
}

// A replay killed between any two steps loses nothing and does nothing twice.
TEST_F(LettersTest, a_replay_killed_anywhere_has_its_effect_once) {
  bool through = false;
  int n = 1;
  for (; !through && n < 2000; ++n) {
    world = n;
    handler.broken["a"] = permanent_error("no");
    start();
    publish({{"a", "1"}, {"b", "1"}});
    publish({{"a", "2"}});
    drain();
    handler.broken.clear();
    const auto chosen = dead();
    ASSERT_EQ(chosen.size(), 2u);
    deadly.left = n;
    for (int life = 0; life < 2; ++life) {
      try {
        for (const auto& one : chosen) replay(one.id);
        drain();
        through = life == 0;
        break;
      } catch (const Died&) {
        start();
      }
    }
    deadly.left = -1;
    SCOPED_TRACE(n);
    EXPECT_EQ(effects(), (std::vector<std::string>{"b=1", "a=1", "a=2"}));
    EXPECT_TRUE(dead().empty());
    EXPECT_TRUE(held().empty());
    for (const auto& one : chosen) {
      EXPECT_EQ(letter(one.id).state, "replayed");
      EXPECT_EQ(letter(one.id).outcome, "effect");
    }
    EXPECT_FALSE(store->read(acme).value()->any_parked(kQueue).value());
    EXPECT_EQ(store->read(acme).value()->pending(flow).value(), 0);
    EXPECT_EQ(counted("dead"), 0);
    if (HasFailure()) return;
  }
  EXPECT_TRUE(through);
  EXPECT_GT(n, 30) << "the loop met the store's calls";
}

}  // namespace
}  // namespace castiel::messaging
