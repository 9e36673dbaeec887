#include "tenancy/retention.hpp"

#include <algorithm>

namespace castiel::tenancy {

Duration Retention::until_due() const {
  if (!round_.empty() || !ended_) return Duration(0);
  return std::max(Duration(0), *ended_ + options_.every - clock_->monotonic());
}

Result<bool> Retention::step() {
  if (until_due() > Duration(0)) return false;
  if (round_.empty()) {
    CASTIEL_ASSIGN(const auto view, store_->operator_view());
    CASTIEL_ASSIGN(const auto tenants, view->tenants());
    for (const auto& info : tenants) round_.push_back(info.tenant);
  }
  if (!round_.empty()) {
    const TenantId tenant = round_.back();
    const auto more = prune(tenant);
    if (more && *more) return true;
    if (!more && more.error().code != "unknown_tenant") {  // erased since the round began
      log_.warn("retention_failed",
                {{"tenant", tenant}, {"code", more.error().code}, {"message", more.error().describe()}});
    }
    if (removed_of_tenant_ > 0)
      log_.info("retention_removed", {{"tenant", tenant}, {"rows", removed_of_tenant_}});
    removed_of_tenant_ = 0;
    round_.pop_back();
  }
  if (!round_.empty()) return true;
  ended_ = clock_->monotonic();
  return false;
}

Result<bool> Retention::prune(const TenantId& tenant) {
  CASTIEL_ASSIGN(const auto settings, settings_->of(tenant));
  const Timestamp now = clock_->now();
  storage::KeptSince since;
  since.inbox = now - settings.get(settings::kRetentionInbox);
  since.flows = now - settings.get(settings::kRetentionFlows);
  since.versions = now - settings.get(settings::kRetentionVersions);
  since.dead_letters = now - settings.get(settings::kRetentionDeadLetters);
  since.quarantine = now - settings.get(settings::kRetentionQuarantine);
  CASTIEL_ASSIGN(const auto tx, store_->begin(tenant, Deadline::after(*clock_, options_.writer)));
  CASTIEL_ASSIGN(const auto removed, tx->prune(since, options_.batch_rows));
  if (removed.empty()) return false;
  CASTIEL_TRY(tx->commit());
  for (const auto& [table, rows] : removed) {
    removed_ += rows;
    removed_of_tenant_ += rows;
    if (metrics_ == nullptr) continue;
    metrics_
        ->counter({"castiel_retention_removed_rows_total",
                   "Rows removed because they were kept for long enough.",
                   {"table"}})
        .with({table})
        .add(static_cast<double>(rows));
  }
  return true;
}

}  // namespace castiel::tenancy
