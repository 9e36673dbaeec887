// Transcripts and chat of other projects, where they are at hand (MEET-1, MEET-2, COMM-2). Floors lie a
// little below what was measured.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/json.hpp"
#include "content/chat/chat.hpp"
#include "content/text/text.hpp"
#include "content/transcripts/analyse.hpp"
#include "content/transcripts/transcript.hpp"

namespace castiel::content {
namespace {

namespace fs = std::filesystem;

std::optional<fs::path> data(std::string_view below) {
  const char* folder = std::getenv("CASTIEL_TEST_DATA");
  if (folder != nullptr && fs::exists(fs::path(folder) / below)) return fs::path(folder) / below;
  std::cout << "NOTICE: CASTIEL_TEST_DATA has no " << below << ": not measured\n";
  return std::nullopt;
}

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\n' && c != '\r' && c != '*') out += c;
  }
  return out;
}

std::string words_of(const json::object& transcript) {
  std::string out;
  for (const auto& item : *get_array(transcript, "segments"))
    out += string_or(item.as_object(), "text") + "\n";
  return out;
}

TEST(TalkData, cues_of_webvtt_are_read_whole) {
  const auto folder = data("meetings/webvtt_docling");
  if (!folder) GTEST_SKIP();
  int files = 0, equal = 0;
  for (const auto& entry : fs::directory_iterator(*folder / "sources")) {
    const auto bytes = slurp(entry.path());
    const auto t = transcripts::parse_transcript(bytes, entry.path().filename().string());
    ASSERT_TRUE(t.has_value()) << entry.path();
    std::size_t cues = 0;
    for (auto at = bytes.find("-->"); at != std::string::npos; at = bytes.find("-->", at + 1)) ++cues;
    const auto wanted = slurp(*folder / "groundtruth" / (entry.path().filename().string() + ".md"));
    const bool same =
        squeezed(words_of(*t)).size() == squeezed(wanted).size() && get_array(*t, "segments")->size() >= cues;
    if (!same) std::cout << "differs: " << entry.path().filename() << "\n";
    ++files;
    equal += same ? 1 : 0;
  }
  std::cout << "webvtt_docling: " << equal << " of " << files << "\n";
  EXPECT_GE(equal, 1);
}

TEST(TalkData, the_words_of_teams_are_read_whole) {
  const auto folder = data("meetings/webvtt_teams");
  if (!folder) GTEST_SKIP();
  for (const auto& entry : fs::directory_iterator(*folder)) {
    if (entry.path().extension() != ".vtt") continue;
    const auto t = transcripts::parse_transcript(slurp(entry.path()), "a.vtt");
    ASSERT_TRUE(t.has_value());
    auto wanted = entry.path();
    wanted.replace_extension(".expected.txt");
    EXPECT_EQ(squeezed(words_of(*t)), squeezed(slurp(wanted)));
    EXPECT_EQ(string_or(*t, "quality"), "asr");
  }
}

TEST(TalkData, turns_of_meetings_without_times_are_counted) {
  const auto folder = data("meetings/qmsum/dev");
  if (!folder) GTEST_SKIP();
  int files = 0, equal = 0;
  for (const auto& entry : fs::directory_iterator(*folder)) {
    if (entry.path().extension() != ".json") continue;
    const auto bytes = slurp(entry.path());
    const auto root = parse_json(bytes);
    const auto* turns = root ? get_array(root->as_object(), "meeting_transcripts") : nullptr;
    if (turns == nullptr) continue;
    std::size_t wanted = 0;
    for (const auto& turn : *turns)
      wanted += squeezed(string_or(turn.as_object(), "content")).empty() ? 0 : 1;
    const auto t = transcripts::parse_transcript(bytes, "a.json");
    ++files;
    equal += t && get_array(*t, "segments")->size() == wanted ? 1 : 0;
  }
  std::cout << "qmsum turns: " << equal << " of " << files << "\n";
  EXPECT_GE(equal * 100, files * 95);
}

struct Hits {
  int right = 0, given = 0, wanted = 0;
  double precision() const { return given == 0 ? 0 : 1.0 * right / given; }
  double f1() const { return given + wanted == 0 ? 0 : 2.0 * right / (given + wanted); }
};

