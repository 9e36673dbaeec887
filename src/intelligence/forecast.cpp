#include "intelligence/forecast.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/digest.hpp"
#include "intelligence/impl/days.hpp"
#include "intelligence/impl/logistic.hpp"
#include "intelligence/impl/simulate.hpp"

namespace castiel::intelligence {
namespace {

constexpr int kShockLevels = 40;  // the shared shock is drawn by strata, so its spread is not left to luck
constexpr std::size_t kAmountSample = 500;
constexpr int kEnoughOfProduct = 5;  // won deals of a product before its own amounts stand in
constexpr int kEnoughRatios = 30;    // won deals before stated amounts are corrected by what they became

bool is_base(std::string_view currency, std::string_view base) {
  return currency.empty() || currency == "unknown" || currency == base;
}

Decimal cents(double value) {
  const auto decimal = Decimal::parse(fmt::format("{:.2f}", value));
  return decimal ? *decimal : Decimal();
}

void add_to(Decimal& sum, const Decimal& value) {
  // A sum past 36 digits is no money; the part that fits is kept.
  if (const auto result = sum.plus(value)) sum = *result;
}

// A deal's amount in the base currency on a day; nothing without an amount or a rate.
std::optional<Decimal> amount_in(std::string_view base, const ExchangeRates& rates, const Deal& deal,
                                 Date day) {
  if (!deal.amount || is_base(deal.currency, base)) return deal.amount;
  return rates.convert(*deal.amount, deal.currency, day);
}

// Amounts won deals had: by product, and of all.
class Amounts {
 public:
  void see(const Deal& deal, double amount) {
    all_.push_back(amount);
    if (!deal.product.empty()) by_product_[deal.product].push_back(amount);
  }
  const std::vector<double>* for_product(std::string_view product) const {
    const auto it = by_product_.find(product);
    if (it != by_product_.end() && it->second.size() >= kEnoughOfProduct) return &it->second;
    return all_.empty() ? nullptr : &all_;
  }
  void limit() {  // the newest: prices move
    const auto keep = [](std::vector<double>& values) {
      if (values.size() > kAmountSample) {
        values.erase(values.begin(), values.end() - static_cast<std::ptrdiff_t>(kAmountSample));
      }
    };
    keep(all_);
    for (auto& [_, values] : by_product_) keep(values);
  }

 private:
  std::vector<double> all_;
  std::map<std::string, std::vector<double>, std::less<>> by_product_;
};

struct OpenDeal {
  const Deal* deal;
  double amount = 0;                             // stated
  const std::vector<double>* assumed = nullptr;  // amounts to draw from where none is stated
  double probability = 0;
  std::size_t group = 0;
  bool converted = false;
  std::vector<double> won_by;  // by period: probability to be won until its end
  Date expected;               // the day it counts for
};

// Everything a forecast reads from the deals, gathered once.
class Forecaster {
 public:
  Forecaster(std::span<const Deal> deals, const WinModel& model, const ForecastRequest& request)
      : model_(model), request_(request) {
    base_ = request.currency.empty() ? main_currency(deals) : request.currency;
    name_groups(deals);
    std::vector<const Deal*> closed;
    for (const Deal& deal : deals) {
      const DealView view = view_as_of(deal, request.as_of, request.known_at, &model.facts());
      if (!view.exists) continue;
      if (view.created) first_ = std::min(first_.value_or(*view.created), *view.created);
      if (view.status == Status::open) {
        see_open(deal, view);
      } else if (view.status == Status::won) {
        see_won(deal, view);
      }
    }
    std::ranges::sort(won_, [](const Won& a, const Won& b) {
      return std::pair(a.at, a.deal->id) < std::pair(b.at, b.deal->id);
    });
    for (const Won& won : won_) {
      if (won.amount > 0) amounts_.see(*won.deal, won.amount);
    }
    amounts_.limit();
    for (OpenDeal& open : open_) {
      if (open.amount <= 0) open.assumed = amounts_.for_product(open.deal->product);
    }
    learn_ratios();
  }

