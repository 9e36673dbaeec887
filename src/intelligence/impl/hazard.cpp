#include "intelligence/impl/hazard.hpp"

#include <algorithm>
#include <cmath>

namespace castiel::intelligence::impl {
namespace {

constexpr int kMaxWeeks = 156;
constexpr double kLearntShare =
    0.2;  // of closed deals that must show a covariate before its effect is learnt

// Shipped log-odds of closing in a week.
constexpr double kWonBase = -3.6, kLostBase = -3.4;
constexpr std::array<double, kAgeBins> kAgePrior{0, 0, 0, 0, 0, -.2, -1, -2};
// Weeks to the stated close date: unknown, > 26, > 12, > 4, > 1, this fortnight, up to 3 past, up to 8 past,
// more.
constexpr std::array<double, 9> kDuePrior{0, -1.6, -1.2, -.6, 0, 1, .3, -.1, -.8};
constexpr std::array<double, 4> kWonStagePrior{0, -.4, 0, .4};

int due_bin(std::optional<int> days_to_close, int week) {
  if (!days_to_close) return 0;
  const int weeks = static_cast<int>(std::floor(*days_to_close / 7.0)) - week;
  if (weeks > 26) return 1;
  if (weeks > 12) return 2;
  if (weeks > 4) return 3;
  if (weeks > 1) return 4;
  if (weeks >= -1) return 5;
  if (weeks >= -3) return 6;
  return weeks >= -8 ? 7 : 8;
}

int ahead_bin(int week) {
  return week < 2 ? 0 : week < 6 ? 1 : week < 13 ? 2 : 3;
}

}  // namespace

int stage_bin(const DealView& view, const TenantFacts& facts) {
  if (!view.stage) return 0;
  const double position = facts.position_of(*view.stage);
  return position < .35 ? 1 : position < .65 ? 2 : 3;
}

int Hazards::cell(const Landmark& from, int week) const {
  const int age = from.age_days ? age_bin(age_edges_, *from.age_days + 7 * week) : 0;
  return (age * kDueBins + due_bin(from.days_to_close, week)) * kStageBins + ahead_bin(week) * 4 +
         from.stage_bin;
}

Hazards::Hazards(const TenantFacts& facts, std::span<const Landmark> landmarks)
    : age_edges_(age_edges(facts)) {
  double closed = 0, with_due = 0, with_stage = 0;
  for (const Landmark& landmark : landmarks) {
    if (landmark.outcome == Status::open) continue;
    closed += landmark.weight;
    with_due += landmark.days_to_close ? landmark.weight : 0;
    with_stage += landmark.stage_bin > 0 ? landmark.weight : 0;
  }
  // Where closed deals do not show a covariate (no history of it), only deals still open would have it, and
  // all of those did not close: its effect stays the shipped one.
  const bool learn_due = with_due > kLearntShare * closed;
  const bool learn_stage = with_stage > kLearntShare * closed;

  std::vector<double> exposure(kCells), won(kCells), lost(kCells);
  for (Landmark landmark : landmarks) {
    if (!learn_due) landmark.days_to_close.reset();
    if (!learn_stage) landmark.stage_bin = 0;
    const int full_weeks = std::min(landmark.days_observed / 7, kMaxWeeks);
    for (int week = 0; week < full_weeks; ++week) exposure[cell(landmark, week)] += landmark.weight;
    if (landmark.outcome == Status::open || landmark.days_observed / 7 > kMaxWeeks) continue;
    const int last = cell(landmark, full_weeks);
    exposure[last] += landmark.weight;
    (landmark.outcome == Status::won ? won : lost)[last] += landmark.weight;
  }

  constexpr int kDueOffset = 1 + kAgeBins, kStageOffset = kDueOffset + kDueBins;
  constexpr std::size_t kParameters = kStageOffset + kStageBins;
  const auto learn = [&](const std::vector<double>& events, double base,
                         std::span<const double, 4> stage_prior) {
    GaussianPrior prior;
    prior.mean.assign(kParameters, 0);
    prior.precision.assign(kParameters, 4);
    prior.mean[0] = base;
    prior.precision[0] = .5;
    std::ranges::copy(kAgePrior, prior.mean.begin() + 1);
    std::ranges::copy(kDuePrior, prior.mean.begin() + kDueOffset);
    for (int i = 0; i < kStageBins; ++i) {
      // The shipped effect of the stage at the time of looking fades with the weeks.
      prior.mean[kStageOffset + i] = stage_prior[static_cast<std::size_t>(i % 4)] / (1 + i / 4);
    }
    std::vector<Example> examples;
    const auto bins_of = [&](int index) {
      Example example;
      example.bins[0] = static_cast<std::uint16_t>(1 + index / (kDueBins * kStageBins));
      example.bins[1] = static_cast<std::uint16_t>(kDueOffset + index / kStageBins % kDueBins);
      example.bins[2] = static_cast<std::uint16_t>(kStageOffset + index % kStageBins);
      return example;
    };
    for (int index = 0; index < kCells; ++index) {
      if (exposure[index] <= 0) continue;
      Example example = bins_of(index);
      example.weight = exposure[index] - events[index];
      examples.push_back(example);
      example.positive = true;
      example.weight = events[index];
      if (example.weight > 0) examples.push_back(example);
    }
    const auto weights = fit(examples, 3, prior);
    std::array<double, kCells> table{};
    for (int index = 0; index < kCells; ++index) table[index] = sigmoid(score(bins_of(index), 3, weights));
    return table;
  };
  constexpr std::array<double, 4> kNoStagePrior{};
  won_ = learn(won, kWonBase, kWonStagePrior);
  lost_ = learn(lost, kLostBase, kNoStagePrior);
  for (int index = 0; index < kCells; ++index) {  // a deal closes once: the two shares of a week stay below 1
    const double sum = won_[index] + lost_[index];
    if (sum > .98) {
      won_[index] *= .98 / sum;
      lost_[index] *= .98 / sum;
    }
  }
}

Hazards::Incidence Hazards::incidence(const Landmark& from, int weeks) const {
  Incidence result;
  result.won.reserve(static_cast<std::size_t>(weeks));
  result.lost.reserve(static_cast<std::size_t>(weeks));
  double alive = 1, won = 0, lost = 0;
  for (int week = 0; week < weeks; ++week) {
    const int index = cell(from, week);
    won += alive * won_[index];
    lost += alive * lost_[index];
    alive *= 1 - won_[index] - lost_[index];
    result.won.push_back(won);
    result.lost.push_back(lost);
  }
  return result;
}

}  // namespace castiel::intelligence::impl
