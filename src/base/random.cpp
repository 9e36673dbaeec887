#include "base/random.hpp"

#include <sys/random.h>

#include <cstdlib>

namespace castiel {

std::uint64_t Random::below(std::uint64_t bound) {
  const std::uint64_t limit = bound * (UINT64_MAX / bound);
  std::uint64_t value = next();
  while (value >= limit) value = next();
  return value % bound;
}

double Random::uniform() {
  return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

std::uint64_t SystemRandom::next() {
  std::uint64_t value = 0;
  if (getrandom(&value, sizeof value, 0) != sizeof value)
    std::abort();  // no kernel randomness: nothing is safe
  return value;
}

SeededRandom::SeededRandom(std::uint64_t seed) {
  for (auto& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    word = z ^ (z >> 31);
  }
}

std::uint64_t SeededRandom::next() {
  const auto rotl = [](std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); };
  const std::uint64_t result = rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = rotl(state_[3], 45);
  return result;
}

std::string IdGenerator::next() {
  static constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::lock_guard lock(mutex_);
  const std::int64_t millis = clock_->now().micros / 1000;
  if (millis > last_millis_) {
    last_millis_ = millis;
    high_ = static_cast<std::uint16_t>(random_->next() & 0x7fff);  // the top bit stays free for carries
    low_ = random_->next();
  } else if (++low_ == 0) {
    ++high_;
  }
  std::string text(26, '0');
  auto time = static_cast<std::uint64_t>(last_millis_);
  for (int i = 9; i >= 0; --i, time >>= 5) text[i] = kAlphabet[time & 31];
  __extension__ typedef unsigned __int128 Wide;
  Wide bits = (static_cast<Wide>(high_) << 64) | low_;
  for (int i = 25; i >= 10; --i, bits >>= 5) text[i] = kAlphabet[static_cast<unsigned>(bits & 31)];
  return text;
}

}  // namespace castiel
