#pragma once
// Whether the parsers still read known documents inside the sandbox. Without it a library that cannot open
// its tables would give empty text and no error.

#include <string>
#include <vector>

#include "base/json.hpp"

namespace castiel::extract::program {

struct SelfCheck {
  std::string name;
  bool ok = false;
  std::string detail;  // why not
};
// Some milliseconds.
std::vector<SelfCheck> run_self_test();
bool all_ok(const std::vector<SelfCheck>& checks);
// "pdf: …; mail: …" of those that failed.
std::string failures(const std::vector<SelfCheck>& checks);
json::array to_json(const std::vector<SelfCheck>& checks);

// For a sandbox in which no file can be opened: makes the libraries read what they read late.
void preload_libraries();

}  // namespace castiel::extract::program
