#pragma once
// A made-up sales organisation with a known truth: deals with full histories whose outcomes were drawn from
// probabilities the generator knows. Owned by one test; the same seed gives the same world.

#include <cstdint>
#include <vector>

#include "base/random.hpp"
#include "intelligence/deal.hpp"

namespace castiel::intelligence::testing {

struct WorldOptions {
  std::uint64_t seed = 1;
  int deals = 1000;
  Date start = Date{17167};  // 2017-01-01
  int days = 1000;           // deals are created over so many days
  double signal = 1;         // 0: nothing about a deal tells its outcome
  double base_rate = .35;
  double median_days = 60;  // of a deal's life
  double month_shock =
      0;                 // standard deviation of a common swing of all deals that end in one month, log-odds
  double zombies = .03;  // share of deals that never close
  bool history = true;
};

struct World {
  std::vector<Deal> deals;    // as known at the end: `start + days` plus the longest life
  std::vector<double> truth;  // probability each was drawn with
  Timestamp end;
};

World make_world(const WorldOptions& options);

}  // namespace castiel::intelligence::testing
