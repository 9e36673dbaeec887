// Whose an import is, among processes that share a store (BACKENDS-2, SYNC-2): one reads it, another one goes
// on when that one dies, and a reader that was only paused writes nothing any more. For every kind of store.

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>

#include "connectors/testing/memory_file_system.hpp"
#include "extract/testing/direct_extractor.hpp"
#include "model/event_types.hpp"
#include "storage/testing/memory_blobs.hpp"
#include "storage/testing/store_catalogue.hpp"
#include "sync/import_service.hpp"

namespace castiel::sync {
namespace {

using namespace std::chrono_literals;
using Progress = ImportJob::Progress;

constexpr int kRows = 200;
constexpr Duration kTerm = 15s;

// Calls `paused` once, before a read of a file.
class PausingFiles final : public connectors::FileSystem {
 public:
  explicit PausingFiles(connectors::FileSystem& inner) : inner_(&inner) {}
  std::function<void()> paused;
  Result<connectors::DirectoryEntry> stat(const std::string& path) override { return inner_->stat(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return inner_->list(path); }
  Result<std::unique_ptr<connectors::ByteStream>> open(const std::string& path) override {
    if (const auto call = std::exchange(paused, {})) call();
    return inner_->open(path);
  }

 private:
  connectors::FileSystem* inner_;
};

struct ImportOwner : testing::TestWithParam<storage::testing::StoreKind> {
  ManualClock clock{parse_timestamp("2026-11-01T00:00:00Z").value()};
  SystemClock machine;
  SeededRandom random{1};
  IdGenerator ids{machine, random};
  std::unique_ptr<storage::testing::StoreHost> host;
  std::unique_ptr<messaging::SchemaRegistry> schemas =
      messaging::SchemaRegistry::create(messaging::builtin_schemas()).value();
  messaging::Publisher publisher{*schemas, machine, ids};
  connectors::testing::MemoryFileSystem files;
  PausingFiles pausing{files};
  extract::DirectExtractor extractor;
  storage::testing::MemoryBlobs blobs;
  TenantId acme{"acme"};

