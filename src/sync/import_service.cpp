#include "sync/import_service.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace castiel::sync {

namespace {
constexpr auto kIdlePoll = std::chrono::milliseconds(50);  // between looks whether the flow is idle
constexpr auto kPauseAfterError =
    std::chrono::seconds(2);               // transient errors are tried again for as long as the server runs
constexpr int kLooksBetween = 40;          // at unfinished imports, between two tries of a postponed one
constexpr std::size_t kLatestRuns = 1000;  // among which unfinished ones are taken up: a long one is old
}  // namespace

struct ImportService::Impl {
  ImportParts parts;
  telemetry::Log log;
  std::mutex mutex;
  std::condition_variable changed;
  // In the order in which they are looked after. What stages after the reading do for one import may wait
  // until another of the tenant is read, if a part of it was published: so no thread waits for the stages
  // while there is one to go on with, and only new ones wait for those that are under way.
  std::deque<std::unique_ptr<ImportJob>> interrupted;  // a part was published by an earlier process
  std::deque<std::unique_ptr<ImportJob>> waiting;      // nothing was published
  std::deque<std::unique_ptr<ImportJob>> finishing;    // all is read
  int reading = 0, looks = 0;
  struct Active {
    CorrelationId correlation;
    TenantId tenant;
    bool dropped = false;
  };
  std::vector<Active> active;  // waiting or running
  // Runs of an earlier process that could not be taken up yet: their files cannot be listed, the store is
  // busy. Tried again between other imports.
  struct Postponed {
    TenantId tenant;
    CorrelationId correlation;
    ImportOptions options;
  };
  std::deque<Postponed> postponed;
  std::vector<std::jthread> threads;
  bool stopping = false;

  // False when the job has to end.
  bool pause(const ImportJob& job, Duration d) {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, d, [&] {
      const auto it = std::ranges::find(active, job.correlation(), &Active::correlation);
      return stopping || it == active.end() || it->dropped;
    });
  }

  bool may_begin() const {
    return !waiting.empty() && reading + static_cast<int>(finishing.size()) < kMaxRunning;
  }

  static std::unique_ptr<ImportJob> front_of(std::deque<std::unique_ptr<ImportJob>>& jobs) {
    auto job = std::move(jobs.front());
    jobs.pop_front();
    return job;
  }

  void work() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      if (!interrupted.empty() || may_begin()) {
        read(lock, front_of(interrupted.empty() ? waiting : interrupted));
      } else if (!postponed.empty() && (finishing.empty() || ++looks % kLooksBetween == 0)) {
        if (finishing.empty())
          changed.wait_for(lock, kPauseAfterError,
                           [&] { return stopping || !interrupted.empty() || may_begin(); });
        if (stopping || postponed.empty()) continue;
        auto again = std::move(postponed.front());
        postponed.pop_front();
        lock.unlock();
        take_up(std::move(again));
        lock.lock();
      } else if (!finishing.empty()) {
        const auto pause = look(lock, front_of(finishing));
        changed.wait_for(lock, pause, [&] { return stopping || !interrupted.empty() || may_begin(); });
      } else {
        changed.wait(lock, [&] {
          return stopping || !interrupted.empty() || may_begin() || !finishing.empty() || !postponed.empty();
        });
      }
    }
  }

  // With the lock, which is given up meanwhile.
  void read(std::unique_lock<std::mutex>& lock, std::unique_ptr<ImportJob> job) {
    ++reading;
    lock.unlock();
    const bool all_read = read_all(*job);
    lock.lock();
    --reading;
    if (all_read) {
      finishing.push_back(std::move(job));
    } else {
      forget(*job);
    }
    changed.notify_all();
  }

  // Whether it is done by now; with the lock, which is given up meanwhile. Gives how long to wait before the
  // next.
  Duration look(std::unique_lock<std::mutex>& lock, std::unique_ptr<ImportJob> job) {
    ++reading;  // it counts as under way also while it is in no queue
    lock.unlock();
    const bool wanted = pause(*job, Duration(0));
    const auto done = wanted ? job->finish_if_idle() : Result<bool>(false);
    if (done && *done)
      log.info("import_done", {{"tenant", job->tenant()}, {"correlationId", job->correlation()}});
    lock.lock();
    --reading;
    if (!wanted || (done && *done)) {
      forget(*job);
      changed.notify_all();
      return Duration(0);
    }
    finishing.push_back(std::move(job));
    return done ? Duration(kIdlePoll) : Duration(kPauseAfterError);
  }

  void forget(const ImportJob& job) {
    std::erase_if(active, [&](const Active& a) { return a.correlation == job.correlation(); });
  }

  // False when it has to end before.
  bool read_all(ImportJob& job) {
    while (pause(job, Duration(0))) {
      const auto progress = job.step();
      if (!progress) {
        log.warn("import_step_failed", {{"tenant", job.tenant()},
                                        {"correlationId", job.correlation()},
                                        {"code", progress.error().code},
                                        {"message", progress.error().describe()}});
        if (progress.error().cls == ErrorClass::permanent) {
          (void)job.fail(progress.error());
          return false;
        }
        if (!pause(job, kPauseAfterError)) return false;
      } else if (*progress == ImportJob::Progress::waiting) {
        if (!pause(job, kIdlePoll)) return false;
      } else if (*progress == ImportJob::Progress::all_read) {
        return true;
      }
    }
    return false;
  }

  void take_up(Postponed run) {
    auto job = ImportJob::start(parts, run.tenant, run.options);
    const auto started = job ? enqueue(std::move(*job)) : std::unexpected(job.error());
    if (started) {
      log.info("import_resumed", {{"tenant", run.tenant}, {"correlationId", *started}});
      return;
    }
    log.warn("import_not_resumed", {{"tenant", run.tenant},
                                    {"correlationId", run.correlation},
                                    {"code", started.error().code},
                                    {"message", started.error().describe()}});
    if (started.error().cls == ErrorClass::permanent || started.error().code == "unknown_tenant") return;
    std::lock_guard lock(mutex);
    postponed.push_back(std::move(run));
    changed.notify_all();
  }

  Result<CorrelationId> enqueue(std::unique_ptr<ImportJob> job) {
    std::lock_guard lock(mutex);
    const auto id = job->correlation();
    if (std::ranges::find(active, id, &Active::correlation) != active.end())
      return id;  // the same paths are being imported already
    if (!job->taken_up() && waiting.size() >= static_cast<std::size_t>(kMaxWaiting)) {
      return transient("too_many_imports", "too many imports are waiting: try again when some are done");
    }
    active.push_back({id, job->tenant()});
    (job->taken_up() ? interrupted : waiting).push_back(std::move(job));
    changed.notify_all();
    return id;
  }
};

