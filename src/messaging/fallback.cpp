#include "messaging/fallback.hpp"

#include <algorithm>

namespace castiel::messaging {

namespace {
constexpr Duration kIdle = std::chrono::milliseconds(250);   // between looks whether there is work for it
constexpr Duration kBlockedFor = std::chrono::seconds(5);    // before a lane is looked at again
constexpr Duration kTroublePause = std::chrono::seconds(2);  // of the store
constexpr Duration kBurst = std::chrono::seconds(1);         // of the speed that may be made up for
constexpr int kMostLooks = 50;                               // at blocked messages, in a step

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}
}  // namespace

struct Fallback::Meters {
  explicit Meters(telemetry::Metrics& m)
      : active(m.gauge({"castiel_fallback_active",
                        "Whether this process handles the outbox itself, the broker being away: 1 or 0.",
                        {}})
                   .with()),
        blocked(m.gauge({"castiel_fallback_blocked_lanes",
                         "Lanes whose messages wait behind some that only the broker has.",
                         {}})
                    .with()),
        messages(m.counter({"castiel_fallback_messages_total",
                            "Messages of the outbox handled without the broker.",
                            {"queue"}})) {}
  telemetry::Gauge active, blocked;
  telemetry::Family<telemetry::Counter> messages;
};

Fallback::Fallback(FallbackParts parts, FallbackOptions options)
    : parts_(std::move(parts)), options_(std::move(options)) {
  if (parts_.metrics != nullptr) {
    meters_ = std::make_unique<Meters>(*parts_.metrics);
    meters_->active.set(0);
  }
}

Fallback::~Fallback() {
  stop();
}

void Fallback::add(Consumer& consumer) {
  consumers_[consumer.queue()] = &consumer;
}

void Fallback::heard(bool reached) {
  const Duration now = parts_.clock->monotonic();
  if (!told_ || reached != reached_) since_ = now;
  told_ = true;
  reached_ = reached;
  if (!active_ && !reached && now - since_ >= options_.after) begin(now - since_);
  if (active_ && reached && now - since_ >= options_.until) end();
}

void Fallback::begin(Duration away) {
  {
    std::lock_guard lock(draining_);
    partitions_.clear();
    renew_at_ = Duration(0);
    handled_ = 0;
  }
  began_ = parts_.clock->monotonic();
  parts_.log.error("alert", {{"alert", "broker_away"}, {"seconds", seconds(away)}});
  parts_.log.warn("fallback_began", {{"seconds_away", seconds(away)}});
  active_ = true;
  if (meters_) meters_->active.set(1);
  changed_.notify_all();
}

void Fallback::end() {
  active_ = false;
  std::lock_guard lock(draining_);  // the message that is under way, if there is one
  parts_.log.info("fallback_ended",
                  {{"seconds", seconds(parts_.clock->monotonic() - began_)}, {"messages", handled_}});
  partitions_.clear();
  if (!meters_) return;
  meters_->active.set(0);
  meters_->blocked.set(0);
}

bool Fallback::handled_since(Duration instant) const {
  return last_handled_ >= instant.count();
}

Result<> Fallback::renew() {
  const Duration now = parts_.clock->monotonic();
  if (now < renew_at_) return {};
  CASTIEL_ASSIGN(const auto leases,
                 parts_.store->outbox().lease(options_.owner, storage::kOutboxPartitions, options_.term));
  renew_at_ = now + options_.term / 3;
  std::map<int, Partition> held;
  for (const auto& lease : leases) {
    const auto known = partitions_.find(lease.partition);
    // What another process did with it in between is not known.
    if (known != partitions_.end() && known->second.lease.fence == lease.fence)
      held[lease.partition] = std::move(known->second);
    held[lease.partition].lease = lease;
  }
  partitions_ = std::move(held);
  return {};
}

