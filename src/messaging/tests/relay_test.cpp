#include "messaging/relay.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>

#include "base/random.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::messaging {
namespace {

using namespace std::chrono_literals;

// A broker that answers as it is told.
class TestCarrier final : public Carrier {
 public:
  std::optional<Error> away;
  std::size_t window = 1'000;
  bool answers = true;  // at the next question
  std::size_t answers_at_once = 1'000;
  std::map<std::string, std::deque<Fate>> fates;  // by message, one a try; confirmed otherwise
  std::vector<std::string> sent;
  std::vector<std::string> arrived;  // in the broker's queue, as a consumer would see them
  std::deque<std::pair<std::int64_t, std::string>> open;
  int woken = 0;

  Result<> ready() override {
    if (away) return std::unexpected(*away);
    return {};
  }
  std::size_t room() const override { return window - std::min(window, open.size()); }
  Result<> carry(const storage::OutboxMessage& m) override {
    sent.push_back(m.message.id);
    open.emplace_back(m.row, m.message.id);
    return {};
  }
  std::vector<Outcome> outcomes(Duration) override {
    std::vector<Outcome> told;
    if (!answers) return told;
    for (; !open.empty() && told.size() < answers_at_once; open.pop_front()) {
      const auto [row, id] = open.front();
      auto& planned = fates[id];
      Fate fate = Fate::confirmed;
      if (!planned.empty()) {
        fate = planned.front();
        planned.pop_front();
      }
      if (fate == Fate::confirmed) arrived.push_back(id);
      told.push_back({row, fate});
    }
    return told;
  }
  void wake() override { ++woken; }
};

class RelayTest : public testing::Test {
 protected:
  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  ManualClock clock{parse_timestamp("2026-01-01T00:00:00Z").value()};
  std::unique_ptr<storage::SqliteStore> store = [this] {
    storage::SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.publish_to = storage::SqliteStore::PublishTo::outbox;
    options.sync = false;
    return storage::SqliteStore::open(options, clock).value();
  }();
  TenantId acme{"acme"}, other{"other"};
  TestCarrier carrier;
  telemetry::Metrics metrics;
  std::size_t lane_window = 200;

  void SetUp() override {
    ASSERT_TRUE(store->create_tenant(acme, soon()));
    ASSERT_TRUE(store->create_tenant(other, soon()));
  }
  void TearDown() override {
    store.reset();
    std::filesystem::remove_all(folder);
  }
  Deadline soon() { return Deadline::after(clock, 5s); }
  std::unique_ptr<Relay> relay(Carrier& to, const std::string& owner = "one",
                               int most = storage::kOutboxPartitions) {
    RelayOptions options;
    options.owner = owner;
    options.most_partitions = most;
    options.lane_window = lane_window;
    return std::make_unique<Relay>(store->outbox(), to, clock, telemetry::Log(), &metrics, options);
  }
  void publish(const std::string& id, int lane, const TenantId& tenant) {
    auto tx = store->begin(tenant, soon()).value();
    ASSERT_TRUE(tx->publish("files", {id, "a.b", CorrelationId("import-1"), lane, 1, "{}"}));
    ASSERT_TRUE(tx->commit());
  }
  void publish(const std::string& id, int lane = 0) { publish(id, lane, acme); }
  std::int64_t left() { return store->outbox().depth().value().messages; }
  // Steps until nothing moves any more, turning the clock to whatever waits for it.
  void drain(Relay& r) {
    for (int i = 0; i < 200 && left() > 0; ++i) {
      ASSERT_TRUE(r.step(0s));
      clock.advance(50ms);
      r.wake();
    }
    EXPECT_EQ(left(), 0);
  }
};

TEST_F(RelayTest, removes_what_was_confirmed_and_only_that) {
  publish("m1");
  publish("m2", 1);
  carrier.fates["m2"] = {Carrier::Fate::refused};
  auto r = relay(carrier);
  ASSERT_TRUE(r->step(0s));
  clock.advance(20ms);
  ASSERT_TRUE(r->step(0s));
  EXPECT_EQ(carrier.arrived, std::vector<std::string>{"m1"});
  EXPECT_EQ(carrier.sent.size(), 2u);
  EXPECT_EQ(left(), 1);
  EXPECT_NE(metrics.render().find("castiel_relay_published_total{outcome=\"refused\"} 1"), std::string::npos);
}

TEST_F(RelayTest, keeps_everything_while_nothing_is_confirmed) {
  publish("m1");
  carrier.answers = false;
  auto r = relay(carrier);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(r->step(0s));
    clock.advance(1s);
  }
  EXPECT_EQ(carrier.sent, std::vector<std::string>{"m1"}) << "and sends it once while its confirm may come";
  EXPECT_EQ(left(), 1);
}

