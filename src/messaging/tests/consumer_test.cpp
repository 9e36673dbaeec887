#include "messaging/consumer.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <map>

#include "messaging/embedded/embedded_broker.hpp"
#include "model/event_types.hpp"

namespace castiel::messaging {
namespace {

using namespace std::chrono_literals;

const std::string kQueue(model::queue::kDataRaw);

// Stores each record's source as a shard; fails records on demand.
class RecordingHandler final : public Handler {
 public:
  std::map<std::string, std::vector<Error>> failures;  // by "key=source", taken one a try
  std::vector<std::string> applied;                    // "key=source" in order
  std::optional<Error> refuse_batches_over_one;
  int conflicts = 0;
  std::function<void()> during_prepare;

  Result<std::unique_ptr<Plan>> prepare(const storage::Reader&, std::span<const Incoming> batch) override {
    if (during_prepare) during_prepare();
    if (refuse_batches_over_one && batch.size() > 1) return std::unexpected(*refuse_batches_over_one);
    auto plan = std::make_unique<RecordPlan>();
    plan->handler = this;
    for (std::size_t m = 0; m < batch.size(); ++m) {
      const auto& records = *get_array(batch[m].event.data.get_object(), "records");
      for (std::size_t r = 0; r < records.size(); ++r) {
        const auto& record = records[r].get_object();
        const std::string effect = string_or(record, "key") + "=" + string_or(record, "source");
        auto& planned = failures[effect];
        if (!planned.empty()) {
          plan->failed.push_back({m, r, planned.front(), "/source"});
          planned.erase(planned.begin());
          continue;
        }
        plan->effects.push_back(effect);
      }
    }
    return plan;
  }

