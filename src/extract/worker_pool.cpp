#include "extract/worker_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "extract/impl/worker_process.hpp"

namespace castiel::extract {

namespace {

using impl::WorkerProcess;
using ProcessPtr = std::unique_ptr<WorkerProcess>;

constexpr int kTriesOfOneFile = 2;
constexpr Duration kLongestPause = std::chrono::seconds(1);  // of the keeper between looks at idle workers

// What a library says that ends its process because it gets no more memory.
bool died_of_memory(std::string_view last_words) {
  for (const std::string_view sign :
       {"bad_alloc", "ut of memory", "failed to allocate", "annot allocate memory"})
    if (last_words.find(sign) != std::string_view::npos) return true;
  return false;
}

class Pool final : public WorkerPool {
 public:
  Pool(WorkerPoolOptions options, const Clock& clock, telemetry::Log log)
      : options_(std::move(options)),
        clock_(clock),
        log_(std::move(log)),
        slots_(std::max<std::size_t>(1, options_.workers)) {
    keeper_ = std::thread([this] { keep(); });
  }
  ~Pool() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_keeper_.notify_all();
    keeper_.join();
  }

  Result<Extracted> extract(const Request& request, Deadline deadline) override;
  Stats stats() const override;

 private:
  struct Slot {
    ProcessPtr process;
    bool busy = false;
    Duration idle_since{0};
    std::size_t files = 0;
  };
  // Starting is the keeper's: a worker dies with the thread that started it.
  struct Start {
    Result<ProcessPtr> process = ProcessPtr();
    bool done = false;
  };

  Slot* take(Deadline deadline);
  void give_back(Slot& slot);
  Result<> ensure_started(Slot& slot, Deadline deadline);
  Result<Extracted> run(Slot& slot, const Request& request, int input, Deadline deadline);
  void keep();

