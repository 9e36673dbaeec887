#include "storage/impl/files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace castiel::storage::impl {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::unexpected<Error> file_failed(const std::filesystem::path& path, std::string_view what) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  return transient(full ? "store_full" : "blob_failed",
                   fmt::format("'{}' cannot be {}{}", path.string(), what, full ? ": the disk is full" : ""),
                   std::strerror(error));
}

Result<> write_all(const Descriptor& fd, const std::filesystem::path& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_failed(path, "written");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> make_folders(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return {};
  errno = error.value();
  return file_failed(path, "made");
}

}  // namespace castiel::storage::impl
