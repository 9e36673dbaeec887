// Transcripts of the usual formats, and what is told from them (MEET-1, MEET-2, MEET-4).

#include <gtest/gtest.h>

#include <array>

#include "base/json.hpp"
#include "content/transcripts/analyse.hpp"
#include "content/transcripts/transcript.hpp"

namespace castiel::content::transcripts {
namespace {

json::object parsed(std::string_view bytes, std::string_view name = "talk") {
  auto result = parse_transcript(bytes, name);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().describe());
  return result.value_or(json::object{});
}

const json::object& segment(const json::object& transcript, std::size_t index) {
  return get_array(transcript, "segments")->at(index).as_object();
}

std::string said(const json::object& transcript) {
  std::string out;
  for (const auto& item : *get_array(transcript, "segments"))
    out += string_or(item.as_object(), "speaker") + ": " + string_or(item.as_object(), "text") + "\n";
  return out;
}

TEST(WebVtt, voices_settings_notes_and_marks_are_understood) {
  const auto t = parsed(
      "\xEF\xBB\xBFWEBVTT - Weekly\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:x\n\nNOTE "
      "two\nlines --> here\n\n"
      "intro\n00:01.000 --> 00:02.500 align:start position:10%\n<v.loud Ann Lee>Hello &amp; "
      "<i>welcome</i>,\nall.</v>\n\n"
      "1:00:03.000 --> 1:00:04.000\n<v Bo>Hi</v> <v Ann Lee>again</v>\n");
  EXPECT_EQ(said(t), "Ann Lee: Hello & welcome, all.\nBo: Hi\nAnn Lee: again\n");
  EXPECT_EQ(segment(t, 0).at("start").to_number<double>(), 1.0);
  EXPECT_EQ(segment(t, 0).at("end").to_number<double>(), 2.5);
  EXPECT_EQ(segment(t, 1).at("start").to_number<double>(), 3603.0);
  EXPECT_EQ(string_or(t, "quality"), "human");
}

TEST(WebVtt, zoom_names_speakers_in_the_text_or_the_number) {
  const auto named = parsed(
      "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\nAnn Lee: Let's begin: first things "
      "first.\n\n2\n00:00:02.000 --> 00:00:03.000\n"
      "Bo: Yes\n\n3\n00:00:03.000 --> 00:00:04.000\nand so on\n");
  EXPECT_EQ(said(named), "Ann Lee: Let's begin: first things first.\nBo: Yes\nBo: and so on\n");
  const auto numbered = parsed("WEBVTT\n\n1 \"Ann Lee\" (16778240)\n00:00:01.000 --> 00:00:02.000\nHello\n");
  EXPECT_EQ(said(numbered), "Ann Lee: Hello\n");
  EXPECT_EQ(string_or(numbered, "quality"), "vendor");
}

TEST(WebVtt, teams_parts_of_one_sentence_are_joined) {
  const auto t = parsed(
      "WEBVTT\n\n0a1b2c3d-1111-2222-3333-444455556666/7-0\n00:00:01.000 --> 00:00:02.000\n<v Ann>We "
      "should</v>\n\n"
      "0a1b2c3d-1111-2222-3333-444455556666/7-1\n00:00:02.000 --> 00:00:03.000\n<v Ann>meet.</v>\n\n"
      "0a1b2c3d-1111-2222-3333-444455556666/9-0\n00:00:04.000 --> 00:00:05.000\n<v Ann>Soon.</v>\n");
  EXPECT_EQ(said(t), "Ann: We should meet.\nAnn: Soon.\n");
  EXPECT_EQ(segment(t, 0).at("end").to_number<double>(), 3.0);
  EXPECT_EQ(string_or(t, "format"), "teams");
}

TEST(WebVtt, confidences_tell_a_recogniser_and_low_ones_a_draft) {
  const auto file = [](std::string_view confidence) {
    return "WEBVTT\n\nNOTE Confidence: " + std::string(confidence) +
           "\n\na\n00:01.000 --> 00:02.000\nHello there.\n";
  };
  EXPECT_EQ(string_or(parsed(file("0.91")), "quality"), "asr");
  EXPECT_EQ(string_or(parsed(file("0.21")), "quality"), "draft");
}

TEST(Srt, commas_and_missing_blank_lines_are_read) {
  const auto t = parsed(
      "1\n00:00:01,000 --> 00:00:02,000\nOne\n2\n00:00:02,000 --> "
      "00:00:03,500\nTwo\nlines\n\n3\n00:00:04,000 --> 00:00:03,000\nBack\n",
      "a.srt");
  EXPECT_EQ(said(t), ": One\n: Two lines\n: Back\n");
  EXPECT_EQ(segment(t, 2).at("end").to_number<double>(), 4.0);
  EXPECT_EQ(string_or(t, "format"), "srt");
}

TEST(VendorJson, gong_sentences_get_their_speakers_names) {
  const auto t = parsed(R"({"callTranscripts":[{"callId":"7","transcript":[
    {"speakerId":"11","topic":"Intro","sentences":[{"start":1000,"end":4000,"text":"Hello there my friend."},{"start":4100,"end":6000,"text":"How are you?"}]},
    {"speakerId":"12","topic":null,"sentences":[{"start":6500,"end":8000,"text":"Fine, thanks."}]}]}],
    "metaData":{"title":"Intro call","started":"2024-03-01T10:00:00Z"},
    "parties":[{"speakerId":"11","name":"Ann Lee","emailAddress":"ann@acme.example","affiliation":"Internal"},{"speakerId":"12","name":"Bo","affiliation":"External"}],
    "content":{"trackers":[{"name":"Competitors","count":2}]}})");
  EXPECT_EQ(said(t), "Ann Lee: Hello there my friend.\nAnn Lee: How are you?\nBo: Fine, thanks.\n");
  EXPECT_EQ(segment(t, 1).at("start").to_number<double>(), 4.1);
  EXPECT_EQ(string_or(t, "title"), "Intro call");
  EXPECT_EQ(string_or(t, "startedAt"), "2024-03-01T10:00:00Z");
  EXPECT_EQ(string_or(t, "quality"), "vendor");
  EXPECT_EQ(get_array(t, "participants")->size(), 2u);
  EXPECT_NE(json::serialize(t.at("vendor")).find("Competitors"), std::string::npos);  // MEET-4
}

