// The model against a made-up organisation whose truth is known.

#include "intelligence/testing/world.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "intelligence/forecast.hpp"
#include "intelligence/impl/days.hpp"

namespace castiel::intelligence {
namespace {

using testing::make_world;
using testing::World;
using testing::WorldOptions;

struct HeldOut {
  double brier = 0, base = 0, ece = 0, n = 0, inside = 0;
};

// Predictions at `cut` for deals open then, against what became of them; zombies count as not won.
HeldOut judge(const World& world, Timestamp cut) {
  const WinModel model = train(world.deals, cut);
  std::array<double, 10> weight{}, predicted{}, observed{};
  HeldOut result;
  const double rate = static_cast<double>(model.quality().won) / std::max(1, model.quality().n);
  for (const Deal& deal : world.deals) {
    const DealView view = view_as_of(deal, cut, world.end, &model.facts());
    if (!view.exists || view.status != Status::open || deal.status == Status::open) continue;
    const Prediction prediction = predict(model, view, false);
    const double truth = deal.status == Status::won ? 1 : 0;
    result.brier += (prediction.value - truth) * (prediction.value - truth);
    result.base += (rate - truth) * (rate - truth);
    const auto bin = static_cast<std::size_t>(std::min(9.0, prediction.value * 10));
    ++weight[bin];
    predicted[bin] += prediction.value;
    observed[bin] += truth;
    ++result.n;
  }
  for (std::size_t i = 0; i < weight.size(); ++i)
    result.ece += std::abs(predicted[i] - observed[i]) / result.n;
  result.brier /= result.n;
  result.base /= result.n;
  return result;
}

TEST(SyntheticWorld, probabilities_of_held_out_deals_are_calibrated_and_beat_the_base_rate) {
  WorldOptions options;
  options.deals = 6000;
  options.days = 500;
  options.zombies = 0;
  const World world = make_world(options);
  const HeldOut held = judge(world, start_of(options.start + 380));
  const WinModel model = train(world.deals, start_of(options.start + 380));
  fmt::print("held out {}: brier {:.4f} base {:.4f} ece {:.4f}; own estimate ece {:.4f} auc {:.3f}\n", held.n,
             held.brier, held.base, held.ece, *model.quality().ece, *model.quality().auc);
  EXPECT_GT(held.n, 500);
  EXPECT_LE(held.ece, .06);  // .05 and the noise of some hundred deals in ten bins
  EXPECT_LE(*model.quality().ece, .05);
  EXPECT_LT(held.brier, held.base - .02);
}

TEST(SyntheticWorld, without_signal_the_probabilities_are_as_good_as_the_base_rate_and_say_so) {
  WorldOptions options;
  options.deals = 3000;
  options.days = 500;
  options.signal = 0;
  options.zombies = 0;
  const World world = make_world(options);
  const HeldOut held = judge(world, start_of(options.start + 380));
  const WinModel model = train(world.deals, start_of(options.start + 380));
  fmt::print("no signal, held out {}: brier {:.4f} base {:.4f} ece {:.4f}\n", held.n, held.brier, held.base,
             held.ece);
  EXPECT_NEAR(held.brier, held.base, .01);
  EXPECT_LE(*model.quality().ece, .05);
  EXPECT_NE(model.quality().note.find("little signal"), std::string::npos) << model.quality().note;
}

TEST(SyntheticWorld, four_of_five_periods_end_inside_the_forecast_interval) {
  int inside = 0, n = 0;
  double ratio = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    WorldOptions options;
    options.seed = seed;
    options.deals = 700;
    options.days = 720;
    options.median_days = 80;
    options.month_shock = .3;
    const World world = make_world(options);
    for (int back = 1; back <= 5; ++back) {
      const Period period = period_of(options.start + 720 - 91 * back, PeriodKind::quarter);
      const Timestamp at = start_of(period.start);
      TrainOptions train_options;
      train_options.max_snapshots = 4;
      const WinModel model = train(world.deals, at, train_options);
      ForecastRequest request;
      request.periods = {period};
      request.as_of = at;
      request.known_at = world.end;
      request.simulations = 200;
      SeededRandom random(forecast_seed(world.deals, request));
      const ForecastRow row = forecast(world.deals, model, request, random).front();
      double actual = 0;
      for (const Deal& deal : world.deals) {
        const auto closed = closed_at(deal);
        if (deal.status == Status::won && closed && period.contains(date_of(*closed)))
          actual += deal.amount->to_double();
      }
      EXPECT_LE(row.p10, row.p50);
      EXPECT_LE(row.p50, row.p90);
      inside += row.p10.to_double() <= actual && actual <= row.p90.to_double();
      ratio += row.p50.to_double() / std::max(actual, 1.0);
      ++n;
    }
  }
  const double coverage = static_cast<double>(inside) / n;
  fmt::print("coverage {:.3f} of {} periods, P50 over actual {:.2f}\n", coverage, n, ratio / n);
  // 75 to 85 % are wanted; sixty periods tell that to within ten points (two standard errors).
  EXPECT_GE(coverage, .68);
  EXPECT_LE(coverage, .92);
}

}  // namespace
}  // namespace castiel::intelligence
