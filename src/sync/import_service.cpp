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
constexpr std::size_t kLatestRuns = 1000;  // among which unfinished ones are taken up: a long one is old
}  // namespace

struct ImportService::Impl {
  ImportParts parts;
  telemetry::Log log;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::unique_ptr<ImportJob>> waiting;
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

  void work() {
    for (;;) {
      std::unique_ptr<ImportJob> job;
      {
        std::unique_lock lock(mutex);
        const auto due = [this] { return stopping || !waiting.empty(); };
        const bool paused = !postponed.empty();
        if (!paused) {
          changed.wait(lock, [&] { return due() || !postponed.empty(); });
        } else {
          changed.wait_for(lock, kPauseAfterError, due);
        }
        if (stopping) return;
        if (waiting.empty()) {
          if (postponed.empty() || !paused) continue;
          auto again = std::move(postponed.front());
          postponed.pop_front();
          lock.unlock();
          take_up(std::move(again));
          continue;
        }
        job = std::move(waiting.front());
        waiting.pop_front();
      }
      run(*job);
      std::lock_guard lock(mutex);
      std::erase_if(active, [&](const Active& a) { return a.correlation == job->correlation(); });
      changed.notify_all();
    }
  }

  void run(ImportJob& job) {
    bool all_read = false;
    while (pause(job, Duration(0))) {
      if (all_read) {
        const auto done = job.finish_if_idle();
        if (done && *done) {
          log.info("import_done", {{"tenant", job.tenant()}, {"correlationId", job.correlation()}});
          return;
        }
        if (!pause(job, done ? Duration(kIdlePoll) : Duration(kPauseAfterError))) return;
        continue;
      }
      const auto progress = job.step();
      if (!progress) {
        log.warn("import_step_failed", {{"tenant", job.tenant()},
                                        {"correlationId", job.correlation()},
                                        {"code", progress.error().code},
                                        {"message", progress.error().describe()}});
        if (progress.error().cls == ErrorClass::permanent) {
          (void)job.fail(progress.error());
          return;
        }
        if (!pause(job, kPauseAfterError)) return;
      } else if (*progress == ImportJob::Progress::waiting) {
        if (!pause(job, kIdlePoll)) return;
      } else if (*progress == ImportJob::Progress::all_read) {
        all_read = true;
      }
    }
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
    if (waiting.size() >= static_cast<std::size_t>(kMaxWaiting)) {
      return transient("too_many_imports", "too many imports are waiting: try again when some are done");
    }
    active.push_back({id, job->tenant()});
    waiting.push_back(std::move(job));
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
  for (const auto& run : runs) {
    if (run.status != "running") continue;
    auto options = options_of(run);
    if (!options) continue;
    impl_->take_up({tenant, run.correlation, std::move(*options)});
  }
  return {};
}

void ImportService::drop(const TenantId& tenant) {
  std::unique_lock lock(impl_->mutex);
  std::erase_if(impl_->postponed, [&](const auto& run) { return run.tenant == tenant; });
  std::erase_if(impl_->waiting, [&](const auto& job) {
    if (job->tenant() != tenant) return false;
    std::erase_if(impl_->active, [&](const auto& a) { return a.correlation == job->correlation(); });
    return true;
  });
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
