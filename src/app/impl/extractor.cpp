#include "app/impl/extractor.hpp"

#include <filesystem>

namespace castiel::app {

extract::WorkerPoolOptions worker_options(const Environment& environment) {
  extract::WorkerPoolOptions options;
  const auto variable = [&](const char* name) {
    const auto it = environment.variables.find(name);
    return it == environment.variables.end() ? std::string() : it->second;
  };
  options.program = variable("CASTIEL_EXTRACT");
  if (options.program.empty()) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    options.program = error ? "castiel-extract" : (self.parent_path() / "castiel-extract").string();
  }
  options.tessdata = variable("TESSDATA_PREFIX");
  return options;
}

}  // namespace castiel::app
