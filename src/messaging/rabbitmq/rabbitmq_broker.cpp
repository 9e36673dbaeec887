#include "messaging/rabbitmq/rabbitmq_broker.hpp"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <set>

#include "messaging/rabbitmq/impl/carrier.hpp"
#include "messaging/rabbitmq/impl/delivery_book.hpp"
#include "messaging/rabbitmq/impl/link.hpp"
#include "messaging/rabbitmq/impl/queue_state.hpp"
#include "messaging/rabbitmq/impl/seams.hpp"
#include "messaging/rabbitmq/impl/topology.hpp"

namespace castiel::messaging {

using namespace rabbitmq;

namespace {

constexpr Duration kStoreTrouble = std::chrono::seconds(1);  // before a message whose tries could not be kept
constexpr Duration kStatsFor = std::chrono::seconds(1);      // an answer of the server is good for
constexpr int kControlChannel = 1;
constexpr std::int64_t kAdopted = 0;  // the tag of a delivery that did not come from the server

// A logical queue, and the links through which this process takes part in it, once somebody receives.
struct Queue {
  QueueSpec spec;
  std::unique_ptr<QueueState> state;
  std::mutex mutex;
  std::vector<std::unique_ptr<Link>> links;  // under mutex; once there, they stay
};

}  // namespace

struct RabbitmqBroker::Impl {
  RabbitmqOptions options;
  RabbitmqUrl url;
  storage::Store* store;
  const Clock* clock;
  Random* random;
  telemetry::Log log;
  Seams seams;
  std::mutex random_mutex;
  Specs specs;
  DeliveryBook book;
  std::unique_ptr<RabbitmqCarrier> carrier;
  mutable std::mutex mutex;
  std::map<std::string, std::unique_ptr<Queue>, std::less<>> queues;
  bool interrupted = false;

  // For questions, opened when there is one.
  std::mutex control_mutex;
  std::unique_ptr<Connection> control;
  std::set<std::string> control_declared;
  std::map<std::string, QueueStats, std::less<>> counted;
  Duration counted_at{-1};

  Impl(RabbitmqOptions o, RabbitmqUrl u, storage::Store& s, const Clock& c, Random& r, telemetry::Log l,
       Seams between)
      : options(std::move(o)),
        url(std::move(u)),
        store(&s),
        clock(&c),
        random(&r),
        log(std::move(l)),
        seams(std::move(between)),
        book(s, c) {}

  Below below() {
    return [this](std::uint64_t bound) {
      std::lock_guard lock(random_mutex);
      return bound == 0 ? 0 : random->below(bound);
    };
  }

  Queue* find(std::string_view name) const {
    std::lock_guard lock(mutex);
    const auto it = queues.find(name);
    return it == queues.end() ? nullptr : it->second.get();
  }

  void start_links(Queue& queue) {
    std::lock_guard lock(queue.mutex);
    if (!queue.links.empty()) return;
    std::vector<std::string> sources;
    sources.reserve(static_cast<std::size_t>(options.partitions) + 2);
    for (int p = 0; p < options.partitions; ++p) sources.push_back(partition_queue(queue.spec.name, p));
    sources.push_back(retry_queue(queue.spec.name));
    sources.push_back(dead_queue(queue.spec.name));
    for (std::size_t from = 0; from < sources.size(); from += Link::kSources) {
      LinkOptions link{url,
                       fmt::format("{} {}", options.name, queue.spec.name),
                       queue.spec,
                       options.partitions,
                       options.prefetch,
                       static_cast<int>(queue.links.size()),
                       options.look_around,
                       {},
                       seams.connect};
      const auto to = std::min(from + Link::kSources, sources.size());
      link.sources.assign(sources.begin() + static_cast<std::ptrdiff_t>(from),
                          sources.begin() + static_cast<std::ptrdiff_t>(to));
      queue.links.push_back(std::make_unique<Link>(std::move(link), *queue.state, *clock, below(), log));
    }
    for (auto& link : queue.links) seams.run_link ? seams.run_link(*link) : link->start();
  }

