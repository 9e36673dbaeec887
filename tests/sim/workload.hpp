#pragma once
// What a simulated world imports, and a model in plain code of what must come of it. Both follow from the
// seed alone: neither knows of faults, of batches or of the program under test.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "contents.hpp"

namespace castiel::sim {

inline constexpr char kIntegration[] = "salesforce";

// One line of an export. `cells` stand in the order of the file's columns.
struct Row {
  std::string key;
  std::vector<std::string> cells;
  std::int64_t modified = 0;  // seconds since 1970; 0: the file has no such column
  std::string dead;   // the code of the dead letter this row must become on its own account, else empty
  bool lost = false;  // the line cannot be split into its fields: it never becomes a record
};

struct File {
  std::string path;
  std::string entity;
  bool json = false;
  bool dated = false;
  std::vector<std::string> columns;
  std::vector<Row> rows;
  std::string text() const;
  std::string line_of(const Row& row) const;
};

// How the stage's surroundings treat records of a key: a dependency that fails now and then or for ever, a
// record that kills the process that handles it.
struct Behaviour {
  enum class Kind { flaky, hopeless, deadly, deadly_for_ever };
  Kind kind;
  int times = 0;  // of flaky and deadly
};

struct Wave {
  std::vector<File> files;  // in the order in which they are to be read
  Contents contents;        // read after them
};

struct TenantWork {
  std::string tenant;
  std::string mark;  // a word that every text of this tenant carries, and no other's
  std::vector<Wave> waves;
  std::map<std::string, Behaviour> behaviours;  // by record key
};

struct Workload {
  std::vector<TenantWork> tenants;
  bool mixed = false;  // has more than tables
  std::int64_t records() const;
};

// `from`: the virtual now; everything dated lies before it. `small`: two tenants, and less of everything.
Workload make_workload(SeededRandom& random, Timestamp from, bool small);

// --- the model ---

struct ExpectedShard {
  std::int64_t version = 0;
  std::map<std::string, std::string> fields;  // some canonical fields as text
  std::string content;                        // the row without its modification time
  std::int64_t rank = 0;                      // source version: seconds, or the wave for undated rows
  int changed_fields = 0;
};

struct ExpectedWave {
  std::int64_t read = 0, mapped = 0, dead = 0;
  std::int64_t created = 0, updated = 0;
  std::map<std::string, std::int64_t> dead_codes;  // records by code, attachments too
};

struct Expected {
  std::map<std::pair<std::string, std::string>, ExpectedShard> shards;  // type and external id
  std::set<std::string> past_changes;  // "opportunity|time|field|value" of history exports
  std::vector<ExpectedWave> waves;
};

Expected expect(const TenantWork& work);

}  // namespace castiel::sim
