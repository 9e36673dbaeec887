#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "linking/strategies.hpp"
#include "model/entity.hpp"

namespace castiel::linking {
namespace {

constexpr double kAttachOver = 80, kSuggestFrom = 60;
constexpr double kHighest = 99;         // without an explicit reference
constexpr double kAgreement = 0.5;      // a further strategy counts as half independent
constexpr double kChance = 0.4;         // confidence from which on a further strategy adds anything
constexpr double kPriorDecisions = 10;  // decisions our own figure is worth
constexpr std::size_t kMaxEvidence = 8;

struct Band {
  double low, high;
};
Band band_of(std::string_view name) {
  if (name == strategy::kParticipant) return {80, 90};
  if (name == strategy::kContent) return {60, 80};
  if (name == strategy::kTemporal) return {40, 60};
  if (name == strategy::kVector) return {30, 50};
  return {0, 100};
}

}  // namespace

double calibrated(std::string_view name, double confidence, const Feedback& feedback) {
  if (name == strategy::kExplicit || name == strategy::kUser) return confidence;
  const auto it = feedback.find(name);
  if (it == feedback.end()) return confidence;
  const double yes = static_cast<double>(it->second.approved), no = static_cast<double>(it->second.rejected);
  const double p = (kPriorDecisions * confidence / 100 + yes) / (kPriorDecisions + yes + no);
  // What was below the band (a mass that several share) stays below.
  const auto band = band_of(name);
  return std::clamp(p * 100, std::min(band.low, confidence), std::max(band.high, confidence));
}

std::vector<Decided> decide(std::vector<Signal> signals, const Feedback& feedback) {
  for (auto& s : signals) s.confidence = calibrated(s.strategy, s.confidence, feedback);
  std::ranges::stable_sort(signals,
                           [](const Signal& a, const Signal& b) { return a.confidence > b.confidence; });
  std::map<ShardId, std::vector<const Signal*>> by_target;
  for (const auto& s : signals) by_target[s.to].push_back(&s);

  std::vector<Decided> all;
  for (const auto& [to, list] : by_target) {
    const Signal& best = *list.front();
    Decided d{to, best.to_type, best.strategy, 0, "", best.reason, {}, best.inherited};
    double wrong = 1 - best.confidence / 100;
    std::vector<std::string_view> counted{best.strategy};
    for (const auto* s : list) {
      if (d.evidence.size() < kMaxEvidence) {
        auto evidence = s->evidence;
        evidence["strategy"] = s->strategy;
        evidence["reason"] = s->reason;
        d.evidence.push_back(std::move(evidence));
      }
      // Each strategy counts once: two mentions of a name are no two reasons.
      if (std::ranges::find(counted, s->strategy) != counted.end()) continue;
      counted.push_back(s->strategy);
      wrong *= 1 - kAgreement * std::max(0.0, s->confidence / 100 - kChance);
      d.reason += "; " + s->reason;
    }
    double confidence = (1 - wrong) * 100;
    if (best.strategy != strategy::kExplicit) confidence = std::min(confidence, kHighest);
    d.confidence = static_cast<int>(std::lround(confidence));
    all.push_back(std::move(d));
  }

  const auto over = [&](const Decided& d) {
    return d.to_type == model::type::kOpportunity && d.confidence > kAttachOver;
  };
  const auto rivals = std::ranges::count_if(all, over);
  for (auto& d : all) {
    // A mail with two customers' people is about both: only deals compete.
    const bool alone = d.to_type != model::type::kOpportunity || rivals == 1;
    if (d.strategy == strategy::kExplicit || (d.confidence > kAttachOver && alone)) {
      d.status = "attached";
    } else {
      d.status = d.confidence >= kSuggestFrom ? "suggested" : "ignored";
    }
  }
  std::ranges::stable_sort(all, [](const Decided& a, const Decided& b) {
    return a.confidence != b.confidence ? a.confidence > b.confidence : a.to < b.to;
  });
  return all;
}

}  // namespace castiel::linking
