#include "support.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <thread>

namespace castiel::functional {

namespace {

using SteadyClock = std::chrono::steady_clock;

std::string binary() {
  const char* named = std::getenv("CASTIEL_BINARY");
  return named != nullptr ? named : CASTIEL_BINARY_PATH;
}

Answer exchange(int socket, const sockaddr* address, socklen_t size, const std::string& host,
                const std::string& target, const Ask& ask) {
  Answer answer;
  constexpr timeval kLimit{30, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kLimit, sizeof kLimit);
  if (::connect(socket, address, size) == 0) {
    const std::string request = fmt::format(
        "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: "
        "application/json\r\nContent-Length: {}\r\n{}\r\n{}",
        ask.method, target, ask.host.empty() ? host : ask.host, ask.body.size(), ask.headers, ask.body);
    std::string all;
    if (::send(socket, request.data(), request.size(), MSG_NOSIGNAL) ==
        static_cast<ssize_t>(request.size())) {
      char buffer[16384];
      for (ssize_t got; (got = ::recv(socket, buffer, sizeof buffer, 0)) > 0;)
        all.append(buffer, static_cast<std::size_t>(got));
    }
    const auto end = all.find("\r\n\r\n");
    if (all.starts_with("HTTP/1.1 ") && end != std::string::npos) {
      answer.status = std::atoi(all.c_str() + 9);
      answer.head = all.substr(0, end + 2);
      answer.body = all.substr(end + 4);
    }
  }
  ::close(socket);
  return answer;
}

json::value parsed(std::string_view text) {
  boost::system::error_code error;
  auto value = json::parse(text, error);
  if (error || !value.is_object()) {
    ADD_FAILURE() << "not a JSON object: " << text.substr(0, 400);
    return json::object();
  }
  return value;
}

}  // namespace

TempFolder::TempFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "castiel-functional-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::filesystem::filesystem_error("mkdtemp", name, std::error_code(errno, std::generic_category()));
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Path TempFolder::write(const std::string& name, std::string_view text) const {
  const Path file = path_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
  return file;
}

std::string read_text(const Path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<json::object> Finished::lines() const {
  std::vector<json::object> all;
  for (std::size_t at = 0; at < out.size();) {
    const auto end = std::min(out.find('\n', at), out.size());
    all.push_back(parsed(std::string_view(out).substr(at, end - at)).get_object());
    at = end + 1;
  }
  return all;
}

json::object Finished::last() const {
  auto all = lines();
  if (all.empty()) {
    ADD_FAILURE() << "no line on standard output; status " << status << ", signal " << signal
                  << "; standard error: " << err.substr(0, 2000);
    return {};
  }
  return all.back();
}

Process::Process(const std::vector<std::string>& arguments, Limits limits) {
  const std::string program = binary(), out = (output_.path() / "out").string(),
                    err = (output_.path() / "err").string();
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    // Between fork and exec only what is safe there. A test program that is killed takes its processes with
    // it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int in_fd = ::open("/dev/null", O_RDONLY);
    const int out_fd = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600),
              err_fd = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (in_fd < 0 || out_fd < 0 || err_fd < 0 || ::dup2(in_fd, 0) < 0 || ::dup2(out_fd, 1) < 0 ||
        ::dup2(err_fd, 2) < 0)
      ::_exit(126);
    if (limits.file_bytes) {
      const rlimit most{*limits.file_bytes, *limits.file_bytes};
      ::signal(SIGXFSZ, SIG_IGN);
      if (::setrlimit(RLIMIT_FSIZE, &most) != 0) ::_exit(126);
    }
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  handle_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
}

Process::~Process() {
  if (pid_ > 0 && !ended_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (handle_ >= 0) ::close(handle_);
}

bool Process::ended_within(Millis limit) {
  pollfd end{handle_, POLLIN, 0};
  return ::poll(&end, 1, static_cast<int>(limit.count())) == 1;
}

void Process::signal(int number) const {
  ::kill(pid_, number);
}

Finished Process::finish(Millis limit) {
  if (!ended_within(limit)) {
    ADD_FAILURE() << "the process did not end within " << limit.count()
                  << " ms; standard error: " << errors_so_far().substr(0, 2000);
    signal(SIGKILL);
  }
  Finished finished;
  int status = 0;
  rusage usage{};
  ::wait4(pid_, &status, 0, &usage);
  ended_ = true;
  if (WIFEXITED(status)) finished.status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) finished.signal = WTERMSIG(status);
  finished.peak_memory = static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  finished.out = read_text(output_.path() / "out");
  finished.err = errors_so_far();
  return finished;
}

std::string Process::errors_so_far() const {
  return read_text(output_.path() / "err");
}

Finished castiel(const std::vector<std::string>& arguments, Limits limits, Millis limit) {
  return Process(arguments, limits).finish(limit);
}

bool eventually(const std::function<bool()>& condition, Millis limit) {
  constexpr auto kBetween = 10ms;
  const auto end = SteadyClock::now() + limit;
  while (!condition()) {
    if (SteadyClock::now() >= end) return false;
    std::this_thread::sleep_for(kBetween);
  }
  return true;
}

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

json::object Answer::object() const {
  return parsed(body).get_object();
}

Answer http(std::uint16_t port, const std::string& target, const Ask& ask) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return exchange(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                  reinterpret_cast<const sockaddr*>(&address), sizeof address,
                  fmt::format("127.0.0.1:{}", port), target, ask);
}

