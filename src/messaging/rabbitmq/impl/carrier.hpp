#pragma once
// Carries outbox messages to RabbitMQ on a connection of its own, with publisher confirms. Owned by the
// broker; one thread, wake() from any.

#include <map>
#include <memory>
#include <unordered_set>

#include "base/clock.hpp"
#include "messaging/rabbitmq/impl/backoff.hpp"
#include "messaging/rabbitmq/impl/connection.hpp"
#include "messaging/rabbitmq/impl/specs.hpp"
#include "messaging/relay.hpp"

namespace castiel::messaging::rabbitmq {

// Bytes another thread writes to end a wait.
class WakeUp {
 public:
  WakeUp();
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;
  int descriptor() const { return fd_; }
  void wake() const;

 private:
  int fd_;
};

struct CarrierOptions {
  RabbitmqUrl url;
  std::string name;  // of the connection, for people who look at the server
  int partitions = 4;
  std::size_t window = 1'000;                         // messages sent and not confirmed
  Duration confirm_limit = std::chrono::seconds(30);  // BREAK-3; then the connection is given up
  Connector connect = Connection::open;
};

class RabbitmqCarrier final : public Carrier {
 public:
  RabbitmqCarrier(CarrierOptions options, const Specs& specs, const Clock& clock, Below below,
                  telemetry::Log log);

  Result<> ready() override;
  std::size_t room() const override;
  Result<> carry(const storage::OutboxMessage& message) override;
  std::vector<Outcome> outcomes(Duration wait) override;
  void wake() override { wake_.wake(); }

 private:
  Result<> connect();
  Result<> declare_what_is_new();
  void take(Incoming incoming);
  void confirm(const Confirmed& confirmed);
  void lose(const Error& error);

  CarrierOptions options_;
  const Specs* specs_;
  const Clock* clock_;
  telemetry::Log log_;
  WakeUp wake_;
  Backoff backoff_;
  std::unique_ptr<Connection> connection_;
  std::unordered_set<std::string> declared_;
  struct Sent {
    std::int64_t row;
    Duration at;  // monotonic
  };
  std::map<std::uint64_t, Sent> open_;     // by delivery tag: confirms come in any order
  std::map<std::int64_t, Fate> returned_;  // by row, until their confirm
  std::uint64_t next_tag_ = 1;
  std::vector<Outcome> told_;
  bool blocked_ = false;
  std::string blocked_reason_;
  Duration next_try_{0};  // monotonic
  Error last_error_;
};

}  // namespace castiel::messaging::rabbitmq
