#pragma once
// Context: what every call carries down with it. Copied freely; the attempt budget is shared by copies.

#include <atomic>
#include <memory>

#include "base/clock.hpp"
#include "base/ids.hpp"

namespace castiel {

// The number of tries left to one piece of work over all layers (RETRY-1): the ceilings of the layers
// never multiply, because each spends from here. Thread-safe.
class AttemptBudget {
 public:
  explicit AttemptBudget(int attempts) : left_(attempts) {}
  // Takes one try; false when none is left.
  bool spend() { return left_.fetch_sub(1, std::memory_order_relaxed) > 0; }
  int left() const { return std::max(0, left_.load(std::memory_order_relaxed)); }

 private:
  std::atomic<int> left_;
};

struct Context {
  TenantId tenant;
  CorrelationId correlation;
  Deadline deadline;
  std::string traceparent;  // W3C trace context, may be empty
  std::shared_ptr<AttemptBudget> attempts;
};

}  // namespace castiel
