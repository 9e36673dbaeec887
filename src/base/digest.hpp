#pragma once
// SHA-256, the one content hash: file identity, record identity, checksums.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace castiel {

// Streaming SHA-256 (FIPS 180-4). One owner, one thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  std::array<std::uint8_t, 32> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view bytes);
std::string to_hex(std::string_view bytes);
std::string to_base64(std::string_view bytes);  // RFC 4648, padded

// A fast 64-bit hash for partitions and change detection, never for trust. The same value on every
// machine and in every release: stored data depends on it (XXH64 with seed 0).
std::uint64_t stable_hash(std::string_view bytes);

}  // namespace castiel
