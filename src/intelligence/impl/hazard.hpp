#pragma once
// When deals close: weekly hazards of winning and of losing by age, by distance to the close date stated at
// the time of looking, and by stage. Seen from instants of past deals' lives, so what is simulated is what
// was counted.

#include <array>
#include <span>
#include <vector>

#include "intelligence/facts.hpp"
#include "intelligence/impl/features.hpp"
#include "intelligence/probability.hpp"

namespace castiel::intelligence::impl {

// A deal seen at one instant, and what came of it.
struct Landmark {
  std::optional<int> age_days;
  std::optional<int> days_to_close;
  int stage_bin = 0;      // 0 unknown, 1 early, 2 middle, 3 late
  int days_observed = 0;  // until it closed, or until now
  Status outcome = Status::open;
  double weight = 1;
};

int stage_bin(const DealView& view, const TenantFacts& facts);

class Hazards {
 public:
  Hazards() = default;
  Hazards(const TenantFacts& facts, std::span<const Landmark> landmarks);

  // Cumulative probabilities by week that the deal has been won, and lost, by hazards alone.
  struct Incidence {
    std::vector<double> won, lost;
  };
  Incidence incidence(const Landmark& from, int weeks) const;

 private:
  static constexpr int kDueBins = 9;
  // Stage when looked at, by how long ago that is: an early stage says little about the time three months on.
  static constexpr int kAheadBins = 4;
  static constexpr int kStageBins = 4 * kAheadBins;
  static constexpr int kCells = kAgeBins * kDueBins * kStageBins;
  int cell(const Landmark& from, int week) const;
  std::array<int, 6> age_edges_{};
  std::array<double, kCells> won_{}, lost_{};
};

}  // namespace castiel::intelligence::impl
