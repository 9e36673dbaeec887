#include "messaging/testing/rabbitmq_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <vector>

namespace castiel::messaging::testing {

namespace {

namespace fs = std::filesystem;

constexpr const char* kServerProgram = "/usr/lib/rabbitmq/bin/rabbitmq-server";
constexpr const char* kControlProgram = "/usr/lib/rabbitmq/bin/rabbitmqctl";
constexpr auto kStartLimit = std::chrono::seconds(90);
constexpr int kAskAgainMillis = 50;
constexpr int kNamesSavedMillis = 1'000;

void pause_millis(int millis) {
  ::poll(nullptr, 0, millis);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0)
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

// Says the protocol's header; a server that is up answers with connection.start.
bool speaks_amqp(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(port);
  bool answered = false;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, "AMQP\0\0\x09\x01", 8, MSG_NOSIGNAL) == 8) {
    pollfd entry{fd, POLLIN, 0};
    char byte = 0;
    answered = ::poll(&entry, 1, 2'000) == 1 && ::recv(fd, &byte, 1, 0) == 1 && byte == 1;
  }
  ::close(fd);
  return answered;
}

pid_t start_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                    const fs::path& log) {
  std::vector<char*> argv, envp;
  for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  for (const auto& e : environment) envp.push_back(const_cast<char*>(e.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(in);
  ::close(out);
  return pid;
}

void end(pid_t& pid, int signal) {
  if (pid <= 0) return;
  ::kill(pid, signal);
  ::waitpid(pid, nullptr, 0);
  pid = -1;
}

std::string tail_of(const fs::path& file) {
  std::ifstream in(file);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  return text.substr(text.size() > 2000 ? text.size() - 2000 : 0);
}

}  // namespace

Result<std::unique_ptr<RabbitmqServer>> RabbitmqServer::start() {
  if (!fs::exists(kServerProgram))
    return permanent("server_missing", "RabbitMQ is not installed: apt-get install rabbitmq-server");
  static std::atomic<int> number = 0;
  std::unique_ptr<RabbitmqServer> server(new RabbitmqServer);
  std::string pattern = (fs::temp_directory_path() / "castiel-rabbit-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return permanent("no_folder", "no temporary folder");
  server->folder_ = pattern;
  server->node_ = fmt::format("castiel_{}_{}@localhost", ::getpid(), ++number);
  server->port_ = free_port();
  server->tls_port_ = free_port();
  server->epmd_port_ = free_port();
  server->dist_port_ = free_port();
  pid_t openssl =
      start_program({"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                     "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                     (server->folder_ / "key.pem").string(), "-out", server->certificate()},
                    {"PATH=/usr/bin:/bin"}, server->folder_ / "openssl.log");
  int made = 0;
  ::waitpid(openssl, &made, 0);
  if (made != 0)
    return permanent("server_missing", "no certificate for RabbitMQ could be made: apt-get install openssl");
  std::ofstream(server->folder_ / "rabbitmq.conf")
      << "listeners.tcp.1 = 127.0.0.1:" << server->port_ << "\n"
      << "listeners.ssl.1 = 127.0.0.1:" << server->tls_port_ << "\n"
      << "ssl_options.cacertfile = " << server->certificate() << "\n"
      << "ssl_options.certfile = " << server->certificate() << "\n"
      << "ssl_options.keyfile = " << (server->folder_ / "key.pem").string() << "\n"
      << "ssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = false\n"
      << "default_user = castiel\ndefault_pass = " << kPassword << "\nloopback_users = none\n"
      << "disk_free_limit.absolute = 1MB\nlog.console = false\nlog.file.level = warning\n";
  std::ofstream(server->folder_ / "enabled_plugins") << "[].\n";
  const auto& log = server->folder_ / "epmd.log";
  server->epmd_ =
      start_program({"/usr/bin/epmd", "-address", "127.0.0.1", "-port", std::to_string(server->epmd_port_)},
                    {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, log);
  CASTIEL_TRY(server->launch());
  return server;
}

Result<> RabbitmqServer::launch() {
  server_ = start_program({kServerProgram}, environment(), folder_ / "server.log");
  return wait_until_ready();
}

std::vector<std::string> RabbitmqServer::environment() const {
  const std::string folder = folder_.string();
  return {"PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin",
          "HOME=" + folder,
          "LC_ALL=C.UTF-8",
          "RUNNING_UNDER_SYSTEMD=true",  // the script becomes the server instead of waiting for it
          "RABBITMQ_NODENAME=" + node_,
          "RABBITMQ_CONFIG_FILE=" + folder + "/rabbitmq.conf",
          "RABBITMQ_MNESIA_BASE=" + folder + "/mnesia",
          "RABBITMQ_LOG_BASE=" + folder + "/log",
          "RABBITMQ_ENABLED_PLUGINS_FILE=" + folder + "/enabled_plugins",
          "RABBITMQ_PID_FILE=" + folder + "/pid",
          fmt::format("RABBITMQ_DIST_PORT={}", dist_port_),
          "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none",
          "ERL_EPMD_ADDRESS=127.0.0.1",
          fmt::format("ERL_EPMD_PORT={}", epmd_port_)};
}

Result<> RabbitmqServer::wait_until_ready() {
  const auto deadline = Deadline::after(clock_, kStartLimit);
  while (!speaks_amqp(port_)) {
    if (::waitpid(server_, nullptr, WNOHANG) == server_) {
      server_ = -1;
      return permanent("server_ended", "RabbitMQ ended while starting: " + tail_of(folder_ / "server.log"));
    }
    if (deadline.passed()) return transient("server_slow", "RabbitMQ does not answer after its start");
    pause_millis(kAskAgainMillis);
  }
  return {};
}

RabbitmqServer::~RabbitmqServer() {
  end(server_, SIGKILL);
  end(epmd_, SIGKILL);
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

std::string RabbitmqServer::url() const {
  return fmt::format("amqp://castiel:a%20secret@127.0.0.1:{}/", port_);
}

std::string RabbitmqServer::tls_url(const std::string& query) const {
  return fmt::format("amqps://castiel:a%20secret@localhost:{}/?{}", tls_port_, query);
}

void RabbitmqServer::kill() {
  // RabbitMQ 3.10 saves the names of new quorum queues half a second after it said they are there; killed
  // before, it never serves them again.
  if (server_ > 0) pause_millis(kNamesSavedMillis);
  end(server_, SIGKILL);
}

Result<> RabbitmqServer::restart() {
  kill();
  return launch();
}

void RabbitmqServer::pause() {
  if (server_ > 0) ::kill(server_, SIGSTOP);
}
void RabbitmqServer::go_on() {
  if (server_ > 0) ::kill(server_, SIGCONT);
}

Result<std::string> RabbitmqServer::ctl(const std::string& arguments) {
  const fs::path out = folder_ / "ctl.log";
  std::error_code ignored;
  fs::remove(out, ignored);
  pid_t pid = start_program({"/bin/sh", "-c", fmt::format("exec {} -q {}", kControlProgram, arguments)},
                            environment(), out);
  int status = 0;
  ::waitpid(pid, &status, 0);
  auto text = tail_of(out);
  if (status != 0) return permanent("ctl_failed", "rabbitmqctl failed: " + text);
  return text;
}

}  // namespace castiel::messaging::testing
