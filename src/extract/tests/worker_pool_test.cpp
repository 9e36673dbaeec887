// The real worker program, started as the product starts it.

#include "extract/worker_pool.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include "base/digest.hpp"
#include "extract/tests/support.hpp"

namespace castiel::extract {

std::vector<int> children() {
  std::vector<int> pids;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream in(task.path() / "children");
    for (int pid; in >> pid;) pids.push_back(pid);
  }
  return pids;
}

namespace {
// The letter of /proc: R runs, S sleeps, Z is a zombie. Empty when there is none.
std::string state_in(const std::string& path) {
  std::ifstream in(path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto end = text.rfind(')');
  return end == std::string::npos ? "" : text.substr(end + 2, 1);
}
}  // namespace

bool waits_for_work(int pid) {
  const auto state = state_in(fmt::format("/proc/{}/stat", pid));
  return !state.empty() && state != "Z";
}

bool sleeps(int thread) {
  return state_in(fmt::format("/proc/self/task/{}/stat", thread)) == "S";
}

namespace {

using namespace std::chrono_literals;

std::string text_of(const Result<Extracted>& outcome) {
  return outcome ? string_or(outcome->structure, "text") : outcome.error().describe();
}

TEST(WorkerPool, reads_a_file_in_another_process) {
  const auto pool = make_worker_pool(pool_options(), kClock, {});
  EXPECT_TRUE(children().empty()) << "nothing starts before there is work";
  const auto outcome = pool->extract(text_request("Hello from a file"), in_seconds(30));
  EXPECT_NE(text_of(outcome).find("Hello from a file"), std::string::npos) << text_of(outcome);
  EXPECT_EQ(children().size(), 1u);
  EXPECT_EQ(pool->stats().started, 1u);
}

TEST(WorkerPool, leaves_neither_processes_nor_descriptors) {
  const auto before = open_descriptors();
  for (int round = 0; round < 3; ++round) {
    const auto pool = make_worker_pool(pool_options(), kClock, {});
    ASSERT_TRUE(pool->extract(text_request("once"), in_seconds(30)).has_value());
    ::kill(children().at(0), SIGKILL);
    ASSERT_TRUE(pool->extract(text_request("again"), in_seconds(30)).has_value());
  }
  EXPECT_TRUE(children().empty());
  EXPECT_EQ(open_descriptors(), before);
}

TEST(WorkerPool, replaces_a_worker_that_was_killed_between_files) {
  const auto pool = make_worker_pool(pool_options(1), kClock, {});
  ASSERT_TRUE(pool->extract(text_request("one"), in_seconds(30)).has_value());
  const int first = children().at(0);
  ::kill(first, SIGKILL);
  ASSERT_TRUE(eventually([&] { return !waits_for_work(first); }));
  const auto outcome = pool->extract(text_request("two"), in_seconds(30));
  EXPECT_NE(text_of(outcome).find("two"), std::string::npos) << text_of(outcome);
  EXPECT_EQ(pool->stats().started, 2u);
  EXPECT_EQ(pool->stats().crashed, 0u) << "it died of no file";
}

// A stopped worker is one that hangs: the request is sent, no reply comes.
class StoppedWorker : public testing::Test {
 protected:
  void start(WorkerPoolOptions options) {
    pool_ = make_worker_pool(std::move(options), kClock, telemetry::Log(lines_, kClock));
    ASSERT_TRUE(pool_->extract(text_request("first"), in_seconds(30)).has_value());
    worker_ = children().at(0);
    ASSERT_GT(worker_, 0);
    ::kill(worker_, SIGSTOP);
  }
  std::shared_ptr<telemetry::CapturedLines> lines_ = std::make_shared<telemetry::CapturedLines>();
  std::unique_ptr<WorkerPool> pool_;
  int worker_ = 0;
};

TEST_F(StoppedWorker, is_killed_at_the_limit_for_one_file) {
  auto options = pool_options(1);
  options.time_limit = 300ms;
  start(options);
  const auto outcome = pool_->extract(text_request("second"), in_seconds(30));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, "timeout");
  EXPECT_EQ(outcome.error().cls, ErrorClass::permanent);
  EXPECT_NE(::kill(worker_, 0), 0) << "it is gone and waited for";
  EXPECT_EQ(pool_->stats().timed_out, 1u);
  EXPECT_TRUE(lines_->contains("extract_worker_killed"));
  EXPECT_TRUE(pool_->extract(text_request("third"), in_seconds(30)).has_value());
}

TEST_F(StoppedWorker, is_killed_when_the_callers_deadline_passes) {
  start(pool_options(1));
  const auto outcome = pool_->extract(text_request("second"), Deadline::after(kClock, 200ms));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, "deadline_exceeded");
  EXPECT_EQ(outcome.error().cls, ErrorClass::transient);
  EXPECT_TRUE(children().empty());
}

