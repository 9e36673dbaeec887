// What holds for every finder of text, and small cases of each.

#include <gtest/gtest.h>

#include <algorithm>

#include "content/text/text.hpp"

namespace castiel::content::text {
namespace {

const Context kContext{*parse_timestamp("2026-03-04T10:00:00Z"), "UTC"};  // a Wednesday

TEST(Text, counts_offsets_in_code_points) {
  const std::string text = "Grüße 😀 an jane@acme.example";
  const auto found = find_entities(text);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].type, "email");
  EXPECT_EQ(found[0].span, (Span{11, 28}));
  EXPECT_EQ(slice(text, found[0].span), "jane@acme.example");
}

TEST(Text, counts_an_invalid_byte_as_one_code_point) {
  const std::string text = "a\xFF\xFE jane@acme.example";
  const auto found = find_entities(text);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].span, (Span{4, 21}));
  EXPECT_EQ(slice(text, found[0].span), "jane@acme.example");
  EXPECT_EQ(slice(text, {30, 40}), "");
}

TEST(Sentences, end_at_marks_lines_and_items_but_not_at_abbreviations) {
  const std::string text =
      "Dr. Smith agreed at 3 p.m. yesterday. Shall we go on? Yes!\n\nTo do:\n- call Bob\n- send offer";
  std::vector<std::string> found;
  for (const auto& span : sentences(text)) found.emplace_back(slice(text, span));
  EXPECT_EQ(found, (std::vector<std::string>{"Dr. Smith agreed at 3 p.m. yesterday.", "Shall we go on?",
                                             "Yes!", "To do:", "call Bob", "send offer"}));
}

TEST(KeyPhrases, are_no_small_words_of_their_language) {
  const auto phrases = key_phrases(
      "Die Zentrifugenüberwachung und die Montage der Sensoren beginnen im Dezember. Für die "
      "Zentrifugenüberwachung "
      "und den Probebetrieb werden die Sensoren und das Gateway von uns geliefert, und der Probebetrieb "
      "endet im März.");
  ASSERT_FALSE(phrases.empty());
  EXPECT_NE(std::ranges::find(phrases, "Zentrifugenüberwachung"), phrases.end());
  for (const auto& phrase : phrases) {
    for (const char* small : {"und", "die", "im", "der"}) EXPECT_NE(phrase, small);
  }
}

TEST(Language, is_told_for_long_enough_texts) {
  EXPECT_EQ(language_of("Please find attached the offer for the next quarter."), "en");
  EXPECT_EQ(language_of("Anbei finden Sie unser Angebot für das nächste Quartal."), "de");
  EXPECT_EQ(language_of("ok"), "");
}

TEST(Sentiment, follows_words_negation_and_emphasis) {
  EXPECT_GT(sentiment("This is a great product!"), 0.5);
  EXPECT_LT(sentiment("This is not a great product."), -0.2);
  EXPECT_LT(sentiment("The delay is terrible."), -0.4);
  EXPECT_EQ(sentiment("The meeting is on Monday."), 0.0);
  EXPECT_GT(sentiment("extremely good"), sentiment("good"));
}

TEST(Amounts, are_read_in_several_notations) {
  const auto one = [](std::string_view text) {
    const auto found = find_amounts(text);
    return found.size() == 1 ? found[0].value + " " + found[0].currency + "|" + found[0].text
                             : "?" + std::to_string(found.size());
  };
  EXPECT_EQ(one("It costs $1,250.50 a year"), "1250.50 USD|$1,250.50");
  EXPECT_EQ(one("Summe: 1.250,50 €."), "1250.50 EUR|1.250,50 €");
  EXPECT_EQ(one("a budget of 45k EUR"), "45000 EUR|45k EUR");
  EXPECT_EQ(one("USD 1.2 million"), "1200000 USD|USD 1.2 million");
  EXPECT_EQ(one("£3bn deal"), "3000000000 GBP|£3bn");
  EXPECT_EQ(one("CHF 1'500.-"), "1500 CHF|CHF 1'500");
  EXPECT_EQ(one("thirty pieces"), "?0");
}

TEST(PersonalData, needs_right_check_digits) {
  const auto types = [](std::string_view text) {
    std::string out;
    for (const auto& found : find_personal_data(text)) out += found.type + ":" + found.text + ";";
    return out;
  };
  EXPECT_EQ(types("card 4111 1111 1111 1111"), "CREDIT_CARD:4111 1111 1111 1111;");
  EXPECT_EQ(types("card 4111 1111 1111 1112"), "");
  EXPECT_EQ(types("IBAN DE89 3704 0044 0532 0130 00 please"), "IBAN_CODE:DE89 3704 0044 0532 0130 00;");
  EXPECT_EQ(types("IBAN DE88 3704 0044 0532 0130 00"), "");
  EXPECT_EQ(types("my SSN is 219-09-9999"), "US_SSN:219-09-9999;");
  EXPECT_EQ(types("from 10.1.2.3"), "IP_ADDRESS:10.1.2.3;");
}

