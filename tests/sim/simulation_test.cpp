// That the simulation can be trusted: it repeats, it finds mistakes that are planted, and its model is not
// empty.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.hpp"

namespace castiel::sim {
namespace {

constexpr std::uint64_t kSeeds = 30;  // a mutant that lives longer than this is not caught

// What is said of the first world that shows the mistake, empty if none does.
std::string caught(Mutant mutant, Footing footing = Footing::embedded) {
  const bool fleet = footing == Footing::scaled_out;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const auto outcome = run_world({seed, true, false, mutant, footing, fleet});
    if (outcome.failures.empty()) continue;
    std::string all;
    for (const auto& failure : outcome.failures) all += failure + "\n";
    return all;
  }
  return "";
}

// The first failure of each must be what the mistake does, not an accident of the planting.
TEST(Simulation, finds_a_broker_that_acknowledges_before_the_commit) {
  EXPECT_THAT(caught(Mutant::acknowledges_early), testing::HasSubstr("records mapped"));
}

TEST(Simulation, finds_an_inbox_that_forgets) {
  EXPECT_THAT(caught(Mutant::forgets_messages), testing::HasSubstr("records mapped"));
}

TEST(Simulation, finds_failed_records_that_nobody_buries) {
  EXPECT_THAT(caught(Mutant::swallows_failures),
              testing::HasSubstr("effects and dead letters of what was read"));
}

TEST(Simulation, finds_an_older_version_that_wins) {
  EXPECT_THAT(caught(Mutant::lets_older_win), testing::HasSubstr("version"));
}

TEST(Simulation, finds_bytes_that_are_put_away_too_late) {
  EXPECT_THAT(caught(Mutant::blobs_come_late), testing::HasSubstr("not_found"));
}

TEST(Simulation, finds_what_a_link_brings_about_written_twice) {
  EXPECT_THAT(caught(Mutant::acts_twice), testing::HasSubstr("activities"));
}

TEST(ScaledOutSimulation, finds_a_relay_that_takes_what_it_sent_for_confirmed) {
  EXPECT_THAT(caught(Mutant::confirms_early, Footing::scaled_out), testing::HasSubstr("did not drain"));
}

TEST(ScaledOutSimulation, finds_a_consumer_that_acknowledges_before_the_commit) {
  EXPECT_THAT(caught(Mutant::acknowledges_early, Footing::scaled_out), testing::HasSubstr("did not drain"));
}

TEST(ScaledOutSimulation, finds_an_inbox_that_forgets) {
  EXPECT_THAT(caught(Mutant::forgets_messages, Footing::scaled_out), testing::HasSubstr("records mapped"));
}

TEST(ScaledOutSimulation, finds_failed_records_that_nobody_buries) {
  EXPECT_THAT(caught(Mutant::swallows_failures, Footing::scaled_out),
              testing::HasSubstr("effects and dead letters of what was read"));
}

TEST(ScaledOutSimulation, goes_the_same_way_with_the_same_seed) {
  for (const std::uint64_t seed : {4u, 7u}) {
    const WorldOptions options{seed, true, false, Mutant::none, Footing::scaled_out, true};
    const auto once = run_world(options);
    const auto again = run_world(options);
    EXPECT_TRUE(once.failures.empty()) << once.failures.front();
    EXPECT_EQ(once.trace_hash, again.trace_hash);
    EXPECT_EQ(once.state, again.state);
  }
}

TEST(ScaledOutSimulation, ends_as_the_embedded_world_does) {
  const auto outcome = run_and_compare({12, false, false, Mutant::none, Footing::scaled_out, true});
  EXPECT_TRUE(outcome.failures.empty()) << outcome.failures.front();
  EXPECT_GT(outcome.state.size(), 20u);
}

TEST(Simulation, goes_the_same_way_with_the_same_seed) {
  for (const std::uint64_t seed : {3u, 8u}) {
    const auto once = run_world({seed, true, false, Mutant::none});
    const auto again = run_world({seed, true, false, Mutant::none});
    EXPECT_EQ(once.trace_hash, again.trace_hash);
    EXPECT_EQ(once.state, again.state);
    EXPECT_NE(once.trace_hash, run_world({seed + 1, true, false, Mutant::none}).trace_hash);
  }
}

TEST(Simulation, ends_with_something_to_judge) {
  const auto outcome = run_world({5, false, false, Mutant::none});
  EXPECT_TRUE(outcome.failures.empty()) << outcome.failures.front();
  EXPECT_GT(outcome.state.size(), 20u);
}

TEST(SimulationModel, lets_the_newer_version_of_a_record_win) {
  File file{"/t/w0/opportunities.csv",
            "opportunity",
            false,
            true,
            {"Id", "Name", "AccountId", "OwnerId", "StageName", "Amount", "CloseDate", "LastModifiedDate"},
            {}};
  const auto row = [](const char* stage, std::int64_t modified) {
    return Row{"O1",
               {"O1", "Deal", "A1", "U1", stage, "1", "2026-01-01", std::to_string(modified)},
               modified,
               "",
               false};
  };
  file.rows = {row("Proposal", 200), row("Prospecting", 100), row("Negotiation", 200),
               row("Closed Won", 300)};
  const auto expected = expect({"t", "of-t", {{{file}, {}}}, {}});
  EXPECT_EQ(expected.shards.at({"opportunity", "O1"}).version, 2);
  EXPECT_EQ(expected.shards.at({"opportunity", "O1"}).fields.at("stage"), "Closed Won");
  EXPECT_EQ(expected.waves[0].mapped, 3);
  EXPECT_EQ(expected.waves[0].dead_codes.at("key_collision"), 1);
}

TEST(SimulationProbes, are_declared_before_they_are_hit) {
  Probes probes;
  EXPECT_DEATH(probes.hit("a path nobody declared"), "not declared");
}

}  // namespace
}  // namespace castiel::sim
