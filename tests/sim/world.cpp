#include "world.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "durable.hpp"
#include "messaging/embedded/embedded_broker.hpp"
#include "process.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::sim {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMaxFaultySteps = 1'500;
constexpr std::int64_t kMaxCleanSteps = 100'000;  // after the faults have stopped
constexpr auto kBetweenImports = 2h;              // of virtual time; more than the wall clock is ever stepped
constexpr auto kFarthestStep = 10min;

// What one operating system process would hold. Gone at a crash, without a farewell.
struct Process {
  explicit Process(Durable& world) : w(world), ids(w.clock, w.ids_random) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Result<> start() {
    storage::SqliteStore::Options options;
    options.path = w.database();
    options.sync = false;
    options.cache_bytes = 4u << 20;
    options.observer = &w.faults;
    CASTIEL_ASSIGN(store, storage::SqliteStore::open(std::move(options), w.clock));
    CASTIEL_ASSIGN(embedded, messaging::EmbeddedBroker::create(*store, w.clock));
    broker = std::make_unique<SimBroker>(*embedded, *store, w.clock, w.faults, w.probes, w.options.mutant);
    publisher = std::make_unique<messaging::Publisher>(schemas(), w.clock, ids);
    stages = std::make_unique<Stages>(ProcessParts{&w, store.get(), broker.get(), publisher.get(), &ids});
    for (auto& consumer : stages->consumers()) CASTIEL_TRY(consumer->declare());
    for (const auto& tenant : w.workload.tenants)
      CASTIEL_TRY(store->create_tenant(TenantId(tenant.tenant), Deadline::after(w.clock, 10s)));
    return {};
  }

  Durable& w;
  IdGenerator ids;
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<messaging::EmbeddedBroker> embedded;
  std::unique_ptr<SimBroker> broker;
  std::unique_ptr<messaging::Publisher> publisher;
  std::unique_ptr<Stages> stages;
  std::vector<User> users;
};

class World {
 public:
  explicit World(const WorldOptions& options) : w_(options) {}

  Outcome run() {
    Outcome outcome;
    outcome.records = w_.workload.records();
    outcome.faults = w_.plan.describe();
    w_.trace.note(fmt::format("seed {}: {} tenants, {} records, faults: {}", w_.options.seed,
                              w_.workload.tenants.size(), outcome.records, outcome.faults));
    faulty_steps_ = 100 + static_cast<std::int64_t>(w_.faults.random().below(kMaxFaultySteps));
    try {
      loop();
    } catch (const Stuck& stuck) {
      failures_.push_back(fmt::format("a step made no end, in '{}'", stuck.where.substr(0, 60)));
    }
    w_.faults.stop();
    if (failures_.empty() && process_) {
      auto verdict = examine(*process_->store, w_.database(), w_.workload, w_.clock, w_.probes);
      failures_ = std::move(verdict.failures);
      outcome.state = std::move(verdict.state);
    }
    process_.reset();
    for (const auto& f : failures_) w_.trace.note("FAILED: " + f);
    outcome.failures = std::move(failures_);
    outcome.trace_hash = w_.trace.hash();
    outcome.last_events.assign(w_.trace.last().begin(), w_.trace.last().end());
    outcome.probes = w_.probes;
    outcome.steps = steps_;
    outcome.processes = processes_;
    return outcome;
  }

