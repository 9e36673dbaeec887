#include "extract/impl/spawn.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "extract/impl/protocol.hpp"
#include "extract/impl/worker_process.hpp"

namespace castiel::extract {

namespace impl {

namespace {

constexpr int kFirstFreePlace = 10;  // above every descriptor a worker is given

struct FileActions {
  posix_spawn_file_actions_t actions;
  FileActions() { ::posix_spawn_file_actions_init(&actions); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void put(int from, int to) {
    if (from < 0) {
      ::posix_spawn_file_actions_addopen(&actions, to, "/dev/null", O_RDWR, 0);
    } else {
      ::posix_spawn_file_actions_adddup2(&actions, from, to);
    }
  }
};

struct Attributes {
  posix_spawnattr_t value;
  Attributes() {
    ::posix_spawnattr_init(&value);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&value, &none);
    ::posix_spawnattr_setsigdefault(&value, &all);
    // A session of its own: Ctrl-C at a terminal is for the parent, which ends its workers itself.
    ::posix_spawnattr_setflags(&value, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&value); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
};

}  // namespace

Result<pid_t> spawn_worker(const WorkerPoolOptions& options, std::vector<std::string> arguments, int socket,
                           int errors, int output) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.time_limit).count();
  arguments.insert(arguments.begin(), options.program);
  arguments.push_back(fmt::format("--parent={}", ::getpid()));
  arguments.push_back(fmt::format("--max-memory-bytes={}", options.max_memory_bytes));
  arguments.push_back(fmt::format("--max-input-bytes={}", options.max_input_bytes));
  arguments.push_back(fmt::format("--file-seconds={}", seconds));
  // Nothing of the parent's environment: it may hold secrets, and libraries obey it.
  std::vector<std::string> environment{"LC_ALL=C.UTF-8", "TZ=UTC", "OMP_THREAD_LIMIT=1", "MALLOC_ARENA_MAX=2",
                                       "HOME=/nonexistent"};
  if (!options.tessdata.empty()) {
    environment.push_back("TESSDATA_PREFIX=" + options.tessdata);
    arguments.push_back("--tessdata=" + options.tessdata);
  }
  std::vector<char*> argv, envp;
  for (auto& text : arguments) argv.push_back(text.data());
  for (auto& text : environment) envp.push_back(text.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);

  // Copies out of the way of the places they go to: putting one there must not close another.
  const auto moved = [](int fd) {
    return Descriptor(fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFreePlace));
  };
  const Descriptor socket_copy = moved(socket), errors_copy = moved(errors), output_copy = moved(output);
  FileActions files;
  files.put(-1, STDIN_FILENO);
  files.put(output_copy.get(), STDOUT_FILENO);
  files.put(errors_copy.get(), STDERR_FILENO);
  if (socket >= 0) files.put(socket_copy.get(), kWorkerSocket);
  ::posix_spawn_file_actions_addclosefrom_np(&files.actions, socket >= 0 ? kWorkerSocket + 1 : kWorkerSocket);
  const Attributes attributes;
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, options.program.c_str(), &files.actions, &attributes.value,
                                  argv.data(), envp.data());
  if (error != 0) {
    return transient("extractor_unavailable",
                     fmt::format("The worker program '{}' does not start.", options.program),
                     std::strerror(error));
  }
  return pid;
}

}  // namespace impl

Result<json::object> check_worker_program(const WorkerPoolOptions& options, const Clock& clock) {
  constexpr std::size_t kMaxReportBytes = 64 * 1024;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return transient("extractor_unavailable", "No pipe for a worker.", std::strerror(errno));
  impl::Descriptor read_end(ends[0]);
  auto write_end = std::make_unique<impl::Descriptor>(ends[1]);
  const Duration start = clock.monotonic();
  CASTIEL_ASSIGN(const pid_t pid, impl::spawn_worker(options, {"--self-test"}, -1, -1, write_end->get()));
  write_end.reset();
  const auto deadline = Deadline::after(clock, options.start_limit);
  std::string text;
  bool complete = false;
  while (!complete && text.size() < kMaxReportBytes && !deadline.passed()) {
    pollfd events{read_end.get(), POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining()).count();
    if (::poll(&events, 1, static_cast<int>(left)) <= 0) continue;
    char buffer[4096];
    const ssize_t got = ::read(read_end.get(), buffer, sizeof buffer);
    if (got <= 0) {
      complete = got == 0;
      if (got < 0 && errno == EINTR) continue;
      break;
    }
    text.append(buffer, static_cast<std::size_t>(got));
  }
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  auto value = parse_json(text);
  if (!complete || !value || !value->is_object()) {
    return transient("extractor_unavailable",
                     fmt::format("The self-test of '{}' did not come to an end.", options.program), text);
  }
  value->get_object()["startMilliseconds"] =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock.monotonic() - start).count();
  return std::move(value->get_object());
}

}  // namespace castiel::extract
