#include "storage/memory/memory_cache.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <mutex>

namespace castiel::storage {

namespace {

constexpr std::size_t kEntryOverhead = 160;  // nodes of list and map, roughly
constexpr std::size_t kMaxClaims = 10'000;

class MemoryCache final : public CacheBackend {
 public:
  MemoryCache(const Clock& clock, MemoryCacheOptions options) : clock_(clock), options_(options) {}

  std::string_view name() const override { return "memory"; }
  bool shared() const override { return false; }

  Result<CacheFound> find(const TenantId& tenant, std::string_view key) override {
    const std::lock_guard lock(mutex_);
    return look_up({tenant, std::string(key)});
  }

  Result<CacheFound> find_or_claim(const TenantId& tenant, std::string_view key, std::string_view token,
                                   Duration claim) override {
    const std::lock_guard lock(mutex_);
    const Key name{tenant, key};
    auto found = look_up(name);
    if (found.fresh) return found;
    if (const auto held = claims_.find(name);
        held != claims_.end() && held->second.until > clock_.monotonic() && held->second.token != token)
      return found;
    give_claim(name, token, claim);
    found.claimed = true;
    return found;
  }

  Result<bool> fill(const TenantId& tenant, std::string_view key, std::string_view value, CacheLife life,
                    std::string_view token) override {
    const std::lock_guard lock(mutex_);
    const Key name{tenant, key};
    if (!end_claim(name, token)) return false;
    keep(name, value, life);
    return true;
  }

  Result<> give_up(const TenantId& tenant, std::string_view key, std::string_view token) override {
    const std::lock_guard lock(mutex_);
    end_claim({tenant, std::string(key)}, token);
    return {};
  }

  Result<> put(const TenantId& tenant, std::string_view key, std::string_view value,
               CacheLife life) override {
    const std::lock_guard lock(mutex_);
    const Key name{tenant, key};
    claims_.erase(name);
    keep(name, value, life);
    return {};
  }

  Result<> remove(const TenantId& tenant, std::string_view key) override {
    const std::lock_guard lock(mutex_);
    const Key name{tenant, key};
    claims_.erase(name);
    drop(name);
    return {};
  }

  Result<> hold(const TenantId& tenant, std::string_view key, std::string_view token,
                Duration claim) override {
    const std::lock_guard lock(mutex_);
    const Key name{tenant, key};
    if (const auto it = entries_.find(name); it != entries_.end())
      it->second.until = std::min(it->second.until, clock_.monotonic() + claim);
    give_claim(name, token, claim);
    return {};
  }

  Result<> erase(const TenantId& tenant) override {
    const std::lock_guard lock(mutex_);
    const Key first{tenant, {}};
    for (auto it = claims_.lower_bound(first); it != claims_.end() && it->first.first == tenant;)
      it = claims_.erase(it);
    for (auto it = entries_.lower_bound(first); it != entries_.end() && it->first.first == tenant;)
      drop((it++)->first);
    return {};
  }

 private:
  using Key = std::pair<TenantId, std::string>;
  struct Entry {
    std::string value;
    Duration until;  // monotonic
    Duration stale;  // at the end of its time
    std::size_t bytes = 0;
    std::list<Key>::iterator use;
  };
  struct Claim {
    std::string token;
    Duration until;
  };

  CacheFound look_up(const Key& name) {
    const auto it = entries_.find(name);
    if (it == entries_.end()) return {};
    const Duration now = clock_.monotonic();
    if (now >= it->second.until) {
      drop(name);
      return {};
    }
    uses_.splice(uses_.begin(), uses_, it->second.use);
    return {it->second.value, now < it->second.until - it->second.stale, false};
  }

  void keep(const Key& name, std::string_view value, CacheLife life) {
    drop(name);
    const std::size_t bytes =
        name.first.str().size() + name.second.size() * 2 + value.size() + kEntryOverhead;
    if (bytes > options_.max_bytes || options_.max_entries == 0) return;
    while (bytes_ + bytes > options_.max_bytes || entries_.size() >= options_.max_entries)
      drop(Key(uses_.back()));
    uses_.push_front(name);
    const Duration now = clock_.monotonic();
    entries_.emplace(
        name, Entry{std::string(value), now + life.fresh + life.stale, life.stale, bytes, uses_.begin()});
    bytes_ += bytes;
  }

  void drop(const Key& name) {
    const auto it = entries_.find(name);
    if (it == entries_.end()) return;
    bytes_ -= it->second.bytes;
    uses_.erase(it->second.use);
    entries_.erase(it);
  }

  void give_claim(const Key& name, std::string_view token, Duration claim) {
    const Duration now = clock_.monotonic();
    if (claims_.size() >= kMaxClaims)
      std::erase_if(claims_, [&](const auto& held) { return held.second.until <= now; });
    claims_.insert_or_assign(name, Claim{std::string(token), now + claim});
  }

  bool end_claim(const Key& name, std::string_view token) {
    const auto held = claims_.find(name);
    if (held == claims_.end() || held->second.token != token || held->second.until <= clock_.monotonic())
      return false;
    claims_.erase(held);
    return true;
  }

  const Clock& clock_;
  const MemoryCacheOptions options_;
  std::mutex mutex_;  // for the rest
  std::map<Key, Entry> entries_;
  std::list<Key> uses_;  // latest first
  std::size_t bytes_ = 0;
  std::map<Key, Claim> claims_;
};

}  // namespace

std::shared_ptr<CacheBackend> make_memory_cache(const Clock& clock, MemoryCacheOptions options) {
  return std::make_shared<MemoryCache>(clock, options);
}

}  // namespace castiel::storage
