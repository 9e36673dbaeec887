#include "world.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>

#include "connectors/files/archive_files.hpp"
#include "connectors/testing/memory_file_system.hpp"
#include "extract/testing/direct_extractor.hpp"
#include "intelligence/risk_handler.hpp"
#include "linking/link_handler.hpp"
#include "messaging/consumer.hpp"
#include "messaging/embedded/embedded_broker.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"
#include "processing/calendar/event_reader.hpp"
#include "processing/communications/email_reader.hpp"
#include "processing/communications/message_reader.hpp"
#include "processing/content/content_handler.hpp"
#include "processing/crm/crm_handler.hpp"
#include "processing/crm/relations_handler.hpp"
#include "processing/documents/document_reader.hpp"
#include "processing/meetings/meeting_reader.hpp"
#include "search/index_handler.hpp"
#include "storage/testing/memory_blobs.hpp"
#include "sync/import_job.hpp"

namespace castiel::sim {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMaxFaultySteps = 1'500;
constexpr std::int64_t kMaxCleanSteps = 100'000;  // after the faults have stopped
constexpr int kMaxDeliveries = 10;                // RETRY-4
constexpr auto kBetweenImports = 2h;              // of virtual time; more than the wall clock is ever stepped
constexpr auto kFarthestStep = 10min;
constexpr std::size_t kInlineBytes = 1200;  // of a record; larger ones travel by claim

// Everything is declared: what the recogniser makes of a column may differ from file to file, and the model
// knows nothing of that.
constexpr char kSourceMap[] = R"(files:
  - match: "users*"
    entity: user
    columns: { Id: id, Name: name, Email: email, Title: title }
  - match: "accounts*"
    entity: account
    columns: { Id: id, Name: name, Industry: industry, OwnerId: ownerId, LastModifiedDate: modifiedAt }
  - match: "products*"
    entity: product
    columns: { Id: id, Name: name, ProductCode: code }
  - match: "opportunity_history*"
    entity: opportunity_change
    columns: { Id: id, OpportunityId: opportunityId, Field: field, OldValue: oldValue, NewValue: newValue, CreatedDate: changedAt }
  - match: "opportunities*"
    entity: opportunity
    columns: { Id: id, Name: name, AccountId: accountId, OwnerId: ownerId, StageName: stage, Amount: amount,
               CloseDate: closeDate, LastModifiedDate: modifiedAt }
)";

const messaging::SchemaRegistry& schemas() {
  static const auto registry = messaging::SchemaRegistry::create(messaging::builtin_schemas()).value();
  return *registry;
}

class LogIntoTrace final : public telemetry::LineSink {
 public:
  explicit LogIntoTrace(Trace& trace) : trace_(&trace) {}
  void write(telemetry::Level, std::string_view line) override { trace_->note(fmt::format("log {}", line)); }

 private:
  Trace* trace_;
};

// A folder of its own in memory, gone with the world.
class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::exists("/dev/shm")
                              ? "/dev/shm/castiel-sim-XXXXXX"
                              : (std::filesystem::temp_directory_path() / "castiel-sim-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Durable {
  explicit Durable(const WorldOptions& o)
      : options(o),
        trace(o.print),
        workload_random(o.seed * 3 + 1),
        ids_random(o.seed * 3 + 2),
        schedule(o.seed * 3 + 3),
        workload(make_workload(workload_random, clock.now())),
        plan(o.faults ? plan_of(o.seed) : FaultPlan::none()),
        faults(plan, o.seed ^ 0x5eedf4417ULL, clock, trace, probes),
        sim_files(files, faults),
        log(std::make_shared<LogIntoTrace>(trace), clock, {telemetry::Level::info, 1'000'000}) {
    // Before any import: what is found near a document's time is the same whenever it is read.
    files.date(clock.now() - std::chrono::days(30));
    for (const auto& tenant : workload.tenants) {
      for (const auto& wave : tenant.waves) {
        for (const auto& file : wave.files) files.put(file.path, file.text());
        for (const auto& file : wave.contents.files) {
          if (file.path.find("!/") == file.path.npos) files.put(file.path, file.bytes);
        }
        for (const auto& [path, bytes] : wave.contents.archives) files.put(path, bytes);
      }
    }
  }
  static FaultPlan plan_of(std::uint64_t seed) {
    SeededRandom random(seed ^ 0x9e3779b9ULL);
    return FaultPlan::swarm(random);
  }

  WorldOptions options;
  Folder folder;
  ManualClock clock{parse_timestamp("2026-03-01T08:00:00Z").value()};
  Trace trace;
  Probes probes;
  SeededRandom workload_random, ids_random, schedule;
  Workload workload;
  BehaviourState behaviour;
  FaultPlan plan;
  Faults faults;
  connectors::testing::MemoryFileSystem files;
  SimFileSystem sim_files;
  extract::DirectExtractor extractor;
  storage::testing::MemoryBlobs blobs;
  telemetry::Log log;
};

