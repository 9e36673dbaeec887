#pragma once
// The broker in another process: RabbitMQ with quorum queues. Publishing goes through the store's outbox and
// a Relay that carrier() serves; settling counts in the step's transaction and acknowledges after its commit.
// Owned by the composition root; it outlives the consumers and the relay, and the store outlives it.
//
// Threads: all calls from any thread. One more thread a queue that somebody receives from.

#include <memory>
#include <string>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "messaging/broker.hpp"
#include "messaging/relay.hpp"
#include "storage/outbox.hpp"

namespace castiel::messaging {

namespace rabbitmq {
struct Seams;
}

struct RabbitmqOptions {
  Secret url;  // see rabbitmq_url.hpp
  // Queues at the server for each of ours, 1 to 40. All processes have to say the same; with another number
  // than before, messages of one lane that are still waiting may be overtaken.
  int partitions = 4;
  int prefetch = 50;                                // messages of each of them that one process holds at most
  Duration look_around = std::chrono::seconds(10);  // whether other processes have a fair share
  int window = 1'000;                               // published and not confirmed
  std::string name = "castiel";                     // of the connections, for people who look at the server
};

class RabbitmqBroker final : public Broker {
 public:
  // Reaches for no server yet. Error invalid_broker_url.
  static Result<std::unique_ptr<RabbitmqBroker>> create(RabbitmqOptions options, storage::Store& store,
                                                        const Clock& clock, Random& random,
                                                        telemetry::Log log);
  // In a simulation.
  static Result<std::unique_ptr<RabbitmqBroker>> create(RabbitmqOptions options, storage::Store& store,
                                                        const Clock& clock, Random& random,
                                                        telemetry::Log log, rabbitmq::Seams seams);
  ~RabbitmqBroker() override;

  // Keeps the bindings with the store; at the server the queues are made as soon as it is reached.
  Result<> declare(const QueueSpec& queue) override;
  Result<std::vector<Delivery>> receive_by(std::string_view queue, const LimitsOf& limits,
                                           Deadline deadline) override;
  Result<> settle(storage::Transaction& tx, std::span<const Delivery> deliveries) override;
  void settled(std::span<const Delivery> deliveries) override;
  Result<> refuse(std::span<const Delivery> deliveries, Duration delay,
                  const storage::Failure& failure) override;
  Result<> release(std::span<const Delivery> deliveries, Duration delay) override;
  Result<> retry(storage::Transaction& tx, std::string_view queue, const storage::OutgoingMessage& record,
                 std::string_view record_key, Timestamp at,
                 std::span<const storage::Failure> failures) override;
  Result<std::optional<Delivery>> adopt(std::string_view queue,
                                        const storage::OutboxMessage& message) override;
  // Asks the server how much waits; what other processes hold of it is not seen. Error broker_unreachable.
  Result<std::vector<QueueStats>> stats() override;
  Result<> check() override;
  void interrupt() override;

  // What a relay publishes with; for one thread at a time.
  Carrier& carrier();
  // Removes a queue with all that waits in it, at the server.
  Result<> remove(const QueueSpec& queue);

 private:
  struct Impl;
  explicit RabbitmqBroker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::messaging
