// castiel reconcile: on demand what the server does once a day.

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "app/impl/command_line.hpp"

namespace castiel::app {

namespace {

constexpr Duration kBetweenLooks = std::chrono::milliseconds(200);

struct ReconcileArguments {
  std::string since;
  bool repair = false;
  std::int64_t wait = 60;
};

void print(const json::object& r) {
  fmt::print("Tenant {} as of {}, flows since {}: {} missing, {} only waiting\n", string_or(r, "tenant"),
             string_or(r, "at"), string_or(r, "since"), int_or(r, "drift", 0), int_or(r, "waiting", 0));
  fmt::print("{:<20} {:>10} {:>10} {:>8} {:>12} {:>10} {:>16} {:>8}\n", "integration", "published", "mapped",
             "dead", "quarantined", "stored", "evaluated", "missing");
  for (const auto& item : r.at("integrations").as_array()) {
    const auto& i = item.as_object();
    fmt::print("{:<20} {:>10} {:>10} {:>8} {:>12} {:>10} {:>16} {:>8}\n", string_or(i, "integration"),
               int_or(i, "published", 0), int_or(i, "mapped", 0), int_or(i, "deadLettered", 0),
               int_or(i, "quarantined", 0), int_or(i, "stored", 0),
               fmt::format("{} of {}", int_or(i, "evaluated", 0), int_or(i, "toEvaluate", 0)),
               int_or(i, "missing", 0));
  }
  for (const auto& item : r.at("missing").as_array()) {
    const auto& m = item.as_object();
    fmt::print("  {} {} {} {}{}: {}{}\n", string_or(m, "kind"), string_or(m, "type"), string_or(m, "id"),
               string_or(m, "key"), string_or(m, "name").empty() ? "" : " " + string_or(m, "name"),
               string_or(m, "detail"),
               string_or(m, "repair").empty() ? "" : fmt::format(" [{}]", string_or(m, "repair")));
  }
  if (bool_or(r, "repair", false)) {
    fmt::print("Asked for again: {} here, {} at their source; {} cannot be brought back.\n",
               int_or(r, "republished", 0), int_or(r, "refetched", 0), int_or(r, "impossible", 0));
  }
}

Result<json::object> ask(Backend& backend, const Cli& cli, const ReconcileArguments& arguments, bool repair) {
  api::Call call;
  call.actor = "command line";
  call.parameters.add("tenant", cli.global.tenant);
  if (!arguments.since.empty()) call.parameters.add("since", arguments.since);
  if (repair) call.parameters.add("repair", "true");
  CASTIEL_ASSIGN(auto answer, backend.run("reconcile", call));
  return std::move(answer.as_object());
}

// Until what was asked for has come, or the time is over: then what is still missing.
Result<json::object> follow(Backend& backend, const Cli& cli, const ReconcileArguments& arguments) {
  const auto deadline = Deadline::after(cli.environment.clock, std::chrono::seconds(arguments.wait));
  for (;;) {
    std::this_thread::sleep_for(kBetweenLooks);
    CASTIEL_ASSIGN(auto now, ask(backend, cli, arguments, false));
    if ((int_or(now, "waiting", 0) == 0 && int_or(now, "drift", 0) == 0) || deadline.passed()) return now;
  }
}

int run(Cli& cli, const ReconcileArguments& arguments) {
  auto options = program_options(cli.global, cli.environment, false);
  if (!options) return fail(options.error(), cli.global.json);
  options->create = false;
  auto backend = Backend::open(std::move(*options), cli.environment.clock, cli.environment.random);
  if (!backend) return fail(backend.error(), cli.global.json);
  if (auto* local = backend->local(); local != nullptr && arguments.repair) {
    // Nobody else does what is asked for.
    local->start_workers();
    if (auto started = local->start_imports(); !started) return fail(started.error(), cli.global.json);
  }
  auto result = ask(*backend, cli, arguments, arguments.repair);
  if (!result) return fail(result.error(), cli.global.json);
  auto drift = int_or(*result, "drift", 0);
  if (arguments.repair && drift > 0 && arguments.wait > 0) {
    const auto after = follow(*backend, cli, arguments);
    if (!after) return fail(after.error(), cli.global.json);
    drift = int_or(*after, "drift", 0);
    (*result)["driftAfter"] = drift;
    (*result)["waitingAfter"] = int_or(*after, "waiting", 0);
  }
  if (cli.global.json) {
    print_line(*result);
  } else {
    print(*result);
    if (result->contains("driftAfter")) fmt::print("Afterwards {} are missing.\n", drift);
  }
  return drift > 0 ? kDoneWithProblems : kDone;
}

}  // namespace

void add_reconcile(Cli& cli) {
  auto* app = cli.app.add_subcommand(
      "reconcile", "compare what was published, mapped, stored and evaluated; name what is missing");
  app->footer(
      "Examples:\n  castiel reconcile --tenant acme --json\n  castiel reconcile --tenant acme --since "
      "2026-11-01\n"
      "  castiel reconcile --tenant acme --repair\n\nExit status 3: something is missing.");
  auto arguments = std::make_shared<ReconcileArguments>();
  app->add_option("--tenant", cli.global.tenant, "tenant")->required();
  app->add_option("--since", arguments->since, "only flows that told something since this time or day");
  app->add_flag("--repair", arguments->repair, "ask for what is missing again");
  app->add_option("--wait", arguments->wait,
                  "seconds to wait for what a repair brings (default 60; 0: do not wait)");
  app->callback(
      [&cli, arguments] { cli.chosen = [cli, arguments]() mutable { return run(cli, *arguments); }; });
}

}  // namespace castiel::app