TEST(ActionItems, have_kind_owner_and_due_day) {
  const auto items = find_action_items(
      "Could you send the contract by Friday? I will prepare the demo tomorrow. We met last week.",
      {"jane@acme.example", {"bob@acme.example"}}, kContext);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].kind, "request");
  EXPECT_EQ(items[0].owner, "bob@acme.example");
  EXPECT_EQ(to_string(*items[0].due), "2026-03-06");
  EXPECT_EQ(items[1].kind, "commitment");
  EXPECT_EQ(items[1].owner, "jane@acme.example");
  EXPECT_EQ(to_string(*items[1].due), "2026-03-05");
}

TEST(ActionItems, know_the_promise_of_another_who_takes_part) {
  const auto items =
      find_action_items("Anna will update the forecast.", {"jane@acme.example", {"Anna Berg"}}, kContext);
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].kind, "commitment");
  EXPECT_EQ(items[0].owner, "Anna Berg");
}

TEST(Dates, have_the_likeliest_reading_first) {
  const auto first = [](std::string_view text) {
    const auto found = find_dates(text, kContext);
    return found.empty() ? "-" : found[0].type + " " + json::serialize(found[0].resolution[0]);
  };
  EXPECT_EQ(first("see you Friday"), "date \"2026-03-06\"");
  EXPECT_EQ(first("next Friday"), "date \"2026-03-13\"");
  EXPECT_EQ(first("tomorrow at 3pm"), "datetime \"2026-03-05T15:00:00\"");
  EXPECT_EQ(first("2 weeks ago"), "date \"2026-02-18\"");
  EXPECT_EQ(first("for 90 minutes"), "duration \"5400\"");
  EXPECT_EQ(first("Q3 2026"), "daterange {\"start\":\"2026-07-01\",\"end\":\"2026-10-01\"}");
  EXPECT_EQ(first("from March 9 to March 11"), "daterange {\"start\":\"2026-03-09\",\"end\":\"2026-03-11\"}");
  EXPECT_EQ(first("you may call"), "-");
}

TEST(Dates, are_kept_with_the_sentence_they_stand_in) {
  const auto dates = dates_with_sentences(
      "Thanks for the call. We go live on 1 June 2026. Étude: see you Friday!", kContext);
  ASSERT_EQ(dates.size(), 2u);
  EXPECT_EQ(string_or(dates[0].as_object(), "sentence"), "We go live on 1 June 2026.");
  EXPECT_EQ(dates[0].at("resolution").as_array()[0], "2026-06-01");
  EXPECT_EQ(string_or(dates[1].as_object(), "sentence"), "Étude: see you Friday!");
  EXPECT_EQ(dates_with_sentences("1 June 2026. 2 June 2026.", kContext, 1).size(), 1u);
}

TEST(Dates, follow_the_zone_of_the_reader) {
  const Context late{*parse_timestamp("2026-03-04T23:30:00Z"), "Asia/Tokyo"};
  EXPECT_EQ(find_dates("today", late).at(0).due, parse_date("2026-03-05").value());
  EXPECT_EQ(find_dates("today", {late.at, "Nowhere/At_All"}).at(0).due, parse_date("2026-03-04").value());
}

TEST(ActionItems, leave_out_closers_and_quotes) {
  for (const auto& item : find_action_items("Please let me know if you have any questions.", {}, kContext))
    EXPECT_LE(item.confidence, 0.3);
  EXPECT_TRUE(find_action_items("> Could you send it?", {}, kContext).empty());
}

TEST(Questions, end_with_a_mark) {
  EXPECT_TRUE(is_question("Is it?"));
  EXPECT_TRUE(is_question("\"Is it?\" "));
  EXPECT_FALSE(is_question("It is."));
}

TEST(Analyse, has_the_shape_of_inspect) {
  const auto object = analyse("Please send $5k tomorrow to jane@acme.example", kContext);
  for (const auto* key :
       {"kind", "language", "dates", "amounts", "actionItems", "pii", "entities", "keyPhrases", "sentiment"})
    EXPECT_TRUE(object.contains(key)) << key;
}

}  // namespace
}  // namespace castiel::content::text
