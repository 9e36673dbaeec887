#pragma once
// The system under test as real processes, on one of the two footings, with a supervisor that starts again
// what ended. One owner, one thread: processes end with the thread that started them.

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fault_proxy.hpp"
#include "messaging/testing/rabbitmq_server.hpp"
#include "storage/testing/postgres_server.hpp"
#include "support.hpp"

namespace castiel::conservation {

using functional::Millis;
using functional::Path;

// A small file system of its own in memory, which can be full. Only root may have one.
class Disk {
 public:
  // Nothing where that is not allowed.
  static std::unique_ptr<Disk> mount(const Path& folder);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  const Path& folder() const { return folder_; }
  void fill() const;  // no byte more
  void empty() const;

 private:
  explicit Disk(Path folder) : folder_(std::move(folder)) {}
  Path folder_;
};

enum class Footing { embedded, servers };

class World {
 public:
  // Starts everything and waits until it is ready. Throws std::runtime_error with what is missing.
  World(Footing footing, std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Footing footing() const { return footing_; }
  const Path& folder() const { return folder_; }
  // Of the process with the roles api and sync.
  Path socket() const { return data_of("front") / "castiel.sock"; }
  std::vector<std::string> names() const;

  void signal(const std::string& name, int number);
  void stop(const std::string& name, int number);  // it stays away until start()
  void start(const std::string& name);
  // Files of the process may not grow past what they are: the disk's fault where there is no Disk.
  void limit_files(bool limited);
  // Starts what ended by itself, and counts it.
  void supervise();
  bool all_ready();

  const Disk* disk() const { return disk_.get(); }  // of the embedded store, or of PostgreSQL
  messaging::testing::RabbitmqServer& rabbitmq() { return *rabbitmq_; }
  storage::testing::PostgresServer& postgres() { return *postgres_; }
  FaultProxy& to_rabbitmq() { return *to_rabbitmq_; }
  FaultProxy& to_postgres() { return *to_postgres_; }

  int ended_by_themselves() const { return ended_; }
  void keep_folder() { keep_ = true; }

 private:
  struct Member {
    std::string role;
    bool wanted = false;
    std::chrono::steady_clock::time_point not_before{};
    std::unique_ptr<functional::Process> process;
  };
  Path data_of(const std::string& name) const { return folder_ / name; }
  void configure(const std::string& name, const std::string& role);
  void start_servers(std::uint64_t seed);
  void put_away(const std::string& name);

  Footing footing_;
  Path folder_;
  bool keep_ = false;
  int ended_ = 0;
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<messaging::testing::RabbitmqServer> rabbitmq_;
  std::unique_ptr<storage::testing::PostgresServer> postgres_;
  std::unique_ptr<FaultProxy> to_rabbitmq_, to_postgres_;
  std::map<std::string, Member> members_;
};

}  // namespace castiel::conservation
