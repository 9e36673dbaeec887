#include "tenancy/blob_sweep.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace castiel::tenancy {

namespace {

// Where a tenant's last sweep is kept; no integration has such a name.
constexpr std::string_view kOwner = ".retention", kCursor = "blobs_swept";

}  // namespace

Duration BlobSweep::until_due() const {
  if (!round_.empty() || !ended_) return Duration(0);
  return std::max(Duration(0), *ended_ + options_.look_every - clock_->monotonic());
}

Result<bool> BlobSweep::step() {
  if (until_due() > Duration(0)) return false;
  if (round_.empty()) {
    CASTIEL_ASSIGN(const auto view, store_->operator_view());
    CASTIEL_ASSIGN(const auto tenants, view->tenants());
    for (const auto& info : tenants) round_.push_back(info.tenant);
  }
  bool swept = false;
  while (!round_.empty() && !swept) {
    const TenantId tenant = round_.back();
    round_.pop_back();
    const auto due = is_due(tenant);
    auto done = due ? Result<>() : std::unexpected(due.error());
    if (due && *due) {
      swept = true;
      done = sweep(tenant);
    }
    if (!done && done.error().code != "unknown_tenant")  // erased since the round began
      log_.warn("blob_sweep_failed",
                {{"tenant", tenant}, {"code", done.error().code}, {"message", done.error().describe()}});
  }
  if (!round_.empty()) return true;
  ended_ = clock_->monotonic();
  return false;
}

Result<bool> BlobSweep::is_due(const TenantId& tenant) const {
  CASTIEL_ASSIGN(const auto reader, store_->read(tenant));
  CASTIEL_ASSIGN(const auto last, reader->cursor(kOwner, kCursor));
  if (!last) return true;
  const auto at = parse_timestamp(*last);
  return !at || clock_->now() - *at >= options_.every;
}

// The candidates come first: whatever refers to one of them later found it in a row that the marks were read
// from, or put it anew, which makes it young.
Result<> BlobSweep::sweep(const TenantId& tenant) {
  CASTIEL_ASSIGN(const auto settings, settings_->of(tenant));
  Timestamp unused_since = clock_->now() - settings.get(settings::kRetentionBlobs);
  std::unordered_map<std::string, storage::BlobInfo> orphans;
  CASTIEL_TRY(blobs_->each(tenant, [&](const storage::BlobInfo& info) -> Result<> {
    if (info.last_use <= unused_since) orphans.emplace(info.sha256, info);
    return {};
  }));
  std::int64_t blobs = 0, bytes = 0;
  if (!orphans.empty()) {
    CASTIEL_ASSIGN(const Timestamp quiet_since,
                   references_->each_blob_reference(
                       tenant, [&](std::string_view sha256) { orphans.erase(std::string(sha256)); }));
    unused_since = std::min(unused_since, quiet_since - kBlobMargin);
    for (const auto& [sha256, info] : orphans) {
      if (info.last_use > unused_since) continue;
      CASTIEL_ASSIGN(const bool removed, blobs_->remove(tenant, sha256, unused_since));
      if (!removed) continue;
      ++blobs;
      bytes += static_cast<std::int64_t>(info.size);
    }
  }
  removed_ += blobs;
  if (blobs > 0)
    log_.info("orphaned_blobs_removed", {{"tenant", tenant}, {"blobs", blobs}, {"bytes", bytes}});
  if (metrics_ != nullptr && blobs > 0) {
    metrics_->counter({"castiel_blobs_removed_total", "Blobs removed because nothing refers to them.", {}})
        .with()
        .add(static_cast<double>(blobs));
  }
  return note_swept(tenant);
}

Result<> BlobSweep::note_swept(const TenantId& tenant) {
  CASTIEL_ASSIGN(const auto tx, store_->begin(tenant, Deadline::after(*clock_, options_.writer)));
  CASTIEL_TRY(tx->put_cursor(kOwner, kCursor, to_string(clock_->now())));
  return tx->commit();
}

}  // namespace castiel::tenancy
