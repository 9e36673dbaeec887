#pragma once
// Reader of OLE2 compound files ([MS-CFB]) that lie in memory: storages and streams by name. Bounded: chains
// with loops and directories with cycles end. One owner; views the bytes it was opened with.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace castiel::content::mail::impl {

class CompoundFile {
 public:
  // Error: corrupt.
  static Result<CompoundFile> open(std::string_view bytes);

  struct Entry {
    std::string name;  // ASCII; other characters as '?'
    int type = 0;      // 1 storage, 2 stream, 5 root
    std::uint32_t left = 0, right = 0, child = 0, start = 0;
    std::uint64_t size = 0;
  };
  static constexpr std::size_t kRoot = 0;
  const Entry& entry(std::size_t index) const { return entries_[index]; }
  std::vector<std::size_t> children(std::size_t storage) const;
  std::string read(std::size_t stream) const;

 private:
  std::string chain(std::uint32_t start, std::uint64_t size) const;

  std::string_view bytes_;
  std::size_t sector_ = 512;
  std::size_t mini_sector_ = 64;
  std::uint64_t mini_cutoff_ = 4096;
  std::vector<std::uint32_t> fat_, mini_fat_;
  std::string mini_;
  std::vector<Entry> entries_;
};

}  // namespace castiel::content::mail::impl
