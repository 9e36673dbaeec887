#include "intelligence/engagement.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>

#include "intelligence/evaluate.hpp"
#include "intelligence/impl/days.hpp"
#include "intelligence/testing/world.hpp"

namespace castiel::intelligence {
namespace {

constexpr Timestamp kAllKnown{std::numeric_limits<std::int64_t>::max()};

Timestamp day(int month, int d, int hour = 9) {
  return impl::plus_days(start_of(*make_date(2026, month, d)), hour / 24.);
}

// Pat Doe, champion, and Kim Roe of the customer; Ann sells.
struct Story {
  DealEngagement engagement;
  EngagementFacts facts;
  std::vector<DealContact> contacts{
      {ShardId("c1"), "Pat Doe", "Plant manager", "Champion", "pat@orbis.example"},
      {ShardId("c2"), "Kim Roe", "Buyer", "", "kim@orbis.example"}};
  int made = 0;

  Touch& add(std::string type, Way way, Timestamp at, Someone outside, bool sure = true) {
    auto touch = std::make_shared<Touch>();
    touch->shard = ShardId("s" + std::to_string(++made));
    touch->type = std::move(type);
    touch->way = way;
    touch->at = touch->known_at = touch->recorded_at = at;
    touch->thread = "t" + std::to_string(made);
    touch->outside = {outside};
    if (way == Way::inbound) touch->from = outside;
    if (way == Way::outbound) touch->from = Someone{"ann@own.example", "Ann"};
    Touch& result = *touch;
    engagement.touches.push_back({std::move(touch), sure, at});
    return result;
  }
  Touch& inbound(Timestamp at, Someone who = {"pat@orbis.example", "Pat Doe"}) {
    return add("email", Way::inbound, at, std::move(who));
  }
  Touch& outbound(Timestamp at, Someone who = {"pat@orbis.example", "Pat Doe"}) {
    return add("email", Way::outbound, at, std::move(who));
  }
  Promise& promise(const Touch& said, Date due, std::string sentence, std::string kind = "commitment") {
    Promise p;
    p.id = ShardId("p" + std::to_string(++made));
    p.text = p.sentence = std::move(sentence);
    p.kind = std::move(kind);
    p.ours = true;
    p.owner = "Ann";
    p.due = due;
    p.at = p.recorded_at = said.at;
    p.confidence = .8;
    p.source = said.shard;
    return engagement.promises.emplace_back(std::move(p));
  }
  static Cue cue(CueKind kind, std::string text) {
    Cue made;
    made.kind = kind;
    made.of_self = text.find("my last day") != text.npos;
    made.text = std::move(text);
    made.place = {"bodyPlainText", {}, {}, 3, 9};
    return made;
  }
  EngagementView view(Timestamp as_of) {
    std::ranges::stable_sort(engagement.touches, {}, [](const LinkedTouch& t) { return t.touch->at; });
    return view_engagement(engagement, facts, contacts, as_of, kAllKnown);
  }
};

TEST(Engagement, counts_from_the_last_word_of_theirs) {
  Story story;
  story.inbound(day(9, 1));
  story.outbound(day(9, 3));
  story.outbound(day(9, 10));
  const auto view = story.view(day(9, 25));
  EXPECT_TRUE(view.any);
  EXPECT_EQ(view.inbound_days, 24);
  EXPECT_EQ(view.unanswered.size(), 2);
  EXPECT_EQ(view.engaged, std::vector<std::string>{"Pat Doe"});
}

TEST(Engagement, lets_a_suggested_mail_excuse_but_never_accuse) {
  Story story;
  story.inbound(day(9, 1));
  auto& maybe = story.add("email", Way::inbound, day(9, 20), {"pat@orbis.example", "Pat Doe"}, false);
  maybe.cues = {Story::cue(CueKind::budget, "The budget is frozen."), Story::cue(CueKind::question, "When?")};
  const auto view = story.view(day(9, 25));
  EXPECT_EQ(view.inbound_days, 5);
  EXPECT_TRUE(view.budget.empty());
  EXPECT_FALSE(view.waiting);
}

TEST(Engagement, holds_us_to_what_we_promised_until_something_is_sent) {
  Story story;
  const Touch& said = story.outbound(day(9, 1));
  story.promise(said, *make_date(2026, 9, 4), "I'll send you the drawings by Friday.");
  EXPECT_TRUE(story.view(day(9, 6)).overdue.empty()) << "two days are nothing";
  ASSERT_EQ(story.view(day(9, 9)).overdue.size(), 1);
  const auto overdue = story.view(day(9, 9)).overdue.front();
  EXPECT_EQ(overdue.days, 5);
  EXPECT_TRUE(overdue.sending);
  EXPECT_EQ(overdue.evidence.shard, said.shard);
  story.outbound(day(9, 10));
  EXPECT_EQ(story.view(day(9, 12)).overdue.size(), 1)
      << "a mail without anything in it does not bring the drawings";
  story.outbound(day(9, 13)).delivers = true;
  EXPECT_TRUE(story.view(day(9, 14)).overdue.empty());
  EXPECT_EQ(story.view(day(9, 12)).overdue.size(), 1) << "nor did what was sent later";
}

TEST(Engagement, takes_any_later_word_for_a_promise_to_get_in_touch) {
  Story story;
  const Touch& said = story.outbound(day(9, 1));
  story.promise(said, *make_date(2026, 9, 4), "I'll call you on Friday.");
  EXPECT_EQ(story.view(day(9, 9)).overdue.size(), 1);
  story.outbound(day(9, 5));
  EXPECT_TRUE(story.view(day(9, 9)).overdue.empty());
}

TEST(Engagement, sees_a_question_nobody_answered) {
  Story story;
  story.inbound(day(9, 1)).cues = {Story::cue(CueKind::question, "Where is the offer?")};
  EXPECT_FALSE(story.view(day(9, 3)).waiting);
  ASSERT_TRUE(story.view(day(9, 8)).waiting);
  EXPECT_EQ(story.view(day(9, 8)).waiting->who, "Pat Doe");
  EXPECT_EQ(story.view(day(9, 8)).waiting->evidence.locator.start, 3);
  story.outbound(day(9, 7));
  EXPECT_FALSE(story.view(day(9, 8)).waiting);
}

TEST(Engagement, knows_who_left_from_a_farewell_and_from_a_bounce) {
  Story story;
  story.inbound(day(9, 1)).cues = {Story::cue(CueKind::farewell, "Tomorrow is my last day.")};
  auto view = story.view(day(9, 8));
  ASSERT_EQ(view.departures.size(), 1);
  EXPECT_EQ(view.departures.front().name, "Pat Doe");
  EXPECT_TRUE(view.departures.front().champion);
  EXPECT_TRUE(view.engaged.empty()) << "who left takes part no more";

  Story bounced;
  bounced.outbound(day(9, 1), {"kim@orbis.example", "Kim Roe"});
  auto& answer = bounced.add("email", Way::none, day(9, 2), {"", ""});
  answer.automatic = true;
  answer.cues = {Story::cue(CueKind::gone, "550 5.1.1 user unknown")};
  answer.cues.front().name = "kim@orbis.example";
  view = bounced.view(day(9, 8));
  ASSERT_EQ(view.departures.size(), 1);
  EXPECT_EQ(view.departures.front().name, "Kim Roe");
  EXPECT_FALSE(view.departures.front().champion);
}

TEST(Engagement, takes_a_farewell_to_be_of_whom_it_names) {
  Story story;
  story.inbound(day(9, 1), {"kim@orbis.example", "Kim Roe"}).cues = {
      Story::cue(CueKind::farewell, "Pat Doe has left the company.")};
  const auto view = story.view(day(9, 8));
  ASSERT_EQ(view.departures.size(), 1);
  EXPECT_EQ(view.departures.front().name, "Pat Doe");
}

TEST(Engagement, does_not_take_news_of_others_for_a_farewell_of_the_sender) {
  Story story;
  story.inbound(day(9, 1)).cues = {Story::cue(CueKind::farewell, "Our CFO has left the company.")};
  EXPECT_TRUE(story.view(day(9, 8)).departures.empty());
}

TEST(Engagement, believes_somebody_who_still_writes_weeks_after_a_farewell) {
  Story story;
  story.inbound(day(8, 1)).cues = {Story::cue(CueKind::farewell, "Tomorrow is my last day.")};
  story.inbound(day(9, 1));
  EXPECT_TRUE(story.view(day(9, 8)).departures.empty());
}

TEST(Engagement, sees_a_planned_meeting_once_it_was_announced) {
  Story story;
  story.inbound(day(9, 1));
  auto& meeting = story.add("event", Way::both, day(10, 1), {"kim@orbis.example", "Kim Roe"});
  meeting.calendar = true;
  meeting.known_at = day(9, 10);
  story.facts.calendar_since = day(9, 5);
  EXPECT_EQ(story.view(day(9, 8)).next_meeting, nullptr);
  EXPECT_TRUE(story.view(day(9, 8)).sees_calendar);
  ASSERT_NE(story.view(day(9, 12)).next_meeting, nullptr);
  EXPECT_EQ(story.view(day(9, 12)).engaged.size(), 1) << "it has not taken place";
  EXPECT_EQ(story.view(day(10, 2)).engaged.size(), 2);
  meeting.cancelled = true;
  EXPECT_EQ(story.view(day(9, 12)).next_meeting, nullptr);
}

TEST(Engagement, finds_the_mail_far_below_its_senders_own_mean) {
  Story story;
  for (int i = 1; i <= 6; ++i) story.inbound(day(8, i)).sentiment = .4 + .02 * i;
  EXPECT_FALSE(story.view(day(8, 20)).sour);
  story.inbound(day(8, 21)).sentiment = -.6;
  EXPECT_TRUE(story.view(day(8, 22)).sour);
}

// ---- factors and advice

struct Scored {
  Deal deal;
  Story story;