 private:
  void loop() {
    int idle = 0;
    while (failures_.empty()) {
      if (w_.faults.active() && (steps_ >= faulty_steps_)) {
        w_.faults.stop();
        w_.trace.note("faults stop");
      }
      if (!w_.faults.active() && ++clean_steps_ > kMaxCleanSteps) {
        failures_.push_back(fmt::format("did not drain: {}", waiting_for()));
        return;
      }
      ++steps_;
      w_.faults.begin_step();
      if (process_) process_->stages->begin_step();
      if (!process_) {
        start_process();
        continue;
      }
      step_surroundings();
      if (!process_) continue;
      const std::size_t actors = process_->users.size() + process_->stages->consumers().size();
      const std::size_t actor = w_.schedule.below(actors);
      bool progress = false;
      try {
        nested_ = false;
        progress = step_actor(actor);
        // Time passes only when really nobody has anything to do.
        if (!progress && idle + 1 >= static_cast<int>(2 * actors)) {
          for (std::size_t each = 0; each < actors && !progress; ++each) progress = step_actor(each);
          if (!progress) idle = static_cast<int>(3 * actors);
        }
      } catch (const Crash& crash) {
        w_.trace.note(fmt::format("CRASH at {}", crash.where));
        process_.reset();
        idle = 0;
        continue;
      }
      idle = progress ? 0 : idle + 1;
      if (idle < static_cast<int>(3 * actors)) continue;
      idle = 0;
      if (drained()) return;
      const auto due = process_->embedded->next_due();
      const Timestamp now = w_.clock.now();
      w_.clock.advance(due && *due > now ? std::min<Duration>(*due - now, 1h) : Duration(200ms));
      w_.trace.note(fmt::format("clock {}", to_string(w_.clock.now())));
    }
  }

  void start_process() {
    w_.trace.note("process starts");
    if (++processes_ > 1) w_.probes.hit("two processes after each other");
    process_ = std::make_unique<Process>(w_);
    try {
      const auto started = process_->start();
      if (started) {
        for (const auto& tenant : w_.workload.tenants)
          process_->users.emplace_back(*process_->stages, tenant,
                                       [this] { w_.clock.advance(kBetweenImports); });
        process_->stages->when_prepared([this] { interleave(); });
        return;
      }
      unexpected("start", started.error());
    } catch (const Crash& crash) {
      w_.trace.note(fmt::format("CRASH at {} while starting", crash.where));
    }
    w_.probes.hit("process start failed");
    process_.reset();
    w_.clock.advance(1s);
  }

  // Somebody else acts while a consumer is between its look at the store and its transaction.
  void interleave() {
    if (nested_ || !w_.faults.roll_interleave()) return;
    nested_ = true;
    const std::size_t actors = process_->users.size() + process_->stages->consumers().size();
    for (int i = 0; i < 3; ++i) {
      w_.trace.note("meanwhile:");
      step_actor(w_.faults.random().below(actors));
    }
    nested_ = false;
  }

  bool step_actor(std::size_t actor) {
    const std::size_t users = process_->users.size();
    return actor < users ? step_user(process_->users[actor])
                         : step_consumer(*process_->stages->consumers()[actor - users]);
  }

  void step_surroundings() {
    if (w_.faults.roll_clock()) {
      const auto by =
          Duration(static_cast<std::int64_t>(w_.faults.random().below(600'000'000)) - 300'000'000);
      if (std::chrono::abs(stepped_ + by) <= kFarthestStep) {
        stepped_ += by;
        w_.clock.step_wall_clock(by);
        if (by < Duration(0)) w_.probes.hit("wall clock back");
        w_.trace.note(fmt::format("fault: wall clock {} ms", by.count() / 1000));
      }
    }
    if (w_.faults.roll_duplicate()) duplicate();
  }

