// What waits in the outbox while the broker is away (FLOW-6): handled here, in order, once.

#include "messaging/fallback.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <map>

#include "messaging/rabbitmq/rabbitmq_broker.hpp"
#include "model/event_types.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::messaging {
namespace {

using namespace std::chrono_literals;

const std::string kQueue(model::queue::kDataRaw);

// Notes the record keys of what it handles; fails on demand.
class NotingHandler final : public Handler {
 public:
  std::vector<std::string> applied;
  std::function<bool(const std::string& key)> too_early;  // to be put off
  std::map<std::string, std::vector<Error>> failures;     // by key, of the whole message, one a try
  Result<std::unique_ptr<Plan>> prepare(const storage::Reader&, std::span<const Incoming> batch) override {
    auto plan = std::make_unique<NotedPlan>();
    plan->handler = this;
    for (const auto& in : batch) {
      for (const auto& record : *get_array(in.event.data.get_object(), "records")) {
        const auto key = string_or(record.get_object(), "key");
        if (too_early && too_early(key)) return transient("not_yet", "others come first");
        if (auto& planned = failures[key]; !planned.empty()) {
          auto error = planned.front();
          planned.erase(planned.begin());
          return std::unexpected(std::move(error));
        }
        plan->keys.push_back(key);
      }
    }
    return plan;
  }