 private:
  struct RecordPlan final : Plan {
    RecordingHandler* handler = nullptr;
    std::vector<std::string> effects;
    std::vector<RecordFailure> failed;
    Result<> apply(Step& step) override {
      if (handler->conflicts > 0) {
        --handler->conflicts;
        return conditional("version_conflict", "somebody was faster");
      }
      for (const auto& effect : effects) {
        CASTIEL_TRY(step.tx().add_audit({step.now(), "test", "effect", effect, "{}"}));
      }
      handler->applied.insert(handler->applied.end(), effects.begin(), effects.end());
      return {};
    }
    std::span<const RecordFailure> failures() const override { return failed; }
    std::string summary() const override { return "done"; }
  };
};

// Store calls that fail on demand.
struct Trouble final : storage::CallObserver {
  bool full = false;
  int busy = 0;             // transactions that cannot begin
  int unknown_commits = 0;  // kept, but the answer is lost
  Result<> before(std::string_view call) override {
    if (busy > 0 && call == "begin") {
      --busy;
      return transient("store_busy", "the writer is busy");
    }
    if (full && call.starts_with("INSERT")) return transient("store_full", "the disk is full");
    return {};
  }
  Result<> after(std::string_view call) override {
    if (call != "commit" || unknown_commits == 0) return {};
    --unknown_commits;
    return transient("commit_unknown", "nobody knows");
  }
};

struct ConsumerTest : testing::Test {
  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  ManualClock clock{parse_timestamp("2026-01-01T00:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<SchemaRegistry> schemas = SchemaRegistry::create(builtin_schemas()).value();
  Trouble trouble;
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<EmbeddedBroker> broker;
  std::unique_ptr<Publisher> publisher;
  std::unique_ptr<Consumer> consumer;
  RecordingHandler handler;
  std::function<ConsumerTuning(const TenantId&)> tuning_of;
  TenantId acme{"acme"};
  CorrelationId flow{"import-1"};

  void SetUp() override { start(); }
  void TearDown() override { std::filesystem::remove_all(folder); }

  // A process on the folder; the one before ends without a word.
  void start() {
    consumer.reset();
    broker.reset();
    store.reset();
    storage::SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.sync = false;
    options.observer = &trouble;
    store = storage::SqliteStore::open(options, clock).value();
    broker = EmbeddedBroker::create(*store, clock).value();
    publisher = std::make_unique<Publisher>(*schemas, clock, ids);
    ConsumerOptions consumer_options;
    consumer_options.queue = {kQueue, {std::string(model::event::kDataRaw)}, 3};
    consumer_options.tuning_of = tuning_of;
    consumer = std::make_unique<Consumer>(
        ConsumerParts{store.get(), broker.get(), schemas.get(), publisher.get(), &clock, &random, &ids, {}},
        consumer_options, handler);
    ASSERT_TRUE(consumer->declare());
    ASSERT_TRUE(store->create_tenant(acme, soon()));
  }
  Deadline soon() { return Deadline::after(clock, 5s); }
  Deadline now() { return Deadline::after(clock, 0s); }

  void publish(std::vector<std::pair<std::string, std::string>> records, TenantId tenant = TenantId("acme"),
               int lane = 0) {
    auto tx = store->begin(tenant, soon()).value();
    json::array list;
    for (const auto& [key, source] : records) list.push_back({{"key", key}, {"source", source}});
    const int n = static_cast<int>(list.size());
    const auto done = publisher->publish(*tx, "files", {flow, ""},
                                         {model::event::kDataRaw,
                                          "",
                                          {{"integrationId", "files"},
                                           {"entityType", "account"},
                                           {"format", {{"kind", "csv"}}},
                                           {"mapping", json::object()},
                                           {"observedAt", "2026-01-01T00:00:00Z"},
                                           {"records", std::move(list)}},
                                          lane,
                                          n});
    ASSERT_TRUE(done) << done.error().describe();
    ASSERT_TRUE(tx->commit());
  }
  // Steps, and turns the clock to what is due, until nothing is left.
  void drain() {
    for (int i = 0; i < 1000; ++i) {
      if (consumer->step(now()).value()) continue;
      const auto due = broker->next_due();
      if (!due) return;
      clock.advance(std::max(Duration(1), *due - clock.now()));
    }
    FAIL() << "never idle";
  }
  std::unique_ptr<storage::Reader> reader() { return store->read(acme).value(); }
  std::vector<storage::DeadLetter> dead() { return reader()->dead_letters("", "", 100).value(); }
};

TEST_F(ConsumerTest, a_page_is_applied_once_and_gone) {
  publish({{"a", "1"}, {"b", "1"}});
  EXPECT_EQ(reader()->pending(flow).value(), 1);
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1", "b=1"}));
  EXPECT_EQ(reader()->pending(flow).value(), 0);
  EXPECT_TRUE(dead().empty());
}

TEST_F(ConsumerTest, a_permanent_failure_of_one_record_spares_the_rest_of_its_page) {
  handler.failures["b=1"] = {{"invalid_amount", "no amount", ErrorClass::permanent, {}}};
  publish({{"a", "1"}, {"b", "1"}, {"c", "1"}});
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1", "c=1"}));
  ASSERT_EQ(dead().size(), 1u);
  EXPECT_EQ(dead()[0].code, "invalid_amount");
  EXPECT_EQ(dead()[0].key, "b");
  EXPECT_EQ(dead()[0].pointer, "/data/records/0/source");
  EXPECT_NE(dead()[0].payload.find("\"b\""), std::string::npos)
      << "the original record travels with the dead letter";
}

TEST_F(ConsumerTest, later_records_of_a_key_wait_behind_its_retry) {
  handler.failures["b=1"] = {{"timeout", "slow", ErrorClass::transient, {}}};
  publish({{"a", "1"}, {"b", "1"}});
  publish({{"b", "2"}, {"c", "1"}});
  publish({{"b", "3"}});
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1", "c=1", "b=1", "b=2", "b=3"}));
  EXPECT_TRUE(reader()->parked_keys(kQueue).value().empty());
  EXPECT_EQ(reader()->pending(flow).value(), 0);
}

TEST_F(ConsumerTest, a_record_that_keeps_failing_ends_as_dead_letter_and_frees_its_key) {
  handler.failures["b=1"] = {3, {"timeout", "slow", ErrorClass::transient, {}}};
  publish({{"b", "1"}});
  publish({{"b", "2"}});
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"b=2"}));
  ASSERT_EQ(dead().size(), 1u);
  EXPECT_EQ(dead()[0].errors.size(), 3u);
}

// TENANT-4
TEST_F(ConsumerTest, a_step_under_way_while_its_tenant_is_erased_brings_nothing_back) {
  const TenantId other("other");
  ASSERT_TRUE(store->create_tenant(other, soon()));
  publish({{"a", "1"}});
  publish({{"b", "1"}}, acme, 3);
  publish({{"c", "1"}}, other);
  handler.during_prepare = [&] {
    handler.during_prepare = {};
    ASSERT_TRUE(store->erase_tenant(acme, soon()));
  };
  drain();
  EXPECT_EQ(handler.applied, std::vector<std::string>{"c=1"});
  EXPECT_FALSE(broker->next_due());
  EXPECT_EQ(broker->stats().value()[0].claimed, 0);
  EXPECT_EQ(broker->stats().value()[0].settled_total, 1);
  EXPECT_EQ(store->read(acme).error().code, "unknown_tenant");

  ASSERT_TRUE(store->create_tenant(acme, soon()));
  drain();
  EXPECT_TRUE(reader()->audit(10).value().empty());
  EXPECT_TRUE(dead().empty());
  publish({{"d", "1"}});
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"c=1", "d=1"}));
}

