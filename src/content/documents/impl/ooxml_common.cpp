// What Word, Excel and PowerPoint files share.

#include <algorithm>
#include <array>
#include <set>

#include "content/documents/impl/compound_file.hpp"
#include "content/documents/impl/formats.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr int kMaxDrawingParts = 500;

// The file that an OLE object (MS-OLEDS) wraps, with its name where the wrapper has one; else the object
// itself.
std::string unwrapped(std::string bytes, std::string& name) {
  if (!bytes.starts_with("\xD0\xCF\x11\xE0")) return bytes;
  const auto file = CompoundFile::open(bytes);
  if (!file) return bytes;
  for (const std::string_view stream : {"CONTENTS", "Package"}) {
    auto inner = file->stream(stream);
    if (inner.starts_with("%PDF-")) name += ".pdf";
    if (inner.starts_with("%PDF-") || inner.starts_with("PK")) return inner;
  }
  // Size, two bytes, label, path, eight bytes with a length, path again, then the size and the file.
  const std::string native = file->stream("\x01Ole10Native");
  std::size_t at = 6;
  const auto skip_text = [&] {
    const auto end = std::min(native.find('\0', at), native.size());
    auto text = native.substr(std::min(at, native.size()), end - std::min(at, end));
    at = end + 1;
    return text;
  };
  const auto label = skip_text();
  skip_text();
  at += 4;
  at += 4 + little32(native, at);
  const std::size_t size = little32(native, at);
  if (label.empty() || size == 0 || at + 4 + size > native.size()) return bytes;
  name = label;
  return native.substr(at + 4, size);
}

}  // namespace

void add_paragraph_lines(const pugi::xml_node& node, Builder& builder, int depth) {
  if (depth > kMaxMarkupDepth || builder.full()) return;
  for (const auto& part : node) {
    const auto name = local(part);
    if (name == "p") {
      builder.line(text_of(part));
    } else if (name == "strCache" || name == "numCache" || name == "strLit" || name == "numLit" ||
               name == "lvl") {
      std::string values;
      for (const auto& point : part) {
        if (local(point) == "pt") values += (values.empty() ? "" : "\t") + text_of(child(point, "v"));
        if (local(point) == "lvl") add_paragraph_lines(part, builder, depth + 1);
      }
      builder.line(values);
    } else {
      add_paragraph_lines(part, builder, depth + 1);
    }
  }
}

void read_core_properties(const Package& package, Metadata& metadata) {
  std::string path = "docProps/core.xml";
  for (const auto& relation : package.relations_of("")) {
    if (relation.type == "core-properties" && !relation.external) path = relation.target;
  }
  const auto* xml = package.find(path);
  if (!xml) return;
  const auto tree = parse_xml(*xml);
  if (!tree) return;
  for (const auto& node : (*tree)->document_element()) {
    const auto name = local(node);
    if (name == "title")
      metadata.title = text_of(node);
    else if (name == "creator")
      metadata.author = text_of(node);
    else if (name == "created")
      metadata.created = text_of(node);
    else if (name == "modified")
      metadata.modified = text_of(node);
  }
}

void add_drawing_text(Builder& builder, const Package& package, std::string_view part) {
  int parts = 0;
  std::set<std::string> seen;
  for (const auto& relation : package.relations_of(part)) {
    const bool drawing = relation.type == "diagramData" || relation.type == "chart" ||
                         relation.type == "drawing" || relation.type == "chartUserShapes" ||
                         relation.type == "chartEx";
    if (!drawing || relation.external || ++parts > kMaxDrawingParts || !seen.insert(relation.target).second)
      continue;
    const auto tree = parse_part(package, relation.target);
    if (!tree) continue;
    add_paragraph_lines((*tree)->document_element(), builder);
    // A drawing of a sheet holds charts and diagrams of its own.
    if (relation.type == "drawing" && relation.target != part)
      add_drawing_text(builder, package, relation.target);
  }
}

void add_embedded(Builder& builder, Package& package, std::string_view folder) {
  for (const std::string_view inner : {"embeddings/", "media/"}) {
    for (const auto& name : package.names_under(std::string(folder) + std::string(inner))) {
      std::string short_name = name.substr(name.find_last_of('/') + 1);
      std::string bytes = unwrapped(package.take(name), short_name);
      builder.embed(short_name, media_type_of(short_name), std::move(bytes));
    }
  }
}

}  // namespace castiel::content::documents::impl