// FLOW-9
TEST_F(RelayTest, sends_no_more_of_a_lane_ahead_of_a_confirm_than_its_window) {
  for (int i = 0; i < 4; ++i) publish("m" + std::to_string(i), 4);
  publish("elsewhere", 5);
  carrier.answers = false;
  lane_window = 2;
  auto r = relay(carrier);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(r->step(0s));
  auto sent = carrier.sent;
  std::ranges::sort(sent);
  EXPECT_EQ(sent, (std::vector<std::string>{"elsewhere", "m0", "m1"}));
  carrier.answers = true;
  drain(*r);
  std::erase(carrier.sent, "elsewhere");
  EXPECT_EQ(carrier.sent, (std::vector<std::string>{"m0", "m1", "m2", "m3"})) << "each once";
}

TEST_F(RelayTest, with_a_window_of_one_a_refused_message_is_overtaken_by_none_of_its_lane) {
  for (int i = 0; i < 5; ++i) publish("m" + std::to_string(i), 4);
  carrier.fates["m1"] = {Carrier::Fate::refused, Carrier::Fate::refused};
  lane_window = 1;
  auto r = relay(carrier);
  drain(*r);
  EXPECT_EQ(carrier.arrived, (std::vector<std::string>{"m0", "m1", "m2", "m3", "m4"}));
}

TEST_F(RelayTest, what_a_broken_connection_lost_is_sent_again_in_order_and_before_the_next) {
  for (int i = 0; i < 6; ++i) publish("m" + std::to_string(i), 4);
  for (const char* id : {"m1", "m2", "m3"}) carrier.fates[id] = {Carrier::Fate::lost};
  lane_window = 4;
  auto r = relay(carrier);
  drain(*r);
  EXPECT_EQ(carrier.sent, (std::vector<std::string>{"m0", "m1", "m2", "m3", "m1", "m2", "m3", "m4", "m5"}));
  EXPECT_EQ(carrier.arrived, (std::vector<std::string>{"m0", "m1", "m2", "m3", "m4", "m5"}));
}

TEST_F(RelayTest, a_lane_with_a_refused_message_pauses_until_it_is_known_what_else_arrived) {
  for (int i = 0; i < 6; ++i) publish("m" + std::to_string(i), 4);
  carrier.fates["m1"] = {Carrier::Fate::refused};
  carrier.answers_at_once = 2;
  lane_window = 4;
  auto r = relay(carrier);
  ASSERT_TRUE(r->step(0s));
  EXPECT_EQ(carrier.sent.size(), 4u);
  clock.advance(5s);
  carrier.answers = false;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(r->step(0s));
  EXPECT_EQ(carrier.sent.size(), 4u) << "m2 and m3 are still under way";
  carrier.answers = true;
  drain(*r);
  EXPECT_EQ(carrier.sent, (std::vector<std::string>{"m0", "m1", "m2", "m3", "m1", "m4", "m5"}))
      << "what arrived behind it is not sent again";
}

TEST_F(RelayTest, a_message_nobody_wants_leaves_the_outbox) {
  publish("m1");
  carrier.fates["m1"] = {Carrier::Fate::nobody};
  auto r = relay(carrier);
  drain(*r);
  EXPECT_EQ(carrier.sent, std::vector<std::string>{"m1"});
}

TEST_F(RelayTest, waits_with_everything_while_the_broker_is_away) {
  publish("m1");
  carrier.away = Error{"broker_unreachable", "away", ErrorClass::transient, {}};
  auto r = relay(carrier);
  const auto stepped = r->step(0s);
  ASSERT_FALSE(stepped);
  EXPECT_EQ(stepped.error().code, "broker_unreachable");
  EXPECT_TRUE(carrier.sent.empty());
  EXPECT_EQ(left(), 1);
  carrier.away.reset();
  drain(*r);
  EXPECT_EQ(carrier.arrived, std::vector<std::string>{"m1"});
}

TEST_F(RelayTest, never_has_more_under_way_than_the_window) {
  for (int i = 0; i < 30; ++i) publish("m" + std::to_string(i), i);
  carrier.window = 4;
  carrier.answers = false;
  auto r = relay(carrier);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(r->step(0s));
  EXPECT_EQ(carrier.sent.size(), 4u);
  carrier.answers = true;
  drain(*r);
  EXPECT_EQ(carrier.arrived.size(), 30u);
}