  void SetUp() override { open(clock); }
  void open(const Clock& of_store) {
    auto opened = GetParam().open(of_store, storage::testing::PublishTo::the_default);
    ASSERT_TRUE(opened) << opened.error().describe();
    host = std::move(*opened);
    ASSERT_TRUE(store().create_tenant(acme, Deadline::after(machine, 10s)));
    std::string table = "Id,Name,Stage,Amount\n";
    for (int i = 0; i < kRows; ++i) table += "D" + std::to_string(i) + ",Deal,Proposal,1\n";
    files.put("/x/a.csv", table);
    files.put("/x/b.csv", "Id,Name,Stage,Amount\nE1,One,Proposal,1000\n");
  }
  storage::Store& store() { return host->store(); }
  ImportParts process(std::string owner, connectors::FileSystem* from = nullptr) {
    ImportParts parts{&store(), &publisher, from == nullptr ? &files : from, &extractor, &blobs,
                      &clock,   &ids};
    parts.owner = std::move(owner);
    parts.lease_term = kTerm;
    return parts;
  }
  static ImportOptions options() {
    ImportOptions options;
    options.paths = {"/x"};
    options.page_records = 1;  // a few records a step
    return options;
  }
  std::unique_ptr<ImportJob> start(ImportParts parts) {
    auto job = ImportJob::start(std::move(parts), acme, options());
    EXPECT_TRUE(job) << job.error().describe();
    return std::move(*job);
  }
  std::vector<storage::TenantImport> unowned(std::string_view owner) {
    return store().operator_view().value()->imports_for(owner, 10).value();
  }
  std::unique_ptr<ImportJob> take_up(ImportParts parts) {
    const auto found = unowned(parts.owner);
    if (found.size() != 1) {
      ADD_FAILURE() << found.size() << " runs are to be had";
      return nullptr;
    }
    return ImportJob::take_up(std::move(parts), found.front()).value();
  }
  static void read_to_the_end(ImportJob& job) {
    for (int i = 0; i < 1000; ++i) {
      const auto progress = job.step();
      ASSERT_TRUE(progress) << progress.error().describe();
      ASSERT_NE(*progress, Progress::elsewhere);
      if (*progress == Progress::all_read) return;
    }
    FAIL() << "the import has no end";
  }
  std::int64_t counted(const CorrelationId& flow, std::string_view counter) {
    const auto ledger = store().read(acme).value()->ledger(flow).value();
    for (const auto& entry : ledger)
      if (entry.stage == "files" && entry.counter == counter) return entry.value;
    return 0;
  }
  std::string status(const CorrelationId& flow) {
    return store().read(acme).value()->import_run(flow).value().value().status;
  }
};

TEST_P(ImportOwner, a_second_process_only_watches_while_the_first_one_reads) {
  auto a = start(process("a"));
  ASSERT_EQ(a->step().value(), Progress::more);
  auto b = start(process("b"));
  EXPECT_EQ(b->correlation(), a->correlation());
  EXPECT_TRUE(a->held());
  EXPECT_FALSE(b->held());
  EXPECT_EQ(b->step().value(), Progress::elsewhere);
  EXPECT_FALSE(b->finish_if_idle().value());
  EXPECT_TRUE(unowned("b").empty());
  read_to_the_end(*a);
  EXPECT_TRUE(a->finish_if_idle().value());
  clock.advance(2s);
  EXPECT_TRUE(b->finish_if_idle().value()) << "the other one finished it";
  EXPECT_EQ(b->step().value(), Progress::all_read);
  EXPECT_EQ(counted(a->correlation(), "read"), kRows + 1);
  EXPECT_EQ(status(a->correlation()), "done");
}

TEST_P(ImportOwner, who_takes_a_run_over_goes_on_from_what_was_committed) {
  auto a = start(process("a"));
  for (int i = 0; i < 3; ++i) ASSERT_EQ(a->step().value(), Progress::more);
  const auto before = counted(a->correlation(), "read");
  EXPECT_GT(before, 0);
  EXPECT_TRUE(unowned("b").empty());
  clock.advance(kTerm + 1s);
  auto b = take_up(process("b"));
  ASSERT_TRUE(b);
  ASSERT_TRUE(b->held());
  ASSERT_EQ(b->step().value(), Progress::more);
  EXPECT_GT(counted(a->correlation(), "read"), before);
  EXPECT_EQ(a->step().value(), Progress::elsewhere) << "it was away too long";
  read_to_the_end(*b);
  EXPECT_TRUE(b->finish_if_idle().value());
  EXPECT_EQ(counted(a->correlation(), "read"), kRows + 1);
  EXPECT_EQ(counted(a->correlation(), "filesRead"), 2);
}

TEST_P(ImportOwner, a_reader_that_was_paused_in_the_middle_of_a_step_writes_nothing_more) {
  auto a = start(process("a", &pausing));
  std::unique_ptr<ImportJob> b;
  std::int64_t after_b = 0;
  pausing.paused = [&] {
    clock.advance(kTerm + 1s);
    b = take_up(process("b"));
    ASSERT_TRUE(b);
    ASSERT_EQ(b->step().value(), Progress::more);
    after_b = counted(b->correlation(), "read");
  };
  EXPECT_EQ(a->step().value(), Progress::elsewhere);
  EXPECT_EQ(counted(a->correlation(), "read"), after_b);
  EXPECT_EQ(a->fail({"e", "of the old holder", ErrorClass::permanent, {}}).error().code, "lease_lost");
  EXPECT_EQ(status(a->correlation()), "running");
  read_to_the_end(*b);
  EXPECT_EQ(counted(a->correlation(), "read"), kRows + 1);
}

TEST_P(ImportOwner, a_run_comes_back_to_a_watcher_whose_other_process_died) {
  auto a = start(process("a"));
  auto b = start(process("b"));
  ASSERT_EQ(a->step().value(), Progress::more);
  EXPECT_EQ(b->step().value(), Progress::elsewhere);
  clock.advance(kTerm + 1s);
  read_to_the_end(*b);
  EXPECT_TRUE(b->finish_if_idle().value());
  EXPECT_EQ(counted(a->correlation(), "read"), kRows + 1);
  EXPECT_TRUE(a->finish_if_idle().value());
}

TEST_P(ImportOwner, a_lease_is_renewed_by_reading_and_given_back_for_the_next) {
  auto a = start(process("a"));
  for (int i = 0; i < 10; ++i) {
    clock.advance(kTerm / 2);
    ASSERT_EQ(a->step().value(), Progress::more);
    EXPECT_TRUE(unowned("b").empty());
  }
  ASSERT_TRUE(a->give_back());
  auto b = take_up(process("b"));
  ASSERT_TRUE(b);
  EXPECT_TRUE(b->held());
}

TEST_P(ImportOwner, a_machine_that_does_not_see_all_files_leaves_the_run_to_others) {
  auto a = start(process("a"));
  ASSERT_EQ(a->step().value(), Progress::more);
  ASSERT_TRUE(a->give_back());
  connectors::testing::MemoryFileSystem elsewhere;
  elsewhere.put("/x/b.csv", "Id,Name,Stage,Amount\nE1,One,Proposal,1000\n");
  const auto found = unowned("b");
  ASSERT_EQ(found.size(), 1u);
  const auto refused = ImportJob::take_up(process("b", &elsewhere), found.front());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "files_missing");
  EXPECT_EQ(unowned("c").size(), 1u) << "it is not kept from the others";
  EXPECT_EQ(status(a->correlation()), "running");
}

// FLOWCTL-3
TEST_P(ImportOwner, reading_pauses_while_a_queue_is_too_full_and_says_so) {
  std::optional<messaging::FlowPause> pause;
  auto parts = process("a");
  parts.paused = [&] { return pause; };
  auto job = start(parts);
  ASSERT_EQ(job->step().value(), Progress::more);
  const auto before = counted(job->correlation(), "read");
  pause = messaging::FlowPause{"q", 10'001};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(job->step().value(), Progress::waiting);
  EXPECT_EQ(counted(job->correlation(), "read"), before);
  pause.reset();
  read_to_the_end(*job);
  EXPECT_EQ(counted(job->correlation(), "read"), kRows + 1);
  std::vector<std::string> told, events;
  const auto story = store().read(acme).value()->flow(job->correlation(), 1000).value();
  for (const auto& entry : story) {
    if (entry.type == "flow") told.push_back(entry.text);
    if (entry.type == model::event::kFlowControl) events.push_back(entry.kind);
  }
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0], "reading paused: 10001 messages wait in q");
  EXPECT_EQ(told[1], "reading goes on: q is short enough");
  EXPECT_EQ(events.size(), 2u) << "one event each";
}

TEST_P(ImportOwner, a_run_whose_files_were_all_read_needs_them_no_more) {
  auto a = start(process("a"));
  read_to_the_end(*a);
  ASSERT_TRUE(a->give_back());
  connectors::testing::MemoryFileSystem empty;
  auto b = take_up(process("b", &empty));
  ASSERT_TRUE(b);
  read_to_the_end(*b);
  EXPECT_TRUE(b->finish_if_idle().value());
  EXPECT_EQ(status(a->correlation()), "done");
  EXPECT_EQ(counted(a->correlation(), "read"), kRows + 1);
}

// Waits until the service's threads have brought the run where it should be.
bool eventually(const std::function<bool()>& holds) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  for (int i = 0; i < 400; ++i) {
    if (holds()) return true;
    never.wait_for(lock, 25ms);
  }
  return false;
}

TEST_P(ImportOwner, a_service_takes_up_what_a_dead_process_left_and_what_another_gives_back) {
  open(machine);
  ImportParts parts = process("dead");
  parts.clock = &machine;
  parts.lease_term = 600ms;
  auto left = start(parts);
  ASSERT_EQ(left->step().value(), Progress::more);
  parts.owner = "b";
  ImportService b(parts, {});
  EXPECT_TRUE(eventually([&] { return status(left->correlation()) == "done"; }));
  EXPECT_EQ(counted(left->correlation(), "read"), kRows + 1);
  EXPECT_EQ(left->step().value(), Progress::all_read);
}

INSTANTIATE_TEST_SUITE_P(Stores, ImportOwner, testing::ValuesIn(storage::testing::store_catalogue()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace castiel::sync
