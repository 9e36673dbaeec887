#pragma once
// The probability that a deal is won, learnt from the tenant's own closed deals and shrunk towards shipped
// priors, and when it closes. A WinModel is an immutable value, cheap to copy, read from any thread. Method:
// README.md.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "intelligence/as_of.hpp"
#include "intelligence/evidence.hpp"
#include "intelligence/facts.hpp"

namespace castiel::intelligence {

enum class Basis { prior, blend, tenant };
std::string_view to_string(Basis basis);

struct CalibrationBin {
  double from = 0, to = 0;  // of the predicted probability
  double predicted = 0, observed = 0;
  int n = 0;  // examples, each closed deal counting once
};

// How good the model is on deals it did not see: deals in order of closing, whole stretches of time left out
// in turn and predicted by a model of the rest. Nothing where there are too few closed deals to tell. How
// forecasts made in the past came out is the backtest's business (forecast.hpp).
struct Quality {
  Basis basis = Basis::prior;
  int n = 0;  // closed deals
  int won = 0;
  std::optional<double> brier, base_rate_brier, ece, auc;
  std::vector<CalibrationBin> calibration;
  std::string method;  // words
  std::string note;    // words: what to make of it
};

struct TrainOptions {
  std::vector<std::string> stage_order;  // first to last, where known
  int max_deals = 20'000;                // closed deals sampled for training
  int max_snapshots = 8;                 // instants of one deal's life used as examples
  bool validate = true;                  // false: no choice of shrinkage, no metrics
};

struct ModelParts;

class WinModel {
 public:
  explicit WinModel(std::shared_ptr<const ModelParts> parts) : parts_(std::move(parts)) {}
  const TenantFacts& facts() const;
  const Quality& quality() const;
  Timestamp as_of() const;
  // Standard deviation, in log-odds, of the common swing of all deals of a period of so many days around what
  // was predicted for them.
  double shock_sd(int days) const;
  const ModelParts& parts() const { return *parts_; }

 private:
  std::shared_ptr<const ModelParts> parts_;
};

// Learns from what was known at `as_of`: deals closed until then, seen at instants of their life before
// closing. Usable for any input, an empty one too. Up to about 0.2 ms a closed deal.
WinModel train(std::span<const Deal> deals, Timestamp as_of, Timestamp known_at,
               const TrainOptions& options = {});
// The same with everything recorded so far known.
WinModel train(std::span<const Deal> deals, Timestamp as_of, const TrainOptions& options = {});

struct Contribution {
  std::string feature;
  std::string label;
  std::string value;  // words
  double effect = 0;  // log-odds, positive raises the probability
  std::vector<Evidence> evidence;
};

// base + the sum of the effects is the log-odds of `value`.
struct Prediction {
  double value = 0;
  double low = 0, high = 0;  // 80 % interval of the probability
  Basis basis = Basis::prior;
  int n = 0;
  double base = 0;                          // log-odds of the tenant's average deal
  std::vector<Contribution> contributions;  // strongest first, without those under 0.01
};

// A closed deal's view gives 1 or 0. `explain` false leaves out the contributions.
Prediction predict(const WinModel& model, const DealView& view, bool explain = true);

// When an open deal closes, by week from the view's as_of; discrete-time hazards of winning and of losing.
struct CloseTimes {
  Timestamp as_of;
  std::vector<double> won;  // won[w]: probability to be won within w + 1 weeks
  std::vector<double> lost;
  double slip = 0;  // probability to be open after the stated close date; 0 without one

  // Probability to be won until the end of `day`; 0 before as_of.
  double won_by(Date day) const;
  double lost_by(Date day) const;
  // The day by which it is closed with this probability, given that it closes within the horizon.
  std::optional<Date> closed_by(double share) const;
};

CloseTimes close_times(const WinModel& model, const DealView& view, double win_probability);

}  // namespace castiel::intelligence
