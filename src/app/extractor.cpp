#include "app/extractor.hpp"

namespace castiel::app {

extract::WorkerPoolOptions extractor_options(const SettingValues& settings,
                                             const std::filesystem::path& programs) {
  extract::WorkerPoolOptions options;
  const auto program = settings.get(settings::kExtractProgram);
  options.program = program == "auto" ? (programs / "castiel-extract").string() : program;
  options.workers = static_cast<std::size_t>(settings.get(settings::kExtractWorkers));
  options.time_limit = settings.get(settings::kExtractTimeLimit);
  options.max_memory_bytes = static_cast<std::uint64_t>(settings.get(settings::kExtractMemory));
  return options;
}

}  // namespace castiel::app
