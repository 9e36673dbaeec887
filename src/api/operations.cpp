#include "api/operations.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/impl/calls.hpp"

namespace castiel::api {
namespace {

std::vector<Operation> join() {
  std::vector<Operation> all;
  for (auto* part :
       {impl::tenant_operations, impl::deal_operations, impl::shard_operations, impl::import_operations,
        impl::flow_operations, impl::letter_operations, impl::reconcile_operations, impl::link_operations}) {
    auto operations = part();
    std::ranges::move(operations, std::back_inserter(all));
  }
  return all;
}

// The checks the router does for requests, for callers in this process.
Result<> check(const Operation& operation, const Call& call) {
  for (const auto& p : operation.parameters) {
    const auto value = call.parameters.get(p.name);
    if (!value) {
      if (p.required) return permanent("invalid_parameter", fmt::format("{} is missing", p.name));
      continue;
    }
    if (p.type == http::Parameter::Type::integer) {
      const auto number =
          call.parameters.integer_or(p.name, 0, p.minimum.value_or(INT64_MIN), p.maximum.value_or(INT64_MAX));
      if (!number) return std::unexpected(number.error());
    }
    if (p.type == http::Parameter::Type::boolean) {
      if (const auto flag = call.parameters.bool_or(p.name, false); !flag)
        return std::unexpected(flag.error());
    }
    if (!p.values.empty() && std::ranges::find(p.values, *value) == p.values.end()) {
      return permanent("invalid_parameter",
                       fmt::format("{}: '{}' is none of {}", p.name, *value, fmt::join(p.values, ", ")));
    }
  }
  return {};
}

Result<const Operation*> wanted(std::string_view name) {
  const auto* operation = find_operation(name);
  if (operation == nullptr)
    return permanent("unknown_operation", fmt::format("there is no operation '{}'", name));
  return operation;
}

// Path and query of a call. Error invalid_parameter when a part of the path is missing.
Result<std::string> target_of(const Operation& operation, const Call& call) {
  std::string target;
  std::vector<std::string_view> used;
  for (std::string_view rest = operation.pattern; !rest.empty();) {
    const auto open = rest.find('{');
    target += rest.substr(0, open);
    if (open == std::string_view::npos) break;
    const auto close = rest.find('}', open);
    const auto name = rest.substr(open + 1, close - open - 1);
    const auto value = call.parameters.get(name);
    if (!value || value->empty()) return permanent("invalid_parameter", fmt::format("{} is missing", name));
    target += http::escape(*value);
    used.push_back(name);
    rest.remove_prefix(close + 1);
  }
  char separator = '?';
  for (const auto& [name, value] : call.parameters.all()) {
    if (std::ranges::find(used, name) != used.end()) continue;
    target += fmt::format("{}{}={}", separator, http::escape(name), http::escape(value));
    separator = '&';
  }
  return target;
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = join();
  return all;
}

const Operation* find_operation(std::string_view name) {
  const auto it = std::ranges::find(operations(), name, &Operation::name);
  return it == operations().end() ? nullptr : &*it;
}

Result<json::value> run_operation(Services& services, std::string_view name, const Call& call) {
  CASTIEL_ASSIGN(const auto* operation, wanted(name));
  CASTIEL_TRY(check(*operation, call));
  return operation->run(services, call);
}

Result<json::value> call_operation(http::Client& client, std::string_view name, const Call& call,
                                   Deadline deadline) {
  CASTIEL_ASSIGN(const auto* operation, wanted(name));
  http::ClientRequest request;
  request.method = operation->method;
  CASTIEL_ASSIGN(request.target, target_of(*operation, call));
  if (!call.idempotency_key.empty()) request.headers.set("Idempotency-Key", call.idempotency_key);
  if (!call.body.empty()) {
    request.headers.set("Content-Type", "application/json");
    request.body = json::serialize(call.body);
  }
  CASTIEL_ASSIGN(const auto response, client.send_ok(request, deadline));
  return parse_json(response.body);
}

}  // namespace castiel::api
