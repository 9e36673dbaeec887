#include "storage/data_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace castiel::storage {

Result<std::unique_ptr<DataFolder>> DataFolder::open(const std::filesystem::path& path) {
  std::error_code error;
  const bool fresh = std::filesystem::create_directories(path, error);
  if (!error && fresh) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  if (error || !std::filesystem::is_directory(path)) {
    return permanent("data_folder_unusable",
                     fmt::format("'{}' cannot be used as a data folder", path.string()), error.message());
  }
  const int lock = ::open((path / "castiel.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) {
    return permanent("data_folder_unusable", fmt::format("'{}' is not writable", path.string()),
                     std::strerror(errno));
  }
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return permanent(
        "data_folder_in_use",
        fmt::format("'{}' is in use by another castiel process: stop it, or name another folder with --data",
                    path.string()));
  }
  return std::unique_ptr<DataFolder>(new DataFolder(path, lock));
}

DataFolder::~DataFolder() {
  ::close(lock_);
}

}  // namespace castiel::storage
