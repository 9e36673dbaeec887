#pragma once
// While the broker is away for long (FLOW-6): this process hands out what waits in the outbox itself, through
// the same leases, inboxes and steps as ever, at a bounded speed, until the broker has answered for a while.
// In order: a message is handled only when nothing of its lane is left at the broker, or with a consumer,
// that left the outbox before it (FLOW-9). What the broker may have of a message besides changes nothing when
// it comes, for the inbox knows it (FLOW-10).
//
// heard() from the relay's thread; step() from one thread, which start() runs; the rest from any.

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "messaging/consumer.hpp"
#include "storage/outbox.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace castiel::messaging {

struct FallbackOptions {
  std::string owner;  // of the outbox's leases: the relay's
  Duration term = std::chrono::seconds(15);
  Duration after = std::chrono::seconds(30);         // of trouble in a row, before it begins
  Duration until = std::chrono::seconds(10);         // of health in a row, before it ends
  int per_second = 20;                               // messages handled, at most
  Duration after_failure = std::chrono::seconds(2);  // before a message that could not be handled
  std::size_t held_messages = 50;                    // read at once, of one partition
  std::size_t held_bytes = std::size_t{8} << 20;
  std::size_t most_blocked = 5'000;  // of one partition; beyond it nothing more of it is read
};

struct FallbackParts {
  storage::Store* store;
  Broker* broker;
  const Clock* clock;
  telemetry::Log log;
  telemetry::Metrics* metrics = nullptr;
};

class Fallback {
 public:
  Fallback(FallbackParts parts, FallbackOptions options);
  ~Fallback();

  // Before start(); the consumers outlive it.
  void add(Consumer& consumer);
  // Whether the broker was reached just now.
  void heard(bool reached);
  bool active() const { return active_; }
  // Handles what may be handled now; how many messages. Error: why nothing can be; the caller pauses.
  Result<std::size_t> step();
  // Whether something was handled since then (monotonic).
  bool handled_since(Duration instant) const;

  void start();
  void stop();

 private:
  using LaneKey = std::pair<TenantId, int>;
  using LaneOfQueue = std::pair<LaneKey, std::string>;
  struct Blocked {
    Duration until{0};       // monotonic
    bool at_broker = false;  // the queue has not handled what left the outbox earlier; else it was put off
  };
  struct Partition {
    storage::OutboxLease lease;
    std::map<LaneOfQueue, Blocked> blocked;
    std::map<std::int64_t, LaneKey> left_out;  // rows that wait for a blocked lane
    std::map<std::int64_t, Duration> alone;    // single records that are put off, until when
    std::set<LaneOfQueue> clear;               // nothing that left the outbox earlier is with this queue
  };
  struct Meters;
  enum class Fate { handled, at_broker, put_off };

  Result<> renew();
  Result<std::size_t> drain(Partition& partition);
  Result<std::size_t> look(Partition& partition, bool& more);
  Result<std::size_t> handle(Partition& partition, const storage::OutboxMessage& message);
  Result<Fate> handle_in(Partition& partition, const storage::OutboxMessage& message,
                         const std::string& queue);
  Result<bool> is_clear(Partition& partition, const LaneKey& lane, const std::string& queue);
  Result<bool> is_in_inbox(const TenantId& tenant, const std::string& queue, const std::string& message_id);
  Result<std::vector<std::string>> queues_of(const std::string& type, const std::string& queue);
  Result<> unblock(Partition& partition);
  void begin(Duration away);
  void end();
  void run(const std::stop_token& stop);

  FallbackParts parts_;
  FallbackOptions options_;
  std::unique_ptr<Meters> meters_;
  std::map<std::string, Consumer*> consumers_;
  std::atomic<bool> active_ = false;
  std::atomic<Duration::rep> last_handled_ = -1;

  // Of the relay's thread.
  bool reached_ = true;
  Duration since_{0};  // monotonic; of what heard() was told last
  bool told_ = false;
  Duration began_{0};

  std::mutex draining_;  // held over each message, so that the relay goes on after the last of them
  std::map<int, Partition> partitions_;
  Duration renew_at_{0}, next_at_{0};
  std::int64_t handled_ = 0;  // since it began

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread thread_;
};

}  // namespace castiel::messaging
