#pragma once
// A cache in Redis 6 or later, or what speaks its protocol: shared by all processes. Any thread; each call
// blocks on the network for as long as the options say (a name is resolved by the system, in its time).

#include <memory>
#include <string_view>

#include "storage/cache_backend.hpp"

namespace castiel::storage {

struct RedisCacheOptions {
  Duration connect = std::chrono::milliseconds(500);  // with TLS and log-in
  Duration command = std::chrono::milliseconds(250);
  std::size_t idle_connections = 8;  // kept open; under way there is one a calling thread
};

inline constexpr std::size_t kMaxRedisReplyBytes = std::size_t{4} << 20;

// `url`: redis://[user:password@]host[:port][/db], or rediss:// for TLS with a certificate the system trusts.
// Does not connect. Keys are castiel:{tenant}:v:<key> for values, castiel:{tenant}:c:<key> for claims.
// Error: invalid_cache_url. Errors of calls, all transient: cache_unreachable, cache_timeout,
// cache_connection_lost, cache_refused.
Result<std::shared_ptr<CacheBackend>> make_redis_cache(std::string_view url, const Clock& clock,
                                                       RedisCacheOptions options = {});

}  // namespace castiel::storage
