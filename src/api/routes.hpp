#pragma once
// The route table of the HTTP server: the operations, the live feed, health, metrics, the OpenAPI document
// and the dashboard. Made once at start; handlers run on any thread.

#include <string_view>
#include <vector>

#include "api/services.hpp"
#include "http/router.hpp"
#include "http/static_files.hpp"

namespace castiel::api {

// `dashboard`: the built files, borrowed; nothing leaves `/` to a page that says there are none.
std::vector<http::Route> routes(Services& services, const http::StaticFiles* dashboard = nullptr);

// The OpenAPI 3.1 document of the table.
json::value openapi(const std::vector<http::Route>& routes, std::string_view version);

// There is no authentication yet, so only addresses of this machine may be listened on: 127.0.0.0/8, ::1 and
// "localhost". Error public_bind_refused for any other.
Result<> refuse_public_bind(std::string_view address);

}  // namespace castiel::api
