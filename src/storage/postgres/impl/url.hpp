#pragma once
// What may be said of a connection URL: where it leads, never as whom.

#include <string>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace castiel::storage::postgres {

// Error: invalid_url, without its text.
Result<> check_url(const Secret& url);
std::string place_of(const Secret& url);

}  // namespace castiel::storage::postgres
