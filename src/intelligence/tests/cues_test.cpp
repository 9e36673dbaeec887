#include "intelligence/impl/cues.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace castiel::intelligence::impl {
namespace {

const Timestamp kAt = parse_timestamp("2026-08-28T10:00:00Z").value();

std::vector<Cue> cues(std::string_view text, bool ours = false) {
  std::vector<Cue> found;
  find_cues(text, "bodyPlainText", ours, kAt, found);
  return found;
}
bool has(std::string_view text, CueKind kind, bool ours = false) {
  const auto found = cues(text, ours);
  return std::ranges::find(found, kind, &Cue::kind) != found.end();
}

TEST(Cues, see_a_farewell_in_three_languages) {
  for (const char* text :
       {"Friday is my last day at Orbis.", "She has left the company.", "I am leaving Orbis in May.",
        "He is no longer with us.", "Heute ist mein letzter Arbeitstag.",
        "Nach neun Jahren verlasse ich Orbis.", "Frau Kern hat Orbis verlassen.",
        "C'est mon dernier jour chez Orbis.", "Il a quitté l'entreprise."})
    EXPECT_TRUE(has(text, CueKind::farewell)) << text;
}

TEST(Cues, tell_a_farewell_of_oneself_from_news_of_others) {
  EXPECT_TRUE(cues("Heute ist mein letzter Arbeitstag.").front().of_self);
  EXPECT_FALSE(cues("Our CFO has left the company.").front().of_self);
}

TEST(Cues, do_not_take_reliance_or_going_home_for_a_farewell) {
  for (const char* text : {"Sie können sich auf mich verlassen.", "I am leaving the office now.",
                           "Friday is the last day of the quarter.", "Wir verlassen uns darauf.",
                           "I will be leaving early today."})
    EXPECT_FALSE(has(text, CueKind::farewell)) << text;
}

TEST(Cues, name_a_competitor_after_a_comparison) {
  const auto found = cues("Compared to Brightpath your price is high.");
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.front().kind, CueKind::competitor);
  EXPECT_EQ(found.front().name, "Brightpath");
  EXPECT_TRUE(has("We have a second offer on the table.", CueKind::competitor));
  EXPECT_TRUE(has("Ein Mitbewerber war schneller.", CueKind::competitor));
  EXPECT_TRUE(has("Nous comparons les deux offres.", CueKind::competitor));
  EXPECT_FALSE(has("Could you send another offer without the service?", CueKind::competitor));
}

TEST(Cues, take_a_name_from_the_answer_to_by_whom) {
  EXPECT_EQ(named_alone("From Brightpath. They are cheaper."), "Brightpath");
  EXPECT_EQ(named_alone("Von Brightpath, seit Mai."), "Brightpath");
  EXPECT_EQ(named_alone("From next week on."), "");
  EXPECT_EQ(named_alone("We like it."), "");
}

TEST(Cues, tell_an_objection_to_the_price_from_its_denial) {
  EXPECT_TRUE(has("That is too expensive for us.", CueKind::price));
  EXPECT_TRUE(has("Das ist uns zu teuer.", CueKind::price));
  EXPECT_TRUE(has("C'est trop cher.", CueKind::price));
  EXPECT_FALSE(has("It is not too expensive.", CueKind::price));
  EXPECT_FALSE(has("Das ist nicht zu teuer.", CueKind::price));
}

TEST(Cues, see_a_frozen_budget) {
  EXPECT_TRUE(has("Our budget for 2026 has been frozen.", CueKind::budget));
  EXPECT_TRUE(has("Das Investitionsbudget ist eingefroren.", CueKind::budget));
  EXPECT_TRUE(has("Le budget est gelé.", CueKind::budget));
  EXPECT_TRUE(has("The budget for this\nyear was frozen last week.", CueKind::budget)) << "lines are wrapped";
  EXPECT_TRUE(has("There is a spending freeze.", CueKind::budget));
  EXPECT_FALSE(has("The budget is approved.", CueKind::budget));
  EXPECT_FALSE(has("Das Budget ist nicht mehr eingefroren.", CueKind::budget));
}

TEST(Cues, keep_the_last_question_of_the_other_side_only) {
  const auto found = cues("How long does it take? And who does the training?");
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found.front().text, "And who does the training?");
  EXPECT_TRUE(cues("How long does it take?", true).empty());
}

TEST(Cues, read_a_german_promise_with_its_day_across_the_full_stop) {
  const auto found = cues("Gern. Ich schicke Ihnen die Unterlagen bis Freitag, 4. September.", true);
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found.front().kind, CueKind::promise);
  EXPECT_EQ(to_string(*found.front().due), "2026-09-04");
  EXPECT_EQ(found.front().text, "Ich schicke Ihnen die Unterlagen bis Freitag, 4. September.");
  EXPECT_FALSE(has("Ich schicke Ihnen die Unterlagen bis Freitag, 4. September.", CueKind::promise, false));
  // A day gone by belongs to the next year.
  const auto january = cues("Wir liefern Ihnen das bis zum 15. Januar.", true);
  ASSERT_EQ(january.size(), 1);
  EXPECT_EQ(to_string(*january.front().due), "2027-01-15");
}

TEST(Cues, read_the_address_that_is_gone_from_a_bounce) {
  std::vector<Cue> found;
  find_gone("This is the mail system.\n\n<Pat.Doe@orbis.example>: 550 5.1.1 user unknown", "body", found);
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found.front().name, "pat.doe@orbis.example");
  found.clear();
  find_gone("<pat.doe@orbis.example>: 452 4.2.2 mailbox full", "body", found);
  EXPECT_TRUE(found.empty());
}

TEST(Cues, point_at_code_points_not_bytes) {
  const auto found = cues("Schöne Grüße. Das ist uns zu teuer.");
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found.front().place.start, 14);
  EXPECT_EQ(found.front().place.end, 35);
}

}  // namespace
}  // namespace castiel::intelligence::impl
