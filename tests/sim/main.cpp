// castiel-sim: runs simulated worlds, one for each seed, and says which fail. See README.md.
#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "world.hpp"

using namespace castiel::sim;

namespace {

constexpr std::int64_t kRare = 5;  // hits of a probe that a run of fewer seeds might miss

struct Arguments {
  std::uint64_t seeds = 300, from = 1, jobs = 2;
  bool verbose = false;
  bool calm = false;
  bool probes = true;
  std::optional<Footing> footing;  // nothing: by the seed

  Footing footing_of(std::uint64_t seed) const {
    return footing.value_or(seed % 3 == 0 ? Footing::embedded : Footing::scaled_out);
  }
};

int usage() {
  fmt::print(stderr,
             "Usage: castiel-sim [--seeds N] [--from S] [--jobs J] [--world W] [--verbose] [--no-probes]\n\n"
             "  --seeds N    how many worlds (default 300)\n"
             "  --from S     the first one's seed (default 1)\n"
             "  --jobs J     worlds at the same time (default 2)\n"
             "  --world W    embedded or scaled-out; by default every third seed is an embedded one\n"
             "  --verbose    print what happens in each world\n"
             "  --calm       the worlds without faults\n"
             "  --no-probes  do not demand that every rare path was taken (for few seeds)\n");
  return 2;
}

bool number(const char* text, std::uint64_t& into) {
  const auto* end = text + std::strlen(text);
  return std::from_chars(text, end, into).ptr == end && end != text;
}

const char* name_of(Footing footing) {
  return footing == Footing::embedded ? "embedded" : "scaled-out";
}

struct Totals {
  std::mutex mutex;
  std::map<Footing, Probes> probes;
  std::uint64_t done = 0, failed = 0;
  std::int64_t records = 0, steps = 0, processes = 0;
};

void run_seed(std::uint64_t seed, const Arguments& arguments, const char* program, Totals& totals) {
  const auto footing = arguments.footing_of(seed);
  const bool fleet = footing == Footing::scaled_out;
  const WorldOptions options{seed, !arguments.calm, arguments.verbose, Mutant::none, footing, fleet};
  // Not each world has a calm one beside it: the model knows already what has to come of most of it.
  const bool compared = !arguments.calm && seed % (fleet ? 4 : 2) == 0;
  auto outcome = compared ? run_and_compare(options) : run_world(options);
  // A seed is worth something only if it repeats.
  if (outcome.failures.empty() && seed % 20 == 0 && !arguments.calm) {
    auto again = options;
    again.print = false;
    if (run_world(again).trace_hash != outcome.trace_hash)
      outcome.failures.push_back("the same seed went another way the second time");
  }
  std::lock_guard lock(totals.mutex);
  if (arguments.verbose) {
    for (const auto& line : outcome.state) fmt::print("state: {}\n", line);
  }
  totals.probes[footing].add(outcome.probes);
  totals.records += outcome.records;
  totals.steps += outcome.steps;
  totals.processes += outcome.processes;
  if (!outcome.failures.empty()) {
    ++totals.failed;
    fmt::print("\nseed {} FAILED ({}, {} records; faults: {})\n", seed, name_of(footing), outcome.records,
               outcome.faults);
    for (const auto& f : outcome.failures) fmt::print("  {}\n", f);
    if (!arguments.verbose) {
      fmt::print("its last events:\n");
      for (const auto& line : outcome.last_events) fmt::print("  {}\n", line);
    }
    fmt::print("repeat it with: {} --seeds 1 --from {} --world {} --verbose --no-probes\n", program, seed,
               name_of(footing));
  }
  if (++totals.done % 50 == 0) fmt::print("{} seeds, {} failed\n", totals.done, totals.failed);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    if (a == "--verbose") {
      arguments.verbose = true;
    } else if (a == "--calm") {
      arguments.calm = true;
    } else if (a == "--no-probes") {
      arguments.probes = false;
    } else if (a == "--world" && i + 1 < argc && std::string_view(argv[i + 1]) == "embedded") {
      arguments.footing = Footing::embedded;
      ++i;
    } else if (a == "--world" && i + 1 < argc && std::string_view(argv[i + 1]) == "scaled-out") {
      arguments.footing = Footing::scaled_out;
      ++i;
    } else if (a == "--seeds" && i + 1 < argc && number(argv[i + 1], arguments.seeds)) {
      ++i;
    } else if (a == "--jobs" && i + 1 < argc && number(argv[i + 1], arguments.jobs)) {
      ++i;
    } else if (a == "--from" && i + 1 < argc && number(argv[i + 1], arguments.from)) {
      ++i;
    } else {
      return usage();
    }
  }

  if (arguments.verbose) arguments.jobs = 1;
  Totals totals;
  std::atomic<std::uint64_t> next = arguments.from;
  const auto work = [&] {
    for (auto seed = next++; seed < arguments.from + arguments.seeds; seed = next++)
      run_seed(seed, arguments, argv[0], totals);
  };
  {
    std::vector<std::jthread> threads;  // a world has one thread and shares nothing
    for (std::uint64_t i = 0; i < arguments.jobs; ++i) threads.emplace_back(work);
  }
  const auto& [mutex, probes, done, failed, records, steps, processes] = totals;
  fmt::print("{} seeds, {} failed; {} records in {} steps of {} processes\n", arguments.seeds, failed,
             records, steps, processes);
  bool missing = false;
  for (const auto& [footing, all] : probes) {
    for (const auto& name : Probes::declared(footing)) {
      const auto it = all.hits().find(name);
      const auto n = it == all.hits().end() ? 0 : it->second;
      if (n < kRare || arguments.verbose)
        fmt::print("{} probe ({}): {} {}\n",
                   n == 0      ? "MISSED"
                   : n < kRare ? "rare"
                               : "hit",
                   name_of(footing), name, n);
      missing = missing || n == 0;
    }
  }
  return failed > 0 || (arguments.probes && missing) ? EXIT_FAILURE : EXIT_SUCCESS;
}