  // Under control_mutex.
  Result<> connect_control() {
    if (control != nullptr) return {};
    CASTIEL_ASSIGN(auto connection, seams.connect(url, fmt::format("{} questions", options.name)));
    CASTIEL_TRY(connection->open_channel(kControlChannel));
    control = std::move(connection);
    control_declared.clear();
    return {};
  }
  // Asks the server; an old connection may have died without a word, so a second one gets its chance.
  template <class Ask>
  Result<> ask(Ask question) {
    for (int tries = 1;; ++tries) {
      const bool fresh = control == nullptr;
      CASTIEL_TRY(connect_control());
      auto answered = question(*control);
      if (answered) return {};
      control.reset();
      if (fresh || tries > 1) return answered;
    }
  }

  Result<> count(const std::vector<QueueSpec>& all) {
    std::lock_guard lock(control_mutex);
    if (counted_at >= Duration(0) && clock->monotonic() - counted_at < kStatsFor) return {};
    std::map<std::string, QueueStats, std::less<>> fresh;
    CASTIEL_TRY(ask([&](Connection& connection) -> Result<> {
      for (const auto& spec : all) {
        if (control_declared.insert(spec.name).second)
          CASTIEL_TRY(declare_topology(connection, kControlChannel, spec, options.partitions));
        auto& stats = fresh[spec.name];
        stats = {};
        for (int p = 0; p < options.partitions; ++p) {
          CASTIEL_ASSIGN(const auto n, connection.count(kControlChannel, partition_queue(spec.name, p)));
          stats.ready += n.ready;
        }
        for (const auto& name : {retry_queue(spec.name), dead_queue(spec.name)}) {
          CASTIEL_ASSIGN(const auto n, connection.count(kControlChannel, name));
          stats.ready += n.ready;
        }
      }
      return {};
    }));
    counted = std::move(fresh);
    counted_at = clock->monotonic();
    return {};
  }
};

RabbitmqBroker::RabbitmqBroker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

RabbitmqBroker::~RabbitmqBroker() {
  for (auto& [name, queue] : impl_->queues) {
    for (auto& link : queue->links) link->ask_to_stop();
  }
  for (auto& [name, queue] : impl_->queues) {
    for (auto& link : queue->links) link->stop();
  }
}

Result<std::unique_ptr<RabbitmqBroker>> RabbitmqBroker::create(RabbitmqOptions options, storage::Store& store,
                                                               const Clock& clock, Random& random,
                                                               telemetry::Log log) {
  return create(std::move(options), store, clock, random, std::move(log), {});
}

Result<std::unique_ptr<RabbitmqBroker>> RabbitmqBroker::create(RabbitmqOptions options, storage::Store& store,
                                                               const Clock& clock, Random& random,
                                                               telemetry::Log log, rabbitmq::Seams seams) {
  CASTIEL_ASSIGN(auto url, parse_rabbitmq_url(options.url.reveal()));
  options.partitions = std::clamp(options.partitions, 1, kMaxPartitions);
  auto impl = std::make_unique<Impl>(std::move(options), std::move(url), store, clock, random, std::move(log),
                                     std::move(seams));
  CarrierOptions carrier{impl->url,
                         fmt::format("{} relay", impl->options.name),
                         impl->options.partitions,
                         static_cast<std::size_t>(std::max(1, impl->options.window)),
                         Duration(std::chrono::seconds(30)),
                         impl->seams.connect};
  impl->carrier =
      std::make_unique<RabbitmqCarrier>(std::move(carrier), impl->specs, clock, impl->below(), impl->log);
  return std::unique_ptr<RabbitmqBroker>(new RabbitmqBroker(std::move(impl)));
}

Result<> RabbitmqBroker::declare(const QueueSpec& queue) {
  CASTIEL_TRY(impl_->store->outbox().bind(queue.name, queue.patterns));
  {
    std::lock_guard lock(impl_->mutex);
    auto& entry = impl_->queues[queue.name];
    if (entry == nullptr) {
      entry = std::make_unique<Queue>();
      entry->state =
          std::make_unique<QueueState>(queue.name, *impl_->clock, [raw = entry.get()](const Origin& origin) {
            const auto number = static_cast<std::size_t>(origin.link);
            if (number < raw->links.size()) raw->links[number]->acknowledge(origin);
          });
      if (impl_->interrupted) entry->state->interrupt();
    }
    entry->spec = queue;
  }
  impl_->specs.add(queue);
  impl_->carrier->wake();
  return {};
}

Result<std::vector<Delivery>> RabbitmqBroker::receive_by(std::string_view name, const LimitsOf& limits,
                                                         Deadline deadline) {
  auto* queue = impl_->find(name);
  if (queue == nullptr) return permanent("unknown_queue", "there is no queue '" + std::string(name) + "'");
  impl_->start_links(*queue);
  auto& state = *queue->state;
  for (;;) {
    auto taken = state.take(limits, deadline);
    if (!taken) return std::vector<Delivery>();
    if (!taken->keep) return std::move(taken->deliveries);
    auto& delivery = taken->deliveries.front();
    const auto cannot = [&](const Error& error) -> std::optional<Error> {
      if (error.code == "unknown_tenant") {
        state.settled({&delivery, 1});  // erased with its tenant
        return std::nullopt;
      }
      state.put_back(delivery, impl_->clock->now() + kStoreTrouble);
      return error;
    };
    if (taken->look_up) {
      const auto stored = impl_->book.find(delivery);
      if (!stored) {
        if (auto error = cannot(stored.error())) return std::unexpected(std::move(*error));
        continue;
      }
      delivery = state.with_tries(delivery, *stored);
      if (*stored && (*stored)->due > impl_->clock->now()) {
        state.put_back(delivery, (*stored)->due);
        continue;
      }
    }
    if (const auto kept = impl_->book.keep(delivery, {delivery.deliveries, delivery.failures, {}}); !kept) {
      if (auto error = cannot(kept.error())) return std::unexpected(std::move(*error));
      continue;
    }
    return std::move(taken->deliveries);
  }
}

Result<> RabbitmqBroker::settle(storage::Transaction& tx, std::span<const Delivery> deliveries) {
  if (deliveries.empty()) return {};
  // One that was settled before, and came again because nobody knew, is not counted again.
  const auto& queue = deliveries.front().queue;
  std::vector<std::string> ids;
  for (const auto& d : deliveries) ids.push_back(d.message_id);
  CASTIEL_ASSIGN(const auto first, tx.add_all_to_inbox(fmt::format("settled/{}", queue), ids));
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    if (first[i]) CASTIEL_TRY(tx.count(deliveries[i].correlation, queue, "settled", 1));
  }
  return {};
}

