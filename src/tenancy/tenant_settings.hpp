#pragma once
// Settings of tenants: what the store keeps for each, over the program's values (FLOW-13, TENANT-3). One
// object for the program, made by app/. Threads: all calls may come from any thread; they block on the store.

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/settings.hpp"
#include "storage/cache.hpp"
#include "storage/store.hpp"

namespace castiel::tenancy {

// One setting as a tenant has it.
struct TenantSetting {
  const SettingSpec* spec;  // of the table, lives as long as the program
  std::string value;        // in force, canonical notation
  SettingOrigin origin;
  std::string refused;  // what the store has for it but the table no longer allows; usually empty
};

class TenantSettings final : public SettingsView {
 public:
  struct Options {
    Duration reread = std::chrono::seconds(5);  // a change made elsewhere is seen after this at the latest
    Duration writer = std::chrono::seconds(5);  // wait for the store's writer, at most
    std::size_t cached_tenants = 1'000;
    // Set: what the store has is asked for by way of this cache, every `reread`, and kept there for `kept`;
    // it outlives this object. A change made through any object that shares the cache is seen by the others
    // after their `reread`, one made otherwise after `kept`.
    storage::Cache* cache = nullptr;
    Duration kept = std::chrono::minutes(10);
    Duration kept_stale = std::chrono::hours(1);  // shown for so much longer while the store fails
  };

  // `store` and `clock` outlive this object.
  TenantSettings(storage::Store& store, const Clock& clock, SettingValues global, Options options);
  TenantSettings(storage::Store& store, const Clock& clock, SettingValues global)
      : TenantSettings(store, clock, std::move(global), Options()) {}

  // While the store fails, the values last seen go on; without any, its error is returned. A stored value
  // that is not allowed any more is left out, as if it had not been set: see list().
  Result<SettingValues> of(const TenantId& tenant) const override;

  // Sets all or none, durably and in force for every later of(); each change is in the tenant's audit. What
  // already has the value is not written again. Errors: unknown_setting, global_setting (not a tenant's to
  // set) and invalid_setting, or invalid_settings with a line for each when several are wrong;
  // unknown_tenant; the store's.
  Result<> set(const TenantId& tenant, std::span<const std::pair<std::string, std::string>> changes,
               std::string_view actor);
  Result<> set(const TenantId& tenant, std::string_view key, std::string_view value, std::string_view actor);

  // Reads the settings of up to `cached_tenants` tenants, so that the first work of each need not wait.
  Result<> warm() const;

  // Drops what is remembered of an erased tenant, in the cache too, so that one made anew under its name
  // starts with defaults.
  void forget(const TenantId& tenant);

  // All settings a tenant may have its own value of, in the table's order, read from the store now.
  // Errors: unknown_tenant, the store's.
  Result<std::vector<TenantSetting>> list(const TenantId& tenant) const;

 private:
  struct Cached {
    SettingValues values;
    Duration read_at{0};  // monotonic
  };
  Result<SettingValues> read(const TenantId& tenant) const;
  Result<std::string> read_text(const TenantId& tenant) const;
  void remember(const TenantId& tenant, SettingValues values, std::uint64_t generation) const;

  storage::Store& store_;
  const Clock& clock_;
  const SettingValues global_;
  const Options options_;
  mutable std::mutex mutex_;
  mutable std::map<TenantId, Cached> cache_;  // under mutex_
  mutable std::uint64_t generation_ = 0;      // under mutex_; grows with each set
};

}  // namespace castiel::tenancy
