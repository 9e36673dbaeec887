#include "connectors/testing/memory_file_system.hpp"

#include <algorithm>

namespace castiel::connectors::testing {
namespace {

class MemoryStream final : public ByteStream {
 public:
  MemoryStream(std::shared_ptr<const std::string> bytes, std::uint64_t fail_after)
      : bytes_(std::move(bytes)), fail_after_(fail_after) {}
  Result<std::size_t> read(std::span<char> into) override {
    if (at_ >= fail_after_) return permanent("unreadable", "the file cannot be read", "Input/output error");
    const std::size_t count =
        std::min<std::size_t>(into.size(), bytes_->size() - std::min<std::uint64_t>(at_, bytes_->size()));
    std::copy_n(bytes_->data() + std::min<std::uint64_t>(at_, bytes_->size()), count, into.data());
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
  std::uint64_t fail_after_;
  std::uint64_t at_ = 0;
};

}  // namespace

void MemoryFileSystem::put(const std::string& path, std::string bytes) {
  files_[path] = std::make_shared<const std::string>(std::move(bytes));
}

void MemoryFileSystem::link(const std::string& path, std::string target) {
  links_[path] = std::move(target);
}

std::string MemoryFileSystem::resolve(const std::string& path) const {
  std::string at = path;
  for (int hops = 0; hops < 16; ++hops) {
    bool changed = false;
    for (const auto& [from, to] : links_) {
      if (at == from || at.starts_with(from + "/")) {
        at = to + at.substr(from.size());
        changed = true;
      }
    }
    if (!changed) break;
  }
  return at;
}

bool MemoryFileSystem::is_folder(const std::string& path) const {
  const auto inside = [&](const auto& entry) { return entry.first.starts_with(path + "/"); };
  return std::ranges::any_of(files_, inside) || std::ranges::any_of(links_, inside);
}

Result<DirectoryEntry> MemoryFileSystem::stat(const std::string& path) {
  const std::string at = resolve(path);
  DirectoryEntry entry{path, DirectoryEntry::Kind::other, 0, at, {}};
  if (const auto file = files_.find(at); file != files_.end()) {
    entry.kind = DirectoryEntry::Kind::file;
    entry.size = file->second->size();
    entry.modified = modified_;
  } else if (is_folder(at)) {
    entry.kind = DirectoryEntry::Kind::directory;
  } else {
    return permanent("unreadable", "'" + path + "' cannot be read", "No such file or directory");
  }
  return entry;
}

Result<std::vector<std::string>> MemoryFileSystem::list(const std::string& path) {
  const std::string at = resolve(path);
  if (denied_.contains(path) || denied_.contains(at)) {
    return permanent("unreadable", "'" + path + "' cannot be listed", "Permission denied");
  }
  std::set<std::string> names;
  const auto collect = [&](const std::string& entry) {
    if (!entry.starts_with(at + "/")) return;
    const std::string rest = entry.substr(at.size() + 1);
    names.insert(rest.substr(0, rest.find('/')));
  };
  for (const auto& [file, bytes] : files_) collect(file);
  for (const auto& [link, target] : links_) collect(link);
  std::vector<std::string> paths;
  for (const auto& name : names) paths.push_back(path + "/" + name);
  return paths;
}

Result<std::unique_ptr<ByteStream>> MemoryFileSystem::open(const std::string& path) {
  const std::string at = resolve(path);
  const auto file = files_.find(at);
  if (denied_.contains(path) || denied_.contains(at) || file == files_.end()) {
    return permanent("unreadable", "'" + path + "' cannot be read",
                     file == files_.end() ? "No such file or directory" : "Permission denied");
  }
  return std::make_unique<MemoryStream>(file->second, fail_after_);
}

}  // namespace castiel::connectors::testing
