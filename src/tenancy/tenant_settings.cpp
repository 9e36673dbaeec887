#include "tenancy/tenant_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ranges>
#include <utility>

#include "base/json.hpp"

namespace castiel::tenancy {
namespace {

using Stored = std::vector<std::pair<std::string, std::string>>;

// A key the table does not have, or not for tenants, was written by another version of the program.
const SettingSpec* tenant_spec(std::string_view key) {
  const SettingSpec* spec = find_setting(key);
  return spec && spec->scope == SettingScope::tenant ? spec : nullptr;
}

SettingValues over(SettingValues values, const Stored& stored) {
  for (const auto& [key, text] : stored) {
    const SettingSpec* spec = tenant_spec(key);
    if (!spec) continue;
    if (auto value = parse_setting(*spec, text))
      values = values.with(*spec, *std::move(value), SettingOrigin::tenant);
  }
  return values;
}

constexpr std::string_view kCacheKey = "settings";

std::string to_text(const Stored& stored) {
  json::array rows;
  for (const auto& [key, value] : stored) rows.push_back(json::array{key, value});
  return json::serialize(rows);
}

Result<Stored> from_text(std::string_view text) {
  CASTIEL_ASSIGN(const auto value, parse_json(text));
  Stored stored;
  const auto* rows = value.if_array();
  if (rows == nullptr) return transient("cache_damaged", "the cached settings are none");
  for (const auto& row : *rows) {
    const auto* pair = row.if_array();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_string())
      return transient("cache_damaged", "the cached settings are none");
    stored.emplace_back((*pair)[0].as_string(), (*pair)[1].as_string());
  }
  return stored;
}

// Around a change: the cache knows before the commit that there may be one, and after it that there was.
class Announced {
 public:
  Announced(storage::Cache* cache, const TenantId& tenant) : cache_(cache), tenant_(tenant) {
    if (cache_ != nullptr) cache_->about_to_change(tenant_, kCacheKey);
  }
  Announced(const Announced&) = delete;
  Announced& operator=(const Announced&) = delete;
  ~Announced() {
    if (cache_ != nullptr) cache_->remove(tenant_, kCacheKey);
  }

 private:
  storage::Cache* cache_;
  const TenantId& tenant_;
};

struct Change {
  const SettingSpec* spec;
  SettingValue value;
};

Result<Change> check(std::string_view key, std::string_view text) {
  const SettingSpec* spec = find_setting(key);
  if (!spec) return std::unexpected(unknown_setting(key));
  if (spec->scope != SettingScope::tenant)
    return permanent("global_setting",
                     fmt::format("{} is a setting of the program, not of a tenant: set it in "
                                 "castiel.yaml or as {}, then restart",
                                 spec->key, environment_name(spec->key)));
  CASTIEL_ASSIGN(SettingValue value, parse_setting(*spec, text));
  return Change{spec, std::move(value)};
}

Result<std::vector<Change>> check_all(std::span<const std::pair<std::string, std::string>> changes) {
  std::vector<Change> good;
  std::vector<Error> errors;
  for (const auto& [key, text] : changes) {
    auto change = check(key, text);
    if (change)
      good.push_back(*std::move(change));
    else
      errors.push_back(std::move(change.error()));
  }
  if (errors.empty()) return good;
  if (errors.size() == 1) return std::unexpected(std::move(errors.front()));
  std::string message = fmt::format("{} settings cannot be used:", errors.size());
  for (const Error& error : errors) message += "\n  " + error.message;
  return permanent("invalid_settings", std::move(message));
}

}  // namespace

TenantSettings::TenantSettings(storage::Store& store, const Clock& clock, SettingValues global,
                               Options options)
    : store_(store), clock_(clock), global_(std::move(global)), options_(options) {}

Result<SettingValues> TenantSettings::of(const TenantId& tenant) const {
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = cache_.find(tenant);
    if (found != cache_.end() && clock_.monotonic() - found->second.read_at < options_.reread)
      return found->second.values;
    generation = generation_;
  }
  auto values = read(tenant);
  if (values) {
    remember(tenant, *values, generation);
    return values;
  }
  const std::lock_guard lock(mutex_);
  const auto found = cache_.find(tenant);
  if (found == cache_.end()) return values;
  if (values.error().code == "unknown_tenant") {  // erased meanwhile: nothing of it may go on
    cache_.erase(found);
    return values;
  }
  return found->second.values;
}

