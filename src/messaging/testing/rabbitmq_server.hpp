#pragma once
// A RabbitMQ server for tests: on free loopback ports, in a temporary folder, with an epmd of its own; both
// end with this object, or with the thread that started them. One owner, one thread.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace castiel::messaging::testing {

class RabbitmqServer {
 public:
  // Starts it and waits until it answers. Error server_missing names the Debian package.
  static Result<std::unique_ptr<RabbitmqServer>> start();
  ~RabbitmqServer();
  RabbitmqServer(const RabbitmqServer&) = delete;
  RabbitmqServer& operator=(const RabbitmqServer&) = delete;

  std::uint16_t port() const { return port_; }
  // Over TLS, with a certificate for localhost signed by certificate(); `query` goes behind a question mark.
  std::string tls_url(const std::string& query) const;
  std::string certificate() const { return (folder_ / "certificate.pem").string(); }
  // amqp://castiel:a%20secret@127.0.0.1:PORT/
  std::string url() const;
  static constexpr const char* kPassword = "a secret";

  void kill();         // as a power cut: SIGKILL
  Result<> restart();  // on the same folder and ports
  void pause();        // SIGSTOP: connections stay, nothing answers
  void go_on();
  // Runs rabbitmqctl with these arguments, as an operator would.
  Result<std::string> ctl(const std::string& arguments);

 private:
  RabbitmqServer() = default;
  Result<> launch();
  Result<> wait_until_ready();
  std::vector<std::string> environment() const;

  SystemClock clock_;
  std::filesystem::path folder_;
  std::string node_;
  std::uint16_t port_ = 0, tls_port_ = 0, epmd_port_ = 0, dist_port_ = 0;
  pid_t epmd_ = -1, server_ = -1;
};

}  // namespace castiel::messaging::testing
