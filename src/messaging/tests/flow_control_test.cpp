// How full the queues are and what follows from it (FLOWCTL-3).

#include "messaging/flow_control.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <set>

#include "messaging/embedded/embedded_broker.hpp"
#include "messaging/worker_pool.hpp"

namespace castiel::messaging {
namespace {

using namespace std::chrono_literals;

// A broker of which only the lengths of its queues are known; receivers wait until it is interrupted or has a
// word for them.
class CountedBroker final : public Broker {
 public:
  std::optional<Error> away;
  std::map<std::string, QueueStats> queues;
  std::atomic<int> receiving = 0;

  void set(const std::string& name, std::int64_t ready, std::int64_t oldest = 0) {
    queues[name].name = name;
    queues[name].ready = ready;
    queues[name].oldest_seconds = oldest;
  }
  Result<> declare(const QueueSpec&) override { return {}; }
  Result<std::vector<Delivery>> receive_by(std::string_view, const LimitsOf&, Deadline) override {
    std::unique_lock lock(mutex_);
    ++receiving;
    changed_.notify_all();
    changed_.wait_for(lock, 20ms, [this] { return interrupted_; });
    --receiving;
    return std::vector<Delivery>();
  }
  Result<> settle(storage::Transaction&, std::span<const Delivery>) override { return {}; }
  void settled(std::span<const Delivery>) override {}
  Result<> refuse(std::span<const Delivery>, Duration, const storage::Failure&) override { return {}; }
  Result<> release(std::span<const Delivery>, Duration) override { return {}; }
  Result<> retry(storage::Transaction&, std::string_view, const storage::OutgoingMessage&, std::string_view,
                 Timestamp, std::span<const storage::Failure>) override {
    return {};
  }
  Result<std::vector<QueueStats>> stats() override {
    if (away) return std::unexpected(*away);
    std::vector<QueueStats> all;
    for (const auto& [name, stats] : queues) all.push_back(stats);
    return all;
  }
  void interrupt() override {
    std::lock_guard lock(mutex_);
    interrupted_ = true;
    changed_.notify_all();
  }
  // Whether so many threads wait for work at the same time, soon.
  bool has_receivers(int n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 5s, [&] { return receiving == n; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool interrupted_ = false;
};

struct FlowControlTest : testing::Test {
  ManualClock clock{parse_timestamp("2026-01-01T00:00:00Z").value()};
  CountedBroker broker;
  telemetry::Metrics metrics;
  std::vector<std::pair<std::string, QueueLevel>> told;
  FlowControl flow{{&broker,
                    nullptr,
                    &clock,
                    {},
                    &metrics,
                    [this](std::string_view queue, QueueLevel level) { told.emplace_back(queue, level); }},
                   FlowLimits{}};
  QueueLevel at(std::int64_t depth) {
    broker.set("q", depth);
    EXPECT_TRUE(flow.look());
    return flow.level("q");
  }
};

TEST_F(FlowControlTest, levels_rise_at_their_depths_and_fall_a_little_lower) {
  EXPECT_EQ(at(1'000), QueueLevel::calm);
  EXPECT_EQ(at(1'001), QueueLevel::warning);
  EXPECT_EQ(at(2'501), QueueLevel::scale_out);
  EXPECT_EQ(at(2'100), QueueLevel::scale_out);
  EXPECT_EQ(at(1'999), QueueLevel::warning);
  EXPECT_EQ(at(5'001), QueueLevel::critical);
  EXPECT_EQ(at(799), QueueLevel::calm);
  EXPECT_EQ(told.back(), (std::pair<std::string, QueueLevel>("q", QueueLevel::calm)));
  EXPECT_EQ(flow.level("unknown"), QueueLevel::calm);
}

TEST_F(FlowControlTest, publishing_pauses_above_the_high_mark_and_goes_on_below_the_low_one) {
  EXPECT_EQ(at(10'000), QueueLevel::critical);
  EXPECT_FALSE(flow.paused());
  EXPECT_EQ(at(10'001), QueueLevel::paused);
  ASSERT_TRUE(flow.paused());
  EXPECT_EQ(flow.paused()->queue, "q");
  EXPECT_EQ(flow.paused()->depth, 10'001);
  at(5'000);
  EXPECT_TRUE(flow.paused());
  at(4'999);
  EXPECT_FALSE(flow.paused());
  EXPECT_EQ(flow.level("q"), QueueLevel::critical) << "it is still nearly as long as it may be";
}

TEST_F(FlowControlTest, every_queue_has_to_be_short_enough) {
  broker.set("a", 20'000);
  broker.set("b", 30'000);
  ASSERT_TRUE(flow.look());
  EXPECT_EQ(flow.paused()->queue, "b");
  broker.set("b", 0);
  ASSERT_TRUE(flow.look());
  EXPECT_EQ(flow.paused()->queue, "a");
  broker.set("a", 0);
  ASSERT_TRUE(flow.look());
  EXPECT_FALSE(flow.paused());
}

TEST_F(FlowControlTest, a_broker_that_is_away_changes_nothing) {
  at(10'001);
  broker.away = Error{"broker_unreachable", "away", ErrorClass::transient, {}};
  EXPECT_FALSE(flow.look());
  EXPECT_TRUE(flow.paused());
}

TEST_F(FlowControlTest, metrics_say_depth_level_and_pause) {
  broker.queues["q"].claimed = 1;
  broker.queues["q"].delayed = 2;
  at(10'001);
  const auto text = metrics.render();
  EXPECT_NE(text.find("castiel_queue_depth{queue=\"q\"} 10004"), std::string::npos) << text;
  EXPECT_NE(text.find("castiel_queue_level{queue=\"q\"} 4"), std::string::npos);
  EXPECT_NE(text.find("castiel_flow_paused 1"), std::string::npos);
  EXPECT_NE(text.find("castiel_flow_pauses_total 1"), std::string::npos);
}

struct IdleHandler final : Handler {
  Result<std::unique_ptr<Plan>> prepare(const storage::Reader&, std::span<const Incoming>) override {
    return permanent("unexpected", "there is nothing to handle");
  }
};

TEST(WorkerPool, a_queue_gets_more_threads_while_it_is_long_and_its_least_again) {
  SystemClock clock;
  CountedBroker broker;
  IdleHandler handler;
  ConsumerOptions options;
  options.queue = {"q", {"a.b"}, 5};
  Consumer consumer({nullptr, &broker, nullptr, nullptr, &clock, nullptr, nullptr, {}}, options, handler);
  WorkerPool pool(broker, clock, {});
  pool.add(consumer, 1, 4);
  pool.scale("q", true);  // not running yet: nothing
  EXPECT_EQ(pool.threads_of("q"), 1);
  pool.start();
  EXPECT_TRUE(broker.has_receivers(1));
  for (int i = 0; i < 3; ++i) {
    pool.scale("q", true);
    EXPECT_EQ(pool.threads_of("q"), 4);
    EXPECT_TRUE(broker.has_receivers(4));
    pool.scale("other", false);
    pool.scale("q", false);
    EXPECT_EQ(pool.threads_of("q"), 1);
    EXPECT_TRUE(broker.has_receivers(1));
  }
  pool.stop();
  EXPECT_EQ(broker.receiving, 0);
}

}  // namespace
}  // namespace castiel::messaging
