#pragma once
// Logistic regression on one-hot bins with a Gaussian prior on each weight (the penalised fit is the
// posterior mode, its inverse Hessian the posterior covariance: Laplace's approximation). Pure functions; any
// thread.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace castiel::intelligence::impl {

inline constexpr int kMaxFeatures = 18;

// One example: the global index of the active bin of each feature, ascending; index 0 is the intercept and
// implied.
struct Example {
  std::array<std::uint16_t, kMaxFeatures> bins{};
  std::uint32_t deal = 0;  // which deal it shows, in order of closing
  bool positive = false;
  double weight = 1;
};

struct GaussianPrior {
  std::vector<double> mean;
  std::vector<double> precision;  // 1 / variance, above 0
};

double sigmoid(double x);
double logit(double p);  // p held within 1e-6 of 0 and 1

double score(const Example& example, int features, const std::vector<double>& weights);

// The posterior mode by Newton's method from `start` (the prior's mean if empty).
std::vector<double> fit(std::span<const Example> examples, int features, const GaussianPrior& prior,
                        std::vector<double> start = {}, int max_steps = 12);

// The posterior covariance at `weights`, row-major, n x n.
std::vector<double> covariance(std::span<const Example> examples, int features, const GaussianPrior& prior,
                               const std::vector<double>& weights);

// Variance of the score of `example` under a covariance.
double score_variance(const Example& example, int features, const std::vector<double>& covariance,
                      std::size_t n);

// Platt's calibration: slope and intercept of the true log-odds over the scores, held near (1, 0) by a weak
// prior.
struct Platt {
  double intercept = 0, slope = 1;
  double operator()(double score) const { return intercept + slope * score; }
};
struct Scored {
  double score = 0;
  bool positive = false;
  double weight = 1;
};
Platt fit_platt(std::span<const Scored> scored);
double log_loss(std::span<const Scored> scored, const Platt& platt);  // mean

}  // namespace castiel::intelligence::impl
