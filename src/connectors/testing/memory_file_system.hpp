#pragma once
// Files from memory, with faults on demand, for tests and the simulator. Not thread-safe.

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "connectors/files/file_system.hpp"

namespace castiel::connectors::testing {

class MemoryFileSystem final : public FileSystem {
 public:
  void put(const std::string& path, std::string bytes);                // folders come by themselves
  void date(Timestamp modified) { modified_ = modified; }              // of all files; none by default
  void link(const std::string& path, std::string target);              // a symbolic link
  void deny(const std::string& path) { denied_.insert(path); }         // cannot be listed or opened
  void fail_reads_after(std::uint64_t bytes) { fail_after_ = bytes; }  // of every stream opened from now on

  Result<DirectoryEntry> stat(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<std::unique_ptr<ByteStream>> open(const std::string& path) override;

 private:
  std::string resolve(const std::string& path) const;
  bool is_folder(const std::string& path) const;

  std::map<std::string, std::shared_ptr<const std::string>> files_;
  std::map<std::string, std::string> links_;
  std::set<std::string> denied_;
  std::uint64_t fail_after_ = UINT64_MAX;
  std::optional<Timestamp> modified_;
};

}  // namespace castiel::connectors::testing
