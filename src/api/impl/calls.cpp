#include "api/impl/calls.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/digest.hpp"

namespace castiel::api::impl {

namespace {
constexpr auto kRemembered = std::chrono::hours(24);
constexpr std::string_view kOwner = "castiel";  // of the cursor rows
}  // namespace

Result<TenantId> tenant_of(const Call& call) {
  const auto name = call.parameters.get("tenant");
  if (!name || name->empty()) return permanent("invalid_parameter", "tenant: say which, ?tenant=NAME");
  return parse_tenant_id(*name);
}

Result<std::unique_ptr<storage::Reader>> reader_of(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto tenant, tenant_of(call));
  return services.store.read(tenant);
}

Result<std::unique_ptr<storage::Transaction>> begin(Services& services, const TenantId& tenant) {
  return services.store.begin(tenant, Deadline::after(services.clock, kWriteWait));
}

Result<std::size_t> limit_of(const Call& call) {
  CASTIEL_ASSIGN(const auto limit, call.parameters.integer_or("limit", kDefaultLimit, 1, kMaxLimit));
  return static_cast<std::size_t>(limit);
}

std::unexpected<Error> invalid_cursor() {
  return permanent("invalid_cursor", "the cursor does not belong to this list; start again without one");
}

Result<std::size_t> offset_of(const Call& call) {
  const std::string text = call.parameters.string_or("cursor");
  std::size_t offset = 0;
  if (text.empty()) return offset;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (error != std::errc() || end != text.data() + text.size() || offset > 1'000'000'000)
    return invalid_cursor();
  return offset;
}

json::object page(json::array items, json::value next) {
  return {{"items", std::move(items)}, {"next", std::move(next)}};
}

Result<std::optional<Date>> as_of(const Call& call) {
  const auto text = call.parameters.get("asOf");
  if (!text || text->empty()) return std::optional<Date>();
  CASTIEL_ASSIGN(const auto date, parse_date(*text));
  return std::optional(date);
}

Result<json::value> once(Services& services, const TenantId& tenant, std::string_view operation,
                         const Call& call, const std::function<Result<json::value>()>& run) {
  if (call.idempotency_key.empty()) return run();
  constexpr std::size_t kMaxKey = 255;
  if (call.idempotency_key.size() > kMaxKey) {
    return permanent("invalid_parameter", fmt::format("Idempotency-Key: at most {} bytes", kMaxKey));
  }
  std::string request(operation);
  for (const auto& [name, value] : call.parameters.all()) request += fmt::format("\n{}={}", name, value);
  request += "\n" + json::serialize(call.body);
  const std::string digest = sha256_hex(request);
  const auto slot = fmt::format("idempotency/{}",
                                stable_hash(fmt::format("{}\n{}", operation, call.idempotency_key)) % kSlots);
  {
    CASTIEL_ASSIGN(const auto reader, services.store.read(tenant));
    CASTIEL_ASSIGN(const auto kept, reader->cursor(kOwner, slot));
    const auto parsed = kept ? parse_json(*kept) : Result<json::value>(nullptr);
    const auto* known = parsed ? parsed->if_object() : nullptr;
    if (known != nullptr && string_or(*known, "key") == call.idempotency_key) {
      const auto at = parse_timestamp(string_or(*known, "at"));
      if (at && services.clock.now() - *at < kRemembered) {
        if (string_or(*known, "request") != digest) {
          return permanent("unprocessable", "this Idempotency-Key was used for another request");
        }
        return known->at("answer");
      }
    }
  }
  CASTIEL_ASSIGN(auto answer, run());
  CASTIEL_ASSIGN(auto tx, begin(services, tenant));
  const json::object row{{"key", call.idempotency_key},
                         {"request", digest},
                         {"at", to_string(services.clock.now())},
                         {"answer", answer}};
  CASTIEL_TRY(tx->put_cursor(kOwner, slot, json::serialize(row)));
  CASTIEL_TRY(tx->commit());
  return answer;
}

Result<> audit(storage::Transaction& tx, Services& services, const Call& call, std::string_view action,
               std::string_view target, json::object detail) {
  return tx.add_audit(
      {services.clock.now(), call.actor, std::string(action), std::string(target), json::serialize(detail)});
}

http::Parameter tenant_parameter(bool required) {
  http::Parameter p;
  p.name = "tenant";
  p.description = required ? "Whose data" : "Only this tenant's; without it all tenants', for the operator";
  p.required = required;
  return p;
}

http::Parameter limit_parameter() {
  http::Parameter p;
  p.name = "limit";
  p.description = "Items of one page";
  p.type = http::Parameter::Type::integer;
  p.minimum = 1;
  p.maximum = static_cast<std::int64_t>(kMaxLimit);
  return p;
}

http::Parameter cursor_parameter() {
  return text_parameter("cursor", "Where the page before ended: its `next`");
}

http::Parameter as_of_parameter() {
  auto p = text_parameter(
      "asOf", "Judge as of the end of this day; without it now, or the newest change of old data");
  p.format = "date";
  return p;
}

http::Parameter text_parameter(std::string name, std::string description, std::vector<std::string> values) {
  http::Parameter p;
  p.name = std::move(name);
  p.description = std::move(description);
  p.values = std::move(values);
  return p;
}

}  // namespace castiel::api::impl
