#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "intelligence/calendar.hpp"
#include "intelligence/impl/days.hpp"
#include "intelligence/impl/examples.hpp"
#include "intelligence/impl/parts.hpp"

namespace castiel::intelligence {
namespace {

using impl::Example;
using impl::GaussianPrior;
using impl::kFeatureCount;

constexpr int kOwnWeights = 200;        // closed deals from which the weights count as the tenant's own
constexpr int kEnoughToValidate = 100;  // closed deals, with at least kEnoughOfEach won and lost
constexpr int kEnoughOfEach = 15;
// Deals in order of closing are cut into blocks, and every fifth block makes a fold: whole stretches of time
// are left out, so that deals of one month do not vouch for each other.
constexpr int kBlocks = 10;
constexpr int kFolds = 5;
constexpr double kMostAgeShrinkage = 5;
constexpr double kUnseenShare = .05;  // of examples that show a feature; below it counts as not in the data
constexpr double kUnseenDeals = 50;   // closed deals that halve the trust in shipped means of such a feature
constexpr double kCalibrationGain = .001;  // log loss a calibration step must save on unseen deals
constexpr double kSelectionGain = .0005;   // log loss below which two shrinkages are as good as each other
constexpr double kPriorShock = .35;        // log-odds
constexpr double kPriorShockPeriods = 3;

// How strongly the weights are held, and whether to the shipped means or to zero.
struct Shrinkage {
  double means;      // share of the shipped means
  double precision;  // factor on the shipped precisions
};
constexpr std::array kShrinkages{Shrinkage{1, 1}, Shrinkage{1, .3}, Shrinkage{0, 1}, Shrinkage{0, 5},
                                 Shrinkage{0, 1e5}};

struct Shown {
  std::vector<double> bins;      // weight of examples by parameter
  std::vector<double> features;  // share of examples that show the feature
};

Shown shown_by(std::span<const Example> examples, const impl::Encoder& encoder) {
  Shown shown{std::vector<double>(encoder.parameters()), std::vector<double>(kFeatureCount)};
  double total = 0;
  for (const Example& example : examples) {
    total += example.weight;
    for (int f = 0; f < kFeatureCount; ++f) {
      shown.bins[example.bins[f]] += example.weight;
      if (!encoder.is_unknown(static_cast<impl::Feature>(f), example.bins[f]))
        shown.features[f] += example.weight;
    }
  }
  for (double& share : shown.features) share = total > 0 ? share / total : 0;
  return shown;
}

GaussianPrior prior_for(const impl::Encoder& encoder, const Shown& shown, double closed,
                        const Shrinkage& shrinkage) {
  GaussianPrior prior = encoder.prior();
  for (int f = 0; f < kFeatureCount; ++f) {
    const auto feature = static_cast<impl::Feature>(f);
    const double trust =
        shown.features[f] < kUnseenShare ? kUnseenDeals / (kUnseenDeals + closed) : shrinkage.means;
    for (int local = 0; local < encoder.bins(feature); ++local) {
      const int index = encoder.global_bin(feature, local);
      // Ages no deal was ever closed at: nothing in the data speaks against the shipped mean.
      const bool beyond =
          feature == impl::Feature::age && local >= impl::kFirstAgeBinBeyondWon && shown.bins[index] < 2;
      if (!beyond) {
        prior.mean[index] *= trust;
        // Deals that end early and late differ even where nothing else tells: age is never switched off.
        prior.precision[index] *= feature == impl::Feature::age
                                      ? std::min(shrinkage.precision, kMostAgeShrinkage)
                                      : shrinkage.precision;
      }
    }
  }
  return prior;
}

// Predictions for deals a model did not see.
struct Unseen {
  std::vector<impl::Scored> scored;
  std::vector<std::uint32_t> deals;
  std::vector<double> base;  // win rate of the deals learnt from
};

int fold_of(std::size_t deal, std::size_t deals) {
  return static_cast<int>(deal * kBlocks / std::max<std::size_t>(deals, 1)) % kFolds;
}

// Each fold of whole blocks, predicted by a model of the other folds.
Unseen predict_unseen(std::span<const Example> examples, std::size_t deals, const GaussianPrior& prior,
                      std::vector<std::vector<double>>& starts) {
  std::vector<double> scores(examples.size()), bases(examples.size());
  std::vector<Example> others;
  others.reserve(examples.size());
  for (int fold = 0; fold < kFolds; ++fold) {
    others.clear();
    double won = 0, total = 0;
    for (const Example& example : examples) {
      if (fold_of(example.deal, deals) == fold) continue;
      others.push_back(example);
      won += example.positive ? example.weight : 0;
      total += example.weight;
    }
    auto& start = starts[static_cast<std::size_t>(fold)];
    start = impl::fit(others, kFeatureCount, prior, start, 5);
    for (std::size_t i = 0; i < examples.size(); ++i) {
      if (fold_of(examples[i].deal, deals) != fold) continue;
      scores[i] = impl::score(examples[i], kFeatureCount, start);
      bases[i] = total > 0 ? won / total : impl::kPriorWinRate;
    }
  }
  Unseen unseen;
  unseen.base = std::move(bases);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    unseen.scored.push_back({scores[i], examples[i].positive, examples[i].weight});
    unseen.deals.push_back(examples[i].deal);
  }
  return unseen;
}

// Applies to each half of the predictions a calibration learnt from the other one.
std::vector<impl::Scored> cross_calibrated(const std::vector<impl::Scored>& scored) {
  const std::size_t half = scored.size() / 2;
  const std::span all(scored);
  const auto first = impl::fit_platt(all.first(half)), second = impl::fit_platt(all.subspan(half));
  std::vector<impl::Scored> result = scored;
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i].score = (i < half ? second : first)(scored[i].score);
  return result;
}

