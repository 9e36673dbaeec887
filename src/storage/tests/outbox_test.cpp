// The contract of Outbox, for every store that is listed: one that is added passes by being in kStores.

#include "storage/outbox.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>

#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::storage {
namespace {

using namespace std::chrono_literals;

// A store that publishes to its outbox, on an empty folder or server of its own.
class OpenedStore {
 public:
  virtual ~OpenedStore() = default;
  virtual Store& store() = 0;
  virtual void reopen() = 0;  // the process ends without a word and another one starts
};

class SqliteFolder final : public OpenedStore {
 public:
  explicit SqliteFolder(const Clock& clock) : clock_(&clock) {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    reopen();
  }
  ~SqliteFolder() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  Store& store() override { return *store_; }
  void reopen() override { reopen_with(SqliteStore::PublishTo::outbox); }
  SqliteStore& reopen_with(SqliteStore::PublishTo publish_to) {
    store_.reset();
    SqliteStore::Options options;
    options.path = (folder_ / "castiel.db").string();
    options.publish_to = publish_to;
    options.sync = false;
    store_ = SqliteStore::open(options, *clock_).value();
    return *store_;
  }

 private:
  const Clock* clock_;
  std::filesystem::path folder_;
  std::unique_ptr<SqliteStore> store_;
};

struct Listed {
  const char* name;
  std::unique_ptr<OpenedStore> (*open)(const Clock& clock);
};

const Listed kStores[] = {
    {"sqlite",
     [](const Clock& clock) -> std::unique_ptr<OpenedStore> {
       return std::make_unique<SqliteFolder>(clock);
     }},
};

// The machine's clock, or that of one which goes ahead of it.
class SteppedClock final : public Clock {
 public:
  Timestamp now() const override { return machine_.now() + ahead; }
  Duration monotonic() const override { return machine_.monotonic(); }
  Duration ahead{0};

 private:
  SystemClock machine_;
};

class OutboxContract : public testing::TestWithParam<Listed> {
 protected:
  // Leases run by the store's clock; this one is the machine's for stores in another process.
  SteppedClock clock;
  std::unique_ptr<OpenedStore> opened = GetParam().open(clock);
  TenantId acme{"acme"}, other{"other"};
  CorrelationId flow{"import-1"};

  void SetUp() override {
    ASSERT_TRUE(store().create_tenant(acme, soon()));
    ASSERT_TRUE(store().create_tenant(other, soon()));
    ASSERT_TRUE(outbox().bind("q", std::vector<std::string>{"a.*"}));
  }
  Store& store() { return opened->store(); }
  Outbox& outbox() { return store().outbox(); }
  Deadline soon() { return Deadline::after(clock, 10s); }

  OutgoingMessage message(std::string id, int lane = 0, std::string type = "a.b", std::string body = "{}") {
    return {std::move(id), std::move(type), flow, lane, 3, std::move(body)};
  }
  void publish(const OutgoingMessage& m, const TenantId& tenant) {
    auto tx = store().begin(tenant, soon()).value();
    ASSERT_TRUE(tx->publish("files", m));
    ASSERT_TRUE(tx->commit());
  }
  void publish(const OutgoingMessage& m) { publish(m, acme); }
  std::vector<OutboxLease> all(std::string_view owner = "one", Duration term = 60s) {
    return outbox().lease(owner, kOutboxPartitions, term).value();
  }
  static OutboxLease of(const std::vector<OutboxLease>& leases, int partition) {
    for (const auto& lease : leases)
      if (lease.partition == partition) return lease;
    ADD_FAILURE() << "no lease of partition " << partition;
    return {};
  }
  std::vector<OutboxMessage> everything(const std::vector<OutboxLease>& leases) {
    std::vector<OutboxMessage> found;
    for (const auto& lease : leases) {
      auto waiting = outbox().waiting(lease, {}, 1000, 1 << 20).value();
      std::ranges::move(waiting, std::back_inserter(found));
    }
    return found;
  }
  std::vector<std::string> ids(const std::vector<OutboxMessage>& messages) {
    std::vector<std::string> names;
    for (const auto& m : messages) names.push_back(m.message.id);
    return names;
  }
};

TEST_P(OutboxContract, holds_a_message_whole_once_its_step_committed) {
  const auto leases = all();
  auto tx = store().begin(acme, soon()).value();
  ASSERT_TRUE(tx->publish("files", message("m1", 5, "a.b", std::string("\0bytes", 6))));
  EXPECT_TRUE(everything(leases).empty());
  ASSERT_TRUE(tx->commit());
  const auto found = everything(leases);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].tenant, acme);
  EXPECT_EQ(found[0].message.id, "m1");
  EXPECT_EQ(found[0].message.type, "a.b");
  EXPECT_EQ(found[0].message.correlation, flow);
  EXPECT_EQ(found[0].message.partition, 5);
  EXPECT_EQ(found[0].message.records, 3);
  EXPECT_EQ(found[0].message.body, std::string("\0bytes", 6));
  EXPECT_TRUE(found[0].queue.empty());
  EXPECT_TRUE(found[0].record_key.empty());
  EXPECT_LE(found[0].written_at, clock.now());
}

