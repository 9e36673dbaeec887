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

// What was closed at `as_of` and known at `known_at`. The sample is by sampling_hash: the same every time.
ClosedDeals closed_deals(std::span<const Deal> deals, Timestamp as_of, Timestamp known_at, int max_deals);

// Instants spread evenly over the time a deal was open, shifted by a phase of its own: a quarter of the
// median won cycle apart, or further where more than `max` would be needed. Each stands for the stretch of
// time around it, so that a deal that stays open longer counts for more, as it does for whoever looks at the
// pipeline on some day: learning from one look a deal would make the remaining time too short and favour
// deals that end early.
struct Snapshots {
  std::vector<Timestamp> times;
  double stretch = 1;  // what one of them stands for, in quarters of the median won cycle
};
Snapshots snapshots(const Deal& deal, Timestamp until, const TenantFacts& facts, int max);

// Weights add up to the number of deals: that is how much they tell, however often each is looked at.
std::vector<Example> win_examples(const ClosedDeals& closed, const Encoder& encoder, const TenantFacts& facts,
                                  Timestamp known_at, int max_snapshots);
std::vector<Landmark> landmarks(const ClosedDeals& closed, std::span<const Deal> deals,
                                const TenantFacts& facts, Timestamp as_of, Timestamp known_at,
                                int max_snapshots, int max_deals);

}  // namespace castiel::intelligence::impl
