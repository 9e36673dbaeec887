#pragma once
// Checks that keep other web sites from using a server on this machine through the user's browser.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "http/message.hpp"

namespace castiel::http::impl {

// DNS rebinding: a page of evil.example whose name now leads here still sends its own name as Host.
// Only localhost, 127.0.0.1, [::1] and `allowed` pass. Error: misdirected_request.
Result<> check_host(std::string_view host, const std::vector<std::string>& allowed);

// Cross-site request forgery: a state-changing request with an Origin must come from this server's own pages
// or from an allowed origin; without one, Sec-Fetch-Site decides. Error: cross_origin.
Result<> check_origin(const Request& request, const std::vector<std::string>& allowed);

}  // namespace castiel::http::impl