TEST_P(OutboxContract, a_step_that_is_dropped_publishes_nothing) {
  {
    auto tx = store().begin(acme, soon()).value();
    ASSERT_TRUE(tx->publish("files", message("m1")));
  }
  EXPECT_TRUE(everything(all()).empty());
}

TEST_P(OutboxContract, counts_a_message_for_each_queue_bound_to_its_type) {
  ASSERT_TRUE(outbox().bind("r", std::vector<std::string>{"a.#", "a.b"}));
  publish(message("m1"));
  publish(message("m2", 0, "nobody.wants"));
  const auto reader = store().read(acme).value();
  EXPECT_EQ(reader->pending(flow, "q").value(), 1);
  EXPECT_EQ(reader->pending(flow, "r").value(), 1);
  EXPECT_EQ(reader->pending(flow).value(), 2);
  EXPECT_TRUE(reader->oldest_waiting("q").value() || reader->flow(flow, 1).value().empty());
}

TEST_P(OutboxContract, knows_its_bindings_after_a_restart_and_replaces_them) {
  opened->reopen();
  publish(message("m1"));
  EXPECT_EQ(store().read(acme).value()->pending(flow).value(), 1);
  ASSERT_TRUE(outbox().bind("q", std::vector<std::string>{"b.*"}));
  publish(message("m2"));
  EXPECT_EQ(store().read(acme).value()->pending(flow).value(), 1);
}

TEST_P(OutboxContract, gives_a_lane_in_the_order_it_was_written) {
  for (int i = 0; i < 5; ++i) publish(message("m" + std::to_string(i), 2));
  EXPECT_EQ(ids(everything(all())), (std::vector<std::string>{"m0", "m1", "m2", "m3", "m4"}));
}

TEST_P(OutboxContract, gives_what_is_asked_for_and_at_least_one) {
  for (int i = 0; i < 4; ++i) publish(message("m" + std::to_string(i), 2, "a.b", std::string(1000, 'x')));
  const auto lease = of(all(), outbox_partition(acme, 2));
  const auto first = outbox().waiting(lease, {}, 2, 1 << 20).value();
  EXPECT_EQ(ids(first), (std::vector<std::string>{"m0", "m1"}));
  EXPECT_EQ(ids(outbox().waiting(lease, {}, 10, 1).value()), std::vector<std::string>{"m0"});
  const std::vector<std::int64_t> skip{first[0].row, first[1].row};
  EXPECT_EQ(ids(outbox().waiting(lease, skip, 1, 1 << 20).value()), std::vector<std::string>{"m2"});
}

TEST_P(OutboxContract, a_confirmed_row_is_gone_for_good) {
  publish(message("m1"));
  publish(message("m2"));
  const auto lease = of(all(), outbox_partition(acme, 0));
  const auto found = outbox().waiting(lease, {}, 10, 1 << 20).value();
  ASSERT_EQ(found.size(), 2u);
  ASSERT_TRUE(outbox().published(lease, {{found[0].row}}));
  opened->reopen();
  EXPECT_EQ(ids(outbox().waiting(lease, {}, 10, 1 << 20).value()), std::vector<std::string>{"m2"});
  EXPECT_TRUE(outbox().published(lease, {{found[0].row}})) << "repeating it changes nothing";
}