TEST_F(ConsumerTest, a_tenant_erased_and_made_anew_during_a_step_gets_nothing_of_it) {
  publish({{"a", "1"}});
  const auto version = reader()->data_version().value();
  clock.advance(1s);
  handler.during_prepare = [&] {
    handler.during_prepare = {};
    ASSERT_TRUE(store->erase_tenant(acme, soon()));
    ASSERT_TRUE(store->create_tenant(acme, soon()));
  };
  drain();
  EXPECT_TRUE(handler.applied.empty() || reader()->audit(10).value().empty());
  EXPECT_TRUE(reader()->audit(10).value().empty());
  EXPECT_FALSE(reader()->in_inbox(kQueue, "1").value());
  EXPECT_TRUE(dead().empty());
  EXPECT_GT(reader()->data_version().value(), version)
      << "what was made of the old data is not the new one's";
}

// FLOW-8, FLOW-13
TEST_F(ConsumerTest, each_tenant_has_its_own_batches_from_the_next_one_on) {
  std::map<TenantId, ConsumerTuning> tunings;
  tuning_of = [&](const TenantId& tenant) { return tunings[tenant]; };
  start();
  const TenantId other("other");
  ASSERT_TRUE(store->create_tenant(other, soon()));
  for (const auto& tenant : {acme, other}) {
    for (const char* key : {"a", "b", "c", "d"}) publish({{key, "1"}, {key, "2"}}, tenant);
  }
  tunings[acme].limits = {.messages = 1, .records = 1000};
  tunings[other].limits = {.messages = 3, .records = 1000};
  const auto handled = [&] {
    const auto before = handler.applied.size();
    EXPECT_TRUE(consumer->step(now()).value());
    return handler.applied.size() - before;
  };
  EXPECT_EQ(handled() + handled(), 2u + 6u) << "tenants take turns";
  tunings[acme].limits.messages = 8;
  tunings[acme].limits.batch_from = 7;  // six records and three messages wait: too few for a batch
  EXPECT_EQ(handled() + handled(), 2u + 2u);
  tunings[acme].limits.batch_from = 4;
  EXPECT_EQ(handled(), 4u);
}