 private:
  struct NotedPlan final : Plan {
    NotingHandler* handler = nullptr;
    std::vector<std::string> keys;
    Result<> apply(Step& step) override {
      for (const auto& key : keys)
        CASTIEL_TRY(step.tx().add_audit({step.now(), "test", "effect", key, "{}"}));
      handler->applied.insert(handler->applied.end(), keys.begin(), keys.end());
      return {};
    }
    std::span<const RecordFailure> failures() const override { return {}; }
    std::string summary() const override { return "done"; }
  };
};

class FallbackTest : public testing::Test {
 protected:
  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  ManualClock clock{parse_timestamp("2026-01-01T00:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  telemetry::Metrics metrics;
  std::unique_ptr<SchemaRegistry> schemas = SchemaRegistry::create(builtin_schemas()).value();
  Publisher publisher{*schemas, clock, ids};
  std::unique_ptr<storage::SqliteStore> store = [this] {
    storage::SqliteStore::Options opening;
    opening.path = (folder / "castiel.db").string();
    opening.publish_to = storage::SqliteStore::PublishTo::outbox;
    opening.sync = false;
    return storage::SqliteStore::open(opening, clock).value();
  }();
  // No server listens there; none is asked.
  std::unique_ptr<RabbitmqBroker> broker = [this] {
    RabbitmqOptions opening;
    opening.url = Secret("amqp://127.0.0.1:1");
    return RabbitmqBroker::create(std::move(opening), *store, clock, random, {}).value();
  }();
  NotingHandler handler;
  std::unique_ptr<Consumer> consumer;
  std::unique_ptr<Fallback> fallback;
  FallbackOptions options;
  TenantId acme{"acme"};
  CorrelationId flow{"import-1"};

  void SetUp() override {
    ASSERT_TRUE(store->create_tenant(acme, soon()));
    ConsumerOptions consuming;
    consuming.queue = {kQueue, {std::string(model::event::kDataRaw)}, 3};
    consuming.first_retry = 1s;
    consuming.jitter = Duration(0);
    consumer = std::make_unique<Consumer>(
        ConsumerParts{store.get(), broker.get(), schemas.get(), &publisher, &clock, &random, &ids, {}},
        consuming, handler);
    ASSERT_TRUE(consumer->declare());
    options.owner = "one";
    options.per_second = 1'000'000;
    fallback = make();
  }
  void TearDown() override {
    fallback.reset();
    broker.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }
  std::unique_ptr<Fallback> make() {
    auto made =
        std::make_unique<Fallback>(FallbackParts{store.get(), broker.get(), &clock, {}, &metrics}, options);
    made->add(*consumer);
    return made;
  }
  Deadline soon() { return Deadline::after(clock, 5s); }
  // A page with one record; its message's id.
  std::string publish(const std::string& key, int lane = 0) {
    auto tx = store->begin(acme, soon()).value();
    json::object data{
        {"integrationId", "crm"},
        {"entityType", "account"},
        {"importId", flow.str()},
        {"format", {{"kind", "json"}, {"encoding", "utf-8"}}},
        {"mapping", json::object{{"entity", "account"}, {"integration", "crm"}, {"columns", json::array()}}},
        {"file", "f.json"},
        {"observedAt", "2026-01-01T00:00:00Z"},
        {"records", json::array{json::object{{"key", key}, {"line", 1}, {"source", "{}"}}}}};
    const auto id =
        publisher.publish(*tx, "files", {flow, {}}, {model::event::kDataRaw, "account", data, lane, 1});
    EXPECT_TRUE(id) << id.error().describe();
    EXPECT_TRUE(tx->commit());
    return id.value_or("");
  }
  void away_for(Duration d) {
    fallback->heard(false);
    clock.advance(d);
    fallback->heard(false);
  }
  // Steps while anything moves; how many messages were handled.
  std::size_t drain() {
    std::size_t all = 0;
    for (int i = 0; i < 100; ++i) {
      const auto handled = fallback->step();
      EXPECT_TRUE(handled) << handled.error().describe();
      if (!handled || *handled == 0) break;
      all += *handled;
    }
    return all;
  }
  std::int64_t left() { return store->outbox().depth().value().messages; }
  // As a relay whose broker confirmed them.
  void leaves_for_the_broker(const std::vector<std::string>& message_ids) {
    const auto leases = store->outbox().lease("one", storage::kOutboxPartitions, 15s).value();
    for (const auto& lease : leases) {
      std::vector<std::int64_t> rows;
      const auto found = store->outbox().waiting(lease, {}, 100, 1 << 20).value();
      for (const auto& m : found) {
        if (std::ranges::find(message_ids, m.message.id) != message_ids.end()) rows.push_back(m.row);
      }
      ASSERT_TRUE(store->outbox().published(lease, rows));
    }
  }
  // What the broker hands out once it is back.
  void the_broker_delivers(const std::string& message_id, const std::string& key, int lane = 0) {
    Delivery d;
    d.queue = kQueue;
    d.tenant = acme;
    d.lane = lane;
    d.message_id = message_id;
    d.type = std::string(model::event::kDataRaw);
    d.correlation = flow;
    d.tag = 77;
    d.body = bodies.at(key);
    ASSERT_TRUE(consumer->handle(std::move(d)));
  }
  void remember_bodies() {
    const auto leases = store->outbox().lease("one", storage::kOutboxPartitions, 15s).value();
    for (const auto& lease : leases) {
      const auto found = store->outbox().waiting(lease, {}, 100, 1 << 20).value();
      for (const auto& m : found) {
        const auto event = parse_event(m.message.body).value();
        bodies[string_or(event.data.at("records").at(0).get_object(), "key")] = m.message.body;
      }
    }
  }
  std::map<std::string, std::string> bodies;
  std::int64_t pending() { return store->read(acme).value()->pending(flow).value(); }
  using Keys = std::vector<std::string>;
};

TEST_F(FallbackTest, begins_after_long_trouble_in_a_row_and_ends_after_long_health_in_a_row) {
  publish("a");
  away_for(options.after - 1s);
  EXPECT_FALSE(fallback->active());
  EXPECT_EQ(fallback->step().value(), 0u);
  fallback->heard(true);  // it was there in between
  fallback->heard(false);
  clock.advance(options.after - 1s);
  fallback->heard(false);
  EXPECT_FALSE(fallback->active());
  clock.advance(1s);
  fallback->heard(false);
  EXPECT_TRUE(fallback->active());
  EXPECT_NE(metrics.render().find("castiel_fallback_active 1"), std::string::npos);

  fallback->heard(true);
  clock.advance(options.until - 1s);
  fallback->heard(true);
  EXPECT_TRUE(fallback->active());
  fallback->heard(false);
  clock.advance(options.until);
  fallback->heard(true);
  EXPECT_TRUE(fallback->active()) << "its health has only begun";
  clock.advance(options.until);
  fallback->heard(true);
  EXPECT_FALSE(fallback->active());
  EXPECT_EQ(fallback->step().value(), 0u) << "the rest is the relay's";
  EXPECT_EQ(left(), 1);
}

TEST_F(FallbackTest, handles_what_waits_in_the_order_of_each_lane_and_settles_it) {
  for (const auto* key : {"a1", "a2", "a3"}) publish(key, 0);
  for (const auto* key : {"b1", "b2"}) publish(key, 1);
  away_for(options.after);
  EXPECT_EQ(drain(), 5u);
  EXPECT_EQ(left(), 0);
  EXPECT_EQ(pending(), 0);
  Keys a, b;
  for (const auto& key : handler.applied) (key.front() == 'a' ? a : b).push_back(key);
  EXPECT_EQ(a, (Keys{"a1", "a2", "a3"}));
  EXPECT_EQ(b, (Keys{"b1", "b2"}));
  EXPECT_NE(metrics.render().find("castiel_fallback_messages_total{queue=\"" + kQueue + "\"} 5"),
            std::string::npos);
}

TEST_F(FallbackTest, a_lane_waits_for_what_only_the_broker_has_and_the_others_go_on) {
  const auto first = publish("a1", 0);
  publish("a2", 0);
  publish("a3", 0);
  publish("b1", 1);
  remember_bodies();
  leaves_for_the_broker({first});
  away_for(options.after);
  EXPECT_EQ(drain(), 1u);
  EXPECT_EQ(handler.applied, Keys{"b1"});
  clock.advance(20s);
  EXPECT_EQ(drain(), 0u);
  // Another process, or this one's worker, had it in hand all the time and ends only now.
  the_broker_delivers(first, "a1");
  clock.advance(20s);
  EXPECT_EQ(drain(), 2u);
  EXPECT_EQ(handler.applied, (Keys{"b1", "a1", "a2", "a3"}));
  EXPECT_EQ(left(), 0);
}

TEST_F(FallbackTest, what_the_broker_has_besides_changes_nothing_when_it_comes_back) {
  const auto id = publish("a1");  // sent, its confirm was lost with the connection
  publish("a2");
  remember_bodies();
  away_for(options.after);
  EXPECT_EQ(drain(), 2u);
  the_broker_delivers(id, "a1");
  EXPECT_EQ(handler.applied, (Keys{"a1", "a2"}));
  EXPECT_EQ(pending(), 0);
  EXPECT_EQ(store->read(acme).value()->audit(10).value().size(), 2u);
}

TEST_F(FallbackTest, what_the_broker_brought_first_is_only_taken_out_of_the_outbox) {
  const auto id = publish("a1");
  publish("a2");
  remember_bodies();
  the_broker_delivers(id, "a1");  // the relay heard no confirm of it
  away_for(options.after);
  EXPECT_EQ(drain(), 2u);
  EXPECT_EQ(handler.applied, (Keys{"a1", "a2"}));
  EXPECT_EQ(pending(), 0);
}

TEST_F(FallbackTest, a_message_that_fails_is_tried_as_often_as_ever_and_its_lane_waits) {
  handler.failures["a1"] =
      std::vector<Error>(9, Error{"odd", "cannot be handled", ErrorClass::conditional, {}});
  publish("a1");
  publish("a2");
  away_for(options.after);
  EXPECT_EQ(drain(), 0u);
  EXPECT_EQ(left(), 2);
  for (int i = 0; i < 10 && left() > 0; ++i) {
    clock.advance(30s);
    drain();
  }
  EXPECT_EQ(left(), 0);
  EXPECT_EQ(handler.applied, Keys{"a2"});
  EXPECT_EQ(handler.failures["a1"].size(), 9u - 3u) << "three deliveries are allowed";
  const auto letters = store->read(acme).value()->dead_letters("", "", 10).value();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].code, "odd");
  EXPECT_EQ(pending(), 0);
}

TEST_F(FallbackTest, what_is_nobodys_fault_counts_as_no_try) {
  handler.failures["a1"] = std::vector<Error>(8, Error{"busy", "not now", ErrorClass::transient, {}});
  publish("a1");
  away_for(options.after);
  for (int i = 0; i < 30 && left() > 0; ++i) {
    drain();
    clock.advance(70s);
  }
  EXPECT_EQ(handler.applied, Keys{"a1"});
  EXPECT_TRUE(store->read(acme).value()->dead_letters("", "", 10).value().empty());
}

TEST_F(FallbackTest, a_process_that_died_with_a_message_is_counted) {
  const auto id = publish("a1");
  away_for(options.after);
  // As if it had died after each of these.
  const auto lease = store->outbox().lease("one", storage::kOutboxPartitions, 15s).value();
  for (const auto& held : lease) {
    const auto found = store->outbox().waiting(held, {}, 10, 1 << 20).value();
    for (const auto& m : found) {
      for (int i = 1; i <= 3; ++i) {
        const auto adopted = broker->adopt(kQueue, m).value();
        ASSERT_TRUE(adopted);
        EXPECT_EQ(adopted->deliveries, i);
        EXPECT_EQ(adopted->message_id, id);
      }
    }
  }
  EXPECT_EQ(drain(), 1u);
  EXPECT_TRUE(handler.applied.empty());
  const auto letters = store->read(acme).value()->dead_letters("", "", 10).value();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].code, "crashed");
}

