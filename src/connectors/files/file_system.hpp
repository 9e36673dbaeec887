#pragma once
// The file system as the files connector sees it: a port, so that tests and the simulator can give files from
// memory.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace castiel::connectors {

// An open file. One owner, one thread; reads block.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual Result<std::size_t> read(std::span<char> into) = 0;  // 0 at the end
  virtual Result<void> seek(std::uint64_t offset) = 0;
  virtual std::uint64_t size() const = 0;  // when it was opened
};

struct DirectoryEntry {
  enum class Kind {
    file,
    directory,
    archive,  // a file that holds files: list() gives their paths, `path` + "!/" + name
    other,
  };
  std::string path;
  Kind kind = Kind::other;
  std::uint64_t size = 0;
  // The same for two paths to one directory or file, so that loops of links are seen. Empty: unknown.
  std::string identity;
  std::optional<Timestamp> modified;
};

// Errors: unreadable, with the system's words as cause.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<DirectoryEntry> stat(const std::string& path) = 0;  // follows links
  // The paths of a directory's entries, `path` + "/" + name, in any order, without "." and "..".
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  virtual Result<std::unique_ptr<ByteStream>> open(const std::string& path) = 0;
};

// The machine's files. Thread-safe.
std::unique_ptr<FileSystem> make_local_file_system();

}  // namespace castiel::connectors