double auc(const std::vector<impl::Scored>& scored) {
  std::vector<impl::Scored> sorted = scored;
  std::ranges::sort(sorted, {}, &impl::Scored::score);
  double below = 0, positives = 0, negatives = 0, pairs = 0;
  for (std::size_t i = 0; i < sorted.size();) {
    double here_positive = 0, here_negative = 0;
    std::size_t j = i;
    for (; j < sorted.size() && sorted[j].score == sorted[i].score; ++j) {
      (sorted[j].positive ? here_positive : here_negative) += sorted[j].weight;
    }
    pairs += here_positive * (below + here_negative / 2);
    below += here_negative;
    positives += here_positive;
    negatives += here_negative;
    i = j;
  }
  return positives > 0 && negatives > 0 ? pairs / (positives * negatives) : .5;
}

// Ten bins of equal width; one with under 20 deals joins the next, the last its predecessor.
std::vector<CalibrationBin> calibration_bins(const std::vector<impl::Scored>& scored) {
  constexpr int kBins = 10;
  constexpr double kEnough = 20;
  struct Sum {
    double from, to, weight, predicted, observed;
  };
  std::vector<Sum> sums;
  sums.reserve(kBins);
  for (int i = 0; i < kBins; ++i) sums.push_back({i / 10.0, (i + 1) / 10.0, 0, 0, 0});
  for (const auto& s : scored) {
    const double p = impl::sigmoid(s.score);
    Sum& sum = sums[static_cast<std::size_t>(std::min(static_cast<int>(p * kBins), kBins - 1))];
    sum.weight += s.weight;
    sum.predicted += s.weight * p;
    sum.observed += s.positive ? s.weight : 0;
  }
  std::vector<Sum> merged;
  for (const Sum& sum : sums) {
    if (!merged.empty() && merged.back().weight < kEnough) {
      Sum& last = merged.back();
      last = {last.from, sum.to, last.weight + sum.weight, last.predicted + sum.predicted,
              last.observed + sum.observed};
    } else {
      merged.push_back(sum);
    }
  }
  if (merged.size() > 1 && merged.back().weight < kEnough) {
    const Sum sum = merged.back();
    merged.pop_back();
    Sum& last = merged.back();
    last = {last.from, sum.to, last.weight + sum.weight, last.predicted + sum.predicted,
            last.observed + sum.observed};
  }
  std::vector<CalibrationBin> bins;
  for (const Sum& sum : merged) {
    if (sum.weight <= 0) continue;
    bins.push_back({sum.from, sum.to, sum.predicted / sum.weight, sum.observed / sum.weight,
                    static_cast<int>(std::lround(sum.weight))});
  }
  return bins;
}

void measure(const std::vector<impl::Scored>& scored, const std::vector<double>& base, Quality& quality) {
  double weight = 0, brier = 0, base_brier = 0, error = 0, binned = 0;
  for (std::size_t i = 0; i < scored.size(); ++i) {
    const double truth = scored[i].positive ? 1 : 0, p = impl::sigmoid(scored[i].score);
    weight += scored[i].weight;
    brier += scored[i].weight * (p - truth) * (p - truth);
    base_brier += scored[i].weight * (base[i] - truth) * (base[i] - truth);
  }
  quality.calibration = calibration_bins(scored);
  for (const CalibrationBin& bin : quality.calibration) {
    error += bin.n * std::abs(bin.predicted - bin.observed);
    binned += bin.n;
  }
  quality.brier = brier / weight;
  quality.base_rate_brier = base_brier / weight;
  quality.ece = binned > 0 ? error / binned : 0;
  quality.auc = auc(scored);
}

