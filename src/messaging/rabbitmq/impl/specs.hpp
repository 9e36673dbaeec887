#pragma once
// The queues declared so far. Thread-safe.

#include <mutex>
#include <string_view>
#include <vector>

#include "messaging/broker.hpp"
#include "storage/outbox.hpp"

namespace castiel::messaging::rabbitmq {

class Specs {
 public:
  void add(const QueueSpec& spec) {
    std::lock_guard lock(mutex_);
    std::erase_if(specs_, [&](const auto& s) { return s.name == spec.name; });
    specs_.push_back(spec);
  }
  std::vector<QueueSpec> all() const {
    std::lock_guard lock(mutex_);
    return specs_;
  }
  bool anyone_wants(std::string_view type) const {
    std::lock_guard lock(mutex_);
    for (const auto& spec : specs_) {
      for (const auto& pattern : spec.patterns) {
        if (storage::topic_matches(pattern, type)) return true;
      }
    }
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<QueueSpec> specs_;
};

}  // namespace castiel::messaging::rabbitmq
