#pragma once
// A Redis server for tests (Debian's redis-server): nothing on disk, on a free port of loopback. One owner.

#include <memory>
#include <string>

#include "base/time.hpp"
#include "storage/testing/peer_process.hpp"

namespace castiel::storage::testing {

class RedisServer {
 public:
  struct Options {
    std::string password = {};
    bool tls = false;  // with a certificate for 127.0.0.1 that only certificate() vouches for
  };
  explicit RedisServer(Options options);
  RedisServer() : RedisServer(Options()) {}

  std::string url() const;  // with the password
  std::filesystem::path certificate() const { return folder_.path() / "certificate.pem"; }
  void stop() { process_->kill(); }
  void start();  // again, empty, on the same port
  void suspend() { process_->suspend(); }
  void resume() { process_->resume(); }

  void clear();
  // As if so much time had gone by for all keys.
  void pass(Duration time);
  std::int64_t keys();
  // One of the figures of INFO, such as "total_connections_received".
  std::int64_t figure(const std::string& name);

 private:
  TemporaryFolder folder_{"redis"};
  const Options options_;
  const std::uint16_t port_ = free_port();
  std::unique_ptr<PeerProcess> process_;
};

}  // namespace castiel::storage::testing
