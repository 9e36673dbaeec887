#include "intelligence/testing/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "intelligence/impl/days.hpp"
#include "intelligence/impl/logistic.hpp"
#include "intelligence/impl/simulate.hpp"

namespace castiel::intelligence::testing {
namespace {

constexpr std::array kStages{"Qualification", "Discovery", "Proposal", "Negotiation"};
constexpr std::array kSources{"Web", "Referral", "Partner", "Cold call"};
constexpr std::array kSourceEffect{0.0, 0.9, 0.4, -0.8};

class Maker {
 public:
  explicit Maker(const WorldOptions& options) : options_(options), random_(options.seed) {}

  World run() {
    World world;
    const Date last = options_.start + options_.days;
    world.end = start_of(last);
    for (int i = 0; i < options_.deals; ++i) {
      double truth = 0;
      world.deals.push_back(make(i, last, truth));
      world.truth.push_back(truth);
    }
    return world;
  }

 private:
  double month_swing(Date day) {
    const auto [year, month, _] = split(day);
    const auto [it, fresh] = swings_.try_emplace(year * 12 + month, 0.0);
    if (fresh) {
      SeededRandom own(options_.seed * 1000003 + static_cast<std::uint64_t>(year * 12 + month));
      it->second = options_.month_shock * impl::draw_normal(own);
    }
    return it->second;
  }

  Deal make(int index, Date last, double& truth) {
    Deal deal;
    deal.id = ShardId(fmt::format("deal-{}-{:05}", options_.seed, index));
    deal.external_id = fmt::format("D{}-{:05}", options_.seed, index);
    deal.integration = "world";
    deal.name = fmt::format("Deal {}", index);
    deal.currency = "EUR";
    deal.created =
        options_.start + static_cast<int>(random_.below(static_cast<std::uint64_t>(options_.days)));
    const auto source = random_.below(kSources.size());
    deal.lead_source = kSources[source];
    deal.owner = fmt::format("Owner {}", random_.below(6));
    deal.team = deal.owner < "Owner 3" ? "North" : "South";
    deal.account = fmt::format("Account {}", random_.below(200));
    const double life = options_.median_days * std::exp(.5 * impl::draw_normal(random_));
    const Date ends = *deal.created + std::max(2, static_cast<int>(life));
    truth = impl::sigmoid(impl::logit(options_.base_rate) + options_.signal * kSourceEffect[source] +
                          month_swing(ends));
    const bool zombie = random_.uniform() < options_.zombies;
    const bool wins = !zombie && random_.uniform() < truth;
    amount_ = std::round(std::exp(9 + .6 * impl::draw_normal(random_)));
    live(deal, ends, wins, zombie, last);
    return deal;
  }

  void change(Deal& deal, std::string_view field, std::optional<std::string> from,
              std::optional<std::string> to, Timestamp at, Timestamp recorded) {
    if (options_.history) {
      deal.history.push_back({std::string(field), std::move(from), std::move(to), at, recorded,
                              CorrelationId("world"), "history_export"});
    }
  }

  // How often a lost deal shows a bad sign compared with a won one.
  bool bad_sign(bool wins, double won_rate, double lost_rate) {
    const double middle = (won_rate + lost_rate) / 2;
    const double rate = wins ? middle + options_.signal * (won_rate - middle)
                             : middle + options_.signal * (lost_rate - middle);
    return random_.uniform() < rate;
  }

  void live(Deal& deal, Date ends, bool wins, bool zombie, Date last) {
    const Timestamp recorded = start_of(last);
    deal.recorded_at = recorded;
    deal.state_at = recorded;
    const Timestamp born = start_of(*deal.created);
    const double life = ends - *deal.created;
    const bool ended = !zombie && ends < last;
    const auto happens = [&](Timestamp at) { return at < recorded; };
    deal.stage = kStages[0];
    deal.close_date = ends + static_cast<int>(20 * impl::draw_normal(random_));
    if (*deal.close_date <= *deal.created) deal.close_date = *deal.created + 14;
    deal.amount = Decimal(static_cast<std::int64_t>(amount_));
    // A lost or dead deal stops at some stage; a won one passes all.
    const int reached = wins || options_.signal == 0 ? static_cast<int>(kStages.size()) - 1
                                                     : static_cast<int>(random_.below(kStages.size()));
    for (int stage = 1; stage <= reached; ++stage) {
      const Timestamp at =
          impl::plus_days(born, life * stage / kStages.size() * (.8 + .4 * random_.uniform()));
      if (!happens(at)) break;
      change(deal, field::kStage, deal.stage, kStages[static_cast<std::size_t>(stage)], at, recorded);
      deal.stage = kStages[static_cast<std::size_t>(stage)];
    }
    for (const double when : {.4, .7}) {
      const Timestamp at = impl::plus_days(born, life * when);
      if (!bad_sign(wins, .15, .5) || !happens(at)) continue;
      const Date moved = *deal.close_date + 20;
      change(deal, field::kCloseDate, to_string(*deal.close_date), to_string(moved), at, recorded);
      deal.close_date = moved;
    }
    if (const Timestamp at = impl::plus_days(born, life * .5); bad_sign(wins, .05, .25) && happens(at)) {
      const Decimal less(static_cast<std::int64_t>(amount_ * .7));
      change(deal, field::kAmount, deal.amount->str(), less.str(), at, recorded);
      deal.amount = less;
    }
    if (ended) {
      const Timestamp at = impl::plus_days(start_of(ends), .5);
      const std::string closing = wins ? "Closed Won" : "Closed Lost";
      change(deal, field::kStage, deal.stage, closing, at, recorded);
      deal.stage = closing;
      deal.status = wins ? Status::won : Status::lost;
      if (*deal.close_date != ends) {
        change(deal, field::kCloseDate, to_string(*deal.close_date), to_string(ends), at, recorded);
      }
      deal.close_date = ends;
      if (!wins) {
        change(deal, field::kAmount, deal.amount->str(), "0", at, recorded);
        deal.amount = Decimal(0);
      }
    }
    sort_history(deal);
  }

  WorldOptions options_;
  SeededRandom random_;
  double amount_ = 0;
  std::map<int, double> swings_;
};

}  // namespace

World make_world(const WorldOptions& options) {
  return Maker(options).run();
}

}  // namespace castiel::intelligence::testing