TEST_F(ConsumerTest, each_tenant_has_its_own_retries) {
  ConsumerTuning tuning;
  tuning_of = [&](const TenantId&) { return tuning; };
  start();
  handler.failures["b=1"] = {4, {"timeout", "slow", ErrorClass::transient, {}}};
  tuning.first_retry = 100s;
  tuning.longest_retry = 1000s;
  publish({{"b", "1"}});
  EXPECT_TRUE(consumer->step(now()).value());
  EXPECT_GT(*broker->next_due(), clock.now() + 99s);
  clock.advance(101s);
  tuning.first_retry = 1s;
  EXPECT_TRUE(consumer->step(now()).value());
  EXPECT_LT(*broker->next_due(), clock.now() + 3s);
  clock.advance(3s);
  tuning.max_deliveries = 3;
  EXPECT_TRUE(consumer->step(now()).value());
  EXPECT_EQ(dead().size(), 1u) << "the third try was the last";
}

TEST_F(ConsumerTest, a_version_conflict_is_prepared_again_at_once) {
  handler.conflicts = 2;
  publish({{"a", "1"}});
  EXPECT_TRUE(consumer->step(now()).value());
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1"}));
}

TEST_F(ConsumerTest, a_bad_batch_is_tried_message_by_message) {
  handler.refuse_batches_over_one = Error{"bug", "cannot do two", ErrorClass::permanent, {}};
  publish({{"a", "1"}});
  publish({{"b", "1"}});
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1", "b=1"}));
}

TEST_F(ConsumerTest, a_message_that_is_no_event_is_a_dead_letter_with_its_bytes) {
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(tx->publish("test", {"m1", std::string(model::event::kDataRaw), flow, 0, 1, "{broken"}));
  ASSERT_TRUE(tx->commit());
  drain();
  ASSERT_EQ(dead().size(), 1u);
  EXPECT_EQ(dead()[0].code, "malformed_event");
  EXPECT_EQ(dead()[0].payload, "{broken");
}

TEST_F(ConsumerTest, data_that_does_not_fit_its_schema_never_reaches_the_handler) {
  auto tx = store->begin(acme, soon()).value();
  Event event{"m1",        std::string(model::event::kDataRaw),
              "/x",        "",
              clock.now(), acme,
              flow,        "",
              1,           {{"tenantId", "acme"}, {"records", json::array()}}};
  ASSERT_TRUE(tx->publish("test", {"m1", event.type, flow, 0, 1, serialize(event)}));
  ASSERT_TRUE(tx->commit());
  drain();
  ASSERT_EQ(dead().size(), 1u);
  EXPECT_EQ(dead()[0].code, "schema_violation");
  EXPECT_TRUE(handler.applied.empty());
}

TEST_F(ConsumerTest, a_producer_cannot_publish_what_does_not_fit) {
  auto tx = store->begin(acme, soon()).value();
  const auto refused = publisher->publish(
      *tx, "x", {flow, ""}, {model::event::kShardCreated, "", {{"integrationId", "files"}}, 0, 1});
  EXPECT_EQ(refused.error().code, "schema_violation");
}

TEST_F(ConsumerTest, a_redelivered_message_changes_nothing) {
  publish({{"a", "1"}});
  auto deliveries = broker->receive(kQueue, {}, now()).value();
  ASSERT_EQ(deliveries.size(), 1u);
  // The same message once more, as after a relay that published twice.
  auto tx = store->begin(acme, soon()).value();
  ASSERT_TRUE(
      tx->publish("files", {deliveries[0].message_id, deliveries[0].type, flow, 1, 1, deliveries[0].body}));
  ASSERT_TRUE(tx->commit());
  ASSERT_TRUE(broker->release(deliveries, 0s));
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1"}));
}

TEST_F(ConsumerTest, a_process_that_dies_with_a_message_has_tried_it) {
  publish({{"a", "1"}});
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(broker->receive(kQueue, {}, now()).value().size(), 1u);
    start();
  }
  drain();
  EXPECT_TRUE(handler.applied.empty());
  ASSERT_EQ(dead().size(), 1u);
  EXPECT_EQ(dead()[0].code, "crashed");
}