Answer http(const Path& socket, const std::string& target, const Ask& ask) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
  return exchange(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                  reinterpret_cast<const sockaddr*>(&address), sizeof address, "localhost", target, ask);
}

namespace {
std::vector<std::string> serve_arguments(const Path& data, std::uint16_t port,
                                         const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"serve", "--data", data.string(), "--listen",
                                     fmt::format("127.0.0.1:{}", port)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}
}  // namespace

Server::Server(const Path& data, const std::vector<std::string>& more)
    : port_(free_port()), process_(serve_arguments(data, port_, more)) {
  const bool ready =
      eventually([&] { return process_.ended_within(0ms) || get("/health/ready").status == 200; });
  if (!ready || process_.ended_within(0ms))
    ADD_FAILURE() << "the server is not ready: " << process_.errors_so_far();
}

const json::value* find(const json::object& object, std::string_view path) {
  const json::object* at = &object;
  for (;;) {
    const auto dot = std::min(path.find('.'), path.size());
    const auto* value = at->if_contains(path.substr(0, dot));
    if (value == nullptr || dot == path.size()) return value;
    at = value->if_object();
    if (at == nullptr) return nullptr;
    path.remove_prefix(dot + 1);
  }
}

std::int64_t number(const json::object& object, std::string_view path) {
  const auto* value = find(object, path);
  if (value == nullptr || !value->is_number()) {
    ADD_FAILURE() << "no number at " << path << " in " << json::serialize(object).substr(0, 1000);
    return 0;
  }
  return value->to_number<std::int64_t>();
}

std::string text(const json::object& object, std::string_view path) {
  const auto* value = find(object, path);
  if (value == nullptr || !value->is_string()) {
    ADD_FAILURE() << "no text at " << path << " in " << json::serialize(object).substr(0, 1000);
    return {};
  }
  return std::string(value->get_string());
}

std::vector<std::string> problems_of(const json::object& summary, std::string_view file) {
  std::vector<std::string> found;
  const auto* problems = find(summary, "problems");
  if (problems == nullptr || !problems->is_array()) {
    ADD_FAILURE() << "no problems in " << json::serialize(summary).substr(0, 1000);
    return found;
  }
  for (const auto& item : problems->get_array()) {
    const auto& problem = item.get_object();
    if (text(problem, "file").ends_with(file))
      found.push_back(fmt::format("{} {}", text(problem, "code"), number(problem, "line")));
  }
  return found;
}

}  // namespace castiel::functional
