#pragma once
// The random parts of a forecast: what deals that do not exist yet bring, and draws from known distributions.

#include <span>
#include <vector>

#include "base/random.hpp"
#include "intelligence/calendar.hpp"
#include "intelligence/deal.hpp"

namespace castiel::intelligence::impl {

// A won deal, for the parts that need only this much.
struct WonDeal {
  Date created;
  Timestamp at;
  double amount;
};

// Mean and variance of what deals created after as_of will bring in a period: what deals created after the
// start of past windows of the same shape brought in them. At most 16 windows back, a quarter of a window
// apart.
struct NewBusiness {
  double mean = 0, variance = 0;
  double chance = 0;  // the part of the variance that comes from few and unequal deals alone
  int windows = 0;
};
// `first`: the earliest day the data covers.
NewBusiness new_business(std::span<const WonDeal> won, Date first, Timestamp as_of, const Period& period);

// Standard normal quantile (Acklam's rational approximation, relative error under 1.2e-9).
double normal_quantile(double p);
double draw_normal(Random& random);
// Gamma with a mean and a variance (Marsaglia and Tsang, 2000); the mean itself where the variance is 0.
double draw_gamma(Random& random, double mean, double variance);

// The q-quantile of a sample, which is reordered.
double sample_quantile(std::vector<double>& sample, double q);

}  // namespace castiel::intelligence::impl
