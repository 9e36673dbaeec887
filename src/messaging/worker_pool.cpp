#include "messaging/worker_pool.hpp"

#include <algorithm>
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

void WorkerPool::add(Consumer& consumer, int least, int most, Kind kind) {
  auto& entry = entries_.emplace_back();
  entry.consumer = &consumer;
  entry.least = entry.wanted = least;
  entry.most = std::max(least, most);
  entry.kind = kind;
  for (int i = 0; i < entry.most; ++i) entry.slots.push_back(std::make_unique<Slot>());
}

void WorkerPool::start() {
  running_ = true;
  stored_at_ = (clock_->monotonic() - kBusy).count();
  std::lock_guard lock(mutex_);
  for (auto& entry : entries_) fill(entry);
}

void WorkerPool::fill(Entry& entry) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(entry.wanted); ++i) {
    auto& slot = *entry.slots[i];
    if (!slot.ended) continue;
    if (slot.thread.joinable()) slot.thread.join();  // it ended, or is about to return
    slot.ended = false;
    slot.thread = std::thread([this, &entry, i] { work(entry, i); });
  }
}

void WorkerPool::scale(std::string_view queue, bool out) {
  std::lock_guard lock(mutex_);
  if (!running_) return;
  for (auto& entry : entries_) {
    const int wanted = out ? entry.most : entry.least;
    if (entry.consumer->queue() != queue || wanted == entry.wanted) continue;
    log_.info("workers_scaled", {{"queue", entry.consumer->queue()}, {"threads", wanted}});
    entry.wanted = wanted;
    fill(entry);
  }
}

bool WorkerPool::ends(Entry& entry, std::size_t number) {
  std::lock_guard lock(mutex_);
  if (running_ && static_cast<int>(number) < entry.wanted) return false;
  entry.slots[number]->ended = true;
  return true;
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

void WorkerPool::work(Entry& entry, std::size_t number) {
  auto& consumer = *entry.consumer;
  while (!ends(entry, number)) {
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
        if (entry.kind == Kind::stores) {
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
    // Nobody adds threads after this.
    std::lock_guard lock(mutex_);
    stopped_.notify_all();
  }
  for (auto& entry : entries_) {
    for (auto& slot : entry.slots) {
      if (slot->thread.joinable()) slot->thread.join();
    }
  }
}

std::optional<Error> WorkerPool::stuck() const {
  std::lock_guard lock(mutex_);
  if (failures_ < kStuckAfter) return std::nullopt;
  return last_error_;
}

int WorkerPool::threads_of(std::string_view queue) const {
  std::lock_guard lock(mutex_);
  for (const auto& entry : entries_) {
    if (entry.consumer->queue() == queue) return entry.wanted;
  }
  return 0;
}

}  // namespace castiel::messaging