TEST_P(OutboxContract, a_partition_has_one_relay_at_a_time) {
  const auto one = outbox().lease("one", 5, 60s).value();
  const auto two = outbox().lease("two", kOutboxPartitions, 60s).value();
  EXPECT_EQ(one.size(), 5u);
  EXPECT_EQ(two.size(), static_cast<std::size_t>(kOutboxPartitions) - 5);
  std::set<int> partitions;
  for (const auto& lease : one) partitions.insert(lease.partition);
  for (const auto& lease : two) partitions.insert(lease.partition);
  EXPECT_EQ(partitions.size(), static_cast<std::size_t>(kOutboxPartitions));
}

TEST_P(OutboxContract, a_renewed_lease_keeps_its_fence_and_one_that_changed_hands_has_a_higher_one) {
  const auto before = of(all("one"), 3);
  const auto renewed = of(all("one"), 3);
  EXPECT_EQ(renewed.fence, before.fence);
  EXPECT_GE(renewed.until, before.until);
  ASSERT_TRUE(outbox().give_back("one"));
  EXPECT_GT(of(all("two"), 3).fence, before.fence);
}

TEST_P(OutboxContract, a_relay_that_wants_fewer_gives_the_rest_back) {
  ASSERT_EQ(all("one").size(), static_cast<std::size_t>(kOutboxPartitions));
  EXPECT_EQ(outbox().lease("one", 3, 60s).value().size(), 3u);
  EXPECT_EQ(all("two").size(), static_cast<std::size_t>(kOutboxPartitions) - 3);
}

TEST_P(OutboxContract, a_relay_that_was_paused_past_its_lease_removes_nothing) {
  publish(message("m1"));
  const int partition = outbox_partition(acme, 0);
  const auto paused = of(all("one", 1us), partition);
  const auto found = outbox().waiting(paused, {}, 10, 1 << 20);
  std::vector<OutboxLease> taken;
  for (int i = 0; i < 1000 && taken.empty(); ++i) taken = all("two");
  ASSERT_EQ(taken.size(), static_cast<std::size_t>(kOutboxPartitions));
  EXPECT_EQ(outbox().waiting(paused, {}, 10, 1 << 20).error().code, "lease_lost");
  const auto theirs = outbox().waiting(of(taken, partition), {}, 10, 1 << 20).value();
  ASSERT_EQ(theirs.size(), 1u);
  EXPECT_EQ(outbox().published(paused, {{theirs[0].row}}).error().code, "lease_lost");
  EXPECT_EQ(outbox().waiting(of(taken, partition), {}, 10, 1 << 20).value().size(), 1u);
}

// FLOW-9: the clocks of processes differ, and are stepped.
TEST_P(OutboxContract, a_lane_keeps_its_order_whatever_the_clocks_of_its_writers_say) {
  clock.ahead = 5s;
  publish(message("first"));
  clock.ahead = 0s;
  publish(message("second"));
  EXPECT_EQ(ids(everything(all())), (std::vector<std::string>{"first", "second"}));
}

TEST_P(OutboxContract, tells_how_much_waits_and_since_when) {
  EXPECT_EQ(outbox().depth().value().messages, 0);
  const Timestamp before = clock.now();
  publish(message("m1"));
  publish(message("m2"), other);
  const auto depth = outbox().depth().value();
  EXPECT_EQ(depth.messages, 2);
  EXPECT_GE(depth.oldest, before - 1s);
  EXPECT_LE(depth.oldest, clock.now() + 1s);
}

TEST_P(OutboxContract, a_retried_record_waits_for_its_time_and_keeps_its_errors) {
  const auto add = [&](const std::string& id, Timestamp due) {
    auto tx = store().begin(acme, soon()).value();
    ASSERT_TRUE(outbox().add(*tx, "q", message(id, kRetryLane), "account/7", due, R"([{"code":"slow"}])"));
    ASSERT_TRUE(tx->commit());
  };
  add("later", clock.now() + 1h);
  add("now", clock.now());
  const auto found = everything(all());
  ASSERT_EQ(ids(found), std::vector<std::string>{"now"}) << "one that is due overtakes one that is not";
  EXPECT_EQ(found[0].queue, "q");
  EXPECT_EQ(found[0].record_key, "account/7");
  EXPECT_EQ(found[0].errors, R"([{"code":"slow"}])");
  EXPECT_EQ(found[0].message.partition, kRetryLane);
  EXPECT_EQ(store().read(acme).value()->pending(flow, "q").value(), 2);
  EXPECT_EQ(outbox().depth().value().messages, 2);
}

