#pragma once
// The one loop that consumes: receive, check, prepare, then in one transaction inbox, parking, effects,
// ledger, dead letters and settlement; then acknowledge. A crash anywhere repeats the step or finds it done
// (decision 1).

#include <atomic>
#include <functional>
#include <optional>

#include "messaging/broker.hpp"
#include "messaging/handler.hpp"
#include "messaging/letters.hpp"
#include "telemetry/log.hpp"

namespace castiel::messaging {

// What a tenant may have its own values of (FLOW-8, FLOW-13).
struct ConsumerTuning {
  ReceiveLimits limits;
  int max_deliveries = 5;
  Duration first_retry = std::chrono::seconds(1);  // doubles with each try of a message or record
  Duration longest_retry = std::chrono::seconds(60);
  std::optional<QuarantinePolicy> quarantine{};  // without one everything ends as dead letter
};

struct ConsumerOptions {
  QueueSpec queue;
  // Asked for each batch, so that a change takes effect with the next; may block. Without it
  // the fields below and of `queue` count.
  std::function<ConsumerTuning(const TenantId&)> tuning_of;
  ReceiveLimits limits;
  Duration first_retry = std::chrono::seconds(1);
  Duration longest_retry = std::chrono::seconds(60);
  Duration jitter = std::chrono::milliseconds(200);  // ± around the delay
  Duration transaction = std::chrono::seconds(10);   // wait for the writer at most (BREAK-3)
  // A message without what is sensitive in it, for the quarantine's record. Without it nothing of it is
  // shown.
  std::function<std::string(std::string_view message)> redact;
  Duration not_yet =
      std::chrono::milliseconds(200);  // pause before a message that was not yet due for handling
};

struct ConsumerParts {
  storage::Store* store;
  Broker* broker;
  const SchemaRegistry* schemas;
  const Publisher* publisher;
  const Clock* clock;
  Random* random;
  IdGenerator* ids;
  telemetry::Log log;
};

// May be stepped by several threads at once: the broker gives each another lane.
class Consumer {
 public:
  Consumer(ConsumerParts parts, ConsumerOptions options, Handler& handler)
      : parts_(std::move(parts)), options_(std::move(options)), handler_(&handler) {}

  const std::string& queue() const { return options_.queue.name; }
  Result<> declare() { return parts_.broker->declare(options_.queue); }

  // Handles one batch, waiting for it at most `wait`. True when there was one. An error means that the batch
  // is on its way back to the queue; the caller pauses and goes on.
  Result<bool> step(Deadline wait);
  // Handles one message somebody else took out of its queue. No error when it was refused or put off: the
  // inbox tells what became of it.
  Result<> handle(Delivery delivery);

 private:
  struct Batch;
  class StepImpl;

  Result<> process(std::vector<Delivery> deliveries);
  Result<> attempt(std::span<const Delivery> deliveries);
  Result<> write(Batch& batch, bool prepare_inside);
  Result<> dispose(storage::Transaction& tx, Batch& batch, Plan* plan);
  Result<bool> fail_record(storage::Transaction& tx, const Delivery& delivery, Event single,
                           const Error& error, const std::string& pointer);
  Result<> release_next(storage::Transaction& tx, const Delivery& delivery);
  Result<> bury(storage::Transaction& tx, const Delivery& delivery, const Error& error, std::string pointer,
                std::string payload, std::string key);
  Result<> refuse(std::span<const Delivery> deliveries, const Error& error);
  Result<bool> split_page(const Delivery& delivery);
  storage::DeadLetter letter_of(const Delivery& delivery, const Error& error, std::string pointer,
                                std::string payload, std::string key) const;
  std::string_view quarantine_reason(const storage::DeadLetter& letter, const Delivery& delivery,
                                     const Event* event) const;
  bool belongs_away(const Delivery& delivery, const Error& error) const;
  bool is_hopeless(const Delivery& delivery, const Event& single, const Error& error,
                   const std::string& key) const;
  Result<> bury_alone(const Delivery& delivery, const Error& error);
  ConsumerTuning tuning_of(const TenantId& tenant) const;
  Duration retry_delay(const TenantId& tenant, int tries);

  ConsumerParts parts_;
  ConsumerOptions options_;
  Handler* handler_;
  std::atomic<int> troubles_ = 0;  // transient failures since the last step that worked
};

}  // namespace castiel::messaging