TEST(TalkData, dialogue_acts_are_found) {
  const auto folder = data("meetings/mrda_dialogue_acts/dev");
  if (!folder) GTEST_SKIP();
  Hits questions, bare_questions, items, orders;
  for (const auto& entry : fs::directory_iterator(*folder)) {
    json::array segments, bare;
    std::vector<bool> is_question, is_item, is_order;
    std::istringstream lines(slurp(entry.path()));
    for (std::string line; std::getline(lines, line);) {
      std::vector<std::string> cells;
      std::istringstream stream(line);
      for (std::string cell; std::getline(stream, cell, '|');) cells.push_back(cell);
      if (cells.size() < 5) continue;
      auto plain = cells[1];
      std::erase_if(plain, [](char c) { return c == '.' || c == '?' || c == '!' || c == ','; });
      const auto start = static_cast<double>(segments.size());
      segments.push_back(json::object{{"index", segments.size()},
                                      {"speaker", cells[0]},
                                      {"start", start},
                                      {"end", start + 1},
                                      {"text", cells[1]}});
      bare.push_back(json::object{{"index", bare.size()},
                                  {"speaker", cells[0]},
                                  {"start", start},
                                  {"end", start + 1},
                                  {"text", plain}});
      is_question.push_back(cells[2] == "Q");
      is_order.push_back(cells[4] == "cc" || cells[4] == "co");
      is_item.push_back(cells[4] == "cc" || cells[4] == "co" || cells[4] == "cs");
    }
    const auto a = transcripts::analyse_transcript({{"segments", segments}}, {});
    const auto b = transcripts::analyse_transcript({{"segments", bare}}, {});
    const auto count = [&](const json::object& from, std::string_view type, const std::vector<bool>& gold,
                           Hits& hits) {
      std::vector<bool> found(gold.size());
      for (const auto& item : *get_array(from, "keyMoments")) {
        if (string_or(item.as_object(), "type") == type)
          found[static_cast<std::size_t>(int_or(item.as_object(), "segment", 0))] = true;
      }
      for (std::size_t i = 0; i < gold.size(); ++i) {
        hits.given += found[i] ? 1 : 0;
        hits.wanted += gold[i] ? 1 : 0;
        hits.right += found[i] && gold[i] ? 1 : 0;
      }
    };
    count(b, "question", is_question, bare_questions);
    count(a, "action_item", is_item, items);
    count(a, "action_item", is_order, orders);
    for (std::size_t i = 0; i < is_question.size(); ++i) {
      const bool found = text::is_question(string_or(segments[i].as_object(), "text"));
      questions.given += found ? 1 : 0;
      questions.wanted += is_question[i] ? 1 : 0;
      questions.right += found && is_question[i] ? 1 : 0;
    }
  }
  std::cout << "mrda: questions F1 " << questions.f1() << ", without punctuation F1 " << bare_questions.f1()
            << "\n  commitments and commands F1 " << orders.f1() << ", precision " << orders.precision()
            << " (" << orders.right << " right, " << orders.given << " given, " << orders.wanted << " wanted)"
            << "\n  with suggestions F1 " << items.f1() << ", precision " << items.precision() << "\n";
  EXPECT_GE(questions.f1(), 0.95);
  EXPECT_GE(bare_questions.f1(), 0.3);
}

TEST(TalkData, messages_of_slack_and_teams_are_read) {
  const auto folder = data("chat");
  if (!folder) GTEST_SKIP();
  if (const auto export_folder = data("chat/zulip_slack_export")) {
    const std::string channels = slurp(*export_folder / "channels.json"),
                      day = slurp(*export_folder / "random_2018-01-20.json");
    const std::vector<chat::ExportFile> files = {{"channels.json", channels},
                                                 {"random/2018-01-20.json", day}};
    const auto result = chat::parse_slack_files(files);
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(get_array(*result, "messages")->size(), parse_json(day)->as_array().size());
  }
  int files = 0, read = 0, with_messages = 0;
  for (const auto& entry : fs::recursive_directory_iterator(*folder)) {
    if (entry.path().extension() != ".json") continue;
    ++files;
    const auto result = chat::parse_slack_day("C0", slurp(entry.path()));
    if (!result) continue;
    ++read;
    const auto analysed = chat::analyse_chat(*result, {});
    with_messages += get_array(analysed, "messages")->empty() ? 0 : 1;
  }
  std::cout << "chat: " << read << " of " << files << " files read, messages in " << with_messages << "\n";
  EXPECT_GE(read * 100, files * 95);
  EXPECT_GE(with_messages, 10);
}

}  // namespace
}  // namespace castiel::content
