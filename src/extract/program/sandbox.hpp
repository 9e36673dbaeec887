#pragma once
// What keeps parsers of hostile bytes in: limits of resources, Landlock (files), seccomp (system calls).
// Applies to the whole process and cannot be taken back; call before threads start. Works without Landlock,
// then with no files at all.

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::extract::program {

struct SandboxOptions {
  std::uint64_t max_memory_bytes = 512u << 20;  // of own data: 0 for no limit
  std::uint64_t max_input_bytes = 256u << 20;   // mapped besides
  std::uint64_t max_cpu_seconds = 600;          // of the process's life
  std::vector<std::string> readable;            // files and folders; those that do not exist are left out
  bool use_landlock = true;                     // false: as on a kernel without it
};

// The folders that libraries read at run time: character sets, fonts, poppler's tables, time zones,
// tesseract's data
// (`tessdata`, when not empty, is one more).
std::vector<std::string> library_folders(const std::string& tessdata);

// The kernel's Landlock version, 0 where there is none.
int landlock_version();

struct Sandbox {
  int landlock_version = 0;  // in force; 0: opening files is denied
  json::object to_json() const;
};
// Error: no_sandbox, with the step that failed.
Result<Sandbox> enter_sandbox(const SandboxOptions& options);

}  // namespace castiel::extract::program
