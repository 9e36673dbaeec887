#pragma once
// A TCP proxy in front of a server, for tests: passes bytes on until it is told to be a bad network. Listens
// on a free port of loopback. One thread of its own; any thread may call.

#include <chrono>
#include <cstdint>
#include <memory>

namespace castiel::conservation {

class FaultProxy {
 public:
  using Millis = std::chrono::milliseconds;

  FaultProxy(std::uint16_t target, std::uint64_t seed);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;
  std::uint16_t port() const;

  // What is sent from now on arrives so much later, in each direction; the order stays.
  void delay(Millis each);
  // Half-open: connections stay, and what is sent over them arrives nowhere; new ones are taken up alike.
  // When the network is whole again, their peers have forgotten them: whoever sends something is answered by
  // a reset.
  void stall();
  // About this share of the connections ends in the middle of what is sent next over it: by a reset, or by an
  // end of the stream, so that a part arrives and looks like all there is.
  void cut(double share, bool reset);
  // Whole again. Delays and stalls end; connections that were to be cut and were silent stay.
  void heal();

  struct Counts {
    std::int64_t connections = 0, stalled = 0, forgotten = 0, reset = 0, truncated = 0, bytes = 0;
  };
  Counts counts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::conservation
