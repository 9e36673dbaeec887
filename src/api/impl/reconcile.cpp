// Reconciliation on demand, and the last one that was made.

#include "operations/reconcile.hpp"

#include <fmt/format.h>

#include "api/impl/calls.hpp"
#include "base/settings.hpp"

namespace castiel::api {

std::map<std::string, std::int64_t> DriftBoard::note(const TenantId& tenant,
                                                     std::map<std::string, std::int64_t> kinds) {
  std::lock_guard lock(mutex_);
  for (const auto& [kind, count] : kinds) seen_[kind] = 0;
  if (kinds.empty()) {
    of_.erase(tenant);
  } else {
    of_[tenant] = std::move(kinds);
  }
  auto totals = seen_;
  for (const auto& [one, counts] : of_) {
    for (const auto& [kind, count] : counts) totals[kind] += count;
  }
  return totals;
}

namespace {
constexpr std::string_view kOwner = "castiel";
constexpr std::string_view kLast = "reconcile/last";
constexpr std::size_t kMaxKept = 200;  // missing things of the last reconciliation
}  // namespace

Result<json::object> reconcile(Services& services, const TenantId& tenant, std::optional<Timestamp> since,
                               bool repair, const std::string& actor) {
  if (services.reconciler == nullptr) return permanent("not_available", "this process cannot reconcile");
  const Timestamp now = services.clock.now();
  CASTIEL_ASSIGN(const auto settings, services.settings.of(tenant));
  // What was handled longer ago is forgotten.
  const Timestamp earliest = now - settings.get(settings::kRetentionInbox);
  CASTIEL_ASSIGN(const auto result,
                 services.reconciler->run(tenant, std::max(since.value_or(earliest), earliest), repair));
  auto answer = operations::to_json(result);
  answer["repair"] = repair;
  auto kept = answer;
  auto& missing = kept["missing"].get_array();
  if (missing.size() > kMaxKept) {
    missing.resize(kMaxKept);
    kept["truncated"] = true;
  }
  CASTIEL_ASSIGN(auto tx, services.store.begin(tenant, Deadline::after(services.clock, impl::kWriteWait)));
  CASTIEL_TRY(tx->put_cursor(kOwner, kLast, json::serialize(kept)));
  CASTIEL_TRY(tx->add_audit(
      {now, actor, repair ? "reconcile.repair" : "reconcile", "",
       json::serialize(json::object{
           {"drift", result.drift}, {"republished", result.republished}, {"refetched", result.refetched}})}));
  CASTIEL_TRY(tx->commit());
  if (services.metrics != nullptr) {
    const auto drift = services.metrics->gauge(
        {"castiel_reconcile_drift", "What the last reconciliation of each tenant found missing.", {"kind"}});
    for (const auto& [kind, count] : services.drift.note(tenant, result.kinds))
      drift.with({kind}).set(static_cast<double>(count));
  }
  return answer;
}

}  // namespace castiel::api

namespace castiel::api::impl {
namespace {

Result<json::value> run(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  std::optional<Timestamp> since;
  if (const auto text = call.parameters.string_or("since"); !text.empty()) {
    const auto time = parse_timestamp(text);
    const auto date = time ? Result<Date>(std::unexpected(Error{})) : parse_date(text);
    if (!time && !date)
      return permanent("invalid_parameter", fmt::format("since: '{}' is neither a time nor a date", text));
    since = time ? *time : parse_timestamp(text + "T00:00:00Z").value_or(Timestamp{0});
  }
  CASTIEL_ASSIGN(const bool repair, call.parameters.bool_or("repair", false));
  CASTIEL_ASSIGN(auto answer, reconcile(services, reader->tenant(), since, repair, call.actor));
  return answer;
}

Result<json::value> last(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  CASTIEL_ASSIGN(const auto kept, reader->cursor(kOwner, kLast));
  if (!kept) return json::object{{"tenant", reader->tenant().str()}, {"at", nullptr}};
  return parse_json(*kept);
}

}  // namespace

std::vector<Operation> reconcile_operations() {
  http::Parameter repair = text_parameter("repair", "Also ask for what is missing again");
  repair.type = http::Parameter::Type::boolean;
  return {
      {"reconcile.last",
       "GET",
       "/api/v1/reconcile",
       "What the last reconciliation found",
       "operations",
       {tenant_parameter()},
       last,
       "Object"},
      {"reconcile",
       "POST",
       "/api/v1/reconcile",
       "Compares what was published, mapped, stored and evaluated; names what is missing",
       "operations",
       {tenant_parameter(), text_parameter("since", "Only flows that told something since this time or day"),
        repair},
       run,
       "Object"},
  };
}

}  // namespace castiel::api::impl
