// What only a broker in another process can do: go away, come back, not answer, refuse, lose its queues.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <thread>

#include "messaging/rabbitmq/impl/connection.hpp"
#include "messaging/rabbitmq/impl/topology.hpp"
#include "messaging/rabbitmq/rabbitmq_broker.hpp"
#include "messaging/rabbitmq/rabbitmq_url.hpp"
#include "messaging/relay.hpp"
#include "messaging/testing/rabbitmq_server.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::messaging {
namespace {

using namespace std::chrono_literals;
using testing::RabbitmqServer;

TEST(RabbitmqUrlTest, reads_every_part) {
  const auto url = parse_rabbitmq_url(
                       "amqps://us%40er:p%2Fw:d@broker.example.com:5999/v%2Fhost?verify=verify_none&"
                       "cacertfile=/ca.pem&heartbeat=5")
                       .value();
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.user, "us@er");
  EXPECT_EQ(url.password.reveal(), "p/w:d");
  EXPECT_EQ(url.host, "broker.example.com");
  EXPECT_EQ(url.port, 5999);
  EXPECT_EQ(url.vhost, "v/host");
  EXPECT_FALSE(url.verify);
  EXPECT_EQ(url.ca_file, "/ca.pem");
  EXPECT_EQ(url.heartbeat, 5s);
}

TEST(RabbitmqUrlTest, has_defaults) {
  const auto url = parse_rabbitmq_url("amqp://broker").value();
  EXPECT_EQ(url.user, "guest");
  EXPECT_EQ(url.port, 5672);
  EXPECT_EQ(url.vhost, "/");
  EXPECT_EQ(parse_rabbitmq_url("amqps://broker/").value().port, 5671);
  EXPECT_EQ(parse_rabbitmq_url("amqp://[::1]:5673").value().host, "::1");
}

TEST(RabbitmqUrlTest, never_shows_user_or_password) {
  for (const char* text :
       {"http://me:hunter2@x", "amqp://me:hunter2@", "amqp://me:hunter2@x:port",
        "amqp://me:hunter2@x?hunter=1", "amqp://me:%zzhunter2@x", "amqp://me:hunter2@[::1"}) {
    const auto url = parse_rabbitmq_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, "invalid_broker_url");
    EXPECT_EQ(url.error().describe().find("hunter2"), std::string::npos) << url.error().describe();
  }
  const auto url = parse_rabbitmq_url("amqp://me:hunter2@host/v").value();
  EXPECT_EQ(url.shown(), "amqp://host:5672/v");
}

