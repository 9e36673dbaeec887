#include "storage/blobs/folder_blobs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/digest.hpp"

namespace castiel::storage {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kScheme = "blob:";

std::unexpected<Error> failed(const fs::path& path, std::string_view what) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  return transient(full ? "store_full" : "blob_failed",
                   fmt::format("'{}' cannot be {}{}", path.string(), what, full ? ": the disk is full" : ""),
                   std::strerror(error));
}

// Closes the file it owns; a half-written one is removed.
class OutputFile {
 public:
  OutputFile(fs::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!kept_) ::unlink(path_.c_str());
  }
  Result<> write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(path_, "written");
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(fd_) != 0) return failed(path_, "made durable");
    return {};
  }
  Result<> rename_to(const fs::path& to) {
    if (::rename(path_.c_str(), to.c_str()) != 0) return failed(to, "named");
    kept_ = true;
    return {};
  }

 private:
  fs::path path_;
  int fd_;
  bool kept_ = false;
};

// A new name is durable only when its folder is.
Result<> sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed(folder, "opened");
  const int done = ::fsync(fd);
  ::close(fd);
  if (done != 0) return failed(folder, "made durable");
  return {};
}

class FolderBlobs final : public Blobs {
 public:
  explicit FolderBlobs(fs::path folder) : folder_(std::move(folder)) {}

  Result<BlobRef> put(const TenantId& tenant, std::string_view bytes) override {
    if (bytes.size() > kMaxBlobBytes) {
      return permanent("too_large",
                       fmt::format("a blob has at most {} bytes, this one {}", kMaxBlobBytes, bytes.size()));
    }
    BlobRef ref{{}, bytes.size(), sha256_hex(bytes)};
    ref.url = blob_url(ref.sha256);
    const fs::path path = path_of(tenant, ref.sha256);
    struct stat there{};
    if (::stat(path.c_str(), &there) == 0 && static_cast<std::uint64_t>(there.st_size) == bytes.size())
      return ref;
    std::error_code error;
    const bool fresh = fs::create_directories(path.parent_path(), error);
    if (error) {
      errno = error.value();
      return failed(path.parent_path(), "made");
    }
    if (fresh) {
      CASTIEL_TRY(sync_folder(path.parent_path().parent_path()));
      CASTIEL_TRY(sync_folder(folder_));
    }
    const fs::path draft =
        path.parent_path() / fmt::format(".{}.{}.{}", ref.sha256.substr(0, 16), ::getpid(), ++drafts_);
    const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return failed(draft, "made");
    OutputFile out(draft, fd);
    CASTIEL_TRY(out.write(bytes));
    CASTIEL_TRY(out.rename_to(path));
    CASTIEL_TRY(sync_folder(path.parent_path()));
    return ref;
  }

  Result<std::string> get(const TenantId& tenant, std::string_view url) const override {
    CASTIEL_ASSIGN(const std::string sha256, sha256_of_blob_url(url));
    const fs::path path = path_of(tenant, sha256);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      if (errno == ENOENT) return permanent("not_found", fmt::format("there is no {} of this tenant", url));
      return failed(path, "opened");
    }
    std::string bytes;
    struct stat info{};
    if (::fstat(fd, &info) == 0) bytes.resize(static_cast<std::size_t>(info.st_size));
    std::size_t got = 0;
    while (got < bytes.size()) {
      const auto n = ::read(fd, bytes.data() + got, bytes.size() - got);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    ::close(fd);
    if (got != bytes.size()) return failed(path, "read");
    if (sha256_hex(bytes) != sha256) {
      return permanent("blob_damaged",
                       fmt::format("'{}' does not hold the bytes it is named after", path.string()));
    }
    return bytes;
  }

  Result<std::int64_t> erase(const TenantId& tenant) override {
    const fs::path mine = folder_ / tenant.str();
    std::error_code error;
    std::int64_t count = 0;
    for (fs::recursive_directory_iterator it(mine, error), end; !error && it != end; it.increment(error)) {
      if (it->is_regular_file(error)) ++count;
    }
    fs::remove_all(mine, error);
    if (error) {
      errno = error.value();
      return failed(mine, "removed");
    }
    return count;
  }

 private:
  fs::path path_of(const TenantId& tenant, const std::string& sha256) const {
    return folder_ / tenant.str() / sha256.substr(0, 2) / sha256;
  }

  fs::path folder_;
  std::atomic<std::uint64_t> drafts_ = 0;
};

}  // namespace

std::string blob_url(std::string_view sha256) {
  return std::string(kScheme) + std::string(sha256);
}

Result<std::string> sha256_of_blob_url(std::string_view url) {
  const bool ours = url.starts_with(kScheme) && url.size() == kScheme.size() + 64 &&
                    url.find_first_not_of("0123456789abcdef", kScheme.size()) == url.npos;
  if (!ours) return permanent("invalid_blob_url", fmt::format("'{}' is no blob's URL", url));
  return std::string(url.substr(kScheme.size()));
}

Result<std::unique_ptr<Blobs>> open_folder_blobs(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (error) {
    return permanent("data_folder_unusable", fmt::format("'{}' cannot hold blobs", folder.string()),
                     error.message());
  }
  return std::make_unique<FolderBlobs>(folder);
}

}  // namespace castiel::storage
