// The contract of messaging::Broker, kept by every broker of the catalogue (BACKENDS-1, BACKENDS-2). Servers
// are real ones, so what has to come is waited for and what must not come is given a moment.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "messaging/consumer.hpp"
#include "messaging/testing/broker_catalogue.hpp"
#include "model/event_types.hpp"
#include "storage/outbox.hpp"

namespace castiel::messaging {
namespace {

using namespace std::chrono_literals;
using storage::Failure;
using storage::kRetryLane;
using storage::OutgoingMessage;

constexpr Duration kSoon = 20s;      // for what has to happen
constexpr Duration kMoment = 250ms;  // for what must not

class BrokerContract : public ::testing::TestWithParam<testing::BrokerEntry> {
 protected:
  SystemClock clock;
  SystemRandom random;
  IdGenerator ids{clock, random};
  // Of this test alone: a server may serve several.
  const std::string queue = "contract_" + lower(ids.next());
  const std::string type = queue + ".happened";
  std::unique_ptr<testing::BrokerWorld> world = GetParam().open(clock, random);
  TenantId acme{"acme"}, other{"other"};
  CorrelationId flow{"import-1"};

  void SetUp() override {
    ASSERT_TRUE(store().create_tenant(acme, in(kSoon)));
    ASSERT_TRUE(store().create_tenant(other, in(kSoon)));
    world->declare({queue, {type}, 3});
  }
  static std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
  }
  storage::Store& store() { return world->store(); }
  Broker& broker() { return world->broker(); }
  Deadline in(Duration d) { return Deadline::after(clock, d); }

