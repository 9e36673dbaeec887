// Processes that are killed, and what is left: the state that an undisturbed import gives.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "crm_files.hpp"
#include "mixed_files.hpp"

namespace castiel::functional {
namespace {

constexpr std::uint64_t kSeed = 20'261'124;

std::vector<std::string> import_of(const Path& files, const Path& data) {
  // A message in whose handling the process ended counts as tried (RETRY-5), and five tries make a dead
  // letter. Here the same one may be in work at more kills than that, and is innocent.
  return {"import", files.string(), "--tenant",
          "acme",   "--data",       data.string(),
          "--json", "--set",        "mapping.max_deliveries=100"};
}

// What linking and scoring do for the second one waits behind the first one's messages; nobody is at that any
// more.
TEST(KilledImport, does_not_hold_up_the_next_one_of_other_files) {
  TempFolder folder, other;
  write_crm(folder, kSeed, {.opportunities = 4000});
  const auto counts = write_crm(other, kSeed + 1, {.opportunities = 100});
  const auto with_lease = [](std::vector<std::string> command) {
    command.insert(command.end(), {"--set", "imports.lease=2s"});
    return command;
  };
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(castiel(import_of(folder.path() / "crm", folder.path() / "whole")).status, 3);
  auto delay = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start) / 2;
  const Path data = folder.path() / "data";
  for (;; delay /= 2) {  // in the middle, whatever else the machine does
    Process first(with_lease(import_of(folder.path() / "crm", data)));
    if (!first.ended_within(delay)) {
      first.signal(SIGKILL);
      if (first.finish().signal == SIGKILL && !is_done(data)) break;
    }
    std::filesystem::remove_all(data);
    ASSERT_GT(delay, 10ms);
  }
  constexpr auto kShorterThanPatience = 45s;
  Process second(with_lease(import_of(other.path() / "crm", data)));
  ASSERT_TRUE(second.ended_within(kShorterThanPatience));
  const auto done = second.finish();
  ASSERT_EQ(done.status, 3) << done.err;
  EXPECT_EQ(number(done.last(), "records.read"), counts.records);
  const auto rest = castiel(import_of(folder.path() / "crm", data));
  EXPECT_EQ(rest.status, 3) << rest.err;
}

TEST(KilledImport, ends_as_the_undisturbed_one_after_twenty_kills) {
  TempFolder folder;
  const auto counts = write_crm(folder, kSeed);
  const Path files = folder.path() / "crm";
  const auto start = std::chrono::steady_clock::now();
  const auto whole = castiel(import_of(files, folder.path() / "whole"));
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start);
  ASSERT_EQ(whole.status, 3) << whole.err;
  const auto summary = whole.last();
  EXPECT_EQ(number(summary, "records.read"), counts.records);
  EXPECT_EQ(number(summary, "records.deadLettered"), counts.lost);
  EXPECT_EQ(number(summary, "records.mapped") + counts.lost, counts.records);
  const auto expected = stored(folder.path() / "whole", "acme");
  ASSERT_EQ(expected.dead_letters.size(), static_cast<std::size_t>(counts.lost));
  ASSERT_FALSE(expected.changes.empty());

  std::mt19937_64 random(kSeed);
  std::uniform_int_distribution<Millis::rep> moment(1, std::max<Millis::rep>(2, took.count() * 3 / 5));
  constexpr int kKills = 20, kMostRounds = 40;
  int kills = 0;
  for (int round = 0; kills < kKills && round < kMostRounds; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", kSeed, round));
    const Path data = folder.path() / fmt::format("killed-{}", round);
    std::string moments;
    std::optional<Finished> done;
    while (!done) {
      Process process(import_of(files, data));
      const Millis delay(moment(random));
      if (kills >= kKills || process.ended_within(delay)) {
        done = process.finish();
        break;
      }
      process.signal(SIGKILL);
      auto finished = process.finish();
      if (finished.signal != SIGKILL) {  // it ended by itself just before
        done = std::move(finished);
        break;
      }
      moments += fmt::format(" {}", delay.count());
      ++kills;
      if (is_done(data)) break;
    }
    SCOPED_TRACE("killed after ms:" + moments);
    if (done) {
      EXPECT_EQ(done->status, 3) << done->err;
      expect_same("summaries", comparable(summary), comparable(done->last()));
    }
    expect_same(expected, stored(data, "acme"));
    if (HasFailure()) return;
  }
  EXPECT_EQ(kills, kKills);
}

TEST(KilledImport, of_mails_documents_and_calls_ends_as_the_undisturbed_one) {
  TempFolder folder;
  write_crm(folder, kSeed,
            {.accounts = 20, .users = 4, .products = 5, .opportunities = 60, .changes_each = 1});
  const auto counts = write_mixed(folder, kSeed);
  std::filesystem::rename(folder.path() / "crm", folder.path() / "mixed/crm");
  const Path files = folder.path() / "mixed";
  const auto start = std::chrono::steady_clock::now();
  const auto whole = castiel(import_of(files, folder.path() / "whole"));
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start);
  ASSERT_EQ(whole.status, 3) << whole.err;
  EXPECT_EQ(number(whole.last(), "shards.email.created"), counts.emails);
  const auto expected = stored(folder.path() / "whole", "acme");

  std::mt19937_64 random(kSeed);
  std::uniform_int_distribution<Millis::rep> moment(1, std::max<Millis::rep>(2, took.count() * 4 / 5));
  for (int round = 0; round < 3; ++round) {
    const Path data = folder.path() / fmt::format("killed-{}", round);
    std::string moments;
    for (int kill = 0; kill < 3 && !(kill > 0 && is_done(data)); ++kill) {
      Process process(import_of(files, data));
      const Millis delay(moment(random));
      if (!process.ended_within(delay)) process.signal(SIGKILL);
      process.finish();
      moments += fmt::format(" {}", delay.count());
    }
    SCOPED_TRACE(fmt::format("seed {}, round {}, killed after ms:{}", kSeed, round, moments));
    if (!is_done(data)) {
      const auto done = castiel(import_of(files, data));
      EXPECT_EQ(done.status, 3) << done.err;
      expect_same("summaries", comparable(whole.last()), comparable(done.last()));
    }
    expect_same(expected, stored(data, "acme"));
    if (HasFailure()) return;
  }
}

TEST(KilledImport, of_the_example_workspace_goes_on) {
  TempFolder folder;
  const Path files = Path(CASTIEL_SOURCE_DIR) / "examples/workspace";
  const auto start = std::chrono::steady_clock::now();
  const auto whole = castiel(import_of(files, folder.path() / "whole"));
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start);
  ASSERT_EQ(whole.status, 0) << whole.err;
  // Earlier and earlier, should the machine have become so much faster that it is done before the kill.
  Path data;
  bool killed = false;
  for (int attempt = 0; attempt < 8 && !killed; ++attempt) {
    data = folder.path() / fmt::format("killed-{}", attempt);
    Process process(import_of(files, data));
    if (!process.ended_within(took / (3 << attempt))) process.signal(SIGKILL);
    killed = process.finish().signal == SIGKILL;
  }
  ASSERT_TRUE(killed);
  const auto done = castiel(import_of(files, data));
  EXPECT_EQ(done.status, 0) << done.err;
  expect_same("summaries", comparable(whole.last()), comparable(done.last()));
  expect_same(stored(folder.path() / "whole", "acme"), stored(data, "acme"));
}

}  // namespace
}  // namespace castiel::functional