Result<std::size_t> Fallback::step() {
  std::vector<int> numbers;
  {
    std::lock_guard lock(draining_);
    if (!active_) return std::size_t{0};
    CASTIEL_TRY(renew());
    for (const auto& [number, partition] : partitions_) numbers.push_back(number);
  }
  std::size_t handled = 0, blocked = 0;
  for (const int number : numbers) {
    std::lock_guard lock(draining_);
    const auto found = partitions_.find(number);
    if (!active_ || found == partitions_.end()) continue;
    auto done = drain(found->second);
    if (!done && done.error().code != "lease_lost") return done;
    if (!done) {
      partitions_.erase(found);
      renew_at_ = Duration(0);
      continue;
    }
    handled += *done;
    blocked += found->second.blocked.size();
  }
  if (meters_ && active_) meters_->blocked.set(static_cast<double>(blocked));
  return handled;
}

// Under draining_.
Result<std::size_t> Fallback::drain(Partition& partition) {
  CASTIEL_TRY(unblock(partition));
  bool more = true;
  for (int looks = 0; more && looks < kMostLooks; ++looks) {
    CASTIEL_ASSIGN(const auto handled, look(partition, more));
    if (handled > 0) return handled;
  }
  return std::size_t{0};
}

// The oldest messages of a partition but those of blocked lanes, in the order of each lane, as many as the
// speed allows. `more`: there are others behind them, and all of these are blocked.
Result<std::size_t> Fallback::look(Partition& partition, bool& more) {
  more = false;
  const auto too_soon = [&] { return parts_.clock->monotonic() < next_at_ || !active_; };
  if (too_soon() || partition.left_out.size() >= options_.most_blocked) return std::size_t{0};
  auto& outbox = parts_.store->outbox();
  std::vector<std::int64_t> skip;
  for (const auto& [row, lane] : partition.left_out) skip.push_back(row);
  for (const auto& [row, until] : partition.alone) skip.push_back(row);
  CASTIEL_ASSIGN(const auto messages,
                 outbox.waiting(partition.lease, skip, options_.held_messages, options_.held_bytes));
  std::size_t handled = 0;
  for (const auto& message : messages) {
    if (too_soon()) break;
    CASTIEL_ASSIGN(const auto steps, handle(partition, message));
    handled += steps;
    if (steps == 0) continue;
    const Duration now = parts_.clock->monotonic();
    last_handled_ = now.count();
    next_at_ = std::max(next_at_, now - kBurst) +
               Duration(std::chrono::seconds(1)) / std::max(1, options_.per_second);
  }
  more = handled == 0 && !messages.empty() && !too_soon();
  return handled;
}

// In every queue the message goes to, each for itself, as at the broker; it leaves the outbox when all have
// had it, from here or from the broker. Gives how many had it or left it now.
Result<std::size_t> Fallback::handle(Partition& partition, const storage::OutboxMessage& message) {
  const LaneKey lane{message.tenant, message.message.partition};
  const bool alone = lane.second == storage::kRetryLane;
  const Duration now = parts_.clock->monotonic();
  CASTIEL_ASSIGN(const auto queues, queues_of(message.message.type, message.queue));
  std::size_t steps = 0;
  bool all = true;
  for (const auto& queue : queues) {
    CASTIEL_ASSIGN(const bool done, is_in_inbox(message.tenant, queue, message.message.id));
    if (done) continue;
    const LaneOfQueue place{lane, queue};
    if (!alone && partition.blocked.contains(place)) {
      all = false;
      continue;
    }
    CASTIEL_ASSIGN(const auto fate, handle_in(partition, message, queue));
    if (fate == Fate::handled) {
      ++steps;
      if (meters_) meters_->messages.with({queue}).add();
      continue;
    }
    all = false;
    const bool at_broker = fate == Fate::at_broker;
    // A single record keeps nothing else of its lane waiting.
    if (alone) {
      partition.alone[message.row] = now + options_.after_failure;
    } else {
      partition.blocked[place] = {now + (at_broker ? kBlockedFor : options_.after_failure), at_broker};
    }
  }
  if (!all) {
    if (!alone) partition.left_out[message.row] = lane;
    return steps;
  }
  CASTIEL_TRY(parts_.store->outbox().published(partition.lease, {&message.row, 1}));
  ++handled_;
  return std::max<std::size_t>(steps, 1);
}

