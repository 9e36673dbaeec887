#pragma once
// Blobs as files: <folder>/<tenant>/<first two digits>/<sha256>, last used at their modification time. A file
// appears under its name only when it is whole; until then it is a draft in <folder>/<tenant>/.drafts.
// Several processes may share the folder.

#include <filesystem>
#include <memory>

#include "storage/blobs.hpp"

namespace castiel::storage {

// Drafts that a process left when it was killed are removed at the next open once they are so old.
inline constexpr Duration kDraftsKept = std::chrono::hours(24);

// A folder has no web addresses: access_url() is an error, and its blobs are read through this program.
// Error: data_folder_unusable.
Result<std::unique_ptr<Blobs>> open_folder_blobs(const std::filesystem::path& folder, const Clock& clock);

}  // namespace castiel::storage