TEST_F(StoppedWorker, that_dies_in_the_middle_of_a_file_is_replaced_and_the_file_tried_again) {
  start(pool_options(1));
  Result<Extracted> outcome = Extracted{};
  std::atomic<int> thread = 0;
  std::thread caller([&] {
    thread = ::gettid();
    outcome = pool_->extract(text_request("second"), in_seconds(30));
  });
  // The worker is stopped: a caller that sleeps has sent its request and waits for the answer.
  ASSERT_TRUE(eventually([&] { return pool_->stats().busy == 1 && sleeps(thread); }));
  ::kill(worker_, SIGKILL);
  caller.join();
  EXPECT_NE(text_of(outcome).find("second"), std::string::npos) << text_of(outcome);
  EXPECT_EQ(pool_->stats().crashed, 1u);
  EXPECT_TRUE(lines_->contains("extract_worker_died"));
}

TEST_F(StoppedWorker, whose_file_kills_the_next_one_too_is_an_error) {
  start(pool_options(1));
  Result<Extracted> outcome = Extracted{};
  std::atomic<bool> done = false;
  std::thread caller([&] {
    outcome = pool_->extract(text_request("second"), in_seconds(30));
    done = true;
  });
  ASSERT_TRUE(eventually([&] { return pool_->stats().busy == 1; }));
  // Whatever starts is killed until the pool gives up; a kill that comes before the file is read counts as a
  // start that failed, so both ends are right.
  while (!done)
    for (const int pid : children()) ::kill(pid, SIGKILL);
  caller.join();
  ASSERT_FALSE(outcome.has_value());
  EXPECT_TRUE(outcome.error().code == "crashed" || outcome.error().code == "extractor_unavailable")
      << outcome.error().code;
  ASSERT_TRUE(eventually([&] { return pool_->extract(text_request("third"), in_seconds(30)).has_value(); }));
}

TEST(WorkerPool, gives_up_waiting_for_a_busy_worker_at_the_deadline) {
  auto options = pool_options(1);
  const auto pool = make_worker_pool(options, kClock, {});
  ASSERT_TRUE(pool->extract(text_request("first"), in_seconds(30)).has_value());
  const int worker = children().at(0);
  ::kill(worker, SIGSTOP);
  std::thread busy([&] { EXPECT_TRUE(pool->extract(text_request("second"), in_seconds(30)).has_value()); });
  ASSERT_TRUE(eventually([&] { return pool->stats().busy == 1; }));
  const auto outcome = pool->extract(text_request("third"), Deadline::after(kClock, 50ms));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, "deadline_exceeded");
  ::kill(worker, SIGCONT);
  busy.join();
}

TEST(WorkerPool, serves_many_threads_with_as_many_workers_as_it_has) {
  const auto pool = make_worker_pool(pool_options(3), kClock, {});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int t = 0; t < 8; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const auto text = fmt::format("thread {} file {}", t, i);
        if (text_of(pool->extract(text_request(text), in_seconds(60))).find(text) == std::string::npos)
          ++wrong;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(pool->stats().started, 3u);
}

TEST(WorkerPool, outlives_the_thread_that_called_first) {
  const auto pool = make_worker_pool(pool_options(1), kClock, {});
  std::thread([&] { EXPECT_TRUE(pool->extract(text_request("one"), in_seconds(30)).has_value()); }).join();
  EXPECT_TRUE(pool->extract(text_request("two"), in_seconds(30)).has_value());
  EXPECT_EQ(pool->stats().started, 1u);
}

