#include <fmt/format.h>
#include <signal.h>

#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <mutex>

#include "app/impl/command_line.hpp"
#include "sync/import_job.hpp"
#include "sync/lease_keeper.hpp"

namespace castiel::app {

namespace {

constexpr auto kWriteDeadline = std::chrono::seconds(10);
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr auto kIdlePoll = std::chrono::milliseconds(5);
constexpr int kTransientTries = 30;  // of a step that fails for now, a second apart
constexpr int kDiskTries = 3;        // of one the disk does not take: only a person makes room
constexpr std::size_t kShownProblems = 20;

struct ImportArguments {
  std::vector<std::string> paths;
  std::string source_map;
  std::string integration;
  bool again = false;
};

std::string human_bytes(double bytes) {
  const char* units[] = {"B", "KB", "MB", "GB", "TB"};
  int unit = 0;
  for (; bytes >= 1000 && unit < 4; ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, units[unit]);
}

// One line that is drawn over itself, on a terminal only.
class ProgressBar {
 public:
  explicit ProgressBar(const Clock& clock) : clock_(&clock), terminal_(stderr_is_terminal()) {}
  ~ProgressBar() { clear(); }

  // Asked first, since the status costs queries.
  bool is_due() const { return terminal_ && clock_->monotonic() >= next_; }

