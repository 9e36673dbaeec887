#include "processing/meetings/recommendations.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace castiel::processing {
namespace {

const std::vector<std::string> kOwn{"Ann Own"};

json::object finding(int segment, std::string_view speaker, std::string_view text) {
  return {{"segment", segment}, {"start", segment * 10.}, {"speaker", speaker}, {"text", text}};
}

std::vector<std::string> types(const json::array& made) {
  std::vector<std::string> list;
  for (const auto& item : made) list.push_back(string_or(item.get_object(), "type"));
  return list;
}

// A call of an hour in which everything was found (MEET-4).
json::object call() {
  return {{"quality", "vendor"},
          {"segments", json::array{json::object{{"start", 0.}, {"end", 3600.}}}},
          {"commitments",
           json::array{finding(3, "Ann Own", "I'll send the plan."), finding(9, "Pat", "We'll test it.")}},
          {"nextSteps", json::array{finding(3, "Ann Own", "I'll send the plan.")}},
          {"redFlags", json::array{finding(5, "Pat", "We may stop the project.")}},
          {"objections", json::array{finding(7, "Pat", "It is too expensive.")}},
          {"topics", json::array{"pricing"}},
          {"talkRatio", {{"internal", .8}, {"external", .2}, {"unknown", 0.}}},
          {"speakers",
           json::array{json::object{
               {"name", "Ann Own"}, {"questions", 1}, {"longestMonologue", 200.}, {"interruptions", 4}}}}};
}

TEST(MeetingRecommendations, come_of_all_four_kinds_with_their_segment) {
  const auto made = recommendations_of(call(), kOwn);
  EXPECT_EQ(types(made), (std::vector<std::string>{"follow_up", "follow_up", "risk", "risk", "content",
                                                   "coaching", "coaching", "coaching", "coaching"}));
  const auto& first = made.front().get_object();
  EXPECT_EQ(string_or(first, "title"), "Do it: I'll send the plan.");
  EXPECT_EQ(int_or(first.at("evidence").get_object(), "segment", -1), 3);
  EXPECT_EQ(string_or(made[1].get_object(), "title"), "Remind Pat: We'll test it.");
  EXPECT_EQ(string_or(made[3].get_object().at("evidence").get_object(), "text"), "It is too expensive.");
}

TEST(MeetingRecommendations, ask_for_a_next_step_where_none_was_found) {
  const json::object bare{{"quality", "vendor"}, {"segments", json::array{json::object{{"end", 60.}}}}};
  const auto made = recommendations_of(bare, kOwn);
  ASSERT_EQ(made.size(), 1);
  EXPECT_EQ(string_or(made.front().get_object(), "type"), "follow_up");
  EXPECT_TRUE(recommendations_of({}, kOwn).empty()) << "an entry without a transcript says nothing";
}

TEST(MeetingRecommendations, do_not_rely_on_a_draft_and_stay_few) {
  auto draft = call();
  draft["quality"] = "draft";
  EXPECT_TRUE(recommendations_of(draft, kOwn).empty());
  auto long_one = call();
  for (const char* member : {"commitments", "redFlags", "objections"}) {
    for (int i = 0; i < 50; ++i) long_one[member].get_array().push_back(finding(i, "Pat", "Again."));
  }
  EXPECT_LE(recommendations_of(long_one, kOwn).size(), kMaxRecommendations);
}

}  // namespace
}  // namespace castiel::processing