// What one operating system process would hold. Gone at a crash, without a farewell.
struct Process {
  explicit Process(Durable& world) : w(world), ids(w.clock, w.ids_random) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Result<> start() {
    storage::SqliteStore::Options options;
    options.path = w.folder.file("castiel.db");
    options.sync = false;
    options.cache_bytes = 4u << 20;
    options.observer = &w.faults;
    CASTIEL_ASSIGN(store, storage::SqliteStore::open(std::move(options), w.clock));
    CASTIEL_ASSIGN(embedded, messaging::EmbeddedBroker::create(*store, w.clock));
    broker = std::make_unique<SimBroker>(*embedded, *store, w.clock, w.faults, w.probes, w.options.mutant);
    publisher = std::make_unique<messaging::Publisher>(schemas(), w.clock, ids);
    crm = std::make_unique<processing::CrmHandler>(w.clock, ids);
    sim_crm =
        std::make_unique<SimHandler>(*crm, w.workload, w.behaviour, w.faults, w.probes, w.options.mutant);
    add_consumer(model::queue::kDataRaw, {std::string(model::event::kDataRaw)}, *sim_crm);
    add_consumer(model::queue::kRelations, {std::string(model::event::kImportRead)}, relations);
    deals = std::make_unique<intelligence::DealBook>(w.clock, [](const storage::Reader&) {
      intelligence::BookOptions o;
      o.simulations = 20;
      return o;
    });
    risk = std::make_unique<intelligence::RiskHandler>(*deals, w.clock);
    sim_risk = std::make_unique<SimHandler>(*risk, w.workload, w.behaviour, w.faults, w.probes, Mutant::none);
    add_consumer(model::queue::kAnalyticsRisk, {std::string(model::event::kOpportunityUpdated)}, *sim_risk);
    add_consumer(kEventsQueue, {"shard.*"}, recorder);
    if (w.workload.mixed) add_content();
    for (auto& consumer : consumers) CASTIEL_TRY(consumer->declare());
    for (const auto& tenant : w.workload.tenants)
      CASTIEL_TRY(store->create_tenant(TenantId(tenant.tenant), Deadline::after(w.clock, 10s)));
    return {};
  }

