// A world of the scaled-out footing: several processes on one store, a broker elsewhere, each port call a
// place where others act.
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "node.hpp"
#include "rows.hpp"

namespace castiel::sim {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kLeastFaultySwitches = 2'000, kMostFaultySwitches = 30'000;
constexpr std::int64_t kMaxSwitches = 3'000'000;
constexpr Duration kMaxCleanTime = 2h;  // virtual, after the faults have stopped
constexpr auto kFarthestStep = 30s;     // of the wall clock, either way
constexpr std::int64_t kDrainedLook = 200;

// Whether somebody is in a write transaction.
class WriterProbe {
 public:
  explicit WriterProbe(std::string path) : path_(std::move(path)) {}
  ~WriterProbe() { sqlite3_close(db_); }
  WriterProbe(const WriterProbe&) = delete;
  WriterProbe& operator=(const WriterProbe&) = delete;
  bool free() {
    if (db_ == nullptr &&
        sqlite3_open_v2(path_.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        nullptr) != SQLITE_OK)
      return true;
    if (sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK) return false;
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
    return true;
  }

 private:
  std::string path_;
  sqlite3* db_ = nullptr;
};

FleetPlan plan_of(const WorldOptions& options) {
  if (!options.faults) return {};
  SeededRandom random(options.seed ^ 0xf1ee7ULL);
  return FleetPlan::swarm(random);
}

class FleetWorld {
 public:
  explicit FleetWorld(const WorldOptions& options)
      : w_(options),
        fibers_(w_.clock, w_.schedule),
        plan_(plan_of(options)),
        server_(w_, fibers_, plan_),
        probe_(w_.database()),
        slots_(2 + static_cast<int>(options.seed / 2 % 2)) {
    fleet_.w = &w_;
    fleet_.fibers = &fibers_;
    fleet_.server = &server_;
    fleet_.plan = plan_;
    fleet_.writer_free = [this] { return probe_.free(); };
    w_.faults.on_pass([this] { fibers_.yield(); });
  }
  ~FleetWorld() { end_all(); }
  FleetWorld(const FleetWorld&) = delete;
  FleetWorld& operator=(const FleetWorld&) = delete;

  Outcome run() {
    Outcome outcome;
    outcome.records = w_.workload.records();
    outcome.faults = w_.plan.describe() + plan_.describe();
    w_.trace.note(fmt::format("seed {}: {} processes, {} tenants, {} records, faults: {}", w_.options.seed,
                              slots_, w_.workload.tenants.size(), outcome.records, outcome.faults));
    faulty_switches_ =
        kLeastFaultySwitches +
        static_cast<std::int64_t>(w_.faults.random().below(kMostFaultySwitches - kLeastFaultySwitches));
    fibers_.spawn(kServerProcess, "server", [this] { server_.serve(); });
    for (int slot = 0; slot < slots_; ++slot) start(slot);
    try {
      loop();
    } catch (const Stuck& stuck) {
      fleet_.failures.push_back(fmt::format("a step made no end, in '{}'", stuck.where.substr(0, 60)));
    }
    w_.faults.stop();
    end_all();
    for (const auto& v : server_.violations()) fleet_.failures.push_back(v);
    if (fleet_.failures.empty()) judge(outcome);
    for (const auto& f : fleet_.failures) w_.trace.note("FAILED: " + f);
    outcome.failures = std::move(fleet_.failures);
    outcome.trace_hash = w_.trace.hash();
    outcome.last_events.assign(w_.trace.last().begin(), w_.trace.last().end());
    outcome.probes = w_.probes;
    outcome.steps = fibers_.switches();
    outcome.processes = processes_;
    return outcome;
  }

 private:
  void loop() {
    std::int64_t looked = 0;
    while (fleet_.failures.empty()) {
      if (w_.faults.active() && fibers_.switches() >= faulty_switches_) {
        w_.faults.stop();
        fibers_.thaw();
        clean_from_ = w_.clock.monotonic();
        w_.trace.note("faults stop");
      }
      if (fibers_.switches() > kMaxSwitches ||
          (!w_.faults.active() && w_.clock.monotonic() - clean_from_ > kMaxCleanTime)) {
        fleet_.failures.push_back("did not drain:" + waiting_for());
        return;
      }
      w_.faults.begin_step();
      misbehave();
      std::optional<Fibers::Death> death;
      const bool ran = fibers_.run_one(death);
      if (death) bury(*death);
      reap();
      if (!ran || fibers_.switches() - looked > kDrainedLook) {
        looked = fibers_.switches();
        if (drained()) return;
      }
      if (!ran) pass_time();
    }
  }

  void pass_time() {
    const auto next = fibers_.next_wake();
    const Duration now = w_.clock.monotonic();
    w_.clock.advance(next && *next > now ? *next - now : Duration(1ms));
  }

  void start(int slot) {
    const int process = ++processes_;
    if (process > slots_) w_.probes.hit("two processes after each other");
    w_.trace.note(fmt::format("p{} starts in place {}", process, slot));
    nodes_.push_back(std::make_unique<Node>(fleet_, slot, slots_, process));
    fibers_.spawn(process, "start", [this, node = nodes_.back().get()] {
      const auto started = node->start();
      if (started) return;
      fleet_.unexpected("start", started.error());
      w_.probes.hit("process start failed");
      node->stop();
    });
  }