ImportService::ImportService(ImportParts parts, telemetry::Log log) : impl_(std::make_unique<Impl>()) {
  impl_->parts = parts;
  impl_->log = std::move(log);
  for (int i = 0; i < kMaxRunning; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->work(); });
}

ImportService::~ImportService() {
  stop();
}

Result<CorrelationId> ImportService::start(TenantId tenant, ImportOptions options) {
  CASTIEL_ASSIGN(auto job, ImportJob::start(impl_->parts, std::move(tenant), std::move(options)));
  return impl_->enqueue(std::move(job));
}

std::optional<ImportOptions> options_of(const storage::ImportRun& run) {
  const auto detail = parse_json(run.detail);
  if (!detail || !detail->is_object()) return std::nullopt;
  const auto& o = detail->get_object();
  ImportOptions options;
  if (const auto* paths = get_array(o, "paths")) {
    for (const auto& path : *paths) {
      if (path.is_string()) options.paths.emplace_back(path.get_string());
    }
  }
  options.source_map = string_or(o, "sourceMap");
  options.source_map_name = string_or(o, "sourceMapName");
  options.again = bool_or(o, "again", false);
  options.time_zone = string_or(o, "timeZone", "UTC");
  options.default_currency = string_or(o, "defaultCurrency");
  options.page_records =
      static_cast<std::size_t>(int_or(o, "pageRecords", static_cast<std::int64_t>(connectors::kPageRecords)));
  options.page_bytes =
      static_cast<std::size_t>(int_or(o, "pageBytes", static_cast<std::int64_t>(connectors::kPageBytes)));
  if (const auto integration = string_or(o, "integration"); !integration.empty())
    options.integration = IntegrationId(integration);
  return options;
}

Result<> ImportService::resume(const TenantId& tenant) {
  CASTIEL_ASSIGN(const auto reader, impl_->parts.store->read(tenant));
  CASTIEL_ASSIGN(const auto runs, reader->import_runs(kLatestRuns));
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {  // oldest first
    if (run->status != "running") continue;
    auto options = options_of(*run);
    if (!options) continue;
    impl_->take_up({tenant, run->correlation, std::move(*options)});
  }
  return {};
}

void ImportService::drop(const TenantId& tenant) {
  std::unique_lock lock(impl_->mutex);
  std::erase_if(impl_->postponed, [&](const auto& run) { return run.tenant == tenant; });
  for (auto* jobs : {&impl_->interrupted, &impl_->waiting, &impl_->finishing}) {
    std::erase_if(*jobs, [&](const auto& job) {
      if (job->tenant() != tenant) return false;
      impl_->forget(*job);
      return true;
    });
  }
  for (auto& a : impl_->active) a.dropped = a.dropped || a.tenant == tenant;
  impl_->changed.notify_all();
  impl_->changed.wait(lock, [&] {
    return impl_->stopping || std::ranges::none_of(impl_->active, [&](const auto& a) {
             return a.dropped && a.tenant == tenant;
           });
  });
}

void ImportService::stop() {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return;
    impl_->stopping = true;
    impl_->changed.notify_all();
  }
  impl_->threads.clear();
}

}  // namespace castiel::sync
