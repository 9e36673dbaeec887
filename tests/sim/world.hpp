#pragma once
// A seeded world: what is durable (database, files, clock, chance), the processes that come and go on it, a
// scheduler that picks who acts next, and the verdict once everything has drained. One thread.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "faults.hpp"
#include "parts.hpp"

namespace castiel::sim {

struct WorldOptions {
  std::uint64_t seed = 1;
  bool faults = true;
  bool print = false;  // the trace as it happens
  Mutant mutant = Mutant::none;
  Footing footing = Footing::embedded;
  bool small = false;  // the workload
};

struct Outcome {
  std::vector<std::string> failures;
  std::vector<std::string> last_events;
  std::uint64_t trace_hash = 0;
  std::set<std::string> state;  // what is stored in the end, without ids and times of its own
  Probes probes;
  std::string faults;
  std::int64_t records = 0, steps = 0, processes = 0;
};

Outcome run_world(const WorldOptions& options);
// One of the scaled-out footing; run_world() calls it.
Outcome run_fleet(const WorldOptions& options);

// A world with its faults and without must end in the same state; the faulty one's outcome is returned.
Outcome run_and_compare(WorldOptions options);

// The verdict on a drained store: what is wrong, and its state as text. `path` is its database file.
struct Verdict {
  std::vector<std::string> failures;
  std::set<std::string> state;
};
Verdict examine(storage::Store& store, const std::string& path, const Workload& workload, const Clock& clock,
                Probes& probes);
// Of the other kinds of source: texts in the index, links and what they brought about, nothing of one tenant
// at another. `names`: of shards by id, as the state shows them.
Verdict examine_contents(const storage::Reader& reader, const std::string& path, const Workload& workload,
                         const std::map<std::string, std::string>& names, Probes& probes);
// Ids in a text as the names they stand for.
std::string with_names(std::string_view text, const std::map<std::string, std::string>& names);

// What waits in the queues and behind parked keys, for a failure's message.
std::string describe_queues(const std::string& path);

}  // namespace castiel::sim
