#pragma once
// Retention: what a tenant's settings say is kept for a time only, removed once it is older (FLOW-13,
// TENANT-4). Owned by the composition root. step() from one thread; blocks on the store, in bounded pieces.

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/settings.hpp"
#include "storage/store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace castiel::tenancy {

class Retention {
 public:
  struct Options {
    Duration every = std::chrono::hours(1);  // between two rounds over all tenants
    std::int64_t batch_rows = 1'000;         // of a table in one transaction, at most
    Duration writer = std::chrono::seconds(10);
  };
  // All outlive this object; `metrics` may be nothing.
  Retention(storage::Store& store, const SettingsView& settings, const Clock& clock, telemetry::Log log,
            telemetry::Metrics* metrics, Options options)
      : store_(&store),
        settings_(&settings),
        clock_(&clock),
        log_(std::move(log)),
        metrics_(metrics),
        options_(options) {}

  // Does one piece: one transaction of one tenant. True when there may be more to do now; false when the
  // round is done, and until the next one is due. What one tenant's store or settings refuse is logged and
  // tried again in the next round. Error: the tenants cannot be listed.
  Result<bool> step();
  // How long until the next round is due; 0 within one.
  Duration until_due() const;
  // Rows removed so far.
  std::int64_t removed() const { return removed_; }

 private:
  Result<bool> prune(const TenantId& tenant);

  storage::Store* store_;
  const SettingsView* settings_;
  const Clock* clock_;
  telemetry::Log log_;
  telemetry::Metrics* metrics_;
  const Options options_;
  std::vector<TenantId> round_;    // tenants left of the present round
  std::optional<Duration> ended_;  // the last round, on the monotonic clock
  std::int64_t removed_ = 0, removed_of_tenant_ = 0;
};

}  // namespace castiel::tenancy