TEST_P(OutboxContract, an_erased_tenants_messages_are_never_handed_out) {
  publish(message("m1"));
  publish(message("m2"), other);
  ASSERT_TRUE(store().erase_tenant(acme, soon()));
  EXPECT_EQ(ids(everything(all())), std::vector<std::string>{"m2"});
}

TEST_P(OutboxContract, gives_what_waits_in_several_partitions_at_once) {
  for (int i = 0; i < 20; ++i) publish(message("m" + std::to_string(i), i % 8));
  const auto leases = all();
  const auto one_by_one = everything(leases);
  std::vector<Outbox::Look> looks;
  for (const auto& lease : leases) looks.push_back({lease, {one_by_one[0].row}, 1000, 1 << 20});
  looks[1].lease.fence += 1;
  looks[2].limit = 1;
  const auto found = outbox().waiting_in(looks).value();
  ASSERT_EQ(found.size(), looks.size());
  EXPECT_FALSE(found[1]) << "a lease that was lost";
  std::vector<std::string> together;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i]) continue;
    const auto alone = outbox().waiting(looks[i].lease, looks[i].skip, looks[i].limit, 1 << 20).value();
    EXPECT_EQ(ids(*found[i]), ids(alone));
    for (const auto& m : *found[i]) together.push_back(m.message.id);
  }
  EXPECT_GT(together.size(), 5u);
  EXPECT_EQ(std::ranges::count(together, one_by_one[0].message.id), 0);
}

TEST_P(OutboxContract, says_when_something_was_written_if_it_can_tell) {
  int told = 0;
  outbox().on_written([&] { ++told; });
  {
    auto tx = store().begin(acme, soon()).value();
    ASSERT_TRUE(tx->add_audit({clock.now(), "a", "b", "c", "{}"}));
    ASSERT_TRUE(tx->commit());
  }
  EXPECT_EQ(told, 0);
  publish(message("m1"));
  EXPECT_LE(told, 1);
  outbox().on_written({});
  const int before = told;
  publish(message("m2"));
  EXPECT_EQ(told, before);
}

TEST(SqliteFootings, what_waits_on_one_moves_to_the_other) {
  const SystemClock clock;
  SqliteFolder folder(clock);
  const TenantId acme("acme");
  const CorrelationId flow("import-1");
  const auto soon = [&] { return Deadline::after(clock, 10s); };
  ASSERT_TRUE(folder.store().create_tenant(acme, soon()));
  ASSERT_TRUE(folder.store().outbox().bind("q", std::vector<std::string>{"a.b"}));
  ASSERT_TRUE(folder.store().outbox().bind("r", std::vector<std::string>{"a.*"}));
  {
    auto tx = folder.store().begin(acme, soon()).value();
    ASSERT_TRUE(tx->publish("files", {"m1", "a.b", flow, 2, 1, "{}"}));
    ASSERT_TRUE(folder.store().outbox().add(*tx, "q", {"r1", "a.b", flow, kRetryLane, 1, "{}"}, "k",
                                            clock.now(), ""));
    ASSERT_TRUE(tx->commit());
  }
  auto& embedded = folder.reopen_with(SqliteStore::PublishTo::queues);
  EXPECT_EQ(embedded.outbox().depth().value().messages, 0);
  std::map<std::string, std::int64_t> waiting;
  const auto lanes = embedded.queue_rows().lanes().value();
  for (const auto& lane : lanes) waiting[lane.queue] += lane.count;
  EXPECT_EQ(waiting, (std::map<std::string, std::int64_t>{{"q", 2}, {"r", 1}}));
  EXPECT_EQ(embedded.read(acme).value()->pending(flow).value(), 3);

  auto& elsewhere = folder.reopen_with(SqliteStore::PublishTo::outbox);
  EXPECT_TRUE(elsewhere.queue_rows().lanes().value().empty());
  EXPECT_EQ(elsewhere.outbox().depth().value().messages, 3);
  EXPECT_EQ(elsewhere.read(acme).value()->pending(flow).value(), 3);
}

INSTANTIATE_TEST_SUITE_P(Stores, OutboxContract, testing::ValuesIn(kStores),
                         [](const auto& entry) { return std::string(entry.param.name); });

}  // namespace
}  // namespace castiel::storage
