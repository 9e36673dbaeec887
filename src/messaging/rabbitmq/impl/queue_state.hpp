#pragma once
// What one process holds of one logical queue: messages the server handed over and that are not acknowledged,
// by lane, and which of them steps are working on. Nothing here talks to the server or the store; links put
// messages in and are told what to acknowledge. Thread-safe.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "messaging/broker.hpp"

namespace castiel::messaging::rabbitmq {

// Where a message came from and is acknowledged, as long as that connection lives.
struct Origin {
  int link = 0;
  std::int64_t generation = 0;  // of the link's channels, never the same twice
  int channel = 0;
  std::uint64_t tag = 0;
};

// What is known of a message's earlier deliveries.
struct Tries {
  int deliveries = 0;
  std::vector<storage::Failure> failures;
  Timestamp due{0};
};

class QueueState {
 public:
  QueueState(std::string name, const Clock& clock, std::function<void(const Origin&)> acknowledge)
      : name_(std::move(name)), clock_(&clock), acknowledge_(std::move(acknowledge)) {}

  const std::string& name() const { return name_; }

  // --- for links ---
  // `returned`: the server handed it to somebody before; `given_up`: it comes from the server's dead letters.
  void add(Delivery delivery, const Origin& origin, bool returned, bool given_up);
  // A channel ended: what was not handed out comes again from the server, what was is no longer
  // acknowledged.
  void lose(int link, std::int64_t generation);

  // --- for receivers ---
  // A handed-out message that may have been handed out before: its tries have to be looked up, and kept.
  struct Taken {
    std::vector<Delivery> deliveries;
    bool look_up = false;  // it is one message, whose earlier tries only the store may know
    bool keep = false;     // its tries are to be kept before it is handed out
  };
  // Waits until a lane has something due, or the deadline, or interrupt(): nothing then.
  std::optional<Taken> take(const LimitsOf& limits_of, Deadline deadline);
  // When take() has something to give, as things are: nothing, if something has to come or end first.
  std::optional<Timestamp> next_due() const;
  // Sets what the store knew of the message taken, and gives it back as it is handed out.
  Delivery with_tries(const Delivery& taken, const std::optional<Tries>& stored);
  // It could not be handed out after all.
  void put_back(const Delivery& delivery, Timestamp due);

  void settled(std::span<const Delivery> deliveries);
  // They come again after `due`. What is to be kept of each, in the same order.
  std::vector<Tries> refuse(std::span<const Delivery> deliveries, Timestamp due,
                            const storage::Failure& failure);
  void release(std::span<const Delivery> deliveries, Timestamp due);

  void interrupt();
  QueueStats stats() const;  // of what is held here

 private:
  using LaneKey = std::pair<TenantId, int>;
  using MessageKey = std::pair<TenantId, std::string>;
  struct Held {
    Delivery delivery;  // its tag is ours
    Origin origin;
    Timestamp due{0};
    bool maybe_tried = false;  // handed over by the server before, perhaps to a process that died with it
    bool handed = false;
    bool stale = false;  // its connection is gone
  };
  struct Lane {
    std::deque<std::int64_t> waiting;  // tags, in order
    int handed = 0;
    int claiming = 0;
  };

  std::optional<LaneKey> choose(std::optional<Timestamp>& soonest);
  std::optional<Timestamp> next_look(const LaneKey& key, const Lane& lane) const;
  Taken claim(const LaneKey& key, const ReceiveLimits& limits);
  void return_to_lane(std::int64_t tag, Timestamp due);
  // The copy of a handed-out message that came again while its step still ran, 0 for none.
  std::int64_t copy_of(const Delivery& delivery) const;
  void tidy(const LaneKey& key);
  static LaneKey lane_of(const Delivery& d) { return {d.tenant, d.lane}; }
  static MessageKey key_of(const Delivery& d) { return {d.tenant, d.message_id}; }

  const std::string name_;
  const Clock* clock_;
  std::function<void(const Origin&)> acknowledge_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<std::int64_t, Held> held_;  // by our tag
  std::map<LaneKey, Lane> lanes_;
  std::set<MessageKey> in_hand_;
  LaneKey last_;
  std::int64_t next_tag_ = 1;
  std::int64_t settled_ = 0;
  bool interrupted_ = false;
  // What this process knows of messages whose connection ended while it had them.
  std::map<MessageKey, Tries> tries_;
  std::set<MessageKey> done_;  // settled, not acknowledged
};

}  // namespace castiel::messaging::rabbitmq
