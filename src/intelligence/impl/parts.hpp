#pragma once
// What a WinModel is made of. Immutable once built; shared by copies of the model.

#include "intelligence/impl/features.hpp"
#include "intelligence/impl/hazard.hpp"
#include "intelligence/impl/logistic.hpp"
#include "intelligence/probability.hpp"

namespace castiel::intelligence {

struct ModelParts {
  Timestamp as_of;
  TenantFacts facts;
  impl::Encoder encoder;
  std::vector<double> weights;
  std::vector<double> covariance;
  std::vector<double> centers;  // by feature: the mean weight over the examples
  impl::Platt platt;
  impl::Hazards hazards;
  Quality quality;
  double shock_month = .35, shock_quarter = .35;  // log-odds
};

}  // namespace castiel::intelligence
