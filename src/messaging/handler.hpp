#pragma once
// What a stage implements: a Handler turns delivered events into a Plan without holding any lock, and the
// plan is applied inside the step's transaction. Neither commits, retries or acknowledges: the Consumer does.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messaging/broker.hpp"
#include "messaging/publisher.hpp"

namespace castiel::messaging {

// An event as delivered. Pages carry their records in data.records, each with a `key`.
struct Incoming {
  const Delivery* delivery;
  Event event;
};

// Set in data of a page whose records came along with those of another (attachments of mails): their dead
// letters are counted as `deadAlong`, since none of them is a record that was read.
inline constexpr std::string_view kCameAlong = "cameAlong";

// One record of a page that cannot be handled now (transient, conditional) or at all (permanent).
struct RecordFailure {
  std::size_t message = 0;  // index into the batch
  std::size_t record = 0;   // index into data.records
  Error error;
  std::string pointer;  // JSON pointer inside the record, may be empty
};

// The transaction of a step with what a plan may do beyond it.
class Step {
 public:
  virtual ~Step() = default;
  virtual storage::Transaction& tx() = 0;
  virtual Timestamp now() const = 0;
  virtual Result<> publish(const Event& cause, Publication publication) = 0;
  // Counts in the flow's ledger under the consumer's queue.
  virtual Result<> count(const Event& cause, std::string_view counter, std::int64_t by) = 0;
};

class Plan {
 public:
  virtual ~Plan() = default;
  // Errors: version_conflict makes the consumer prepare again; others fail the batch.
  virtual Result<> apply(Step& step) = 0;
  // Records that took no part in the plan; known after prepare.
  virtual std::span<const RecordFailure> failures() const = 0;
  // One line for the flow's story, after apply: "200 created".
  virtual std::string summary() const = 0;
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Reads and computes. Error: the whole batch fails with it; a batch of several messages is then tried one
  // by one. Error `not_yet` (transient) asks for the message again later without a try being counted against
  // it.
  virtual Result<std::unique_ptr<Plan>> prepare(const storage::Reader& reader,
                                                std::span<const Incoming> batch) = 0;
};

}  // namespace castiel::messaging
