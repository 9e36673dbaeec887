#include "connectors/files/archive_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "connectors/files/content_source.hpp"

namespace castiel::connectors {

namespace {

constexpr std::string_view kInside = "!/";
constexpr auto kExtraction = std::chrono::seconds(90);  // the extractor's own limit for a file is shorter

// Office files are archives, too; only names that say so are looked into.
bool is_archive_name(std::string_view path) {
  std::string name(path.substr(path.rfind('/') + 1));
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  constexpr std::array<std::string_view, 9> kEndings{".zip", ".tar", ".tgz",  ".gz", ".bz2",
                                                     ".xz",  ".7z",  ".tbz2", ".txz"};
  return std::ranges::any_of(kEndings, [&](std::string_view ending) { return name.ends_with(ending); });
}

class SharedStream final : public ByteStream {
 public:
  explicit SharedStream(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}
  Result<std::size_t> read(std::span<char> into) override {
    const auto from = static_cast<std::size_t>(std::min<std::uint64_t>(at_, bytes_->size()));
    const std::size_t count = std::min(into.size(), bytes_->size() - from);
    std::copy_n(bytes_->data() + from, count, into.data());
    at_ += count;
    return count;
  }
  Result<void> seek(std::uint64_t offset) override {
    at_ = offset;
    return {};
  }
  std::uint64_t size() const override { return bytes_->size(); }

 private:
  std::shared_ptr<const std::string> bytes_;
  std::uint64_t at_ = 0;
};

}  // namespace

Result<std::shared_ptr<const std::string>> ArchiveFileSystem::member(const std::string& path) {
  const auto at = path.rfind(kInside);
  CASTIEL_ASSIGN(const auto inside, contents(path.substr(0, at)));
  const auto it = inside->find(path.substr(at + kInside.size()));
  if (it == inside->end()) return permanent("unreadable", "'" + path + "' is not in the archive");
  if (it->second.damaged) return permanent("corrupt", "'" + path + "' is damaged inside the archive");
  return it->second.bytes;
}

Result<std::shared_ptr<const ArchiveFileSystem::Contents>> ArchiveFileSystem::contents(
    const std::string& path) {
  const bool nested = path.find(kInside) != path.npos;
  std::string version;
  if (!nested) {
    CASTIEL_ASSIGN(const auto entry, inner_->stat(path));
    version = fmt::format("{}:{}", entry.size, entry.modified ? entry.modified->micros : 0);
  }
  {
    std::lock_guard lock(mutex_);
    const auto it = std::ranges::find(opened_, path, &Opened::path);
    if (it != opened_.end() && it->version == version) {
      std::rotate(opened_.begin(), it, it + 1);
      return opened_.front().contents;
    }
  }
  std::shared_ptr<const std::string> bytes;
  if (nested) {
    CASTIEL_ASSIGN(bytes, member(path));
  } else {
    CASTIEL_ASSIGN(const auto stream, inner_->open(path));
    if (stream->size() > kMaxContentFileBytes) {
      return permanent("too_large", fmt::format("'{}' has {} bytes; archives are read up to {}", path,
                                                stream->size(), kMaxContentFileBytes));
    }
    auto whole = std::make_shared<std::string>(static_cast<std::size_t>(stream->size()), '\0');
    std::size_t got = 0;
    while (got < whole->size()) {
      CASTIEL_ASSIGN(const std::size_t n, stream->read({whole->data() + got, whole->size() - got}));
      if (n == 0) break;
      got += n;
    }
    whole->resize(got);
    bytes = std::move(whole);
  }
  extract::Request request;
  request.as = "archive";
  request.name = path.substr(path.rfind('/') + 1);
  request.bytes = *bytes;
  CASTIEL_ASSIGN(auto extracted, extractor_->extract(request, Deadline::after(*clock_, kExtraction)));
  auto inside = std::make_shared<Contents>();
  const auto* files = get_array(extracted.structure, "files");
  for (std::size_t i = 0; i < extracted.parts.size(); ++i) {
    auto& part = extracted.parts[i];
    const bool damaged =
        files != nullptr && i < files->size() && bool_or((*files)[i].get_object(), "damaged", false);
    // Two members of one name are two files.
    std::string name = part.name;
    for (int n = 2; inside->contains(name); ++n) name = fmt::format("{} ({})", part.name, n);
    (*inside)[name] = {std::make_shared<const std::string>(std::move(part.bytes)), damaged};
  }
  std::lock_guard lock(mutex_);
  std::erase_if(opened_, [&](const Opened& o) { return o.path == path; });
  opened_.push_front({path, version, inside});
  if (opened_.size() > kMaxOpenArchives) opened_.pop_back();
  return inside;
}

Result<DirectoryEntry> ArchiveFileSystem::stat(const std::string& path) {
  DirectoryEntry entry;
  if (path.find(kInside) == path.npos) {
    CASTIEL_ASSIGN(entry, inner_->stat(path));
  } else {
    CASTIEL_ASSIGN(const auto bytes, member(path));
    CASTIEL_ASSIGN(const auto archive, inner_->stat(path.substr(0, path.find(kInside))));
    entry = {path, DirectoryEntry::Kind::file, bytes->size(), {}, archive.modified};
  }
  if (entry.kind == DirectoryEntry::Kind::file && is_archive_name(path)) {
    const auto sniffed = sniff_file(*this, path);
    if (!sniffed && sniffed.error().cls != ErrorClass::permanent) return std::unexpected(sniffed.error());
    if (sniffed && sniffed->kind == content::FileKind::archive) entry.kind = DirectoryEntry::Kind::archive;
  }
  return entry;
}

Result<std::vector<std::string>> ArchiveFileSystem::list(const std::string& path) {
  if (path.find(kInside) == path.npos) {
    CASTIEL_ASSIGN(const auto entry, inner_->stat(path));
    if (entry.kind != DirectoryEntry::Kind::file) return inner_->list(path);
  }
  CASTIEL_ASSIGN(const auto inside, contents(path));
  std::vector<std::string> paths;
  for (const auto& [name, member] : *inside) paths.push_back(path + std::string(kInside) + name);
  return paths;
}

Result<std::unique_ptr<ByteStream>> ArchiveFileSystem::open(const std::string& path) {
  if (path.find(kInside) == path.npos) return inner_->open(path);
  CASTIEL_ASSIGN(auto bytes, member(path));
  return std::make_unique<SharedStream>(std::move(bytes));
}

}  // namespace castiel::connectors
