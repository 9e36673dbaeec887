#pragma once
// The pause before the next try to connect: doubles, with jitter, so that processes do not come back in step.
// One thread.

#include <algorithm>
#include <cstdint>
#include <functional>

#include "base/time.hpp"

namespace castiel::messaging::rabbitmq {

// Uniform in [0, bound); thread-safe.
using Below = std::function<std::uint64_t(std::uint64_t bound)>;

class Backoff {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(200);
  static constexpr Duration kLongest = std::chrono::seconds(10);

  explicit Backoff(Below below) : below_(std::move(below)) {}
  // Between half and all of the present pause; the one after is twice as long.
  Duration next() {
    const Duration pause = pause_;
    pause_ = std::min(pause_ * 2, kLongest);
    return pause / 2 +
           Duration(static_cast<std::int64_t>(below_(static_cast<std::uint64_t>(pause.count() / 2))));
  }
  void reset() { pause_ = kFirst; }

 private:
  Below below_;
  Duration pause_ = kFirst;
};

}  // namespace castiel::messaging::rabbitmq
