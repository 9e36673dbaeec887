#pragma once
// Training material: closed deals in order of closing, each seen at instants of its life. Pure; any thread.

#include <span>
#include <vector>

#include "intelligence/impl/features.hpp"
#include "intelligence/impl/hazard.hpp"
#include "intelligence/probability.hpp"

namespace castiel::intelligence::impl {

struct ClosedDeals {
  std::vector<const Deal*> deals;  // in order of closing, a sample where there are more than allowed
  std::vector<Timestamp> at;       // when each closed
  int total = 0, won = 0;          // before sampling
};

// What was closed at `as_of` and known at `known_at`. The sample is by hash of the id: the same every time.
ClosedDeals closed_deals(std::span<const Deal> deals, Timestamp as_of, Timestamp known_at, int max_deals);

// Instants spread evenly over the time a deal was open, shifted by a phase of its own, a quarter of the
// median won cycle apart and at most `max` (a deal that stays open longer is met more often, as it is by
// whoever looks at the pipeline on some day).
std::vector<Timestamp> snapshot_times(const Deal& deal, Timestamp until, const TenantFacts& facts, int max);

// Weights are equal for all examples and add up to the number of deals.
std::vector<Example> win_examples(const ClosedDeals& closed, const Encoder& encoder, const TenantFacts& facts,
                                  Timestamp known_at, int max_snapshots);
std::vector<Landmark> landmarks(const ClosedDeals& closed, std::span<const Deal> deals,
                                const TenantFacts& facts, Timestamp as_of, Timestamp known_at,
                                int max_snapshots, int max_deals);

}  // namespace castiel::intelligence::impl
