// Leases with fences, as imports are owned by (BACKENDS-2, SYNC-2), and the outbox's memory of each lane.

#include <gtest/gtest.h>

#include <thread>

#include "storage/outbox.hpp"
#include "storage/tests/store_contract.hpp"

namespace castiel::storage {
namespace {

struct LeaseContract : StoreContract {
  std::optional<Lease> take(std::string_view owner, Duration term = 60s, std::string_view name = "work") {
    auto tx = begin(acme);
    auto taken = tx->take_lease(name, owner, term).value();
    const auto committed = tx->commit();
    EXPECT_TRUE(committed) << committed.error().describe();
    return taken;
  }
  // A transaction of the lease's holder; the error it ended with, or nothing.
  std::string write_with(const Lease& lease) {
    auto tx = begin(acme);
    auto done = tx->hold_lease(lease);
    if (done) done = tx->put_setting("k", std::to_string(lease.fence));
    if (done) done = tx->commit();
    return done ? "" : done.error().code;
  }
};

TEST_P(LeaseContract, one_owner_at_a_time_has_a_lease_and_may_renew_it) {
  const auto first = take("a");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->name, "work");
  EXPECT_FALSE(take("b"));
  const auto again = take("a");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->fence, first->fence);
  EXPECT_GE(again->until, first->until);
  EXPECT_TRUE(take("b", 60s, "other work"));
}

TEST_P(LeaseContract, who_reads_sees_until_when_somebody_has_it) {
  EXPECT_FALSE(read(acme)->leased_until("work").value());
  const auto lease = take("a");
  ASSERT_TRUE(lease);
  EXPECT_EQ(read(acme)->leased_until("work").value(), lease->until);
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.give_back_lease(*lease)); });
  EXPECT_FALSE(read(acme)->leased_until("work").value());
}

TEST_P(LeaseContract, a_lease_that_ran_out_goes_to_who_asks_and_its_old_holder_can_write_nothing) {
  const auto old = take("a", Duration(0));
  ASSERT_TRUE(old);
  EXPECT_EQ(write_with(*old), "") << "nobody else has it: it is kept beyond its end";
  const auto now = take("b");
  ASSERT_TRUE(now);
  EXPECT_GT(now->fence, old->fence);
  EXPECT_EQ(write_with(*old), "lease_lost");
  EXPECT_EQ(write_with(*now), "");
  EXPECT_FALSE(take("a"));
}

TEST_P(LeaseContract, a_lease_given_back_is_free_and_a_lost_one_stays_where_it_is) {
  const auto old = take("a", Duration(0));
  const auto now = take("b");
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.give_back_lease(*old)); });
  EXPECT_FALSE(take("a")) << "what was lost is not the old holder's to give";
  write(acme, [&](Transaction& tx) { ASSERT_TRUE(tx.give_back_lease(*now)); });
  EXPECT_EQ(write_with(*now), "lease_lost");
  const auto third = take("a");
  ASSERT_TRUE(third);
  EXPECT_GT(third->fence, now->fence);
}

TEST_P(LeaseContract, a_lease_cannot_change_hands_under_a_transaction_that_holds_it) {
  const auto old = take("a", Duration(0));
  auto writing = begin(acme);
  ASSERT_TRUE(writing->hold_lease(*old));
  ASSERT_TRUE(writing->put_setting("k", "of the old holder"));
  std::jthread taker([&] {
    const auto taken = take("b");
    EXPECT_TRUE(taken);
    // What the old holder committed is there when the new one has the lease.
    EXPECT_EQ(read(acme)->settings().value().size(), 1u);
  });
  ASSERT_TRUE(writing->commit());
}

TEST_P(LeaseContract, a_lease_taken_in_a_transaction_that_is_dropped_is_not_taken) {
  ASSERT_TRUE(begin(acme)->take_lease("work", "a", 60s).value());
  EXPECT_TRUE(take("b"));
}

