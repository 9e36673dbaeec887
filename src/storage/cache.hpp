#pragma once
// The cache: values that can be made again, kept for a time, per tenant (FLOW-12). One loader for each key
// over all threads and processes; the others wait for it or get the stale value. Losing the cache is
// harmless: every failure of the backend is a miss, counted and logged, and a backend that keeps failing is
// left alone for a while. Made by the composition root. Any thread; blocks on the backend and on loaders.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "storage/cache_backend.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace castiel::storage {

class Cache {
 public:
  struct Options {
    Duration claim = std::chrono::seconds(10);  // a loader that takes longer may be overtaken by another
    Duration wait = std::chrono::seconds(2);    // for another's load, then a caller loads for itself
    Duration poll_first = std::chrono::milliseconds(2);     // looks for another process's value double up …
    Duration poll_longest = std::chrono::milliseconds(50);  // … to this
    int failures_to_pause = 3;                              // of the backend, one after another
    Duration pause_first = std::chrono::seconds(1);         // then it is not asked for so long, doubling up …
    Duration pause_longest = std::chrono::seconds(30);      // … to this; one caller tries whether it is back
    std::size_t owed_removals = 10'000;  // removals made good once the backend is back, at most
  };
  using Loader = std::function<Result<std::string>()>;

  // All outlive this object; `metrics` may be nothing.
  Cache(std::shared_ptr<CacheBackend> backend, const Clock& clock, IdGenerator& ids, telemetry::Log log,
        telemetry::Metrics* metrics, Options options);
  Cache(std::shared_ptr<CacheBackend> backend, const Clock& clock, IdGenerator& ids)
      : Cache(std::move(backend), clock, ids, {}, nullptr, Options()) {}
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Only what is fresh.
  std::optional<std::string> get(const TenantId& tenant, std::string_view key);
  void put(const TenantId& tenant, std::string_view key, std::string_view value, Duration ttl);
  // What is cached, or what `loader` gives. Errors are the loader's alone: a transient one is not shown while
  // there is a stale value, any other also forgets that. The loader may run on several threads at once when
  // it is slow or the backend fails; it must not load the same key. Too long a key or value is not cached.
  Result<std::string> load(const TenantId& tenant, std::string_view key, CacheLife life,
                           const Loader& loader);
  // After a change of what the value is made of: no load() begun later gives the old value, nor does one
  // under way leave it behind. A removal the backend did not take is made good when it is back.
  void remove(const TenantId& tenant, std::string_view key);
  // Before such a change: what is there is shown until remove(), but nothing new is kept for the key, and
  // after `claim` nothing old is left either: a process that dies between its commit and its remove() leaves
  // no old value behind for longer.
  void about_to_change(const TenantId& tenant, std::string_view key);
  // Forgets all of the tenant (TENANT-4).
  void erase(const TenantId& tenant);

  bool shared() const { return backend_->shared(); }

 private:
  struct Flight;
  class Landing;
  using Key = std::pair<TenantId, std::string>;

  Result<std::string> lead(Flight& flight, const Key& key, CacheLife life, const Loader& loader);
  Result<std::string> fill(const Key& key, CacheLife life, const Loader& loader, const std::string& token,
                           const std::optional<std::string>& stale);
  // Nothing when the backend failed or is left alone.
  template <class Question>
  auto ask(const Question& question) -> std::optional<typename decltype(question())::value_type>;
  bool tell(const std::function<Result<>()>& command);
  bool may_ask();
  bool pay_owed();
  void failed(const Error& error);
  void worked();
  void forget(const Key& key);
  Result<> remove_from_backend(const Key& key);
  void count(std::string_view outcome) const;

  const std::shared_ptr<CacheBackend> backend_;
  const Clock& clock_;
  IdGenerator& ids_;
  const telemetry::Log log_;
  std::optional<telemetry::Family<telemetry::Counter>> requests_, failures_total_;
  const Options options_;

  std::mutex flights_mutex_;
  std::map<Key, std::shared_ptr<Flight>> flights_;  // loads under way in this process

  std::mutex paying_mutex_;  // held while owed removals are made good
  std::mutex health_mutex_;  // for the rest
  int failures_ = 0;         // one after another
  Duration pause_{0}, ask_again_{0};
  std::set<Key> owed_;  // removals the backend did not take; an empty key: all of the tenant
};

}  // namespace castiel::storage
