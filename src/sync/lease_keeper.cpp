#include "sync/lease_keeper.hpp"

namespace castiel::sync {

namespace {
constexpr Duration kWriteDeadline = std::chrono::seconds(5);
}

LeaseKeeper::LeaseKeeper(ImportParts parts, telemetry::Log log)
    : parts_(std::move(parts)), log_(std::move(log)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

LeaseKeeper::~LeaseKeeper() {
  thread_.request_stop();
  thread_.join();
}

void LeaseKeeper::keep(const TenantId& tenant, const CorrelationId& correlation) {
  std::lock_guard lock(mutex_);
  kept_.emplace(correlation, tenant);
}

void LeaseKeeper::forget(const CorrelationId& correlation) {
  std::lock_guard lock(mutex_);
  kept_.erase(correlation);
}

void LeaseKeeper::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, stop, parts_.lease_term / 3, [&] { return stop.stop_requested(); })) {
    const auto kept = kept_;
    lock.unlock();
    for (const auto& [correlation, tenant] : kept) renew(tenant, correlation);
    lock.lock();
  }
}

// Only what is still the process's own: a lease that changed hands is the new owner's, and the reader finds
// out when it writes.
void LeaseKeeper::renew(const TenantId& tenant, const CorrelationId& correlation) {
  const auto renewed = [&]() -> Result<> {
    CASTIEL_ASSIGN(auto tx, parts_.store->begin(tenant, Deadline::after(*parts_.clock, kWriteDeadline)));
    CASTIEL_TRY(tx->take_lease(storage::import_lease(correlation), parts_.owner, parts_.lease_term));
    {
      std::lock_guard lock(mutex_);
      if (!kept_.contains(correlation)) return {};  // it ended meanwhile
    }
    return tx->commit();
  }();
  if (!renewed)
    log_.warn("import_lease_not_renewed", {{"tenant", tenant},
                                           {"correlationId", correlation},
                                           {"code", renewed.error().code},
                                           {"message", renewed.error().describe()}});
}

}  // namespace castiel::sync