void RabbitmqBroker::settled(std::span<const Delivery> deliveries) {
  if (deliveries.empty()) return;
  if (auto* queue = impl_->find(deliveries.front().queue)) queue->state->settled(deliveries);
}

Result<> RabbitmqBroker::refuse(std::span<const Delivery> deliveries, Duration delay,
                                const storage::Failure& failure) {
  if (deliveries.empty()) return {};
  auto* queue = impl_->find(deliveries.front().queue);
  if (queue == nullptr) return {};
  const auto all = queue->state->refuse(deliveries, impl_->clock->now() + delay, failure);
  Result<> outcome;
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    // Where it cannot be kept now, it is before the message is handed out again.
    auto kept = impl_->book.keep(deliveries[i], all[i]);
    if (!kept && kept.error().code != "unknown_tenant" && outcome) outcome = std::move(kept);
  }
  return outcome;
}

Result<> RabbitmqBroker::release(std::span<const Delivery> deliveries, Duration delay) {
  if (deliveries.empty()) return {};
  auto* queue = impl_->find(deliveries.front().queue);
  const Timestamp due = impl_->clock->now() + delay;
  for (const auto& d : deliveries) {
    const Tries tries{d.deliveries - 1, d.failures, due};
    if (d.tag == kAdopted) {
      CASTIEL_TRY(impl_->book.keep(d, tries));
    } else if (d.deliveries > 1 && d.deliveries < kServerDeliveryLimit) {
      // Taken back, too, where it was kept when it was handed out: should this process end before it hands
      // the message out again, it has not tried it. That it cannot be written now costs one try at most.
      (void)impl_->book.keep(d, tries);
    }
  }
  if (queue != nullptr) queue->state->release(deliveries, due);
  return {};
}

