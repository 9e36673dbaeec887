// Conservation: the real processes, under a load with obligations and under faults; then the faults stop, and
// what is stored is compared with what was acknowledged. README.md beside this file.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <string_view>
#include <thread>

#include "audit.hpp"
#include "faults.hpp"
#include "load.hpp"
#include "world.hpp"

namespace castiel::conservation {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  int cycles = 1;
  std::uint64_t seed = 20'261'125;
  Millis faults{3'500};
  Millis settle{30'000};  // after the faults; the promise
  Millis late{90'000};    // what is late is not lost: a failure tells which it is
  bool slow = false, keep = false;
  bool embedded = true, servers = true;
};
Options options;

double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

struct Totals {
  std::int64_t owed = 0, doubtful = 0, letters = 0, others = 0, imports = 0, updates = 0;
  double longest = 0;
  std::map<std::string, int> faults;
};

// An audit that finds nothing proves nothing unless it would: the book is falsified, and each time it has to.
void expect_falsified_books_to_be_noticed(const Path& socket, Book& book,
                                          const std::vector<std::string>& tenants) {
  const auto finds = [&](const std::string& what) {
    const auto found = audit(socket, book, tenants);
    EXPECT_TRUE(std::ranges::any_of(found.problems, [&](const auto& p) { return p.starts_with(what); }))
        << what;
  };
  const auto original = book.records;
  const auto restored = [&] { book.records = original; };
  const auto someone = std::ranges::find_if(book.records, [](const auto& r) {
    return r.second.type == "opportunity" && r.second.sendings.size() == 1 &&
           r.second.sendings[0].acknowledged;
  });
  ASSERT_NE(someone, book.records.end());
  const auto key = someone->first;
  auto more = key;
  more.id += "x";
  book.records[more] = original.at(key);
  finds("lost: opportunity");
  restored();
  book.records.erase(key);
  finds("invented");
  restored();
  book.records[key].sendings[0].source += "x";
  finds("other bytes");
  restored();
  book.records[key].sendings[0].value += "1";
  finds("other data");
  restored();
  auto newer = original.at(key).sendings[0];
  newer.source += "x";
  book.records[key].sendings.push_back(newer);
  finds("lost: " + key.id);
  restored();
  book.records[key].sendings.clear();
  finds("twice: " + key.id);
  restored();
  book.bad_lines[{tenants[0], "never sent"}].acknowledged = true;
  finds("lost: the bad line");
  book.bad_lines.erase({tenants[0], "never sent"});
  ++book.imports.front().records;
  finds("import " + book.imports.front().correlation);
}

// False when something was wrong.
bool cycle(World& world, int number, std::uint64_t seed, Totals& totals) {
  Book book;
  const std::string own = fmt::format("{:04}", number % 10'000);
  LoadOptions load_options;
  load_options.seed = seed;
  load_options.socket = world.socket();
  load_options.folder = world.folder() / ("files-" + own);
  load_options.tenants = {"a" + own + "a", "b" + own + "b"};
  std::filesystem::create_directories(load_options.folder);
  const auto tenants = load_options.tenants;
  load_options.most_open = world.footing() == Footing::embedded ? 20 : 8;
  Faults faults(world, seed + 1, options.slow);
  const int ended_before = world.ended_by_themselves();
  {
    Load load(load_options, book);
    std::jthread client([&load](const std::stop_token& stop) { load.run(stop); });
    faults.run(options.faults);
  }
  const auto whole = Clock::now();
  const bool ready = functional::eventually([&] { return world.all_ready(); });
  const auto ready_after = seconds_since(whole);
  const auto found = settle(world.socket(), book, tenants,
                            options.settle - std::chrono::duration_cast<Millis>(Clock::now() - whole));
  const double settled = seconds_since(whole);
  std::string kinds;
  for (const auto& [name, count] : faults.counts()) {
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count, name);
    totals.faults[name] += count;
  }
  totals.owed += found.owed;
  totals.doubtful += found.doubtful;
  totals.letters += found.letters;
  totals.others += found.others;
  totals.imports += found.imports;
  totals.longest = std::max(totals.longest, settled);
  fmt::print(
      "cycle {} seed {}: {} imports, {} records owed, {} in doubt, {} letters ({} of good records), ready "
      "after {:.1f} "
      "s, settled after {:.1f} s, {} processes ended by themselves; {}\n",
      number, seed, found.imports, found.owed, found.doubtful, found.letters, found.others, ready_after,
      settled, world.ended_by_themselves() - ended_before, kinds);
  std::fflush(stdout);
  EXPECT_TRUE(ready) << "not all processes came back";
  EXPECT_GT(found.owed, 0) << "nothing was acknowledged: this run proves nothing";
  if (ready && found.problems.empty()) {
    if (number == 0 && world.footing() == Footing::embedded)
      expect_falsified_books_to_be_noticed(world.socket(), book, tenants);
    std::filesystem::remove_all(load_options.folder);
    return true;
  }
  std::string text = "\nqueues: " + functional::http(world.socket(), "/api/v1/queues").body;
  const auto later = settle(world.socket(), book, tenants, options.late);
  text += fmt::format("\nand {} problems {:.0f} s after the faults; before:", later.problems.size(),
                      seconds_since(whole));
  for (std::size_t i = 0; i < std::min<std::size_t>(found.problems.size(), 20); ++i)
    text += "\n  " + found.problems[i];
  std::string story;
  for (const auto& line : faults.story()) story += "\n  " + line;
  ADD_FAILURE() << found.problems.size() << " problems " << settled << " s after the faults, seed " << seed
                << text << "\nwhat went wrong on purpose:" << story << "\nlogs and files: " << world.folder()
                << (options.keep ? "" : " (kept with --keep)");
  return false;
}

void run(Footing footing) {
  Totals totals;
  int done = 0;
  try {
    World world(footing, options.seed);
    if (options.keep) world.keep_folder();
    if (world.disk() == nullptr)
      fmt::print(
          "NOTICE: no file system of our own may be mounted here: the disk is never full, files only grow no "
          "further.\n");
    for (; done < options.cycles; ++done) {
      if (!cycle(world, done, options.seed + static_cast<std::uint64_t>(done) * 1000, totals)) break;
    }
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
  std::string kinds;
  for (const auto& [name, count] : totals.faults) kinds += fmt::format("\n  {:6} {}", count, name);
  fmt::print(
      "{} of {} cycles: {} imports, {} records owed, {} in doubt, {} letters ({} of good records), longest "
      "settling {:.1f} s; faults:{}\n",
      done, options.cycles, totals.imports, totals.owed, totals.doubtful, totals.letters, totals.others,
      totals.longest, kinds);
  EXPECT_EQ(done, options.cycles);
}

// TEST-3, FLOW-10, BACKENDS-2
TEST(Conservation, one_process_with_its_own_file_keeps_what_it_accepted) {
  if (!options.embedded) GTEST_SKIP();
  run(Footing::embedded);
}

TEST(Conservation, several_processes_over_postgresql_and_rabbitmq_keep_what_they_accepted) {
  if (!options.servers) GTEST_SKIP();
  run(Footing::servers);
}

int usage() {
  std::fputs(
      "Usage: conservation [--cycles N] [--footing embedded|servers] [--seed S] [--seconds S] [--settle S] "
      "[--slow]\n"
      "                    [--keep]\n\n"
      "Each cycle: a load under faults for --seconds (default 3.5), then everything made whole, and within "
      "--settle\n"
      "seconds (30) all that was acknowledged has to be there, once, as it was sent. --slow: also faults "
      "that take\n"
      "long to begin. --keep: logs and files stay. CASTIEL_BINARY names another program.\n",
      stderr);
  return 2;
}

template <typename T>
bool parsed(std::string_view text, T& value) {
  return std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size();
}

// False when the command line is wrong.
bool read_options(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--slow" || name == "--keep") {
      (name == "--slow" ? options.slow : options.keep) = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const std::string_view value = argv[++i];
    double seconds = 0;
    if (name == "--cycles") {
      if (!parsed(value, options.cycles)) return false;
    } else if (name == "--seed") {
      if (!parsed(value, options.seed)) return false;
    } else if ((name == "--seconds" || name == "--settle") && parsed(value, seconds)) {
      (name == "--seconds" ? options.faults : options.settle) =
          Millis(static_cast<std::int64_t>(seconds * 1000));
    } else if (name == "--footing" && (value == "embedded" || value == "servers")) {
      (value == "embedded" ? options.servers : options.embedded) = false;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace castiel::conservation

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!castiel::conservation::read_options(argc, argv)) return castiel::conservation::usage();
  return RUN_ALL_TESTS();
}
