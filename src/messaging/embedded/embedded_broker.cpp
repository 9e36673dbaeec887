#include "messaging/embedded/embedded_broker.hpp"

#include <condition_variable>
#include <map>
#include <mutex>

#include "base/json.hpp"

namespace castiel::messaging {

using storage::kRetryLane;
using storage::QueuedMessage;

namespace {

constexpr auto kWriteDeadline = std::chrono::seconds(10);

// How one lane stands. Its messages are in the store; this says whether to look.
struct Lane {
  std::int64_t count = 0;    // rows, claimed ones included
  std::int64_t claimed = 0;  // handed out by this process
  Timestamp due{0};          // no message is available before
  Timestamp oldest{0};
};

using LaneKey = std::pair<TenantId, int>;

struct Queue {
  std::map<LaneKey, Lane> lanes;
  LaneKey last;  // handed out last: the next tenant comes first now
  std::int64_t settled = 0;
};

std::string to_text(std::span<const storage::Failure> failures) {
  json::array array;
  for (const auto& f : failures) array.push_back({{"at", to_string(f.at)}, {"code", f.code}, {"message", f.message}});
  return json::serialize(array);
}

std::vector<storage::Failure> from_text(std::string_view text) {
  std::vector<storage::Failure> failures;
  if (text.empty()) return failures;
  const auto value = parse_json(text);
  if (!value || !value->is_array()) return failures;
  for (const auto& item : value->get_array()) {
    if (const auto* f = item.if_object()) {
      failures.push_back({parse_timestamp(string_or(*f, "at")).value_or(Timestamp{}), string_or(*f, "code"), string_or(*f, "message")});
    }
  }
  return failures;
}

QueuedMessage row_of(const Delivery& d) {
  QueuedMessage m;
  m.seq = d.tag;
  m.queue = d.queue;
  m.tenant = d.tenant;
  m.partition = d.lane;
  m.message_id = d.message_id;
  m.correlation = d.correlation;
  m.deliveries = d.deliveries;
  m.errors = d.failures.empty() ? std::string() : to_text(d.failures);
  return m;
}

}  // namespace

struct EmbeddedBroker::Impl {
  Impl(storage::QueueRows& r, const Clock& c) : rows(&r), clock(&c) {}

  storage::QueueRows* rows;
  const Clock* clock;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Queue, std::less<>> queues;
  bool interrupted = false;

  void apply(const std::vector<storage::LaneChange>& changes) {
    std::lock_guard lock(mutex);
    for (const auto& c : changes) {
      auto& queue = queues[c.queue];
      auto& lane = queue.lanes[{c.tenant, c.partition}];
      if (c.added > 0) {
        const bool was_empty = lane.count == lane.claimed;
        if (was_empty || (c.partition == kRetryLane && c.available_at < lane.due)) lane.due = c.available_at;
        if (lane.count == 0) lane.oldest = clock->now();
      } else {
        queue.settled -= c.added;
        lane.oldest = clock->now();  // what follows was published later; an upper bound is enough for the figure
      }
      lane.count += c.added;
      if (lane.count == 0 && lane.claimed == 0) queue.lanes.erase({c.tenant, c.partition});
    }
    changed.notify_all();
  }

  // The next lane that has something due, tenants taking turns; `soonest` is when to look again otherwise.
  std::optional<LaneKey> choose(Queue& queue, std::optional<Timestamp>& soonest) {
    const Timestamp now = clock->now();
    auto it = queue.lanes.upper_bound({queue.last.first, INT32_MAX});
    // First the other tenants in order, then the last one's lanes after the one it had, then from the start.
    std::vector<decltype(it)> order;
    for (auto i = it; i != queue.lanes.end(); ++i) order.push_back(i);
    for (auto i = queue.lanes.begin(); i != it; ++i) {
      if (i->first.first != queue.last.first) order.push_back(i);
    }
    for (auto i = queue.lanes.upper_bound(queue.last); i != it && i != queue.lanes.end(); ++i) order.push_back(i);
    for (auto i = queue.lanes.lower_bound({queue.last.first, INT32_MIN}); i != queue.lanes.end() && i->first <= queue.last; ++i) order.push_back(i);
    for (const auto& i : order) {
      const auto& [key, lane] = *i;
      if (lane.count == lane.claimed) continue;
      if (lane.claimed > 0 && key.second != kRetryLane) continue;
      if (lane.due <= now) return key;
      if (!soonest || lane.due < *soonest) soonest = lane.due;
    }
    return std::nullopt;
  }

