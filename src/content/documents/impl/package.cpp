#include "content/documents/impl/package.hpp"

#include <algorithm>

#include "content/documents/archive.hpp"
#include "content/documents/document.hpp"

namespace castiel::content::documents::impl {
namespace {

std::string lowered(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return result;
}

// A zip's list of contents stands at its end; what lacks it was cut off.
bool is_whole(std::string_view bytes) {
  constexpr std::string_view kEnd("PK\x05\x06", 4);
  constexpr std::size_t kEndBytes = 22;
  const auto end = bytes.rfind(kEnd);
  return end != bytes.npos && bytes.size() - end >= kEndBytes;
}

}  // namespace

Result<Package> Package::open(std::string_view bytes) {
  ArchiveLimits limits;
  limits.max_total_bytes = 192u << 20;
  CASTIEL_ASSIGN(auto unpacked, unpack_archive(bytes, {}, limits));
  if (!is_whole(bytes)) return permanent("corrupt", "the document breaks off");
  Package package;
  for (auto& member : unpacked.members) {
    package.by_lower_.emplace(lowered(member.name), member.name);
    package.parts_.emplace(std::move(member.name), std::move(member.bytes));
  }
  return package;
}

const std::string* Package::find(std::string_view path) const {
  while (path.starts_with('/')) path.remove_prefix(1);
  const auto known = by_lower_.find(lowered(path));
  if (known == by_lower_.end()) return nullptr;
  return &parts_.at(known->second);
}

std::vector<std::string> Package::names_under(std::string_view folder) const {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : parts_) {
    if (name.starts_with(folder)) names.push_back(name);
  }
  return names;
}

std::string Package::take(std::string_view path) {
  const auto known = by_lower_.find(lowered(path));
  return known == by_lower_.end() ? std::string() : std::exchange(parts_.at(known->second), {});
}

std::vector<Package::Relation> Package::relations_of(std::string_view part) const {
  const std::string folder = folder_of(part);
  const std::string path = folder + "_rels/" + std::string(part.substr(folder.size())) + ".rels";
  std::vector<Relation> relations;
  const auto* xml = find(path);
  if (!xml) return relations;
  const auto tree = parse_xml(*xml);
  if (!tree) return relations;
  for (const auto& node : (*tree)->document_element()) {
    if (local(node) != "Relationship") continue;
    Relation relation;
    relation.id = attribute(node, "Id");
    const auto type = attribute(node, "Type");
    relation.type = type.substr(type.find_last_of('/') + 1);
    relation.external = attribute(node, "TargetMode") == "External";
    const auto target = attribute(node, "Target");
    relation.target = relation.external ? std::string(target) : resolve(folder, target);
    relations.push_back(std::move(relation));
  }
  return relations;
}

Result<std::unique_ptr<pugi::xml_document>> parse_xml(std::string_view xml, bool spaces) {
  if (xml.size() > kMaxXmlTreeBytes)
    return permanent("too_large", "a part of the document is too large to be read");
  auto tree = std::make_unique<pugi::xml_document>();
  const auto flags = pugi::parse_default | (spaces ? pugi::parse_ws_pcdata : pugi::parse_ws_pcdata_single);
  const auto outcome = tree->load_buffer(xml.data(), xml.size(), flags);
  // A tree that breaks off late is still worth reading; one without a root is nothing.
  if (!outcome && !tree->document_element())
    return permanent("corrupt", "a part of the document is no XML", outcome.description());
  return tree;
}

Result<std::unique_ptr<pugi::xml_document>> parse_part(const Package& package, std::string_view path,
                                                       bool spaces) {
  const auto* xml = package.find(path);
  if (!xml) return permanent("corrupt", "a part of the document is missing", std::string(path));
  return parse_xml(*xml, spaces);
}

std::string_view local_name(const char* name) {
  const std::string_view whole = name;
  return whole.substr(whole.find(':') + 1);
}

std::string_view local(const pugi::xml_node& node) {
  return local_name(node.name());
}

pugi::xml_node child(const pugi::xml_node& node, std::string_view name) {
  for (const auto& candidate : node) {
    if (local(candidate) == name) return candidate;
  }
  return {};
}

std::string_view attribute(const pugi::xml_node& node, std::string_view name) {
  for (const auto& candidate : node.attributes()) {
    if (local_name(candidate.name()) == name) return candidate.value();
  }
  return {};
}

std::string text_of(const pugi::xml_node& node, int depth) {
  std::string result;
  if (depth > kMaxMarkupDepth) return result;
  for (const auto& part : node) {
    if (part.type() == pugi::node_pcdata || part.type() == pugi::node_cdata)
      result += part.value();
    else
      result += text_of(part, depth + 1);
  }
  return result;
}

pugi::xml_node descendant(const pugi::xml_node& node, std::string_view name, int depth) {
  if (depth > kMaxMarkupDepth) return {};
  for (const auto& part : node) {
    if (local(part) == name) return part;
    if (const auto found = descendant(part, name, depth + 1)) return found;
  }
  return {};
}

std::string folder_of(std::string_view path) {
  return std::string(path.substr(0, path.find_last_of('/') + 1));
}

std::string resolve(std::string_view folder, std::string_view target) {
  std::string path =
      target.starts_with('/') ? std::string(target.substr(1)) : std::string(folder) + std::string(target);
  std::vector<std::string_view> parts;
  std::string_view rest = path;
  while (!rest.empty()) {
    const auto end = rest.find('/');
    const auto part = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (part == ".." && !parts.empty())
      parts.pop_back();
    else if (!part.empty() && part != "." && part != "..")
      parts.push_back(part);
  }
  std::string result;
  for (const auto part : parts) {
    if (!result.empty()) result += '/';
    result += part;
  }
  return result;
}

}  // namespace castiel::content::documents::impl
