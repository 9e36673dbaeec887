#pragma once
// The files inside an archive: zip, tar (compressed or not), 7z, and single files compressed by gzip, bzip2,
// xz or compress. Pure functions, thread-safe; every loop is bounded by ArchiveLimits.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace castiel::content::documents {

struct ArchiveLimits {
  std::size_t max_members = 20'000;
  std::uint64_t max_member_bytes = 128u << 20;
  std::uint64_t max_total_bytes = 256u << 20;  // of what is unpacked, wanted or not
  // A member that unpacks to more than `ratio_from_bytes` must not be more than `max_ratio` times the
  // archive's size.
  std::uint64_t ratio_from_bytes = 8u << 20;
  std::uint64_t max_ratio = 200;
};

struct ArchiveMember {
  std::string name;  // with '/'; never absolute, "." and ".." removed
  std::string bytes;
  bool damaged = false;  // `bytes` is what came before the damage
};

struct UnpackedArchive {
  std::vector<ArchiveMember> members;
  bool breaks_off = false;  // nobody knows what else was in it
};

// What is in an archive, without the contents. Errors: corrupt, encrypted, too_large, unsupported.
Result<std::vector<std::string>> list_archive(std::string_view bytes, const ArchiveLimits& limits = {});

// The regular files whose names `wanted` accepts (all, without it), in the archive's order. An archive that
// breaks off and gives nothing is corrupt. A file that is only compressed is one
// member, named `name` without its last extension. Errors: corrupt, encrypted, too_large (members, a member's
// size), bomb (ratio, total), unsupported.
Result<UnpackedArchive> unpack_archive(std::string_view bytes, std::string_view name = {},
                                       const ArchiveLimits& limits = {},
                                       const std::function<bool(std::string_view)>& wanted = {});

}  // namespace castiel::content::documents