class CapturedLines final : public telemetry::LineSink {
 public:
  void write(telemetry::Level, std::string_view line) override {
    std::lock_guard lock(mutex_);
    text_ += line;
    text_ += '\n';
  }
  std::string text() const {
    std::lock_guard lock(mutex_);
    return text_;
  }
  bool contains(std::string_view words) const {
    std::lock_guard lock(mutex_);
    return text_.find(words) != std::string::npos;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// One process: store, broker and relay.
struct Process {
  Process(const std::filesystem::path& folder, const std::string& url, const Clock& clock, Random& random,
          const std::string& name = "p")
      : log(lines, clock) {
    storage::SqliteStore::Options store_options;
    store_options.path = (folder / (name + ".db")).string();
    store_options.publish_to = storage::SqliteStore::PublishTo::outbox;
    store_options.sync = false;
    store = storage::SqliteStore::open(store_options, clock).value();
    RabbitmqOptions options;
    options.url = Secret(url);
    options.partitions = 2;
    options.look_around = 1s;
    options.name = name;
    broker = RabbitmqBroker::create(options, *store, clock, random, log).value();
    RelayOptions relaying;
    relaying.owner = name;
    relay = std::make_unique<Relay>(store->outbox(), broker->carrier(), clock, log, nullptr, relaying);
    thread = std::make_unique<RelayThread>(*relay, store->outbox(), clock, log);
    thread->start();
  }
  ~Process() { thread.reset(); }

  std::shared_ptr<CapturedLines> lines = std::make_shared<CapturedLines>();
  telemetry::Log log;
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<RabbitmqBroker> broker;
  std::unique_ptr<Relay> relay;
  std::unique_ptr<RelayThread> thread;
};

class RabbitmqTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = RabbitmqServer::start();
    ASSERT_TRUE(started) << started.error().describe();
    server_ = started->release();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static inline RabbitmqServer* server_ = nullptr;

  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  SystemClock clock;
  SystemRandom random;
  IdGenerator ids{clock, random};
  const std::string queue = "q_" + ids.next();
  const std::string type = queue + ".happened";
  QueueSpec spec{queue, {type}, 3};
  TenantId acme{"acme"};
  CorrelationId flow{"import-1"};
  std::unique_ptr<Process> process;

  void SetUp() override {
    ASSERT_NE(server_, nullptr);
    start();
  }
  void TearDown() override {
    if (HasFailure() && process) std::cout << process->lines->text();
    if (process) (void)process->broker->remove(spec);
    process.reset();
    std::filesystem::remove_all(folder);
  }
  void start() {
    process.reset();
    process = std::make_unique<Process>(folder, server_->url(), clock, random);
    ASSERT_TRUE(process->store->create_tenant(acme, in(10s)));
    ASSERT_TRUE(process->broker->declare(spec));
  }
  Broker& broker() { return *process->broker; }
  Deadline in(Duration d) { return Deadline::after(clock, d); }
  void publish(const std::string& id, int lane = 0, const std::string& of_type = {}) {
    auto tx = process->store->begin(acme, in(10s)).value();
    ASSERT_TRUE(tx->publish("test", {id, of_type.empty() ? type : of_type, flow, lane, 1, "{}"}));
    ASSERT_TRUE(tx->commit());
  }
  std::vector<Delivery> receive(Duration wait = 30s, ReceiveLimits limits = {1, 100, 0}) {
    return broker().receive(queue, limits, in(wait)).value();
  }
  // Settles as a consumer does: a message the inbox knows has no second effect.
  bool settle(const std::vector<Delivery>& deliveries) {
    auto tx = process->store->begin(acme, in(10s)).value();
    bool first = true;
    for (const auto& d : deliveries) first = tx->add_to_inbox(queue, d.message_id).value() && first;
    EXPECT_TRUE(broker().settle(*tx, deliveries));
    EXPECT_TRUE(tx->commit());
    broker().settled(deliveries);
    return first;
  }
  std::int64_t pending() { return process->store->read(acme).value()->pending(flow).value(); }
  std::int64_t outbox() { return process->store->outbox().depth().value().messages; }
  bool eventually(const std::function<bool()>& condition) {
    for (const auto deadline = in(30s); !deadline.passed(); std::this_thread::yield()) {
      if (condition()) return true;
    }
    return condition();
  }
};

// TEST-3
TEST_F(RabbitmqTest, nothing_is_lost_or_done_twice_when_the_server_is_killed) {
  constexpr int kMessages = 300;
  std::jthread publisher([&] {
    for (int i = 0; i < kMessages; ++i) publish(std::to_string(i), i % 4);
  });
  std::map<int, std::vector<int>> order;
  int effects = 0, kills = 0;
  for (const auto deadline = in(120s); effects < kMessages && !deadline.passed();) {
    const auto got = receive(500ms, {3, 100, 0});
    if (got.empty()) continue;
    if (settle(got)) {
      effects += static_cast<int>(got.size());
      for (const auto& d : got) order[d.lane].push_back(std::stoi(d.message_id));
    }
    if (kills < 2 && effects >= (kills + 1) * kMessages / 3) {
      ++kills;
      const auto restarted = server_->restart();
      ASSERT_TRUE(restarted) << restarted.error().describe();
    }
  }
  publisher.join();
  EXPECT_EQ(effects, kMessages);
  EXPECT_EQ(kills, 2);
  for (const auto& [lane, numbers] : order) EXPECT_TRUE(std::ranges::is_sorted(numbers)) << "lane " << lane;
  EXPECT_TRUE(eventually([&] { return outbox() == 0; }));
  for (auto rest = receive(500ms); !rest.empty(); rest = receive(500ms)) EXPECT_FALSE(settle(rest));
  EXPECT_EQ(pending(), 0);
}

TEST_F(RabbitmqTest, a_step_that_runs_while_the_connection_breaks_is_settled_and_not_repeated) {
  publish("m1");
  publish("m2");
  const auto first = receive();
  ASSERT_EQ(first.size(), 1u);
  ASSERT_TRUE(server_->restart());
  EXPECT_TRUE(receive(2s).empty()) << "its lane is taken, though the server hands it out anew";
  EXPECT_TRUE(settle(first));
  const auto second = receive();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].message_id, "m2");
  EXPECT_EQ(second[0].deliveries, 1) << "a connection that broke is no try";
  EXPECT_TRUE(settle(second));
  EXPECT_TRUE(receive(500ms).empty());
  EXPECT_EQ(pending(), 0);
}

TEST_F(RabbitmqTest, a_message_refused_while_the_connection_breaks_keeps_its_failures) {
  publish("m1");
  const auto first = receive();
  ASSERT_TRUE(server_->restart());
  ASSERT_TRUE(broker().refuse(first, 100ms, {clock.now(), "slow", "words"}));
  const auto again = receive();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].deliveries, 2);
  ASSERT_EQ(again[0].failures.size(), 1u);
  EXPECT_EQ(again[0].failures[0].code, "slow");
}

