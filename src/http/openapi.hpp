#pragma once
// The OpenAPI 3.1 document of a route table.

#include <string>
#include <vector>

#include "base/json.hpp"
#include "http/router.hpp"

namespace castiel::http {

struct ApiInfo {
  std::string title;
  std::string version;
  std::string description;
};

// `schemas`: JSON Schemas by name, for the routes' request_schema and response_schema; "Problem" is added.
// Routes come in the order of the table, so the document is the same on every run.
json::value openapi_document(const ApiInfo& info, const std::vector<Route>& routes,
                             const json::object& schemas = {});

}  // namespace castiel::http