TEST_F(FallbackTest, a_queue_may_wait_for_another_ones_handling_of_the_same_message) {
  NotingHandler first, last;
  std::vector<std::unique_ptr<Consumer>> more;
  for (auto* one : {&first, &last}) {
    ConsumerOptions consuming;
    consuming.queue = {one == &first ? "a_first" : "z_last", {std::string(model::event::kDataRaw)}, 3};
    more.push_back(std::make_unique<Consumer>(
        ConsumerParts{store.get(), broker.get(), schemas.get(), &publisher, &clock, &random, &ids, {}},
        consuming, *one));
    ASSERT_TRUE(more.back()->declare());
    fallback->add(*more.back());
  }
  const auto has = [](const NotingHandler& h, const std::string& key) {
    return std::ranges::find(h.applied, key) != h.applied.end();
  };
  first.too_early = [&](const std::string& key) { return !has(handler, key); };
  last.too_early = [&](const std::string& key) { return !has(first, key); };
  handler.too_early = [&](const std::string& key) { return key == "k1" && !has(handler, "k0"); };
  for (const auto* key : {"k0", "k1", "k2"}) publish(key);
  away_for(options.after);
  for (int i = 0; i < 20 && left() > 0; ++i) {
    drain();
    clock.advance(3s);
  }
  EXPECT_EQ(left(), 0);
  for (const auto* one : {&first, &last, &handler}) EXPECT_EQ(one->applied, (Keys{"k0", "k1", "k2"}));
  EXPECT_EQ(pending(), 0);
}

TEST_F(FallbackTest, handles_no_more_a_second_than_it_may) {
  options.per_second = 10;
  fallback = make();
  for (int i = 0; i < 60; ++i) publish("k" + std::to_string(i), i % kLanes);
  away_for(options.after);
  const auto at_once = drain();
  EXPECT_LE(at_once, 11u) << "a second's worth";
  clock.advance(2s);
  EXPECT_LE(drain(), 21u);
  EXPECT_GT(left(), 0);
}

TEST_F(FallbackTest, what_another_process_relays_is_left_to_it) {
  for (int lane = 0; lane < kLanes; ++lane) publish("k" + std::to_string(lane), lane);
  const auto theirs = store->outbox().lease("two", storage::kOutboxPartitions, 10min).value();
  ASSERT_FALSE(theirs.empty());
  away_for(options.after);
  EXPECT_EQ(drain(), 0u);
  ASSERT_TRUE(store->outbox().give_back("two"));
  clock.advance(options.term);
  EXPECT_EQ(drain(), static_cast<std::size_t>(kLanes));
}

}  // namespace
}  // namespace castiel::messaging
