#include "content/documents/impl/compound_file.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr std::uint32_t kLastSector = 0xFFFFFFFA;  // greater ones are marks
constexpr std::size_t kMaxEntries = 100'000;
constexpr int kMaxStorageDepth = 32;

std::string lowered(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return result;
}

struct Node {
  std::string name;
  std::uint32_t left, right, child, start;
  std::uint64_t size;
  int type;  // 1 storage, 2 stream, 5 root
};

}  // namespace

std::uint16_t little16(std::string_view bytes, std::size_t at) {
  if (at + 2 > bytes.size()) return 0;
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) |
                                    static_cast<unsigned char>(bytes[at + 1]) << 8);
}

std::uint32_t little32(std::string_view bytes, std::size_t at) {
  return little16(bytes, at) | static_cast<std::uint32_t>(little16(bytes, at + 2)) << 16;
}

Result<CompoundFile> CompoundFile::open(std::string_view bytes) {
  CompoundFile file;
  file.bytes_ = bytes;
  const auto shift = little16(bytes, 30);
  if (bytes.size() < 1024 || (shift != 9 && shift != 12))
    return permanent("corrupt", "the compound file cannot be read");
  file.sector_ = std::size_t{1} << shift;
  file.mini_cutoff_ = 4096;
  CASTIEL_TRY(file.read_tables());
  CASTIEL_TRY(file.read_directory(little32(bytes, 48)));
  return file;
}

Result<> CompoundFile::read_tables() {
  const std::size_t sectors = bytes_.size() / sector_ + 1;
  const auto add_table = [&](std::uint32_t sector) {
    const std::size_t from = (std::size_t{sector} + 1) * sector_;
    if (sector >= kLastSector || from >= bytes_.size()) return;
    for (std::size_t i = 0; i < sector_ && fat_.size() <= sectors; i += 4)
      fat_.push_back(little32(bytes_, from + i));
  };
  for (std::size_t i = 0; i < 109; ++i) add_table(little32(bytes_, 76 + 4 * i));
  std::uint32_t next = little32(bytes_, 68);
  for (std::size_t steps = 0; next < kLastSector && steps < sectors; ++steps) {
    const std::size_t from = (std::size_t{next} + 1) * sector_;
    if (from + sector_ > bytes_.size()) break;
    for (std::size_t i = 0; i + 4 < sector_; i += 4) add_table(little32(bytes_, from + i));
    next = little32(bytes_, from + sector_ - 4);
  }
  if (fat_.empty()) return permanent("corrupt", "the compound file has no sector table");
  const std::string mini = chain(little32(bytes_, 60), bytes_.size(), false);
  for (std::size_t i = 0; i + 4 <= mini.size(); i += 4) mini_fat_.push_back(little32(mini, i));
  return {};
}

std::string CompoundFile::chain(std::uint32_t start, std::uint64_t size, bool mini) const {
  std::string result;
  const auto& table = mini ? mini_fat_ : fat_;
  const std::size_t unit = mini ? 64 : sector_;
  const std::string_view source = mini ? std::string_view(mini_) : bytes_;
  size = std::min<std::uint64_t>(size, source.size());
  for (std::size_t steps = 0; start < kLastSector && start < table.size() && steps <= table.size(); ++steps) {
    const std::size_t from = (std::size_t{start} + (mini ? 0 : 1)) * unit;
    if (from >= source.size() || result.size() >= size) break;
    result += source.substr(from, unit);
    start = table[start];
  }
  if (result.size() > size) result.resize(static_cast<std::size_t>(size));
  return result;
}

Result<> CompoundFile::read_directory(std::uint32_t start) {
  const std::string directory = chain(start, bytes_.size(), false);
  std::vector<Node> nodes;
  for (std::size_t at = 0; at + 128 <= directory.size() && nodes.size() < kMaxEntries; at += 128) {
    Node node;
    const auto length = std::min<std::size_t>(little16(directory, at + 64), 64);
    for (std::size_t i = 0; i + 2 < length; i += 2) append_utf8(node.name, little16(directory, at + i));
    node.type = static_cast<unsigned char>(directory[at + 66]);
    node.left = little32(directory, at + 68);
    node.right = little32(directory, at + 72);
    node.child = little32(directory, at + 76);
    node.start = little32(directory, at + 116);
    node.size = little32(directory, at + 120);
    nodes.push_back(std::move(node));
  }
  if (nodes.empty()) return permanent("corrupt", "the compound file has no directory");
  mini_ = chain(nodes[0].start, bytes_.size(), false);
  struct Visit {
    std::uint32_t node;
    std::string folder;
    int depth;
  };
  std::vector<Visit> open{{nodes[0].child, "", 0}};
  std::vector<bool> seen(nodes.size());
  while (!open.empty()) {
    const Visit visit = std::move(open.back());
    open.pop_back();
    if (visit.node >= nodes.size() || seen[visit.node] || visit.depth > kMaxStorageDepth) continue;
    seen[visit.node] = true;
    const Node& node = nodes[visit.node];
    const std::string path = visit.folder + lowered(node.name);
    if (node.type == 2) entries_.emplace(path, Entry{node.start, node.size});
    open.push_back({node.left, visit.folder, visit.depth});
    open.push_back({node.right, visit.folder, visit.depth});
    if (node.type == 1) open.push_back({node.child, path + "/", visit.depth + 1});
  }
  return {};
}

bool CompoundFile::has(std::string_view path) const {
  return entries_.contains(lowered(path));
}

std::string CompoundFile::stream(std::string_view path) const {
  const auto found = entries_.find(lowered(path));
  if (found == entries_.end()) return {};
  return chain(found->second.start, found->second.size, found->second.size < mini_cutoff_);
}

std::vector<std::string> CompoundFile::paths() const {
  std::vector<std::string> result;
  for (const auto& [path, entry] : entries_) result.push_back(path);
  return result;
}

}  // namespace castiel::content::documents::impl
