#include "storage/cache.hpp"

#include <algorithm>
#include <condition_variable>

namespace castiel::storage {

// One load under way in this process. Everything in it is under flights_mutex_.
struct Cache::Flight {
  std::condition_variable changed;
  std::optional<Result<std::string>> result;
  std::optional<std::string> stale;  // for those who need not wait
};

// Ends a flight however its leader leaves.
class Cache::Landing {
 public:
  Landing(Cache& cache, const Key& key, std::shared_ptr<Flight> flight)
      : cache_(cache), key_(key), flight_(std::move(flight)) {}
  Landing(const Landing&) = delete;
  Landing& operator=(const Landing&) = delete;
  ~Landing() { land(transient("cache_load_ended", "the load of a cached value ended early")); }
  void land(Result<std::string> result) {
    if (!flight_) return;
    const std::lock_guard lock(cache_.flights_mutex_);
    flight_->result = std::move(result);
    flight_->changed.notify_all();
    const auto mine = cache_.flights_.find(key_);
    if (mine != cache_.flights_.end() && mine->second == flight_) cache_.flights_.erase(mine);
    flight_.reset();
  }

 private:
  Cache& cache_;
  const Key& key_;
  std::shared_ptr<Flight> flight_;
};

Cache::Cache(std::shared_ptr<CacheBackend> backend, const Clock& clock, IdGenerator& ids, telemetry::Log log,
             telemetry::Metrics* metrics, Options options)
    : backend_(std::move(backend)), clock_(clock), ids_(ids), log_(std::move(log)), options_(options) {
  if (metrics == nullptr) return;
  requests_ =
      metrics->counter({"castiel_cache_requests_total",
                        "Requests to the cache by outcome: hit, stale, miss, unavailable, waited_out.",
                        {"outcome"}});
  failures_total_ = metrics->counter(
      {"castiel_cache_failures_total", "Calls the cache's backend failed, by error.", {"code"}});
}

Cache::~Cache() = default;

std::optional<std::string> Cache::get(const TenantId& tenant, std::string_view key) {
  if (key.size() > kMaxCacheKeyBytes) return {};
  auto found = ask([&] { return backend_->find(tenant, key); });
  count(!found ? "unavailable" : found->fresh ? "hit" : "miss");
  if (!found || !found->fresh) return {};
  return std::move(found->value);
}

void Cache::put(const TenantId& tenant, std::string_view key, std::string_view value, Duration ttl) {
  if (key.size() > kMaxCacheKeyBytes || value.size() > kMaxCacheValueBytes) return;
  tell([&] { return backend_->put(tenant, key, value, {ttl}); });
}

Result<std::string> Cache::load(const TenantId& tenant, std::string_view key, CacheLife life,
                                const Loader& loader) {
  if (key.size() > kMaxCacheKeyBytes) return loader();
  const Key name{tenant, key};
  std::shared_ptr<Flight> flight;
  {
    std::unique_lock lock(flights_mutex_);
    auto& slot = flights_[name];
    if (!slot) {
      slot = flight = std::make_shared<Flight>();
    } else {
      const auto joined = slot;
      const auto deadline = Deadline::after(clock_, options_.wait);
      while (!joined->result && !joined->stale && !deadline.passed())
        joined->changed.wait_for(lock, std::min<Duration>(deadline.remaining(), options_.poll_longest));
      if (joined->result) return *joined->result;
      if (joined->stale) {
        count("stale");
        return *joined->stale;
      }
    }
  }
  if (!flight) {
    count("waited_out");
    return loader();
  }
  Landing landing(*this, name, flight);
  auto result = lead(*flight, name, life, loader);
  landing.land(result);
  return result;
}

Result<std::string> Cache::lead(Flight& flight, const Key& key, CacheLife life, const Loader& loader) {
  const std::string token = ids_.next();
  const auto deadline = Deadline::after(clock_, options_.wait);
  for (Duration pause = options_.poll_first;; pause = std::min(pause * 2, options_.poll_longest)) {
    auto found = ask([&] { return backend_->find_or_claim(key.first, key.second, token, options_.claim); });
    if (!found) {
      count("unavailable");
      return loader();
    }
    if (found->fresh) {
      count("hit");
      return *std::move(found->value);
    }
    if (found->claimed) {
      count("miss");
      if (found->value) {
        const std::lock_guard lock(flights_mutex_);
        flight.stale = found->value;
        flight.changed.notify_all();
      }
      return fill(key, life, loader, token, found->value);
    }
    if (found->value) {
      count("stale");
      return *std::move(found->value);
    }
    // Another process loads it.
    if (deadline.passed()) {
      count("waited_out");
      return loader();
    }
    std::unique_lock lock(flights_mutex_);
    flight.changed.wait_for(lock, std::min(pause, deadline.remaining()));
  }
}

Result<std::string> Cache::fill(const Key& key, CacheLife life, const Loader& loader,
                                const std::string& token, const std::optional<std::string>& stale) {
  auto value = loader();
  if (value && value->size() <= kMaxCacheValueBytes) {
    ask([&] { return backend_->fill(key.first, key.second, *value, life, token); });
    return value;
  }
  if (!value && value.error().cls == ErrorClass::permanent) {
    forget(key);
    return value;
  }
  tell([&] { return backend_->give_up(key.first, key.second, token); });
  if (!value && stale) return *stale;
  return value;
}

void Cache::remove(const TenantId& tenant, std::string_view key) {
  if (key.empty() || key.size() > kMaxCacheKeyBytes) return;
  forget({tenant, std::string(key)});
}

void Cache::erase(const TenantId& tenant) {
  forget({tenant, {}});
}

void Cache::about_to_change(const TenantId& tenant, std::string_view key) {
  if (key.size() > kMaxCacheKeyBytes) return;
  const std::string token = ids_.next();
  tell([&] { return backend_->hold(tenant, key, token, options_.claim); });
}

// The backend first: a load that joins a flight after it has what the backend had before.
void Cache::forget(const Key& key) {
  if (!tell([&] { return remove_from_backend(key); })) {
    const std::lock_guard lock(health_mutex_);
    if (owed_.size() < options_.owed_removals) {
      owed_.insert(key);
    } else {
      log_.error("cache_removal_lost", {{"tenant", key.first}, {"key", key.second}});
    }
  }
  const std::lock_guard lock(flights_mutex_);
  if (!key.second.empty()) {
    flights_.erase(key);
  } else {
    std::erase_if(flights_, [&](const auto& entry) { return entry.first.first == key.first; });
  }
}

Result<> Cache::remove_from_backend(const Key& key) {
  return key.second.empty() ? backend_->erase(key.first) : backend_->remove(key.first, key.second);
}

template <class Question>
auto Cache::ask(const Question& question) -> std::optional<typename decltype(question())::value_type> {
  if (!may_ask() || !pay_owed()) return {};
  auto answer = question();
  if (!answer) {
    failed(answer.error());
    return {};
  }
  worked();
  return *std::move(answer);
}

bool Cache::tell(const std::function<Result<>()>& command) {
  return ask([&]() -> Result<bool> {
           CASTIEL_TRY(command());
           return true;
         })
      .has_value();
}

// One caller at a time finds out whether a failing backend is back.
bool Cache::may_ask() {
  const std::lock_guard lock(health_mutex_);
  if (failures_ < options_.failures_to_pause) return true;
  const Duration now = clock_.monotonic();
  if (now < ask_again_) return false;
  ask_again_ = now + pause_;
  return true;
}

// Nothing may be read before it: a value that should have gone would be taken for good.
bool Cache::pay_owed() {
  std::set<Key> owed;
  {
    const std::lock_guard lock(health_mutex_);
    if (owed_.empty()) return true;
    owed = owed_;
  }
  const std::unique_lock paying(paying_mutex_, std::try_to_lock);
  if (!paying) return false;
  for (const auto& key : owed) {
    if (const auto removed = remove_from_backend(key); !removed) {
      failed(removed.error());
      return false;
    }
    const std::lock_guard lock(health_mutex_);
    owed_.erase(key);
  }
  return true;
}

void Cache::failed(const Error& error) {
  if (failures_total_) failures_total_->with({error.code}).add();
  bool pausing = false;
  {
    const std::lock_guard lock(health_mutex_);
    if (++failures_ >= options_.failures_to_pause) {
      pause_ = pause_ == Duration(0) ? options_.pause_first : std::min(pause_ * 2, options_.pause_longest);
      ask_again_ = clock_.monotonic() + pause_;
      pausing = failures_ == options_.failures_to_pause;
    }
  }
  if (pausing)
    log_.warn("cache_unavailable",
              {{"backend", backend_->name()}, {"code", error.code}, {"message", error.describe()}});
}

void Cache::worked() {
  bool back = false;
  {
    const std::lock_guard lock(health_mutex_);
    back = failures_ >= options_.failures_to_pause;
    failures_ = 0;
    pause_ = ask_again_ = Duration(0);
  }
  if (back) log_.info("cache_available", {{"backend", backend_->name()}});
}

void Cache::count(std::string_view outcome) const {
  if (requests_) requests_->with({outcome}).add();
}

}  // namespace castiel::storage
