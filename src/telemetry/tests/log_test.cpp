#include "telemetry/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#include "base/json.hpp"
#include "telemetry/testing/captured_log.hpp"

namespace castiel::telemetry {
namespace {

struct LogTest : testing::Test {
  ManualClock clock{Timestamp{1'488'362'400'000'000}};
  std::shared_ptr<CapturedLines> lines = std::make_shared<CapturedLines>();
  Log make(LogOptions options = {}) { return Log(lines, clock, options); }
};

TEST_F(LogTest, writes_one_json_object_a_line_with_typed_fields) {
  make().info("imported", {{"tenant", TenantId("acme")}, {"records", 3}, {"rate", 1.5}, {"again", true}});
  ASSERT_EQ(lines->lines().size(), 1U);
  EXPECT_EQ(lines->lines()[0],
            R"({"time":"2017-03-01T10:00:00Z","level":"info","event":"imported","tenant":"acme",)"
            R"("records":3,"rate":1.5,"again":true})");
}

TEST_F(LogTest, stays_valid_json_for_any_bytes_and_numbers) {
  make().warn("odd\"event", {{"text", std::string_view("a\"b\n\x00\xff", 6)},
                             {"nan", std::nan("")},
                             {"big", std::numeric_limits<std::uint64_t>::max()},
                             {"small", std::numeric_limits<std::int64_t>::min()}});
  const auto value = parse_json(lines->lines().at(0));
  ASSERT_TRUE(value) << value.error().describe();
  EXPECT_TRUE(value->as_object().at("nan").is_null());
  EXPECT_EQ(value->as_object().at("big").as_uint64(), std::numeric_limits<std::uint64_t>::max());
}

TEST_F(LogTest, never_writes_a_secret) {
  make().error("refused", {{"token", Secret("hunter2")}});
  EXPECT_FALSE(lines->contains("hunter2"));
  EXPECT_TRUE(lines->contains(R"("token":"***")"));
  std::ostringstream out;
  out << Secret("hunter2");
  EXPECT_EQ(out.str(), "***");
}

TEST_F(LogTest, children_carry_their_parents_fields) {
  const auto child = make().with({{"tenant", "acme"}}).with({{"correlationId", "c1"}});
  child.info("done");
  EXPECT_TRUE(lines->contains(R"("event":"done","tenant":"acme","correlationId":"c1"})"));
}

TEST_F(LogTest, drops_what_is_below_the_level_and_follows_a_change) {
  auto log = make({.level = Level::warn});
  const auto child = log.with({{"a", 1}});
  child.info("quiet");
  log.set_level(Level::debug);
  child.debug("loud");
  ASSERT_EQ(lines->lines().size(), 1U);
  EXPECT_TRUE(lines->contains("loud"));
}

TEST_F(LogTest, suppresses_a_flood_of_one_event_and_says_how_many) {
  auto log = make({.max_lines_per_second = 3});
  for (int i = 0; i < 10; ++i) log.info("flood", {{"i", i}});
  log.info("other");
  EXPECT_EQ(lines->lines().size(), 4U);
  clock.advance(std::chrono::seconds(2));
  log.info("later");
  EXPECT_TRUE(lines->contains(R"("event":"suppressed","suppressedEvent":"flood","count":7)"));
  log.info("flood");
  EXPECT_EQ(lines->lines().size(), 7U);
}

TEST_F(LogTest, tells_outstanding_suppressions_when_it_ends) {
  {
    auto log = make({.max_lines_per_second = 1});
    log.info("flood");
    log.info("flood");
  }
  EXPECT_TRUE(lines->contains(R"("count":1)"));
}

TEST_F(LogTest, keeps_the_rate_limit_bounded_in_memory) {
  auto log = make({.max_lines_per_second = 1});
  for (std::size_t i = 0; i < kMaxLimitedEvents + 500; ++i) log.info("event_" + std::to_string(i));
  EXPECT_EQ(lines->lines().size(), kMaxLimitedEvents + 1);
}

TEST_F(LogTest, cuts_a_long_field_between_characters) {
  make().info("long", {{"text", std::string(kMaxFieldBytes - 1, 'a') + "éé"}});
  EXPECT_LT(lines->lines().at(0).size(), kMaxFieldBytes + 200);
  EXPECT_TRUE(parse_json(lines->lines().at(0)));
}

TEST_F(LogTest, tells_an_error_with_its_code_and_cause) {
  make().error("import_failed", Error{"store_busy", "The store is busy.", ErrorClass::transient, "locked"},
               {{"tenant", "acme"}});
  EXPECT_TRUE(lines->contains(
      R"("tenant":"acme","code":"store_busy","class":"transient","message":"The store is busy.","cause":"locked")"));
}

TEST_F(LogTest, does_nothing_without_a_sink) {
  Log log;
  log.with({{"a", 1}}).error("nothing");
  EXPECT_FALSE(log.enabled(Level::error));
}

TEST_F(LogTest, writes_whole_lines_from_many_threads_to_a_descriptor) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  {
    const auto log = Log::to_descriptor(ends[1], clock, {.max_lines_per_second = 1000});
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&log, t] {
        for (int i = 0; i < 50; ++i) log.info("line", {{"thread", t}, {"i", i}});
      });
  }
  ::close(ends[1]);
  std::string text(1 << 16, '\0');
  std::size_t size = 0;
  for (ssize_t n; (n = ::read(ends[0], text.data() + size, text.size() - size)) > 0;)
    size += static_cast<std::size_t>(n);
  ::close(ends[0]);
  std::istringstream stream(text.substr(0, size));
  int count = 0;
  for (std::string line; std::getline(stream, line); ++count) EXPECT_TRUE(parse_json(line)) << line;
  EXPECT_EQ(count, 200);
}

TEST_F(LogTest, appends_to_a_file_and_refuses_an_impossible_one) {
  const auto path = std::filesystem::temp_directory_path() / ("castiel_log_" + std::to_string(::getpid()));
  {
    const auto log = Log::to_file(path.string(), clock);
    ASSERT_TRUE(log);
    log->info("first");
    log->flush();
  }
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  EXPECT_NE(line.find("first"), std::string::npos);
  std::filesystem::remove(path);
  const auto none = Log::to_file("/proc/no/such/file", clock);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, "log_unwritable");
}

TEST(ParseLevel, knows_its_names_only) {
  EXPECT_EQ(parse_level("warn").value(), Level::warn);
  EXPECT_EQ(parse_level("loud").error().code, "invalid_log_level");
}

}  // namespace
}  // namespace castiel::telemetry
