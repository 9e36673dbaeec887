#include "messaging/worker_pool.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>

#include "messaging/embedded/embedded_broker.hpp"
#include "model/event_types.hpp"

namespace castiel::messaging {
namespace {

using namespace std::chrono_literals;

// Moves when a step works, from any thread.
struct WorkClock final : Clock {
  std::atomic<std::int64_t> elapsed = 0;
  Timestamp now() const override { return parse_timestamp("2026-01-01T00:00:00Z").value() + monotonic(); }
  Duration monotonic() const override { return Duration(elapsed); }
  void advance(Duration d) { elapsed += d.count(); }
};

// Takes a while for each message, and counts.
struct Working final : Handler {
  struct Nothing final : Plan {
    Result<> apply(Step&) override { return {}; }
    std::span<const RecordFailure> failures() const override { return {}; }
    std::string summary() const override { return {}; }
  };
  Working(WorkClock& c, Duration d) : clock(&c), takes(d) {}
  WorkClock* clock;
  Duration takes;
  std::atomic<int> handled = 0;
  std::function<void()> after;

  Result<std::unique_ptr<Plan>> prepare(const storage::Reader&, std::span<const Incoming> batch) override {
    clock->advance(takes);
    handled += static_cast<int>(batch.size());
    if (after) after();
    return std::make_unique<Nothing>();
  }
};

TEST(WorkerPool, stages_that_derive_rest_while_those_that_store_are_busy_and_catch_up_after) {
  constexpr int kMessages = 60;
  std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  WorkClock clock;
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  const auto schemas = SchemaRegistry::create(builtin_schemas()).value();
  storage::SqliteStore::Options file;
  file.path = (folder / "castiel.db").string();
  file.sync = false;
  auto store = storage::SqliteStore::open(file, clock).value();
  auto broker = EmbeddedBroker::create(*store, clock).value();
  Publisher publisher(*schemas, clock, ids);
  const TenantId acme("acme");
  ASSERT_TRUE(store->create_tenant(acme, Deadline::after(clock, 5s)));

  Working storing(clock, 10ms), deriving(clock, 20ms);
  int derived_meanwhile = -1;
  storing.after = [&] {
    if (storing.handled == kMessages) derived_meanwhile = deriving.handled;
  };
  const auto consumer_of = [&](const char* queue, Handler& handler) {
    ConsumerOptions options;
    options.queue = {queue, {std::string(model::event::kDataRaw)}, 3};
    options.limits.messages = 1;
    auto consumer = std::make_unique<Consumer>(
        ConsumerParts{store.get(), broker.get(), schemas.get(), &publisher, &clock, &random, &ids, {}},
        options, handler);
    EXPECT_TRUE(consumer->declare());
    return consumer;
  };
  const auto stores = consumer_of("stores", storing);
  const auto derives = consumer_of("derives", deriving);
  for (int i = 0; i < kMessages; ++i) {
    auto tx = store->begin(acme, Deadline::after(clock, 5s)).value();
    const auto done =
        publisher.publish(*tx, "files", {CorrelationId("flow"), ""},
                          {model::event::kDataRaw,
                           "",
                           {{"integrationId", "files"},
                            {"entityType", "account"},
                            {"format", {{"kind", "csv"}}},
                            {"mapping", json::object()},
                            {"observedAt", "2026-01-01T00:00:00Z"},
                            {"records", json::array{{{"key", std::to_string(i)}, {"source", ""}}}}},
                           0,
                           1});
    ASSERT_TRUE(done) << done.error().describe();
    ASSERT_TRUE(tx->commit());
  }

  WorkerPool pool(*broker, clock, {});
  pool.add(*stores, 1, WorkerPool::Kind::stores);
  pool.add(*derives, 1, WorkerPool::Kind::derives);
  pool.start();
  std::mutex mutex;
  std::condition_variable never;
  const auto look = [&] {
    std::unique_lock lock(mutex);
    never.wait_for(lock, 1ms);
  };
  while (storing.handled < kMessages) look();
  // Nobody works any more, so time stands still until it is moved here: a rest ends when the others are idle.
  while (deriving.handled < kMessages) {
    clock.advance(1ms);
    look();
  }
  pool.stop();
  EXPECT_GE(derived_meanwhile, 1) << "a long import starves nobody";
  EXPECT_LE(derived_meanwhile, kMessages / 4) << "twice the work at a quarter of the time";
  EXPECT_EQ(deriving.handled, kMessages);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace castiel::messaging
