#pragma once
// The streams of an OLE2 compound file (MS-CFB), by walking its sector chains in memory. One owner.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace castiel::content::documents::impl {

class CompoundFile {
 public:
  // Error: corrupt. The bytes must outlive it.
  static Result<CompoundFile> open(std::string_view bytes);
  // The stream at "Storage/Name" (ASCII letters of either case), or nothing.
  std::string stream(std::string_view path) const;
  bool has(std::string_view path) const;
  // The paths of the streams whose last name is `name`, and of those below a storage.
  std::vector<std::string> paths() const;

 private:
  struct Entry {
    std::uint32_t start = 0;
    std::uint64_t size = 0;
  };
  std::string chain(std::uint32_t start, std::uint64_t size, bool mini) const;
  Result<> read_tables();
  Result<> read_directory(std::uint32_t start);

  std::string_view bytes_;
  std::size_t sector_ = 512;
  std::uint32_t first_mini_ = 0, mini_cutoff_ = 4096;
  std::vector<std::uint32_t> fat_, mini_fat_;
  std::string mini_;
  std::map<std::string, Entry> entries_;  // by path in lower case
};

std::uint16_t little16(std::string_view bytes, std::size_t at);  // 0 outside
std::uint32_t little32(std::string_view bytes, std::size_t at);

}  // namespace castiel::content::documents::impl