  void start_later(int slot) {
    const Duration pause = Duration(static_cast<std::int64_t>(w_.faults.random().below(20'000'000)));
    const Duration at = w_.clock.monotonic() + pause;
    fibers_.spawn(0, fmt::format("start of place {}", slot), [this, slot, at] {
      fibers_.wait(at);
      start(slot);
    });
  }

  void bury(const Fibers::Death& death) {
    w_.trace.note(fmt::format("p{} CRASH at {}", death.process, death.where));
    destroy(death.process);
  }

  void destroy(int process) {
    const auto it = std::ranges::find_if(nodes_, [&](const auto& n) { return n->process() == process; });
    if (it == nodes_.end()) return;
    const int slot = (*it)->slot();
    server_.dies(process);
    std::erase_if(fleet_.in_hand, [&](const auto& entry) { return entry.second == process; });
    fibers_.kill(process);
    nodes_.erase(it);
    if (!ending_) start_later(slot);
  }

  // Those that ended in order, or could not start.
  void reap() {
    for (const auto& node : nodes_) {
      if (!node->stopping() || fibers_.has(node->process())) continue;
      w_.trace.note(fmt::format("p{} ends", node->process()));
      return destroy(node->process());
    }
  }

  void end_all() {
    ending_ = true;
    while (!nodes_.empty()) destroy(nodes_.front()->process());
    fibers_.kill(0);
    fibers_.kill(kServerProcess);
  }

  bool roll(double p) { return w_.faults.active() && p > 0 && w_.faults.random().uniform() < p; }

  void misbehave() {
    server_.misbehave();
    if (roll(plan_.clock)) {
      const auto by = Duration(static_cast<std::int64_t>(w_.faults.random().below(60'000'000)) - 30'000'000);
      if (std::chrono::abs(stepped_ + by) <= kFarthestStep) {
        stepped_ += by;
        w_.clock.step_wall_clock(by);
        if (by < Duration(0)) w_.probes.hit("wall clock back");
        w_.trace.note(fmt::format("fault: wall clock {} ms", by.count() / 1000));
      }
    }
    if (nodes_.empty()) return;
    if (roll(plan_.freeze)) {
      const auto& node = nodes_[w_.faults.random().below(nodes_.size())];
      const auto d = Duration(static_cast<std::int64_t>(w_.faults.random().below(60'000'000)));
      fibers_.freeze(node->process(), w_.clock.monotonic() + d);
      w_.probes.hit("process frozen");
      w_.trace.note(fmt::format("fault: p{} gets no time for {} ms", node->process(), d.count() / 1000));
    }
    if (roll(plan_.stop)) {
      const auto& node = nodes_[w_.faults.random().below(nodes_.size())];
      if (!node->stopping()) {
        w_.probes.hit("process stopped in order");
        w_.trace.note(fmt::format("fault: p{} is asked to end", node->process()));
        node->stop();
      }
    }
  }

  bool drained() {
    if (fleet_.finished.size() < w_.workload.tenants.size() || !server_.drained()) return false;
    Rows rows(w_.database());
    return rows.query("SELECT count(*) FROM outbox")[0][0] == "0";
  }

  std::string waiting_for() {
    std::string text;
    for (const auto& work : w_.workload.tenants) {
      if (!fleet_.finished.contains(work.tenant)) text += fmt::format(" {} not imported;", work.tenant);
    }
    text += server_.describe();
    Rows rows(w_.database());
    for (const auto& r :
         rows.query("SELECT seq, partition, tenant, part, type, queue, record_key, due FROM outbox "
                    "ORDER BY seq LIMIT 10")) {
      text += fmt::format("\n    outbox {} of partition {}: {} lane {} {} {} key '{}' due {}", r[0], r[1],
                          r[2], r[3], r[4], r[5], r[6], to_string(Timestamp{std::stoll(r[7])}));
    }
    for (const auto& r : rows.query("SELECT partition, owner, until FROM outbox_lease"))
      text += fmt::format("\n    partition {} is with '{}' until {}", r[0], r[1],
                          to_string(Timestamp{std::stoll(r[2])}));
    text += describe_queues(w_.database()) + fibers_.describe();
    return text;
  }

  void judge(Outcome& outcome) {
    storage::SqliteStore::Options options;
    options.path = w_.database();
    options.publish_to = storage::SqliteStore::PublishTo::outbox;
    options.sync = false;
    auto store = storage::SqliteStore::open(std::move(options), w_.clock);
    if (!store) {
      fleet_.failures.push_back("the store cannot be opened: " + store.error().describe());
      return;
    }
    auto verdict = examine(**store, w_.database(), w_.workload, w_.clock, w_.probes);
    fleet_.failures = std::move(verdict.failures);
    outcome.state = std::move(verdict.state);
  }

  Durable w_;
  Fibers fibers_;
  FleetPlan plan_;
  Server server_;
  WriterProbe probe_;
  Fleet fleet_;
  int slots_;
  int processes_ = 0;
  bool ending_ = false;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::int64_t faulty_switches_ = 0;
  Duration clean_from_{0}, stepped_{0};
};

}  // namespace

Outcome run_fleet(const WorldOptions& options) {
  return FleetWorld(options).run();
}

}  // namespace castiel::sim
