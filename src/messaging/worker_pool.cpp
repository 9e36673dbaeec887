#include "messaging/worker_pool.hpp"

#include <exception>

namespace castiel::messaging {

namespace {
constexpr auto kIdleWait = std::chrono::seconds(5);  // a receiver looks up this often without being woken
constexpr auto kPauseAfterError = std::chrono::seconds(1);  // so that a broken store is not hammered
constexpr auto kBusy =
    std::chrono::milliseconds(100);  // a storing stage that handled nothing for so long is idle
constexpr int kRest = 3;             // a deriving stage gets a quarter of its time meanwhile
constexpr Duration kLongestRest = std::chrono::milliseconds(300);
constexpr auto kLookUp = std::chrono::milliseconds(10);
}  // namespace

void WorkerPool::start() {
  running_ = true;
  stored_at_ = (clock_->monotonic() - kBusy).count();
  for (const auto& entry : entries_) {
    for (int i = 0; i < entry.threads; ++i) {
      threads_.emplace_back([this, &entry] { work(*entry.consumer, entry.kind); });
    }
  }
}

// A deriving stage worked this long (or waited for messages: then there is no backlog, and a short rest does
// not make one); others may be in need of the processor and the store's one writer.
void WorkerPool::rest(Duration worked) {
  const Duration start = clock_->monotonic();
  const Duration longest = std::min(kRest * worked, kLongestRest);
  const auto over = [&] {
    const Duration now = clock_->monotonic();
    return !running_ || now - start >= longest || now - Duration(stored_at_) >= kBusy;
  };
  std::unique_lock lock(mutex_);
  while (!over()) stopped_.wait_for(lock, kLookUp);
}

void WorkerPool::work(Consumer& consumer, Kind kind) {
  while (running_) {
    Result<bool> stepped;
    const Duration start = clock_->monotonic();
    try {
      stepped = consumer.step(Deadline::after(*clock_, kIdleWait));
    } catch (const std::exception& e) {
      // A bug in a handler. Its messages stay claimed, count as tried and come again at the next start.
      stepped = permanent("handler_threw", "a handler ended with an exception", e.what());
    }
    if (stepped) {
      // A queue with nothing in it says nothing about the others.
      if (*stepped) {
        {
          std::lock_guard lock(mutex_);
          failures_ = 0;
        }
        const Duration now = clock_->monotonic();
        if (kind == Kind::stores) {
          stored_at_ = now.count();
        } else {
          rest(now - start);
        }
      }
      continue;
    }
    log_.error("step_failed", {{"queue", consumer.queue()},
                               {"code", stepped.error().code},
                               {"message", stepped.error().describe()}});
    std::unique_lock lock(mutex_);
    ++failures_;
    last_error_ = stepped.error();
    stopped_.wait_for(lock, kPauseAfterError, [this] { return !running_; });
  }
}

void WorkerPool::stop() {
  if (!running_.exchange(false)) return;
  broker_->interrupt();
  {
    std::lock_guard lock(mutex_);
    stopped_.notify_all();
  }
  threads_.clear();
}

std::optional<Error> WorkerPool::stuck() const {
  std::lock_guard lock(mutex_);
  if (failures_ < kStuckAfter) return std::nullopt;
  return last_error_;
}

int WorkerPool::threads_of(std::string_view queue) const {
  for (const auto& entry : entries_) {
    if (entry.consumer->queue() == queue) return entry.threads;
  }
  return 0;
}

}  // namespace castiel::messaging
