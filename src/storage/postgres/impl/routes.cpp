#include "storage/postgres/impl/routes.hpp"

#include <algorithm>

namespace castiel::storage::postgres {

void Routes::set(std::int64_t version, std::vector<Binding> bindings) {
  std::lock_guard lock(mutex_);
  if (version <= version_) return;
  version_ = version;
  bindings_ = std::move(bindings);
  resolved_.clear();
}

std::int64_t Routes::version() const {
  std::lock_guard lock(mutex_);
  return version_;
}

std::vector<std::string> Routes::queues_for(const std::string& type) const {
  std::lock_guard lock(mutex_);
  const auto [it, fresh] = resolved_.try_emplace(type);
  if (fresh) {
    for (const auto& binding : bindings_) {
      if (topic_matches(binding.pattern, type) &&
          std::ranges::find(it->second, binding.queue) == it->second.end())
        it->second.push_back(binding.queue);
    }
  }
  return it->second;
}

}  // namespace castiel::storage::postgres