Result<SettingValues> TenantSettings::read(const TenantId& tenant) const {
  if (options_.cache != nullptr) {
    const auto text = options_.cache->load(tenant, kCacheKey, {options_.kept, options_.kept_stale},
                                           [&] { return read_text(tenant); });
    if (!text) return std::unexpected(text.error());
    if (const auto stored = from_text(*text)) return over(global_, *stored);
    options_.cache->remove(tenant, kCacheKey);  // another version's, or damaged: the store has it right
  }
  CASTIEL_ASSIGN(const auto text, read_text(tenant));
  CASTIEL_ASSIGN(const auto stored, from_text(text));
  return over(global_, stored);
}

Result<std::string> TenantSettings::read_text(const TenantId& tenant) const {
  CASTIEL_ASSIGN(const auto reader, store_.read(tenant));
  CASTIEL_ASSIGN(const Stored stored, reader->settings());
  return to_text(stored);
}

Result<> TenantSettings::warm() const {
  CASTIEL_ASSIGN(const auto view, store_.operator_view());
  CASTIEL_ASSIGN(const auto tenants, view->tenants());
  for (const auto& info : tenants | std::views::take(options_.cached_tenants)) CASTIEL_TRY(of(info.tenant));
  return {};
}

void TenantSettings::remember(const TenantId& tenant, SettingValues values, std::uint64_t generation) const {
  const std::lock_guard lock(mutex_);
  if (generation != generation_) return;  // a set() came between: what was read may be the old value
  const Cached entry{std::move(values), clock_.monotonic()};
  if (!cache_.contains(tenant) && cache_.size() >= options_.cached_tenants && !cache_.empty())
    cache_.erase(
        std::ranges::min_element(cache_, {}, [](const auto& other) { return other.second.read_at; }));
  cache_.insert_or_assign(tenant, entry);
}

Result<> TenantSettings::set(const TenantId& tenant,
                             std::span<const std::pair<std::string, std::string>> changes,
                             std::string_view actor) {
  CASTIEL_ASSIGN(const std::vector<Change> checked, check_all(changes));
  std::optional<Announced> announced;
  announced.emplace(options_.cache, tenant);
  CASTIEL_ASSIGN(const auto transaction, store_.begin(tenant, Deadline::after(clock_, options_.writer)));
  CASTIEL_ASSIGN(const Stored stored, transaction->settings());
  SettingValues values = over(global_, stored);
  bool changed = false;
  for (const Change& change : checked) {
    const std::string before = values.text(*change.spec), after = format_setting(*change.spec, change.value);
    if (before == after && values.origin(*change.spec) == SettingOrigin::tenant) continue;
    values = values.with(*change.spec, change.value, SettingOrigin::tenant);
    changed = true;
    CASTIEL_TRY(transaction->put_setting(change.spec->key, after));
    CASTIEL_TRY(transaction->add_audit({clock_.now(), std::string(actor), "setting.changed",
                                        std::string(change.spec->key),
                                        json::serialize(json::object{{"from", before}, {"to", after}})}));
  }
  if (!changed) return {};
  const auto committed = transaction->commit();
  announced.reset();
  // Also when it failed: with commit_unknown the new values may be in force. What is forgotten is read again,
  // so that of two set() at once the later commit wins, whichever of them comes here first.
  const std::lock_guard lock(mutex_);
  ++generation_;
  cache_.erase(tenant);
  return committed;
}

Result<> TenantSettings::set(const TenantId& tenant, std::string_view key, std::string_view value,
                             std::string_view actor) {
  const std::pair<std::string, std::string> change{key, value};
  return set(tenant, {&change, 1}, actor);
}

void TenantSettings::forget(const TenantId& tenant) {
  if (options_.cache != nullptr) options_.cache->erase(tenant);
  const std::lock_guard lock(mutex_);
  ++generation_;
  cache_.erase(tenant);
}

Result<std::vector<TenantSetting>> TenantSettings::list(const TenantId& tenant) const {
  CASTIEL_ASSIGN(const auto reader, store_.read(tenant));
  CASTIEL_ASSIGN(const Stored stored, reader->settings());
  const SettingValues values = over(global_, stored);
  std::vector<TenantSetting> settings;
  for (const SettingSpec& spec : setting_specs()) {
    if (spec.scope != SettingScope::tenant) continue;
    TenantSetting row{&spec, values.text(spec), values.origin(spec), {}};
    const auto own = std::ranges::find(stored, spec.key, &Stored::value_type::first);
    if (own != stored.end() && row.origin != SettingOrigin::tenant) row.refused = own->second;
    settings.push_back(std::move(row));
  }
  return settings;
}

}  // namespace castiel::tenancy
