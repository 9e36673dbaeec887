#pragma once
// What keeps a cache's values: in this process's memory or in Redis, chosen by URL. The rules of use (one
// loader for each key, failures are misses) are Cache's, in storage/cache.hpp; this port only keeps.
// Any thread; calls of a shared one block on the network, at most as long as its options say.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace castiel::storage {

inline constexpr std::size_t kMaxCacheKeyBytes = 512;
inline constexpr std::size_t kMaxCacheValueBytes = std::size_t{1} << 20;

// How long a value is good, and for how long after that it may still be shown while a new one is made.
struct CacheLife {
  Duration fresh;
  Duration stale = Duration(0);
};

struct CacheFound {
  std::optional<std::string> value;  // fresh or stale
  bool fresh = false;
  bool claimed = false;  // the key is now the asker's to load
};

class CacheBackend {
 public:
  virtual ~CacheBackend() = default;
  virtual std::string_view name() const = 0;  // for metrics and logs
  virtual bool shared() const = 0;            // other processes see the same values

  virtual Result<CacheFound> find(const TenantId& tenant, std::string_view key) = 0;
  // The same; where nothing fresh is there and nobody has a claim on the key, `token` gets it for `claim`.
  // A repeated call with the token that has the claim gets it again.
  virtual Result<CacheFound> find_or_claim(const TenantId& tenant, std::string_view key,
                                           std::string_view token, Duration claim) = 0;
  // Keeps the value and ends the claim, if the claim is still this token's; else does nothing and gives
  // false: a removal or a later loader came between, and this value may be older than what they saw.
  virtual Result<bool> fill(const TenantId& tenant, std::string_view key, std::string_view value,
                            CacheLife life, std::string_view token) = 0;
  // Ends the claim if it is still this token's.
  virtual Result<> give_up(const TenantId& tenant, std::string_view key, std::string_view token) = 0;
  // Keeps the value and ends whatever claim there is.
  virtual Result<> put(const TenantId& tenant, std::string_view key, std::string_view value,
                       CacheLife life) = 0;
  // Forgets the value and ends whatever claim there is, so that no load begun before can fill it again.
  virtual Result<> remove(const TenantId& tenant, std::string_view key) = 0;
  // Gives the claim to this token, whoever has it, and lets the value be gone when it ends, in `claim` from
  // now: until then nobody fills, and after it nothing from before is left.
  virtual Result<> hold(const TenantId& tenant, std::string_view key, std::string_view token,
                        Duration claim) = 0;
  // Forgets all of the tenant (TENANT-4).
  virtual Result<> erase(const TenantId& tenant) = 0;
};

// The backend a URL names: "memory", or redis://[user:password@]host[:port][/db], rediss:// for TLS. Does not
// connect. Error: invalid_cache_url (which never repeats a password).
Result<std::shared_ptr<CacheBackend>> open_cache_backend(std::string_view url, const Clock& clock);

}  // namespace castiel::storage
