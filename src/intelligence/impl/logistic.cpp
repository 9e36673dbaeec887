#include "intelligence/impl/logistic.hpp"

#include <algorithm>
#include <cmath>

namespace castiel::intelligence::impl {
namespace {

constexpr double kMaxStep = 3;  // log-odds a weight may move in one Newton step
constexpr double kTolerance = 1e-4;

// Lower triangle of the penalised Hessian and the gradient of the penalised log-likelihood.
void accumulate(std::span<const Example> examples, int features, const GaussianPrior& prior,
                const std::vector<double>& weights, std::vector<double>& gradient,
                std::vector<double>& hessian) {
  const std::size_t n = weights.size();
  std::ranges::fill(gradient, 0.0);
  std::ranges::fill(hessian, 0.0);
  double* const g = gradient.data();
  double* const h = hessian.data();
  const double* const w = weights.data();
  for (const Example& example : examples) {
    const std::uint16_t* const bins = example.bins.data();
    double s = w[0];
    for (int f = 0; f < features; ++f) s += w[bins[f]];
    const double p = sigmoid(s);
    const double slope = example.weight * ((example.positive ? 1.0 : 0.0) - p);
    const double curve = example.weight * p * (1 - p);
    g[0] += slope;
    h[0] += curve;
    for (int f = 0; f < features; ++f) {
      g[bins[f]] += slope;
      double* const row = h + bins[f] * n;
      row[0] += curve;
      for (int e = 0; e <= f; ++e) row[bins[e]] += curve;
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    g[i] -= prior.precision[i] * (w[i] - prior.mean[i]);
    h[i * n + i] += prior.precision[i];
  }
}

// In place: the lower triangle becomes L of A = L L'. A is positive definite: every diagonal has a prior.
void cholesky(std::vector<double>& a, std::size_t n) {
  double* const m = a.data();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = m[i * n + j];
      const double* const ri = m + i * n;
      const double* const rj = m + j * n;
      for (std::size_t k = 0; k < j; ++k) sum -= ri[k] * rj[k];
      m[i * n + j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / m[j * n + j];
    }
  }
}

void solve(const std::vector<double>& l, std::size_t n, std::vector<double>& x) {
  const double* const m = l.data();
  for (std::size_t i = 0; i < n; ++i) {
    double sum = x[i];
    for (std::size_t k = 0; k < i; ++k) sum -= m[i * n + k] * x[k];
    x[i] = sum / m[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    double sum = x[i];
    for (std::size_t k = i + 1; k < n; ++k) sum -= m[k * n + i] * x[k];
    x[i] = sum / m[i * n + i];
  }
}

}  // namespace

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : 1 - 1 / (1 + std::exp(x));
}

double logit(double p) {
  p = std::clamp(p, 1e-6, 1 - 1e-6);
  return std::log(p / (1 - p));
}

double score(const Example& example, int features, const std::vector<double>& weights) {
  double s = weights[0];
  for (int f = 0; f < features; ++f) s += weights[example.bins[f]];
  return s;
}

std::vector<double> fit(std::span<const Example> examples, int features, const GaussianPrior& prior,
                        std::vector<double> start, int max_steps) {
  const std::size_t n = prior.mean.size();
  std::vector<double> weights = start.empty() ? prior.mean : std::move(start);
  std::vector<double> gradient(n), hessian(n * n);
  for (int step = 0; step < max_steps; ++step) {
    accumulate(examples, features, prior, weights, gradient, hessian);
    cholesky(hessian, n);
    solve(hessian, n, gradient);
    double largest = 0;
    for (const double move : gradient) largest = std::max(largest, std::abs(move));
    const double scale = largest > kMaxStep ? kMaxStep / largest : 1;
    for (std::size_t i = 0; i < n; ++i) weights[i] += scale * gradient[i];
    if (largest < kTolerance) break;
  }
  return weights;
}

std::vector<double> covariance(std::span<const Example> examples, int features, const GaussianPrior& prior,
                               const std::vector<double>& weights) {
  const std::size_t n = weights.size();
  std::vector<double> gradient(n), hessian(n * n), inverse(n * n), column(n);
  accumulate(examples, features, prior, weights, gradient, hessian);
  cholesky(hessian, n);
  for (std::size_t j = 0; j < n; ++j) {
    std::ranges::fill(column, 0.0);
    column[j] = 1;
    solve(hessian, n, column);
    for (std::size_t i = 0; i < n; ++i) inverse[i * n + j] = column[i];
  }
  return inverse;
}

double score_variance(const Example& example, int features, const std::vector<double>& covariance,
                      std::size_t n) {
  double sum = covariance[0];
  for (int f = 0; f < features; ++f) {
    const std::size_t row = example.bins[f] * n;
    sum += 2 * covariance[row];
    for (int e = 0; e < features; ++e) sum += covariance[row + example.bins[e]];
  }
  return std::max(sum, 0.0);
}

Platt fit_platt(std::span<const Scored> scored) {
  constexpr double kInterceptPrecision = 5, kSlopePrecision = 20;
  Platt platt;
  for (int step = 0; step < 20; ++step) {
    double g0 = -kInterceptPrecision * platt.intercept, g1 = -kSlopePrecision * (platt.slope - 1);
    double h00 = kInterceptPrecision, h01 = 0, h11 = kSlopePrecision;
    for (const Scored& s : scored) {
      const double p = sigmoid(platt(s.score));
      const double slope = s.weight * ((s.positive ? 1.0 : 0.0) - p), curve = s.weight * p * (1 - p);
      g0 += slope;
      g1 += slope * s.score;
      h00 += curve;
      h01 += curve * s.score;
      h11 += curve * s.score * s.score;
    }
    const double determinant = h00 * h11 - h01 * h01;
    const double d0 = (h11 * g0 - h01 * g1) / determinant, d1 = (h00 * g1 - h01 * g0) / determinant;
    platt.intercept += std::clamp(d0, -1.0, 1.0);
    platt.slope += std::clamp(d1, -1.0, 1.0);
    if (std::abs(d0) + std::abs(d1) < 1e-6) break;
  }
  platt.slope = std::max(platt.slope, 0.0);  // a reversed order of deals is never believed
  return platt;
}

double log_loss(std::span<const Scored> scored, const Platt& platt) {
  double sum = 0, weight = 0;
  for (const Scored& s : scored) {
    const double p = std::clamp(sigmoid(platt(s.score)), 1e-6, 1 - 1e-6);
    sum -= s.weight * std::log(s.positive ? p : 1 - p);
    weight += s.weight;
  }
  return weight > 0 ? sum / weight : 0;
}

}  // namespace castiel::intelligence::impl
