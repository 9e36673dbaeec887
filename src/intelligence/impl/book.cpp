#include "intelligence/impl/book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "intelligence/render.hpp"

namespace castiel::intelligence {
namespace {

// Everything recorded so far, however the clocks of the machines that recorded it went.
constexpr Timestamp kAlways{std::numeric_limits<std::int64_t>::max()};
constexpr int kDefaultPeriods = 6;

AsOfChoice choose(std::span<const Deal> deals, const impl::Engagements& engagements, std::optional<Date> day,
                  Timestamp now, int stale_days) {
  if (!day) {
    auto newest = newest_source_change(deals);
    if (engagements.newest) newest = std::max(newest.value_or(*engagements.newest), *engagements.newest);
    return choose_as_of(newest, now, stale_days);
  }
  const Timestamp end = start_of(*day + 1) - Duration(1);
  return {std::min(end, now), "asked"};
}

TrainOptions train_options(const BookOptions& options) {
  TrainOptions train;
  train.stage_order = options.stage_order;
  return train;
}

}  // namespace

Book::Book(impl::Loaded loaded, impl::Engagements linked, std::optional<Date> day, Timestamp now,
           BookOptions settings)
    : deals(std::move(loaded.deals)),
      account_contacts(std::move(loaded.account_contacts)),
      engagements(std::move(linked)),
      options(std::move(settings)),
      as_of(choose(deals, engagements, day, now, options.stale_days)),
      currency(options.currency.empty() ? main_currency(deals) : options.currency),
      model(train(deals, as_of.as_of, train_options(options))),
      peers(peer_probabilities(model, deals, as_of.as_of, kAlways)) {
  by_id.resize(deals.size());
  std::iota(by_id.begin(), by_id.end(), 0U);
  std::ranges::sort(by_id, {}, [&](std::uint32_t i) { return deals[i].id.view(); });
  rows.reserve(deals.size());
  for (const Deal& deal : deals) {
    const DealView view = view_as_of(deal, as_of.as_of, kAlways, &model.facts());
    if (!view.exists) continue;
    Row& row = rows.emplace_back();
    const bool closed = view.status != Status::open;
    row.deal = &deal;
    row.status = view.status;
    row.stage = closed ? std::string_view(deal.stage) : view.stage.value_or("");
    row.owner = view.owner.value_or("");
    row.amount = closed ? deal.amount : view.amount;
    row.created = view.created;
    row.close_date = closed ? deal.close_date : view.close_date;
    row.age_days = view.age_days;
    row.stage_age_days = view.stage_age_days;
    row.last_change = view.last_change;
    row.closed_at = view.closed_at;
    const Prediction prediction = predict(model, view, false);
    row.probability = prediction.value;
    if (closed) continue;
    const auto peer = peers.find(row.stage);
    const auto talk = engagement(deal);
    const Risk risk = assess(view, model.facts(), prediction, peer == peers.end() ? -1 : peer->second,
                             options.risk, talk ? &*talk : nullptr);
    row.score = risk.score;
    row.level = risk.level;
  }
}

Evaluation Book::evaluate(const Deal& deal) const {
  const auto people = account_contacts.find(deal.account_id);
  const auto talk = engagement(deal);
  return intelligence::evaluate(
      model, deal, as_of.as_of, kAlways, peers, options.risk,
      people == account_contacts.end() ? std::span<const DealContact>() : people->second,
      talk ? &*talk : nullptr);
}

std::optional<EngagementView> Book::engagement(const Deal& deal) const {
  const auto found = engagements.of_deal.find(deal.id.str());
  if (found == engagements.of_deal.end()) return std::nullopt;
  return view_engagement(found->second, engagements.facts, deal.contacts, as_of.as_of, kAlways);
}

const Deal* Book::find(const ShardId& id) const {
  const auto id_at = [&](std::uint32_t i) { return deals[i].id.view(); };
  const auto found = std::ranges::lower_bound(by_id, id.view(), {}, id_at);
  return found == by_id.end() || id_at(*found) != id.view() ? nullptr : &deals[*found];
}

bool Book::in_currency(const Deal& deal) const {
  return deal.currency.empty() || deal.currency == "unknown" || deal.currency == currency;
}

std::optional<Decimal> Book::rate(const Row& row) const {
  return options.rates.rate(row.deal->currency, date_of(row.closed_at.value_or(as_of.as_of)));
}

std::optional<Decimal> Book::amount(const Row& row) const {
  if (!row.amount || in_currency(*row.deal)) return row.amount;
  return options.rates.convert(*row.amount, row.deal->currency, date_of(row.closed_at.value_or(as_of.as_of)));
}

Result<json::object> Book::forecast(const std::string& name, GroupBy by) const {
  ForecastRequest request;
  if (name.empty()) {
    request.periods =
        periods_from(date_of(as_of.as_of), PeriodKind::quarter, kDefaultPeriods, options.fiscal_start_month);
  } else {
    CASTIEL_ASSIGN(request.periods.emplace_back(), parse_period(name, options.fiscal_start_month));
  }
  request.by = by;
  request.as_of = as_of.as_of;
  request.known_at = kAlways;
  request.currency = currency == "unknown" ? std::string() : currency;
  request.rates = options.rates;
  request.simulations = options.simulations;
  const std::string key = fmt::format("{}/{}", name, static_cast<int>(by));
  std::lock_guard lock(mutex_);
  if (const auto known = forecasts_.find(key); known != forecasts_.end()) return known->second;
  SeededRandom random(forecast_seed(deals, request));
  const auto computed = intelligence::forecast(deals, model, request, random);
  auto document = forecast_json(computed, request, as_of.reason, model.quality());
  document["currency"] = currency;
  if (forecasts_.size() >= kMaxForecasts) forecasts_.clear();
  forecasts_[key] = document;
  return document;
}

json::object Book::backtest() const {
  std::lock_guard lock(backtest_mutex_);
  if (!backtest_) {
    BacktestOptions settings;
    settings.fiscal_start_month = options.fiscal_start_month;
    settings.simulations = std::min(options.simulations, settings.simulations);
    settings.currency = currency == "unknown" ? std::string() : currency;
    settings.rates = options.rates;
    settings.train = train_options(options);
    backtest_ = backtest_json(intelligence::backtest(deals, as_of.as_of, settings), currency);
  }
  return *backtest_;
}

Decimal impl::rounded_money(double amount) {
  return Decimal::parse(fmt::format("{:.2f}", amount)).value_or(Decimal());
}

}  // namespace castiel::intelligence
