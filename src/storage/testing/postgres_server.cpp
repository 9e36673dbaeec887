#include "storage/testing/postgres_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/clock.hpp"

extern char** environ;

namespace castiel::storage::testing {

namespace {

constexpr Duration kStart = std::chrono::seconds(30);
constexpr int kAskAgainMillis = 20;
constexpr char kSuperuser[] = "postgres";
constexpr char kSuperuserPassword[] = "superuser-of-the-test";

// The newest installed server.
std::string find_programs() {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    if (std::filesystem::exists(entry.path() / "bin/postgres", ignored))
      found.push_back(entry.path() / "bin");
  }
  std::ranges::sort(found);
  return found.empty() ? std::string() : found.back();
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  int port = 0;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0)
    port = ntohs(address.sin_port);
  ::close(fd);
  return port;
}

// Starts a program that ends with this one; PostgreSQL refuses root.
int spawn(std::vector<std::string> command, const std::string& log) {
  std::vector<std::string> line = {"/usr/bin/setpriv"};
  if (::geteuid() == 0) line.insert(line.end(), {"--reuid=postgres", "--regid=postgres", "--clear-groups"});
  line.emplace_back("--pdeathsig=QUIT");
  line.insert(line.end(), command.begin(), command.end());
  std::vector<char*> arguments;
  for (auto& word : line) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  // A group of its own: an interrupt from the terminal is the owner's business.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  int pid = -1;
  if (::posix_spawn(&pid, arguments[0], &files, &attributes, arguments.data(), environ) != 0) pid = -1;
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return pid;
}

std::string tail_of(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.size() > 2000 ? text.substr(text.size() - 2000) : text;
}

}  // namespace

Result<std::string> run_sql(const Secret& url, const std::string& script) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> db(PQconnectdb(url.reveal().c_str()), PQfinish);
  if (PQstatus(db.get()) != CONNECTION_OK) return permanent("sql_failed", PQerrorMessage(db.get()));
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(db.get(), script.c_str()), PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
    return permanent("sql_failed", PQresultErrorMessage(result.get()));
  return PQntuples(result.get()) > 0 ? std::string(PQgetvalue(result.get(), 0, 0)) : std::string();
}

Result<std::unique_ptr<PostgresServer>> PostgresServer::start(Options options) {
  std::unique_ptr<PostgresServer> server(new PostgresServer);
  server->options_ = options;
  server->programs_ = find_programs();
  if (server->programs_.empty())
    return permanent("missing_server", "no PostgreSQL server here: install the package postgresql-15");
  std::string pattern = (std::filesystem::temp_directory_path() / "castiel-postgres-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return permanent("missing_server", "no temporary folder");
  server->folder_ = pattern;
  std::ofstream(pattern + "/password") << kSuperuserPassword;
  if (::geteuid() == 0) {
    const auto* user = ::getpwnam("postgres");
    if (user == nullptr)
      return permanent("missing_server", "no user postgres: install the package postgresql-15");
    if (::chown(pattern.c_str(), user->pw_uid, user->pw_gid) != 0)
      return permanent("missing_server", "the server's folder could not be given to user postgres");
  }
  const std::string log = pattern + "/log";
  const int made = spawn({server->programs_ + "/initdb", "-D", pattern + "/data", "-U", kSuperuser,
                          "--pwfile=" + pattern + "/password", "-A", "scram-sha-256", "-E", "UTF8",
                          "--locale=C.UTF-8", "--no-sync"},
                         log);
  int status = -1;
  if (made < 0 || ::waitpid(made, &status, 0) != made || status != 0)
    return permanent("missing_server", "initdb failed: " + tail_of(log));
  CASTIEL_TRY(server->launch());
  // As the documentation says.
  auto roles = server->sql(
      "postgres",
      fmt::format(
          "CREATE ROLE castiel_owner NOLOGIN; CREATE ROLE castiel_app NOLOGIN; CREATE ROLE "
          "castiel_operator NOLOGIN; CREATE ROLE {} LOGIN NOINHERIT PASSWORD '{}' IN ROLE castiel_owner, "
          "castiel_app, castiel_operator",
          kUser, kPassword));
  if (!roles) return std::unexpected(roles.error());
  return server;
}

Result<> PostgresServer::launch() {
  port_ = port_ == 0 ? free_port() : port_;  // the same one when it starts again
  std::vector<std::string> command = {programs_ + "/postgres", "-D", folder_ + "/data"};
  const auto set = [&](std::string setting) {
    command.emplace_back("-c");
    command.push_back(std::move(setting));
  };
  set("listen_addresses=127.0.0.1");
  set(fmt::format("port={}", port_));
  set("unix_socket_directories=" + folder_);
  set(fmt::format("max_connections={}", options_.connections));
  set("shared_buffers=128MB");
  if (!options_.durable) {
    set("fsync=off");
    set("full_page_writes=off");
  }
  pid_ = spawn(std::move(command), folder_ + "/log");
  if (pid_ < 0) return permanent("missing_server", "the PostgreSQL server could not be started");
  const SystemClock clock;
  const auto deadline = Deadline::after(clock, kStart);
  const std::string question = fmt::format("host=127.0.0.1 port={} dbname=postgres connect_timeout=2", port_);
  while (PQping(question.c_str()) != PQPING_OK) {
    int status = 0;
    const bool ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
    if (ended) pid_ = -1;
    if (ended || deadline.passed())
      return permanent("missing_server",
                       "the PostgreSQL server did not come up: " + tail_of(folder_ + "/log"));
    ::poll(nullptr, 0, kAskAgainMillis);
  }
  return {};
}

void PostgresServer::stop(bool immediate) {
  if (pid_ < 0) return;
  ::kill(pid_, immediate ? SIGQUIT : SIGINT);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Result<> PostgresServer::start_again() {
  stop(true);
  return launch();
}

PostgresServer::~PostgresServer() {
  stop(true);
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Result<> PostgresServer::create_database(std::string_view name, std::string_view copy_of) {
  auto made = sql("postgres", fmt::format("CREATE DATABASE {} OWNER castiel_owner TEMPLATE {}{}", name,
                                          copy_of.empty() ? "template0" : copy_of,
                                          copy_of.empty() ? " ENCODING 'UTF8'" : " STRATEGY file_copy"));
  if (!made) return std::unexpected(made.error());
  return {};
}

Result<> PostgresServer::drop_database(std::string_view name) {
  auto dropped = sql("postgres", fmt::format("DROP DATABASE {} WITH (FORCE)", name));
  if (!dropped) return std::unexpected(dropped.error());
  return {};
}

Secret PostgresServer::url(std::string_view database) const {
  return Secret(fmt::format("postgresql://{}:{}@127.0.0.1:{}/{}", kUser, kPassword, port_, database));
}

Secret PostgresServer::superuser_url(std::string_view database) const {
  return Secret(
      fmt::format("postgresql://{}:{}@127.0.0.1:{}/{}", kSuperuser, kSuperuserPassword, port_, database));
}

Result<std::string> PostgresServer::sql(std::string_view database, const std::string& script) const {
  return run_sql(superuser_url(database), script);
}

}  // namespace castiel::storage::testing
