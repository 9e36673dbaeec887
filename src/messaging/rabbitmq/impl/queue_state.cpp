#include "messaging/rabbitmq/impl/queue_state.hpp"

#include <algorithm>

#include "messaging/rabbitmq/impl/topology.hpp"

namespace castiel::messaging::rabbitmq {

using storage::kRetryLane;

namespace {
// Messages remembered over lost connections; beyond it the oldest knowledge goes, which costs a look into the
// store or a delivery counted too many.
constexpr std::size_t kMaxRemembered = 50'000;

template <class Container>
void bound(Container& remembered) {
  while (remembered.size() > kMaxRemembered) remembered.erase(remembered.begin());
}
}  // namespace

void QueueState::add(Delivery delivery, const Origin& origin, bool returned, bool given_up) {
  std::lock_guard lock(mutex_);
  const auto key = key_of(delivery);
  if (done_.erase(key) > 0) {
    acknowledge_(origin);
    return;
  }
  Held held;
  held.origin = origin;
  held.maybe_tried = returned;
  delivery.deliveries = 1;
  delivery.tag = next_tag_++;
  if (given_up) {
    // More than any consumer allows: it ends as a dead letter that people see, or is taken apart.
    delivery.deliveries = kServerDeliveryLimit;
    held.maybe_tried = false;
  } else if (const auto known = tries_.find(key); known != tries_.end()) {
    delivery.deliveries = known->second.deliveries + 1;
    delivery.failures = known->second.failures;
    held.due = known->second.due;
    held.maybe_tried = false;
    tries_.erase(known);
  }
  lanes_[lane_of(delivery)].waiting.push_back(delivery.tag);
  const auto tag = delivery.tag;
  held.delivery = std::move(delivery);
  held_.emplace(tag, std::move(held));
  changed_.notify_all();
}

void QueueState::lose(int link, std::int64_t generation) {
  std::lock_guard lock(mutex_);
  std::vector<std::int64_t> gone;
  for (auto& [tag, held] : held_) {
    if (held.origin.link != link || held.origin.generation != generation) continue;
    held.stale = true;
    if (!held.handed) gone.push_back(tag);
  }
  for (const auto tag : gone) {
    auto& held = held_.at(tag);
    // Nobody tried it here since it came: the delivery that the server counts is none.
    if (!held.maybe_tried && held.delivery.deliveries < kServerDeliveryLimit)
      tries_[key_of(held.delivery)] = {held.delivery.deliveries - 1, held.delivery.failures, held.due};
    const auto key = lane_of(held.delivery);
    std::erase(lanes_[key].waiting, tag);
    held_.erase(tag);
    tidy(key);
  }
  bound(tries_);
  changed_.notify_all();
}

std::optional<Timestamp> QueueState::next_look(const LaneKey& key, const Lane& lane) const {
  if (lane.waiting.empty()) return std::nullopt;
  if (key.second != kRetryLane) {
    if (lane.handed > 0 || lane.claiming > 0) return std::nullopt;
    return held_.at(lane.waiting.front()).due;
  }
  std::optional<Timestamp> soonest;
  for (const auto tag : lane.waiting) {
    const auto& held = held_.at(tag);
    if (in_hand_.contains(key_of(held.delivery))) continue;
    const auto due = held.due;
    if (!soonest || due < *soonest) soonest = due;
  }
  return soonest;
}

// The next lane with something due: first the other tenants', then those of the one that was served last.
std::optional<QueueState::LaneKey> QueueState::choose(std::optional<Timestamp>& soonest) {
  const Timestamp now = clock_->now();
  const auto due = [&](const auto& entry) {
    const auto at = next_look(entry.first, entry.second);
    if (!at) return false;
    if (*at <= now) return true;
    if (!soonest || *at < *soonest) soonest = *at;
    return false;
  };
  const auto others = lanes_.upper_bound({last_.first, INT32_MAX});
  const auto own = lanes_.lower_bound({last_.first, INT32_MIN});
  const auto after_last = lanes_.upper_bound(last_);
  const std::pair<decltype(others), decltype(others)> ranges[] = {
      {others, lanes_.end()}, {lanes_.begin(), own}, {after_last, others}, {own, after_last}};
  for (const auto& [from, to] : ranges) {
    for (auto it = from; it != to; ++it) {
      if (due(*it)) return it->first;
    }
  }
  return std::nullopt;
}

std::optional<Timestamp> QueueState::next_due() const {
  std::lock_guard lock(mutex_);
  std::optional<Timestamp> soonest;
  for (const auto& [key, lane] : lanes_) {
    const auto at = next_look(key, lane);
    if (at && (!soonest || *at < *soonest)) soonest = at;
  }
  return soonest;
}

std::optional<QueueState::Taken> QueueState::take(const LimitsOf& limits_of, Deadline deadline) {
  for (;;) {
    LaneKey key;
    {
      std::unique_lock lock(mutex_);
      for (;;) {
        if (interrupted_) return std::nullopt;
        std::optional<Timestamp> soonest;
        if (auto chosen = choose(soonest)) {
          key = *chosen;
          break;
        }
        if (deadline.passed()) return std::nullopt;
        Duration wait = deadline.remaining();
        if (soonest) wait = std::min(wait, std::max(*soonest - clock_->now(), Duration(1'000)));
        changed_.wait_for(lock, wait);
      }
      last_ = key;
      lanes_[key].claiming += 1;
    }
    const ReceiveLimits limits = limits_of(key.first);
    std::lock_guard lock(mutex_);
    auto taken = claim(key, limits);
    // The connection may have gone meanwhile, and the messages with it.
    if (!taken.deliveries.empty()) return taken;
  }
}

QueueState::Taken QueueState::claim(const LaneKey& key, const ReceiveLimits& limits) {
  auto& lane = lanes_[key];
  lane.claiming -= 1;
  const Timestamp now = clock_->now();
  const int batch_from = static_cast<int>(lane.waiting.size()) >= limits.batch_from ? 0 : limits.batch_from;
  std::vector<std::int64_t> chosen;
  int records = 0;
  for (const auto tag : lane.waiting) {
    const auto& held = held_.at(tag);
    if (static_cast<int>(chosen.size()) >= std::max(1, limits.messages)) break;
    if (held.due > now) {
      if (key.second == kRetryLane) continue;
      break;
    }
    if (in_hand_.contains(key_of(held.delivery))) continue;
    const bool again = held.maybe_tried || held.delivery.deliveries > 1;
    if (!chosen.empty() && (again || records + held.delivery.records > limits.records)) break;
    chosen.push_back(tag);
    records += held.delivery.records;
    if (again) break;
  }
  if (chosen.size() > 1 && records < batch_from) chosen.resize(1);
  Taken taken;
  for (const auto tag : chosen) {
    auto& held = held_.at(tag);
    held.handed = true;
    in_hand_.insert(key_of(held.delivery));
    lane.handed += 1;
    std::erase(lane.waiting, tag);
    taken.deliveries.push_back(held.delivery);
  }
  if (chosen.size() == 1) {
    const auto& held = held_.at(chosen.front());
    taken.look_up = held.maybe_tried;
    taken.keep =
        held.maybe_tried || (held.delivery.deliveries > 1 && held.delivery.deliveries < kServerDeliveryLimit);
  }
  tidy(key);
  return taken;
}

Delivery QueueState::with_tries(const Delivery& taken, const std::optional<Tries>& stored) {
  std::lock_guard lock(mutex_);
  auto& held = held_.at(taken.tag);
  held.maybe_tried = false;
  // Nothing kept of it, and yet it was handed over before: the process before may have died with it. That it
  // only lay there cannot be told, so the benefit of the doubt goes to the queue (RETRY-5).
  held.delivery.deliveries = (stored ? stored->deliveries : 1) + 1;
  if (stored) held.delivery.failures = stored->failures;
  return held.delivery;
}

void QueueState::return_to_lane(std::int64_t tag, Timestamp due) {
  auto& held = held_.at(tag);
  const auto key = lane_of(held.delivery);
  auto& lane = lanes_[key];
  lane.handed -= 1;
  held.handed = false;
  held.due = due;
  in_hand_.erase(key_of(held.delivery));
  if (held.stale) {
    if (const auto copy = copy_of(held.delivery); copy != 0) {
      auto& again = held_.at(copy);
      again.delivery.deliveries = held.delivery.deliveries;
      again.delivery.failures = held.delivery.failures;
      again.due = due;
      again.maybe_tried = false;
    } else {
      tries_[key_of(held.delivery)] = {held.delivery.deliveries - 1, held.delivery.failures, due};
      bound(tries_);
    }
    held_.erase(tag);
    tidy(key);
    return;
  }
  // Its place is where its own number belongs: before everything that came later.
  const auto place = std::ranges::upper_bound(lane.waiting, tag);
  lane.waiting.insert(place, tag);
}

std::int64_t QueueState::copy_of(const Delivery& delivery) const {
  const auto lane = lanes_.find(lane_of(delivery));
  if (lane == lanes_.end()) return 0;
  for (const auto tag : lane->second.waiting) {
    if (held_.at(tag).delivery.message_id == delivery.message_id) return tag;
  }
  return 0;
}

void QueueState::put_back(const Delivery& delivery, Timestamp due) {
  std::lock_guard lock(mutex_);
  if (held_.contains(delivery.tag)) return_to_lane(delivery.tag, due);
  changed_.notify_all();
}

void QueueState::settled(std::span<const Delivery> deliveries) {
  std::lock_guard lock(mutex_);
  for (const auto& d : deliveries) {
    const auto it = held_.find(d.tag);
    if (it == held_.end()) continue;
    const auto key = lane_of(it->second.delivery);
    const bool stale = it->second.stale;
    if (!stale) acknowledge_(it->second.origin);
    ++settled_;
    in_hand_.erase(key_of(d));
    lanes_[key].handed -= 1;
    held_.erase(it);
    if (const auto copy = stale ? copy_of(d) : 0; copy != 0) {
      acknowledge_(held_.at(copy).origin);
      std::erase(lanes_[key].waiting, copy);
      held_.erase(copy);
    } else if (stale) {
      done_.insert(key_of(d));
      bound(done_);
    }
    tidy(key);
  }
  changed_.notify_all();
}

std::vector<Tries> QueueState::refuse(std::span<const Delivery> deliveries, Timestamp due,
                                      const storage::Failure& failure) {
  std::lock_guard lock(mutex_);
  std::vector<Tries> all;
  for (const auto& d : deliveries) {
    Tries tries{d.deliveries, d.failures, due};
    tries.failures.push_back(failure);
    all.push_back(tries);
    const auto it = held_.find(d.tag);
    if (it == held_.end()) continue;
    it->second.delivery.failures = tries.failures;
    it->second.delivery.deliveries = d.deliveries + 1;
    return_to_lane(d.tag, due);
  }
  changed_.notify_all();
  return all;
}

void QueueState::release(std::span<const Delivery> deliveries, Timestamp due) {
  std::lock_guard lock(mutex_);
  for (const auto& d : deliveries) {
    if (held_.contains(d.tag)) return_to_lane(d.tag, due);
  }
  changed_.notify_all();
}

void QueueState::tidy(const LaneKey& key) {
  const auto it = lanes_.find(key);
  if (it != lanes_.end() && it->second.waiting.empty() && it->second.handed == 0 && it->second.claiming == 0)
    lanes_.erase(it);
}

void QueueState::interrupt() {
  std::lock_guard lock(mutex_);
  interrupted_ = true;
  changed_.notify_all();
}

QueueStats QueueState::stats() const {
  std::lock_guard lock(mutex_);
  const Timestamp now = clock_->now();
  QueueStats stats;
  stats.name = name_;
  stats.settled_total = settled_;
  for (const auto& [tag, held] : held_) {
    if (held.handed) {
      stats.claimed += 1;
      continue;
    }
    (held.due > now ? stats.delayed : stats.ready) += 1;
    stats.oldest_seconds =
        std::max<std::int64_t>(stats.oldest_seconds, (now - held.delivery.enqueued_at).count() / 1'000'000);
  }
  return stats;
}

}  // namespace castiel::messaging::rabbitmq
