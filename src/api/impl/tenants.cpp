#include <fmt/format.h>

#include "api/impl/calls.hpp"
#include "content/values.hpp"

namespace castiel::api::impl {
namespace {

Result<json::object> tenant_json(Services& services, const storage::TenantInfo& info) {
  CASTIEL_ASSIGN(const auto reader, services.store.read(info.tenant));
  CASTIEL_ASSIGN(const auto counts, reader->shard_counts());
  json::object shards;
  for (const auto& [type, count] : counts) shards[type] = count;
  return json::object{{"tenant", info.tenant.str()},
                      {"createdAt", to_string(info.created_at)},
                      {"shards", std::move(shards)}};
}

Result<json::value> tenants(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto limit, limit_of(call));
  const auto after = call.parameters.string_or("cursor");
  if (!after.empty() && !parse_tenant_id(after)) return invalid_cursor();
  CASTIEL_ASSIGN(const auto view, services.store.operator_view());
  CASTIEL_ASSIGN(const auto all, view->tenants());
  json::array items;
  json::value next;
  for (const auto& info : all) {
    if (info.tenant.str() <= after) continue;
    if (items.size() == limit) {
      next = items.back().at("tenant");
      break;
    }
    CASTIEL_ASSIGN(auto item, tenant_json(services, info));
    items.push_back(std::move(item));
  }
  return page(std::move(items), std::move(next));
}

Result<json::value> create_tenant(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto tenant, parse_tenant_id(string_or(call.body, "tenant")));
  CASTIEL_TRY(services.store.create_tenant(tenant, Deadline::after(services.clock, kWriteWait)));
  return json::object{{"tenant", tenant.str()}};
}

Result<json::value> show_tenant(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto tenant, tenant_of(call));
  CASTIEL_ASSIGN(const auto list, services.settings.list(tenant));
  json::object settings;
  for (const auto& s : list) {
    json::object setting{{"value", s.value}, {"origin", to_string(s.origin)}};
    if (!s.refused.empty()) setting["refused"] = s.refused;
    settings[s.spec->key] = std::move(setting);
  }
  return json::object{{"tenant", tenant.str()}, {"settings", std::move(settings)}};
}

Result<json::value> set_tenant(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto tenant, tenant_of(call));
  const auto* given = get_object(call.body, "settings");
  if (given == nullptr || given->empty())
    return permanent("invalid_parameter", "settings: an object of keys and values is missing");
  std::vector<std::pair<std::string, std::string>> changes;
  for (const auto& [key, value] : *given) {
    const auto* text = value.if_string();
    if (text == nullptr)
      return permanent("invalid_parameter",
                       fmt::format("settings: the value of {} has to be a text", std::string_view(key)));
    changes.emplace_back(std::string(key), std::string(*text));
    if (changes.back().first != settings::kTimezone.key()) continue;
    // The table of settings knows the shape of a name, not which zones there are.
    if (const auto zone = content::TimeZone::find(changes.back().second); !zone)
      return permanent("invalid_setting", zone.error().describe());
  }
  CASTIEL_TRY(services.settings.set(tenant, changes, call.actor));
  return json::object{{"tenant", tenant.str()}, {"changed", changes.size()}};
}

// What is under way for the tenant ends first, or finds no tenant any more when it comes to write.
Result<json::value> erase_tenant(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto tenant, tenant_of(call));
  CASTIEL_ASSIGN(const bool known, services.store.tenant_exists(tenant));
  if (!known) return permanent("unknown_tenant", fmt::format("there is no tenant '{}'", tenant.str()));
  if (services.imports != nullptr) services.imports->drop(tenant);
  CASTIEL_ASSIGN(const auto erased,
                 services.store.erase_tenant(tenant, Deadline::after(services.clock, kWriteWait)));
  services.deals.forget(tenant);
  services.settings.forget(tenant);
  json::object rows;
  for (const auto& [table, n] : erased) rows[table] = n;
  if (services.blobs != nullptr) {
    CASTIEL_ASSIGN(const auto blobs, services.blobs->erase(tenant));
    rows["blobs"] = blobs;
  }
  return json::object{{"tenant", tenant.str()}, {"erased", std::move(rows)}};
}

}  // namespace

std::vector<Operation> tenant_operations() {
  Operation create{"tenants.create",
                   "POST",
                   "/api/v1/tenants",
                   "Creates a tenant with defaults, if there is none of this name",
                   "tenants",
                   {},
                   create_tenant,
                   "Object",
                   "NewTenant",
                   200,
                   true};
  Operation set{"tenants.set",
                "POST",
                "/api/v1/tenants/{tenant}/settings",
                "Changes settings of a tenant, all or none",
                "tenants",
                {},
                set_tenant,
                "Object",
                "SettingChanges",
                200,
                true};
  Operation erase{"tenants.erase",
                  "DELETE",
                  "/api/v1/tenants/{tenant}",
                  "Removes a tenant with all of its data, for good",
                  "tenants",
                  {},
                  erase_tenant,
                  "Object",
                  "",
                  200,
                  true};
  return {{"tenants",
           "GET",
           "/api/v1/tenants",
           "All tenants with the number of their entities",
           "tenants",
           {limit_parameter(), cursor_parameter()},
           tenants,
           "List"},
          std::move(create),
          {"tenants.show",
           "GET",
           "/api/v1/tenants/{tenant}/settings",
           "The settings of a tenant and where each comes from",
           "tenants",
           {},
           show_tenant,
           "Object"},
          std::move(set),
          std::move(erase)};
}

}  // namespace castiel::api::impl
