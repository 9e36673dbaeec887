#include "node.hpp"

#include <fmt/format.h>

#include "messaging/rabbitmq/impl/seams.hpp"
#include "model/event_types.hpp"

namespace castiel::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration kWriterLimit = 10s;
constexpr Duration kWriterLook = 20ms;
constexpr Duration kPause = 250ms;   // after an error, as the program's threads make it
constexpr Duration kRelayWait = 1s;  // more than in the program: polling costs steps, not time
constexpr Duration kIdle = 30s;      // a consumer without messages looks again
constexpr Duration kUserLooks = 2s;
constexpr Duration kBetweenImports = 90s;  // more than the wall clock is ever stepped

constexpr double kFreezeWeight = 50;

bool writes(std::string_view call) {
  return call == "begin" || call == "lease" || call == "give_back" || call == "published";
}

}  // namespace

void Fleet::unexpected(const std::string& who, const Error& error) {
  w->trace.note(fmt::format("{}: error {}", who, error.code));
  static const std::set<std::string> kInjected{"store_busy",        "store_full",           "commit_unknown",
                                               "store_rolled_back", "blob_failed",          "store_conflict",
                                               "version_conflict",  "extractor_unavailable"};
  // Of what broke while faults were, the last is found out later.
  static const std::set<std::string> kLingering{"broker_unreachable", "broker_refused_request",
                                                "broker_blocked", "broker_silent", "lease_lost",
                                                // whoever had it may have been stopped in the middle
                                                "store_busy"};
  if (kLingering.contains(error.code) || (w->faults.active() && kInjected.contains(error.code))) return;
  failures.push_back(fmt::format("{} failed: {} ({})", who, error.describe(), error.code));
}

// --- store ---

Result<> StoreCalls::before(std::string_view call) {
  auto& w = *fleet_->w;
  CASTIEL_TRY(w.faults.before(call));
  if (call == "commit" && w.faults.active() && fleet_->plan.conflict > 0 &&
      w.faults.random().uniform() < fleet_->plan.conflict) {
    w.probes.hit("store conflict");
    w.trace.note("fault: two transactions were in each other's way");
    return conditional("store_conflict", "two transactions were in each other's way");
  }
  if (writes(call)) return wait_for_writer();
  return {};
}

Result<> StoreCalls::after(std::string_view call) {
  // The file is free, this process's writer is not yet: nobody else may find it between.
  const Quiet quiet(*fleet_->fibers);
  return fleet_->w->faults.after(call);
}

Result<> StoreCalls::wait_for_writer() {
  auto& fibers = *fleet_->fibers;
  if (fleet_->writer_free()) return {};
  fleet_->w->probes.hit("waited for the writer");
  const Duration until = fleet_->w->clock.monotonic() + kWriterLimit;
  while (!fleet_->writer_free()) {
    if (fleet_->w->clock.monotonic() >= until)
      return transient("store_busy", "the store's writer was busy until the deadline");
    fibers.wait(fleet_->w->clock.monotonic() + kWriterLook, fleet_->writer_free);
  }
  return {};
}

// --- relay ---

Result<std::vector<storage::OutboxLease>> SimOutbox::lease(std::string_view owner, int most, Duration term) {
  auto leases = inner_->lease(owner, most, term);
  if (!leases) return leases;
  for (const auto& lease : *leases) {
    auto& holder = fleet_->partition_holders[lease.partition];
    if (holder != 0 && holder != process_) fleet_->w->probes.hit("lease taken over");
    holder = process_;
  }
  return leases;
}

Result<> SimOutbox::give_back(std::string_view owner) {
  fleet_->w->probes.hit("lease given back");
  return inner_->give_back(owner);
}

Result<std::vector<storage::OutboxMessage>> SimOutbox::waiting(const storage::OutboxLease& lease,
                                                               std::span<const std::int64_t> skip,
                                                               std::size_t limit, std::size_t bytes) {
  auto found = inner_->waiting(lease, skip, limit, bytes);
  if (!found && found.error().code == "lease_lost") fleet_->w->probes.hit("lease lost");
  return found;
}

Result<> SimOutbox::published(const storage::OutboxLease& lease, std::span<const std::int64_t> rows) {
  auto removed = inner_->published(lease, rows);
  if (!removed && removed.error().code == "lease_lost") fleet_->w->probes.hit("lease lost");
  return removed;
}

