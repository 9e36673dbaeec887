#pragma once
// The command line: what every command shares. Commands return the process's exit status (interface: 0 done,
// 1 failed, 2 wrong usage, 3 done with problems listed).

#include <CLI/App.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/backend.hpp"

namespace castiel::app {

inline constexpr int kDone = 0, kFailed = 1, kUsage = 2, kDoneWithProblems = 3;

struct GlobalOptions {
  std::string data = "castiel-data";
  std::string config;            // empty: castiel.yaml in the data folder, if there
  std::vector<std::string> set;  // key=value
  std::string log_level;         // empty: the setting for serve, warn for the others
  bool json = false;
  std::string tenant;
};

// What main() hands down: the ports, and the environment it read.
struct Environment {
  const Clock& clock;
  Random& random;
  std::map<std::string, std::string> variables;
};

// Options for Program::open from the command line, file and environment. Error invalid_settings.
Result<Program::Options> program_options(const GlobalOptions& global, const Environment& environment,
                                         bool serving);

// Prints "castiel: <message>" on standard error and gives the status that fits.
int fail(const Error& error, bool as_json = false);
// One JSON text a line on standard output.
void print_line(const json::value& value);
bool stdout_is_terminal();
bool stderr_is_terminal();

// A chosen command: CLI11's callbacks store it, main runs it.
using Command = std::function<int()>;
struct Cli {
  CLI::App& app;
  GlobalOptions& global;
  const Environment& environment;
  Command& chosen;
};

// Each adds its subcommands.
void add_serve(Cli& cli);
void add_import(Cli& cli);
void add_queries(Cli& cli);
void add_letters(Cli& cli);
void add_reconcile(Cli& cli);
void add_tenants(Cli& cli);
void add_schemas(Cli& cli);
void add_inspect(Cli& cli);
void add_doctor(Cli& cli);
void add_bench(Cli& cli);

}  // namespace castiel::app
