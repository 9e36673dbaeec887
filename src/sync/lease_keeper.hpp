#pragma once
// Renews the leases of imports while their reader is busy with one long step: a file may take a minute to
// parse, longer than a lease lasts. A thread of its own; any thread may call.

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "sync/import_job.hpp"
#include "telemetry/log.hpp"

namespace castiel::sync {

class LeaseKeeper {
 public:
  LeaseKeeper(ImportParts parts, telemetry::Log log);
  ~LeaseKeeper();

  void keep(const TenantId& tenant, const CorrelationId& correlation);
  void forget(const CorrelationId& correlation);

 private:
  void run(const std::stop_token& stop);
  void renew(const TenantId& tenant, const CorrelationId& correlation);

  ImportParts parts_;
  telemetry::Log log_;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::map<CorrelationId, TenantId> kept_;
  std::jthread thread_;
};

}  // namespace castiel::sync
