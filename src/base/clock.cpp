#include "base/clock.hpp"

namespace castiel {

Timestamp SystemClock::now() const {
  using namespace std::chrono;
  return {duration_cast<Duration>(system_clock::now().time_since_epoch()).count()};
}

Duration SystemClock::monotonic() const {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace castiel
