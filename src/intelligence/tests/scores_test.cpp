// Probability, risk and recommendations of single deals.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "intelligence/evaluate.hpp"
#include "intelligence/impl/logistic.hpp"
#include "intelligence/render.hpp"
#include "intelligence/testing/world.hpp"

namespace castiel::intelligence {
namespace {

using testing::make_world;
using testing::World;
using testing::WorldOptions;

Timestamp day(int year, int month, int d) {
  return start_of(*make_date(year, month, d));
}
const Timestamp kNow = day(2026, 3, 1);

Deal open_deal(std::string id, std::string stage) {
  Deal deal;
  deal.id = ShardId(std::move(id));
  deal.name = "Deal";
  deal.stage = std::move(stage);
  deal.created = *make_date(2026, 1, 15);
  deal.close_date = *make_date(2026, 4, 15);
  deal.amount = Decimal(1000);
  deal.owner = "Ann";
  deal.account = "Acme";
  deal.currency = "EUR";
  deal.recorded_at = day(2026, 1, 20);
  return deal;
}

const RiskFactor* find(const Risk& risk, std::string_view id) {
  for (const RiskFactor& f : risk.factors) {
    if (f.id == id) return &f;
  }
  return nullptr;
}

TEST(WinModel, works_without_any_deal) {
  const WinModel model = train({}, kNow);
  EXPECT_EQ(model.quality().basis, Basis::prior);
  EXPECT_FALSE(model.quality().brier);
  const Deal deal = open_deal("a", "Proposal");
  const Prediction p = predict(model, view_as_of(deal, kNow, kNow));
  EXPECT_GT(p.value, 0);
  EXPECT_LT(p.value, 1);
  EXPECT_GT(p.high - p.low, .2);
}

TEST(WinModel, without_closed_deals_a_later_stage_is_likelier) {
  const std::vector deals{open_deal("a", "Qualification"), open_deal("b", "Proposal"),
                          open_deal("c", "Negotiation")};
  const WinModel model = train(deals, kNow);
  double last = 0;
  for (const Deal& deal : deals) {
    const double p = predict(model, view_as_of(deal, kNow, kNow, &model.facts())).value;
    EXPECT_GT(p, last) << deal.stage;
    last = p;
  }
}

TEST(WinModel, moves_from_priors_to_own_weights_with_closed_deals) {
  for (const auto& [deals, basis] : {std::pair{40, Basis::blend}, std::pair{600, Basis::tenant}}) {
    WorldOptions options;
    options.deals = deals;
    const World world = make_world(options);
    EXPECT_EQ(train(world.deals, world.end).quality().basis, basis) << deals;
  }
}

TEST(WinModel, of_only_won_deals_says_that_nothing_can_be_learnt) {
  WorldOptions options;
  options.deals = 300;
  World world = make_world(options);
  std::erase_if(world.deals, [](const Deal& deal) { return deal.status == Status::lost; });
  const WinModel model = train(world.deals, world.end);
  EXPECT_NE(model.quality().note.find("All closed deals were won"), std::string::npos)
      << model.quality().note;
}

TEST(WinModel, explains_the_whole_probability) {
  const World world = make_world({});
  const WinModel model = train(world.deals, world.end);
  for (const Deal& deal : world.deals) {
    const DealView view = view_as_of(deal, world.end, world.end, &model.facts());
    if (view.status != Status::open) continue;
    const Prediction p = predict(model, view);
    double sum = p.base;
    for (const Contribution& c : p.contributions) {
      sum += c.effect;
      EXPECT_FALSE(c.value.empty());
    }
    // Effects under .01 are not listed; there are 18 features.
    EXPECT_NEAR(sum, impl::logit(p.value), .18);
  }
}

TEST(WinModel, is_the_same_for_the_same_deals_in_any_order_and_under_any_ids) {
  World world = make_world({});
  const WinModel a = train(world.deals, world.end);
  const Deal deal = world.deals.front();
  std::ranges::reverse(world.deals);
  // Another import of the same records gives them other ids.
  for (auto& d : world.deals) d.id = ShardId("again-" + d.id.str());
  const WinModel b = train(world.deals, world.end);
  const auto value = [&](const WinModel& m) {
    return predict(m, view_as_of(deal, start_of(*deal.created + 5), world.end, &m.facts())).value;
  };
  EXPECT_NEAR(value(a), value(b), 1e-9);
}

RC_GTEST_PROP(WinModel, gives_probabilities_inside_their_intervals, ()) {
  WorldOptions options;
  options.seed = *rc::gen::inRange<std::uint64_t>(1, 100000);
  options.deals = *rc::gen::inRange(0, 120);
  options.signal = *rc::gen::element(0.0, 1.0, 3.0);
  options.history = *rc::gen::arbitrary<bool>();
  const World world = make_world(options);
  const Timestamp at = start_of(options.start + *rc::gen::inRange(1, 1000));
  const WinModel model = train(world.deals, at);
  for (const Deal& deal : world.deals) {
    const DealView view = view_as_of(deal, at, world.end, &model.facts());
    const Prediction p = predict(model, view);
    RC_ASSERT(p.value >= 0 && p.value <= 1 && p.low >= 0 && p.high <= 1);
    RC_ASSERT(p.low <= p.value && p.value <= p.high);
    const CloseTimes times = close_times(model, view, p.value);
    RC_ASSERT(std::ranges::is_sorted(times.won) && std::ranges::is_sorted(times.lost));
    RC_ASSERT(times.won.back() + times.lost.back() <= 1 + 1e-9);
    RC_ASSERT(times.slip >= 0 && times.slip <= 1);
  }
}

TEST(Risk, of_a_closed_deal_is_zero) {
  Deal deal = open_deal("a", "Closed Won");
  deal.status = Status::won;
  deal.close_date = *make_date(2026, 2, 1);
  const WinModel model = train({&deal, 1}, kNow);
  const Evaluation e = evaluate(model, deal, kNow, kNow);
  EXPECT_EQ(e.risk.score, 0);
  EXPECT_TRUE(e.recommendations.empty());
  EXPECT_EQ(e.prediction.value, 1);
}

TEST(Risk, names_a_past_close_date_with_its_days) {
  Deal deal = open_deal("a", "Proposal");
  deal.close_date = *make_date(2026, 2, 19);
  const WinModel model = train({&deal, 1}, kNow);
  const Evaluation e = evaluate(model, deal, kNow, kNow);
  const RiskFactor* past = find(e.risk, factor::kCloseDatePast);
  ASSERT_TRUE(past);
  EXPECT_NE(past->detail.find("2026-02-19"), std::string::npos) << past->detail;
  EXPECT_NE(past->detail.find("10 days"), std::string::npos) << past->detail;
  ASSERT_FALSE(past->evidence.empty());
  ASSERT_FALSE(e.recommendations.empty());
  EXPECT_EQ(e.recommendations.front().id, "confirm_close_date");
}

TEST(Risk, is_silent_about_what_the_source_never_carries) {
  std::vector<Deal> deals;
  for (int i = 0; i < 20; ++i) deals.push_back(open_deal(fmt::format("d{}", i), "Negotiation"));
  const WinModel model = train(deals, kNow);
  const Evaluation e = evaluate(model, deals.front(), kNow, kNow);
  for (const auto id : {factor::kNoContact, factor::kNoNextStep, factor::kSilence, factor::kSkipped}) {
    EXPECT_FALSE(find(e.risk, id)) << id;
  }
  for (int i = 1; i < 20; ++i) deals[static_cast<std::size_t>(i)].next_step = "Call";
  for (int i = 1; i < 20; ++i)
    deals[static_cast<std::size_t>(i)].contacts = {{ShardId("c"), "Bob", "CFO", "", ""}};
  const WinModel informed = train(deals, kNow);
  const Evaluation again = evaluate(informed, deals.front(), kNow, kNow);
  EXPECT_TRUE(find(again.risk, factor::kNoNextStep));
  EXPECT_TRUE(find(again.risk, factor::kNoContact));
}

TEST(Risk, factors_can_be_switched_off) {
  Deal deal = open_deal("a", "Proposal");
  deal.close_date = *make_date(2026, 2, 19);
  const WinModel model = train({&deal, 1}, kNow);
  RiskOptions options;
  options.disabled = {std::string(factor::kCloseDatePast)};
  EXPECT_FALSE(find(evaluate(model, deal, kNow, kNow, {}, options).risk, factor::kCloseDatePast));
}

RC_GTEST_PROP(Risk, never_falls_with_more_pushes_of_the_close_date, ()) {
  static const World world = make_world({.seed = 3, .deals = 200, .days = 300});
  static const WinModel own = train(world.deals, world.end), shipped = train({}, kNow);
  const WinModel& model = *rc::gen::arbitrary<bool>() ? own : shipped;
  Deal deal = open_deal("a", "Proposal");
  DealView view = view_as_of(deal, kNow, kNow, &model.facts());
  const Prediction prediction = predict(model, view);
  int last = -1;
  for (int pushes = 0; pushes < 12; ++pushes) {
    const int score = assess(view, model.facts(), prediction, .5).score;
    RC_ASSERT(score >= last);
    RC_ASSERT(score >= 0 && score <= 100);
    last = score;
    ++view.pushes;
    view.push_days += *rc::gen::inRange(1, 60);
  }
}

TEST(Recommendations, propose_a_known_person_of_the_account) {
  std::vector<Deal> deals;
  for (int i = 0; i < 5; ++i) {
    deals.push_back(open_deal(fmt::format("d{}", i), "Negotiation"));
    deals.back().contacts = {{ShardId("c1"), "Bob", "Engineer", "", "bob@acme.example"}};
  }
  const WinModel model = train(deals, kNow);
  const std::vector<DealContact> people{{ShardId("c1"), "Bob", "Engineer", "", "bob@acme.example"},
                                        {ShardId("c2"), "Cy", "Clerk", "", ""},
                                        {ShardId("c3"), "Eve", "CFO", "", ""}};
  const Evaluation e = evaluate(model, deals.front(), kNow, kNow, {}, {}, people);
  bool found = false;
  for (const Recommendation& r : e.recommendations)
    found |= r.id == "multi_thread" && r.title.contains("Eve, CFO");
  EXPECT_TRUE(found);
  EXPECT_LE(e.recommendations.size(), 4U);
}

TEST(Recommendations, advise_to_close_out_what_is_far_older_than_any_won_deal) {
  WorldOptions options;
  options.deals = 300;
  World world = make_world(options);
  Deal zombie = world.deals.front();
  zombie.history.clear();
  zombie.status = Status::open;
  zombie.stage = "Proposal";
  zombie.created = options.start;
  zombie.id = ShardId("zombie");
  const Timestamp much_later = start_of(options.start + 2500);
  world.deals.push_back(zombie);
  const WinModel model = train(world.deals, much_later);
  const Evaluation e = evaluate(model, zombie, much_later, much_later);
  ASSERT_EQ(e.recommendations.size(), 1U);
  EXPECT_EQ(e.recommendations.front().id, "close_out");
  EXPECT_GE(e.risk.score, 40);
}

TEST(Executives, are_told_by_their_titles) {
  for (const char* title :
       {"VP Sales", "Chief Financial Officer", "CEO", "Director of IT", "Geschäftsführer", "Co-Founder"}) {
    EXPECT_TRUE(is_executive(title)) << title;
  }
  for (const char* title : {"Engineer", "Account Executive", "Product Owner", "", "Buyer", "Octopus"})
    EXPECT_FALSE(is_executive(title)) << title;
}

TEST(Facts, learn_the_order_of_stages_from_the_history) {
  WorldOptions options;
  options.deals = 200;
  World world = make_world(options);
  // Names that say nothing.
  for (Deal& deal : world.deals) {
    const auto rename = [](auto& name) {
      if (name == "Qualification") name = "Zeta";
      if (name == "Discovery") name = "Yota";
      if (name == "Proposal") name = "Alfa";
      if (name == "Negotiation") name = "Beta";
    };
    rename(deal.stage);
    for (Change& c : deal.history) {
      if (c.field != field::kStage) continue;
      rename(*c.old_value);
      rename(*c.new_value);
    }
  }
  const TenantFacts facts = observe(world.deals, world.end, world.end);
  std::vector<std::string> open;
  for (const StageFact& stage : facts.stages) {
    if (!stage.closing) open.push_back(stage.name);
  }
  EXPECT_EQ(open, (std::vector<std::string>{"Zeta", "Yota", "Alfa", "Beta"}));
  EXPECT_TRUE(facts.stage("Beta")->median_days.has_value());
}

TEST(Render, gives_the_summary_the_contract_names) {
  const Deal deal = open_deal("a", "Proposal");
  const WinModel model = train({&deal, 1}, kNow);
  const Evaluation e = evaluate(model, deal, kNow, kNow);
  const json::object summary = deal_summary_json(e, model.facts());
  for (const char* key :
       {"id",       "externalId",   "integration", "name",   "account",     "owner",     "team",
        "stage",    "stageOrder",   "status",      "amount", "createdDate", "closeDate", "age",
        "stageAge", "lastActivity", "probability", "risk",   "topFactor",   "nextStep"}) {
    EXPECT_TRUE(summary.contains(key)) << key;
  }
  EXPECT_EQ(summary.at("amount").at("amount").as_string(), "1000");
  EXPECT_EQ(summary.at("probability").at("basis").as_string(), "prior");
  const json::object detail = deal_detail_json(e, model.facts());
  EXPECT_TRUE(detail.at("risk").as_object().contains("factors"));
  EXPECT_TRUE(detail.at("probability").as_object().contains("factors"));
  EXPECT_TRUE(quality_json(model.quality()).at("brier").is_null());
}

}  // namespace
}  // namespace castiel::intelligence