  OutgoingMessage message(std::string id, int lane = 0, int records = 1, std::string body = "{}") {
    return {std::move(id), type, flow, lane, records, std::move(body)};
  }
  void publish(const OutgoingMessage& m, const TenantId& tenant) {
    auto tx = store().begin(tenant, in(kSoon)).value();
    ASSERT_TRUE(tx->publish("test", m));
    ASSERT_TRUE(tx->commit());
  }
  void publish(const OutgoingMessage& m) { publish(m, acme); }
  std::vector<Delivery> receive(ReceiveLimits limits = {}, Duration wait = kSoon) {
    auto got = broker().receive(queue, limits, in(wait));
    EXPECT_TRUE(got) << got.error().describe();
    return got.value_or(std::vector<Delivery>());
  }
  Delivery receive_one() {
    auto got = receive({1, 1'000, 0});
    EXPECT_EQ(got.size(), 1u);
    return got.empty() ? Delivery{} : got.front();
  }
  bool nothing_comes() { return receive({}, kMoment).empty(); }
  void settle(std::span<const Delivery> deliveries) {
    auto tx = store().begin(deliveries.front().tenant, in(kSoon)).value();
    ASSERT_TRUE(broker().settle(*tx, deliveries));
    ASSERT_TRUE(tx->commit());
    broker().settled(deliveries);
  }
  void settle(const Delivery& d) { settle({&d, 1}); }
  // Each message once, as with a consumer's inbox: at least once is what a broker promises.
  std::vector<std::string> drain(std::size_t count) {
    std::vector<std::string> order;
    while (order.size() < count) {
      const auto batch = receive();
      if (batch.empty()) break;
      for (const auto& d : batch) {
        if (std::ranges::find(order, d.message_id) == order.end()) order.push_back(d.message_id);
      }
      settle(batch);
    }
    return order;
  }
  Failure failure(const std::string& code) { return {clock.now(), code, "words of " + code}; }
  std::int64_t pending() { return store().read(acme).value()->pending(flow, queue).value(); }
  QueueStats stats() {
    const auto all = broker().stats();
    EXPECT_TRUE(all) << all.error().describe();
    for (const auto& s : all.value_or(std::vector<QueueStats>())) {
      if (s.name == queue) return s;
    }
    ADD_FAILURE() << "no stats of " << queue;
    return {};
  }
  bool eventually(const std::function<bool()>& condition) {
    for (const auto deadline = in(kSoon); !deadline.passed();) {
      if (condition()) return true;
      (void)broker().receive("no such queue", {}, in(0s));  // lets others run
      std::this_thread::yield();
    }
    return condition();
  }
};

// FLOW-9
TEST_P(BrokerContract, C1_a_message_arrives_whole_and_once) {
  const auto before = clock.now() - 1s;
  publish(message("m1", 5, 7, std::string("\0 bytes \xff", 9)));
  const auto d = receive_one();
  EXPECT_EQ(d.queue, queue);
  EXPECT_EQ(d.tenant, acme);
  EXPECT_EQ(d.lane, 5);
  EXPECT_EQ(d.message_id, "m1");
  EXPECT_EQ(d.type, type);
  EXPECT_EQ(d.correlation, flow);
  EXPECT_EQ(d.records, 7);
  EXPECT_TRUE(d.record_key.empty());
  EXPECT_EQ(d.deliveries, 1);
  EXPECT_TRUE(d.failures.empty());
  EXPECT_GE(d.enqueued_at, before);
  EXPECT_LE(d.enqueued_at, clock.now());
  EXPECT_EQ(d.body, std::string("\0 bytes \xff", 9));
  settle(d);
  EXPECT_TRUE(nothing_comes());
}

TEST_P(BrokerContract, C1_a_step_that_is_rolled_back_published_nothing) {
  {
    auto tx = store().begin(acme, in(kSoon)).value();
    ASSERT_TRUE(tx->publish("test", message("m1")));
  }
  EXPECT_TRUE(nothing_comes());
  EXPECT_EQ(pending(), 0);
}

TEST_P(BrokerContract, C2_a_lane_keeps_its_order) {
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    expected.push_back("m" + std::to_string(i));
    publish(message(expected.back(), 3));
  }
  EXPECT_EQ(drain(40), expected);
}

TEST_P(BrokerContract, C2_a_lane_keeps_its_order_over_a_restart) {
  std::vector<std::string> expected;
  for (int i = 0; i < 10; ++i) {
    expected.push_back("m" + std::to_string(i));
    publish(message(expected.back(), 3));
  }
  ASSERT_EQ(receive_one().message_id, "m0");
  world->restart();
  EXPECT_EQ(drain(10), expected);
}

TEST_P(BrokerContract, C3_a_lane_has_one_receiver_until_its_messages_are_settled) {
  publish(message("a1", 1));
  publish(message("a2", 1));
  publish(message("b1", 2));
  const auto first = receive_one();
  const auto second = receive_one();
  EXPECT_NE(first.lane, second.lane);
  EXPECT_TRUE(nothing_comes()) << "the lane of a1 is taken";
  settle(first.lane == 1 ? first : second);
  EXPECT_EQ(receive_one().message_id, "a2");
}

TEST_P(BrokerContract, C3_threads_share_the_lanes_and_lose_nothing) {
  constexpr int kThreads = 4, kEach = 25;
  for (int i = 0; i < kThreads * kEach; ++i)
    publish(message(std::to_string(i), i % 5), i % 2 == 0 ? acme : other);
  std::mutex mutex;
  std::map<std::pair<TenantId, int>, std::vector<int>> seen;
  std::atomic<int> handled = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        const auto deadline = in(kSoon);
        while (handled < kThreads * kEach && !deadline.passed()) {
          const auto batch = receive({3, 100, 0}, 500ms);
          if (batch.empty()) continue;
          {
            std::lock_guard lock(mutex);
            for (const auto& d : batch) seen[{d.tenant, d.lane}].push_back(std::stoi(d.message_id));
          }
          handled += static_cast<int>(batch.size());
          settle(batch);
        }
      });
    }
  }
  EXPECT_EQ(handled, kThreads * kEach);
  for (const auto& [lane, numbers] : seen) EXPECT_TRUE(std::ranges::is_sorted(numbers));
}

// FLOWCTL-2
TEST_P(BrokerContract, C4_tenants_take_turns) {
  for (int i = 0; i < 8; ++i) publish(message("a" + std::to_string(i), i));
  publish(message("b0", 0), other);
  ASSERT_TRUE(eventually([&] { return stats().ready == 9; }));
  // All are there, or on their way in no order of tenants: the other's comes before acme's eighth.
  const auto order = drain(9);
  ASSERT_EQ(order.size(), 9u);
  EXPECT_NE(order.back(), "b0");
}

