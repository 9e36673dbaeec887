#pragma once
// The relay: takes what committed steps left in the outbox to a broker in another process. A message leaves
// the outbox only when the broker has confirmed it. Those of a lane are sent in order, many before the first
// is confirmed; once one of them was refused or its confirm was lost, the lane pauses until it is known what
// became of all that were under way, and goes on from the first that did not arrive: a connection that broke
// lets no message overtake (FLOW-9). A message may arrive twice; the inbox drops the second.
//
// Relay is a plain step for one thread; wake() from any. RelayThread runs one.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "storage/outbox.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace castiel::messaging {

// Carries messages to a broker and says later what became of each. One thread; wake() from any.
class Carrier {
 public:
  enum class Fate {
    confirmed,  // the broker has it durably
    nobody,     // the broker has no queue for its type, and none is known here either
    refused,    // the broker did not take it
    lost,       // the connection ended before it was confirmed: it may have arrived
  };
  struct Outcome {
    std::int64_t row = 0;
    Fate fate = Fate::confirmed;
  };

  virtual ~Carrier() = default;
  // Connects where it is not connected. Error: why nothing can be carried now.
  virtual Result<> ready() = 0;
  // How many more messages it takes now.
  virtual std::size_t room() const = 0;
  // Each message carried has an outcome later. Error: it was not taken.
  virtual Result<> carry(const storage::OutboxMessage& message) = 0;
  // Waits for at most `wait` until there is something to tell or wake() is called.
  virtual std::vector<Outcome> outcomes(Duration wait) = 0;
  virtual void wake() = 0;
};

struct RelayOptions {
  std::string owner;  // of the leases: one name a process
  int most_partitions = storage::kOutboxPartitions;
  Duration term = std::chrono::seconds(15);  // of the leases; renewed after a third of it
  std::size_t held_messages = 500;           // read ahead, of one partition
  std::size_t held_bytes = std::size_t{8} << 20;
  Duration look_again =
      std::chrono::milliseconds(100);  // for messages whose time has come, or of other processes
  Duration removal =
      std::chrono::milliseconds(10);  // confirmed messages leave the outbox in batches this old
  std::size_t removal_rows = 100;     // or this large
  std::size_t lane_window = 200;      // messages of one lane that are under way
  Duration after_refusal = std::chrono::seconds(1);
};

class Relay {
 public:
  // `metrics` may be null.
  Relay(storage::Outbox& outbox, Carrier& carrier, const Clock& clock, telemetry::Log log,
        telemetry::Metrics* metrics, RelayOptions options);
  ~Relay();

  // Sends what can be sent, waits for news from the broker for at most `wait`, removes what was confirmed;
  // gives how many messages left the outbox. An error says why not now; the caller pauses and goes on.
  Result<std::size_t> step(Duration wait);
  // Something was written: look at once.
  void wake();
  // While somebody else handles what waits: forgets what it held, connects, sends nothing. Error: why the
  // broker cannot be reached.
  Result<> stand_by(Duration wait);
  // Whether the broker could not be reached when it was last tried. For the thread of step().
  bool away() const { return away_; }
  // Removes what is confirmed and gives the leases back.
  Result<> finish();

 private:
  struct Sending {
    storage::OutboxMessage message;
    bool under_way = false;
    bool arrived = false;  // while one before it has not
  };
  struct Lane {
    std::deque<Sending> messages;
    std::size_t sent = 0;  // of them from the front
    std::size_t under_way = 0;
    bool again = false;       // one of those under way did not arrive
    std::size_t removed = 0;  // from the front, ever
    Duration not_before{0};   // monotonic
  };
  using LaneKey = std::pair<TenantId, int>;
  struct Partition {
    storage::OutboxLease lease;
    Duration ends{0};  // of the lease, monotonic
    std::map<LaneKey, Lane> lanes;
    LaneKey last;                  // sent last
    std::set<std::int64_t> known;  // rows held here, confirmed ones included
    std::size_t held = 0, bytes = 0;
    std::vector<std::int64_t> confirmed;
    Duration confirmed_since{0};
    Duration look_at{0};
  };
  struct UnderWay {
    int partition;
    LaneKey lane;
    std::size_t number;  // of the message in its lane
  };
  struct Meters;

  Result<> reach();
  Result<> renew();
  Result<> read_ahead();
  Result<> send();
  Result<bool> send_round(Partition& partition);
  Result<bool> send_next(Partition& partition, const LaneKey& key, Lane& lane);
  Result<> remove(Partition& partition);
  void settle(const std::vector<Carrier::Outcome>& outcomes);
  void drop(int partition);
  void measure();

  storage::Outbox* outbox_;
  Carrier* carrier_;
  const Clock* clock_;
  telemetry::Log log_;
  std::unique_ptr<Meters> meters_;
  RelayOptions options_;
  std::map<int, Partition> partitions_;
  std::unordered_map<std::int64_t, UnderWay> under_way_;  // by row
  Duration renew_at_{0}, measure_at_{0};
  std::atomic<bool> written_ = true;
  bool away_ = false;
};

class Fallback;

// Runs a relay until stop(). start() and stop() from one thread.
class RelayThread {
 public:
  // `fallback` may be null: what is written while the broker is away waits for it then.
  RelayThread(Relay& relay, storage::Outbox& outbox, const Clock& clock, telemetry::Log log,
              Fallback* fallback = nullptr)
      : relay_(&relay), outbox_(&outbox), clock_(&clock), log_(std::move(log)), fallback_(fallback) {}
  ~RelayThread() { stop(); }
  void start();
  void stop();
  // Why nothing is relayed, if it has been so for this long.
  std::optional<Error> trouble(Duration at_least = Duration(0)) const;

 private:
  void run();
  Result<> step();

  Relay* relay_;
  storage::Outbox* outbox_;
  const Clock* clock_;
  telemetry::Log log_;
  Fallback* fallback_;
  std::thread thread_;
  std::atomic<bool> running_ = false;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  std::optional<Error> trouble_;
  Duration since_{0};  // of the trouble, monotonic
};

}  // namespace castiel::messaging