  // Publishes a waiting message once more, under its own id.
  void duplicate() {
    struct Row {
      std::string tenant, id, type, correlation, body;
      int lane = 0, records = 0;
    };
    std::vector<Row> rows;
    sqlite3* db = nullptr;
    sqlite3_open_v2(w_.database().c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(db,
                       "SELECT tenant, message_id, type, correlation, body, part, records FROM queued WHERE "
                       "part >= 0 ORDER BY seq",
                       -1, &statement, nullptr);
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const auto text = [&](int column) {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
        return std::string(bytes == nullptr ? "" : bytes,
                           static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
      };
      rows.push_back({text(0), text(1), text(2), text(3), text(4), sqlite3_column_int(statement, 5),
                      sqlite3_column_int(statement, 6)});
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    if (rows.empty()) return;
    const auto& row = rows[w_.faults.random().below(rows.size())];
    const auto send = [&]() -> Result<> {
      CASTIEL_ASSIGN(auto tx, process_->store->begin(TenantId(row.tenant), Deadline::after(w_.clock, 1s)));
      CASTIEL_TRY(tx->publish(
          "sim", {row.id, row.type, CorrelationId(row.correlation), row.lane, row.records, row.body}));
      return tx->commit();
    };
    try {
      if (!send()) return;
    } catch (const Crash&) {
      w_.trace.note("CRASH while a message was sent twice");
      return process_.reset();
    }
    w_.probes.hit("message duplicated");
    w_.trace.note(fmt::format("fault: {} {} is there twice", row.type, row.id));
  }

  bool step_consumer(messaging::Consumer& consumer) {
    auto stepped = consumer.step(Deadline::after(w_.clock, Duration(0)));
    if (!stepped) {
      unexpected(consumer.queue(), stepped.error());
      return false;
    }
    if (*stepped) w_.trace.note(fmt::format("{} step", consumer.queue()));
    return *stepped;
  }

  bool step_user(User& user) {
    auto stepped = user.step();
    if (stepped) return *stepped;
    unexpected(user.work().tenant, stepped.error());
    return false;
  }

  // Only the errors that were injected may come out of the program.
  void unexpected(const std::string& who, const Error& error) {
    w_.trace.note(fmt::format("{}: error {}", who, error.code));
    static const std::set<std::string> kInjected{"store_busy",        "store_full",  "commit_unknown",
                                                 "store_rolled_back", "blob_failed", "extractor_unavailable"};
    if (!w_.faults.active() || !kInjected.contains(error.code))
      failures_.push_back(fmt::format("{} failed: {} ({})", who, error.describe(), error.code));
  }

  bool drained() {
    if (!std::ranges::all_of(process_->users, &User::done)) return false;
    const auto stats = process_->broker->stats();
    return stats &&
           std::ranges::all_of(*stats, [](const auto& s) { return s.ready + s.claimed + s.delayed == 0; });
  }

  std::string waiting_for() {
    std::string text;
    if (!process_) return "no process";
    for (const auto& user : process_->users) {
      if (!user.done()) text += fmt::format("{} at import {}; ", user.work().tenant, user.wave());
    }
    if (const auto stats = process_->broker->stats()) {
      for (const auto& s : *stats)
        text += fmt::format("{}: {} ready, {} claimed, {} delayed; ", s.name, s.ready, s.claimed, s.delayed);
    }
    text += describe_queues(w_.database());
    return text;
  }

  Durable w_;
  std::unique_ptr<Process> process_;
  std::vector<std::string> failures_;
  std::int64_t steps_ = 0, clean_steps_ = 0, faulty_steps_ = 0, processes_ = 0;
  Duration stepped_{0};
  bool nested_ = false;
};

}  // namespace

Outcome run_world(const WorldOptions& options) {
  return options.footing == Footing::scaled_out ? run_fleet(options) : World(options).run();
}

Outcome run_and_compare(WorldOptions options) {
  auto outcome = run_world(options);
  if (!outcome.failures.empty()) return outcome;
  // Whatever the footing, the same has to come of it.
  options.faults = false;
  options.print = false;
  options.footing = Footing::embedded;
  const auto calm = run_world(options);
  for (const auto& f : calm.failures) outcome.failures.push_back("without faults: " + f);
  std::size_t shown = 0;
  for (const auto& line : outcome.state) {
    if (!calm.state.contains(line) && ++shown <= 5) outcome.failures.push_back("only with faults: " + line);
  }
  for (const auto& line : calm.state) {
    if (!outcome.state.contains(line) && ++shown <= 10)
      outcome.failures.push_back("only without faults: " + line);
  }
  return outcome;
}

}  // namespace castiel::sim
