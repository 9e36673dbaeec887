#pragma once
// The names of exchanges and queues at the server, and what makes them:
//
//   castiel (topic) --type--> castiel.<queue> (headers) --castiel-partition--> <queue>.0 … <queue>.<P-1>
//                                                       --castiel-own--------> <queue>_<tenant>
//   (default exchange) ------> <queue>.retry
//   castiel.dead (direct) ---> <queue>.dead       where the server itself gave up on a message
//
// All queues are quorum queues; of a partition's consumers one is active, so that a lane keeps its order over
// several processes. Stateless.

#include <string>
#include <string_view>
#include <vector>

#include "messaging/broker.hpp"
#include "messaging/rabbitmq/impl/connection.hpp"
#include "storage/outbox.hpp"

namespace castiel::messaging::rabbitmq {

inline constexpr char kExchange[] = "castiel";
inline constexpr char kDeadExchange[] = "castiel.dead";
// A message whose deliveries ended without acknowledgement this often goes to the server's dead letters. Ours
// are counted by hand-outs (RETRY-5) and end much earlier; connections that break with messages in the
// prefetch count here as well.
inline constexpr int kServerDeliveryLimit = 1'000;
inline constexpr int kMaxPartitions =
    40;  // BREAK-2: 5 connections of 10 channels a consumer, some for the others

std::string partition_queue(std::string_view queue, int partition);
std::string retry_queue(std::string_view queue);
std::string dead_queue(std::string_view queue);
std::string queue_exchange(std::string_view queue);
// Of one lane always the same.
int partition_of(const TenantId& tenant, int lane, int partitions);

// Everything of one logical queue. Repeating it changes nothing; other arguments than before are refused.
Result<> declare_topology(Connection& connection, int channel, const QueueSpec& queue, int partitions);

// The headers a message travels with.
WireMessage to_wire(const storage::OutboxMessage& message, int partitions);
// Error foreign_message: it was not published by us.
Result<Delivery> to_delivery(WireMessage message, std::string_view queue);
// How often the server took it back from a consumer.
std::int64_t returns_of(const WireMessage& message);
std::int64_t row_of(const WireMessage& message);

}  // namespace castiel::messaging::rabbitmq
