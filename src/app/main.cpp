// The program `castiel`: reads the command line and the environment, runs one command.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <system_error>

#include "app/impl/command_line.hpp"

extern char** environ;

namespace {

std::map<std::string, std::string> read_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (const auto equals = text.find('='); equals != std::string_view::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

constexpr const char* kAbout =
    "Castiel imports what a sales organisation's tools know, keeps it durably with its history, and says for "
    "each deal\n"
    "how likely it is, what endangers it and what to do next, with the evidence.\n\n"
    "Examples:\n"
    "  castiel import ~/exports --tenant acme       read a folder of CRM exports\n"
    "  castiel serve                                serve the dashboard on http://127.0.0.1:8080\n"
    "  castiel deals --tenant acme --json           open deals, one JSON object a line\n";

}  // namespace

int main(int argc, char** argv) {
  using namespace castiel;
  ::signal(SIGPIPE, SIG_IGN);
  const SystemClock clock;
  SystemRandom random;
  const app::Environment environment{clock, random, read_environment()};

  CLI::App cli_app{kAbout, "castiel"};
  app::GlobalOptions global;
  if (const auto it = environment.variables.find("CASTIEL_DATA"); it != environment.variables.end())
    global.data = it->second;
  cli_app.set_version_flag("--version", "castiel 0.1.0");
  cli_app.require_subcommand(1);
  cli_app.fallthrough();
  cli_app.add_option("--data", global.data, "data folder (default ./castiel-data, or $CASTIEL_DATA)");
  cli_app.add_option("--config", global.config,
                     "configuration file (default castiel.yaml in the data folder)");
  cli_app.add_option("--set", global.set, "set a setting for this run: key=value, repeatable")
      ->allow_extra_args(false);
  cli_app.add_option("--log-level", global.log_level, "trace, debug, info, warn, error or off");
  cli_app.add_flag("--json", global.json, "JSON on standard output");

  app::Command chosen;
  app::Cli cli{cli_app, global, environment, chosen};
  app::add_import(cli);
  app::add_serve(cli);
  app::add_queries(cli);
  app::add_letters(cli);
  app::add_reconcile(cli);
  app::add_tenants(cli);
  app::add_schemas(cli);
  app::add_inspect(cli);
  app::add_doctor(cli);
  app::add_bench(cli);

  try {
    cli_app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = cli_app.exit(e);
    return code == 0 ? app::kDone : app::kUsage;
  }
  try {
    const int status = chosen ? chosen() : app::kUsage;
    return std::fflush(stdout) == 0 ? status : app::kFailed;
  } catch (const std::system_error& e) {
    // The reader of our output went away (`castiel deals | head`): nobody is left to tell.
    if (e.code() == std::errc::broken_pipe) return app::kFailed;
    std::fprintf(stderr, "castiel: %s\n", e.what());
    return app::kFailed;
  }
}