TEST_F(ConsumerTest, a_page_that_cannot_be_taken_apart_for_now_goes_back_to_its_queue) {
  publish({{"a", "1"}, {"b", "1"}});
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(broker->receive(kQueue, {}, now()).value().size(), 1u);
    start();
  }
  trouble.busy = 1;
  drain();
  EXPECT_EQ(trouble.busy, 0);
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1", "b=1"}))
      << "each of its records is tried alone";
  EXPECT_TRUE(dead().empty());
  EXPECT_EQ(reader()->pending(flow).value(), 0);
}

TEST_F(ConsumerTest, a_message_that_is_there_twice_in_one_batch_is_handled_once) {
  auto tx = store->begin(acme, soon()).value();
  Event event{"m1",
              std::string(model::event::kDataRaw),
              "/x",
              "",
              clock.now(),
              acme,
              flow,
              "",
              1,
              {{"tenantId", "acme"},
               {"integrationId", "files"},
               {"entityType", "account"},
               {"format", {{"kind", "csv"}}},
               {"mapping", json::object()},
               {"observedAt", "2026-01-01T00:00:00Z"},
               {"records", {{{"key", "a"}, {"source", "1"}}}}}};
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(tx->publish("test", {"m1", event.type, flow, 0, 1, serialize(event)}));
  ASSERT_TRUE(tx->commit());
  EXPECT_TRUE(consumer->step(now()).value());
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1"}));
  EXPECT_EQ(reader()->pending(flow).value(), 0);
}

TEST_F(ConsumerTest, a_full_disk_uses_up_no_tries) {
  publish({{"a", "1"}});
  trouble.full = true;
  for (int i = 0; i < 20; ++i) {
    (void)consumer->step(now());
    clock.advance(70s);
  }
  EXPECT_TRUE(handler.applied.empty());
  trouble.full = false;
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1"}));
  EXPECT_TRUE(dead().empty());
}

TEST_F(ConsumerTest, a_claim_whose_commit_was_in_doubt_is_handed_out_again) {
  publish({{"a", "1"}});
  publish({{"b", "1"}});
  trouble.unknown_commits = 1;
  EXPECT_EQ(broker->receive(kQueue, {1, 1000}, now()).error().code, "commit_unknown");
  EXPECT_TRUE(broker->receive(kQueue, {1, 1000}, now()).value().empty()) << "not what comes after it either";
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1", "b=1"}));
}

TEST_F(ConsumerTest, a_page_the_process_died_with_is_tried_record_by_record) {
  publish({{"a", "1"}, {"b", "1"}, {"a", "2"}});
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(broker->receive(kQueue, {}, now()).value().size(), 1u);
    start();
  }
  // Now the retry lane has a=1 and b=1; whoever dies with b=1 alone is to blame.
  ASSERT_TRUE(consumer->step(now()).value());
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1", "b=1", "a=2"}));
  EXPECT_TRUE(dead().empty());
  EXPECT_EQ(reader()->pending(flow).value(), 0);
}

TEST_F(ConsumerTest, one_tenants_backlog_does_not_keep_another_waiting) {
  ASSERT_TRUE(store->create_tenant(TenantId("busy"), soon()));
  for (int i = 0; i < 50; ++i) publish({{"x" + std::to_string(i), "1"}}, TenantId("busy"), i % kLanes);
  publish({{"a", "1"}});
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(consumer->step(now()).value());
  EXPECT_NE(std::ranges::find(handler.applied, "a=1"), handler.applied.end());
}

TEST_F(ConsumerTest, messages_of_a_lane_wait_for_the_one_before) {
  publish({{"a", "1"}});
  publish({{"a", "2"}});
  const auto first = broker->receive(kQueue, {1, 1000}, now()).value();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_TRUE(broker->receive(kQueue, {1, 1000}, now()).value().empty());
  ASSERT_TRUE(broker->release(first, 0s));
  drain();
  EXPECT_EQ(handler.applied, (std::vector<std::string>{"a=1", "a=2"}));
}

}  // namespace
}  // namespace castiel::messaging
