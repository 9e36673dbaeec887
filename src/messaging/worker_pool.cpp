#include "messaging/worker_pool.hpp"

#include <exception>

namespace castiel::messaging {

namespace {
constexpr auto kIdleWait = std::chrono::seconds(5);  // a receiver looks up this often without being woken
constexpr auto kPauseAfterError = std::chrono::seconds(1);  // so that a broken store is not hammered
}  // namespace

void WorkerPool::start() {
  running_ = true;
  for (const auto& [consumer, threads] : entries_) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, c = consumer] { work(*c); });
    }
  }
}

void WorkerPool::work(Consumer& consumer) {
  while (running_) {
    Result<bool> stepped;
    try {
      stepped = consumer.step(Deadline::after(*clock_, kIdleWait));
    } catch (const std::exception& e) {
      // A bug in a handler. Its messages stay claimed, count as tried and come again at the next start.
      stepped = permanent("handler_threw", "a handler ended with an exception", e.what());
    }
    if (stepped) {
      // A queue with nothing in it says nothing about the others.
      if (*stepped) {
        std::lock_guard lock(mutex_);
        failures_ = 0;
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