  void add_content() {
    namespace event = model::event;
    namespace queue = model::queue;
    namespace type = model::type;
    using namespace processing;
    add_stage(queue::kCommunications, {{event::kEmailReceived, event::kEmailProcessed, type::kEmail,
                                        [] { return std::make_unique<EmailReader>(); }},
                                       {event::kMessageReceived, event::kMessageProcessed, type::kMessage,
                                        [] { return std::make_unique<MessageReader>(); }}});
    add_stage(queue::kDocuments,
              {{event::kDocumentDetected, event::kDocumentProcessed, type::kDocument,
                [this] { return std::make_unique<DocumentReader>(extractor, blobs, w.clock); }}});
    add_stage(queue::kMeetings, {{event::kMeetingCompleted, event::kMeetingProcessed, type::kMeeting,
                                  [] { return std::make_unique<MeetingReader>(); }}});
    add_stage(queue::kEvents, {{event::kEventCreated, event::kEventProcessed, type::kEvent,
                                [] { return std::make_unique<EventReader>(); }}});
    handlers.push_back(std::make_unique<search::IndexHandler>());
    add_simulated(queue::kSearchIndex, search::IndexHandler::patterns(), *handlers.back(), Mutant::none);
    handlers.push_back(std::make_unique<linking::LinkHandler>(
        w.clock, ids, [](const storage::Reader&) { return std::vector<std::string>(); }));
    add_simulated(queue::kEntityLinking, linking::LinkHandler::patterns(), *handlers.back(),
                  w.options.mutant == Mutant::acts_twice ? Mutant::acts_twice : Mutant::none);
  }
  void add_stage(std::string_view queue, std::vector<processing::ContentKind> kinds) {
    std::vector<std::string> patterns;
    for (const auto& kind : kinds) patterns.emplace_back(kind.received);
    handlers.push_back(std::make_unique<processing::ContentHandler>(
        processing::ContentParts{&w.clock, &ids, &blobs,
                                 [](const storage::Reader&) { return processing::TenantWords{}; }},
        std::move(kinds)));
    const bool planted = w.options.mutant != Mutant::acts_twice && w.options.mutant != Mutant::lets_older_win;
    add_simulated(queue, std::move(patterns), *handlers.back(), planted ? w.options.mutant : Mutant::none);
  }
  void add_simulated(std::string_view queue, std::vector<std::string> patterns, messaging::Handler& handler,
                     Mutant mutant) {
    simulated.push_back(
        std::make_unique<SimHandler>(handler, w.workload, w.behaviour, w.faults, w.probes, mutant));
    add_consumer(queue, std::move(patterns), *simulated.back());
  }

  void add_consumer(std::string_view queue, std::vector<std::string> patterns, messaging::Handler& handler) {
    messaging::ConsumerOptions options;
    options.queue = {std::string(queue), std::move(patterns), kMaxDeliveries};
    options.not_yet = 15s;  // polling costs the simulation steps, not time; so does waiting
    options.longest_retry = 10s;
    consumers.push_back(std::make_unique<messaging::Consumer>(
        messaging::ConsumerParts{store.get(), broker.get(), &schemas(), publisher.get(), &w.clock,
                                 &w.ids_random, &ids, w.log},
        std::move(options), handler));
  }

  Durable& w;
  IdGenerator ids;
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<messaging::EmbeddedBroker> embedded;
  std::unique_ptr<SimBroker> broker;
  std::unique_ptr<messaging::Publisher> publisher;
  std::unique_ptr<processing::CrmHandler> crm;
  std::unique_ptr<SimHandler> sim_crm;
  processing::RelationsHandler relations;
  std::unique_ptr<intelligence::DealBook> deals;
  std::unique_ptr<intelligence::RiskHandler> risk;
  std::unique_ptr<SimHandler> sim_risk;
  SimExtractor extractor{w.extractor, w.faults};
  SimBlobs blobs{w.blobs, w.faults, w.options.mutant};
  connectors::ArchiveFileSystem files{w.sim_files, extractor, w.clock};
  std::vector<std::unique_ptr<messaging::Handler>> handlers;
  std::vector<std::unique_ptr<SimHandler>> simulated;
  EventRecorder recorder;
  std::vector<std::unique_ptr<messaging::Consumer>> consumers;

