#include "intelligence/evaluate.hpp"

#include <algorithm>

namespace castiel::intelligence {

PeerProbabilities peer_probabilities(const WinModel& model, std::span<const Deal> deals, Timestamp as_of,
                                     Timestamp known_at) {
  std::map<std::string, std::vector<double>, std::less<>> by_stage;
  for (const Deal& deal : deals) {
    const DealView view = view_as_of(deal, as_of, known_at, &model.facts());
    if (!view.exists || view.status != Status::open) continue;
    by_stage[std::string(view.stage.value_or(""))].push_back(predict(model, view, false).value);
  }
  PeerProbabilities peers;
  for (auto& [stage, values] : by_stage) {
    if (values.size() < 3) continue;  // no cohort
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    peers[stage] = *middle;
  }
  return peers;
}

Evaluation evaluate(const WinModel& model, const Deal& deal, Timestamp as_of, Timestamp known_at,
                    const PeerProbabilities& peers, const RiskOptions& options,
                    std::span<const DealContact> account_contacts, const EngagementView* engagement) {
  Evaluation result;
  result.view = view_as_of(deal, as_of, known_at, &model.facts());
  result.prediction = predict(model, result.view);
  const auto peer = peers.find(result.view.stage.value_or(""));
  result.risk = assess(result.view, model.facts(), result.prediction, peer == peers.end() ? -1 : peer->second,
                       options, engagement);
  result.recommendations = recommend(result.view, model.facts(), result.risk, account_contacts, engagement);
  return result;
}

}  // namespace castiel::intelligence