  std::vector<ForecastRow> run(Random& random) {
    const std::size_t groups = group_names_.size(), periods = request_.periods.size();
    rows_.assign(groups * periods, {});
    for (std::size_t p = 0; p < periods; ++p) {
      for (std::size_t g = 0; g < groups; ++g) {
        ForecastRow& row = rows_[p * groups + g];
        row.period = request_.periods[p];
        row.currency = base_;
        if (request_.by != GroupBy::none) row.group = group_names_[g];
      }
    }
    sum_up();
    simulate(random);
    std::vector<ForecastRow> result;
    for (ForecastRow& row : rows_) {
      finish_others(row);
      result.push_back(std::move(row));
    }
    return result;
  }

  // By deal open at as_of: probability to be won in the first period.
  const std::vector<OpenDeal>& open() const { return open_; }

 private:
  struct Won {
    const Deal* deal;
    Timestamp at;
    double amount;
    std::size_t group;
    std::optional<Decimal> exact;  // in the base currency
    bool converted = false;
  };

  std::string_view group_of(const Deal& deal) const {
    if (request_.by == GroupBy::owner) return deal.owner;
    return request_.by == GroupBy::team ? std::string_view(deal.team) : std::string_view();
  }

  void name_groups(std::span<const Deal> deals) {
    if (request_.by == GroupBy::none) {
      group_names_ = {""};
      return;
    }
    for (const Deal& deal : deals) group_names_.emplace_back(group_of(deal));
    std::ranges::sort(group_names_);
    group_names_.erase(std::unique(group_names_.begin(), group_names_.end()), group_names_.end());
  }

  std::size_t group_index(const Deal& deal) const {
    if (request_.by == GroupBy::none) return 0;
    return static_cast<std::size_t>(std::ranges::lower_bound(group_names_, group_of(deal)) -
                                    group_names_.begin());
  }

  void see_open(const Deal& deal, const DealView& view) {
    OpenDeal open;
    open.deal = &deal;
    open.group = group_index(deal);
    open.probability = predict(model_, view, false).value;
    const CloseTimes times = close_times(model_, view, open.probability);
    for (const Period& period : request_.periods) open.won_by.push_back(times.won_by(period.end));
    const Date today = date_of(request_.as_of);
    open.expected = view.close_date ? std::max(*view.close_date, today) : times.closed_by(.5).value_or(today);
    auto amount = view.amount;
    if (!is_base(deal.currency, base_)) {
      if (!request_.rates.rate(deal.currency, today)) {
        foreign_open_.push_back({&deal, open.group, open.expected, view.amount});
        return;
      }
      open.converted = true;
      if (amount) amount = request_.rates.convert(*amount, deal.currency, today);
    }
    if (amount && !amount->is_negative()) open.amount = amount->to_double();
    if (amount) stated_.emplace_back(open_.size(), *amount);
    open_.push_back(std::move(open));
  }

  void see_won(const Deal& deal, const DealView& view) {
    if (!view.closed_at) return;
    const std::size_t group = group_index(deal);
    const Date day = date_of(*view.closed_at);
    const bool own = is_base(deal.currency, base_);
    if (!own && !request_.rates.rate(deal.currency, day)) {
      foreign_won_.push_back({&deal, group, day, deal.amount});
      return;
    }
    const auto exact = amount_in(base_, request_.rates, deal, day);
    won_.push_back({&deal, *view.closed_at, exact && !exact->is_negative() ? exact->to_double() : 0, group,
                    exact, !own});
  }

  // What stated amounts became: final amount over the one stated halfway, of won deals with a history of it.
  void learn_ratios() {
    if (!model_.facts().amount_history.reaches_back) return;
    const std::size_t first = won_.size() > kAmountSample ? won_.size() - kAmountSample : 0;
    for (std::size_t i = first; i < won_.size(); ++i) {
      const Won& won = won_[i];
      if (won.amount <= 0 || !won.deal->created) continue;
      const Timestamp opened = start_of(*won.deal->created);
      if (opened >= won.at) continue;
      const Timestamp half{opened.micros + (won.at.micros - opened.micros) / 2};
      const DealView view = view_as_of(*won.deal, half, request_.known_at, &model_.facts());
      // Both as the source gave them: the ratio has no currency.
      if (view.amount && view.amount->to_double() > 0) {
        ratios_.push_back(std::clamp(won.deal->amount->to_double() / view.amount->to_double(), .1, 10.0));
      }
    }
    if (ratios_.size() < kEnoughRatios) ratios_.clear();
  }

