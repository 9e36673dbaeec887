#pragma once
// All scores of a deal, or of all open deals, in one call. Pure; any thread.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "intelligence/engagement.hpp"
#include "intelligence/probability.hpp"
#include "intelligence/recommend.hpp"
#include "intelligence/risk.hpp"

namespace castiel::intelligence {

struct Evaluation {
  DealView view;  // points into the deal
  Prediction prediction;
  Risk risk;
  std::vector<Recommendation> recommendations;
};

// The median probability of open deals by stage; empty text for deals without a stage.
using PeerProbabilities = std::map<std::string, double, std::less<>>;
PeerProbabilities peer_probabilities(const WinModel& model, std::span<const Deal> deals, Timestamp as_of,
                                     Timestamp known_at);

Evaluation evaluate(const WinModel& model, const Deal& deal, Timestamp as_of, Timestamp known_at,
                    const PeerProbabilities& peers = {}, const RiskOptions& options = {},
                    std::span<const DealContact> account_contacts = {},
                    const EngagementView* engagement = nullptr);

}  // namespace castiel::intelligence
