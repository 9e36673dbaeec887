#pragma once
// The route table: explicit data from which requests are dispatched and the OpenAPI document is made.
// Immutable after creation, therefore thread-safe.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "http/message.hpp"
#include "http/server.hpp"

namespace castiel::http {

struct Parameter {
  enum class In { path, query, header };
  enum class Type { string, integer, number, boolean };

  std::string name;
  std::string description{};
  bool required = false;
  Type type = Type::string;
  In in = In::query;
  std::optional<std::int64_t> minimum{};  // integers
  std::optional<std::int64_t> maximum{};
  std::vector<std::string> values{};  // closed list of texts, empty: any
  std::string format{};               // "date", "date-time"
};

struct Route {
  std::string method;   // "GET"; HEAD and OPTIONS are answered from the table
  std::string pattern;  // "/api/v1/deals/{id}"; a last "{path...}" takes the rest, which may be empty
  std::string operation_id;
  std::string summary;
  std::vector<Parameter> parameters{};  // path parameters may be left out: they are strings then
  // On a worker. An error is answered as its problem.
  std::function<Result<Response>(const Request&)> handle;

  std::uint64_t max_body_bytes = kDefaultMaxBodyBytes;
  std::function<Result<std::shared_ptr<BodySink>>(const Request&)> open_sink{};  // see BodyPlan
  bool local_socket_only = false;                                                // 403 over TCP
  bool immediate = false;                                                        // see BodyPlan

  // For the document.
  std::string tag{};
  std::string description{};
  std::string request_schema{};   // name of a schema in components, empty: no JSON body
  std::string response_schema{};  // the same
  int success_status = 200;
  std::string response_type = "application/json";
  bool hidden = false;  // not in the document (the dashboard's files)
};

class Router {
 public:
  // Error: invalid_route, for a malformed pattern, two routes that match the same requests, an operation id
  // used twice, a declared path parameter that is not in the pattern, or no handler.
  static Result<Router> create(std::vector<Route> routes);

  // Checks declared query and header parameters (required, type, range, values: 400 invalid_parameter), then
  // runs the route. 404 not_found and 405 method_not_allowed with Allow as problems.
  Response handle(Request request) const;
  BodyPlan plan(const Request& request) const;
  const std::vector<Route>& routes() const;

  // What Server::start takes; shares the table.
  Handler handler() const;

 private:
  struct Table;
  explicit Router(std::shared_ptr<const Table> table) : table_(std::move(table)) {}
  std::shared_ptr<const Table> table_;
};

}  // namespace castiel::http
