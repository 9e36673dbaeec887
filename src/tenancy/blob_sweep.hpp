#pragma once
// Removal of orphaned blobs: what nothing of a tenant refers to any more (FLOW-7, TENANT-4). Mark and sweep,
// once a day for each tenant, whichever process comes first. Owned by the composition root. step() from one
// thread; blocks on store and blob store while it reads all that a tenant has.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/settings.hpp"
#include "storage/blob_references.hpp"
#include "storage/blobs.hpp"
#include "storage/store.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace castiel::tenancy {

// A blob is put before what refers to it commits, and by another clock than that of its store.
inline constexpr Duration kBlobMargin = std::chrono::hours(1);

class BlobSweep {
 public:
  struct Options {
    Duration every = std::chrono::hours(24);      // between two sweeps of a tenant
    Duration look_every = std::chrono::hours(1);  // for tenants that are due
    Duration writer = std::chrono::seconds(10);
  };
  // All outlive this object; `metrics` may be nothing.
  BlobSweep(storage::Store& store, storage::BlobReferences& references, storage::Blobs& blobs,
            const SettingsView& settings, const Clock& clock, telemetry::Log log, telemetry::Metrics* metrics,
            Options options)
      : store_(&store),
        references_(&references),
        blobs_(&blobs),
        settings_(&settings),
        clock_(&clock),
        log_(std::move(log)),
        metrics_(metrics),
        options_(options) {}

  // Sweeps one tenant, if one is due. True when there may be more to do now. What store and blob store refuse
  // of one tenant is logged and tried again in the next round. Error: the tenants cannot be listed.
  Result<bool> step();
  // How long until the next round is due; 0 within one.
  Duration until_due() const;
  std::int64_t removed() const { return removed_; }

 private:
  Result<bool> is_due(const TenantId& tenant) const;
  Result<> sweep(const TenantId& tenant);
  Result<> note_swept(const TenantId& tenant);

  storage::Store* store_;
  storage::BlobReferences* references_;
  storage::Blobs* blobs_;
  const SettingsView* settings_;
  const Clock* clock_;
  telemetry::Log log_;
  telemetry::Metrics* metrics_;
  const Options options_;
  std::vector<TenantId> round_;    // tenants left of the present round
  std::optional<Duration> ended_;  // the last round, on the monotonic clock
  std::int64_t removed_ = 0;
};

}  // namespace castiel::tenancy