  void sum_up() {
    const std::size_t groups = group_names_.size();
    std::vector<double> weighted(rows_.size());
    std::vector<std::optional<Decimal>> stated(open_.size());
    for (const auto& [index, amount] : stated_) stated[index] = amount;
    for (std::size_t p = 0; p < request_.periods.size(); ++p) {
      const Period& period = request_.periods[p];
      for (const Won& won : won_) {
        if (!period.contains(date_of(won.at)) || !won.exact) continue;
        ForecastRow& row = rows_[p * groups + won.group];
        add_to(row.won, *won.exact);
        row.converted += won.converted;
      }
      for (std::size_t i = 0; i < open_.size(); ++i) {
        const OpenDeal& open = open_[i];
        if (!period.contains(open.expected)) continue;
        ForecastRow& row = rows_[p * groups + open.group];
        ++row.open;
        row.converted += open.converted;
        row.assumed_amounts += open.amount <= 0;
        if (stated[i]) {
          add_to(row.pipeline, *stated[i]);
          weighted[p * groups + open.group] += open.probability * open.amount;
        }
      }
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i].weighted = cents(weighted[i]);
  }

  double draw_amount(const OpenDeal& open, Random& random) const {
    if (open.assumed) return (*open.assumed)[random.below(open.assumed->size())];
    return ratios_.empty() ? open.amount : open.amount * ratios_[random.below(ratios_.size())];
  }

  std::vector<impl::NewBusiness> new_businesses() const {
    const std::size_t groups = group_names_.size();
    std::vector<std::vector<impl::WonDeal>> won(groups);
    for (const Won& w : won_) {
      if (w.deal->created && w.amount > 0) won[w.group].push_back({*w.deal->created, w.at, w.amount});
    }
    std::vector<impl::NewBusiness> result;
    for (const Period& period : request_.periods) {
      for (std::size_t g = 0; g < groups; ++g) {
        result.push_back(first_ ? impl::new_business(won[g], *first_, request_.as_of, period)
                                : impl::NewBusiness{});
      }
    }
    return result;
  }

  // How the common shock moves what new deals bring, level by level, with mean 1: they meet the same swing as
  // the deals that are open now.
  struct Swing {
    std::vector<double> factors;
    double variance = 0;
  };
  Swing swing_of(const Period& period) const {
    const double sd = model_.shock_sd(period.end - date_of(request_.as_of) + 1);
    const Quality& quality = model_.quality();
    const double rate = quality.n > 0 ? static_cast<double>(quality.won) / quality.n : .5;
    const double usual = impl::logit(rate);
    Swing swing;
    double mean = 0;
    for (int level = 0; level < kShockLevels; ++level) {
      const double z = impl::normal_quantile((level + .5) / kShockLevels);
      mean += swing.factors.emplace_back(impl::sigmoid(usual + z * sd)) / kShockLevels;
    }
    for (double& factor : swing.factors) {
      factor /= mean;
      swing.variance += (factor - 1) * (factor - 1) / kShockLevels;
    }
    return swing;
  }

  void simulate(Random& random) {
    const std::size_t groups = group_names_.size(), periods = request_.periods.size();
    const auto fresh = new_businesses();
    const auto per_level = static_cast<std::size_t>(std::max(1, request_.simulations / kShockLevels));
    const std::size_t runs = per_level * kShockLevels;
    std::vector<std::vector<double>> totals(rows_.size(), std::vector<double>(runs));
    // Chance of each period of each deal, shifted by the level's shock: in (before, until] of one uniform
    // draw.
    std::vector<double> until(periods);
    for (std::size_t level = 0; level < kShockLevels; ++level) {
      const double z = impl::normal_quantile((static_cast<double>(level) + .5) / kShockLevels);
      for (const OpenDeal& open : open_) {
        if (open.amount <= 0 && !open.assumed) continue;
        for (std::size_t p = 0; p < periods; ++p) {
          const double by = open.won_by[p];
          const int ahead = request_.periods[p].end - date_of(request_.as_of) + 1;
          until[p] = by <= 0 ? 0 : impl::sigmoid(impl::logit(by) + z * model_.shock_sd(ahead));
        }
        const double most = *std::ranges::max_element(until);
        for (std::size_t i = 0; i < per_level; ++i) {
          const double u = random.uniform();
          if (u >= most) continue;
          place(open, until, u, totals, level * per_level + i, random);
        }
      }
    }
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      const impl::NewBusiness& business = fresh[r];
      const double won = rows_[r].won.to_double();
      const Swing swing = swing_of(rows_[r].period);
      // The swing is in the spread of past windows already: what it explains is not drawn twice.
      const double rest =
          std::max(business.chance, business.variance - swing.variance * business.mean * business.mean);
      for (std::size_t run = 0; run < runs; ++run) {
        const double factor = swing.factors[run / per_level];
        totals[r][run] += won + impl::draw_gamma(random, business.mean * factor, rest);
      }
      rows_[r].expected_new = cents(business.mean);
      rows_[r].p10 = cents(impl::sample_quantile(totals[r], .1));
      rows_[r].p50 = cents(impl::sample_quantile(totals[r], .5));
      rows_[r].p90 = cents(impl::sample_quantile(totals[r], .9));
    }
    static_cast<void>(groups);
  }

