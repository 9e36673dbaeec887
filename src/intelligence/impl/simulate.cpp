#include "intelligence/impl/simulate.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "intelligence/impl/days.hpp"

namespace castiel::intelligence::impl {

NewBusiness new_business(std::span<const WonDeal> won, Date first, Timestamp as_of, const Period& period) {
  NewBusiness result;
  const Date today = date_of(as_of);
  const int until = period.end - today + 1;  // days from as_of to the period's end
  if (until <= 0) return result;
  const int from = std::max(period.start - today, 0);
  const int history = today - first;
  if (history < 7) return result;
  // With less history than one window the longest stretch there is stands in, scaled by length.
  const int reach = std::min(until, history);
  const double scale = static_cast<double>(until) / reach;
  const int offset = static_cast<int>(from / scale);
  const int step = std::max(7, reach / 4);
  std::vector<double> sums;
  double squares = 0;
  for (int back = 0; back < 16 && reach + back * step <= history; ++back) {
    const Date start = today - (reach + back * step);
    const Timestamp open = start_of(start + offset), end = start_of(start + reach);
    double sum = 0;
    for (const WonDeal& deal : won) {
      if (deal.created < start || deal.at < open || deal.at >= end) continue;
      sum += deal.amount;
      squares += deal.amount * deal.amount;
    }
    sums.push_back(sum);
  }
  if (sums.empty()) return result;
  const auto n = static_cast<double>(sums.size());
  double mean = 0, variance = 0;
  for (const double sum : sums) mean += sum / n;
  for (const double sum : sums) variance += (sum - mean) * (sum - mean) / std::max(n - 1, 1.0);
  // Never less than chance alone gives (compound Poisson), and wider for the few windows that tell the mean;
  // windows overlap, so the independent ones are fewer.
  variance = std::max(variance, squares / n);
  const double independent = std::max(1.0, static_cast<double>(history) / reach);
  result.mean = mean * scale;
  result.variance = variance * scale * scale * (1 + 1 / independent);
  result.chance = std::min(result.variance, squares / n * scale * scale);
  result.windows = static_cast<int>(sums.size());
  return result;
}

double normal_quantile(double p) {
  static constexpr std::array a{-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                                1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  static constexpr std::array b{-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                                6.680131188771972e+01, -1.328068155288572e+01};
  static constexpr std::array c{-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                                -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  static constexpr std::array d{7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                                3.754408661907416e+00};
  constexpr double kLow = 0.02425;
  if (p < kLow || p > 1 - kLow) {
    const double q = std::sqrt(-2 * std::log(p < kLow ? p : 1 - p));
    const double x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
                     ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    return p < kLow ? x : -x;
  }
  const double q = p - 0.5, r = q * q;
  return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
         (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

double draw_normal(Random& random) {
  return normal_quantile(std::clamp(random.uniform(), 1e-12, 1 - 1e-12));
}

double draw_gamma(Random& random, double mean, double variance) {
  if (mean <= 0) return 0;
  if (variance <= 0) return mean;
  const double shape = mean * mean / variance, rate = mean / variance;
  const double boosted = shape < 1 ? shape + 1 : shape;
  const double d = boosted - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  double value = 0;
  for (;;) {
    const double x = draw_normal(random);
    double v = 1 + c * x;
    if (v <= 0) continue;
    v = v * v * v;
    const double u = std::max(random.uniform(), 1e-300);
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      value = d * v;
      break;
    }
  }
  if (shape < 1) value *= std::pow(std::max(random.uniform(), 1e-300), 1 / shape);
  return value / rate;
}

double sample_quantile(std::vector<double>& sample, double q) {
  if (sample.empty()) return 0;
  const auto at = sample.begin() + std::lround(q * static_cast<double>(sample.size() - 1));
  std::ranges::nth_element(sample, at);
  return *at;
}

}  // namespace castiel::intelligence::impl
