#pragma once
// What the extractor's tests share: the built worker program, files in memory, counts of processes and
// descriptors.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "extract/worker_pool.hpp"
#include "telemetry/testing/captured_log.hpp"

namespace castiel::extract {

inline const SystemClock kClock;

inline WorkerPoolOptions pool_options(std::size_t workers = 2) {
  WorkerPoolOptions options;
  options.program = CASTIEL_EXTRACT_PATH;
  options.workers = workers;
  return options;
}

inline Deadline in_seconds(int seconds) {
  return Deadline::after(kClock, std::chrono::seconds(seconds));
}

inline Request text_request(std::string_view bytes, std::string name = "note.txt") {
  Request request;
  request.as = "document";
  request.name = std::move(name);
  request.bytes = bytes;
  return request;
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    count += entry.exists() ? 1 : 0;
  return count;
}

// Children of this process, zombies among them.
std::vector<int> children();
// One that runs or sleeps on: its state in /proc is not Z.
bool waits_for_work(int pid);
// Whether a thread of this process is blocked in the kernel.
bool sleeps(int thread);
// Asks again until it is so, for at most 20 s.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = in_seconds(20);
  while (!condition()) {
    if (deadline.passed()) return false;
    ::usleep(2'000);
  }
  return true;
}

}  // namespace castiel::extract
