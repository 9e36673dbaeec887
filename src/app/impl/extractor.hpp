#pragma once
// Where the worker program of extraction is: beside this program, or where $CASTIEL_EXTRACT says.

#include "app/impl/command_line.hpp"
#include "extract/worker_pool.hpp"

namespace castiel::app {

extract::WorkerPoolOptions worker_options(const Environment& environment);

}  // namespace castiel::app
