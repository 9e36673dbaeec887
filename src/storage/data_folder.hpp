#pragma once
// The data folder: one process at a time owns it. The lock goes with the process, however it ends.

#include <filesystem>
#include <memory>

#include "base/result.hpp"

namespace castiel::storage {

class DataFolder {
 public:
  // Creates the folder (mode 0700) if needed and locks it. Errors: data_folder_in_use (another process serves
  // it), data_folder_unusable (rights, not a folder, …).
  static Result<std::unique_ptr<DataFolder>> open(const std::filesystem::path& path);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path database() const { return path_ / "castiel.db"; }
  // Where a running server listens for the command line.
  static std::filesystem::path socket(const std::filesystem::path& folder) { return folder / "castiel.sock"; }

 private:
  DataFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_;
};

}  // namespace castiel::storage