Result<std::optional<Delivery>> RabbitmqBroker::adopt(std::string_view queue,
                                                      const storage::OutboxMessage& m) {
  Delivery d;
  d.queue = queue;
  d.tenant = m.tenant;
  d.lane = m.message.partition;
  d.message_id = m.message.id;
  d.type = m.message.type;
  d.correlation = m.message.correlation;
  d.records = m.message.records;
  d.record_key = m.record_key;
  d.failures = storage::failures_from_json(m.errors);
  d.enqueued_at = m.written_at;
  d.body = m.message.body;
  d.tag = kAdopted;
  CASTIEL_ASSIGN(const auto known, impl_->book.find(d));
  if (known) {
    if (known->due > impl_->clock->now()) return std::nullopt;
    d.deliveries = known->deliveries + 1;
    d.failures = known->failures;
  }
  CASTIEL_TRY(impl_->book.keep(d, {d.deliveries, d.failures, {}}));
  return std::optional(std::move(d));
}

Result<> RabbitmqBroker::retry(storage::Transaction& tx, std::string_view queue,
                               const storage::OutgoingMessage& record, std::string_view record_key,
                               Timestamp at, std::span<const storage::Failure> failures) {
  auto message = record;
  message.partition = storage::kRetryLane;
  return impl_->store->outbox().add(tx, queue, message, record_key, at,
                                    failures.empty() ? std::string() : storage::failures_to_json(failures));
}

Result<std::vector<QueueStats>> RabbitmqBroker::stats() {
  CASTIEL_TRY(impl_->count(impl_->specs.all()));
  std::vector<QueueStats> all;
  std::lock_guard lock(impl_->mutex);
  std::lock_guard control(impl_->control_mutex);
  for (const auto& [name, queue] : impl_->queues) {
    auto stats = queue->state->stats();
    if (const auto it = impl_->counted.find(name); it != impl_->counted.end())
      stats.ready += it->second.ready;
    all.push_back(std::move(stats));
  }
  return all;
}

Result<> RabbitmqBroker::check() {
  std::lock_guard lock(impl_->control_mutex);
  return impl_->ask([](Connection& connection) {
    return connection.declare_exchange(kControlChannel, kExchange, "topic");
  });
}

void RabbitmqBroker::interrupt() {
  std::lock_guard lock(impl_->mutex);
  impl_->interrupted = true;
  for (const auto& [name, queue] : impl_->queues) queue->state->interrupt();
}

Carrier& RabbitmqBroker::carrier() {
  return *impl_->carrier;
}

Result<> RabbitmqBroker::remove(const QueueSpec& queue) {
  std::lock_guard lock(impl_->control_mutex);
  return impl_->ask([&](Connection& connection) -> Result<> {
    CASTIEL_TRY(connection.delete_exchange(kControlChannel, queue_exchange(queue.name)));
    for (int p = 0; p < impl_->options.partitions; ++p)
      CASTIEL_TRY(connection.delete_queue(kControlChannel, partition_queue(queue.name, p)));
    CASTIEL_TRY(connection.delete_queue(kControlChannel, retry_queue(queue.name)));
    return connection.delete_queue(kControlChannel, dead_queue(queue.name));
  });
}

}  // namespace castiel::messaging
