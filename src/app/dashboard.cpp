#include "app/dashboard.hpp"

#include "api/dashboard_files.hpp"

namespace castiel::app {

void add_dashboard(http::StaticFiles& files) {
  for (const auto& file : api::dashboard_files()) {
    files.add(std::string(file.path.substr(1)), {file.bytes, file.gzip, file.immutable});
  }
}

}  // namespace castiel::app
