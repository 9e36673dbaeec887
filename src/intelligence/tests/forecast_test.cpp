#include "intelligence/forecast.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "intelligence/impl/simulate.hpp"
#include "intelligence/render.hpp"
#include "intelligence/testing/world.hpp"

namespace castiel::intelligence {
namespace {

using testing::make_world;
using testing::World;
using testing::WorldOptions;

ForecastRequest request_for(const WorldOptions& options, const World& world, GroupBy by) {
  ForecastRequest request;
  request.as_of = start_of(options.start + options.days * 3 / 4);
  request.known_at = world.end;
  request.periods = periods_from(date_of(request.as_of), PeriodKind::quarter, 3);
  request.by = by;
  request.simulations = 200;
  return request;
}

std::vector<ForecastRow> run(const World& world, const WinModel& model, const ForecastRequest& request) {
  SeededRandom random(forecast_seed(world.deals, request));
  return forecast(world.deals, model, request, random);
}

RC_GTEST_PROP(Forecast, orders_its_quantiles_and_adds_up_over_groups, ()) {
  WorldOptions options;
  options.seed = *rc::gen::inRange<std::uint64_t>(1, 100000);
  options.deals = *rc::gen::inRange(0, 150);
  const World world = make_world(options);
  const WinModel model = train(world.deals, request_for(options, world, GroupBy::none).as_of);
  const auto whole = run(world, model, request_for(options, world, GroupBy::none));
  RC_ASSERT(whole.size() == 3U);
  for (const auto by : {GroupBy::owner, GroupBy::team}) {
    const auto rows = run(world, model, request_for(options, world, by));
    for (const ForecastRow& total : whole) {
      RC_ASSERT(total.p10 <= total.p50 && total.p50 <= total.p90);
      RC_ASSERT(total.won <= total.p10);
      Decimal won, pipeline;
      int open = 0;
      for (const ForecastRow& row : rows) {
        if (row.period != total.period) continue;
        RC_ASSERT(row.p10 <= row.p50 && row.p50 <= row.p90);
        won = *won.plus(row.won);
        pipeline = *pipeline.plus(row.pipeline);
        open += row.open;
      }
      RC_ASSERT(won == total.won);
      RC_ASSERT(pipeline == total.pipeline);
      RC_ASSERT(open == total.open);
    }
  }
}

TEST(Forecast, is_the_same_for_the_same_seed) {
  const WorldOptions options;
  const World world = make_world(options);
  const auto request = request_for(options, world, GroupBy::none);
  const WinModel model = train(world.deals, request.as_of);
  EXPECT_EQ(run(world, model, request).front().p50.str(), run(world, model, request).front().p50.str());
}

TEST(Forecast, never_adds_currencies) {
  const WorldOptions options{.deals = 300};
  World world = make_world(options);
  for (std::size_t i = 0; i < world.deals.size(); i += 3) world.deals[i].currency = "USD";
  for (std::size_t i = 1; i < world.deals.size(); i += 30) world.deals[i].currency = "unknown";
  const auto request = request_for(options, world, GroupBy::none);
  const WinModel model = train(world.deals, request.as_of);
  const auto rows = run(world, model, request);
  EXPECT_EQ(rows.front().currency, "EUR");
  ASSERT_EQ(rows.front().other_currencies.size(), 1U);
  EXPECT_EQ(rows.front().other_currencies.front().currency, "USD");

  World euros = world;
  std::erase_if(euros.deals, [](const Deal& deal) { return deal.currency == "USD"; });
  EXPECT_EQ(run(euros, model, request).front().pipeline, rows.front().pipeline);
}

TEST(Forecast, converts_where_there_is_a_rate_of_the_day_and_lists_the_rest) {
  const auto won = [](const char* id, const char* currency, int month, const char* amount) {
    Deal deal;
    deal.id = ShardId(id);
    deal.status = Status::won;
    deal.stage = "Closed Won";
    deal.currency = currency;
    deal.created = *make_date(2025, 12, 1);
    deal.close_date = *make_date(2026, month, 10);
    deal.recorded_at = start_of(*make_date(2026, 3, 20));
    deal.amount = *Decimal::parse(amount);
    return deal;
  };
  std::vector<Deal> deals{won("1", "EUR", 1, "100"), won("2", "USD", 1, "100.10"), won("3", "USD", 3, "10"),
                          won("4", "GBP", 2, "7")};
  Deal open = won("5", "USD", 3, "1000");
  open.status = Status::open;
  open.stage = "Proposal";
  open.close_date = *make_date(2026, 3, 30);
  deals.push_back(open);
  ForecastRequest request;
  request.as_of = request.known_at = start_of(*make_date(2026, 3, 20));
  request.periods = {*parse_period("2026-Q1")};
  request.currency = "EUR";
  request.simulations = 100;
  const std::vector<std::string> rates{"USD 2026-01-01 0.92", "USD 2026-02-01 0.5", "GBP 2026-03-01 1.2"};
  request.rates = ExchangeRates(rates);
  const WinModel model = train(deals, request.as_of);
  SeededRandom random(1);
  const auto row = forecast(deals, model, request, random).front();
  EXPECT_EQ(row.won.str(), "197.09");  // 100 + 100.10 * 0.92 + 10 * 0.5, to the cent
  EXPECT_EQ(row.pipeline, *Decimal::parse("500"));
  EXPECT_EQ(row.converted, 3);
  ASSERT_EQ(row.other_currencies.size(), 1U) << "there was no rate yet on the day it was won";
  EXPECT_EQ(row.other_currencies.front().currency, "GBP");
  EXPECT_EQ(row.other_currencies.front().won.str(), "7");
}

TEST(Forecast, sums_money_exactly) {
  Deal deal;
  deal.status = Status::won;
  deal.stage = "Closed Won";
  deal.created = *make_date(2025, 12, 1);
  deal.close_date = *make_date(2026, 1, 10);
  deal.recorded_at = start_of(*make_date(2026, 1, 20));
  deal.amount = *Decimal::parse("0.10");
  std::vector<Deal> deals(3, deal);
  for (std::size_t i = 0; i < deals.size(); ++i) deals[i].id = ShardId(std::to_string(i));
  ForecastRequest request;
  request.as_of = request.known_at = start_of(*make_date(2026, 2, 1));
  request.periods = {*parse_period("2026-Q1")};
  const WinModel model = train(deals, request.as_of);
  SeededRandom random(1);
  const auto rows = forecast(deals, model, request, random);
  EXPECT_EQ(rows.front().won.str(), "0.30");
  EXPECT_EQ(rows.front().currency, "unknown");
  const json::object row = forecast_row_json(rows.front());
  for (const char* key :
       {"period", "start", "end", "group", "won", "open", "pipeline", "weighted", "p10", "p50", "p90"}) {
    EXPECT_TRUE(row.contains(key)) << key;
  }
}

TEST(Backtest, compares_past_forecasts_with_what_came) {
  WorldOptions options;
  options.deals = 400;
  options.days = 700;
  const World world = make_world(options);
  BacktestOptions back;
  back.max_periods = 3;
  back.simulations = 200;
  back.train.max_snapshots = 3;
  const Backtest result = backtest(world.deals, world.end, back);
  EXPECT_EQ(result.n, 6);
  ASSERT_TRUE(result.coverage);
  ASSERT_TRUE(result.brier);
  EXPECT_LT(*result.brier, *result.base_rate_brier);
  for (const BacktestItem& item : result.items) {
    EXPECT_EQ(item.inside, item.p10 <= item.actual && item.actual <= item.p90);
    EXPECT_GT(item.learnt_from, 30);
  }
  EXPECT_EQ(backtest_json(result, "EUR").at("items").as_array().size(), 6U);
}

TEST(Backtest, says_when_the_history_is_too_short) {
  const Backtest result = backtest({}, start_of(*make_date(2026, 1, 1)));
  EXPECT_EQ(result.n, 0);
  EXPECT_FALSE(result.coverage);
  EXPECT_NE(result.note.find("too short"), std::string::npos);
}

TEST(Draws, have_the_mean_and_spread_asked_for) {
  SeededRandom random(7);
  for (const double variance : {25.0, 100.0, 400.0}) {
    double sum = 0, squares = 0;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) {
      const double x = impl::draw_gamma(random, 10, variance);
      sum += x;
      squares += x * x;
    }
    const double mean = sum / kDraws;
    EXPECT_NEAR(mean, 10, .6);
    EXPECT_NEAR((squares / kDraws - mean * mean) / variance, 1, .12);
  }
}

}  // namespace
}  // namespace castiel::intelligence
