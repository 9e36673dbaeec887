#pragma once
// Files by descriptor, with errors a blob store gives.

#include <filesystem>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace castiel::storage::impl {

// Owns a file descriptor, or none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }

 private:
  int fd_;
};

// What errno says: store_full or blob_failed, both transient. `what`: "written", "opened", …
std::unexpected<Error> file_failed(const std::filesystem::path& path, std::string_view what);
Result<> write_all(const Descriptor& fd, const std::filesystem::path& path, std::string_view bytes);
Result<> make_folders(const std::filesystem::path& path);

}  // namespace castiel::storage::impl
