#pragma once
// One running worker program and its end of the socket. One owner at a time; every call blocks up to the
// deadline it is given. The destructor kills the process and waits for it.

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "extract/impl/protocol.hpp"
#include "extract/worker_pool.hpp"

namespace castiel::extract::impl {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// The bytes as a sealed file in memory, positioned anywhere. Error: extractor_unavailable.
Result<Descriptor> input_file(std::string_view bytes);

class WorkerProcess {
 public:
  // Must be called on a thread that lives as long as the process shall: the worker dies with it.
  // Error: extractor_unavailable.
  static Result<std::unique_ptr<WorkerProcess>> start(const WorkerPoolOptions& options, telemetry::Log log);
  ~WorkerProcess();

  // Waits for the outcome of the self-test. Error: extractor_unavailable with the worker's reason.
  Result<> wait_ready(Deadline deadline);

  enum class End {
    answered,
    died,      // of the file, or replied what no worker replies
    too_late,  // the deadline passed
  };
  struct Exchange {
    End end = End::died;
    Result<Extracted> outcome = Extracted{};
    bool last = false;  // the worker asks to be replaced
  };
  // After anything but `answered` the process is of no more use.
  Exchange exchange(const Request& request, int input, Deadline deadline);

  // Whether it waits for work: false once it has ended.
  bool idle() const;
  pid_t pid() const { return pid_; }
  // What it last wrote to standard error.
  const std::string& last_words() const { return last_words_; }

 private:
  WorkerProcess(const WorkerPoolOptions& options, telemetry::Log log)
      : options_(options), log_(std::move(log)) {}
  enum class Step { done, ended, too_late };
  Step send_request(const Request& request, int input, Deadline deadline);
  Step receive(char* into, std::size_t size, Deadline deadline);
  Step receive_text(std::string& out, std::uint64_t size, Deadline deadline);
  Step wait_for(short events, Deadline deadline);
  void read_errors();

  const WorkerPoolOptions& options_;
  telemetry::Log log_;
  pid_t pid_ = -1;
  Descriptor socket_, errors_;
  std::string last_words_;
  std::size_t logged_bytes_ = 0;
};

}  // namespace castiel::extract::impl
