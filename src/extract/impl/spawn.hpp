#pragma once
// Starting the worker program: a fresh environment, no inherited descriptors, a session of its own.

#include <sys/types.h>

#include <string>
#include <vector>

#include "extract/worker_pool.hpp"

namespace castiel::extract::impl {

// `socket` becomes kWorkerSocket, `errors` standard error, `output` standard output; -1: /dev/null.
// Error: extractor_unavailable.
Result<pid_t> spawn_worker(const WorkerPoolOptions& options, std::vector<std::string> arguments, int socket,
                           int errors, int output);

}  // namespace castiel::extract::impl