  // A tenant's user: starts its imports one after another, and takes up what a process before left.
  struct User {
    const TenantWork* work;
    std::unique_ptr<sync::ImportJob> job;
    std::size_t wave = 0;
    bool located = false;
    bool done = false;
  };
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
      auto verdict =
          examine(*process_->store, w_.folder.file("castiel.db"), w_.workload, w_.clock, w_.probes);
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
      if (process_) process_->blobs.begin_step();
      if (!process_) {
        start_process();
        continue;
      }
      step_surroundings();
      if (!process_) continue;
      const std::size_t actors = process_->users.size() + process_->consumers.size();
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
          process_->users.push_back({&tenant, nullptr, 0, false, false});
        process_->sim_crm->when_prepared([this] { interleave(); });
        process_->sim_risk->when_prepared([this] { interleave(); });
        for (auto& handler : process_->simulated) handler->when_prepared([this] { interleave(); });
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
    const std::size_t actors = process_->users.size() + process_->consumers.size();
    for (int i = 0; i < 3; ++i) {
      w_.trace.note("meanwhile:");
      step_actor(w_.faults.random().below(actors));
    }
    nested_ = false;
  }

  bool step_actor(std::size_t actor) {
    const std::size_t users = process_->users.size();
    return actor < users ? step_user(process_->users[actor])
                         : step_consumer(*process_->consumers[actor - users]);
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
    sqlite3_open_v2(w_.folder.file("castiel.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
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

  bool step_user(Process::User& user) {
    if (user.done) return false;
    auto stepped = try_step(user);
    if (stepped) return *stepped;
    unexpected(user.work->tenant, stepped.error());
    return false;
  }

  Result<bool> try_step(Process::User& user) {
    const TenantId tenant(user.work->tenant);
    if (!user.job) {
      bool resumes = false;
      if (!user.located) {
        CASTIEL_ASSIGN(const auto reader, process_->store->read(tenant));
        CASTIEL_ASSIGN(const auto runs, reader->import_runs(50));
        user.wave = runs.size();
        if (!runs.empty() && runs.front().status == "running") {
          --user.wave;
          resumes = true;
        }
        user.located = true;
      }
      if (user.wave == user.work->waves.size()) {
        user.done = true;
        w_.trace.note(fmt::format("{}: all imports done", user.work->tenant));
        return true;
      }
      if (!resumes) w_.clock.advance(kBetweenImports);
      sync::ImportOptions options;
      const auto& path = user.work->waves[user.wave].files.front().path;
      options.paths = {path.substr(0, path.rfind('/'))};
      options.source_map = kSourceMap;
      options.source_map_name = "sim.yaml";
      options.integration = IntegrationId(kIntegration);
      user.located = false;  // should start() fail, look again
      CASTIEL_ASSIGN(user.job,
                     sync::ImportJob::start(
                         {process_->store.get(), process_->publisher.get(), &process_->files,
                          &process_->extractor, &process_->blobs, &w_.clock, &process_->ids, kInlineBytes},
                         tenant, std::move(options)));
      user.located = true;
      if (resumes) w_.probes.hit("import resumed");
      w_.trace.note(fmt::format("{}: import {} {} as {}", user.work->tenant, user.wave,
                                resumes ? "resumed" : "started", user.job->correlation().str()));
      return true;
    }
    CASTIEL_ASSIGN(const auto progress, user.job->step());
    if (progress == sync::ImportJob::Progress::waiting) return false;
    if (progress == sync::ImportJob::Progress::more) {
      w_.trace.note(fmt::format("{}: import {} read on", user.work->tenant, user.wave));
      return true;
    }
    CASTIEL_ASSIGN(const bool finished, user.job->finish_if_idle());
    if (!finished) return false;
    w_.trace.note(fmt::format("{}: import {} done", user.work->tenant, user.wave));
    user.job.reset();
    ++user.wave;
    return true;
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
    if (!std::ranges::all_of(process_->users, &Process::User::done)) return false;
    const auto stats = process_->broker->stats();
    return stats &&
           std::ranges::all_of(*stats, [](const auto& s) { return s.ready + s.claimed + s.delayed == 0; });
  }

  std::string waiting_for() {
    std::string text;
    if (!process_) return "no process";
    for (const auto& user : process_->users) {
      if (!user.done) text += fmt::format("{} at import {}; ", user.work->tenant, user.wave);
    }
    if (const auto stats = process_->broker->stats()) {
      for (const auto& s : *stats)
        text += fmt::format("{}: {} ready, {} claimed, {} delayed; ", s.name, s.ready, s.claimed, s.delayed);
    }
    text += describe_queues(w_.folder.file("castiel.db"));
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
  return World(options).run();
}

Outcome run_and_compare(WorldOptions options) {
  options.faults = true;
  auto outcome = run_world(options);
  if (!outcome.failures.empty()) return outcome;
  options.faults = false;
  options.print = false;
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
