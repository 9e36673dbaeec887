#include "messaging/embedded/embedded_broker.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

namespace castiel::messaging {

using storage::kRetryLane;
using storage::QueuedMessage;

namespace {

constexpr auto kWriteDeadline = std::chrono::seconds(10);
constexpr auto kLookAgain = std::chrono::seconds(1);  // after the store was in trouble

// Messages that were to go back to their lane when the store would not take it.
struct Owed {
  std::vector<QueuedMessage> messages;
  Timestamp at;
  bool count;
  std::string errors;
};

// How one lane stands. Its messages are in the store; this says whether to look.
struct Lane {
  std::int64_t count = 0;       // rows, claimed ones included
  int claiming = 0;             // claims under way
  std::set<std::int64_t> held;  // rows handed out by this process
  Timestamp due{0};             // no message is available before
  Timestamp oldest{0};
  // Memory and rows disagree after a write that failed or may have failed. Nobody gets messages of the lane
  // until it is mended, which the next receive() that comes along tries.
  std::vector<Owed> owed;
  bool doubtful = false;  // a claim may have been kept that nobody got
  bool mending = false;
  Timestamp mend_at{0};

  std::int64_t claimed() const { return claiming + static_cast<std::int64_t>(held.size()); }
  bool broken() const { return doubtful || !owed.empty(); }
  // When there may be something to hand out, or to mend.
  std::optional<Timestamp> next_look(int partition) const {
    if (mending || (doubtful && claiming > 0)) return std::nullopt;
    if (broken()) return mend_at;
    if (count == claimed() || (claimed() > 0 && partition != kRetryLane)) return std::nullopt;
    return due;
  }
};

Lane lane_of_rows(const storage::LaneInfo& rows) {
  Lane lane;
  lane.count = rows.count;
  lane.due = rows.head_available_at;
  lane.oldest = rows.oldest;
  return lane;
}

using LaneKey = std::pair<TenantId, int>;

struct Queue {
  std::map<LaneKey, Lane> lanes;
  LaneKey last;  // handed out last: the next tenant comes first now
  std::int64_t settled = 0;
};

QueuedMessage row_of(const Delivery& d) {
  QueuedMessage m;
  m.seq = d.tag;
  m.queue = d.queue;
  m.tenant = d.tenant;
  m.partition = d.lane;
  m.message_id = d.message_id;
  m.correlation = d.correlation;
  m.deliveries = d.deliveries;
  m.errors = d.failures.empty() ? std::string() : storage::failures_to_json(d.failures);
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
        const bool was_empty = lane.count == lane.claimed();
        if (was_empty || (c.partition == kRetryLane && c.available_at < lane.due)) lane.due = c.available_at;
        if (lane.count == 0) lane.oldest = clock->now();
      } else {
        if (!c.erased) queue.settled -= c.added;
        lane.oldest =
            clock->now();  // what follows was published later; an upper bound is enough for the figure
      }
      lane.count += c.added;
      if (lane.count == 0 && lane.claimed() == 0) queue.lanes.erase({c.tenant, c.partition});
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
    for (auto i = queue.lanes.upper_bound(queue.last); i != it && i != queue.lanes.end(); ++i)
      order.push_back(i);
    for (auto i = queue.lanes.lower_bound({queue.last.first, INT32_MIN});
         i != queue.lanes.end() && i->first <= queue.last; ++i)
      order.push_back(i);
    for (const auto& i : order) {
      const auto& [key, lane] = *i;
      const auto at = lane.next_look(key.second);
      if (!at) continue;
      if (*at <= now) return key;
      if (!soonest || *at < *soonest) soonest = *at;
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
    // With the store in trouble, or rows that are not where they should be: look again soon, not at once.
    it->second.due = due && *due ? **due : clock->now() + kLookAgain;
    changed.notify_all();
  }

  // Brings the lane's rows to what was asked of them before. Error: not now; it is tried again a little
  // later.
  Result<> mend(const std::string& queue, const LaneKey& key) {
    std::vector<Owed> owed;
    bool doubtful = false;
    std::set<std::int64_t> held;
    {
      std::lock_guard lock(mutex);
      const auto& lane = queues[queue].lanes[key];
      owed = lane.owed;
      doubtful = lane.doubtful;
      held = lane.held;
    }
    const auto deadline = Deadline::after(*clock, kWriteDeadline);
    std::size_t done = 0;
    Result<> outcome;
    for (const auto& o : owed) {
      outcome = rows->release(o.messages, o.at, o.count, o.errors, deadline);
      if (!outcome) break;
      ++done;
    }
    if (outcome && doubtful) outcome = rows->reopen_lane(queue, key.first, key.second, held, deadline);
    {
      std::lock_guard lock(mutex);
      auto& lane = queues[queue].lanes[key];
      for (std::size_t i = 0; i < done; ++i) {
        for (const auto& m : owed[i].messages) lane.held.erase(m.seq);
      }
      lane.owed.erase(lane.owed.begin(), lane.owed.begin() + static_cast<std::ptrdiff_t>(done));
      if (outcome) lane.doubtful = false;
      lane.mending = false;
      lane.mend_at = clock->now() + kLookAgain;
    }
    refresh(queue, key);
    return outcome;
  }