TEST_F(RelayTest, tenants_take_turns) {
  for (int i = 0; i < 20; ++i) publish("a" + std::to_string(i), 0);
  publish("b0", 0, other);
  auto r = relay(carrier);
  drain(*r);
  const auto b = std::ranges::find(carrier.sent, "b0") - carrier.sent.begin();
  EXPECT_LE(b, 1);
}

TEST_F(RelayTest, two_relays_send_each_message_of_a_lane_once_and_in_order) {
  for (int i = 0; i < 60; ++i) publish(std::to_string(i), i % 6, i % 2 == 0 ? acme : other);
  TestCarrier second;
  auto one = relay(carrier, "one", 5);
  auto two = relay(second, "two");
  for (int i = 0; i < 100 && left() > 0; ++i) {
    ASSERT_TRUE(one->step(0s));
    ASSERT_TRUE(two->step(0s));
    clock.advance(20ms);
  }
  EXPECT_EQ(left(), 0);
  EXPECT_EQ(carrier.sent.size() + second.sent.size(), 60u);
  for (const auto* c : {&carrier, &second}) {
    std::map<int, int> last;
    for (const auto& id : c->arrived) {
      const int n = std::stoi(id);
      auto [it, first] = last.try_emplace(n % 6, n);
      EXPECT_TRUE(first || it->second < n);
      it->second = n;
    }
  }
}

// FLOW-10
TEST_F(RelayTest, one_that_was_paused_past_its_leases_removes_nothing_of_the_next_ones) {
  publish("m1");
  carrier.answers = false;
  auto paused = relay(carrier, "paused");
  ASSERT_TRUE(paused->step(0s));
  ASSERT_EQ(carrier.sent.size(), 1u);
  clock.advance(1min);
  TestCarrier second;
  second.answers = false;
  auto next = relay(second, "next");
  ASSERT_TRUE(next->step(0s));
  EXPECT_EQ(second.sent, std::vector<std::string>{"m1"}) << "it cannot know that it arrived";
  carrier.answers = true;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(paused->step(0s));
    clock.advance(100ms);
  }
  EXPECT_EQ(left(), 1) << "the confirm came to one who has no lease any more";
  second.answers = true;
  drain(*next);
}

TEST_F(RelayTest, what_was_sent_and_not_removed_is_sent_again_by_the_next_process) {
  publish("m1");
  publish("m2");
  {
    auto r = relay(carrier);
    carrier.answers = false;
    ASSERT_TRUE(r->step(0s));
  }
  TestCarrier second;
  auto r = relay(second);
  drain(*r);
  EXPECT_EQ(second.arrived, (std::vector<std::string>{"m1", "m2"}));
}

TEST_F(RelayTest, a_retried_record_goes_when_its_time_has_come) {
  {
    auto tx = store->begin(acme, soon()).value();
    ASSERT_TRUE(store->outbox().add(*tx, "q",
                                    {"r1", "a.b", CorrelationId("import-1"), storage::kRetryLane, 1, "{}"},
                                    "key", clock.now() + 2s, ""));
    ASSERT_TRUE(tx->commit());
  }
  auto r = relay(carrier);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(r->step(0s));
    clock.advance(150ms);
  }
  EXPECT_TRUE(carrier.sent.empty());
  clock.advance(1s);
  drain(*r);
  EXPECT_EQ(carrier.sent, std::vector<std::string>{"r1"});
}

TEST_F(RelayTest, tells_how_much_waits) {
  publish("m1");
  clock.advance(7s);
  carrier.answers = false;
  auto r = relay(carrier);
  ASSERT_TRUE(r->step(0s));
  const auto text = metrics.render();
  EXPECT_NE(text.find("castiel_outbox_messages 1"), std::string::npos) << text;
  EXPECT_NE(text.find("castiel_outbox_oldest_seconds 7"), std::string::npos) << text;
  EXPECT_NE(text.find("castiel_relay_unconfirmed_messages 1"), std::string::npos) << text;
}

TEST_F(RelayTest, a_commit_wakes_it) {
  auto r = relay(carrier);
  store->outbox().on_written([&] { r->wake(); });
  publish("m1");
  EXPECT_EQ(carrier.woken, 1);
  store->outbox().on_written({});
}

}  // namespace
}  // namespace castiel::messaging
