#include "content/documents/archive.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <memory>

namespace castiel::content::documents {
namespace {

constexpr std::size_t kChunkBytes = 64 << 10;

struct Closer {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using Handle = std::unique_ptr<archive, Closer>;

// RFC 1952, compress and the like hold one file without a name.
bool is_only_compressed(std::string_view bytes) {
  using namespace std::string_view_literals;
  for (const auto mark : {"\x1F\x8B"sv, "\x1F\x9D"sv, "BZh"sv,
                          "\xFD"
                          "7zXZ\0"sv,
                          "\x28\xB5\x2F\xFD"sv, "\x5D\0\0"sv}) {
    if (bytes.starts_with(mark)) return true;
  }
  return false;
}

std::unexpected<Error> broken(archive* handle) {
  const char* words = archive_error_string(handle);
  const std::string cause = words ? words : "";
  if (cause.find("ncrypt") != std::string::npos || cause.find("assphrase") != std::string::npos)
    return permanent("encrypted", "the archive is encrypted", cause);
  return permanent("corrupt", "the archive cannot be read", cause);
}

Result<Handle> open(std::string_view bytes, bool raw) {
  Handle handle(archive_read_new());
  if (!handle) return permanent("corrupt", "the archive cannot be read");
  if (bytes.starts_with("PK")) {
    archive_read_support_format_zip(handle.get());
  } else {
    archive_read_support_filter_gzip(handle.get());
    archive_read_support_filter_bzip2(handle.get());
    archive_read_support_filter_xz(handle.get());
    archive_read_support_filter_lzma(handle.get());
    archive_read_support_filter_compress(handle.get());
    archive_read_support_filter_zstd(handle.get());
    if (raw) {
      archive_read_support_format_raw(handle.get());
    } else {
      archive_read_support_format_tar(handle.get());
      archive_read_support_format_7zip(handle.get());
    }
  }
  if (archive_read_open_memory(handle.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
    return broken(handle.get());
  return handle;
}

// A name without the parts that lead out of the folder it is unpacked to.
std::string safe_name(const char* given) {
  std::string result;
  std::string_view rest = given ? given : "";
  while (!rest.empty()) {
    const auto end = rest.find_first_of("/\\");
    const auto part = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (part.empty() || part == "." || part == "..") continue;
    if (!result.empty()) result += '/';
    result += part;
  }
  return result;
}

std::string without_extension(std::string_view name) {
  name = name.substr(name.find_last_of("/\\") + 1);
  const auto dot = name.find_last_of('.');
  const auto stem = dot == std::string_view::npos || dot == 0 ? name : name.substr(0, dot);
  return stem.empty() ? "content" : std::string(stem);
}

class Reader {
 public:
  Reader(std::string_view bytes, const ArchiveLimits& limits) : bytes_(bytes), limits_(limits) {}

  // Calls `take(name, handle)` for each regular file; false from it, or an error, ends the walk.
  template <class Take>
  Result<> walk(std::string_view name, Take take) {
    auto handle = open(bytes_, false);
    archive_entry* entry = nullptr;
    int status = handle ? archive_read_next_header(handle->get(), &entry) : ARCHIVE_FATAL;
    bool raw = false;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN && is_only_compressed(bytes_)) {
      handle = open(bytes_, true);
      if (!handle) return std::unexpected(std::move(handle.error()));
      status = archive_read_next_header(handle->get(), &entry);
      raw = true;
    }
    if (!handle) return std::unexpected(std::move(handle.error()));
    std::size_t members = 0;
    for (; status == ARCHIVE_OK || status == ARCHIVE_WARN;
         status = archive_read_next_header(handle->get(), &entry)) {
      if (++members > limits_.max_members) return permanent("too_large", "the archive has too many members");
      if (!raw && archive_entry_filetype(entry) != AE_IFREG) continue;
      std::string member = raw ? without_extension(name) : safe_name(archive_entry_pathname(entry));
      if (member.empty()) continue;
      if (archive_entry_is_encrypted(entry) == 1)
        return permanent("encrypted", "the archive's members are encrypted");
      CASTIEL_TRY(take(std::move(member), handle->get()));
      any_ = true;
    }
    if (status == ARCHIVE_EOF) return {};
    breaks_off_ = true;
    if (!any_) return broken(handle->get());
    return {};
  }

  // The contents of the current member. What a damaged member gave before the damage is kept.
  Result<ArchiveMember> read(std::string name, archive* handle) {
    ArchiveMember member{std::move(name), {}, false};
    std::string& content = member.bytes;
    std::string chunk(kChunkBytes, '\0');
    for (;;) {
      const auto got = archive_read_data(handle, chunk.data(), chunk.size());
      if (got == 0) break;
      if (got < 0) {
        const std::string cause = archive_error_string(handle) ? archive_error_string(handle) : "";
        if (cause.find("ncrypt") != std::string::npos)
          return permanent("encrypted", "the archive is encrypted", cause);
        member.damaged = true;
        break;
      }
      content.append(chunk.data(), static_cast<std::size_t>(got));
      total_ += static_cast<std::uint64_t>(got);
      if (total_ > limits_.max_total_bytes)
        return permanent("bomb", "the archive unpacks to more than is allowed");
      if (content.size() > limits_.ratio_from_bytes && content.size() / limits_.max_ratio > bytes_.size())
        return permanent("bomb", "a member of the archive unpacks to far more than the archive's size");
      if (content.size() > limits_.max_member_bytes)
        return permanent("too_large", "a member of the archive is larger than is allowed");
    }
    return member;
  }

  bool breaks_off() const { return breaks_off_; }

 private:
  std::string_view bytes_;
  const ArchiveLimits& limits_;
  std::uint64_t total_ = 0;
  bool any_ = false, breaks_off_ = false;
};

}  // namespace

Result<std::vector<std::string>> list_archive(std::string_view bytes, const ArchiveLimits& limits) {
  std::vector<std::string> names;
  Reader reader(bytes, limits);
  CASTIEL_TRY(reader.walk({}, [&](std::string name, archive*) -> Result<> {
    names.push_back(std::move(name));
    return {};
  }));
  return names;
}

Result<UnpackedArchive> unpack_archive(std::string_view bytes, std::string_view name,
                                       const ArchiveLimits& limits,
                                       const std::function<bool(std::string_view)>& wanted) {
  UnpackedArchive unpacked;
  auto& members = unpacked.members;
  Reader reader(bytes, limits);
  CASTIEL_TRY(reader.walk(name, [&](std::string member, archive* handle) -> Result<> {
    if (wanted && !wanted(member)) return {};
    CASTIEL_ASSIGN(auto content, reader.read(std::move(member), handle));
    members.push_back(std::move(content));
    return {};
  }));
  const bool nothing = members.empty() || (members.size() == 1 && members[0].bytes.empty());
  unpacked.breaks_off = reader.breaks_off();
  if (nothing && (unpacked.breaks_off || (!members.empty() && members[0].damaged)))
    return permanent("corrupt", "the archive breaks off");
  return unpacked;
}

}  // namespace castiel::content::documents
