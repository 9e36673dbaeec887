#include "intelligence/probability.hpp"

#include <algorithm>
#include <cmath>

#include "intelligence/impl/days.hpp"
#include "intelligence/impl/parts.hpp"

namespace castiel::intelligence {
namespace {

constexpr double kHalfInterval = 1.2816;  // of a normal distribution: 80 % lie within so many deviations
constexpr double kSmallestEffect = 0.01;  // log-odds worth showing
constexpr int kHorizonWeeks = 130;

std::vector<Contribution> explain_score(const ModelParts& parts, const DealView& view,
                                        const impl::Example& example) {
  std::vector<Contribution> result;
  for (int f = 0; f < impl::kFeatureCount; ++f) {
    const double effect = parts.platt.slope * (parts.weights[example.bins[f]] - parts.centers[f]);
    if (std::abs(effect) < kSmallestEffect) continue;
    const auto feature = static_cast<impl::Feature>(f);
    result.push_back({std::string(impl::Encoder::id(feature)), std::string(impl::Encoder::label(feature)),
                      parts.encoder.value(feature, view), effect, parts.encoder.evidence(feature, view)});
  }
  std::ranges::stable_sort(result, std::ranges::greater(),
                           [](const Contribution& c) { return std::abs(c.effect); });
  return result;
}

}  // namespace

std::string_view to_string(Basis basis) {
  switch (basis) {
    case Basis::blend:
      return "blend";
    case Basis::tenant:
      return "tenant";
    case Basis::prior:
      break;
  }
  return "prior";
}

const TenantFacts& WinModel::facts() const {
  return parts_->facts;
}
const Quality& WinModel::quality() const {
  return parts_->quality;
}
Timestamp WinModel::as_of() const {
  return parts_->as_of;
}
double WinModel::shock_sd(int days) const {
  return days <= 45 ? parts_->shock_month : parts_->shock_quarter;
}

Prediction predict(const WinModel& model, const DealView& view, bool explain) {
  const ModelParts& parts = model.parts();
  Prediction prediction;
  prediction.basis = parts.quality.basis;
  prediction.n = parts.quality.n;
  double base = parts.weights[0];
  for (const double center : parts.centers) base += center;
  prediction.base = parts.platt(base);
  if (view.status != Status::open) {
    prediction.value = prediction.low = prediction.high = view.status == Status::won ? 1 : 0;
    return prediction;
  }
  const impl::Example example = parts.encoder.encode(view);
  const double score = parts.platt(impl::score(example, impl::kFeatureCount, parts.weights));
  const double variance =
      parts.platt.slope * parts.platt.slope *
          impl::score_variance(example, impl::kFeatureCount, parts.covariance, parts.weights.size()) +
      parts.shock_quarter * parts.shock_quarter;
  const double half = kHalfInterval * std::sqrt(variance);
  prediction.value = impl::sigmoid(score);
  prediction.low = impl::sigmoid(score - half);
  prediction.high = impl::sigmoid(score + half);
  if (explain) prediction.contributions = explain_score(parts, view, example);
  return prediction;
}

CloseTimes close_times(const WinModel& model, const DealView& view, double win_probability) {
  CloseTimes times;
  times.as_of = view.as_of;
  times.won.assign(kHorizonWeeks, 0);
  times.lost.assign(kHorizonWeeks, 0);
  if (view.status != Status::open) {
    std::ranges::fill(view.status == Status::won ? times.won : times.lost, 1.0);
    return times;
  }
  const ModelParts& parts = model.parts();
  impl::Landmark landmark;
  landmark.age_days = view.age_days;
  landmark.days_to_close = view.days_to_close;
  landmark.stage_bin = impl::stage_bin(view, parts.facts);
  const auto incidence = parts.hazards.incidence(landmark, kHorizonWeeks);
  // The hazards say when, the scorecard says whether: each outcome's times are scaled to its probability, and
  // all of it to the share of such deals that close at all.
  const double won = incidence.won.back(), lost = incidence.lost.back(), closes = won + lost;
  for (std::size_t week = 0; week < times.won.size(); ++week) {
    times.won[week] = won > 0 ? win_probability * closes * incidence.won[week] / won : 0;
    times.lost[week] = lost > 0 ? (1 - win_probability) * closes * incidence.lost[week] / lost : 0;
  }
  if (view.close_date) {
    times.slip = std::clamp(1 - times.won_by(*view.close_date) - times.lost_by(*view.close_date), 0.0, 1.0);
  }
  return times;
}

namespace {

double at_day(const std::vector<double>& by_week, Timestamp as_of, Date day) {
  const double days =
      static_cast<double>(impl::end_of(day).micros - as_of.micros) / static_cast<double>(impl::kDayMicros);
  if (days <= 0 || by_week.empty()) return 0;
  const double weeks = days / 7;
  const auto whole = static_cast<std::size_t>(weeks);
  if (whole >= by_week.size()) return by_week.back();
  const double before = whole == 0 ? 0 : by_week[whole - 1];
  return before + (weeks - static_cast<double>(whole)) * (by_week[whole] - before);
}

}  // namespace

double CloseTimes::won_by(Date day) const {
  return at_day(won, as_of, day);
}
double CloseTimes::lost_by(Date day) const {
  return at_day(lost, as_of, day);
}

std::optional<Date> CloseTimes::closed_by(double share) const {
  if (won.empty()) return std::nullopt;
  const double goal = share * (won.back() + lost.back());
  if (goal <= 0) return std::nullopt;
  for (std::size_t week = 0; week < won.size(); ++week) {
    if (won[week] + lost[week] >= goal) return date_of(as_of) + static_cast<int>(7 * week + 6);
  }
  return std::nullopt;
}

}  // namespace castiel::intelligence
