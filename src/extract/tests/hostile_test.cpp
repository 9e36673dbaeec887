// Files made to break parsers: each ends in time with a structure or a clear error, and the pool goes on
// (DOC-4).

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>

#include "extract/tests/support.hpp"

namespace castiel::extract {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEveryFile = 3;  // of the folder: the test stays short
constexpr std::uintmax_t kMaxFileBytes = 4u << 20;

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(HostileFiles, end_with_a_structure_or_a_clear_error_and_harm_nobody) {
  const char* given = std::getenv("CASTIEL_TEST_DATA");
  if (given == nullptr || !fs::exists(fs::path(given) / "hostile")) {
    std::printf("[  NOTICE  ] CASTIEL_TEST_DATA has no folder hostile: hostile files are not tested\n");
    GTEST_SKIP();
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(given) / "hostile"))
    if (entry.is_regular_file() && entry.file_size() <= kMaxFileBytes) files.push_back(entry.path());
  std::ranges::sort(files);
  const std::set<std::string> expected{"encrypted",   "corrupt",  "too_large", "bomb",
                                       "unsupported", "infected", "timeout"};
  const auto before = open_descriptors();
  std::map<std::string, int> outcomes;
  {
    const auto pool = make_worker_pool(pool_options(1), kClock, {});
    for (std::size_t i = 0; i < files.size(); i += kEveryFile) {
      const std::string bytes = read(files[i]);
      Request request;
      request.name = files[i].filename().string();
      request.bytes = bytes;
      request.nested_text = true;
      const auto start = kClock.monotonic();
      const auto outcome = pool->extract(request, in_seconds(120));
      EXPECT_LE(kClock.monotonic() - start, std::chrono::seconds(61)) << files[i];
      ++outcomes[outcome ? "read" : outcome.error().code];
      if (!outcome) {
        EXPECT_TRUE(expected.contains(outcome.error().code)) << files[i] << outcome.error().describe();
      }
    }
    EXPECT_TRUE(pool->extract(text_request("and then"), in_seconds(60)).has_value());
  }
  EXPECT_EQ(open_descriptors(), before);
  for (const auto& [code, count] : outcomes) std::printf("[ NOTE     ] %s: %d\n", code.c_str(), count);
}

// A table whose cells take many times the memory of its bytes.
TEST(HostileFiles, a_file_that_needs_more_memory_than_allowed_is_refused) {
  auto options = pool_options(1);
  options.max_memory_bytes = 96u << 20;
  const auto pool = make_worker_pool(options, kClock, {});
  std::string rows = "a,b\n";
  while (rows.size() < 100u << 20) rows += "1,2\n";
  const auto outcome = pool->extract(text_request(rows, "rows.csv"), in_seconds(120));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, "too_large") << outcome.error().describe();
  EXPECT_TRUE(pool->extract(text_request("and then"), in_seconds(60)).has_value());
}

}  // namespace
}  // namespace castiel::extract
