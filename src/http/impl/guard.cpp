#include "http/impl/guard.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "http/impl/text.hpp"

namespace castiel::http::impl {

namespace {

std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::ranges::any_of(list, [&](const auto& item) { return equals_ignoring_case(item, text); });
}

// Whether the origin's authority is the Host header's, where either may leave out the scheme's own port.
bool same_origin(std::string_view origin, std::string_view host) {
  std::string_view port;
  if (origin.starts_with("http://")) {
    origin.remove_prefix(7);
    port = ":80";
  } else if (origin.starts_with("https://")) {
    origin.remove_prefix(8);
    port = ":443";
  } else {
    return false;
  }
  if (origin.ends_with(port)) origin.remove_suffix(port.size());
  if (host.ends_with(port)) host.remove_suffix(port.size());
  return !origin.empty() && equals_ignoring_case(origin, host);
}

}  // namespace

Result<> check_host(std::string_view host, const std::vector<std::string>& allowed) {
  const auto name = without_port(host);
  for (const std::string_view own : {"localhost", "127.0.0.1", "[::1]"})
    if (equals_ignoring_case(name, own)) return {};
  if (contains(allowed, name) || contains(allowed, host)) return {};
  return permanent(
      "misdirected_request",
      fmt::format("This server does not go by the name \"{}\". Add the name to its allowed hosts.",
                  utf8_prefix(name, 80)));
}

Result<> check_origin(const Request& request, const std::vector<std::string>& allowed) {
  if (request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS") return {};
  if (const auto origin = request.headers.get("Origin")) {
    if (contains(allowed, *origin)) return {};
    if (same_origin(*origin, request.headers.get_or("Host", ""))) return {};
  } else {
    const auto site = request.headers.get_or("Sec-Fetch-Site", "none");
    if (site != "cross-site" && site != "same-site") return {};
  }
  return permanent("cross_origin", "Pages of another site may not change anything here.");
}

}  // namespace castiel::http::impl
