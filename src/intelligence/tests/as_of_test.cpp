#include "intelligence/as_of.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>

#include "intelligence/evaluate.hpp"
#include "intelligence/impl/days.hpp"
#include "intelligence/testing/world.hpp"

namespace castiel::intelligence {
namespace {

using testing::make_world;
using testing::World;
using testing::WorldOptions;

constexpr Timestamp kAllKnown{std::numeric_limits<std::int64_t>::max()};

Timestamp day(int year, int month, int d) {
  return start_of(*make_date(year, month, d));
}

Change change(std::string_view field, std::string from, std::string to, Timestamp at) {
  return {std::string(field), std::move(from),     std::move(to),   at,
          day(2020, 1, 1),    CorrelationId("c1"), "history_export"};
}

// Created in January 2019, moved through two stages, pushed twice, cut and lost in June; stored in 2020.
Deal lost_deal() {
  Deal deal;
  deal.id = ShardId("d1");
  deal.name = "Deal";
  deal.created = *make_date(2019, 1, 10);
  deal.stage = "Closed Lost";
  deal.status = Status::lost;
  deal.amount = Decimal(0);
  deal.close_date = *make_date(2019, 6, 15);
  deal.owner = "Ann";
  deal.recorded_at = day(2020, 1, 1);
  deal.history = {change(field::kStage, "Qualification", "Proposal", day(2019, 2, 1)),
                  change(field::kCloseDate, "2019-03-31", "2019-04-30", day(2019, 3, 1)),
                  change(field::kAmount, "1000", "700", day(2019, 4, 1)),
                  change(field::kCloseDate, "2019-04-30", "2019-05-31", day(2019, 4, 20)),
                  change(field::kStage, "Proposal", "Qualification", day(2019, 5, 1)),
                  change(field::kStage, "Qualification", "Closed Lost", day(2019, 6, 15)),
                  change(field::kCloseDate, "2019-05-31", "2019-06-15", day(2019, 6, 15)),
                  change(field::kAmount, "700", "0", day(2019, 6, 15))};
  return deal;
}

TEST(ViewAsOf, reads_every_field_as_it_was) {
  const Deal deal = lost_deal();
  const DealView view = view_as_of(deal, day(2019, 2, 15), kAllKnown);
  EXPECT_TRUE(view.exists);
  EXPECT_EQ(view.status, Status::open);
  EXPECT_EQ(view.stage, "Proposal");
  EXPECT_EQ(view.amount->str(), "1000");
  EXPECT_EQ(to_string(*view.close_date), "2019-03-31");
  EXPECT_EQ(view.stage_age_days, 14);
  EXPECT_EQ(view.age_days, 36);
  EXPECT_EQ(view.silence_days, 14);
  EXPECT_EQ(view.pushes, 0);
  EXPECT_EQ(view.stage_steps, 1);
}

TEST(ViewAsOf, counts_pushes_cuts_and_moves_back) {
  const Deal deal = lost_deal();
  const DealView view = view_as_of(deal, day(2019, 5, 10), kAllKnown);
  EXPECT_EQ(view.pushes, 2);
  EXPECT_EQ(view.push_days, 61);
  EXPECT_EQ(view.amount_cuts, 1);
  EXPECT_NEAR(view.amount_cut_share, .3, 1e-9);
  EXPECT_EQ(view.regressions, 1);
  EXPECT_EQ(view.days_to_close, 21);
}

TEST(ViewAsOf, shows_the_outcome_only_once_it_happened) {
  const Deal deal = lost_deal();
  EXPECT_EQ(view_as_of(deal, day(2019, 6, 14), kAllKnown).status, Status::open);
  EXPECT_EQ(view_as_of(deal, day(2019, 6, 16), kAllKnown).status, Status::lost);
  EXPECT_FALSE(view_as_of(deal, day(2019, 1, 1), kAllKnown).exists);
}

TEST(ViewAsOf, knows_nothing_recorded_later_than_it_looks) {
  const Deal deal = lost_deal();
  const DealView view = view_as_of(deal, day(2019, 5, 10), day(2019, 5, 10));
  EXPECT_EQ(view.pushes, 0);
  EXPECT_EQ(view.changes, 0);
}

TEST(ViewAsOf, keeps_final_values_of_a_deal_without_history_out_of_its_past) {
  Deal deal = lost_deal();
  deal.history.clear();
  const DealView view = view_as_of(deal, day(2019, 5, 10), kAllKnown);
  EXPECT_EQ(view.status, Status::open);
  EXPECT_FALSE(view.stage);
  EXPECT_FALSE(view.amount);
  EXPECT_FALSE(view.close_date);
  EXPECT_EQ(view.owner, "Ann");
  EXPECT_EQ(view.age_days, 120);
}

TEST(ViewAsOf, takes_present_values_of_an_open_deal_from_when_they_are_known_to_hold) {
  Deal deal = lost_deal();
  deal.history.clear();
  deal.status = Status::open;
  deal.stage = "Proposal";
  deal.amount = Decimal(500);
  deal.state_at = day(2019, 5, 1);
  EXPECT_EQ(view_as_of(deal, day(2019, 5, 1), kAllKnown).stage, "Proposal");
  EXPECT_EQ(view_as_of(deal, day(2019, 5, 1), kAllKnown).amount->str(), "500");
  EXPECT_FALSE(view_as_of(deal, day(2019, 4, 30), kAllKnown).stage);
}

TEST(ChooseAsOf, takes_now_unless_the_newest_change_is_over_ninety_days_old) {
  const Timestamp now = day(2020, 1, 1);
  EXPECT_EQ(choose_as_of(day(2019, 12, 1), now).reason, "now");
  EXPECT_EQ(choose_as_of(std::nullopt, now).as_of, now);
  const auto old = choose_as_of(day(2017, 12, 1), now);
  EXPECT_EQ(old.reason, "newest_change");
  EXPECT_EQ(old.as_of, day(2017, 12, 1));
}

TEST(NewestSourceChange, ignores_expected_close_dates) {
  Deal deal = lost_deal();
  deal.status = Status::open;
  deal.history.clear();
  deal.close_date = *make_date(2030, 1, 1);
  EXPECT_EQ(newest_source_change({&deal, 1}), day(2019, 1, 10));
}

// Rewrites all that happened to a deal after `cut`, keeping what was true at `cut`.
void rewrite_future(Deal& deal, Timestamp cut, SeededRandom& random) {
  const auto at_cut = [&](std::string_view name, std::string present) {
    std::optional<std::string> value;
    for (const Change& c : deal.history) {
      if (c.field != name) continue;
      if (c.effective_at <= cut) {
        value = c.new_value;
      } else {
        if (!value) value = c.old_value;
        break;
      }
    }
    return value.value_or(std::move(present));
  };
  if (const auto closed = closed_at(deal); closed && *closed <= cut) return;
  std::string stage = at_cut(field::kStage, deal.stage), amount = at_cut(field::kAmount, deal.amount->str()),
              close = at_cut(field::kCloseDate, to_string(*deal.close_date));
  std::erase_if(deal.history, [&](const Change& c) { return c.effective_at > cut; });
  const auto later = [&] { return impl::plus_days(cut, 1 + static_cast<double>(random.below(200))); };
  const auto move = [&](std::string_view name, std::string& value, std::string to) {
    if (value == to) return;
    deal.history.push_back(
        {std::string(name), value, to, later(), deal.recorded_at, CorrelationId("other"), "history_export"});
    value = std::move(to);
  };
  if (random.below(2) == 0) move(field::kAmount, amount, std::to_string(random.below(99999)));
  if (random.below(2) == 0) move(field::kCloseDate, close, to_string(date_of(later())));
  deal.status = static_cast<Status>(random.below(3));
  if (deal.status != Status::open)
    move(field::kStage, stage, deal.status == Status::won ? "Closed Won" : "Closed Lost");
  deal.stage = stage;
  deal.amount = *Decimal::parse(amount);
  deal.close_date = *parse_date(close);
  sort_history(deal);
}

RC_GTEST_PROP(Future, has_no_influence_on_any_score_bit_for_bit, ()) {
  WorldOptions options;
  options.seed = *rc::gen::inRange<std::uint64_t>(1, 1000000);
  options.deals = 60;
  options.days = 300;
  const World world = make_world(options);
  const Timestamp cut = start_of(options.start + *rc::gen::inRange(100, 290));
  World other = world;
  SeededRandom random(options.seed);
  for (Deal& deal : other.deals) rewrite_future(deal, cut, random);

  TrainOptions train_options;
  train_options.max_snapshots = 3;
  const WinModel a = train(world.deals, cut, train_options), b = train(other.deals, cut, train_options);
  RC_ASSERT(a.quality().n == b.quality().n);
  for (std::size_t i = 0; i < world.deals.size(); ++i) {
    const Evaluation x = evaluate(a, world.deals[i], cut, kAllKnown),
                     y = evaluate(b, other.deals[i], cut, kAllKnown);
    RC_ASSERT(x.view.exists == y.view.exists);
    if (!x.view.exists) continue;
    RC_ASSERT(x.view.status == y.view.status);
    RC_ASSERT(x.prediction.value == y.prediction.value);
    RC_ASSERT(x.prediction.low == y.prediction.low);
    RC_ASSERT(x.prediction.high == y.prediction.high);
    RC_ASSERT(x.risk.score == y.risk.score);
    RC_ASSERT(x.risk.factors.size() == y.risk.factors.size());
    RC_ASSERT(x.recommendations.size() == y.recommendations.size());
    const CloseTimes tx = close_times(a, x.view, x.prediction.value),
                     ty = close_times(b, y.view, y.prediction.value);
    RC_ASSERT(tx.won == ty.won);
    RC_ASSERT(tx.lost == ty.lost);
  }
}

}  // namespace
}  // namespace castiel::intelligence
