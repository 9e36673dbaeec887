#pragma once
// The worker's loop: requests from the socket, parsed one after another, replies back. One thread.

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace castiel::extract::program {

struct ServeOptions {
  int socket = -1;
  std::uint64_t max_input_bytes = 256u << 20;
  std::uint64_t max_parts_bytes = 512u << 20;
  unsigned file_seconds = 60;         // then the process ends itself, should nobody have ended it
  std::uint64_t max_cpu_seconds = 0;  // of the process's life: near it the worker asks to be replaced
};

// Says over the socket that the worker is ready, or why it is not. Error: lost (the parent is gone).
Result<> greet(const ServeOptions& options, const std::string& refusal);
// Returns when the parent is gone.
void serve(const ServeOptions& options);

}  // namespace castiel::extract::program