TEST(VendorJson, recognisers_words_become_sentences) {
  const auto t = parsed(R"({"results":{"channels":[{"alternatives":[{"words":[
    {"word":"hello","punctuated_word":"Hello","start":0.1,"end":0.4,"speaker":0,"confidence":0.9},
    {"word":"there","punctuated_word":"there.","start":0.4,"end":0.8,"speaker":0,"confidence":0.9},
    {"word":"good","punctuated_word":"Good","start":0.9,"end":1.1,"speaker":0,"confidence":0.9},
    {"word":"day","punctuated_word":"day.","start":1.1,"end":1.4,"speaker":0,"confidence":0.9},
    {"word":"hi","punctuated_word":"Hi.","start":2.0,"end":2.2,"speaker":1,"confidence":0.9}]}]}]}})");
  EXPECT_EQ(said(t), "Speaker 0: Hello there.\nSpeaker 0: Good day.\nSpeaker 1: Hi.\n");
  EXPECT_EQ(string_or(t, "quality"), "asr");
}

TEST(VendorJson, sentences_of_one_service_and_turns_without_times_are_read) {
  const auto fireflies = parsed(R"({"data":{"transcript":{"title":"T","date":1719366732000,"sentences":[
    {"index":0,"speaker_name":"Ann","speaker_id":"0","raw_text":"hello","text":"Hello.","start_time":0.24,"end_time":1.5,"ai_filters":{"sentiment":"neutral"}},
    {"index":1,"speaker_name":null,"speaker_id":"1","raw_text":"x","text":"Hi.","start_time":1.7,"end_time":2.5,"ai_filters":null}],
    "speakers":[{"id":"1","name":"Bo"}],"summary":{"overview":"They greet."}}}})");
  EXPECT_EQ(said(fireflies), "Ann: Hello.\nBo: Hi.\n");
  EXPECT_NE(json::serialize(fireflies.at("vendor")).find("They greet."), std::string::npos);
  const auto bare = parsed(
      R"({"meeting_transcripts":[{"speaker":"Chair","content":"Welcome to all of you."},{"speaker":"Guest","content":"Thanks."}]})");
  EXPECT_EQ(said(bare), "Chair: Welcome to all of you.\nGuest: Thanks.\n");
  EXPECT_TRUE(bool_or(bare, "timesEstimated", false));
  EXPECT_GT(segment(bare, 1).at("start").to_number<double>(), 1.0);
}

TEST(PlainTranscript, the_usual_ways_of_writing_are_read) {
  EXPECT_EQ(said(parsed("Ann Lee (00:01:02): Hello.\nmore\nBo (00:01:05): Hi.\nAnn Lee (00:01:09): Bye.\n")),
            "Ann Lee: Hello. more\nBo: Hi.\nAnn Lee: Bye.\n");
  EXPECT_EQ(said(parsed("[00:01] Ann: Hello.\n[00:05] Bo: Hi.\n")), "Ann: Hello.\nBo: Hi.\n");
  EXPECT_EQ(said(parsed("Weekly\n\nAnn Lee  0:03\nHello.\n\nBo  0:07\nHi.\nYes.\n")),
            "Ann Lee: Hello.\nBo: Hi. Yes.\n");
  const auto untimed = parsed("Ann: Hello.\nBo: Hi.\nAnn: How is it going?\nBo: Well.\n");
  EXPECT_EQ(get_array(untimed, "segments")->size(), 4u);
}

