#pragma once
// The broker port: durable queues behind a topic exchange, at least once, in order within a lane.
// Implementations: embedded/, rabbitmq/. Threads: every call from any thread; receive() blocks up to its
// deadline, the others on disk or network.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "storage/store.hpp"

namespace castiel::storage {
struct OutboxMessage;
}

namespace castiel::messaging {

// FLOW-7: of a message; what is larger travels by claim.
inline constexpr std::size_t kMaxMessageBytes = 10'000'000;

struct QueueSpec {
  std::string name;
  std::vector<std::string> patterns;  // topic patterns of the event types it takes
  int max_deliveries =
      5;  // a message that failed, or whose process died, more often goes to the dead letters
};

// A message handed to one consumer until it is settled, refused or released.
struct Delivery {
  std::string queue;
  TenantId tenant;
  int lane = 0;
  std::string message_id;
  std::string type;
  CorrelationId correlation;
  int records = 1;
  std::string record_key;  // set when this is one record being retried
  int deliveries = 1;      // this one included; a process that died while it had the message counts (RETRY-5)
  std::vector<storage::Failure> failures;  // of earlier deliveries
  Timestamp enqueued_at;
  std::string body;
  std::int64_t tag = 0;  // the broker's own
};

struct ReceiveLimits {
  int messages = 8;     // at most this many messages (prefetch)
  int records = 1'000;  // and this many records in them, but at least one message
  int batch_from = 0;   // several messages only where they have, or their lane holds, this many records
};
// Limits of a tenant's messages; may block.
using LimitsOf = std::function<ReceiveLimits(const TenantId&)>;

struct QueueStats {
  std::string name;
  std::int64_t ready = 0;    // waiting to be handed out
  std::int64_t claimed = 0;  // handed out, not settled
  std::int64_t delayed = 0;  // waiting for their time
  std::int64_t oldest_seconds = 0;
  std::int64_t settled_total = 0;  // since the process started
};

class Broker {
 public:
  virtual ~Broker() = default;
  virtual Result<> declare(const QueueSpec& queue) = 0;

  // Messages of one tenant and one lane, in order; tenants take turns. Empty when nothing came until the
  // deadline or when interrupt() was called. Until they are settled or refused nobody else gets messages of
  // that lane.
  virtual Result<std::vector<Delivery>> receive_by(std::string_view queue, const LimitsOf& limits,
                                                   Deadline deadline) = 0;
  // With the same limits for every tenant.
  Result<std::vector<Delivery>> receive(std::string_view queue, const ReceiveLimits& limits,
                                        Deadline deadline) {
    return receive_by(queue, LimitsOf([&](const TenantId&) { return limits; }), deadline);
  }
  // Takes the messages out of the queue with the step's transaction; settled() follows its commit.
  virtual Result<> settle(storage::Transaction& tx, std::span<const Delivery> deliveries) = 0;
  virtual void settled(std::span<const Delivery> deliveries) = 0;
  // Negative acknowledge: the messages come again after the delay, with the failure remembered. An error of
  // this call or of release() says that they could not be given back yet: the broker goes on trying.
  virtual Result<> refuse(std::span<const Delivery> deliveries, Duration delay,
                          const storage::Failure& failure) = 0;
  // Gives messages back untried, to come again after `delay`: the delivery does not count.
  virtual Result<> release(std::span<const Delivery> deliveries, Duration delay) = 0;
  // Puts one record back into its queue's retry lane, within the step.
  virtual Result<> retry(storage::Transaction& tx, std::string_view queue,
                         const storage::OutgoingMessage& record, std::string_view record_key, Timestamp at,
                         std::span<const storage::Failure> failures) = 0;

  // A message of the outbox as this queue's consumer gets it, for who hands it out himself while the server
  // is away (FLOW-6). The delivery is counted durably first; nothing while its time has not come. It is
  // settled, refused or released like any other.
  virtual Result<std::optional<Delivery>> adopt(std::string_view, const storage::OutboxMessage&) {
    return permanent("not_available", "this broker has no outbox");
  }

  virtual Result<std::vector<QueueStats>> stats() = 0;
  // Whether the server behind it answers now; may block for seconds. One inside the process always does.
  virtual Result<> check() { return {}; }
  // Wakes all receivers; they return empty from now on.
  virtual void interrupt() = 0;
};

}  // namespace castiel::messaging
