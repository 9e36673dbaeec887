#pragma once
// Time as a port. Nothing below app/ reads the system's clock; it asks the Clock it was given.

#include "base/time.hpp"

namespace castiel {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;       // wall time, may step
  virtual Duration monotonic() const = 0;  // for deadlines and durations, never steps back
};

// The machine's clock. Thread-safe.
class SystemClock final : public Clock {
 public:
  Timestamp now() const override;
  Duration monotonic() const override;
};

// A clock that moves only when told to. Not thread-safe: one test owns it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start) : now_(start) {}
  Timestamp now() const override { return now_; }
  Duration monotonic() const override { return elapsed_; }
  void advance(Duration d) {
    now_ = now_ + d;
    elapsed_ += d;
  }
  void step_wall_clock(Duration d) { now_ = now_ + d; }

 private:
  Timestamp now_;
  Duration elapsed_{0};
};

// A point of the monotonic clock after which waiting is pointless (BREAK-3). Passed by value.
class Deadline {
 public:
  static Deadline after(const Clock& clock, Duration d) { return Deadline(clock, clock.monotonic() + d); }
  // The earlier of this deadline and `d` from now: an inner call never outlives its outer one.
  Deadline sooner(Duration d) const { return Deadline(*clock_, std::min(at_, clock_->monotonic() + d)); }
  bool passed() const { return clock_->monotonic() >= at_; }
  Duration remaining() const { return std::max(Duration(0), at_ - clock_->monotonic()); }

 private:
  Deadline(const Clock& clock, Duration at) : clock_(&clock), at_(at) {}
  const Clock* clock_;
  Duration at_;
};

}  // namespace castiel
