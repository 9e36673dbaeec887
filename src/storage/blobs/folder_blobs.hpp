#pragma once
// Blobs as files: <folder>/<tenant>/<first two digits>/<sha256>. A file appears under its name only when it
// is whole.

#include <filesystem>
#include <memory>

#include "storage/blobs.hpp"

namespace castiel::storage {

// Error: data_folder_unusable.
Result<std::unique_ptr<Blobs>> open_folder_blobs(const std::filesystem::path& folder);

}  // namespace castiel::storage
