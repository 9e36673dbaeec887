#include <algorithm>
#include <array>
#include <set>

#include "connectors/files/file_source.hpp"
#include "connectors/impl/dictionary.hpp"
#include "model/entity.hpp"

namespace castiel::connectors {
namespace {

// Whether the name allows a table of records. Mails and documents are read when the records they speak of are
// there.
bool may_be_table(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto dot = name.rfind('.');
  if (dot == name.npos) return true;
  std::string extension(name.substr(dot + 1));
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  constexpr std::array<std::string_view, 11> kTables{"csv",    "tsv", "tab", "psv",    "json",  "jsonl",
                                                     "ndjson", "txt", "dat", "export", "report"};
  return std::ranges::find(kTables, extension) != kTables.end();
}

// Those that others refer to come first; what the name does not tell comes between.
int reading_order(std::string_view path) {
  constexpr int kAfterTables = 100;
  if (!may_be_table(path)) return kAfterTables;
  namespace type = model::type;
  constexpr std::array kOrder{type::kUser,        type::kAccount,     type::kProduct,          type::kContact,
                              type::kOpportunity, type::kContactRole, type::kOpportunityChange};
  constexpr int kUnknown = 4;
  double best = 0;
  int order = kUnknown;
  for (const auto& keys : impl::dictionary()) {
    const double score = impl::file_name_score(path, keys);
    if (score <= best) continue;
    best = score;
    const auto at = std::ranges::find(kOrder, keys.entity) - kOrder.begin();
    order = static_cast<int>(at < 4 ? at : at + 1);
  }
  return order;
}

class Walk {
 public:
  explicit Walk(FileSystem& files) : files_(&files) {}

  void visit(const std::string& path, int depth) {
    if (listing_.failed) return;
    auto entry = files_->stat(path);
    if (!entry) return problem(path, entry.error());
    const std::string identity = entry->identity.empty() ? path : entry->identity;
    if (entry->kind == DirectoryEntry::Kind::other || !seen_.insert(identity).second) return;
    if (entry->kind == DirectoryEntry::Kind::file) return file(*entry);
    const bool archive = entry->kind == DirectoryEntry::Kind::archive;
    if (archive && archives_ >= kMaxArchiveDepth) {
      listing_.problems.push_back(
          {path, 0, "unsupported", "'" + path + "' is an archive inside three others", {}, false});
      return;
    }
    if (depth >= kMaxFolderDepth) {
      listing_.problems.push_back(
          {path, 0, "unreadable", "'" + path + "' is more than 64 folders deep", {}, false});
      return;
    }
    auto inside = files_->list(path);
    if (!inside) return problem(path, inside.error());
    std::ranges::sort(*inside);
    if (archive && inside->empty())
      listing_.problems.push_back({path, 0, "empty_file", "'" + path + "' holds no files", {}, false});
    archives_ += archive;
    for (const auto& child : *inside) {
      const std::string_view name = std::string_view(child).substr(child.rfind('/') + 1);
      if (!name.starts_with('.') && name != "__MACOSX" && child.find("/__MACOSX/") == child.npos)
        visit(child, depth + 1);
    }
    archives_ -= archive;
  }

  Listing finish() {
    std::vector<std::pair<int, ListedFile>> ordered;
    for (auto& file : listing_.files) ordered.emplace_back(reading_order(file.path), std::move(file));
    std::ranges::stable_sort(ordered, [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first < b.first : a.second.path < b.second.path;
    });
    listing_.files.clear();
    for (auto& [order, file] : ordered) listing_.files.push_back(std::move(file));
    return std::move(listing_);
  }

 private:
  void file(const DirectoryEntry& entry) {
    if (entry.size == 0) {
      listing_.problems.push_back({entry.path, 0, "empty_file", "'" + entry.path + "' is empty", {}, false});
    } else if (listing_.files.size() < kMaxListedFiles) {
      listing_.files.push_back({entry.path, entry.size, entry.modified});
    } else if (!full_) {
      full_ = true;
      listing_.problems.push_back(
          {entry.path, 0, "unsupported", "more than 1,000,000 files: the rest is not read", {}, false});
    }
  }
  void problem(const std::string& path, const Error& error) {
    if (error.cls != ErrorClass::permanent && !listing_.failed) listing_.failed = error;
    listing_.problems.push_back({path, 0, error.code, error.describe(), {}, false});
  }

  FileSystem* files_;
  Listing listing_;
  std::set<std::string> seen_;
  int archives_ = 0;  // around the entry being visited
  bool full_ = false;
};

}  // namespace

Listing list_files(FileSystem& files, std::span<const std::string> paths) {
  Walk walk(files);
  for (std::string path : paths) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    walk.visit(path, 0);
  }
  return walk.finish();
}

}  // namespace castiel::connectors