TEST_F(RabbitmqTest, publishing_and_checks_wait_for_a_server_that_is_away) {
  server_->kill();
  publish("m1");
  EXPECT_TRUE(eventually([&] { return process->thread->trouble().has_value(); }));
  EXPECT_EQ(process->thread->trouble()->code, "broker_unreachable");
  const auto checked = broker().check();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, "broker_unreachable");
  EXPECT_EQ(broker().stats().error().code, "broker_unreachable");
  EXPECT_EQ(outbox(), 1);
  ASSERT_TRUE(server_->restart());
  EXPECT_EQ(receive().at(0).message_id, "m1");
  EXPECT_TRUE(eventually([&] { return broker().check().has_value(); }));
  EXPECT_FALSE(process->lines->contains(RabbitmqServer::kPassword));
  EXPECT_FALSE(process->lines->contains("secret"));
}

TEST_F(RabbitmqTest, a_wrong_password_is_told_without_it) {
  auto url = server_->url();
  url.replace(url.find("a%20secret"), 10, "wrong-one");
  Process stranger(folder, url, clock, random, "stranger");
  const auto checked = stranger.broker->check();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, "broker_refused");
  EXPECT_EQ(checked.error().describe().find("wrong-one"), std::string::npos) << checked.error().describe();
}

TEST_F(RabbitmqTest, speaks_tls_with_a_server_whose_certificate_it_can_check) {
  const auto answer = [&](const std::string& query) {
    const auto url = parse_rabbitmq_url(server_->tls_url(query)).value();
    return rabbitmq::Connection::open(url, "tls");
  };
  const auto trusted = answer("cacertfile=" + server_->certificate());
  EXPECT_TRUE(trusted) << trusted.error().describe();
  EXPECT_TRUE(answer("verify=verify_none"));
  const auto unknown = answer("");
  ASSERT_FALSE(unknown) << "nobody vouches for the certificate";
  EXPECT_EQ(unknown.error().describe().find("secret"), std::string::npos) << unknown.error().describe();
}

// FLOW-9
TEST_F(RabbitmqTest, another_process_takes_over_a_lane_in_order) {
  for (int i = 0; i < 6; ++i) publish(std::to_string(i), 1);
  ASSERT_EQ(receive().at(0).message_id, "0");
  Process second(folder, server_->url(), clock, random, "second");
  ASSERT_TRUE(second.store->create_tenant(acme, in(10s)));
  ASSERT_TRUE(second.broker->declare(spec));
  EXPECT_TRUE(second.broker->receive(queue, {}, in(1s)).value().empty()) << "the lane is worked on elsewhere";
  process.reset();
  std::vector<std::string> order;
  while (order.size() < 6) {
    const auto got = second.broker->receive(queue, {}, in(30s)).value();
    ASSERT_FALSE(got.empty());
    for (const auto& d : got) order.push_back(d.message_id);
    second.broker->settled(got);
  }
  EXPECT_EQ(order, (std::vector<std::string>{"0", "1", "2", "3", "4", "5"}));
  ASSERT_TRUE(second.broker->remove(spec));
}

// FLOW-9
TEST_F(RabbitmqTest, processes_share_the_partitions_and_keep_every_lane_in_order) {
  Process second(folder, server_->url(), clock, random, "second");
  ASSERT_TRUE(second.store->create_tenant(acme, in(10s)));
  ASSERT_TRUE(second.broker->declare(spec));
  std::atomic<bool> going = true;
  std::atomic<int> by_second = 0, published = 0;
  std::mutex mutex;
  std::map<int, std::vector<int>> order;
  std::set<int> effects;
  const auto work = [&](Broker& with, std::atomic<int>* count) {
    while (going) {
      const auto got = with.receive(queue, {3, 100, 0}, in(200ms)).value();
      if (got.empty()) continue;
      {
        // Both on one inbox, as processes on one store have it.
        std::lock_guard lock(mutex);
        for (const auto& d : got) {
          const int n = std::stoi(d.message_id);
          if (effects.insert(n).second) order[d.lane].push_back(n);
        }
      }
      if (count != nullptr) *count += static_cast<int>(got.size());
      with.settled(got);
    }
  };
  std::jthread one([&] { work(broker(), nullptr); });
  // Only once the first has all partitions.
  for (; published < 40; ++published) publish(std::to_string(published), published % 8);
  EXPECT_TRUE(eventually([&] {
    std::lock_guard lock(mutex);
    return effects.size() == 40;
  }));
  std::jthread two([&] { work(*second.broker, &by_second); });
  for (const auto deadline = in(60s); by_second < 50 && !deadline.passed();) {
    std::size_t handled = 0;
    {
      std::lock_guard lock(mutex);
      handled = effects.size();
    }
    if (published - static_cast<int>(handled) > 100) continue;
    publish(std::to_string(published), published % 8);
    ++published;
  }
  EXPECT_GE(by_second, 50) << "the second process never got a share";
  EXPECT_TRUE(eventually([&] {
    std::lock_guard lock(mutex);
    return static_cast<int>(effects.size()) == published;
  }));
  going = false;
  one.join();
  two.join();
  for (const auto& [lane, numbers] : order) EXPECT_TRUE(std::ranges::is_sorted(numbers)) << "lane " << lane;
}

