#pragma once
// The extractor of the product: a pool of sandboxed worker programs (castiel-extract), one request at a time
// each. The pool owns its processes and the one thread that starts and ends them; any number of threads may
// call it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "extract/extractor.hpp"
#include "telemetry/log.hpp"

namespace castiel::extract {

struct WorkerPoolOptions {
  std::string program;                             // path of castiel-extract
  std::string tessdata;                            // folder of tesseract's language data; empty: the system's
  std::size_t workers = 2;                         // processes at most; they are started when there is work
  std::uint64_t max_input_bytes = 256u << 20;      // of one file: more is too_large
  std::uint64_t max_memory_bytes = 512u << 20;     // of a worker's own data; it ends when it wants more
  Duration time_limit = std::chrono::seconds(60);  // for one file: then its worker is killed
  Duration start_limit = std::chrono::seconds(20);   // for a worker's self-test
  Duration idle_limit = std::chrono::seconds(60);    // a worker without work ends after this
  Duration restart_pause = std::chrono::seconds(1);  // after a start that failed, calls fail for this long
  std::uint64_t max_structure_bytes = 128u << 20;    // of a reply's JSON text
  std::size_t max_structure_values = 4'000'000;      // values and keys in it
  std::uint64_t max_parts_bytes = 256u << 20;        // of a reply's parts together
  std::size_t max_parts = 20'000;
  std::size_t recycle_after_files = 500;  // then a fresh worker takes its place
};

class WorkerPool : public Extractor {
 public:
  struct Stats {
    std::uint64_t started = 0;    // processes, ever
    std::uint64_t crashed = 0;    // ended on their own in the middle of a file
    std::uint64_t timed_out = 0;  // killed at the limit for one file
    std::size_t alive = 0;
    std::size_t busy = 0;  // of them, those a call holds
  };
  virtual Stats stats() const = 0;
};

// Starts nothing yet. `clock` must outlive the pool. Destroying it kills the workers; no call may be running.
// Besides the codes of Extractor::extract: too_large for input or results over their limits. A worker that
// dies of a file is replaced and the file tried once more; extractor_unavailable is a program that does not
// start or fails its self-test; deadline_exceeded is a deadline that passed while waiting, or while parsing
// (the worker is killed then).
std::unique_ptr<WorkerPool> make_worker_pool(WorkerPoolOptions options, const Clock& clock,
                                             telemetry::Log log);

// What `castiel-extract --self-test` says: {"ok","version","sandbox":{…},"checks":[…],"startMilliseconds"}.
// Blocks up to the start limit. Error: extractor_unavailable.
Result<json::object> check_worker_program(const WorkerPoolOptions& options, const Clock& clock);

}  // namespace castiel::extract
