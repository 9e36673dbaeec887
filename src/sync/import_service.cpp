#include "sync/import_service.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "sync/lease_keeper.hpp"

namespace castiel::sync {

namespace {
constexpr auto kIdlePoll = std::chrono::milliseconds(50);  // between looks whether the flow is idle
constexpr auto kPauseAfterError =
    std::chrono::seconds(2);  // transient errors are tried again for as long as the server runs
constexpr Duration kRefusedPause = std::chrono::minutes(1);  // before a run that could not be taken up
constexpr std::size_t kLookedAt = 100;                       // unfinished runs, oldest first
constexpr std::size_t kMostActive = ImportService::kMaxRunning + ImportService::kMaxWaiting;
}  // namespace

struct ImportService::Impl {
  Impl(ImportParts p, telemetry::Log l) : parts(std::move(p)), log(std::move(l)), keeper(parts, log) {}

  ImportParts parts;
  telemetry::Log log;
  LeaseKeeper keeper;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::unique_ptr<ImportJob>> ready;  // to be read
  // All is read. They hold no reading thread: what the stages do with one import may wait until another of
  // the tenant is read, where a part of that was published before its process died.
  std::deque<std::unique_ptr<ImportJob>> finishing;
  int reading = 0;
  struct Active {
    CorrelationId correlation;
    TenantId tenant;
    bool dropped = false;
  };
  std::vector<Active> active;                 // all of these
  std::map<CorrelationId, Duration> put_off;  // runs that could not be taken up here, until then (monotonic)
  bool look_now = true;
  bool stopping = false;
  std::string last_trouble;  // of looking around
  std::vector<std::jthread> threads;

  bool has_room() const {
    return ready.size() + static_cast<std::size_t>(reading) < static_cast<std::size_t>(kMaxRunning) &&
           active.size() < kMostActive;
  }
  bool is_active(const CorrelationId& id) const {
    return std::ranges::find(active, id, &Active::correlation) != active.end();
  }

  // False when the job has to end.
  bool pause(const ImportJob& job, Duration d) {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, d, [&] {
      const auto it = std::ranges::find(active, job.correlation(), &Active::correlation);
      return stopping || it == active.end() || it->dropped;
    });
  }