TEST_P(BrokerContract, C5_no_more_messages_or_records_than_asked_for_but_at_least_one) {
  for (int i = 0; i < 6; ++i) publish(message("m" + std::to_string(i), 0, 10));
  for (const ReceiveLimits limits :
       {ReceiveLimits{1, 1'000, 0}, ReceiveLimits{3, 20, 0}, ReceiveLimits{3, 5, 0}}) {
    const auto batch = receive(limits);
    ASSERT_FALSE(batch.empty());
    EXPECT_LE(static_cast<int>(batch.size()), limits.messages);
    EXPECT_TRUE(batch.size() == 1 || static_cast<int>(batch.size()) * 10 <= limits.records);
    settle(batch);
  }
}

TEST_P(BrokerContract, C5_messages_of_one_lane_come_together) {
  std::size_t largest = 0;
  for (int round = 0; round < 20 && largest < 2; ++round) {
    publish(message(fmt::format("first{}", round), 0));
    const auto first = receive_one();
    for (int i = 0; i < 5; ++i) publish(message(fmt::format("m{}/{}", round, i), 0));
    ASSERT_TRUE(eventually([&] { return stats().ready == 5; }));
    settle(first);
    for (std::size_t left = 5; left > 0;) {
      const auto batch = receive();
      ASSERT_FALSE(batch.empty());
      largest = std::max(largest, batch.size());
      left -= batch.size();
      settle(batch);
    }
  }
  EXPECT_GE(largest, 2u);
}

// FLOW-8
TEST_P(BrokerContract, C5_several_come_only_where_there_are_enough_records) {
  publish(message("first", 0));
  const auto first = receive_one();
  for (int i = 0; i < 4; ++i) publish(message("m" + std::to_string(i), 0, 2));
  ASSERT_TRUE(eventually([&] { return stats().ready == 4; }));
  settle(first);
  EXPECT_EQ(receive({8, 1'000, 100}).size(), 1u);
}

TEST_P(BrokerContract, C6_settling_commits_with_the_step) {
  publish(message("m1"));
  const auto d = receive_one();
  {
    auto tx = store().begin(acme, in(kSoon)).value();
    ASSERT_TRUE(broker().settle(*tx, {&d, 1}));
  }
  EXPECT_EQ(pending(), 1) << "the step was rolled back";
  settle(d);
  EXPECT_EQ(pending(), 0);
  world->restart();
  EXPECT_TRUE(nothing_comes());
}

TEST_P(BrokerContract, C6_a_step_rolled_back_with_its_process_comes_again) {
  publish(message("m1"));
  const auto d = receive_one();
  {
    auto tx = store().begin(acme, in(kSoon)).value();
    ASSERT_TRUE(broker().settle(*tx, {&d, 1}));
  }
  world->restart();
  const auto again = receive_one();
  EXPECT_EQ(again.message_id, "m1");
  settle(again);
  EXPECT_EQ(pending(), 0);
}

// FLOW-10
TEST_P(BrokerContract, C6_a_message_settled_by_a_process_that_died_before_acknowledging_counts_once) {
  publish(message("m1"));
  const auto d = receive_one();
  {
    auto tx = store().begin(acme, in(kSoon)).value();
    ASSERT_TRUE(tx->add_to_inbox(queue, d.message_id));
    ASSERT_TRUE(broker().settle(*tx, {&d, 1}));
    ASSERT_TRUE(tx->commit());
  }
  EXPECT_EQ(pending(), 0);
  world->restart();
  for (const auto& again : receive({}, kMoment)) {
    EXPECT_EQ(again.message_id, "m1");
    EXPECT_TRUE(store().read(acme).value()->in_inbox(queue, again.message_id).value());
    settle(again);
  }
  EXPECT_EQ(pending(), 0);
}

TEST_P(BrokerContract, C7_a_refused_message_comes_again_after_its_delay_with_its_failures) {
  publish(message("m1"));
  publish(message("m2"));
  auto d = receive_one();
  const auto refused_at = clock.now();
  ASSERT_TRUE(broker().refuse({&d, 1}, 400ms, failure("slow")));
  EXPECT_TRUE(receive({}, 100ms).empty()) << "what follows in its lane waits too";
  d = receive_one();
  EXPECT_GE(clock.now() - refused_at, 390ms);
  EXPECT_EQ(d.message_id, "m1");
  EXPECT_EQ(d.deliveries, 2);
  ASSERT_EQ(d.failures.size(), 1u);
  EXPECT_EQ(d.failures[0].code, "slow");
  EXPECT_EQ(d.failures[0].message, "words of slow");
  ASSERT_TRUE(broker().refuse({&d, 1}, 0ms, failure("slower")));
  d = receive_one();
  EXPECT_EQ(d.deliveries, 3);
  ASSERT_EQ(d.failures.size(), 2u);
  EXPECT_EQ(d.failures[1].code, "slower");
  settle(d);
  EXPECT_EQ(drain(1), std::vector<std::string>{"m2"});
}

TEST_P(BrokerContract, C7_a_message_tried_before_comes_alone) {
  publish(message("m1"));
  const auto d = receive_one();
  publish(message("m2"));
  ASSERT_TRUE(eventually([&] { return stats().ready == 1; }));
  ASSERT_TRUE(broker().refuse({&d, 1}, 0ms, failure("slow")));
  const auto batch = receive();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].message_id, "m1");
}

TEST_P(BrokerContract, C7_failures_are_remembered_over_a_restart) {
  publish(message("m1"));
  const auto d = receive_one();
  ASSERT_TRUE(broker().refuse({&d, 1}, 0ms, failure("slow")));
  world->restart();
  const auto again = receive_one();
  EXPECT_EQ(again.deliveries, 2);
  ASSERT_EQ(again.failures.size(), 1u);
  EXPECT_EQ(again.failures[0].code, "slow");
}

TEST_P(BrokerContract, C8_a_released_message_comes_again_uncounted) {
  publish(message("m1"));
  publish(message("m2"));
  auto d = receive_one();
  const auto released_at = clock.now();
  ASSERT_TRUE(broker().release({&d, 1}, 300ms));
  EXPECT_TRUE(receive({}, 100ms).empty());
  d = receive_one();
  EXPECT_GE(clock.now() - released_at, 290ms);
  EXPECT_EQ(d.message_id, "m1");
  EXPECT_EQ(d.deliveries, 1);
  EXPECT_TRUE(d.failures.empty());
}

TEST_P(BrokerContract, C8_several_released_together_keep_their_order) {
  publish(message("first"));
  const auto first = receive_one();
  for (int i = 0; i < 3; ++i) publish(message("m" + std::to_string(i)));
  ASSERT_TRUE(eventually([&] { return stats().ready == 3; }));
  settle(first);
  const auto batch = receive();
  ASSERT_TRUE(broker().release(batch, 0ms));
  EXPECT_EQ(drain(3), (std::vector<std::string>{"m0", "m1", "m2"}));
}

// RETRY-5
TEST_P(BrokerContract, C9_a_process_that_dies_with_a_message_has_tried_it) {
  publish(message("m1"));
  for (int deliveries = 1; deliveries <= 4; ++deliveries) {
    const auto d = receive_one();
    EXPECT_EQ(d.deliveries, deliveries);
    EXPECT_TRUE(d.failures.empty());
    world->restart();
  }
}

// As one that waits for an import is put off again and again while processes come and go: that it lay in the
// memory of the first may count as a try, and nothing after that.
TEST_P(BrokerContract, C9_a_process_that_ends_after_it_put_a_message_off_has_not_tried_it) {
  publish(message("m1"));
  for (int process = 0; process < 4; ++process) {
    const auto d = receive_one();
    EXPECT_LE(d.deliveries, 2);
    ASSERT_TRUE(broker().release({&d, 1}, 0ms));
    world->restart();
  }
}

TEST_P(BrokerContract, C9_deaths_and_failures_count_together) {
  publish(message("m1"));
  auto d = receive_one();
  ASSERT_TRUE(broker().refuse({&d, 1}, 0ms, failure("slow")));
  d = receive_one();
  EXPECT_EQ(d.deliveries, 2);
  world->restart();
  d = receive_one();
  EXPECT_EQ(d.deliveries, 3);
  EXPECT_EQ(d.failures.size(), 1u);
}

TEST_P(BrokerContract, C10_a_record_is_retried_in_its_own_lane_when_its_time_has_come) {
  publish(message("m1"));
  const auto d = receive_one();
  const std::vector<Failure> failures{failure("slow")};
  const auto due = clock.now() + 400ms;
  {
    auto tx = store().begin(acme, in(kSoon)).value();
    ASSERT_TRUE(broker().retry(*tx, queue, message("r1", 0), "account/7", due, failures));
    ASSERT_TRUE(broker().settle(*tx, {&d, 1}));
    ASSERT_TRUE(tx->commit());
    broker().settled({&d, 1});
  }
  EXPECT_EQ(pending(), 1);
  publish(message("m2"));
  EXPECT_EQ(drain(1), std::vector<std::string>{"m2"}) << "others do not wait for it";
  const auto r = receive_one();
  EXPECT_GE(clock.now(), due);
  EXPECT_EQ(r.message_id, "r1");
  EXPECT_EQ(r.lane, kRetryLane);
  EXPECT_EQ(r.record_key, "account/7");
  EXPECT_EQ(r.deliveries, 1);
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_EQ(r.failures[0].code, "slow");
  settle(r);
  EXPECT_EQ(pending(), 0);
}

TEST_P(BrokerContract, C10_a_retry_rolled_back_with_its_step_never_comes) {
  {
    auto tx = store().begin(acme, in(kSoon)).value();
    ASSERT_TRUE(broker().retry(*tx, queue, message("r1"), "account/7", clock.now(), {}));
  }
  EXPECT_TRUE(nothing_comes());
  EXPECT_EQ(pending(), 0);
}

TEST_P(BrokerContract, C10_retries_do_not_wait_for_each_other) {
  for (const char* id : {"r1", "r2"}) {
    auto tx = store().begin(acme, in(kSoon)).value();
    ASSERT_TRUE(broker().retry(*tx, queue, message(id), id, clock.now(), {}));
    ASSERT_TRUE(tx->commit());
  }
  const auto one = receive_one();
  const auto two = receive_one();
  EXPECT_NE(one.message_id, two.message_id);
  EXPECT_EQ(two.lane, kRetryLane);
}

TEST_P(BrokerContract, C11_interrupt_wakes_all_receivers_for_good) {
  std::atomic<int> woken = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i)
      threads.emplace_back([&] {
        EXPECT_TRUE(receive({}, 60s).empty());
        ++woken;
      });
    broker().interrupt();
  }
  EXPECT_EQ(woken, 3);
  publish(message("m1"));
  EXPECT_TRUE(receive({}, 60s).empty()) << "they return empty from now on";
}

TEST_P(BrokerContract, C12_stats_tell_what_waits_what_is_in_hand_and_what_is_done) {
  for (int i = 0; i < 3; ++i) publish(message("m" + std::to_string(i), i));
  ASSERT_TRUE(eventually([&] { return stats().ready == 3; }));
  const auto d = receive_one();
  ASSERT_TRUE(eventually([&] { return stats().claimed == 1 && stats().ready == 2; }));
  ASSERT_TRUE(broker().refuse({&d, 1}, 60s, failure("slow")));
  ASSERT_TRUE(eventually([&] { return stats().claimed == 0 && stats().delayed == 1; }));
  settle(receive_one());
  ASSERT_TRUE(eventually([&] { return stats().ready == 1 && stats().settled_total == 1; }));
  EXPECT_LT(stats().oldest_seconds, 60);
}

TEST_P(BrokerContract, C13_patterns_bind_types_to_queues) {
  world->declare({queue + "_two", {queue + ".*.word", queue + ".#"}, 3});
  const std::vector<std::string> types{queue, queue + ".a", queue + ".a.word", queue + ".a.b.word"};
  for (const auto& t : types) {
    auto m = message(t);
    m.type = t;
    publish(m);
  }
  std::multiset<std::string> got;
  for (std::size_t i = 0; i < types.size();) {
    const auto batch = broker().receive(queue + "_two", {}, in(kSoon)).value();
    ASSERT_FALSE(batch.empty());
    for (const auto& d : batch) got.insert(d.type);
    settle(batch);
    i += batch.size();
  }
  EXPECT_EQ(got, std::multiset<std::string>(types.begin(), types.end()))
      << "once each, however many patterns fit";
  EXPECT_TRUE(nothing_comes()) << "no pattern of the first queue fits";
  EXPECT_EQ(pending(), 0);
}

TEST_P(BrokerContract, C13_a_type_goes_to_every_queue_bound_to_it) {
  world->declare({queue + "_two", {type}, 3});
  publish(message("m1"));
  EXPECT_EQ(receive_one().message_id, "m1");
  EXPECT_EQ(broker().receive(queue + "_two", {}, in(kSoon)).value().size(), 1u);
  EXPECT_EQ(store().read(acme).value()->pending(flow).value(), 2);
}

TEST_P(BrokerContract, C13_a_message_nobody_wants_is_counted_and_not_kept) {
  auto m = message("m1");
  m.type = queue + ".nobody";
  publish(m);
  publish(message("m2"));
  EXPECT_EQ(drain(1), std::vector<std::string>{"m2"});
  EXPECT_TRUE(nothing_comes());
  EXPECT_EQ(store().read(acme).value()->pending(flow).value(), 0);
  EXPECT_TRUE(eventually([&] { return store().outbox().depth().value().messages == 0; }));
}

// FLOW-7
TEST_P(BrokerContract, C14_messages_may_be_as_large_as_the_limit) {
  const std::string body(kMaxMessageBytes, 'x');
  publish(message("m1", 0, 1, body));
  publish(message("m2"));
  const auto d = receive_one();
  EXPECT_EQ(d.message_id, "m1");
  EXPECT_TRUE(d.body == body);
  settle(d);
  EXPECT_EQ(drain(1), std::vector<std::string>{"m2"});
}

TEST_P(BrokerContract, C15_an_unknown_queue_is_an_error) {
  EXPECT_EQ(broker().receive("no such queue", {}, in(0s)).error().code, "unknown_queue");
}

TEST_P(BrokerContract, C16_says_whether_it_answers) {
  EXPECT_TRUE(broker().check());
}

// Fails as it is told.
class FailingHandler final : public Handler {
 public:
  std::function<std::optional<Error>()> trouble;
  int applied = 0;
  Result<std::unique_ptr<Plan>> prepare(const storage::Reader&, std::span<const Incoming>) override {
    if (auto error = trouble()) return std::unexpected(std::move(*error));
    struct Done final : Plan {
      FailingHandler* handler;
      Result<> apply(Step&) override {
        ++handler->applied;
        return {};
      }
      std::span<const RecordFailure> failures() const override { return {}; }
      std::string summary() const override { return "done"; }
    };
    auto plan = std::make_unique<Done>();
    plan->handler = this;
    return plan;
  }
};

// RETRY-1
TEST_P(BrokerContract, C17_what_fails_too_often_ends_as_a_dead_letter_through_the_consumer) {
  const auto schemas = SchemaRegistry::create(builtin_schemas()).value();
  const Publisher publisher(*schemas, clock, ids);
  FailingHandler handler;
  handler.trouble = [] { return Error{"not_possible", "cannot be done", ErrorClass::conditional, {}}; };
  ConsumerOptions options;
  options.queue = {queue + "_raw", {std::string(model::event::kDataRaw)}, 3};
  options.first_retry = 1ms;
  options.longest_retry = 5ms;
  options.jitter = 0ms;
  world->declare(options.queue);
  Consumer consumer({&store(), &broker(), schemas.get(), &publisher, &clock, &random, &ids, {}}, options,
                    handler);
  {
    auto tx = store().begin(acme, in(kSoon)).value();
    json::array records{{{"key", "a"}, {"source", "1"}}};
    const auto done = publisher.publish(*tx, "files", {flow, ""},
                                        {model::event::kDataRaw,
                                         "",
                                         {{"integrationId", "files"},
                                          {"entityType", "account"},
                                          {"format", {{"kind", "csv"}}},
                                          {"mapping", json::object()},
                                          {"observedAt", "2026-01-01T00:00:00Z"},
                                          {"records", std::move(records)}},
                                         0,
                                         1});
    ASSERT_TRUE(done) << done.error().describe();
    ASSERT_TRUE(tx->commit());
  }
  for (int steps = 0; steps < 4; ++steps) {
    const auto stepped = consumer.step(in(kSoon));
    ASSERT_TRUE(stepped) << stepped.error().describe();
    ASSERT_TRUE(*stepped);
  }
  const auto dead = store().read(acme).value()->dead_letters("", "", 10).value();
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].code, "not_possible");
  EXPECT_EQ(dead[0].deliveries, 4);
  EXPECT_EQ(dead[0].errors.size(), 4u);
  EXPECT_EQ(store().read(acme).value()->pending(flow).value(), 0);
  EXPECT_EQ(handler.applied, 0);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, BrokerContract, ::testing::ValuesIn(testing::broker_catalogue()),
                         [](const auto& entry) { return entry.param.name; });

}  // namespace
}  // namespace castiel::messaging
