#pragma once
// Runs imports in the background of a server: a bounded number at a time, those that were interrupted first,
// resumed after a restart. Any thread may call.

#include <memory>

#include "sync/import_job.hpp"
#include "telemetry/log.hpp"

namespace castiel::sync {

// The options a run was started with; nothing when they cannot be read.
std::optional<ImportOptions> options_of(const storage::ImportRun& run);

class ImportService {
 public:
  static constexpr int kMaxRunning = 2;
  static constexpr int kMaxWaiting = 32;

  ImportService(ImportParts parts, telemetry::Log log);
  ~ImportService();  // stops reading at the next page; the run goes on at the next start

  // Returns at once. Errors: as ImportJob::start; too_many_imports (transient).
  Result<CorrelationId> start(TenantId tenant, ImportOptions options);
  // Takes up the runs an earlier process left unfinished.
  Result<> resume(const TenantId& tenant);
  // Ends the tenant's imports where they are and returns when none runs any more; they stay unfinished.
  void drop(const TenantId& tenant);
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::sync
