#pragma once
// The risk factors that come from what is linked to a deal. Pure; any thread.

#include <optional>
#include <vector>

#include "intelligence/risk.hpp"

namespace castiel::intelligence::impl {

// `position`: of the deal's stage, 0..1; nothing where it is unknown.
std::vector<RiskFactor> engagement_factors(const DealView& view, const EngagementView& talk,
                                           std::optional<double> position, const RiskOptions& options);

}  // namespace castiel::intelligence::impl
