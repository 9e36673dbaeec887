#pragma once
// The threads that step consumers. Owned by the composition root; start() and stop() from one thread, the
// rest from any.
// Stages that only derive something from what is stored (search, links, scores) give way to those that store:
// while the latter are busy, a thread of the former rests three times as long as it worked. So what was sent
// is safe sooner, and a long import of one tenant still cannot starve the others' links and scores.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "messaging/consumer.hpp"

namespace castiel::messaging {

class WorkerPool {
 public:
  WorkerPool(Broker& broker, const Clock& clock, telemetry::Log log)
      : broker_(&broker), clock_(&clock), log_(std::move(log)) {}
  ~WorkerPool() { stop(); }

  // Before start(). The queue has `least` threads, and up to `most` where scale() asks for them.
  enum class Kind { stores, derives };
  void add(Consumer& consumer, int least, int most, Kind kind = Kind::stores);
  void add(Consumer& consumer, int threads, Kind kind = Kind::stores) {
    add(consumer, threads, threads, kind);
  }
  void start();
  // Lets every step that is running finish, takes no new one, and returns when all threads ended. What is
  // still in the queues stays there for the next start.
  void stop();
  // Gives a queue that grows its most threads, or its least again; those too many end with their step.
  void scale(std::string_view queue, bool out);
  // Threads that work on the queue, or are about to.
  int threads_of(std::string_view queue) const;
  bool running() const { return running_; }
  // Why nothing gets done: the last error when this many steps in a row failed and none handled a message.
  // The pool goes on trying.
  static constexpr int kStuckAfter = 10;
  std::optional<Error> stuck() const;

 private:
  struct Slot {
    std::thread thread;
    bool ended = true;  // under mutex_
  };
  struct Entry {
    Consumer* consumer;
    int least, most;
    Kind kind;
    int wanted;                                // under mutex_
    std::vector<std::unique_ptr<Slot>> slots;  // `most` of them
  };
  void work(Entry& entry, std::size_t number);
  void rest(Duration worked);
  // Whether this thread is one too many; then it counts as ended.
  bool ends(Entry& entry, std::size_t number);
  void fill(Entry& entry);  // under mutex_

  Broker* broker_;
  const Clock* clock_;
  telemetry::Log log_;
  std::deque<Entry> entries_;
  std::atomic<bool> running_ = false;
  std::atomic<std::int64_t>
      stored_at_;  // monotonic, in microseconds: when a storing stage last handled something
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  int failures_ = 0;  // in a row, of all threads
  Error last_error_;
};

}  // namespace castiel::messaging
