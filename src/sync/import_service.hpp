#pragma once
// Runs imports in the background of a server: a bounded number is read at a time, each on a thread of its
// own. Of several processes with such a service each run is read by one: whoever has room takes up runs that
// nobody has, be it that they wait or that their process died. Any thread may call.

#include <memory>

#include "sync/import_job.hpp"
#include "telemetry/log.hpp"

namespace castiel::sync {

class ImportService {
 public:
  static constexpr int kMaxRunning = 2;
  static constexpr int kMaxWaiting = 32;

  // Looks for runs nobody has from now on, every third of `parts.lease_term`.
  ImportService(ImportParts parts, telemetry::Log log);
  ~ImportService();  // stops reading at the next page; another process, or the next start, goes on

  // Returns at once. Errors: as ImportJob::start; too_many_imports (transient).
  Result<CorrelationId> start(TenantId tenant, ImportOptions options);
  // Ends the tenant's imports where they are and returns when none runs here any more; they stay unfinished.
  void drop(const TenantId& tenant);
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::sync
