// The program `castiel-extract`: reads hostile files for `castiel`, inside a sandbox. Licensed
// GPL-3.0-or-later as a combined work with poppler; `castiel` itself links none of it.

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "extract/impl/protocol.hpp"
#include "extract/program/sandbox.hpp"
#include "extract/program/self_test.hpp"
#include "extract/program/serve.hpp"

namespace {

using namespace castiel;
using namespace castiel::extract;

constexpr const char* kVersion = "0.1.0";
constexpr std::uint64_t kFilesOfCpuTime = 10;  // a worker's life, in files that take their whole limit

struct Settings {
  bool serve = false, self_test = false, without_landlock = false, without_files = false;
  pid_t parent = 0;
  std::uint64_t max_memory_bytes = 512u << 20;
  std::uint64_t max_input_bytes = 256u << 20;
  unsigned file_seconds = 60;
  std::string tessdata;
};

Result<program::Sandbox> enter(const Settings& settings) {
  program::SandboxOptions options;
  options.max_memory_bytes = settings.max_memory_bytes;
  options.max_input_bytes = settings.max_input_bytes;
  options.max_cpu_seconds = kFilesOfCpuTime * settings.file_seconds;
  options.use_landlock = !settings.without_landlock;
  if (!settings.without_files) options.readable = program::library_folders(settings.tessdata);
  // Where files will be closed altogether, what libraries read late must be in memory before.
  if (settings.without_landlock || program::landlock_version() == 0) program::preload_libraries();
  return program::enter_sandbox(options);
}

int self_test(const Settings& settings) {
  const auto sandbox = enter(settings);
  json::object report{{"ok", false}, {"version", kVersion}};
  if (!sandbox) {
    report["error"] = {{"code", sandbox.error().code}, {"message", sandbox.error().describe()}};
  } else {
    const auto checks = program::run_self_test();
    report["ok"] = program::all_ok(checks);
    report["sandbox"] = sandbox->to_json();
    report["checks"] = program::to_json(checks);
  }
  std::printf("%s\n", json::serialize(report).c_str());
  std::fflush(stdout);
  return report["ok"].as_bool() ? 0 : 1;
}

int serve(const Settings& settings) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (settings.parent != 0 && ::getppid() != settings.parent) return 1;  // it died before this took effect
  program::ServeOptions options;
  options.socket = impl::kWorkerSocket;
  options.max_input_bytes = settings.max_input_bytes;
  options.file_seconds = settings.file_seconds;
  options.max_cpu_seconds = kFilesOfCpuTime * settings.file_seconds;
  const auto sandbox = enter(settings);
  std::string refusal;
  if (!sandbox) {
    refusal = sandbox.error().describe();
  } else {
    const auto checks = program::run_self_test();
    if (!program::all_ok(checks)) refusal = "the self-test fails: " + program::failures(checks);
  }
  if (!program::greet(options, refusal) || !refusal.empty()) {
    std::fprintf(stderr, "castiel-extract: %s\n", refusal.c_str());
    return 1;
  }
  program::serve(options);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{
      "Reads documents, mails, calendars, transcripts and archives inside a sandbox, for `castiel`, which "
      "starts it.\n"
      "Free software: GPL-3.0-or-later as a combined work with poppler.",
      "castiel-extract"};
  app.set_version_flag("--version", std::string("castiel-extract ") + kVersion);
  auto* serve_flag =
      app.add_flag("--serve", settings.serve, "answer requests on descriptor 3 until it is closed");
  app.add_flag("--self-test", settings.self_test, "say as JSON what works, and what the sandbox is made of")
      ->excludes(serve_flag);
  app.add_option("--parent", settings.parent, "process to die with (with --serve)");
  app.add_option("--max-memory-bytes", settings.max_memory_bytes, "of the process's own data");
  app.add_option("--max-input-bytes", settings.max_input_bytes, "of one file");
  app.add_option("--file-seconds", settings.file_seconds, "for one file");
  app.add_option("--tessdata", settings.tessdata, "folder of tesseract's data, besides the system's");
  app.add_flag("--without-landlock", settings.without_landlock,
               "as on a kernel without Landlock: no files at all");
  app.add_flag("--without-files", settings.without_files, "deny the libraries' own files, too");
  CLI11_PARSE(app, argc, argv);
  ::signal(SIGPIPE, SIG_IGN);
  if (settings.serve == settings.self_test) {
    std::fprintf(stderr, "castiel-extract: --serve or --self-test? See --help.\n");
    return 2;
  }
  const int status = settings.serve ? serve(settings) : self_test(settings);
  // Without destructors of libraries, which may do what the sandbox forbids.
  ::_exit(status);
}