  const WorkerPoolOptions options_;
  const Clock& clock_;
  telemetry::Log log_;
  std::atomic<std::uint64_t> started_ = 0, crashed_ = 0, timed_out_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable slot_free_, start_done_, wake_keeper_;
  std::vector<Slot> slots_;
  std::deque<Start*> starts_;
  std::optional<Error> start_error_;  // of the last start, while its pause lasts
  Duration start_failed_at_{0};
  bool stopping_ = false;
  std::thread keeper_;
};

// A free slot, one with a living process before an empty one; nothing when the deadline passed first.
Pool::Slot* Pool::take(Deadline deadline) {
  std::unique_lock lock(mutex_);
  for (;;) {
    Slot* best = nullptr;
    for (auto& slot : slots_)
      if (!slot.busy &&
          (best == nullptr || (slot.process && (!best->process || slot.idle_since > best->idle_since))))
        best = &slot;
    if (best != nullptr) {
      best->busy = true;
      return best;
    }
    if (deadline.passed()) return nullptr;
    slot_free_.wait_for(lock, std::min(deadline.remaining(), kLongestPause));
  }
}

void Pool::give_back(Slot& slot) {
  {
    std::lock_guard lock(mutex_);
    slot.busy = false;
    slot.idle_since = clock_.monotonic();
  }
  slot_free_.notify_one();
}

Result<> Pool::ensure_started(Slot& slot, Deadline deadline) {
  // One that ended while it waited, or wrote what nobody asked for, is replaced without a word to the caller.
  if (slot.process && !slot.process->idle()) slot.process.reset();
  if (slot.process) return {};
  slot.files = 0;
  Start start;
  {
    std::unique_lock lock(mutex_);
    if (start_error_ && clock_.monotonic() - start_failed_at_ < options_.restart_pause)
      return std::unexpected(*start_error_);
    starts_.push_back(&start);
    wake_keeper_.notify_all();
    start_done_.wait(lock, [&] { return start.done; });
  }
  Result<> ready;
  bool own_limit = true;
  if (!start.process) {
    ready = std::unexpected(start.process.error());
  } else {
    own_limit = deadline.remaining() >= options_.start_limit;
    ready = (*start.process)->wait_ready(deadline.sooner(options_.start_limit));
  }
  if (ready) {
    slot.process = std::move(*start.process);
    std::lock_guard lock(mutex_);
    start_error_.reset();
    return {};
  }
  if (!own_limit && deadline.passed())
    return transient("deadline_exceeded", "There was no time to start a worker.");
  log_.error("extract_worker_not_started", ready.error());
  std::lock_guard lock(mutex_);
  start_error_ = ready.error();
  start_failed_at_ = clock_.monotonic();
  return ready;
}

Result<Extracted> Pool::run(Slot& slot, const Request& request, int input, Deadline deadline) {
  std::string last_words;
  for (int attempt = 1; attempt <= kTriesOfOneFile; ++attempt) {
    CASTIEL_TRY(ensure_started(slot, deadline));
    const bool limited_by_file = deadline.remaining() >= options_.time_limit;
    auto exchange = slot.process->exchange(request, input, deadline.sooner(options_.time_limit));
    if (exchange.end == WorkerProcess::End::answered) {
      if (exchange.last || ++slot.files >= options_.recycle_after_files) slot.process.reset();
      return std::move(exchange.outcome);
    }
    last_words = slot.process->last_words();
    const pid_t pid = slot.process->pid();
    slot.process.reset();
    if (exchange.end == WorkerProcess::End::too_late) {
      ++timed_out_;
      log_.warn("extract_worker_killed",
                {{"pid", pid}, {"name", request.name}, {"bytes", request.bytes.size()}});
      if (!limited_by_file) return transient("deadline_exceeded", "There was no time left to read the file.");
      return permanent("timeout",
                       fmt::format("Reading the file takes more than {} s.",
                                   std::chrono::ceil<std::chrono::seconds>(options_.time_limit).count()));
    }
    ++crashed_;
    log_.warn("extract_worker_died", {{"pid", pid},
                                      {"name", request.name},
                                      {"bytes", request.bytes.size()},
                                      {"attempt", attempt},
                                      {"last_words", last_words}});
  }
  if (died_of_memory(last_words)) {
    return permanent("too_large", fmt::format("Reading the file takes more than {} MiB of memory.",
                                              options_.max_memory_bytes >> 20));
  }
  return permanent("crashed", "Reading the file ended its worker, twice.", last_words);
}

Result<Extracted> Pool::extract(const Request& request, Deadline deadline) {
  if (request.bytes.size() > options_.max_input_bytes) {
    return permanent("too_large", fmt::format("The file has {} bytes; the limit is {}.", request.bytes.size(),
                                              options_.max_input_bytes));
  }
  Slot* slot = take(deadline);
  if (slot == nullptr) return transient("deadline_exceeded", "All workers were busy until the deadline.");
  // Made here, not while waiting: a queue of calls must not hold copies of their files.
  auto input = impl::input_file(request.bytes);
  auto outcome = input ? run(*slot, request, input->get(), deadline) : std::unexpected(input.error());
  give_back(*slot);
  return outcome;
}

Pool::Stats Pool::stats() const {
  std::lock_guard lock(mutex_);
  Stats stats{started_, crashed_, timed_out_, 0, 0};
  for (const auto& slot : slots_)
    if (slot.busy || slot.process) ++stats.alive;
  stats.busy = static_cast<std::size_t>(std::ranges::count(slots_, true, &Slot::busy));
  return stats;
}

void Pool::keep() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    while (!starts_.empty()) {
      Start* start = starts_.front();
      starts_.pop_front();
      lock.unlock();
      auto process = WorkerProcess::start(options_, log_);
      if (process) ++started_;
      lock.lock();
      start->process = std::move(process);
      start->done = true;
      start_done_.notify_all();
    }
    std::vector<ProcessPtr> ended;
    bool watching = false;
    for (auto& slot : slots_) {
      if (slot.busy || !slot.process) continue;
      if (clock_.monotonic() - slot.idle_since >= options_.idle_limit) {
        ended.push_back(std::move(slot.process));
      } else {
        watching = true;
      }
    }
    if (!ended.empty()) {
      lock.unlock();
      ended.clear();
      lock.lock();
      continue;
    }
    if (watching || std::ranges::any_of(slots_, &Slot::busy)) {
      wake_keeper_.wait_for(lock, kLongestPause, [&] { return stopping_ || !starts_.empty(); });
    } else {
      wake_keeper_.wait(lock, [&] { return stopping_ || !starts_.empty(); });
    }
  }
  lock.unlock();
  for (auto& slot : slots_) slot.process.reset();
}

}  // namespace

std::unique_ptr<WorkerPool> make_worker_pool(WorkerPoolOptions options, const Clock& clock,
                                             telemetry::Log log) {
  return std::make_unique<Pool>(std::move(options), clock, std::move(log));
}

}  // namespace castiel::extract
