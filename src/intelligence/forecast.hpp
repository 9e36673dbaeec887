#pragma once
// What will be won in a period: Monte Carlo over the open deals with a shared shock, plus what was won
// already, and a backtest that says how far to trust it. Pure given the Random port; any thread, one Random a
// call.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/decimal.hpp"
#include "base/exchange_rate.hpp"
#include "base/random.hpp"
#include "intelligence/calendar.hpp"
#include "intelligence/probability.hpp"

namespace castiel::intelligence {

enum class GroupBy { none, owner, team };

struct ForecastRequest {
  std::vector<Period> periods;
  GroupBy by = GroupBy::none;
  Timestamp as_of;
  Timestamp known_at;
  // ISO 4217 of the tenant; empty: the currency of most deals. Deals in others are converted where there is a
  // rate, else listed and never added.
  std::string currency;
  ExchangeRates rates{};  // into `currency`
  int simulations = 2000;
};

struct CurrencyTotal {
  std::string currency;
  int open = 0;
  Decimal won;
  Decimal pipeline;
};

struct ForecastRow {
  Period period;
  std::optional<std::string> group;  // owner or team; nothing for the whole tenant
  std::string currency;              // "unknown" where no deal names one
  Decimal won;                       // exact, closed in the period until as_of
  int open = 0;                      // open deals expected to close in the period
  Decimal pipeline;                  // their stated amounts, exact
  Decimal weighted;                  // those amounts times the probabilities, two decimals
  Decimal p10, p50, p90;             // won in the whole period, including what is won already
  int assumed_amounts = 0;           // open deals without an amount, simulated with amounts of won deals
  Decimal expected_new;              // mean part from deals that do not exist yet
  int converted = 0;  // deals won, or expected to close, in the period whose amount was converted
  std::vector<CurrencyTotal> other_currencies;  // without a rate
};

// Rows by period; with a group: for each period one row a group, in order of the group's name, none for the
// whole.
std::vector<ForecastRow> forecast(std::span<const Deal> deals, const WinModel& model,
                                  const ForecastRequest& request, Random& random);

// A seed that depends on the request and on which deals there are, for reproducible simulations.
std::uint64_t forecast_seed(std::span<const Deal> deals, const ForecastRequest& request);

// The currency of most deals, ISO 4217; "unknown" if none names one.
std::string main_currency(std::span<const Deal> deals);

struct BacktestOptions {
  PeriodKind kind = PeriodKind::quarter;
  int fiscal_start_month = 1;
  int max_periods = 8;
  bool mid_period = true;  // forecast at the middle of each period as well
  int simulations = 1000;
  int max_deals = 4000;  // closed deals a model of the past learns from
  std::string currency;
  ExchangeRates rates{};
  TrainOptions train;
};

struct BacktestItem {
  Timestamp as_of;
  Period period;
  Decimal p10, p50, p90, weighted, actual;
  bool inside = false;  // p10 <= actual <= p90
  int learnt_from = 0;  // closed deals known at as_of
};

struct Backtest {
  std::vector<BacktestItem> items;  // oldest first
  std::optional<double> coverage;   // share of items inside
  int n = 0;
  // Of "won in the period" for the deals open at each as_of, and of a forecast that gives all of them the
  // same share of the same total.
  std::optional<double> brier;
  std::optional<double> base_rate_brier;
  std::string note;
};

// Forecasts past periods as of their start and middle with models of that time, and compares with what came.
// Trains a model for each: seconds for tens of thousands of deals.
Backtest backtest(std::span<const Deal> deals, Timestamp as_of, const BacktestOptions& options = {});

}  // namespace castiel::intelligence