TEST(Transcript, what_is_none_is_refused) {
  const auto code = [](std::string_view bytes) {
    const auto result = parse_transcript(bytes, "x");
    return result ? std::string("read") : result.error().code;
  };
  EXPECT_EQ(code(""), "corrupt");
  EXPECT_EQ(code("Dear Ann,\n\nthank you: it was nice.\n\nRegards\nBo\n"), "unsupported");
  EXPECT_EQ(code("{\"a\":1}"), "unsupported");
  EXPECT_EQ(code("{\"sentences\":["), "corrupt");
  EXPECT_EQ(code("1\n00:00:0x --> 00:00:02\nHello\n"), "unsupported");
  EXPECT_GT(transcript_likelihood("WEBVTT\n\n", "a"), 0.9);
  EXPECT_GT(transcript_likelihood("1\n00:00:01,000 --> 00:00:02,000\nHi\n", "a"), 0.9);
  EXPECT_LT(transcript_likelihood("id,name\n1,a\n", "a.csv"), 0.1);
  EXPECT_LT(transcript_likelihood("Name: Ann\nCity: Berlin\nPhone: 123\n", "a.txt"), 0.1);
}

json::object call() {
  return parsed(
      "WEBVTT\n\n"
      "00:00:00.000 --> 00:00:20.000\n<v Ann>Thanks for joining. What are your biggest challenges today?\n\n"
      "00:00:20.500 --> 00:00:20.900\n<v Bo>Yeah.\n\n"
      "00:00:21.000 --> 00:00:31.000\n<v Ann>Let me explain how our product solves it.\n\n"
      "00:00:30.000 --> 00:00:50.000\n<v Bo>Honestly it is too expensive for us right now. How soon can we "
      "start?\n\n"
      "00:00:51.000 --> 00:01:00.000\n<v Ann>I will send you the revised proposal by Friday.\n");
}

json::object analysed(json::object structure) {
  static const std::vector<std::string> kOwn = {"Ann"};
  text::Context context;
  context.at = *parse_timestamp("2024-03-06T10:00:00Z");
  return analyse_transcript(std::move(structure), context, kOwn);
}

TEST(TranscriptAnalysis, talk_is_measured_as_defined) {  // A1
  const auto a = analysed(call());
  const auto& speakers = *get_array(a, "speakers");
  ASSERT_EQ(speakers.size(), 2u);
  const auto& ann = speakers[0].as_object();
  const auto& bo = speakers[1].as_object();
  EXPECT_NEAR(ann.at("talkTime").to_number<double>(), 39.0, 0.001);
  EXPECT_NEAR(bo.at("talkTime").to_number<double>(), 20.4, 0.001);
  EXPECT_NEAR(ann.at("share").to_number<double>(), 39.0 / 59.4, 0.001);
  // "Yeah." breaks no monologue; Bo cuts Ann off, who stops within two seconds.
  EXPECT_NEAR(ann.at("longestMonologue").to_number<double>(), 30.0, 0.001);
  EXPECT_EQ(int_or(ann, "questions", -1), 1);
  EXPECT_EQ(int_or(bo, "questions", -1), 1);
  EXPECT_EQ(int_or(bo, "interruptions", -1), 1);
  EXPECT_EQ(int_or(ann, "interruptions", -1), 0);
  EXPECT_EQ(string_or(bo, "side"), "external");
  const auto& engagement = a.at("engagement").as_object();
  EXPECT_GT(int_or(engagement, "score", -1), 0);
  EXPECT_EQ(engagement.at("parts").at("talkBalance").at("of").to_number<double>(), 25);
}

