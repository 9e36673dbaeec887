#pragma once
// Archives as folders: a FileSystem over another in which the files inside zip, tar, gzip, … have paths of
// their own, "exports.zip!/deals.csv". Unpacked by the extractor, in memory, the last few archives at a time.
// Thread-safe.

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "connectors/files/file_system.hpp"
#include "extract/extractor.hpp"

namespace castiel::connectors {

class ArchiveFileSystem final : public FileSystem {
 public:
  static constexpr std::size_t kMaxOpenArchives = 3;

  // All outlive this object.
  ArchiveFileSystem(FileSystem& inner, extract::Extractor& extractor, const Clock& clock)
      : inner_(&inner), extractor_(&extractor), clock_(&clock) {}

  // Errors of list() and open() also: those of the extractor (encrypted, corrupt, bomb, too_large, …).
  Result<DirectoryEntry> stat(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<std::unique_ptr<ByteStream>> open(const std::string& path) override;

 private:
  struct Member {
    std::shared_ptr<const std::string> bytes;
    bool damaged = false;
  };
  using Contents = std::map<std::string, Member>;  // by the member's name
  struct Opened {
    std::string path;
    std::string version;  // size and time of the archive: a changed one is read again
    std::shared_ptr<const Contents> contents;
  };
  Result<std::shared_ptr<const Contents>> contents(const std::string& path);
  Result<std::shared_ptr<const std::string>> member(const std::string& path);

  FileSystem* inner_;
  extract::Extractor* extractor_;
  const Clock* clock_;
  std::mutex mutex_;
  std::deque<Opened> opened_;  // under mutex_, last used first
};

}  // namespace castiel::connectors
