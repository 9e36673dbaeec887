// Scores on published sets, with floors below what was measured. They need CASTIEL_TEST_DATA.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "content/text/text.hpp"

namespace castiel::content::text {
namespace {

std::optional<std::string> read(const std::string& name) {
  const char* folder = std::getenv("CASTIEL_TEST_DATA");
  std::ifstream in(std::filesystem::path(folder ? folder : "") / name);
  if (!folder || !in) {
    std::printf("NOTICE: %s is not there (CASTIEL_TEST_DATA); its score is not checked\n", name.c_str());
    return std::nullopt;
  }
  std::stringstream all;
  all << in.rdbuf();
  std::string text = all.str();
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return text;
}

TEST(TextScores, dates) {
  const auto text = read("nlp/recognizers_text/DateTime/English/DateTimeModel.dev.json");
  if (!text) GTEST_SKIP();
  const auto parsed = parse_json(*text);
  ASSERT_TRUE(parsed.has_value());
  std::size_t total = 0, spans = 0, resolved = 0;
  for (const auto& item : parsed->as_array()) {
    const auto& one = item.as_object();
    std::string at = "2016-11-07T00:00:00";
    if (const auto* given = get_object(one, "Context"))
      at = string_or(*given, "ReferenceDateTime", at).substr(0, 19);
    const auto now = parse_timestamp(at + "Z");
    ASSERT_TRUE(now.has_value()) << at;
    const auto found = find_dates(string_or(one, "Input"), {*now, "UTC"});
    for (const auto& value : *get_array(one, "Results")) {
      ++total;
      const auto& expected = value.as_object();
      const auto start = static_cast<std::size_t>(int_or(expected, "Start", -1)),
                 end = static_cast<std::size_t>(int_or(expected, "End", -2)) + 1;
      const auto same =
          std::ranges::find_if(found, [&](const DateMention& m) { return m.span == Span{start, end}; });
      if (same == found.end()) continue;
      ++spans;
      std::set<std::string> readings;
      for (const auto& reading : *get_array(*get_object(expected, "Resolution"), "values")) {
        const auto& r = reading.as_object();
        std::string plain =
            r.contains("value") ? string_or(r, "value") : string_or(r, "start") + ".." + string_or(r, "end");
        std::ranges::replace(plain, ' ', 'T');
        if (plain != "notTresolved") readings.insert(plain);
      }
      if (same->resolution.empty()) {
        resolved += readings.empty();
        continue;
      }
      const auto& first = same->resolution.front();
      resolved += readings.contains(first.is_string() ? std::string(first.as_string())
                                                      : string_or(first.as_object(), "start") + ".." +
                                                            string_or(first.as_object(), "end"));
    }
  }
  const double span_share = static_cast<double>(spans) / static_cast<double>(total),
               resolved_share = static_cast<double>(resolved) / static_cast<double>(total);
  std::printf("dates: spans %.3f, resolved %.3f of %zu\n", span_share, resolved_share, total);
  EXPECT_GE(span_share, 0.75);
  EXPECT_GE(resolved_share, 0.70);
}

TEST(TextScores, requests_and_commitments) {
  const auto text = read("email/parakweet_enron_intent/Ask0729-fixed.txt");
  if (!text) GTEST_SKIP();
  std::size_t hits = 0, found = 0, wanted = 0;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto tab = line.find('\t');
    if (tab == line.npos) continue;
    const bool yes = line.substr(0, tab) == "Yes";
    const bool said = !find_action_items(line.substr(tab + 1), {}, {}).empty();
    wanted += yes;
    found += said;
    hits += yes && said;
  }
  const double f1 = 2.0 * static_cast<double>(hits) / static_cast<double>(found + wanted);
  std::printf("requests (the model's own data): F1 %.3f\n", f1);
  EXPECT_GE(f1, 0.76);
}

TEST(TextScores, sentiment_of_tweets) {
  const auto text = read("nlp/vader_sentiment/tweets_GroundTruth.dev.tsv");
  if (!text) GTEST_SKIP();
  std::vector<std::pair<double, double>> pairs;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find('\t'), second = line.find('\t', first + 1);
    if (second == line.npos) continue;
    pairs.emplace_back(std::atof(line.c_str() + first + 1), sentiment(line.substr(second + 1)));
  }
  double n = static_cast<double>(pairs.size()), a = 0, b = 0, ab = 0, aa = 0, bb = 0;
  for (const auto& [x, y] : pairs) a += x / n, b += y / n;
  for (const auto& [x, y] : pairs) ab += (x - a) * (y - b), aa += (x - a) * (x - a), bb += (y - b) * (y - b);
  std::printf("sentiment of tweets: r %.3f\n", ab / std::sqrt(aa * bb));
  EXPECT_GE(ab / std::sqrt(aa * bb), 0.82);
}

TEST(TextScores, personal_data_with_check_digits) {
  const auto text = read("nlp/presidio_pii/synth_dataset_v2.dev.json");
  if (!text) GTEST_SKIP();
  std::map<std::string, std::array<std::size_t, 3>> counts;  // expected, found, both
  const auto parsed = parse_json(*text);
  ASSERT_TRUE(parsed.has_value());
  for (const auto& item : parsed->as_array()) {
    const auto& one = item.as_object();
    std::set<std::tuple<std::string, std::size_t, std::size_t>> expected;
    for (const auto& value : *get_array(one, "spans")) {
      const auto& span = value.as_object();
      expected.emplace(string_or(span, "entity_type"), int_or(span, "start_position", 0),
                       int_or(span, "end_position", 0));
      ++counts[string_or(span, "entity_type")][0];
    }
    for (const auto& found : find_personal_data(string_or(one, "full_text"))) {
      ++counts[found.type][1];
      counts[found.type][2] += expected.contains({found.type, found.span.start, found.span.end});
    }
  }
  for (const auto* type : {"CREDIT_CARD", "IBAN_CODE", "US_SSN", "EMAIL_ADDRESS", "IP_ADDRESS"}) {
    const auto& [wanted, found, both] = counts[type];
    EXPECT_GE(static_cast<double>(both), 0.99 * static_cast<double>(found)) << type;
    EXPECT_GE(static_cast<double>(both), 0.9 * static_cast<double>(wanted)) << type;
  }
}

}  // namespace
}  // namespace castiel::content::text
