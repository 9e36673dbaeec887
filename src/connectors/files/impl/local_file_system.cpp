#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "connectors/files/file_system.hpp"

namespace castiel::connectors {
namespace {

std::unexpected<Error> unreadable(const std::string& path, int error) {
  return permanent("unreadable", "'" + path + "' cannot be read", std::strerror(error));
}

class LocalStream final : public ByteStream {
 public:
  LocalStream(int fd, std::string path, std::uint64_t size) : fd_(fd), path_(std::move(path)), size_(size) {}
  ~LocalStream() override { ::close(fd_); }
  LocalStream(const LocalStream&) = delete;
  LocalStream& operator=(const LocalStream&) = delete;

  Result<std::size_t> read(std::span<char> into) override {
    for (;;) {
      const ssize_t got = ::read(fd_, into.data(), into.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return unreadable(path_, errno);
    }
  }
  Result<void> seek(std::uint64_t offset) override {
    if (::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0) return unreadable(path_, errno);
    return {};
  }
  std::uint64_t size() const override { return size_; }

 private:
  int fd_;
  std::string path_;
  std::uint64_t size_;
};

class LocalFileSystem final : public FileSystem {
 public:
  Result<DirectoryEntry> stat(const std::string& path) override {
    struct ::stat info{};
    if (::stat(path.c_str(), &info) != 0) return unreadable(path, errno);
    DirectoryEntry entry;
    entry.path = path;
    if (S_ISREG(info.st_mode)) entry.kind = DirectoryEntry::Kind::file;
    if (S_ISDIR(info.st_mode)) entry.kind = DirectoryEntry::Kind::directory;
    entry.size = static_cast<std::uint64_t>(info.st_size);
    entry.identity = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
    entry.modified = Timestamp{info.st_mtim.tv_sec * 1'000'000 + info.st_mtim.tv_nsec / 1'000};
    return entry;
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    std::error_code error;
    std::vector<std::string> paths;
    std::filesystem::directory_iterator it(path, error), end;
    for (; !error && it != end; it.increment(error)) paths.push_back(it->path().string());
    if (error) return permanent("unreadable", "'" + path + "' cannot be listed", error.message());
    return paths;
  }

  Result<std::unique_ptr<ByteStream>> open(const std::string& path) override {
    // Non-blocking, so that a pipe in a folder of exports does not hold the import up; it is refused below.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return unreadable(path, errno);
    struct ::stat info{};
    if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
      ::close(fd);
      return permanent("unreadable", "'" + path + "' is not a file");
    }
    return std::make_unique<LocalStream>(fd, path, static_cast<std::uint64_t>(info.st_size));
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_local_file_system() {
  return std::make_unique<LocalFileSystem>();
}

}  // namespace castiel::connectors