// The common swing of the deals that close in one period: what the squares of (won - expected) exceed chance
// by, in log-odds, by the method of moments, held towards the shipped value. Expected is what was to be
// expected when the period began, as in a forecast: a look at a deal just before its end knows of the swing
// already. `looks` gives the instants of a deal's predictions.
double shock_of(const Unseen& unseen, const std::vector<impl::Scored>& calibrated,
                const impl::ClosedDeals& closed, PeriodKind kind,
                const std::function<std::vector<Timestamp>(std::size_t deal)>& looks) {
  struct Sum {
    double expected = 0, variance = 0, won = 0;
  };
  std::map<Date, Sum> periods;
  for (std::size_t i = 0; i < calibrated.size();) {
    const std::uint32_t deal = unseen.deals[i];
    const std::vector<Timestamp> times = looks(deal);
    const Date start = period_of(date_of(closed.at[deal]), kind).start;
    std::optional<double> p;
    for (std::size_t n = 0; i < calibrated.size() && unseen.deals[i] == deal; ++i, ++n) {
      if (n < times.size() && times[n] < start_of(start)) p = impl::sigmoid(calibrated[i].score);
    }
    if (!p) continue;  // it began in the period
    Sum& sum = periods[start];
    sum.expected += *p;
    sum.variance += *p * (1 - *p);
    sum.won += closed.deals[deal]->status == Status::won;
  }
  double excess = kPriorShock * kPriorShock * kPriorShockPeriods, weight = kPriorShockPeriods;
  for (const auto& [_, sum] : periods) {
    if (sum.variance < 2) continue;
    // A period with few deals says little: its weight is the share of its spread that is not chance at the
    // prior.
    const double w = sum.variance / (sum.variance + 1 / (kPriorShock * kPriorShock));
    const double error = sum.won - sum.expected;
    excess += w * (error * error - sum.variance) / (sum.variance * sum.variance);
    weight += w;
  }
  return std::sqrt(std::clamp(excess / weight, .01, 1.5));
}

class Trainer {
 public:
  Trainer(std::span<const Deal> deals, Timestamp as_of, Timestamp known_at, const TrainOptions& options)
      : deals_(deals), known_at_(known_at), options_(options), parts_(std::make_shared<ModelParts>()) {
    parts_->as_of = as_of;
    parts_->facts = observe(deals, as_of, known_at, options.stage_order);
    closed_ = impl::closed_deals(deals, as_of, known_at, options.max_deals);
    parts_->encoder = impl::Encoder(parts_->facts, closed_.deals);
    examples_ = impl::win_examples(closed_, parts_->encoder, parts_->facts, known_at, options.max_snapshots);
    shown_ = shown_by(examples_, parts_->encoder);
  }

  WinModel run() {
    Quality& quality = parts_->quality;
    quality.n = closed_.total;
    quality.won = closed_.won;
    const int won = closed_.won, lost = closed_.total - closed_.won;
    const bool both = won >= kEnoughOfEach && lost >= kEnoughOfEach;
    quality.basis = closed_.total == 0                     ? Basis::prior
                    : closed_.total >= kOwnWeights && both ? Basis::tenant
                                                           : Basis::blend;
    parts_->shock_month = parts_->shock_quarter = kPriorShock;
    if (options_.validate && both && closed_.total >= kEnoughToValidate) validate();
    fit_final();
    const auto seen = impl::landmarks(closed_, deals_, parts_->facts, parts_->as_of, known_at_,
                                      options_.max_snapshots, options_.max_deals);
    parts_->hazards = impl::Hazards(parts_->facts, seen);
    describe();
    return WinModel(parts_);
  }

