#include "messaging/patience.hpp"

namespace castiel::messaging {

bool Patience::wait(const TenantId& tenant, const std::string& what, bool busy) {
  std::lock_guard lock(mutex_);
  const std::pair key(tenant, what);
  if (!busy) {
    since_.erase(key);
    return false;
  }
  const Duration now = clock_->monotonic();
  auto found = since_.find(key);
  if (found == since_.end()) {
    if (since_.size() >= kMaxWatched) return false;
    found = since_.emplace(key, now).first;
  }
  if (now - found->second < longest_) return true;
  found->second = now;
  return false;
}

}  // namespace castiel::messaging
