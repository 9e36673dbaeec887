#include "storage/impl/endpoint_url.hpp"

#include <fmt/format.h>

#include <charconv>

namespace castiel::storage::impl {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

bool is_host(std::string_view host) {
  return !host.empty() &&
         host.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") ==
             host.npos;
}

// Host and port. False when they are none.
bool take_authority(std::string_view text, EndpointUrl& url) {
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos) return false;
    url.host = text.substr(1, end - 1);
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return false;
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return false;
  } else {
    const auto colon = text.find(':');
    url.host = text.substr(0, colon);
    if (colon != text.npos) {
      port = text.substr(colon + 1);
      if (port.empty() || url.host.find(':') != url.host.npos) return false;
    }
  }
  if (!is_host(url.host)) return false;
  if (port.empty()) return true;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  return error == std::errc() && end == port.data() + port.size() && url.port > 0;
}

}  // namespace

Result<EndpointUrl> split_url(std::string_view text, std::string_view code, std::string_view form) {
  const auto wrong = [&] {
    return permanent(std::string(code), fmt::format("the URL is not of the form {}", form));
  };
  EndpointUrl url;
  const auto scheme = text.find("://");
  if (scheme == text.npos || scheme == 0) return wrong();
  url.scheme = text.substr(0, scheme);
  text.remove_prefix(scheme + 3);
  // A password may contain what ends a host: the '@' is looked for first. A query has none before it.
  if (const auto at = text.substr(0, text.find('?')).rfind('@'); at != text.npos) {
    const auto who = text.substr(0, at);
    const auto colon = who.find(':');
    url.user = unescape(who.substr(0, colon));
    if (colon != who.npos) url.password = Secret(unescape(who.substr(colon + 1)));
    text.remove_prefix(at + 1);
  }
  if (const auto query = text.find('?'); query != text.npos) {
    url.query = Secret(std::string(text.substr(query + 1)));
    text = text.substr(0, query);
  }
  const auto slash = text.find('/');
  if (slash != text.npos) url.path = text.substr(slash);
  if (!take_authority(text.substr(0, slash), url)) return wrong();
  return url;
}

}  // namespace castiel::storage::impl
