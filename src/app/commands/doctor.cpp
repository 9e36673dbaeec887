#include <fmt/format.h>
#include <sys/statvfs.h>

#include "app/extractor.hpp"
#include "app/impl/command_line.hpp"

namespace castiel::app {

namespace {

constexpr std::uint64_t kLowDiskBytes = 1'000'000'000;  // below it a large import may fill the disk

struct Check {
  std::string name;
  bool ok;
  std::string detail;
};

// Whether the worker program reads its known documents, and what keeps it in.
Check extraction(const Program::Options& options, const Clock& clock) {
  const auto report =
      extract::check_worker_program(extractor_options(options.settings, options.programs), clock);
  if (!report) return {"extraction", false, report.error().describe()};
  if (!bool_or(*report, "ok", false)) return {"extraction", false, json::serialize(*report)};
  const auto* sandbox = get_object(*report, "sandbox");
  const auto landlock = sandbox == nullptr ? 0 : int_or(*sandbox, "landlock", 0);
  return {"extraction", true,
          fmt::format("reads its test files in a sandbox of seccomp and {}",
                      landlock > 0 ? fmt::format("Landlock {}", landlock) : "no files (no Landlock)")};
}

int doctor(const GlobalOptions& global, const Environment& environment) {
  std::vector<Check> checks;
  auto options = program_options(global, environment, false);
  checks.push_back({"configuration", options.has_value(), options ? "read" : options.error().describe()});
  if (options) {
    checks.push_back(extraction(*options, environment.clock));
    struct statvfs disk{};
    std::filesystem::path folder = options->data;
    std::error_code ignored;
    if (!std::filesystem::exists(folder, ignored)) folder = std::filesystem::absolute(folder).parent_path();
    const bool measured = ::statvfs(folder.c_str(), &disk) == 0;
    const std::uint64_t free = measured ? static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize : 0;
    checks.push_back(
        {"disk", measured && free > kLowDiskBytes,
         measured ? fmt::format("{:.1f} GB free", static_cast<double>(free) / 1e9) : "cannot be measured"});
    options->create = false;
    auto backend = Backend::open(std::move(*options), environment.clock, environment.random);
    if (!backend) {
      checks.push_back({"data", backend.error().code == "no_data_folder", backend.error().describe()});
    } else {
      checks.push_back({"data", true,
                        backend->local() != nullptr ? "readable; no server is running"
                                                    : "in use by a running server that answers"});
      if (auto* program = backend->local()) {
        const auto broker = program->broker().check();
        checks.push_back({"broker", broker.has_value(), broker ? "answers" : broker.error().describe()});
      }
      const auto queues = backend->run("queues", {});
      std::int64_t waiting = 0, dead = 0;
      if (queues) {
        for (const auto& item : queues->at("items").get_array()) {
          const auto& q = item.get_object();
          waiting += int_or(q, "ready", 0) + int_or(q, "delayed", 0) + int_or(q, "claimed", 0);
          dead += int_or(q, "deadLetters", 0);
        }
      }
      checks.push_back({"queues", queues.has_value(),
                        queues ? fmt::format("{} messages waiting", waiting) : queues.error().describe()});
      checks.push_back(
          {"dead letters", dead == 0, fmt::format("{} open{}", dead, dead > 0 ? ": castiel dlq list" : "")});
    }
  }
  bool all = true;
  for (const auto& [name, ok, detail] : checks) {
    all = all && ok;
    if (global.json) {
      print_line({{"check", name}, {"ok", ok}, {"detail", detail}});
    } else {
      fmt::print("{:<4} {:<14} {}\n", ok ? "ok" : "!!", name, detail);
    }
  }
  return all ? kDone : kDoneWithProblems;
}

}  // namespace

void add_doctor(Cli& cli) {
  auto* command = cli.app.add_subcommand("doctor", "is everything in order on this machine and data folder");
  command->callback([&cli] { cli.chosen = [&cli] { return doctor(cli.global, cli.environment); }; });
}

}  // namespace castiel::app
