#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <memory>

#include "content/chat/impl/messages.hpp"

namespace castiel::content::chat::impl {
namespace {

constexpr std::size_t kBlockBytes = 64 << 10;
constexpr std::size_t kBombRatio = 200;            // JSON shrinks to a tenth, rarely to a fiftieth
constexpr std::size_t kBombLeastBytes = 16 << 20;  // small files may shrink as they like

struct Close {
  void operator()(archive* a) const { archive_read_free(a); }
};

Result<std::string> read_member(archive* reader, std::size_t unpacked, std::size_t packed) {
  std::string bytes;
  std::string block(kBlockBytes, '\0');
  while (true) {
    const auto count = archive_read_data(reader, block.data(), block.size());
    if (count == 0) return bytes;
    if (count < 0) return permanent("corrupt", "a file of the export is damaged");
    bytes.append(block, 0, static_cast<std::size_t>(count));
    const auto total = unpacked + bytes.size();
    if (total > kBombLeastBytes && total / kBombRatio > packed)
      return permanent("bomb", "the export unpacks to far more than it should");
    if (bytes.size() > kMaxMemberBytes || total > kMaxUnpackedBytes)
      return permanent("too_large",
                       fmt::format("the export's messages take more than {} MiB", kMaxUnpackedBytes >> 20));
  }
}

}  // namespace

Result<std::vector<UnpackedFile>> unpack(std::string_view zip_bytes) {
  if (zip_bytes.size() > kMaxExportBytes) return permanent("too_large", "an export of more than 2 GiB");
  const std::unique_ptr<archive, Close> reader(archive_read_new());
  archive_read_support_format_zip(reader.get());
  if (archive_read_open_memory(reader.get(), zip_bytes.data(), zip_bytes.size()) != ARCHIVE_OK)
    return permanent("corrupt", "the zip of the export cannot be opened");
  std::vector<UnpackedFile> files;
  std::size_t members = 0, unpacked = 0;
  while (true) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    // What would be missing of it, nobody could tell.
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
      return permanent("corrupt", "the zip of the export is damaged or breaks off; fetch it again");
    if (++members > kMaxMembers)
      return permanent("too_large", fmt::format("an export of more than {} files", kMaxMembers));
    if (archive_entry_is_encrypted(entry) != 0)
      return permanent("encrypted", "the export is protected by a password");
    const char* name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) name = archive_entry_pathname(entry);
    const std::string path = name == nullptr ? "" : name;
    if (!path.ends_with(".json") || path.find("__MACOSX") != std::string::npos) continue;
    CASTIEL_ASSIGN(auto bytes, read_member(reader.get(), unpacked, zip_bytes.size()));
    unpacked += bytes.size();
    files.push_back({path, std::move(bytes)});
  }
  return files;
}

}  // namespace castiel::content::chat::impl
