#pragma once
// The operations: one explicit table of what can be asked of Castiel, each with its HTTP route, its
// parameters and one function. The HTTP server and the command line both run them, in this process or,
// through the socket of a running server, in another. The table is constant; operations may run on any thread
// and block.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/services.hpp"
#include "base/json.hpp"
#include "http/client.hpp"
#include "http/router.hpp"

namespace castiel::api {

struct Call {
  http::Parameters parameters{};  // of path and query
  json::object body{};
  std::string idempotency_key{};  // of a write; empty: none
  std::string actor = "local";    // for the audit
  bool local = true;              // false: came over the network
};

struct Operation {
  std::string name;     // "deals", "deals.get", "dlq.replay": the command line's words, joined by '.'
  std::string method;   // "GET", "POST", "DELETE"
  std::string pattern;  // "/api/v1/deals/{id}"
  std::string summary;
  std::string tag;
  std::vector<http::Parameter> parameters;
  std::function<Result<json::value>(Services&, const Call&)> run;
  std::string response_schema{};
  std::string request_schema{};
  int success_status = 200;
  bool local_only = false;
  std::string description{};
};

const std::vector<Operation>& operations();
const Operation* find_operation(std::string_view name);

// Reconciles one tenant (FLOW-11), keeps the result as the tenant's last one, and gives it. `since` nothing:
// as far back as handled messages are remembered.
Result<json::object> reconcile(Services& services, const TenantId& tenant, std::optional<Timestamp> since,
                               bool repair, const std::string& actor);

// Runs an operation in this process. Errors: unknown_operation, invalid_parameter, unknown_tenant, not_found
// and the operation's own.
Result<json::value> run_operation(Services& services, std::string_view name, const Call& call);
// The same in the server behind the client.
Result<json::value> call_operation(http::Client& client, std::string_view name, const Call& call,
                                   Deadline deadline);

}  // namespace castiel::api
