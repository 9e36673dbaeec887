#include "messaging/relay.hpp"

#include "messaging/fallback.hpp"

namespace castiel::messaging {

namespace {

constexpr Duration kMeasureEvery = std::chrono::seconds(5);
constexpr Duration kLastConfirms = std::chrono::milliseconds(500);
constexpr Duration kStepWait = std::chrono::milliseconds(100);
constexpr Duration kPauseAfterError = std::chrono::milliseconds(250);

const char* name_of(Carrier::Fate fate) {
  switch (fate) {
    case Carrier::Fate::confirmed:
      return "confirmed";
    case Carrier::Fate::nobody:
      return "nobody";
    case Carrier::Fate::refused:
      return "refused";
    case Carrier::Fate::lost:
      return "lost";
  }
  return "lost";
}

}  // namespace

struct Relay::Meters {
  explicit Meters(telemetry::Metrics& m)
      : messages(m.gauge({"castiel_outbox_messages", "Messages waiting in the outbox.", {}}).with()),
        oldest(m.gauge({"castiel_outbox_oldest_seconds", "Age of the oldest message due in the outbox.", {}})
                   .with()),
        unconfirmed(
            m.gauge({"castiel_relay_unconfirmed_messages", "Messages sent and not confirmed yet.", {}})
                .with()),
        published(m.counter({"castiel_relay_published_total",
                             "Messages sent to the broker, by what became of them.",
                             {"outcome"}})) {}
  telemetry::Gauge messages, oldest, unconfirmed;
  telemetry::Family<telemetry::Counter> published;
};

Relay::Relay(storage::Outbox& outbox, Carrier& carrier, const Clock& clock, telemetry::Log log,
             telemetry::Metrics* metrics, RelayOptions options)
    : outbox_(&outbox),
      carrier_(&carrier),
      clock_(&clock),
      log_(std::move(log)),
      options_(std::move(options)) {
  if (metrics != nullptr) meters_ = std::make_unique<Meters>(*metrics);
}
Relay::~Relay() = default;

void Relay::wake() {
  written_ = true;
  carrier_->wake();
}

Result<std::size_t> Relay::step(Duration wait) {
  settle(carrier_->outcomes(Duration(0)));
  measure();
  CASTIEL_TRY(reach());
  CASTIEL_TRY(renew());
  const bool look_now = written_.exchange(false);
  for (auto& [number, partition] : partitions_) {
    if (look_now) partition.look_at = Duration(0);
  }
  CASTIEL_TRY(read_ahead());
  CASTIEL_TRY(send());
  settle(carrier_->outcomes(written_ ? Duration(0) : wait));
  std::size_t removed = 0;
  std::vector<int> lost;
  Result<> outcome;
  for (auto& [number, partition] : partitions_) {
    const bool due = partition.confirmed.size() >= options_.removal_rows ||
                     partition.held == partition.confirmed.size() ||
                     clock_->monotonic() - partition.confirmed_since >= options_.removal;
    if (partition.confirmed.empty() || !due) continue;
    const auto rows = partition.confirmed.size();
    if (auto done = remove(partition); done) {
      removed += rows;
    } else if (done.error().code == "lease_lost") {
      lost.push_back(number);
    } else {
      outcome = std::move(done);
    }
  }
  for (const int number : lost) drop(number);
  CASTIEL_TRY(std::move(outcome));
  return removed;
}

Result<> Relay::reach() {
  auto ready = carrier_->ready();
  away_ = !ready;
  return ready;
}

Result<> Relay::stand_by(Duration wait) {
  partitions_.clear();
  under_way_.clear();
  renew_at_ = Duration(0);
  measure();
  (void)carrier_->outcomes(wait);
  return reach();
}

Result<> Relay::renew() {
  const Duration now = clock_->monotonic();
  if (now < renew_at_) return {};
  CASTIEL_ASSIGN(const auto leases, outbox_->lease(options_.owner, options_.most_partitions, options_.term));
  renew_at_ = now + options_.term / 3;
  std::set<int> held;
  for (const auto& lease : leases) {
    held.insert(lease.partition);
    // Somebody else had it in between: what is held of it may be gone.
    if (const auto it = partitions_.find(lease.partition);
        it != partitions_.end() && it->second.lease.fence != lease.fence)
      drop(lease.partition);
    auto& partition = partitions_[lease.partition];
    partition.lease = lease;
    partition.ends = now + options_.term;
  }
  std::vector<int> gone;
  for (const auto& [number, partition] : partitions_) {
    if (!held.contains(number)) gone.push_back(number);
  }
  for (const int number : gone) drop(number);
  return {};
}

void Relay::drop(int number) {
  partitions_.erase(number);
  // Their outcomes mean nothing any more: whoever has the partition now sends them again.
  std::erase_if(under_way_, [&](const auto& entry) { return entry.second.partition == number; });
  renew_at_ = Duration(0);
}

Result<> Relay::read_ahead() {
  const Duration now = clock_->monotonic();
  std::vector<storage::Outbox::Look> looks;
  for (const auto& [number, partition] : partitions_) {
    if (now < partition.look_at || partition.held > options_.held_messages / 2 ||
        partition.bytes > options_.held_bytes / 2)
      continue;
    looks.push_back({partition.lease,
                     {partition.known.begin(), partition.known.end()},
                     options_.held_messages - partition.held,
                     options_.held_bytes - partition.bytes});
  }
  if (looks.empty()) return {};
  CASTIEL_ASSIGN(auto all, outbox_->waiting_in(looks));
  for (std::size_t i = 0; i < looks.size(); ++i) {
    auto& partition = partitions_.at(looks[i].lease.partition);
    auto& found = all[i];
    // With nothing more to be had, look when told, or a little later.
    if (!found || found->size() < looks[i].limit) partition.look_at = now + options_.look_again;
    if (!found) {
      renew_at_ = Duration(0);
      partition.ends = Duration(0);
      continue;
    }
    for (auto& message : *found) {
      partition.known.insert(message.row);
      partition.held += 1;
      partition.bytes += message.message.body.size();
      auto& lane = partition.lanes[{message.tenant, message.message.partition}];
      lane.messages.push_back({std::move(message)});
    }
  }
  return {};
}

// Rounds in which each lane that may sends one, tenants and lanes taking turns.
Result<> Relay::send() {
  for (bool moved = true; moved && carrier_->room() > 0;) {
    moved = false;
    for (auto& [number, partition] : partitions_) {
      CASTIEL_ASSIGN(const bool sent, send_round(partition));
      moved = moved || sent;
    }
  }
  if (meters_) meters_->unconfirmed.set(static_cast<double>(under_way_.size()));
  return {};
}

Result<bool> Relay::send_round(Partition& partition) {
  const Duration now = clock_->monotonic();
  // Past its lease another relay may have it; a message sent twice is only waste.
  if (now >= partition.ends) return false;
  bool moved = false;
  auto it = partition.lanes.upper_bound(partition.last);
  for (std::size_t i = 0; i < partition.lanes.size() && carrier_->room() > 0; ++i, ++it) {
    if (it == partition.lanes.end()) it = partition.lanes.begin();
    if (now < it->second.not_before) continue;
    CASTIEL_ASSIGN(const bool sent, send_next(partition, it->first, it->second));
    moved = moved || sent;
  }
  return moved;
}

Result<bool> Relay::send_next(Partition& partition, const LaneKey& key, Lane& lane) {
  if (lane.again || lane.under_way >= options_.lane_window) return false;
  while (lane.sent < lane.messages.size() && lane.messages[lane.sent].arrived) ++lane.sent;
  if (lane.sent == lane.messages.size()) return false;
  auto& next = lane.messages[lane.sent];
  if (auto carried = carrier_->carry(next.message); !carried) {
    lane.not_before = clock_->monotonic() + options_.after_refusal;
    return std::unexpected(std::move(carried.error()));
  }
  next.under_way = true;
  under_way_[next.message.row] = {partition.lease.partition, key, lane.removed + lane.sent};
  lane.under_way += 1;
  lane.sent += 1;
  partition.last = key;
  return true;
}

void Relay::settle(const std::vector<Carrier::Outcome>& outcomes) {
  for (const auto& [row, fate] : outcomes) {
    if (meters_) meters_->published.with({name_of(fate)}).add();
    const auto found = under_way_.find(row);
    if (found == under_way_.end()) continue;
    const auto [number, key, place] = found->second;
    under_way_.erase(found);
    auto& partition = partitions_.at(number);
    auto& lane = partition.lanes.at(key);
    auto& sending = lane.messages[place - lane.removed];
    sending.under_way = false;
    lane.under_way -= 1;
    if (fate == Carrier::Fate::refused) lane.not_before = clock_->monotonic() + options_.after_refusal;
    if (fate == Carrier::Fate::refused || fate == Carrier::Fate::lost) {
      lane.again = true;
    } else {
      sending.arrived = true;
      if (partition.confirmed.empty()) partition.confirmed_since = clock_->monotonic();
      partition.confirmed.push_back(row);
      partition.bytes -= sending.message.message.body.size();
      sending.message.message.body = {};
    }
    while (!lane.messages.empty() && lane.messages.front().arrived) {
      lane.messages.pop_front();
      lane.removed += 1;
      if (lane.sent > 0) lane.sent -= 1;
    }
    if (lane.again && lane.under_way == 0) {
      lane.again = false;
      lane.sent = 0;  // those that arrived are passed over
    }
    if (lane.messages.empty()) partition.lanes.erase(key);
  }
  if (meters_) meters_->unconfirmed.set(static_cast<double>(under_way_.size()));
}

Result<> Relay::remove(Partition& partition) {
  CASTIEL_TRY(outbox_->published(partition.lease, partition.confirmed));
  for (const auto row : partition.confirmed) partition.known.erase(row);
  partition.held -= partition.confirmed.size();
  partition.confirmed.clear();
  return {};
}

void Relay::measure() {
  if (!meters_ || clock_->monotonic() < measure_at_) return;
  measure_at_ = clock_->monotonic() + kMeasureEvery;
  const auto depth = outbox_->depth();
  if (!depth) return;
  meters_->messages.set(static_cast<double>(depth->messages));
  const auto age = depth->oldest.micros == 0 ? Duration(0) : clock_->now() - depth->oldest;
  meters_->oldest.set(std::max(0.0, std::chrono::duration<double>(age).count()));
}

Result<> Relay::finish() {
  // A confirm that is awaited saves sending the message again.
  const auto deadline = Deadline::after(*clock_, kLastConfirms);
  do {
    settle(carrier_->outcomes(under_way_.empty() ? Duration(0) : deadline.remaining()));
  } while (!under_way_.empty() && !deadline.passed());
  for (auto& [number, partition] : partitions_) {
    if (!partition.confirmed.empty())
      (void)remove(partition);  // lost: they are sent again, which is harmless
  }
  partitions_.clear();
  under_way_.clear();
  renew_at_ = Duration(0);
  return outbox_->give_back(options_.owner);
}

void RelayThread::start() {
  if (running_.exchange(true)) return;
  outbox_->on_written([relay = relay_] { relay->wake(); });
  thread_ = std::thread([this] { run(); });
}

Result<> RelayThread::step() {
  Result<> outcome;
  if (fallback_ != nullptr && fallback_->active()) {
    outcome = relay_->stand_by(kStepWait);
  } else if (auto stepped = relay_->step(kStepWait); !stepped) {
    outcome = std::unexpected(std::move(stepped.error()));
  }
  if (fallback_ != nullptr) fallback_->heard(!relay_->away());
  return outcome;
}

void RelayThread::run() {
  while (running_) {
    auto stepped = step();
    std::unique_lock lock(mutex_);
    if (stepped) {
      if (trouble_) log_.info("relay_goes_on");
      trouble_.reset();
      continue;
    }
    if (!trouble_ || trouble_->code != stepped.error().code)
      log_.warn("relay_waits", {{"code", stepped.error().code}, {"message", stepped.error().describe()}});
    if (!trouble_) since_ = clock_->monotonic();
    trouble_ = std::move(stepped.error());
    stopped_.wait_for(lock, kPauseAfterError, [this] { return !running_; });
  }
  if (const auto finished = relay_->finish(); !finished)
    log_.warn("relay_leases_kept",
              {{"code", finished.error().code}, {"message", finished.error().describe()}});
}

void RelayThread::stop() {
  if (!running_.exchange(false)) return;
  outbox_->on_written({});
  {
    std::lock_guard lock(mutex_);
    stopped_.notify_all();
  }
  relay_->wake();
  thread_.join();
}

std::optional<Error> RelayThread::trouble(Duration at_least) const {
  std::lock_guard lock(mutex_);
  if (!trouble_ || clock_->monotonic() - since_ < at_least) return std::nullopt;
  return trouble_;
}

}  // namespace castiel::messaging