Result<Fallback::Fate> Fallback::handle_in(Partition& partition, const storage::OutboxMessage& message,
                                           const std::string& queue) {
  const auto consumer = consumers_.find(queue);
  if (consumer == consumers_.end()) return Fate::put_off;  // of another version
  CASTIEL_ASSIGN(const bool clear, is_clear(partition, {message.tenant, message.message.partition}, queue));
  if (!clear) return Fate::at_broker;
  CASTIEL_ASSIGN(auto delivery, parts_.broker->adopt(queue, message));
  if (!delivery) return Fate::put_off;
  CASTIEL_TRY(consumer->second->handle(std::move(*delivery)));
  CASTIEL_ASSIGN(const bool done, is_in_inbox(message.tenant, queue, message.message.id));
  return done ? Fate::handled : Fate::put_off;
}

// Whether the queue's consumers have handled everything of the lane that left the outbox earlier. The order
// of single records that are tried again is kept by their parked keys.
Result<bool> Fallback::is_clear(Partition& partition, const LaneKey& lane, const std::string& queue) {
  if (lane.second == storage::kRetryLane || partition.clear.contains({lane, queue})) return true;
  CASTIEL_ASSIGN(const auto last, parts_.store->outbox().last_published(lane.first, lane.second));
  for (const auto& one : last) {
    CASTIEL_ASSIGN(const auto queues, queues_of(one.type, one.queue));
    if (std::ranges::find(queues, queue) == queues.end()) continue;
    CASTIEL_ASSIGN(const bool handled, is_in_inbox(lane.first, queue, one.message_id));
    if (handled) continue;
    // The inbox forgets after a month; a flow that has nothing left in the queue has not this message there.
    CASTIEL_ASSIGN(const auto reader, parts_.store->read(lane.first));
    CASTIEL_ASSIGN(const auto left, reader->pending(one.correlation, queue));
    if (left > 0) return false;
  }
  partition.clear.insert({lane, queue});
  return true;
}

Result<bool> Fallback::is_in_inbox(const TenantId& tenant, const std::string& queue,
                                   const std::string& message_id) {
  const auto reader = parts_.store->read(tenant);
  if (!reader && reader.error().code == "unknown_tenant") return true;  // erased: nobody waits for it
  if (!reader) return std::unexpected(reader.error());
  return (*reader)->in_inbox(queue, message_id);
}

Result<std::vector<std::string>> Fallback::queues_of(const std::string& type, const std::string& queue) {
  if (!queue.empty()) return std::vector<std::string>{queue};
  return parts_.store->outbox().queues_for(type);
}

// Lanes whose time has come, and for which nothing is left at the broker any more.
Result<> Fallback::unblock(Partition& partition) {
  const Duration now = parts_.clock->monotonic();
  std::erase_if(partition.alone, [&](const auto& entry) { return entry.second <= now; });
  for (auto it = partition.blocked.begin(); it != partition.blocked.end();) {
    auto& [place, blocked] = *it;
    if (blocked.until > now) {
      ++it;
      continue;
    }
    bool clear = true;
    if (blocked.at_broker) {
      CASTIEL_ASSIGN(clear, is_clear(partition, place.first, place.second));
    }
    if (!clear) {
      blocked.until = now + kBlockedFor;
      ++it;
      continue;
    }
    std::erase_if(partition.left_out, [&](const auto& entry) { return entry.second == place.first; });
    it = partition.blocked.erase(it);
  }
  return {};
}

void Fallback::start() {
  if (thread_.joinable()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Fallback::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  changed_.notify_all();
  thread_.join();
}

void Fallback::run(const std::stop_token& stop) {
  std::string trouble;
  while (!stop.stop_requested()) {
    const auto stepped = active_ ? step() : Result<std::size_t>(std::size_t{0});
    if (!stepped && stepped.error().code != trouble)
      parts_.log.warn("fallback_waits",
                      {{"code", stepped.error().code}, {"message", stepped.error().describe()}});
    trouble = stepped ? "" : stepped.error().code;
    if (stepped && *stepped > 0) continue;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, stepped ? kIdle : kTroublePause, [&] { return stop.stop_requested(); });
  }
}

}  // namespace castiel::messaging