  Result<> give_back(std::span<const Delivery> deliveries, Timestamp at, bool count,
                     std::string_view errors) {
    if (deliveries.empty()) return {};
    std::vector<QueuedMessage> messages;
    for (const auto& d : deliveries) messages.push_back(row_of(d));
    auto done = rows->release(messages, at, count, errors, Deadline::after(*clock, kWriteDeadline));
    const std::string queue = deliveries.front().queue;
    const LaneKey key{deliveries.front().tenant, deliveries.front().lane};
    {
      std::lock_guard lock(mutex);
      auto& lanes = queues[queue].lanes;
      if (const auto it = lanes.find(key); it != lanes.end()) {
        if (!done) {
          it->second.owed.push_back({std::move(messages), at, count, std::string(errors)});
          it->second.mend_at = clock->now() + kLookAgain;
          return done;
        }
        for (const auto& d : deliveries) it->second.held.erase(d.tag);
        if (key.second != kRetryLane) it->second.due = at;
        if (it->second.count == 0 && it->second.claimed() == 0) lanes.erase(it);  // erased meanwhile
      }
    }
    if (!done) return done;
    refresh(queue, key);
    return {};
  }
};

EmbeddedBroker::EmbeddedBroker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedBroker::~EmbeddedBroker() {
  impl_->rows->on_commit({});
}

Result<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::create(storage::SqliteStore& store,
                                                               const Clock& clock) {
  auto impl = std::make_unique<Impl>(store.queue_rows(), clock);
  CASTIEL_TRY(impl->rows->reopen_claims(Deadline::after(clock, kWriteDeadline)));
  CASTIEL_ASSIGN(const auto lanes, impl->rows->lanes());
  for (const auto& lane : lanes)
    impl->queues[lane.queue].lanes[{lane.tenant, lane.partition}] = lane_of_rows(lane);
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

Result<std::vector<Delivery>> EmbeddedBroker::receive_by(std::string_view name, const LimitsOf& limits_of,
                                                         Deadline deadline) {
  for (;;) {
    LaneKey key;
    bool mends = false;
    std::int64_t waiting = 0;
    {
      std::unique_lock lock(impl_->mutex);
      const auto it = impl_->queues.find(name);
      if (it == impl_->queues.end())
        return permanent("unknown_queue", "there is no queue '" + std::string(name) + "'");
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
      auto& lane = it->second.lanes[key];
      mends = lane.broken();
      waiting = lane.count;
      if (mends) {
        lane.mending = true;
      } else {
        lane.claiming += 1;  // nobody else may take from this lane while its rows are being claimed
      }
    }
    if (mends) {
      CASTIEL_TRY(impl_->mend(std::string(name), key));
      continue;
    }
    const ReceiveLimits limits = limits_of(key.first);
    auto claimed = impl_->rows->claim(name, key.first, key.second, limits.messages, limits.records,
                                      waiting >= limits.batch_from ? 0 : limits.batch_from,
                                      Deadline::after(*impl_->clock, kWriteDeadline));
    {
      std::lock_guard lock(impl_->mutex);
      const auto queue = impl_->queues.find(name);
      auto& lane = queue->second.lanes[key];
      lane.claiming -= 1;
      if (claimed) {
        for (const auto& m : *claimed) lane.held.insert(m.seq);
      } else {
        lane.doubtful = true;
        lane.mend_at = impl_->clock->now() + kLookAgain;
      }
    }
    if (!claimed) return std::unexpected(claimed.error());
    if (key.second == kRetryLane || claimed->empty()) impl_->refresh(std::string(name), key);
    if (claimed->empty()) continue;

    std::vector<Delivery> deliveries;
    deliveries.reserve(claimed->size());
    for (auto& m : *claimed) {
      deliveries.push_back({std::string(name), m.tenant, m.partition, std::move(m.message_id),
                            std::move(m.type), m.correlation, m.records, std::move(m.record_key),
                            m.deliveries, storage::failures_from_json(m.errors), m.enqueued_at,
                            std::move(m.body), m.seq});
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
    it->second.held.erase(d.tag);
    if (it->second.count == 0 && it->second.claimed() == 0) lanes.erase(it);
  }
  impl_->changed.notify_all();
}

Result<> EmbeddedBroker::refuse(std::span<const Delivery> deliveries, Duration delay,
                                const storage::Failure& failure) {
  const Timestamp at = impl_->clock->now() + delay;
  Result<> outcome;
  for (const auto& d : deliveries) {
    auto failures = d.failures;
    failures.push_back(failure);
    auto done = impl_->give_back({&d, 1}, at, true, storage::failures_to_json(failures));
    if (!done && outcome) outcome = std::move(done);
  }
  return outcome;
}

Result<> EmbeddedBroker::release(std::span<const Delivery> deliveries, Duration delay) {
  return impl_->give_back(deliveries, impl_->clock->now() + delay, false, {});
}

Result<> EmbeddedBroker::retry(storage::Transaction& tx, std::string_view queue,
                               const storage::OutgoingMessage& record, std::string_view record_key,
                               Timestamp at, std::span<const storage::Failure> failures) {
  auto message = record;
  message.partition = kRetryLane;
  return impl_->rows->add(tx, queue, message, record_key, at,
                          failures.empty() ? std::string() : storage::failures_to_json(failures));
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
      const std::int64_t open = std::max<std::int64_t>(0, lane.count - lane.claimed());
      stats.claimed += lane.claimed();
      (lane.due > now ? stats.delayed : stats.ready) += open;
      if (open > 0)
        stats.oldest_seconds =
            std::max<std::int64_t>(stats.oldest_seconds, (now - lane.oldest).count() / 1'000'000);
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
      const auto at = lane.next_look(key.second);
      if (at && (!soonest || *at < *soonest)) soonest = at;
    }
  }
  return soonest;
}

}  // namespace castiel::messaging
