#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <CLI/CLI.hpp>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "app/impl/command_line.hpp"
#include "model/event_types.hpp"
#include "storage/outbox.hpp"
#include "sync/import_job.hpp"

namespace castiel::app {

namespace {

constexpr auto kWriteDeadline = std::chrono::seconds(30);
constexpr auto kLook = std::chrono::milliseconds(20);
constexpr auto kLongestRun = std::chrono::minutes(30);
constexpr std::int64_t kRecordsOfFlow = 50'000;  // an import waits when it is further ahead of the stages

struct BenchArguments {
  std::string name = "mapping";
  std::int64_t records = 30'000;
  bool search = false;
};

// An opportunity as a CRM's API gives it, about 800 bytes as JSON.
std::string record(std::int64_t i) {
  return fmt::format(
      R"({{"Id":"006{:012}","Name":"Acme renewal {}","AccountId":"001xx000003DGb2AAG","StageName":"Proposal/Price Quote",)"
      R"("Amount":125000.5,"CloseDate":"2026-12-31","Probability":65,"OwnerId":"005xx000001Sv6AAAS",)"
      R"("ForecastCategoryName":"Best Case","IsClosed":false,"IsWon":false,"LeadSource":"Partner",)"
      R"("Type":"Existing Customer - Upgrade","NextStep":"Send revised quote to procurement and schedule the security review",)"
      R"("Description":"Renewal with expansion into EMEA; legal redlines outstanding; champion is the VP Ops.",)"
      R"("LastModifiedDate":"2026-11-20T10:11:12.000+0000","SystemModstamp":"2026-11-20T10:11:12.000+0000"}})"
      "\n",
      i, i);
}

struct Spent {
  Duration wall;
  std::int64_t cpu_micros;
};
std::int64_t cpu_micros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& t) { return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}
std::int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

class Bench {
 public:
  Bench(Program& program, const TenantId& tenant) : program_(&program), tenant_(tenant) {}

  // Puts the records of a file into the queue of raw data, as an import would, while nobody takes them out.
  Result<> fill(const std::string& file) {
    const auto& clock = program_->clock();
    CASTIEL_TRY(program_->store().create_tenant(tenant_, Deadline::after(clock, kWriteDeadline)));
    sync::ImportOptions options;
    options.paths = {file};
    CASTIEL_ASSIGN(auto job, sync::ImportJob::start(program_->import_parts(), tenant_, std::move(options)));
    for (auto progress = sync::ImportJob::Progress::more; progress != sync::ImportJob::Progress::all_read;) {
      CASTIEL_ASSIGN(progress, job->step());
      if (progress == sync::ImportJob::Progress::waiting)
        return permanent("queue_full", "the import waits for the stages, which do not run yet");
    }
    flows_.push_back(job->correlation());
    return {};
  }

  // Until the broker has them all.
  Result<> hand_over() {
    const Duration start = program_->clock().monotonic();
    program_->start_relay();
    for (;;) {
      CASTIEL_ASSIGN(const auto depth, program_->store().outbox().depth());
      if (depth.messages == 0) return {};
      if (program_->clock().monotonic() - start > kLongestRun)
        return permanent("timeout", fmt::format("{} messages have not reached the broker", depth.messages));
      pause();
    }
  }

  // From the first message taken until the last is mapped and what follows from it is published.
  Result<Spent> drain() {
    const auto& clock = program_->clock();
    const auto cpu = cpu_micros();
    const Duration start = clock.monotonic();
    program_->start_workers();
    for (;;) {
      CASTIEL_ASSIGN(const auto waiting, left());
      const Duration spent = clock.monotonic() - start;
      if (waiting == 0) return Spent{spent, cpu_micros() - cpu};
      if (const auto stuck = program_->stuck()) return std::unexpected(*stuck);
      if (spent > kLongestRun)
        return permanent("timeout", fmt::format("{} messages are still waiting", waiting));
      pause();
    }
  }