TEST(WorkerPool, takes_a_fresh_worker_after_so_many_files) {
  auto options = pool_options(1);
  options.recycle_after_files = 2;
  const auto pool = make_worker_pool(options, kClock, {});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(pool->extract(text_request("text"), in_seconds(30)).has_value());
  EXPECT_EQ(pool->stats().started, 3u);
}

TEST(WorkerPool, ends_workers_that_have_nothing_to_do) {
  auto options = pool_options(1);
  options.idle_limit = 50ms;
  const auto pool = make_worker_pool(options, kClock, {});
  ASSERT_TRUE(pool->extract(text_request("text"), in_seconds(30)).has_value());
  EXPECT_TRUE(eventually([] { return children().empty(); }));
  EXPECT_TRUE(pool->extract(text_request("text"), in_seconds(30)).has_value());
}

TEST(WorkerPool, refuses_a_file_over_the_limit_and_takes_one_of_the_limit) {
  auto options = pool_options(1);
  options.max_input_bytes = 1000;
  const auto pool = make_worker_pool(options, kClock, {});
  const auto outcome = pool->extract(text_request(std::string(1001, 'a')), in_seconds(30));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, "too_large");
  EXPECT_TRUE(pool->extract(text_request(std::string(1000, 'a')), in_seconds(30)).has_value());
}

TEST(WorkerPool, refuses_a_reply_over_the_limit) {
  auto options = pool_options(1);
  options.max_structure_bytes = 2000;
  const auto pool = make_worker_pool(options, kClock, {});
  const auto outcome = pool->extract(text_request(std::string(5000, 'a')), in_seconds(30));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, "too_large");
  EXPECT_TRUE(pool->extract(text_request("small"), in_seconds(30)).has_value());
}

TEST(WorkerPool, says_when_the_program_is_not_there_and_tries_again_later) {
  auto options = pool_options();
  options.program = "/nonexistent/castiel-extract";
  options.restart_pause = 0s;
  const auto pool = make_worker_pool(options, kClock, {});
  for (int i = 0; i < 2; ++i) {
    const auto outcome = pool->extract(text_request("x"), in_seconds(30));
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, "extractor_unavailable");
    EXPECT_EQ(outcome.error().cls, ErrorClass::transient);
  }
  options.program = "/bin/false";
  const auto outcome = make_worker_pool(options, kClock, {})->extract(text_request("x"), in_seconds(30));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, "extractor_unavailable");
}

TEST(WorkerPool, workers_die_with_their_parent) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const auto pool = make_worker_pool(pool_options(1), kClock, {});
    const bool read = pool->extract(text_request("x"), in_seconds(30)).has_value();
    const int worker = read ? children().at(0) : 0;
    if (worker > 0) ::kill(worker, SIGSTOP);
    (void)!::write(ends[1], &worker, sizeof worker);
    ::raise(SIGKILL);
  }
  int worker = 0;
  ASSERT_EQ(::read(ends[0], &worker, sizeof worker), static_cast<ssize_t>(sizeof worker));
  ::waitpid(parent, nullptr, 0);
  ASSERT_GT(worker, 0);
  EXPECT_TRUE(eventually([&] { return !waits_for_work(worker); }));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(WorkerPool, a_small_file_takes_well_under_a_millisecond) {
  const auto pool = make_worker_pool(pool_options(1), kClock, {});
  const std::string bytes(5000, 'a');
  ASSERT_TRUE(pool->extract(text_request(bytes), in_seconds(30)).has_value());
  constexpr int kRounds = 200;
  const auto start = kClock.monotonic();
  for (int i = 0; i < kRounds; ++i)
    ASSERT_TRUE(pool->extract(text_request(bytes), in_seconds(30)).has_value());
  const auto each = (kClock.monotonic() - start) / kRounds;
  std::printf("[ NOTE     ] round trip of 5 kB: %lld us\n", static_cast<long long>(each.count()));
  // Ten times what a debug build takes on an idle machine.
  EXPECT_LT(each, 10ms);
}

}  // namespace
}  // namespace castiel::extract