TEST_F(RabbitmqTest, queues_that_somebody_removed_are_made_anew) {
  publish("m1");
  ASSERT_TRUE(settle(receive()));
  EXPECT_TRUE(eventually([&] { return outbox() == 0; }));
  ASSERT_TRUE(process->broker->remove(spec));
  // RabbitMQ 3.10 says that a quorum queue is gone before it is; what is made anew meanwhile is lost with it.
  const auto gone = in(3s);
  EXPECT_TRUE(eventually([&] { return gone.passed(); }));
  publish("m2");
  const auto got = receive();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].message_id, "m2");
  EXPECT_TRUE(eventually([&] { return outbox() == 0; }));
}

TEST_F(RabbitmqTest, a_message_of_somebody_else_is_put_aside_and_hurts_nobody) {
  publish("m1");
  ASSERT_TRUE(settle(receive()));
  {
    auto connection =
        rabbitmq::Connection::open(parse_rabbitmq_url(server_->url()).value(), "somebody").value();
    ASSERT_TRUE(connection->open_channel(1));
    ASSERT_TRUE(
        connection->publish(1, "", rabbitmq::partition_queue(queue, 0), {"x", "y", "z", {}, {}}, "hello"));
  }
  EXPECT_TRUE(eventually([&] { return process->lines->contains("foreign_message"); }));
  for (int lane = 0; lane < 4; ++lane) publish("n" + std::to_string(lane), lane);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(settle(receive()));
}

TEST_F(RabbitmqTest, what_the_server_gave_up_on_is_handed_out_as_tried_too_often) {
  publish("m1");
  auto first = receive();
  ASSERT_EQ(first.size(), 1u);
  {
    // As the server would after its own limit.
    auto connection =
        rabbitmq::Connection::open(parse_rabbitmq_url(server_->url()).value(), "somebody").value();
    ASSERT_TRUE(connection->open_channel(1));
    storage::OutboxMessage message;
    message.tenant = acme;
    message.message = {"m2", type, flow, 3, 1, "{}"};
    ASSERT_TRUE(connection->publish(1, rabbitmq::kDeadExchange, queue, rabbitmq::to_wire(message, 2), "{}"));
  }
  const auto given_up = receive();
  ASSERT_EQ(given_up.size(), 1u);
  EXPECT_EQ(given_up[0].message_id, "m2");
  EXPECT_GT(given_up[0].deliveries, 100);
}

// A server that does not answer must not keep anybody for ever.
TEST_F(RabbitmqTest, a_server_that_hangs_is_an_error_before_long) {
  ASSERT_TRUE(broker().check());
  server_->pause();
  const auto asked = clock.monotonic();
  EXPECT_FALSE(broker().check());
  EXPECT_LT(clock.monotonic() - asked, 30s);
  server_->go_on();
  EXPECT_TRUE(eventually([&] { return broker().check().has_value(); }));
}

TEST_F(RabbitmqTest, while_the_server_takes_nothing_everything_stays_in_the_outbox) {
  publish("m1");
  ASSERT_TRUE(settle(receive()));
  ASSERT_TRUE(server_->ctl("set_vm_memory_high_watermark 0.0000001"));
  publish("m2");
  publish("m3", 1);
  EXPECT_TRUE(eventually([&] { return process->lines->contains("broker_blocked"); }));
  EXPECT_TRUE(receive(500ms).empty());
  EXPECT_GE(outbox(), 1);
  ASSERT_TRUE(server_->ctl("set_vm_memory_high_watermark 0.4"));
  std::set<std::string> got;
  for (int i = 0; i < 2; ++i) {
    const auto d = receive();
    ASSERT_EQ(d.size(), 1u);
    got.insert(d[0].message_id);
    EXPECT_TRUE(settle(d));
  }
  EXPECT_EQ(got, (std::set<std::string>{"m2", "m3"}));
  EXPECT_TRUE(eventually([&] { return outbox() == 0; }));
}

}  // namespace
}  // namespace castiel::messaging