 private:
  Result<std::int64_t> left() {
    CASTIEL_ASSIGN(const auto reader, program_->store().read(tenant_));
    for (; done_ < flows_.size(); ++done_) {
      CASTIEL_ASSIGN(const auto waiting, reader->pending(flows_[done_], model::queue::kDataRaw));
      if (waiting > 0) return waiting;
    }
    // And what the stage says next is at the broker.
    CASTIEL_ASSIGN(const auto depth, program_->store().outbox().depth());
    return depth.messages;
  }
  void pause() {
    std::unique_lock lock(mutex_);
    never_.wait_for(lock, kLook);
  }

  Program* program_;
  TenantId tenant_;
  std::vector<CorrelationId> flows_;
  std::size_t done_ = 0;  // flows that have nothing waiting any more
  std::mutex mutex_;
  std::condition_variable never_;
};

Result<json::object> measure(Program& program, const BenchArguments& arguments, const std::string& file) {
  CASTIEL_ASSIGN(const auto tenant, parse_tenant_id(fmt::format("bench-{}", program.clock().now().micros)));
  Bench bench(program, tenant);
  for (std::int64_t first = 0; first < arguments.records; first += kRecordsOfFlow) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    for (std::int64_t i = first; i < std::min(first + kRecordsOfFlow, arguments.records); ++i)
      out << record(i);
    out.close();
    if (!out) return permanent("unwritable", fmt::format("'{}' cannot be written", file));
    CASTIEL_TRY(bench.fill(file));
  }
  CASTIEL_TRY(bench.hand_over());
  CASTIEL_ASSIGN(const auto spent, bench.drain());
  program.stop_workers();
  CASTIEL_TRY(program.store().erase_tenant(tenant, Deadline::after(program.clock(), kWriteDeadline)));
  const double seconds = std::chrono::duration<double>(spent.wall).count();
  const auto n = static_cast<double>(arguments.records);
  return json::object{{"program", "castiel"},
                      {"benchmark", arguments.name},
                      {"records", arguments.records},
                      {"seconds", seconds},
                      {"recordsPerSecond", static_cast<std::int64_t>(n / seconds)},
                      {"cpuMicrosPerRecord", static_cast<double>(spent.cpu_micros) / n},
                      {"rssMb", peak_bytes() / 1'000'000}};
}

int run_bench(const GlobalOptions& global, const Environment& environment, const BenchArguments& arguments) {
  auto options = program_options(global, environment, false);
  if (!options) return fail(options.error(), global.json);
  options->roles = Roles{.api = false,
                         .sync = false,
                         .processing = true,
                         .linking = false,
                         .intelligence = false,
                         .indexing = arguments.search};
  const auto file = (options->data / "bench.jsonl").string();
  auto program = Program::open(std::move(*options), environment.clock, environment.random);
  if (!program) return fail(program.error(), global.json);
  const auto result = measure(**program, arguments, file);
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  if (!result) return fail(result.error(), global.json);
  if (global.json) {
    print_line(*result);
  } else {
    fmt::print("{} records mapped in {:.2f} s: {} a second, {:.1f} µs of CPU each, {} MB\n",
               arguments.records, result->at("seconds").to_number<double>(),
               int_or(*result, "recordsPerSecond", 0), result->at("cpuMicrosPerRecord").to_number<double>(),
               int_or(*result, "rssMb", 0));
  }
  return kDone;
}

}  // namespace

void add_bench(Cli& cli) {
  auto* command = cli.app.add_subcommand("bench", "measure this machine: how fast records are mapped");
  command->footer(
      "Examples:\n"
      "  castiel bench --data /tmp/bench --records 100000\n"
      "  castiel bench mapping --data /tmp/bench --json\n"
      "\nFills the queue of raw data with made-up opportunities of a tenant of its own, then measures from "
      "the first\n"
      "one taken until the last is stored with its events, and removes the tenant. Store and broker are "
      "those the\n"
      "settings name.");
  auto arguments = std::make_shared<BenchArguments>();
  command->add_option("name", arguments->name, "mapping")->check(CLI::IsMember({"mapping"}));
  command->add_option("--records", arguments->records, "how many (default 30000)")
      ->check(CLI::Range(200, 10'000'000));
  command->add_flag("--search", arguments->search, "feed the full-text index at the same time");
  command->callback([&cli, arguments] {
    cli.chosen = [&cli, arguments] { return run_bench(cli.global, cli.environment, *arguments); };
  });
}

}  // namespace castiel::app