TEST(TranscriptAnalysis, findings_point_at_their_segments) {
  const auto a = analysed(call());
  const auto& objections = *get_array(a, "objections");
  ASSERT_EQ(objections.size(), 1u);
  EXPECT_EQ(int_or(objections[0].as_object(), "segment", -1), 3);
  const auto& items = *get_array(a, "actionItems");
  ASSERT_GE(items.size(), 1u);
  bool found = false;
  for (const auto& item : items) {
    const auto& one = item.as_object();
    if (int_or(one.at("evidence").as_object(), "segment", -1) != 4) continue;
    found = true;
    EXPECT_EQ(string_or(one, "owner"), "Ann");
    EXPECT_EQ(string_or(one, "kind"), "commitment");
    EXPECT_EQ(string_or(one, "due"), "2024-03-08");
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(get_array(a.at("dealSignals").as_object(), "positive")->size(), 1u);
  EXPECT_GE(get_array(a, "nextSteps")->size(), 1u);
  EXPECT_EQ(string_or(a, "language"), "en");
}

TEST(TranscriptAnalysis, a_draft_promises_nothing) {
  const auto a =
      analysed(parsed("WEBVTT\n\nNOTE Confidence: 0.1\n\n00:01.000 --> 00:02.000\n<v Ann>I will send the "
                      "proposal by Friday.\n"));
  EXPECT_TRUE(get_array(a, "actionItems")->empty());
  EXPECT_TRUE(get_array(a, "commitments")->empty());
  EXPECT_TRUE(a.at("engagement").at("score").is_null());
}

TEST(TranscriptAnalysis, the_kind_of_meeting_is_told) {
  const auto kind = [](std::string_view title, std::string_view words) {
    json::object structure{
        {"kind", "transcript"},
        {"title", title},
        {"segments", json::array{json::object{
                         {"index", 0}, {"speaker", "Bo"}, {"start", 0}, {"end", 5}, {"text", words}}}}};
    return string_or(analysed(std::move(structure)), "meetingType");
  };
  EXPECT_EQ(kind("Product demo for Acme", ""), "demo");
  EXPECT_EQ(
      kind("Acme", "What discount do we get? The pricing per seat and the contract terms matter to legal."),
      "negotiation");
  EXPECT_EQ(kind("Interview: Bo", ""), "interview");
  EXPECT_EQ(kind("Acme", "Hello."), "other");
}

TEST(TranscriptAnalysis, anything_at_all_is_survived) {
  EXPECT_NO_THROW(analysed({}));
  EXPECT_NO_THROW(analysed({{"segments", json::array{1, json::object{}, nullptr}}, {"participants", "x"}}));
}

std::string started(std::string_view bytes, std::string_view name) {
  const auto t = parse_transcript(bytes, name);
  return t && t->at("startedAt").is_string() ? string_or(*t, "startedAt") : "-";
}

TEST(StartOfTalk, is_read_from_notes_and_lines_above_the_words) {
  const std::string cue = "\n\n00:01.000 --> 00:02.000\nHello there.\n";
  EXPECT_EQ(started("WEBVTT\n\nNOTE Recorded 2026-05-04T09:30:00-04:00, hall 3" + cue, "a.vtt"),
            "2026-05-04T13:30:00Z");
  EXPECT_EQ(started("WEBVTT\n\nNOTE\nDate: 4 May 2026" + cue, "a.vtt"), "2026-05-04T12:00:00Z");
  EXPECT_EQ(started("WEBVTT - Roof review, 4 May 2026" + cue, "a.vtt"), "2026-05-04T12:00:00Z");
  EXPECT_EQ(started("WEBVTT\n\nNOTE we meet again on 4 May 2026" + cue, "a.vtt"), "-");
  EXPECT_EQ(started("WEBVTT" + cue, "a.vtt"), "-");
  const std::string turns =
      "[00:01] Ruth: Hello.\n[00:05] Pavel: Hello, it was on 3 March 2020.\n[00:09] Ruth: Yes.\n";
  EXPECT_EQ(started("Roof review\nDate: May 4, 2026 3:30 pm\n\n" + turns, "a.txt"), "2026-05-04T15:30:00Z");
  EXPECT_EQ(started("Datum: 04.05.2026, 9:15\n" + turns, "a.txt"), "2026-05-04T09:15:00Z");
  EXPECT_EQ(started(turns, "a.txt"), "-");
}

TEST(StartOfTalk, dates_what_is_promised) {
  const auto t = parse_transcript(
      "WEBVTT\n\nNOTE Recorded 2026-05-04T09:30:00Z\n\n00:01.000 --> 00:04.000\n"
      "<v Ruth>I'll send you the drawings by Friday.\n\n00:05.000 --> 00:06.000\n<v Pavel>Thank you.\n",
      "a.vtt");
  ASSERT_TRUE(t.has_value());
  const auto a = analyse_transcript(*t, {*parse_timestamp("2030-01-01T00:00:00Z"), "UTC"});
  ASSERT_EQ(get_array(a, "actionItems")->size(), 1u);
  EXPECT_EQ(string_or(get_array(a, "actionItems")->at(0).as_object(), "due"), "2026-05-08");
}

}  // namespace
}  // namespace castiel::content::transcripts
