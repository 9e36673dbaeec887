#pragma once
// The broker inside the process: its queues are rows of the store's own SQLite file, so that settling and
// publishing commit with the step. What is in memory here is only an index of lanes; after a crash it is read
// again.

#include <memory>
#include <optional>

#include "messaging/broker.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::messaging {

class EmbeddedBroker final : public Broker {
 public:
  // Opens what an earlier process left claimed, each such message with its delivery counted.
  static Result<std::unique_ptr<EmbeddedBroker>> create(storage::SqliteStore& store, const Clock& clock);
  ~EmbeddedBroker() override;

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
  Result<std::vector<QueueStats>> stats() override;
  void interrupt() override;

  // The earliest time at which a delayed message becomes due, for a simulated clock to jump to.
  std::optional<Timestamp> next_due() const;

 private:
  struct Impl;
  explicit EmbeddedBroker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::messaging