  Scored() {
    deal.id = ShardId("d1");
    deal.name = "Deal";
    deal.created = *make_date(2026, 6, 1);
    deal.stage = "Negotiation";
    deal.account = "Orbis";
    deal.contacts = story.contacts;
    deal.recorded_at = day(6, 1);
    deal.close_date = *make_date(2026, 12, 1);
  }
  Evaluation at(Timestamp as_of, RiskOptions options = {}) {
    const WinModel model = train(std::span<const Deal>(&deal, 1), as_of);
    const auto view = story.view(as_of);
    return evaluate(model, deal, as_of, kAllKnown, {}, options, {}, &view);
  }
};

const RiskFactor* factor_of(const Evaluation& e, std::string_view id) {
  const auto it = std::ranges::find(e.risk.factors, id, &RiskFactor::id);
  return it == e.risk.factors.end() ? nullptr : &*it;
}
bool advises(const Evaluation& e, std::string_view id) {
  return std::ranges::find(e.recommendations, id, &Recommendation::id) != e.recommendations.end();
}

TEST(EngagementRisk, turns_a_story_into_factors_and_advice_with_places) {
  Scored deal;
  const Touch& said = deal.story.outbound(day(9, 1));
  deal.story.promise(said, *make_date(2026, 9, 4), "I'll send you the drawings by Friday.");
  auto& last = deal.story.inbound(day(9, 8));
  last.cues = {Story::cue(CueKind::question, "Where are the drawings?"),
               Story::cue(CueKind::price, "It is too expensive."),
               Story::cue(CueKind::competitor, "Compared to Brightpath you are slow.")};
  last.cues.back().name = "Brightpath";
  deal.story.facts.calendar_since = day(8, 1);
  const auto e = deal.at(day(10, 5));
  for (const auto id :
       {factor::kNoInbound, factor::kSingleThreaded, factor::kOverduePromise, factor::kUnanswered,
        factor::kNoMeeting, factor::kPriceObjection, factor::kCompetitor}) {
    const auto* found = factor_of(e, id);
    ASSERT_NE(found, nullptr) << id;
    EXPECT_GT(found->points, 0);
    EXPECT_FALSE(found->evidence.empty());
  }
  EXPECT_EQ(factor_of(e, factor::kSilence), nullptr) << "it is replaced";
  EXPECT_EQ(factor_of(e, factor::kUnanswered)->evidence.front().shard, last.shard);
  EXPECT_TRUE(advises(e, "send_promised"));
  EXPECT_TRUE(advises(e, "answer_question"));
  EXPECT_NE(factor_of(e, factor::kCompetitor)->detail.find("Brightpath"), std::string::npos);
}

TEST(EngagementRisk, speaks_for_a_deal_in_which_people_take_part) {
  Scored deal;
  deal.story.inbound(day(10, 1));
  deal.story.inbound(day(10, 2), {"kim@orbis.example", "Kim Roe"});
  deal.story.inbound(day(10, 3), {"lee@orbis.example", "Lee Poe"});
  auto& meeting = deal.story.add("event", Way::both, day(10, 20), {"kim@orbis.example", "Kim Roe"});
  meeting.calendar = true;
  meeting.known_at = day(10, 1);
  const auto e = deal.at(day(10, 5));
  for (const auto id : {factor::kEngaged, factor::kMeetingPlanned, factor::kRecentInbound}) {
    ASSERT_NE(factor_of(e, id), nullptr) << id;
    EXPECT_LT(factor_of(e, id)->points, 0);
  }
  EXPECT_EQ(factor_of(e, factor::kSingleThreaded), nullptr);
}

TEST(EngagementRisk, switches_factors_off_and_stays_silent_without_anything_linked) {
  Scored deal;
  deal.story.inbound(day(8, 1));
  RiskOptions options;
  options.disabled = {std::string(factor::kNoInbound)};
  EXPECT_NE(factor_of(deal.at(day(10, 5)), factor::kNoInbound), nullptr);
  EXPECT_EQ(factor_of(deal.at(day(10, 5), options), factor::kNoInbound), nullptr);
  Scored bare;
  const auto e = bare.at(day(10, 5));
  const WinModel model = train(std::span<const Deal>(&bare.deal, 1), day(10, 5));
  const auto without = evaluate(model, bare.deal, day(10, 5), kAllKnown);
  EXPECT_EQ(e.risk.score, without.risk.score);
  EXPECT_EQ(e.risk.factors.size(), without.risk.factors.size());
}

// Nothing that happens, is announced or is stored after the instant may change what follows at the instant.
RC_GTEST_PROP(EngagementAsOf, is_blind_to_the_future, ()) {
  const auto index = *rc::gen::inRange(0, 1000);
  SeededRandom random(static_cast<std::uint64_t>(index) + 1);
  const auto pick = [&](int n) { return static_cast<int>(random.next() % static_cast<std::uint64_t>(n)); };
  const Timestamp as_of = day(9, 15);
  const std::vector<Someone> people{
      {"pat@orbis.example", "Pat Doe"}, {"kim@orbis.example", "Kim Roe"}, {"lee@orbis.example", "Lee Poe"}};
  const auto fill = [&](Scored& deal, bool future) {
    for (int i = 0, n = 3 + pick(8); i < n; ++i) {
      const double offset = future ? .01 + pick(60) : -60. + pick(60);
      const Timestamp at = impl::plus_days(as_of, offset);
      const int kind = pick(4);
      auto& touch = deal.story.add(kind == 3 ? "event" : "email",
                                   kind == 0   ? Way::outbound
                                   : kind == 3 ? Way::both
                                               : Way::inbound,
                                   at, people[static_cast<std::size_t>(pick(3))], pick(4) != 0);
      touch.shard = ShardId((future ? "f" : "s") + std::to_string(i));
      touch.delivers = pick(2) == 0;
      touch.sentiment = pick(200) / 100. - 1;
      touch.calendar = kind == 3;
      if (kind == 3 && future) touch.known_at = impl::plus_days(as_of, .5 + pick(5));
      touch.cues = {Story::cue(static_cast<CueKind>(pick(6)), "Kim Roe has left; the budget is frozen.")};
      touch.cues.front().name = people[static_cast<std::size_t>(pick(3))].email;
      if (pick(3) == 0)
        deal.story.promise(touch, date_of(impl::plus_days(at, pick(10))), "I'll send it.",
                           pick(2) == 0 ? "commitment" : "request");
    }
  };
  Scored before;
  fill(before, false);
  before.story.facts.calendar_since = day(8, 1);
  Scored after = before;
  fill(after, true);
  const auto a = before.at(as_of), b = after.at(as_of);
  RC_ASSERT(a.risk.score == b.risk.score);
  RC_ASSERT(a.risk.factors.size() == b.risk.factors.size());
  for (std::size_t i = 0; i < a.risk.factors.size(); ++i) {
    RC_ASSERT(a.risk.factors[i].id == b.risk.factors[i].id);
    RC_ASSERT(a.risk.factors[i].detail == b.risk.factors[i].detail);
    RC_ASSERT(a.risk.factors[i].evidence.size() == b.risk.factors[i].evidence.size());
  }
  RC_ASSERT(a.recommendations.size() == b.recommendations.size());
}

}  // namespace
}  // namespace castiel::intelligence
