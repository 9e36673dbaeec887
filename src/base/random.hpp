#pragma once
// Randomness as a port, and the time-ordered identifiers made from it.

#include <cstdint>
#include <mutex>
#include <string>

#include "base/clock.hpp"

namespace castiel {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound), bound > 0
  double uniform();                          // uniform in [0, 1)
};

// The kernel's generator (getrandom). Thread-safe.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override;
};

// xoshiro256** seeded through splitmix64 (Blackman and Vigna): same seed, same numbers. Not thread-safe.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed);
  std::uint64_t next() override;

 private:
  std::uint64_t state_[4];
};

// Time-ordered ids: 26 characters of Crockford base 32, 48 bits of milliseconds and 80 of randomness,
// strictly increasing within one generator even inside one millisecond (the ULID layout). Thread-safe.
class IdGenerator {
 public:
  IdGenerator(const Clock& clock, Random& random) : clock_(&clock), random_(&random) {}
  std::string next();

 private:
  const Clock* clock_;
  Random* random_;
  std::mutex mutex_;
  std::int64_t last_millis_ = -1;
  std::uint16_t high_ = 0;  // the upper 16 of the 80 random bits
  std::uint64_t low_ = 0;   // the lower 64
};

}  // namespace castiel
