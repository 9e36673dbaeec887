#include "storage/testing/peer_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/clock.hpp"

namespace castiel::storage::testing {

namespace fs = std::filesystem;

namespace {

constexpr Duration kReadyWithin = std::chrono::seconds(30);
constexpr int kMillisecondsBetweenQuestions = 10;
constexpr int kNoProgram = 127;

[[noreturn]] void give_up(const std::string& what, const fs::path& output) {
  std::ifstream file(output);
  const std::string said{std::istreambuf_iterator<char>(file), {}};
  fmt::print(stderr, "{}\n{}\n", what, said);
  std::fflush(stderr);
  std::_Exit(1);
}

pid_t start(const std::vector<std::string>& command, const fs::path& output) {
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::execvp(words[0], words.data());
  ::_exit(errno == ENOENT ? kNoProgram : 126);
}

std::string missing(const std::vector<std::string>& command, const std::string& package, int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoProgram)
    return fmt::format("{} is not installed: it comes with {}", command[0], package);
  return fmt::format("{} (of {}) ended with status {}:", command[0], package, status);
}

}  // namespace

TemporaryFolder::TemporaryFolder(const std::string& name) {
  std::string form = (fs::temp_directory_path() / ("castiel-" + name + "-XXXXXX")).string();
  if (::mkdtemp(form.data()) == nullptr) give_up("no temporary folder: " + form, {});
  path_ = form;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    give_up("no port of 127.0.0.1 is free", {});
  ::close(fd);
  return ntohs(address.sin_port);
}

PeerProcess::PeerProcess(std::vector<std::string> command, const fs::path& folder, const std::string& package,
                         const std::function<bool()>& ready) {
  const auto output = folder / "output";
  pid_ = start(command, output);
  const SystemClock clock;
  const auto deadline = Deadline::after(clock, kReadyWithin);
  while (!ready()) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) give_up(missing(command, package, status), output);
    if (deadline.passed()) {
      kill();
      give_up(fmt::format("{} (of {}) is not ready:", command[0], package), output);
    }
    ::poll(nullptr, 0, kMillisecondsBetweenQuestions);
  }
}

void PeerProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void PeerProcess::suspend() {
  ::kill(pid_, SIGSTOP);
}
void PeerProcess::resume() {
  ::kill(pid_, SIGCONT);
}

void run_to_end(const std::vector<std::string>& command, const fs::path& folder, const std::string& package) {
  const auto output = folder / "output";
  const pid_t pid = start(command, output);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) give_up(missing(command, package, status), output);
}

}  // namespace castiel::storage::testing