  // Of a reading thread.
  void read() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stopping || !ready.empty(); });
      if (stopping) return;
      auto job = std::move(ready.front());
      ready.pop_front();
      ++reading;
      lock.unlock();
      const bool all_read = read_all(*job);
      lock.lock();
      --reading;
      look_now = true;  // there is room
      if (all_read) {
        finishing.push_back(std::move(job));
        changed.notify_all();
      } else {
        leave(lock, *job);
      }
    }
  }

  // Looks in turn whether the stages are done with what was read.
  void finish() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stopping || !finishing.empty(); });
      if (stopping) return;
      auto jobs = std::exchange(finishing, {});
      lock.unlock();
      std::vector<std::unique_ptr<ImportJob>> over;
      Duration wait = kIdlePoll;
      for (auto& job : jobs) {
        if (pause(*job, Duration(0))) {
          const auto done = job->finish_if_idle();
          if (!done) wait = kPauseAfterError;
          if (!done || (!*done && job->held())) continue;
          if (*done)
            log.info("import_done", {{"tenant", job->tenant()}, {"correlationId", job->correlation()}});
          else
            lost(*job);
        }
        over.push_back(std::move(job));
      }
      lock.lock();
      for (auto& job : jobs) {
        if (job != nullptr) finishing.push_back(std::move(job));
      }
      for (const auto& job : over) leave(lock, *job);
      changed.wait_for(lock, wait, [this] { return stopping; });
    }
  }

  // With the lock, which is given up meanwhile. What is not finished is anybody's at once.
  void leave(std::unique_lock<std::mutex>& lock, ImportJob& job) {
    lock.unlock();
    keeper.forget(job.correlation());
    if (auto given = job.give_back(); !given)
      log.warn("import_lease_kept", {{"correlationId", job.correlation()}, {"code", given.error().code}});
    lock.lock();
    std::erase_if(active, [&](const Active& a) { return a.correlation == job.correlation(); });
    look_now = true;
    changed.notify_all();
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
      } else if (*progress == ImportJob::Progress::elsewhere) {
        lost(job);
        return false;
      } else if (*progress == ImportJob::Progress::waiting) {
        if (!pause(job, kIdlePoll)) return false;
      } else if (*progress == ImportJob::Progress::all_read) {
        return true;
      }
    }
    return false;
  }

  void lost(const ImportJob& job) {
    log.warn("import_taken_over", {{"tenant", job.tenant()}, {"correlationId", job.correlation()}});
  }

  // Takes up what nobody has, as long as there is room.
  void look_around() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      changed.wait_for(lock, parts.lease_term / 3, [this] { return stopping || look_now; });
      look_now = false;
      if (stopping || !has_room()) continue;
      lock.unlock();
      auto found = unowned();
      for (const auto& one : found) {
        if (!take_up(one)) break;
      }
      lock.lock();
    }
  }

  std::vector<storage::TenantImport> unowned() {
    const auto found = [&]() -> Result<std::vector<storage::TenantImport>> {
      CASTIEL_ASSIGN(const auto view, parts.store->operator_view());
      return view->imports_for(parts.owner, kLookedAt);
    }();
    const std::string trouble = found ? "" : found.error().code;
    if (trouble != last_trouble && !found)
      log.warn("imports_not_looked_for", {{"code", trouble}, {"message", found.error().describe()}});
    last_trouble = trouble;
    if (!found) return {};
    std::lock_guard lock(mutex);
    std::erase_if(put_off, [&](const auto& entry) { return entry.second <= parts.clock->monotonic(); });
    auto left = *found;
    std::erase_if(left, [&](const auto& one) {
      return is_active(one.run.correlation) || put_off.contains(one.run.correlation);
    });
    return left;
  }

  // False when there is no room for more.
  bool take_up(const storage::TenantImport& found) {
    {
      std::lock_guard lock(mutex);
      if (stopping || !has_room()) return false;
      if (is_active(found.run.correlation)) return true;
    }
    auto job = ImportJob::take_up(parts, found);
    if (!job) {
      if (job.error().code == "not_found" || job.error().code == "unknown_tenant") return true;  // over
      log.warn("import_not_resumed", {{"tenant", found.tenant},
                                      {"correlationId", found.run.correlation},
                                      {"code", job.error().code},
                                      {"message", job.error().describe()}});
      std::lock_guard lock(mutex);
      put_off[found.run.correlation] = parts.clock->monotonic() + kRefusedPause;
      return true;
    }
    if (!(*job)->held()) return true;
    log.info("import_resumed", {{"tenant", found.tenant}, {"correlationId", found.run.correlation}});
    std::lock_guard lock(mutex);
    add(std::move(*job));
    return true;
  }

  // Under mutex.
  void add(std::unique_ptr<ImportJob> job) {
    if (is_active(job->correlation())) return;  // the same paths are being imported already
    keeper.keep(job->tenant(), job->correlation());
    active.push_back({job->correlation(), job->tenant()});
    ready.push_back(std::move(job));
    changed.notify_all();
  }
};

ImportService::ImportService(ImportParts parts, telemetry::Log log)
    : impl_(std::make_unique<Impl>(std::move(parts), std::move(log))) {
  for (int i = 0; i < kMaxRunning; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->read(); });
  impl_->threads.emplace_back([impl = impl_.get()] { impl->finish(); });
  impl_->threads.emplace_back([impl = impl_.get()] { impl->look_around(); });
}

ImportService::~ImportService() {
  stop();
}

Result<CorrelationId> ImportService::start(TenantId tenant, ImportOptions options) {
  auto& impl = *impl_;
  if (impl.unowned().size() >= static_cast<std::size_t>(kMaxWaiting))
    return transient("too_many_imports", "too many imports are waiting: try again when some are done");
  CASTIEL_ASSIGN(auto job, ImportJob::start(impl.parts, std::move(tenant), std::move(options)));
  auto id = job->correlation();
  if (!job->held()) return id;  // another process reads it
  {
    std::lock_guard lock(impl.mutex);
    if (impl.is_active(id)) return id;
    if (impl.has_room() && !impl.stopping) {
      impl.add(std::move(job));
      return id;
    }
  }
  // It waits for whoever has room first.
  CASTIEL_TRY(job->give_back());
  return id;
}

void ImportService::drop(const TenantId& tenant) {
  std::unique_lock lock(impl_->mutex);
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
  std::unique_lock lock(impl_->mutex);
  for (auto* jobs : {&impl_->ready, &impl_->finishing}) {
    for (const auto& job : std::exchange(*jobs, {})) impl_->leave(lock, *job);
  }
}

}  // namespace castiel::sync
