#include "tenancy/blob_sweep.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "base/random.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "storage/testing/memory_blobs.hpp"
#include "storage/testing/peer_process.hpp"
#include "tenancy/tenant_settings.hpp"

namespace castiel::tenancy {
namespace {

using namespace std::chrono_literals;
using storage::SqliteStore;

// The store's references, with something happening just before they are read.
struct Interrupted final : storage::BlobReferences {
  explicit Interrupted(storage::BlobReferences& i) : inner(&i) {}
  Result<Timestamp> each_blob_reference(const TenantId& tenant,
                                        const std::function<void(std::string_view)>& visit) override {
    ++reads;
    if (before) before();
    return inner->each_blob_reference(tenant, visit);
  }
  storage::BlobReferences* inner;
  std::function<void()> before;
  int reads = 0;
};

struct BlobSweepTest : testing::Test {
  storage::testing::TemporaryFolder folder{"sweep"};
  ManualClock clock{parse_timestamp("2026-01-01T00:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  storage::testing::MemoryBlobs blobs{clock};
  TenantId acme{"acme"}, other{"other"};
  std::unique_ptr<SqliteStore> store = open(SqliteStore::PublishTo::queues);
  TenantSettings tenants{*store, clock, SettingValues()};
  Interrupted references{*store};
  telemetry::Metrics metrics;

  std::unique_ptr<SqliteStore> open(SqliteStore::PublishTo publish_to) {
    SqliteStore::Options options;
    options.path = (folder.path() / "castiel.db").string();
    options.sync = false;
    options.publish_to = publish_to;
    return SqliteStore::open(options, clock).value();
  }
  void SetUp() override {
    ASSERT_TRUE(store->create_tenant(acme, soon()));
    ASSERT_TRUE(store->create_tenant(other, soon()));
  }
  Deadline soon() const { return Deadline::after(clock, 5s); }

  std::string put(const TenantId& tenant, const std::string& bytes) { return blobs.put(tenant, bytes)->url; }
  bool there(const TenantId& tenant, const std::string& url) { return blobs.get(tenant, url).has_value(); }
  void write(const std::function<Result<>(storage::Transaction&)>& work) {
    const auto tx = store->begin(acme, soon()).value();
    const auto done = work(*tx);
    ASSERT_TRUE(done) << done.error().describe();
    ASSERT_TRUE(tx->commit());
  }
  // A round over all tenants, as a process does that starts now; how many blobs went.
  std::int64_t round() {
    BlobSweep sweep(*store, references, blobs, tenants, clock, {}, &metrics, {});
    while (sweep.step().value()) {
    }
    return sweep.removed();
  }

  storage::ShardWrite shard(const std::string& id, std::int64_t expected, const std::string& data,
                            const std::string& source) const {
    storage::ShardWrite write;
    write.expected_version = expected;
    write.shard.id = ShardId(id);
    write.shard.key = {"document", "files", id};
    write.shard.version = expected + 1;
    write.shard.data = data;
    write.shard.source = source;
    write.shard.origin = "{}";
    write.shard.updated_at = clock.now();
    return write;
  }
  static std::string field(const std::string& url) { return R"({"blobUrl":")" + url + R"("})"; }
};

TEST_F(BlobSweepTest, an_orphan_goes_after_a_day_and_what_is_referred_to_stays) {
  const auto orphan = put(acme, "orphan");
  std::map<std::string, std::string> kept;
  for (const char* where :
       {"data", "source", "old version", "history", "queued", "parked", "dead letter", "purged"})
    kept[where] = put(acme, where);
  ASSERT_TRUE(store->queue_rows().declare("q", 5, {{"t", "q"}}));
  write([&](storage::Transaction& tx) -> Result<> {
    CASTIEL_TRY(tx.put_shards(std::vector{shard("one", 0, field(kept["data"]), field(kept["source"])),
                                          shard("two", 0, field(kept["old version"]), "{}")}));
    CASTIEL_TRY(tx.put_shards(std::vector{shard("two", 1, "{}", "{}")}));
    model::FieldChange change;
    change.shard = {"document", "files", "one"};
    change.field = "blobUrl";
    change.new_value = "\"" + kept["history"] + "\"";
    change.origin = change.actor = "files";
    CASTIEL_TRY(tx.add_changes(std::vector{change}));
    storage::OutgoingMessage message{ids.next(), "t", CorrelationId("import-1"), 0, 1, field(kept["queued"])};
    CASTIEL_TRY(tx.publish("sync", message));
    message.body = field(kept["parked"]);
    CASTIEL_TRY(tx.mark_parked("q", "key"));
    CASTIEL_TRY(tx.park("q", "key", message));
    for (const char* where : {"dead letter", "purged"}) {
      storage::DeadLetter letter;
      letter.id = ids.next();
      letter.queue = "q";
      letter.at = clock.now();
      letter.payload = R"({"data":[")" + kept[where] + R"("]})";
      CASTIEL_TRY(tx.put_dead_letter(letter));
      if (std::string_view(where) == "purged") CASTIEL_TRY(tx.set_dead_letter_state(letter.id, "purged"));
    }
    return {};
  });
  EXPECT_EQ(round(), 0) << "all are young";
  clock.advance(24h);
  EXPECT_EQ(round(), 1);
  EXPECT_FALSE(there(acme, orphan));
  for (const auto& [where, url] : kept) EXPECT_TRUE(there(acme, url)) << where;
  EXPECT_THAT(metrics.render(), testing::HasSubstr("castiel_blobs_removed_total 1"));
}

TEST_F(BlobSweepTest, what_loses_its_last_reference_goes_with_the_next_round) {
  const auto url = put(acme, "bytes");
  write([&](storage::Transaction& tx) {
    return tx.put_shards(std::vector{shard("one", 0, field(url), "{}")});
  });
  clock.advance(48h);
  EXPECT_EQ(round(), 0);
  write([&](storage::Transaction& tx) { return tx.put_shards(std::vector{shard("one", 1, "{}", "{}")}); });
  clock.advance(24h);
  EXPECT_EQ(round(), 0) << "the version before has it";
  write([&](storage::Transaction& tx) -> Result<> {
    storage::KeptSince since;
    since.versions = clock.now();
    CASTIEL_TRY(tx.prune(since, 100));
    return {};
  });
  clock.advance(24h);
  EXPECT_EQ(round(), 1);
}

TEST_F(BlobSweepTest, no_tenant_keeps_or_loses_anothers) {
  const auto mine = put(acme, "same"), theirs = put(other, "same");
  ASSERT_EQ(mine, theirs);
  write([&](storage::Transaction& tx) {
    return tx.put_shards(std::vector{shard("one", 0, field(mine), "{}")});
  });
  clock.advance(48h);
  EXPECT_EQ(round(), 1);
  EXPECT_TRUE(there(acme, mine));
  EXPECT_FALSE(there(other, theirs));
}

TEST_F(BlobSweepTest, what_is_put_again_while_the_marks_are_read_stays) {
  const auto url = put(acme, "bytes");
  clock.advance(48h);
  references.before = [&] { put(acme, "bytes"); };
  EXPECT_EQ(round(), 0);
  EXPECT_TRUE(there(acme, url));
}

TEST_F(BlobSweepTest, a_tenant_is_swept_once_a_day_whoever_does_it) {
  put(acme, "orphan");
  clock.advance(48h);
  EXPECT_EQ(round(), 1);
  EXPECT_EQ(references.reads, 1);
  put(acme, "another");
  clock.advance(23h);
  EXPECT_EQ(round(), 0);
  EXPECT_EQ(references.reads, 1);
  clock.advance(1h);
  EXPECT_EQ(round(), 1);
  clock.advance(24h);
  round();
  EXPECT_EQ(references.reads, 2) << "without old blobs nothing is read";
}

TEST_F(BlobSweepTest, a_tenant_may_keep_them_longer) {
  put(acme, "orphan");
  put(other, "orphan");
  ASSERT_TRUE(tenants.set(acme, "retention.blobs", "10d", "ann"));
  clock.advance(48h);
  EXPECT_EQ(round(), 1);
  clock.advance(9 * 24h);
  EXPECT_EQ(round(), 1);
}

TEST_F(BlobSweepTest, a_store_that_refuses_one_tenant_does_not_keep_the_others_waiting) {
  put(acme, "orphan");
  put(other, "orphan");
  clock.advance(48h);
  references.before = [&, first = true]() mutable {
    if (std::exchange(first, false)) {
      EXPECT_TRUE(store->erase_tenant(other, soon()));
    }
  };
  EXPECT_EQ(round(), 1);
  EXPECT_TRUE(there(other, storage::blob_url(sha256_hex("orphan")))) << "its tenant's erasure takes it";
}

// The broker is elsewhere: what waits there cannot be read.
TEST_F(BlobSweepTest, what_a_flow_under_way_may_have_put_stays_until_it_is_settled) {
  store = open(SqliteStore::PublishTo::outbox);
  references.inner = store.get();
  const auto before = put(acme, "before the flow");
  clock.advance(3h);
  const auto url = put(acme, "of the flow");
  write([&](storage::Transaction& tx) -> Result<> {
    CASTIEL_TRY(
        tx.add_flow_entry(CorrelationId("import-1"), {clock.now(), "sync", "event", "t", "m1", "", 1}));
    return tx.count(CorrelationId("import-1"), "q", "enqueued", 1);
  });
  clock.advance(30 * 24h);
  const FixedSettings settings;
  BlobSweep sweep(*store, references, blobs, settings, clock, {}, nullptr, {});
  while (sweep.step().value()) {
  }
  EXPECT_FALSE(there(acme, before));
  EXPECT_TRUE(there(acme, url));
  write([&](storage::Transaction& tx) { return tx.count(CorrelationId("import-1"), "q", "settled", 1); });
  clock.advance(24h);
  while (sweep.step().value()) {
  }
  EXPECT_FALSE(there(acme, url));
}

}  // namespace
}  // namespace castiel::tenancy
