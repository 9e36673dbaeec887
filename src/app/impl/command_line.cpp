#include "app/impl/command_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "content/values.hpp"

namespace castiel::app {

Result<Program::Options> program_options(const GlobalOptions& global, const Environment& environment,
                                         bool serving) {
  Program::Options options;
  options.data = global.data;
  std::error_code ignored;
  options.programs = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  const bool named = !global.config.empty();
  const std::filesystem::path file =
      named ? std::filesystem::path(global.config) : options.data / "castiel.yaml";
  GlobalSettings::Sources sources;
  sources.file = file.string();
  sources.environment = environment.variables;
  sources.reserved = {"CASTIEL_DATA", "CASTIEL_SKIP_DEPS", "CASTIEL_TEST_DATA", "CASTIEL_BINARY",
                      "CASTIEL_CHROMIUM"};
  std::ifstream in(file);
  if (in) {
    sources.yaml.assign(std::istreambuf_iterator<char>(in), {});
  } else if (named) {
    return permanent("unreadable", fmt::format("the configuration file '{}' cannot be read", file.string()));
  }
  for (const auto& pair : global.set) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      return permanent("invalid_settings", fmt::format("--set takes key=value, not '{}'", pair));
    sources.overrides.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  CASTIEL_ASSIGN(const auto settings, GlobalSettings::load(sources));
  options.settings = settings.values();
  if (const auto zone = content::TimeZone::find(options.settings.get(settings::kTimezone)); !zone) {
    return permanent("invalid_settings",
                     fmt::format("{}: {}", settings::kTimezone.key(), zone.error().describe()));
  }
  const std::string level = !global.log_level.empty() ? global.log_level
                            : serving                 ? settings.get(settings::kLogLevel)
                                                      : "error";
  telemetry::LogOptions log_options;
  CASTIEL_ASSIGN(log_options.level, telemetry::parse_level(level));
  options.log = telemetry::Log::to_stderr(environment.clock, log_options);
  return options;
}

int fail(const Error& error, bool as_json) {
  if (as_json) {
    print_line({{"error", {{"code", error.code}, {"message", error.describe()}}}});
  }
  fmt::print(stderr, "castiel: {} [{}]\n", error.describe(), error.code);
  static const char* kUsageCodes[] = {"invalid_tenant",   "invalid_integration", "invalid_parameter",
                                      "invalid_settings", "invalid_role",        "invalid_period",
                                      "invalid_setting",  "unknown_setting",     "global_setting",
                                      "invalid_cursor",   "invalid_log_level"};
  return std::ranges::find(kUsageCodes, error.code) != std::end(kUsageCodes) ? kUsage : kFailed;
}

void print_line(const json::value& value) {
  const std::string text = json::serialize(value) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

bool stdout_is_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}
bool stderr_is_terminal() {
  return isatty(STDERR_FILENO) == 1;
}

}  // namespace castiel::app
