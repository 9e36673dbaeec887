#pragma once
// What of a simulated world outlives its processes: database file, sources, clock, chance, faults, trace. One
// world owns one; one thread.

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "connectors/testing/memory_file_system.hpp"
#include "extract/testing/direct_extractor.hpp"
#include "parts.hpp"
#include "storage/testing/memory_blobs.hpp"
#include "telemetry/log.hpp"
#include "world.hpp"

namespace castiel::sim {

class LogIntoTrace final : public telemetry::LineSink {
 public:
  LogIntoTrace(Trace& trace, Probes& probes) : trace_(&trace), probes_(&probes) {}
  void write(telemetry::Level, std::string_view line) override {
    trace_->note(fmt::format("log {}", line));
    if (line.find("page_split") != line.npos) probes_->hit("page split");
  }

 private:
  Trace* trace_;
  Probes* probes_;
};

// A folder of its own in memory, gone with the world.
class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::exists("/dev/shm")
                              ? "/dev/shm/castiel-sim-XXXXXX"
                              : (std::filesystem::temp_directory_path() / "castiel-sim-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Durable {
  explicit Durable(const WorldOptions& o)
      : options(o),
        trace(o.print),
        workload_random(o.seed * 3 + 1),
        ids_random(o.seed * 3 + 2),
        schedule(o.seed * 3 + 3),
        workload(make_workload(workload_random, clock.now(), o.small)),
        plan(o.faults ? plan_of(o.seed) : FaultPlan::none()),
        faults(plan, o.seed ^ 0x5eedf4417ULL, clock, trace, probes),
        sim_files(files, faults),
        log(std::make_shared<LogIntoTrace>(trace, probes), clock, {telemetry::Level::info, 1'000'000}) {
    // Before any import: what is found near a document's time is the same whenever it is read.
    files.date(clock.now() - std::chrono::days(30));
    for (const auto& tenant : workload.tenants) {
      for (const auto& wave : tenant.waves) {
        for (const auto& file : wave.files) files.put(file.path, file.text());
        for (const auto& file : wave.contents.files) {
          if (file.path.find("!/") == file.path.npos) files.put(file.path, file.bytes);
        }
        for (const auto& [path, bytes] : wave.contents.archives) files.put(path, bytes);
      }
    }
  }
  static FaultPlan plan_of(std::uint64_t seed) {
    SeededRandom random(seed ^ 0x9e3779b9ULL);
    return FaultPlan::swarm(random);
  }
  std::string database() const { return folder.file("castiel.db"); }

  WorldOptions options;
  Folder folder;
  ManualClock clock{parse_timestamp("2026-03-01T08:00:00Z").value()};
  Trace trace;
  Probes probes;
  SeededRandom workload_random, ids_random, schedule;
  Workload workload;
  BehaviourState behaviour;
  FaultPlan plan;
  Faults faults;
  connectors::testing::MemoryFileSystem files;
  SimFileSystem sim_files;
  extract::DirectExtractor extractor;
  storage::testing::MemoryBlobs blobs;
  telemetry::Log log;
};

}  // namespace castiel::sim
