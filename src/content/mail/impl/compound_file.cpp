#include "content/mail/impl/compound_file.hpp"

#include <algorithm>
#include <cstring>

#include "content/mail/outlook_msg.hpp"

namespace castiel::content::mail::impl {
namespace {

constexpr std::string_view kMagic("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8);
constexpr std::uint32_t kMaxRegular = 0xFFFFFFFA;  // larger numbers are marks
constexpr std::size_t kHeaderBytes = 512;
constexpr std::size_t kEntryBytes = 128;

std::uint32_t u32(std::string_view bytes, std::size_t at) {
  if (at + 4 > bytes.size()) return 0xFFFFFFFF;
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}
std::uint16_t u16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(u32(bytes, at) & 0xFFFF);
}

std::vector<std::uint32_t> numbers(std::string_view bytes) {
  std::vector<std::uint32_t> out(bytes.size() / 4);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = u32(bytes, i * 4);
  return out;
}

}  // namespace

Result<CompoundFile> CompoundFile::open(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic))
    return permanent("corrupt", "this is no compound file");
  CompoundFile file;
  file.bytes_ = bytes;
  const unsigned shift = u16(bytes, 30);
  const unsigned mini_shift = u16(bytes, 32);
  if ((shift != 9 && shift != 12) || mini_shift != 6)
    return permanent("corrupt", "the compound file's sectors have no valid size");
  file.sector_ = std::size_t{1} << shift;
  file.mini_sector_ = std::size_t{1} << mini_shift;
  file.mini_cutoff_ = std::min<std::uint32_t>(u32(bytes, 56), 1U << 20);
  const std::size_t sectors = bytes.size() / file.sector_ + 1;

  std::vector<std::uint32_t> table;  // where the pieces of the allocation table are
  for (std::size_t i = 0; i < 109; ++i) table.push_back(u32(bytes, 76 + i * 4));
  std::uint32_t more = u32(bytes, 68);
  for (std::size_t k = 0; more < kMaxRegular && k <= sectors; ++k) {
    const std::size_t at = (std::size_t{more} + 1) * file.sector_;
    if (at + file.sector_ > bytes.size()) break;
    for (std::size_t i = 0; i + 1 < file.sector_ / 4; ++i) table.push_back(u32(bytes, at + i * 4));
    more = u32(bytes, at + file.sector_ - 4);
    if (table.size() > sectors + 109) break;
  }
  for (const auto sector : table) {
    if (sector >= kMaxRegular) continue;
    const std::size_t at = (std::size_t{sector} + 1) * file.sector_;
    if (at >= bytes.size() || file.fat_.size() > sectors + file.sector_) continue;
    const auto some = numbers(bytes.substr(at, file.sector_));
    file.fat_.insert(file.fat_.end(), some.begin(), some.end());
  }

  const std::string directory = file.chain(u32(bytes, 48), kMaxMsgEntries * kEntryBytes);
  for (std::size_t at = 0; at + kEntryBytes <= directory.size(); at += kEntryBytes) {
    Entry entry;
    const std::size_t length = std::min<std::size_t>(u16(directory, at + 64), 64);
    for (std::size_t i = 0; i + 2 < length + 1; i += 2) {
      const auto unit = u16(directory, at + i);
      if (unit == 0) break;
      entry.name.push_back(unit < 128 ? static_cast<char>(unit) : '?');
    }
    entry.type = static_cast<unsigned char>(directory[at + 66]);
    entry.left = u32(directory, at + 68);
    entry.right = u32(directory, at + 72);
    entry.child = u32(directory, at + 76);
    entry.start = u32(directory, at + 116);
    entry.size = u32(directory, at + 120);
    file.entries_.push_back(std::move(entry));
  }
  if (file.entries_.empty() || file.entries_[0].type != 5)
    return permanent("corrupt", "the compound file has no root");
  file.mini_ = file.chain(file.entries_[0].start, file.entries_[0].size);
  file.mini_fat_ = numbers(file.chain(u32(bytes, 60), std::uint64_t{u32(bytes, 64)} * file.sector_));
  return file;
}

std::string CompoundFile::chain(std::uint32_t start, std::uint64_t size) const {
  std::string out;
  size = std::min<std::uint64_t>(size, bytes_.size());
  for (std::size_t steps = 0; start < kMaxRegular && out.size() < size && steps <= fat_.size(); ++steps) {
    const std::size_t at = (std::size_t{start} + 1) * sector_;
    if (at >= bytes_.size()) break;
    out += bytes_.substr(at, sector_);
    start = start < fat_.size() ? fat_[start] : 0xFFFFFFFF;
  }
  if (out.size() > size) out.resize(size);
  return out;
}

std::vector<std::size_t> CompoundFile::children(std::size_t storage) const {
  std::vector<std::size_t> out;
  std::vector<bool> seen(entries_.size());
  std::vector<std::uint32_t> open{entries_[storage].child};
  while (!open.empty()) {
    const std::uint32_t index = open.back();
    open.pop_back();
    if (index >= entries_.size() || seen[index]) continue;
    seen[index] = true;
    out.push_back(index);
    open.push_back(entries_[index].left);
    open.push_back(entries_[index].right);
  }
  std::ranges::sort(out, {}, [&](std::size_t i) { return std::string_view(entries_[i].name); });
  return out;
}

std::string CompoundFile::read(std::size_t stream) const {
  const Entry& entry = entries_[stream];
  if (entry.size >= mini_cutoff_) return chain(entry.start, entry.size);
  std::string out;
  std::uint32_t sector = entry.start;
  for (std::size_t steps = 0; sector < kMaxRegular && out.size() < entry.size && steps <= mini_fat_.size();
       ++steps) {
    const std::size_t at = std::size_t{sector} * mini_sector_;
    if (at >= mini_.size()) break;
    out += std::string_view(mini_).substr(at, mini_sector_);
    sector = sector < mini_fat_.size() ? mini_fat_[sector] : 0xFFFFFFFF;
  }
  if (out.size() > entry.size) out.resize(entry.size);
  return out;
}

}  // namespace castiel::content::mail::impl
