#pragma once
// The embedded broker's rows: queues, bindings and the messages waiting in them, in the store's own file, so
// that a message can be taken or published by the transaction of the step. Used by messaging/embedded only.

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "storage/outbox.hpp"
#include "storage/store.hpp"

namespace castiel::storage {

struct QueuedMessage {
  std::int64_t seq = 0;
  std::string queue;
  TenantId tenant;
  int partition = 0;
  std::string message_id;
  std::string type;
  CorrelationId correlation;
  int records = 1;
  std::string record_key;  // of a retried record, else empty
  int deliveries = 0;      // including the present one
  Timestamp available_at;
  Timestamp enqueued_at;
  std::string errors;  // JSON array text of earlier failures, empty for none
  std::string body;
};

// One lane with waiting messages.
struct LaneInfo {
  std::string queue;
  TenantId tenant;
  int partition = 0;
  std::int64_t count = 0;
  Timestamp head_available_at;
  Timestamp oldest;
};

// What a commit added to or took from a lane, told to the listener after the commit.
struct LaneChange {
  std::string queue;
  TenantId tenant;
  int partition = 0;
  std::int64_t added = 0;     // negative when messages were taken out
  Timestamp available_at{0};  // of an added message
  bool erased = false;        // taken out with its tenant, not settled
};

struct Binding {
  std::string pattern;  // AMQP topic pattern: words by '.', '*' one word, '#' any number
  std::string queue;
};

class QueueRows {
 public:
  virtual ~QueueRows() = default;
  virtual Result<> declare(std::string_view queue, int max_deliveries,
                           const std::vector<Binding>& bindings) = 0;
  virtual Result<std::vector<LaneInfo>> lanes() = 0;
  // Takes messages of one lane in order, counting a delivery of each before it is handed out (RETRY-5): up to
  // `max_messages` and `max_records`, at least one; a message delivered before comes alone, and so does one
  // that has, with those that would come along, fewer than `batch_from` records. Durable.
  virtual Result<std::vector<QueuedMessage>> claim(std::string_view queue, const TenantId& tenant,
                                                   int partition, int max_messages, int max_records,
                                                   int batch_from, Deadline deadline) = 0;
  // After a crash: claims of the process before are open again, their deliveries counted.
  virtual Result<> reopen_claims(Deadline deadline) = 0;
  // Opens the claims of one lane but those in `held`, and takes their deliveries back: for claims whose
  // commit was in doubt, so that nobody got the messages.
  virtual Result<> reopen_lane(std::string_view queue, const TenantId& tenant, int partition,
                               const std::set<std::int64_t>& held, Deadline deadline) = 0;
  // When the first unclaimed message of the lane is due; nothing when there is none.
  virtual Result<std::optional<Timestamp>> next_due(std::string_view queue, const TenantId& tenant,
                                                    int partition) = 0;
  // Within a step's transaction.
  virtual Result<> remove(Transaction& tx, const QueuedMessage& message) = 0;
  virtual Result<> add(Transaction& tx, std::string_view queue, const OutgoingMessage& message,
                       std::string_view record_key, Timestamp available_at, std::string_view errors) = 0;
  // Outside one: claimed messages go back to the lane, from `available_at` on; repeating it changes nothing.
  // `count_delivery` false takes the delivery back: nobody tried.
  virtual Result<> release(const std::vector<QueuedMessage>& messages, Timestamp available_at,
                           bool count_delivery, std::string_view errors, Deadline deadline) = 0;
  // Called after each commit that changed lanes, on the committing thread, with the writer free again.
  virtual void on_commit(std::function<void(const std::vector<LaneChange>&)> listener) = 0;
};

}  // namespace castiel::storage