  // Adds the deal to every requested period in which the draw `u` has it won. Periods may overlap (a quarter
  // and its months): each is judged by its own bounds.
  void place(const OpenDeal& open, const std::vector<double>& until, double u,
             std::vector<std::vector<double>>& totals, std::size_t run, Random& random) {
    double amount = -1;
    for (std::size_t p = 0; p < request_.periods.size(); ++p) {
      if (u >= until[p] || u < before(p, open, until)) continue;
      if (amount < 0) amount = draw_amount(open, random);
      totals[p * group_names_.size() + open.group][run] += amount;
    }
  }

  // The chance to be won before a period starts: that of the requested period ending the day before, else the
  // share of its own chance by time.
  double before(std::size_t p, const OpenDeal& open, const std::vector<double>& until) const {
    const Period& period = request_.periods[p];
    const Date today = date_of(request_.as_of);
    if (period.start <= today) return 0;
    for (std::size_t q = 0; q < request_.periods.size(); ++q) {
      if (request_.periods[q].end + 1 == period.start) return until[q];
    }
    const double share = static_cast<double>(period.start - today) / (period.end - today + 1);
    return open.won_by[p] > 0 ? until[p] * share : 0;
  }

  void finish_others(ForecastRow& row) const {
    std::map<std::string, CurrencyTotal> totals;
    const auto total = [&](const Deal& deal) -> CurrencyTotal& {
      CurrencyTotal& t = totals[deal.currency];
      t.currency = deal.currency;
      return t;
    };
    const auto in_row = [&](const Foreign& foreign) {
      return row.period.contains(foreign.day) && (!row.group || group_names_[foreign.group] == *row.group);
    };
    for (const Foreign& won : foreign_won_) {
      if (in_row(won) && won.amount) add_to(total(*won.deal).won, *won.amount);
    }
    for (const Foreign& open : foreign_open_) {
      if (!in_row(open)) continue;
      ++total(*open.deal).open;
      if (open.amount) add_to(total(*open.deal).pipeline, *open.amount);
    }
    for (auto& [_, t] : totals) row.other_currencies.push_back(std::move(t));
  }

  struct Foreign {
    const Deal* deal;
    std::size_t group;
    Date day;
    std::optional<Decimal> amount;
  };

  const WinModel& model_;
  const ForecastRequest& request_;
  std::string base_;
  std::vector<std::string> group_names_;
  std::optional<Date> first_;
  std::vector<OpenDeal> open_;
  std::vector<std::pair<std::size_t, Decimal>> stated_;
  std::vector<Won> won_;
  std::vector<Foreign> foreign_open_, foreign_won_;
  Amounts amounts_;
  std::vector<double> ratios_;
  std::vector<ForecastRow> rows_;
};

// What was won in a period in the end, in the base currency; exact.
Decimal actual_won(std::span<const Deal> deals, const Period& period, std::string_view base,
                   const ExchangeRates& rates) {
  Decimal sum;
  for (const Deal& deal : deals) {
    if (deal.status != Status::won) continue;
    const auto at = closed_at(deal);
    if (!at || !period.contains(date_of(*at))) continue;
    if (const auto amount = amount_in(base, rates, deal, date_of(*at))) add_to(sum, *amount);
  }
  return sum;
}

}  // namespace

