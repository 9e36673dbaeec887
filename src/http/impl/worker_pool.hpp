#pragma once
// A fixed number of threads and a bounded queue in front of them. Thread-safe.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace castiel::http::impl {

class WorkerPool {
 public:
  WorkerPool(int threads, std::size_t max_queued);
  ~WorkerPool();

  // New work. False when the queue is full or the pool is stopped.
  bool try_post(std::function<void()> task);
  // The next step of work that was admitted before (a chunk of a body). It goes first and does not count
  // against the limit, since there is at most one for each connection. False only when the pool is stopped.
  bool post_step(std::function<void()> task);
  // Runs what is queued, then ends the threads. Blocks. Not from a task.
  void stop();

 private:
  using Tasks = std::deque<std::function<void()>>;
  void run();

  const std::size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable ready_;
  Tasks steps_;
  Tasks queue_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace castiel::http::impl
