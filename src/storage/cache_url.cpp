#include <fmt/format.h>

#include "storage/cache_backend.hpp"
#include "storage/memory/memory_cache.hpp"
#include "storage/redis/redis_cache.hpp"

namespace castiel::storage {

Result<std::shared_ptr<CacheBackend>> open_cache_backend(std::string_view url, const Clock& clock) {
  if (url == "memory") return make_memory_cache(clock);
  if (url.starts_with("redis://") || url.starts_with("rediss://")) return make_redis_cache(url, clock);
  return permanent("invalid_cache_url",
                   "the cache's URL has to be memory, or redis://[user:password@]host[:port][/db], or the "
                   "same with rediss:// for TLS");
}

}  // namespace castiel::storage
