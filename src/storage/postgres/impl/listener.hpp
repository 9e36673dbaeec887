#pragma once
// Whom to call when something happened; exchanged and called by any thread.

#include <functional>
#include <mutex>
#include <utility>

namespace castiel::storage::postgres {

class Listener {
 public:
  void set(std::function<void()> call) {
    std::lock_guard lock(mutex_);
    call_ = std::move(call);
  }
  void tell() const {
    std::function<void()> call;
    {
      std::lock_guard lock(mutex_);
      call = call_;
    }
    if (call) call();
  }

 private:
  mutable std::mutex mutex_;
  std::function<void()> call_;
};

}  // namespace castiel::storage::postgres