  // After messages came back or nothing was due after all.
  void refresh(const std::string& queue, const LaneKey& key) {
    const auto due = rows->next_due(queue, key.first, key.second);
    std::lock_guard lock(mutex);
    auto& lanes = queues[queue].lanes;
    const auto it = lanes.find(key);
    if (it == lanes.end()) return;
    if (due && *due) {
      it->second.due = **due;
    } else if (!due) {
      it->second.due = clock->now() + std::chrono::seconds(1);  // the store is in trouble: look again soon
    }
    changed.notify_all();
  }

  Result<> give_back(std::span<const Delivery> deliveries, Timestamp at, bool count, std::string_view errors) {
    if (deliveries.empty()) return {};
    std::vector<QueuedMessage> messages;
    for (const auto& d : deliveries) messages.push_back(row_of(d));
    auto done = rows->release(messages, at, count, errors, Deadline::after(*clock, kWriteDeadline));
    const std::string queue = deliveries.front().queue;
    const LaneKey key{deliveries.front().tenant, deliveries.front().lane};
    if (!done) return done;  // still claimed: the next start of the process opens them again
    {
      std::lock_guard lock(mutex);
      auto& lanes = queues[queue].lanes;
      if (const auto it = lanes.find(key); it != lanes.end()) {
        it->second.claimed -= static_cast<std::int64_t>(deliveries.size());
        if (key.second != kRetryLane) it->second.due = at;
      }
    }
    refresh(queue, key);
    return {};
  }
};

EmbeddedBroker::EmbeddedBroker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedBroker::~EmbeddedBroker() { impl_->rows->on_commit({}); }

Result<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::create(storage::SqliteStore& store, const Clock& clock) {
  auto impl = std::make_unique<Impl>(store.queue_rows(), clock);
  CASTIEL_TRY(impl->rows->reopen_claims(Deadline::after(clock, kWriteDeadline)));
  CASTIEL_ASSIGN(const auto lanes, impl->rows->lanes());
  for (const auto& lane : lanes) impl->queues[lane.queue].lanes[{lane.tenant, lane.partition}] = {lane.count, 0, lane.head_available_at, lane.oldest};
  impl->rows->on_commit([raw = impl.get()](const auto& changes) { raw->apply(changes); });
  return std::unique_ptr<EmbeddedBroker>(new EmbeddedBroker(std::move(impl)));
}

Result<> EmbeddedBroker::declare(const QueueSpec& queue) {
  std::vector<storage::Binding> bindings;
  for (const auto& pattern : queue.patterns) bindings.push_back({pattern, queue.name});
  {
    std::lock_guard lock(impl_->mutex);
    impl_->queues[queue.name];
  }
  return impl_->rows->declare(queue.name, queue.max_deliveries, bindings);
}

Result<std::vector<Delivery>> EmbeddedBroker::receive(std::string_view name, const ReceiveLimits& limits, Deadline deadline) {
  for (;;) {
    LaneKey key;
    {
      std::unique_lock lock(impl_->mutex);
      const auto it = impl_->queues.find(name);
      if (it == impl_->queues.end()) return permanent("unknown_queue", "there is no queue '" + std::string(name) + "'");
      for (;;) {
        if (impl_->interrupted) return std::vector<Delivery>();
        std::optional<Timestamp> soonest;
        if (auto chosen = impl_->choose(it->second, soonest)) {
          key = *chosen;
          break;
        }
        if (deadline.passed()) return std::vector<Delivery>();
        Duration wait = deadline.remaining();
        if (soonest) wait = std::min(wait, std::max(*soonest - impl_->clock->now(), Duration(1'000)));
        impl_->changed.wait_for(lock, wait);
      }
      it->second.last = key;
      // Nobody else may take from this lane while its rows are being claimed.
      it->second.lanes[key].claimed += 1;
    }
    auto claimed = impl_->rows->claim(name, key.first, key.second, limits.messages, limits.records,
                                      Deadline::after(*impl_->clock, kWriteDeadline));
    {
      std::lock_guard lock(impl_->mutex);
      const auto queue = impl_->queues.find(name);
      auto& lane = queue->second.lanes[key];
      lane.claimed += claimed ? static_cast<std::int64_t>(claimed->size()) - 1 : -1;
    }
    if (!claimed) return std::unexpected(claimed.error());
    if (key.second == kRetryLane || claimed->empty()) impl_->refresh(std::string(name), key);
    if (claimed->empty()) continue;

    std::vector<Delivery> deliveries;
    deliveries.reserve(claimed->size());
    for (auto& m : *claimed) {
      deliveries.push_back({std::string(name), m.tenant, m.partition, std::move(m.message_id), std::move(m.type), m.correlation, m.records,
                            std::move(m.record_key), m.deliveries, from_text(m.errors), m.enqueued_at, std::move(m.body), m.seq});
    }
    return deliveries;
  }
}

Result<> EmbeddedBroker::settle(storage::Transaction& tx, std::span<const Delivery> deliveries) {
  for (const auto& d : deliveries) CASTIEL_TRY(impl_->rows->remove(tx, row_of(d)));
  return {};
}

void EmbeddedBroker::settled(std::span<const Delivery> deliveries) {
  std::lock_guard lock(impl_->mutex);
  for (const auto& d : deliveries) {
    auto& lanes = impl_->queues[d.queue].lanes;
    const auto it = lanes.find({d.tenant, d.lane});
    if (it == lanes.end()) continue;
    it->second.claimed -= 1;
    if (it->second.count == 0 && it->second.claimed == 0) lanes.erase(it);
  }
  impl_->changed.notify_all();
}

Result<> EmbeddedBroker::refuse(std::span<const Delivery> deliveries, Duration delay, const storage::Failure& failure) {
  const Timestamp at = impl_->clock->now() + delay;
  for (const auto& d : deliveries) {
    auto failures = d.failures;
    failures.push_back(failure);
    CASTIEL_TRY(impl_->give_back({&d, 1}, at, true, to_text(failures)));
  }
  return {};
}

Result<> EmbeddedBroker::release(std::span<const Delivery> deliveries, Duration delay) {
  return impl_->give_back(deliveries, impl_->clock->now() + delay, false, {});
}

Result<> EmbeddedBroker::retry(storage::Transaction& tx, std::string_view queue, const storage::OutgoingMessage& record, std::string_view record_key,
                               Timestamp at, std::span<const storage::Failure> failures) {
  auto message = record;
  message.partition = kRetryLane;
  return impl_->rows->add(tx, queue, message, record_key, at, failures.empty() ? std::string() : to_text(failures));
}

Result<std::vector<QueueStats>> EmbeddedBroker::stats() {
  const Timestamp now = impl_->clock->now();
  std::lock_guard lock(impl_->mutex);
  std::vector<QueueStats> all;
  for (const auto& [name, queue] : impl_->queues) {
    QueueStats stats;
    stats.name = name;
    stats.settled_total = queue.settled;
    for (const auto& [key, lane] : queue.lanes) {
      const std::int64_t open = std::max<std::int64_t>(0, lane.count - lane.claimed);
      stats.claimed += std::max<std::int64_t>(0, lane.claimed);
      (lane.due > now ? stats.delayed : stats.ready) += open;
      if (open > 0) stats.oldest_seconds = std::max<std::int64_t>(stats.oldest_seconds, (now - lane.oldest).count() / 1'000'000);
    }
    all.push_back(std::move(stats));
  }
  return all;
}

void EmbeddedBroker::interrupt() {
  std::lock_guard lock(impl_->mutex);
  impl_->interrupted = true;
  impl_->changed.notify_all();
}

std::optional<Timestamp> EmbeddedBroker::next_due() const {
  std::lock_guard lock(impl_->mutex);
  std::optional<Timestamp> soonest;
  for (const auto& [name, queue] : impl_->queues) {
    for (const auto& [key, lane] : queue.lanes) {
      if (lane.count == lane.claimed) continue;
      if (!soonest || lane.due < *soonest) soonest = lane.due;
    }
  }
  return soonest;
}

}  // namespace castiel::messaging
