#pragma once
// The extractor as the settings say: where its worker program is and what it may use. Pure.

#include <filesystem>

#include "base/settings.hpp"
#include "extract/worker_pool.hpp"

namespace castiel::app {

// `programs`: the folder of this program, where the worker program lies too unless extract.program says
// otherwise.
extract::WorkerPoolOptions extractor_options(const SettingValues& settings,
                                             const std::filesystem::path& programs);

}  // namespace castiel::app
