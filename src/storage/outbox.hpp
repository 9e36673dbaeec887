#pragma once
// The outbox: messages that committed with their steps and wait for a broker in another process. Relays read
// it, publish, and remove what the broker confirmed. Messages live in partitions; one process at a time holds
// the lease of a partition, fenced, so that a relay that was paused past its lease cannot remove what another
// one is publishing. Rows are claimed by being there, never by "id greater than the last": ids commit out of
// order. The one part of a store that works across tenants besides the operator's view; it hands every
// message out with its tenant.
//
// Threads: all calls from any thread; they block on disk or network.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "storage/store.hpp"

namespace castiel::storage {

// A message's outbox partition follows from tenant and lane, so that the order within a lane is kept.
inline constexpr int kOutboxPartitions = 8;
int outbox_partition(const TenantId& tenant, int lane);

// AMQP topic matching of a routing key: words by '.', '*' is one word, '#' any number.
bool topic_matches(std::string_view pattern, std::string_view routing_key);

struct OutboxLease {
  int partition = 0;
  std::int64_t fence = 0;  // grows with each change of hands
  Timestamp until;         // by the store's clock
};

struct OutboxMessage {
  std::int64_t row = 0;
  TenantId tenant;
  OutgoingMessage message;
  std::string queue;       // straight to this queue (a retried record); empty: routed by its type
  std::string record_key;  // of a retried record, else empty
  std::string errors;      // JSON array text of earlier failures, empty for none
  Timestamp due;           // not before; 0: at once
  Timestamp written_at;
};

class Outbox {
 public:
  virtual ~Outbox() = default;

  // Which queues the messages of a type go to, by AMQP topic patterns; replaces what the queue had before and
  // is kept with the store. publish() counts `enqueued` under each of them.
  virtual Result<> bind(std::string_view queue, std::span<const std::string> patterns) = 0;
  // Called after commits that wrote to the outbox, by the committing thread, where a store can tell; one that
  // cannot never calls it, and the relay finds out by looking. Nothing: no more calls.
  virtual void on_written(std::function<void()> listener) = 0;

  // Takes or renews leases: of partitions this owner holds, of free ones and of those that ran out, at most
  // `most` in all, until now + `term`. Gives the leases the owner holds afterwards.
  virtual Result<std::vector<OutboxLease>> lease(std::string_view owner, int most, Duration term) = 0;
  // Gives them back early.
  virtual Result<> give_back(std::string_view owner) = 0;
  // The oldest due messages of the partition in the order they were written within each lane, at most `limit`
  // and about `bytes` of bodies, at least one if there is any. Leaves out the rows in `skip`: published, not
  // confirmed yet. Error lease_lost.
  virtual Result<std::vector<OutboxMessage>> waiting(const OutboxLease& lease,
                                                     std::span<const std::int64_t> skip, std::size_t limit,
                                                     std::size_t bytes) = 0;
  // The same of several partitions at once, in order; nothing of one whose lease was lost. Where the store is
  // another process this is one question.
  struct Look {
    OutboxLease lease;
    std::vector<std::int64_t> skip;
    std::size_t limit = 0, bytes = 0;
  };
  virtual Result<std::vector<std::optional<std::vector<OutboxMessage>>>> waiting_in(
      std::span<const Look> looks);
  // Removes rows the broker confirmed. A store's crash may bring back what was removed last: it is published
  // twice then, as after a crash before the removal. Error lease_lost: nothing was removed.
  virtual Result<> published(const OutboxLease& lease, std::span<const std::int64_t> rows) = 0;
  // The queues the messages of a type go to.
  virtual Result<std::vector<std::string>> queues_for(std::string_view type) = 0;
  // What left the outbox last, of each type and queue of a tenant's lane (not the retry lane). Whoever
  // handled it has handled everything of the lane that left before it.
  struct Last {
    std::string type;
    std::string queue;  // straight to this queue; empty: routed by its type
    std::string message_id;
    CorrelationId correlation;
  };
  virtual Result<std::vector<Last>> last_published(const TenantId& tenant, int lane) = 0;
  // Messages that wait, and since when the oldest of them that is due waits.
  struct Depth {
    std::int64_t messages = 0;
    Timestamp oldest{0};
  };
  virtual Result<Depth> depth() = 0;

  // Within a step's transaction: a message for one queue, not before `due` (a retried record).
  virtual Result<> add(Transaction& tx, std::string_view queue, const OutgoingMessage& message,
                       std::string_view record_key, Timestamp due, std::string_view errors) = 0;
};

}  // namespace castiel::storage
