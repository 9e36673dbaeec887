#pragma once
// Listening on a Unix socket that only its owner may open.

#include <string>

#include "base/result.hpp"

namespace castiel::http::impl {

// A listening, non-blocking socket at `path`, mode 0600. A socket file that nobody answers on is removed
// first. Errors: invalid_address (path too long, or something else than a socket is there), socket_in_use,
// listen_failed. The caller closes the descriptor.
Result<int> listen_unix(const std::string& path);

// The file's identity, to remove at the end only what this server made; 0 when there is none.
unsigned long long inode_of(const std::string& path);

}  // namespace castiel::http::impl
