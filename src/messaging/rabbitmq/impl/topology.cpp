#include "messaging/rabbitmq/impl/topology.hpp"

#include <fmt/format.h>

#include <mutex>

#include "base/digest.hpp"

namespace castiel::messaging::rabbitmq {

namespace {

constexpr char kTenant[] = "castiel-tenant";
constexpr char kLane[] = "castiel-lane";
constexpr char kPartition[] = "castiel-partition";
constexpr char kRecords[] = "castiel-records";
constexpr char kWrittenAt[] = "castiel-written-at";  // microseconds since 1970 UTC
constexpr char kRow[] = "castiel-row";
constexpr char kKey[] = "castiel-key";
constexpr char kErrors[] = "castiel-errors";
constexpr std::size_t kMaxErrorsBytes = 64 << 10;  // headers have to fit one frame of 128 KiB
constexpr std::size_t kShortMessageBytes = 500;

Table quorum(std::string_view queue) {
  return {{"x-queue-type", "quorum"},
          {"x-delivery-limit", std::int64_t{kServerDeliveryLimit}},
          {"x-dead-letter-exchange", kDeadExchange},
          {"x-dead-letter-routing-key", std::string(queue)}};
}

Result<> declare_partition(Connection& connection, int channel, const std::string& name,
                           std::string_view queue, const Table& match) {
  auto arguments = quorum(queue);
  arguments.emplace("x-single-active-consumer", true);
  CASTIEL_TRY(connection.declare_queue(channel, name, arguments));
  return connection.bind_queue(channel, name, queue_exchange(queue), "", match);
}

std::string text_in(const Table& headers, std::string_view name) {
  const auto it = headers.find(name);
  if (it == headers.end() || !std::holds_alternative<std::string>(it->second)) return {};
  return std::get<std::string>(it->second);
}
std::int64_t number_in(const Table& headers, std::string_view name, std::int64_t otherwise) {
  const auto it = headers.find(name);
  if (it == headers.end() || !std::holds_alternative<std::int64_t>(it->second)) return otherwise;
  return std::get<std::int64_t>(it->second);
}

// All failures stay, since their number counts; their words are cut until the headers fit.
std::string fitting(const std::string& errors) {
  if (errors.size() <= kMaxErrorsBytes) return errors;
  auto failures = storage::failures_from_json(errors);
  for (auto& failure : failures) failure.message.resize(std::min(failure.message.size(), kShortMessageBytes));
  return storage::failures_to_json(failures);
}

}  // namespace

std::string partition_queue(std::string_view queue, int partition) {
  return fmt::format("{}.{}", queue, partition);
}
std::string retry_queue(std::string_view queue) {
  return fmt::format("{}.retry", queue);
}
std::string dead_queue(std::string_view queue) {
  return fmt::format("{}.dead", queue);
}
std::string queue_exchange(std::string_view queue) {
  return fmt::format("{}.{}", kExchange, queue);
}

int partition_of(const TenantId& tenant, int lane, int partitions) {
  // Mixed with a word of its own: the outbox's partitions use the same hash of the same two.
  return static_cast<int>(stable_hash(fmt::format("queue\n{}\n{}", tenant.str(), lane)) %
                          static_cast<std::uint64_t>(partitions));
}

Result<> declare_topology(Connection& connection, int channel, const QueueSpec& queue, int partitions) {
  // RabbitMQ 3.10 breaks a quorum queue for good (541) when two connections make it at the same moment. All
  // of one process take turns; that several processes do not is for those who start them the first time.
  static std::mutex turn;
  const std::lock_guard lock(turn);
  CASTIEL_TRY(connection.declare_exchange(channel, kExchange, "topic"));
  CASTIEL_TRY(connection.declare_exchange(channel, kDeadExchange, "direct"));
  const auto exchange = queue_exchange(queue.name);
  CASTIEL_TRY(connection.declare_exchange(channel, exchange, "headers"));
  const auto dead = dead_queue(queue.name);
  CASTIEL_TRY(connection.declare_queue(channel, dead, {{"x-queue-type", "quorum"}}));
  CASTIEL_TRY(connection.bind_queue(channel, dead, kDeadExchange, queue.name));
  CASTIEL_TRY(connection.declare_queue(channel, retry_queue(queue.name), quorum(queue.name)));
  for (int p = 0; p < partitions; ++p) {
    CASTIEL_TRY(declare_partition(connection, channel, partition_queue(queue.name, p), queue.name,
                                  {{"x-match", "all"}, {kPartition, std::to_string(p)}}));
  }
  // Last: what is published before finds no half of the queues.
  for (const auto& pattern : queue.patterns)
    CASTIEL_TRY(connection.bind_exchange(channel, exchange, kExchange, pattern));
  return {};
}

WireMessage to_wire(const storage::OutboxMessage& m, int partitions) {
  WireMessage wire{m.message.id, m.message.type, m.message.correlation.str(), {}, {}};
  wire.headers = {{kTenant, m.tenant.str()},
                  {kLane, std::int64_t{m.message.partition}},
                  {kPartition, std::to_string(partition_of(m.tenant, m.message.partition, partitions))},
                  {kRecords, std::int64_t{m.message.records}},
                  {kWrittenAt, m.written_at.micros},
                  {kRow, m.row}};
  if (!m.record_key.empty()) wire.headers.emplace(kKey, m.record_key);
  if (!m.errors.empty()) wire.headers.emplace(kErrors, fitting(m.errors));
  return wire;
}

Result<Delivery> to_delivery(WireMessage message, std::string_view queue) {
  Delivery d;
  d.queue = queue;
  d.tenant = TenantId(text_in(message.headers, kTenant));
  if (d.tenant.empty() || message.id.empty())
    return permanent("foreign_message",
                     fmt::format("queue {} holds a message that was not published by Castiel", queue));
  d.lane = static_cast<int>(number_in(message.headers, kLane, 0));
  d.message_id = std::move(message.id);
  d.type = std::move(message.type);
  d.correlation = CorrelationId(std::move(message.correlation));
  d.records = static_cast<int>(number_in(message.headers, kRecords, 1));
  d.record_key = text_in(message.headers, kKey);
  d.failures = storage::failures_from_json(text_in(message.headers, kErrors));
  d.enqueued_at = {number_in(message.headers, kWrittenAt, 0)};
  d.body = std::move(message.body);
  return d;
}

std::int64_t returns_of(const WireMessage& message) {
  return number_in(message.headers, "x-delivery-count", 0);
}
std::int64_t row_of(const WireMessage& message) {
  return number_in(message.headers, kRow, 0);
}

}  // namespace castiel::messaging::rabbitmq
