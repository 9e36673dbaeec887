#pragma once
// What the contract suites share: a fresh store of each kind of the catalogue, with two tenants.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "storage/testing/store_catalogue.hpp"

namespace castiel::storage {

using namespace std::chrono_literals;

struct StoreContract : ::testing::TestWithParam<testing::StoreKind> {
  SystemClock clock;
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<testing::StoreHost> host;
  Store* store = nullptr;
  TenantId acme{"acme"}, other{"other"};

  void SetUp() override { open(testing::PublishTo::the_default); }
  void open(testing::PublishTo publish_to) {
    auto opened = GetParam().open(clock, publish_to);
    ASSERT_TRUE(opened) << opened.error().describe();
    host = std::move(*opened);
    store = &host->store();
    for (const auto& tenant : {acme, other}) {
      const auto made = store->create_tenant(tenant, soon());
      ASSERT_TRUE(made) << made.error().describe();
    }
  }

  Deadline soon() const { return Deadline::after(clock, 30s); }
  std::unique_ptr<Reader> read(const TenantId& tenant) { return store->read(tenant).value(); }
  std::unique_ptr<Transaction> begin(const TenantId& tenant) { return store->begin(tenant, soon()).value(); }
  // A transaction of its own for `work`, which has to be kept.
  template <class Work>
  void write(const TenantId& tenant, Work work) {
    auto tx = begin(tenant);
    work(*tx);
    const auto committed = tx->commit();
    ASSERT_TRUE(committed) << committed.error().describe();
  }

  // Version `expected` + 1 of an account.
  ShardWrite shard(std::string external_id, std::int64_t expected = 0,
                   std::string data = R"({"name":"Acme"})") {
    ShardWrite write;
    write.expected_version = expected;
    write.shard.id = ShardId(ids.next());
    write.shard.key = {"account", "files", std::move(external_id)};
    write.shard.version = expected + 1;
    write.shard.data = std::move(data);
    write.shard.source = "Acme,1";
    write.shard.origin = "{}";
    return write;
  }
  static OutgoingMessage message(std::string id, std::string type = "shard.created", int lane = 0,
                                 std::string correlation = "flow") {
    return {std::move(id), std::move(type), CorrelationId(std::move(correlation)), lane, 1, R"({"n":1})"};
  }
};

// Instantiates a suite for every kind of store.
#define CASTIEL_FOR_ALL_STORES(Suite)                                                      \
  INSTANTIATE_TEST_SUITE_P(Stores, Suite, ::testing::ValuesIn(testing::store_catalogue()), \
                           [](const auto& kind) { return kind.param.name; })

}  // namespace castiel::storage