Result<> SimCarrier::carry(const storage::OutboxMessage& message) {
  auto& w = *fleet_->w;
  const int partition = storage::outbox_partition(message.tenant, message.message.partition);
  // Right here more often than elsewhere: what was decided before is done long after.
  if (w.faults.active() && w.faults.random().uniform() < fleet_->plan.freeze * kFreezeWeight) {
    const auto d = Duration(20'000'000 + static_cast<std::int64_t>(w.faults.random().below(40'000'000)));
    w.trace.note(fmt::format("fault: p{} gets no time for {} ms while it sends", process_, d.count() / 1000));
    fleet_->fibers->freeze(process_, w.clock.monotonic() + d);
    fleet_->fibers->yield();
  }
  const auto sent = inner_->carry(message);
  if (!sent) return sent;
  // Others had their turns in between.
  if (const int holder = fleet_->partition_holders[partition]; holder != 0 && holder != process_)
    w.probes.hit("sent after the lease was taken over");
  if (w.options.mutant == Mutant::confirms_early) early_.push_back({message.row, Fate::confirmed});
  return {};
}

std::vector<messaging::Carrier::Outcome> SimCarrier::outcomes(Duration wait) {
  if (early_.empty()) return inner_->outcomes(wait);
  (void)inner_->outcomes(Duration(0));
  return std::exchange(early_, {});
}

// --- process ---

Node::Node(Fleet& fleet, int slot, int slots, int process)
    : fleet_(&fleet),
      w_(*fleet.w),
      fibers_(*fleet.fibers),
      slot_(slot),
      slots_(slots),
      process_(process),
      ids_(w_.clock, w_.ids_random),
      calls_(fleet) {}

Result<> Node::open() {
  storage::SqliteStore::Options options;
  options.path = w_.database();
  options.publish_to = storage::SqliteStore::PublishTo::outbox;
  options.sync = false;
  options.cache_bytes = 2u << 20;
  options.observer = &calls_;
  CASTIEL_TRY(calls_.wait_for_writer());
  // Nobody else may write while it opens: SQLite would wait for them in real time.
  const Quiet quiet(fibers_);
  CASTIEL_ASSIGN(store_, storage::SqliteStore::open(std::move(options), w_.clock));
  for (const auto& tenant : w_.workload.tenants)
    CASTIEL_TRY(store_->create_tenant(TenantId(tenant.tenant), Deadline::after(w_.clock, kWriterLimit)));
  messaging::RabbitmqOptions rabbit;
  rabbit.url = Secret("amqp://simulation");
  rabbit.partitions = 2;
  rabbit.prefetch = 5;
  rabbit.window = 20;
  rabbit.name = fmt::format("p{}", process_);
  messaging::rabbitmq::Seams seams;
  seams.connect = fleet_->server->connector(process_);
  seams.run_link = [this](messaging::rabbitmq::Link& link) { run_links(link); };
  CASTIEL_ASSIGN(rabbit_, messaging::RabbitmqBroker::create(std::move(rabbit), *store_, w_.clock,
                                                            w_.ids_random, w_.log, std::move(seams)));
  broker_ = std::make_unique<SimBroker>(*rabbit_, *store_, w_.clock, w_.faults, w_.probes, w_.options.mutant);
  broker_->watch([this](const messaging::Delivery& d, bool taken) {
    const auto key = fmt::format("{} {}", d.queue, d.message_id);
    if (!taken) {
      if (const auto it = fleet_->in_hand.find(key); it != fleet_->in_hand.end() && it->second == process_)
        fleet_->in_hand.erase(it);
      return;
    }
    const auto [it, first] = fleet_->in_hand.try_emplace(key, process_);
    if (!first && it->second != process_) w_.probes.hit("step of a message that another process has");
    it->second = process_;
    if (may_kill(d)) go_alone();
  });
  publisher_ = std::make_unique<messaging::Publisher>(schemas(), w_.clock, ids_);
  stages_ = std::make_unique<Stages>(ProcessParts{&w_, store_.get(), broker_.get(), publisher_.get(), &ids_});
  for (auto& consumer : stages_->consumers()) CASTIEL_TRY(consumer->declare());
  return {};
}

