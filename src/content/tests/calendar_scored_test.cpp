// Expansions and files of other projects' tests, where they are at hand (CAL-1). Floors lie a little below
// what was measured.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/json.hpp"
#include "content/calendar/calendar.hpp"

namespace castiel::content::calendar {
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

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

struct Score {
  int right = 0, all = 0;
  void add(bool good, const std::string& what) {
    ++all;
    right += good ? 1 : 0;
    if (!good) std::cout << "differs: " << what << "\n";
  }
  double share() const { return all == 0 ? 0 : static_cast<double>(right) / all; }
};

TEST(CalendarData, rules_expand_as_libical_expects) {
  const auto folder = data("calendars/libical_recur");
  if (!folder) GTEST_SKIP();
  Score score;
  for (const auto& entry : fs::directory_iterator(*folder)) {
    if (!entry.path().filename().string().starts_with("icalrecur_test")) continue;
    std::string rule, start;
    for (auto line : split(slurp(entry.path()), '\n')) {
      if (line.starts_with("RRULE:")) rule = line.substr(6);
      if (line.starts_with("DTSTART:")) start = line.substr(8);
      if (!line.starts_with("INSTANCES:")) continue;
      const auto text = line.substr(10);
      if (text.find("***") != std::string::npos) {
        score.add(!expand_rule(rule, start, 1).has_value(), rule + " must be refused");
        continue;
      }
      const auto wanted = split(text, ',');
      const auto got = expand_rule(rule, start, wanted.size() + 1);
      std::string shown;
      if (got) {
        for (const auto& time : *got) shown += time + ",";
      }
      // Rules without an end are listed up to a point.
      const bool endless = rule.find("COUNT") == std::string::npos && rule.find("UNTIL") == std::string::npos;
      auto have = got.value_or(std::vector<std::string>{});
      if (endless && have.size() > wanted.size()) have.resize(wanted.size());
      score.add(have == wanted, rule + " from " + start + ": " + shown + " wanted " + text);
    }
  }
  std::cout << "libical_recur: " << score.right << " of " << score.all << "\n";
  EXPECT_GE(score.share(), 0.98);
}

TEST(CalendarData, rules_expand_as_rrulejs_expects) {
  const auto folder = data("calendars/rrulejs");
  if (!folder) GTEST_SKIP();
  Score score;
  for (const auto& entry : fs::directory_iterator(*folder)) {
    const auto cases = parse_json(slurp(entry.path()));
    ASSERT_TRUE(cases.has_value());
    for (const auto& item : cases->as_array()) {
      const auto& one = item.as_object();
      const auto got = expand_rule(string_or(one, "rrule"), string_or(one, "dtstart"),
                                   get_array(one, "expected_first")->size());
      json::array have;
      for (const auto& time : got.value_or(std::vector<std::string>{})) have.push_back(json::string(time));
      score.add(have == *get_array(one, "expected_first"),
                string_or(one, "name") + " " + string_or(one, "rrule") + " " + json::serialize(have) +
                    " wanted " + json::serialize(*get_array(one, "expected_first")));
    }
  }
  std::cout << "rrulejs: " << score.right << " of " << score.all << "\n";
  EXPECT_GE(score.share(), 0.98);
}

TEST(CalendarData, events_have_as_many_occurrences_as_expected) {
  const auto folder = data("calendars/libical_recur");
  if (!folder) GTEST_SKIP();
  std::string text = slurp(*folder / "recur.txt"), block;
  Score score;
  for (const auto& line : split(text, '\n')) {
    if (line.starts_with(";")) continue;
    block += line + "\n";
    if (!line.starts_with("END:VEVENT")) continue;
    const auto at = block.find("X-EXPECT-NUMEVENTS:");
    if (at != std::string::npos) {
      const auto wanted = std::strtoul(block.c_str() + at + 19, nullptr, 10);
      const auto parsed = parse_calendar(block, {make_date(1970, 1, 1), make_date(2100, 1, 1), "UTC"});
      const auto got = parsed ? get_array(*parsed, "occurrences")->size() : 9999;
      score.add(got == wanted, block + " gave " + std::to_string(got));
    }
    block.clear();
  }
  std::cout << "recur.txt: " << score.right << " of " << score.all << "\n";
  EXPECT_GE(score.share(), 0.95);
}

std::size_t count(std::string_view text, std::string_view word) {
  std::size_t found = 0;
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) ++found;
  return found;
}

TEST(CalendarData, files_of_other_projects_are_read_whole) {
  for (const auto* set : {"calendars/icalendar", "calendars/ical4j", "calendars/libical"}) {
    const auto folder = data(set);
    if (!folder) continue;
    Score files, events;
    for (const auto& entry : fs::recursive_directory_iterator(*folder)) {
      if (entry.path().extension() != ".ics") continue;
      const auto bytes = slurp(entry.path());
      const auto parsed = parse_calendar(bytes, {make_date(2000, 1, 1), make_date(2030, 1, 1), "UTC"});
      if (bytes.find("BEGIN:") == std::string::npos) continue;
      files.add(parsed.has_value() || bytes.find("BEGIN:V") == std::string::npos, entry.path().string());
      if (!parsed) continue;
      const auto wanted = count(bytes, "BEGIN:VEVENT"), got = get_array(*parsed, "events")->size();
      events.add(got == wanted, entry.path().filename().string() + ": " + std::to_string(got) + " of " +
                                    std::to_string(wanted) + " events; " +
                                    json::serialize(*get_array(*parsed, "warnings")).substr(0, 300));
    }
    std::cout << set << ": files " << files.right << " of " << files.all << ", all events in " << events.right
              << " of " << events.all << "\n";
    EXPECT_EQ(files.right, files.all);
  }
}

TEST(CalendarData, hostile_files_end_in_time) {
  for (const auto* set : {"hostile/ical_icalendar", "hostile/ical_libical"}) {
    const auto folder = data(set);
    if (!folder) continue;
    double slowest = 0;
    for (const auto& entry : fs::recursive_directory_iterator(*folder)) {
      if (!entry.is_regular_file()) continue;
      const auto begin = std::chrono::steady_clock::now();
      const auto parsed =
          parse_calendar(slurp(entry.path()), {make_date(1990, 1, 1), make_date(2100, 1, 1), "UTC"});
      if (!parsed) EXPECT_FALSE(parsed.error().code.empty());
      slowest =
          std::max(slowest, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
      EXPECT_LT(slowest, 2.0) << entry.path();
    }
    std::cout << set << ": slowest " << slowest << " s\n";
  }
}

}  // namespace
}  // namespace castiel::content::calendar
