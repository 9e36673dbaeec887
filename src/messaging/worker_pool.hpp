#pragma once
// The threads that step consumers. Owned by the composition root; start() and stop() from one thread.
// Stages that only derive something from what is stored (search, links, scores) give way to those that store:
// while the latter are busy, a thread of the former rests three times as long as it worked. So what was sent
// is safe sooner, and a long import of one tenant still cannot starve the others' links and scores.

#include <atomic>
#include <condition_variable>
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

  enum class Kind { stores, derives };
  void add(Consumer& consumer, int threads, Kind kind = Kind::stores) {
    entries_.push_back({&consumer, threads, kind});
  }
  void start();
  // Lets every step that is running finish, takes no new one, and returns when all threads ended. What is
  // still in the queues stays there for the next start.
  void stop();
  int threads_of(std::string_view queue) const;
  bool running() const { return running_; }
  // Why nothing gets done: the last error when this many steps in a row failed and none handled a message.
  // The pool goes on trying.
  static constexpr int kStuckAfter = 10;
  std::optional<Error> stuck() const;

 private:
  struct Entry {
    Consumer* consumer;
    int threads;
    Kind kind;
  };
  void work(Consumer& consumer, Kind kind);
  void rest(Duration worked);

  Broker* broker_;
  const Clock* clock_;
  telemetry::Log log_;
  std::vector<Entry> entries_;
  std::vector<std::jthread> threads_;
  std::atomic<bool> running_ = false;
  std::atomic<std::int64_t>
      stored_at_;  // monotonic, in microseconds: when a storing stage last handled something
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  int failures_ = 0;  // in a row, of all threads
  Error last_error_;
};

}  // namespace castiel::messaging