Result<> Node::start() {
  CASTIEL_TRY(open());
  outbox_ = std::make_unique<SimOutbox>(store_->outbox(), *fleet_, process_);
  carrier_ = std::make_unique<SimCarrier>(rabbit_->carrier(), *fleet_, process_);
  messaging::RelayOptions relaying;
  relaying.owner = fmt::format("p{}", process_);
  // With fewer than all, several processes relay at the same time.
  relaying.most_partitions = w_.options.seed % 3 == 0 ? storage::kOutboxPartitions : 4;
  relaying.look_again = kRelayWait;
  relay_ =
      std::make_unique<messaging::Relay>(*outbox_, *carrier_, w_.clock, w_.log, nullptr, std::move(relaying));
  store_->outbox().on_written([this] {
    relay_->wake();
    fibers_.poke(process_);
  });
  fibers_.spawn(process_, "relay", [this] { relay_on(); });
  for (auto& consumer : stages_->consumers()) {
    const bool many = consumer->queue() == model::queue::kDataRaw || consumer->queue() == kEventsQueue;
    for (int i = 0; i < (many ? 2 : 1); ++i) {
      ++busy_;
      fibers_.spawn(process_, consumer->queue(), [this, &consumer] { consume(*consumer); });
    }
  }
  const auto& tenants = w_.workload.tenants;
  for (std::size_t i = 0; i < tenants.size(); ++i) {
    if (static_cast<int>(i) % slots_ != slot_) continue;
    users_.push_back(
        std::make_unique<User>(*stages_, tenants[i], [this] { fibers_.sleep(kBetweenImports); }));
    ++busy_;
    fibers_.spawn(process_, tenants[i].tenant, [this, user = users_.back().get()] { use(*user); });
  }
  return {};
}

void Node::stop() {
  stopping_ = true;
  fibers_.stir(process_);
}

void Node::run_links(messaging::rabbitmq::Link& link) {
  auto& state = link.state();
  queues_[state.name()] = &state;
  fibers_.spawn(process_, "link " + state.name(), [this, &link] {
    while (busy_ > 0) {
      const Duration pause = link.round();
      if (pause > Duration(0)) fibers_.wait(w_.clock.monotonic() + pause, [this] { return busy_ == 0; });
    }
    link.finish();
  });
}

void Node::consume(messaging::Consumer& consumer) {
  while (!stopping_) {
    if (!alone_.empty()) {
      fibers_.sleep(kWriterLook);
      continue;
    }
    ++steps_;
    const auto stepped = consumer.step(Deadline::after(w_.clock, Duration(0)));
    --steps_;
    alone_.erase(fibers_.self());
    if (!stepped) {
      fleet_->unexpected(consumer.queue(), stepped.error());
      fibers_.poke(process_);
      fibers_.sleep(kPause);
      continue;
    }
    if (*stepped) {
      w_.trace.note(fmt::format("p{} {} step", process_, consumer.queue()));
      fibers_.poke(process_);
      continue;
    }
    const auto* state = queues_.at(consumer.queue());
    const auto due = state->next_due();
    const Duration pause = due ? std::clamp<Duration>(*due - w_.clock.now(), 1ms, kIdle) : kIdle;
    fibers_.wait(w_.clock.monotonic() + pause, [this, state] {
      const auto at = state->next_due();
      return stopping_ || (at && *at <= w_.clock.now());
    });
  }
  if (--busy_ == 0) fibers_.stir(process_);
}

// What steps have in hand when the process dies counts as tried (RETRY-5), and so may end as dead letter
// beside the record that kills. The model knows nothing of that: such a record is handled while no other is.
void Node::go_alone() {
  alone_.insert(fibers_.self());
  while (steps_ > static_cast<int>(alone_.size())) fibers_.sleep(kWriterLook);
}

bool Node::may_kill(const messaging::Delivery& d) const {
  for (const auto& work : w_.workload.tenants) {
    if (work.tenant != d.tenant.str()) continue;
    for (const auto& [key, behaviour] : work.behaviours) {
      const bool kills =
          behaviour.kind == Behaviour::Kind::deadly || behaviour.kind == Behaviour::Kind::deadly_for_ever;
      if (kills && d.body.find('"' + key + '"') != std::string::npos) return true;
    }
  }
  return false;
}

void Node::relay_on() {
  while (busy_ > 0) {
    const auto stepped = relay_->step(kRelayWait);
    if (stepped) continue;
    fleet_->unexpected("relay", stepped.error());
    fibers_.sleep(kPause);
  }
  if (const auto finished = relay_->finish(); !finished) fleet_->unexpected("relay", finished.error());
}

void Node::use(User& user) {
  while (!stopping_ && !user.done()) {
    const auto stepped = user.step();
    if (!stepped) fleet_->unexpected(user.work().tenant, stepped.error());
    if (!stepped || !*stepped) fibers_.wait(w_.clock.monotonic() + kUserLooks, [this] { return stopping_; });
  }
  if (user.done()) fleet_->finished.insert(user.work().tenant);
  if (--busy_ == 0) fibers_.stir(process_);
}

}  // namespace castiel::sim
