#pragma once
// The dashboard's files, as far as they were built into this program.

#include "http/static_files.hpp"

namespace castiel::app {

void add_dashboard(http::StaticFiles& files);

}  // namespace castiel::app
