#pragma once
// The parts of a URL such as scheme://user:password@host:port/path?query that names a server. Plain values.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace castiel::storage::impl {

struct EndpointUrl {
  std::string scheme;
  std::string user;
  Secret password;
  std::string host;        // without the brackets of an IPv6 address
  std::uint16_t port = 0;  // 0: not named
  std::string path;        // with its '/', as written
  Secret query;            // without the '?', as written: it may hold a signature
};

// User and password may be percent-encoded or, but for '@' and '%', written as they are. Errors: `code`
// (permanent); the message names the form and never a part of the text.
Result<EndpointUrl> split_url(std::string_view text, std::string_view code, std::string_view form);

}  // namespace castiel::storage::impl