 private:
  void validate() {
    struct Candidate {
      Shrinkage shrinkage;
      Unseen unseen;
      double loss;
    };
    std::vector<Candidate> candidates;
    double best = std::numeric_limits<double>::infinity();
    std::vector<std::vector<double>> starts(kFolds);
    for (const Shrinkage& shrinkage : kShrinkages) {
      const auto prior = prior_for(parts_->encoder, shown_, closed_.total, shrinkage);
      Unseen unseen = predict_unseen(examples_, closed_.deals.size(), prior, starts);
      const double loss = impl::log_loss(unseen.scored, {});
      best = std::min(best, loss);
      candidates.push_back({shrinkage, std::move(unseen), loss});
    }
    // The strongest shrinkage that is as good as the best: a difference below the gain is chance.
    Candidate& picked =
        *std::ranges::find_if(candidates.rbegin(), candidates.rend(),
                              [&](const Candidate& c) { return c.loss <= best + kSelectionGain; });
    shrinkage_ = picked.shrinkage;
    best = picked.loss;
    const Unseen chosen = std::move(picked.unseen);
    auto calibrated = cross_calibrated(chosen.scored);
    if (impl::log_loss(calibrated, {}) + kCalibrationGain < best) {
      parts_->platt = impl::fit_platt(chosen.scored);
      calibration_helped_ = true;
    } else {
      calibrated = chosen.scored;
    }
    measure(calibrated, chosen.base, parts_->quality);
    const auto looks = [this](std::size_t deal) {
      return impl::snapshots(*closed_.deals[deal], closed_.at[deal], parts_->facts, options_.max_snapshots)
          .times;
    };
    parts_->shock_month = shock_of(chosen, calibrated, closed_, PeriodKind::month, looks);
    parts_->shock_quarter = shock_of(chosen, calibrated, closed_, PeriodKind::quarter, looks);
  }

  void fit_final() {
    const auto prior = prior_for(parts_->encoder, shown_, closed_.total, shrinkage_);
    parts_->weights = impl::fit(examples_, kFeatureCount, prior);
    parts_->covariance = impl::covariance(examples_, kFeatureCount, prior, parts_->weights);
    parts_->centers.assign(kFeatureCount, 0);
    double total = 20;  // a few deals do not make an average: the reference bins, at 0, count for twenty
    for (const Example& example : examples_) {
      total += example.weight;
      for (int f = 0; f < kFeatureCount; ++f) {
        parts_->centers[f] += example.weight * parts_->weights[example.bins[f]];
      }
    }
    for (double& center : parts_->centers) center /= total;
  }

  void describe() {
    Quality& quality = parts_->quality;
    const auto sampled = closed_.deals.size();
    quality.method =
        fmt::format("Additive scorecard over {} binned features, shrunk towards {}{}{}", kFeatureCount,
                    shrinkage_.means > 0 ? "shipped starting values" : "no effect",
                    calibration_helped_ ? ", then calibrated" : "",
                    quality.auc ? "; judged on stretches of time left out of the learning" : "");
    std::string& note = quality.note;
    if (closed_.total == 0) {
      note = "No closed deal yet: probabilities come from shipped starting values for stages and dates.";
    } else if (quality.basis == Basis::blend) {
      note = fmt::format(
          "{} closed deals blended with shipped starting values; the tenant's own weights count from {}.",
          closed_.total, kOwnWeights);
    }
    const auto add = [&](const std::string& sentence) {
      if (!note.empty()) note += ' ';
      note += sentence;
    };
    if (closed_.total > 0 && (closed_.won == 0 || closed_.won == closed_.total)) {
      add(fmt::format("All closed deals were {}: what makes the difference cannot be learnt.",
                      closed_.won == 0 ? "lost" : "won"));
    }
    if (quality.auc) {
      const double gain = 1 - *quality.brier / *quality.base_rate_brier;
      if (gain < .01) {
        add(fmt::format(
            "The data carries little signal: on unseen deals the probabilities are no better than the win "
            "rate of {:.0f} %, and they stay near it.",
            100.0 * closed_.won / closed_.total));
      } else {
        add(fmt::format("On unseen deals the error is {:.0f} % below that of the plain win rate.",
                        100 * gain));
      }
      if (*quality.ece > .05)
        add("Win rates moved over time, so predicted and observed rates differ noticeably.");
    } else {
      add("Too few closed deals to measure the quality.");
    }
    if (sampled < static_cast<std::size_t>(closed_.total)) {
      add(fmt::format("Learnt from a sample of {} of {} closed deals.", sampled, closed_.total));
    }
  }

  std::span<const Deal> deals_;
  Timestamp known_at_;
  TrainOptions options_;
  std::shared_ptr<ModelParts> parts_;
  impl::ClosedDeals closed_;
  std::vector<Example> examples_;
  Shown shown_;
  Shrinkage shrinkage_{1, 1};
  bool calibration_helped_ = false;
};

}  // namespace

WinModel train(std::span<const Deal> deals, Timestamp as_of, Timestamp known_at,
               const TrainOptions& options) {
  return Trainer(deals, as_of, known_at, options).run();
}

WinModel train(std::span<const Deal> deals, Timestamp as_of, const TrainOptions& options) {
  return train(deals, as_of, Timestamp{std::numeric_limits<std::int64_t>::max()}, options);
}

}  // namespace castiel::intelligence