TEST_P(LeaseContract, leases_are_a_tenants_and_go_with_it) {
  ASSERT_TRUE(take("a"));
  write(other, [&](Transaction& tx) { EXPECT_TRUE(tx.take_lease("work", "b", 60s).value()); });
  ASSERT_TRUE(store->erase_tenant(acme, soon()));
  ASSERT_TRUE(store->create_tenant(acme, soon()));
  EXPECT_TRUE(take("b"));
}

TEST_P(LeaseContract, unfinished_imports_are_listed_for_who_may_take_them_up) {
  const auto run = [&](const TenantId& tenant, std::string id, std::string status, std::int64_t at) {
    write(tenant, [&](Transaction& tx) {
      ASSERT_TRUE(tx.put_import_run({CorrelationId(id), status, Timestamp{at}, {}, R"({"paths":["/x"]})"}));
    });
  };
  run(acme, "import-2", "running", 2);
  run(other, "import-1", "running", 1);
  run(acme, "import-3", "done", 3);
  run(acme, "import-4", "running", 4);
  ASSERT_TRUE(take("a", 60s, import_lease(CorrelationId("import-4"))));
  const auto listed = [&](std::string_view owner, std::size_t limit = 10) {
    std::vector<std::string> names;
    const auto all = store->operator_view().value()->imports_for(owner, limit).value();
    for (const auto& [tenant, found] : all) {
      names.push_back(tenant.str() + "/" + found.correlation.str());
      EXPECT_EQ(found.status, "running");
      EXPECT_EQ(found.detail, R"({"paths":["/x"]})");
    }
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(listed("b"), (Names{"other/import-1", "acme/import-2"}));
  EXPECT_EQ(listed("a"), (Names{"other/import-1", "acme/import-2", "acme/import-4"}));
  EXPECT_EQ(listed("a", 1), (Names{"other/import-1"}));
}

TEST_P(LeaseContract, the_outbox_remembers_what_of_each_lane_left_it_last) {
  open(testing::PublishTo::outbox);
  auto& outbox = store->outbox();
  ASSERT_TRUE(outbox.bind("q", std::vector<std::string>{"a.*"}));
  ASSERT_TRUE(outbox.bind("r", std::vector<std::string>{"a.b"}));
  auto queues = outbox.queues_for("a.b").value();
  std::ranges::sort(queues);
  EXPECT_EQ(queues, (std::vector<std::string>{"q", "r"}));
  EXPECT_TRUE(outbox.queues_for("z").value().empty());

  write(acme, [&](Transaction& tx) {
    for (const auto* id : {"m1", "m2"}) ASSERT_TRUE(tx.publish("s", message(id, "a.b", 3)));
    ASSERT_TRUE(tx.publish("s", message("m3", "a.c", 3)));
    ASSERT_TRUE(tx.publish("s", message("m4", "a.b", 3)));
    ASSERT_TRUE(outbox.add(tx, "q", message("m5", "a.b", kRetryLane), "key", clock.now(), ""));
  });
  const auto leases = outbox.lease("one", kOutboxPartitions, 60s).value();
  for (const auto& lease : leases) {
    std::vector<std::int64_t> rows;  // confirmed in another order than they were sent
    const auto found = outbox.waiting(lease, {}, 10, 1 << 20).value();
    for (const auto& m : found) {
      if (m.message.id != "m4") rows.push_back(m.row);
    }
    for (auto row = rows.rbegin(); row != rows.rend(); ++row)
      ASSERT_TRUE(outbox.published(lease, std::vector<std::int64_t>{*row}));
  }
  const auto last = outbox.last_published(acme, 3).value();
  ASSERT_EQ(last.size(), 2u);
  EXPECT_EQ(last[0].type, "a.b");
  EXPECT_EQ(last[0].message_id, "m2");
  EXPECT_EQ(last[0].correlation, CorrelationId("flow"));
  EXPECT_EQ(last[1].message_id, "m3");
  EXPECT_TRUE(outbox.last_published(acme, kRetryLane).value().empty());
  EXPECT_TRUE(outbox.last_published(other, 3).value().empty());
}

CASTIEL_FOR_ALL_STORES(LeaseContract);

}  // namespace
}  // namespace castiel::storage