std::string main_currency(std::span<const Deal> deals) {
  std::map<std::string_view, int> counts;
  for (const Deal& deal : deals) {
    if (!deal.currency.empty() && deal.currency != "unknown") ++counts[deal.currency];
  }
  std::string_view best = "unknown";
  int most = 0;
  for (const auto& [currency, count] : counts) {
    if (count > most) {
      best = currency;
      most = count;
    }
  }
  return std::string(best);
}

std::vector<ForecastRow> forecast(std::span<const Deal> deals, const WinModel& model,
                                  const ForecastRequest& request, Random& random) {
  if (request.periods.empty()) return {};
  return Forecaster(deals, model, request).run(random);
}

std::uint64_t forecast_seed(std::span<const Deal> deals, const ForecastRequest& request) {
  std::uint64_t seed = 0;
  for (const Deal& deal : deals) seed += sampling_hash(deal);  // whatever the order
  for (const Period& period : request.periods) seed = seed * 31 + stable_hash(period.name);
  // The day, not the instant: a page loaded twice shows the same figures.
  return seed * 31 + static_cast<std::uint64_t>(date_of(request.as_of).days);
}

Backtest backtest(std::span<const Deal> deals, Timestamp as_of, const BacktestOptions& options) {
  constexpr int kEnoughClosed = 30;  // closed deals before a forecast of the past means anything
  Backtest result;
  const std::string base = options.currency.empty() ? main_currency(deals) : options.currency;
  Period period = previous_period(period_of(date_of(as_of), options.kind, options.fiscal_start_month),
                                  options.fiscal_start_month);
  double error = 0, base_error = 0, judged = 0;
  TrainOptions train_options = options.train;
  train_options.max_deals = std::min(train_options.max_deals, options.max_deals);
  for (int i = 0; i < options.max_periods;
       ++i, period = previous_period(period, options.fiscal_start_month)) {
    const Timestamp start = start_of(period.start);
    const int half = period.days() / 2;
    for (const Timestamp at : {start, impl::plus_days(start, half)}) {
      if (at != start && !options.mid_period) continue;
      const WinModel model = train(deals, at, train_options);
      if (model.quality().n < kEnoughClosed) continue;
      ForecastRequest request;
      request.periods = {period};
      request.as_of = at;
      // What was recorded later about that time is history all the same.
      request.known_at = {std::numeric_limits<std::int64_t>::max()};
      request.currency = base;
      request.rates = options.rates;
      request.simulations = options.simulations;
      Forecaster forecaster(deals, model, request);
      SeededRandom random(forecast_seed(deals, request));
      const ForecastRow row = forecaster.run(random).front();
      BacktestItem item{at,
                        period,
                        row.p10,
                        row.p50,
                        row.p90,
                        row.weighted,
                        actual_won(deals, period, base, options.rates),
                        false,
                        model.quality().n};
      item.inside = item.p10 <= item.actual && item.actual <= item.p90;
      result.items.push_back(item);

      double share = 0;  // a flat forecast of the same total
      std::vector<std::pair<double, double>> pairs;
      for (const OpenDeal& open : forecaster.open()) {
        const auto closed = closed_at(*open.deal);
        const double truth =
            open.deal->status == Status::won && closed && period.contains(date_of(*closed)) ? 1 : 0;
        pairs.emplace_back(open.won_by.front(), truth);
        share += open.won_by.front();
      }
      if (pairs.empty()) continue;
      share /= static_cast<double>(pairs.size());
      for (const auto& [p, truth] : pairs) {
        error += (p - truth) * (p - truth);
        base_error += (share - truth) * (share - truth);
      }
      judged += static_cast<double>(pairs.size());
    }
  }
  std::ranges::sort(result.items, {}, &BacktestItem::as_of);
  result.n = static_cast<int>(result.items.size());
  if (judged > 0) {
    result.brier = error / judged;
    result.base_rate_brier = base_error / judged;
  }
  if (result.n == 0) {
    result.note =
        fmt::format("History is too short: no past period began with {} closed deals.", kEnoughClosed);
    return result;
  }
  const auto inside = std::ranges::count_if(result.items, &BacktestItem::inside);
  result.coverage = static_cast<double>(inside) / result.n;
  result.note =
      fmt::format("{} of {} actual results lie between P10 and P90; 80 % should.", inside, result.n);
  if (result.n < 10) result.note += " So few forecasts show only gross errors.";
  return result;
}

}  // namespace castiel::intelligence