  void draw(const json::object& status) {
    if (!is_due()) return;
    next_ = clock_->monotonic() + kRedraw;
    const auto* bytes = get_object(status, "bytes");
    const auto* records = get_object(status, "records");
    const double total = static_cast<double>(int_or(*bytes, "total", 0)),
                 read = static_cast<double>(int_or(*bytes, "read", 0));
    const double share = total > 0 ? std::min(1.0, read / total) : 1.0;
    constexpr int kWidth = 28;
    const int filled = static_cast<int>(share * kWidth);
    std::string bar;
    for (int i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
    const auto* remaining = status.if_contains("remaining");
    const std::string left = remaining != nullptr && remaining->is_double()
                                 ? fmt::format("  {:.0f} s left", remaining->get_double())
                                 : "";
    fmt::print(stderr, "\r\033[K{} {:3.0f} %  {} of {}  {} records  {:.0f}/s{}", bar, share * 100,
               human_bytes(read), human_bytes(total), int_or(*records, "mapped", 0),
               status.at("rate").is_double() ? status.at("rate").get_double() : 0.0, left);
    std::fflush(stderr);
    drawn_ = true;
  }
  void clear() {
    if (drawn_) fmt::print(stderr, "\r\033[K");
    drawn_ = false;
  }

 private:
  const Clock* clock_;
  bool terminal_;
  bool drawn_ = false;
  Duration next_{0};
};

void print_summary(const json::object& s) {
  const auto& files = s.at("files").get_object();
  const auto& records = s.at("records").get_object();
  fmt::print(
      "Import {} into tenant {}: {} files read, {} skipped, {} failed; {} records read, {} mapped, {} dead "
      "letters; {:.1f} s\n",
      string_or(s, "correlationId"), string_or(s, "tenant"), int_or(files, "read", 0),
      int_or(files, "skipped", 0), int_or(files, "failed", 0), int_or(records, "read", 0),
      int_or(records, "mapped", 0), int_or(records, "deadLettered", 0), s.at("seconds").to_number<double>());
  for (const auto& [type, counts] : s.at("shards").get_object()) {
    const auto& c = counts.get_object();
    fmt::print("  {:<14} {:>8} created {:>8} updated {:>8} unchanged\n", std::string_view(type),
               int_or(c, "created", 0), int_or(c, "updated", 0), int_or(c, "unchanged", 0));
  }
  if (const auto* links = get_object(s, "links")) {
    fmt::print("  links: {} attached, {} suggested\n", int_or(*links, "attached", 0),
               int_or(*links, "suggested", 0));
  }
  if (const auto* resolved = get_array(s, "resolved"); resolved != nullptr && !resolved->empty()) {
    fmt::print("Names understood in another spelling:\n");
    for (const auto& item : *resolved)
      fmt::print("  {} ({} times)\n", string_or(item.get_object(), "text"),
                 int_or(item.get_object(), "count", 0));
  }
  if (const auto* unresolved = get_array(s, "unresolved"); unresolved != nullptr && !unresolved->empty()) {
    fmt::print("Names that lead nowhere yet:\n");
    for (const auto& item : *unresolved) {
      fmt::print("  {} {} ({} times)\n", string_or(item.get_object(), "type"),
                 string_or(item.get_object(), "text"), int_or(item.get_object(), "count", 0));
    }
  }
  if (const auto* without = get_object(s, "without")) {
    for (const auto& [what, n] : *without)
      fmt::print("  {} {} without {}\n", n.to_number<std::int64_t>(),
                 std::string(what).substr(0, what.find(':')), std::string(what).substr(what.find(':') + 1));
  }
  if (const auto* notes = get_array(s, "notes"); notes != nullptr && !notes->empty()) {
    fmt::print("Worth a look:\n");
    for (const auto& item : *notes)
      fmt::print("  {}: {}\n", string_or(item.get_object(), "file"), string_or(item.get_object(), "message"));
  }
  const auto& problems = s.at("problems").get_array();
  if (problems.empty()) return;
  fmt::print("Problems ({}):\n", int_or(s, "problemCount", static_cast<std::int64_t>(problems.size())));
  for (std::size_t i = 0; i < std::min(problems.size(), kShownProblems); ++i) {
    const auto& p = problems[i].get_object();
    const auto line = int_or(p, "line", 0);
    fmt::print("  {}{}: {}: {}\n", string_or(p, "file"), line > 0 ? fmt::format(":{}", line) : "",
               string_or(p, "code"), string_or(p, "message"));
  }
  if (problems.size() > kShownProblems)
    fmt::print("  … and {} more: castiel import --json lists them\n", problems.size() - kShownProblems);
}

int finish(const json::object& summary, const GlobalOptions& global) {
  if (global.json) {
    print_line(summary);
  } else {
    print_summary(summary);
  }
  const auto& files = summary.at("files").get_object();
  if (!summary.at("problems").get_array().empty() || int_or(files, "failed", 0) > 0) return kDoneWithProblems;
  return kDone;
}

// Reads and waits until all of it is handled, here or by another process.
Result<> run_to_end(Program& program, sync::ImportJob& job, const TenantId& tenant, ProgressBar& bar) {
  const auto& clock = program.clock();
  std::mutex mutex;
  std::condition_variable never;
  const auto pause = [&](Duration d) {
    std::unique_lock lock(mutex);
    never.wait_for(lock, d);
  };
  const auto draw = [&]() -> Result<> {
    if (!bar.is_due()) return {};
    CASTIEL_ASSIGN(const auto reader, program.store().read(tenant));
    CASTIEL_ASSIGN(const auto status, sync::import_status(*reader, job.correlation(), clock.now()));
    bar.draw(status);
    return {};
  };
  int tries = 0;
  const auto give_up = [&tries](const Error& error) {
    const bool disk = error.code == "store_full" || error.code == "store_io";
    return error.cls == ErrorClass::permanent || ++tries >= (disk ? kDiskTries : kTransientTries);
  };
  for (bool all_read = false;;) {
    CASTIEL_TRY(draw());
    // Reading may be done, or wait, while the workers can write nothing. The same command goes on later.
    if (const auto stuck = program.stuck()) return std::unexpected(*stuck);
    if (!all_read) {
      const auto progress = job.step();
      if (!progress) {
        if (give_up(progress.error())) {
          (void)job.fail(progress.error());
          return std::unexpected(progress.error());
        }
        pause(std::chrono::seconds(1));
        continue;
      }
      tries = 0;
      all_read = *progress == sync::ImportJob::Progress::all_read;
      if (*progress == sync::ImportJob::Progress::waiting) pause(kIdlePoll);
      if (*progress == sync::ImportJob::Progress::elsewhere) pause(std::chrono::seconds(1));
      continue;
    }
    const auto done = job.finish_if_idle();
    if (!done) {
      if (give_up(done.error())) return std::unexpected(done.error());
      pause(std::chrono::seconds(1));
    } else if (*done) {
      break;
    } else {
      pause(kIdlePoll);
    }
  }
  return {};
}

Result<json::object> run_here(Program& program, const TenantId& tenant, sync::ImportOptions options,
                              ProgressBar& bar) {
  const auto& clock = program.clock();
  CASTIEL_TRY(program.store().create_tenant(tenant, Deadline::after(clock, kWriteDeadline)));
  {
    CASTIEL_ASSIGN(const auto reader, program.store().read(tenant));
    auto defaults = program.import_defaults(*reader);
    options.time_zone = defaults.time_zone;
    options.default_currency = defaults.default_currency;
    options.page_records = defaults.page_records;
    options.page_bytes = defaults.page_bytes;
  }
  CASTIEL_ASSIGN(auto job, sync::ImportJob::start(program.import_parts(), tenant, std::move(options)));
  sync::LeaseKeeper keeper(program.import_parts(), program.log());
  if (job->held()) keeper.keep(tenant, job->correlation());
  program.start_workers();
  auto done = run_to_end(program, *job, tenant, bar);
  if (!done) {
    keeper.forget(job->correlation());
    (void)job->give_back();  // whoever goes on need not wait for the lease to run out
    return std::unexpected(std::move(done.error()));
  }
  CASTIEL_ASSIGN(const auto reader, program.store().read(tenant));
  return sync::import_summary(*reader, job->correlation());
}

Result<json::object> run_there(Backend& backend, const Clock& clock, const TenantId& tenant,
                               const sync::ImportOptions& options, ProgressBar& bar) {
  api::Call call;
  call.parameters.add("tenant", tenant.str());
  json::array paths;
  for (const auto& path : options.paths) paths.push_back(json::value(path));
  call.body = {{"paths", std::move(paths)}, {"again", options.again}};
  if (!options.source_map.empty()) {
    call.body["sourceMap"] = options.source_map;
    call.body["sourceMapName"] = options.source_map_name;
  }
  if (options.integration) call.body["integration"] = options.integration->str();
  CASTIEL_ASSIGN(const auto started, backend.run("imports.start", call));
  api::Call look;
  look.parameters.add("tenant", tenant.str());
  look.parameters.add("id", string_or(started.get_object(), "correlationId"));
  std::mutex mutex;
  std::condition_variable never;
  for (;;) {
    CASTIEL_ASSIGN(const auto status, backend.run("imports.get", look));
    bar.draw(status.get_object());
    if (string_or(status.get_object(), "status") != "running") break;
    std::unique_lock lock(mutex);
    never.wait_for(lock, kRedraw);
  }
  static_cast<void>(clock);
  CASTIEL_ASSIGN(auto summary, backend.run("imports.summary", look));
  return summary.get_object();
}

int run_import(const GlobalOptions& global, const Environment& environment,
               const ImportArguments& arguments) {
  const auto tenant = parse_tenant_id(global.tenant);
  if (!tenant) return fail(tenant.error(), global.json);
  sync::ImportOptions options;
  for (const auto& path : arguments.paths) {
    std::error_code error;
    const auto absolute = std::filesystem::weakly_canonical(path, error);
    options.paths.push_back(error ? path : absolute.string());
  }
  options.again = arguments.again;
  if (!arguments.integration.empty()) {
    auto integration = parse_integration_id(arguments.integration);
    if (!integration) return fail(integration.error(), global.json);
    options.integration = *integration;
  }
  if (!arguments.source_map.empty()) {
    std::ifstream in(arguments.source_map);
    if (!in)
      return fail({"unreadable",
                   fmt::format("the source map '{}' cannot be read", arguments.source_map),
                   ErrorClass::permanent,
                   {}},
                  global.json);
    options.source_map.assign(std::istreambuf_iterator<char>(in), {});
    options.source_map_name = arguments.source_map;
  }
  auto program = program_options(global, environment, false);
  if (!program) return fail(program.error(), global.json);
  auto backend = Backend::open(std::move(*program), environment.clock, environment.random);
  if (!backend) return fail(backend.error(), global.json);
  Result<json::object> summary;
  {
    ProgressBar bar(environment.clock);
    summary = backend->local() != nullptr ? run_here(*backend->local(), *tenant, std::move(options), bar)
                                          : run_there(*backend, environment.clock, *tenant, options, bar);
  }
  if (!summary) return fail(summary.error(), global.json);
  return finish(*summary, global);
}

}  // namespace

void add_import(Cli& cli) {
  auto* command =
      cli.app.add_subcommand("import", "read exports, run the whole flow until idle, print a summary");
  command->footer(
      "Examples:\n"
      "  castiel import ~/exports --tenant acme\n"
      "  castiel import deals.csv --tenant acme --source-map map.yaml\n"
      "  castiel import old.csv --tenant acme --again --json\n"
      "\nAn import that was interrupted goes on where it stopped when the same command is given again.\n"
      "Exit status 3: done, but problems are listed.");
  auto arguments = std::make_shared<ImportArguments>();
  command->add_option("paths", arguments->paths, "files and folders")->required();
  command->add_option("--tenant", cli.global.tenant, "tenant; made when it does not exist")->required();
  command->add_option("--source-map", arguments->source_map,
                      "YAML file that says which column is which field");
  command->add_option("--integration", arguments->integration,
                      "name of the source, instead of the recognised one");
  command->add_flag("--again", arguments->again,
                    "read files that were imported before once more, and let their values win");
  command->callback([&cli, arguments] {
    cli.chosen = [&cli, arguments] { return run_import(cli.global, cli.environment, *arguments); };
  });
}

}  // namespace castiel::app
