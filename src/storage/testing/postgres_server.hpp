#pragma once
// A PostgreSQL server for tests: started in a folder of its own on a free loopback port, ended with its owner
// (also when the owner dies). Needs Debian's postgresql-15; run by root, the server runs as user postgres.
// One owner; start it on a thread that lives as long as the server.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace castiel::storage::testing {

class PostgresServer {
 public:
  struct Options {
    bool durable = false;  // syncs to disk: for benchmarks and for crashes of the machine
    int connections = 120;
  };
  // Blocks some seconds. Error missing_server names the package.
  static Result<std::unique_ptr<PostgresServer>> start(Options options);
  static Result<std::unique_ptr<PostgresServer>> start() { return start({}); }
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // An empty database, set up as the documentation says, or a copy of another one.
  Result<> create_database(std::string_view name, std::string_view copy_of = {});
  Result<> drop_database(std::string_view name);
  // As the program connects.
  Secret url(std::string_view database) const;
  Secret superuser_url(std::string_view database) const;
  // A script as superuser; the first value of its last statement, if any.
  Result<std::string> sql(std::string_view database, const std::string& script) const;

  // As `pg_ctl stop -m immediate`, or fast.
  void stop(bool immediate);
  Result<> start_again();

  int port() const { return port_; }
  int pid() const { return pid_; }
  static constexpr char kUser[] = "castiel";
  static constexpr char kPassword[] = "s3cret-of-the-test";

 private:
  PostgresServer() = default;
  Result<> launch();

  Options options_;
  std::string folder_;
  std::string programs_;
  int port_ = 0;
  int pid_ = -1;
};

// Runs a script on any database and gives the first value of its last statement.
Result<std::string> run_sql(const Secret& url, const std::string& script);

}  // namespace castiel::storage::testing
