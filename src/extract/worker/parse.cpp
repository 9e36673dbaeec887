#include "extract/worker/parse.hpp"

#include "base/digest.hpp"
#include "content/documents/archive.hpp"
#include "content/documents/document.hpp"
#include "content/sniff.hpp"
#include "extract/worker/ocr.hpp"
#include "extract/worker/pdf.hpp"

namespace castiel::extract::worker {
namespace {

constexpr std::size_t kSniffBytes = 64 << 10;
constexpr int kMaxNesting = 4;  // of files in files whose text is read

content::Sniffed recognise(std::string_view bytes, std::string_view name) {
  const auto tail = bytes.size() > kSniffBytes
                        ? bytes.substr(std::max(kSniffBytes, bytes.size() - kSniffBytes))
                        : std::string_view{};
  return content::sniff(bytes.substr(0, kSniffBytes), tail, name);
}

Result<content::documents::ParsedDocument> parse_document(std::string_view bytes, std::string_view name,
                                                          const content::Sniffed& found) {
  if (found.document_type == "pdf") return parse_pdf(bytes, name);
  if (found.document_type == "image") return parse_image(bytes, name, found.media_type);
  return content::documents::parse_document(bytes, name);
}

// The text of the files inside, as "text" of their entries in `listed`.
void read_nested(json::object& structure, std::string_view listed,
                 const std::vector<content::documents::EmbeddedFile>& parts, int depth) {
  auto* entries = structure.if_contains(listed);
  if (!entries || !entries->is_array() || depth >= kMaxNesting) return;
  for (auto& entry : entries->as_array()) {
    const auto part = int_or(entry.as_object(), "part", -1);
    if (part < 0 || static_cast<std::size_t>(part) >= parts.size()) continue;
    const auto& file = parts[static_cast<std::size_t>(part)];
    const auto found = recognise(file.bytes, file.name);
    if (found.kind != content::FileKind::document || found.document_type == "image") continue;
    auto inner = parse_document(file.bytes, file.name, found);
    if (!inner) continue;
    read_nested(inner->structure, "embedded", inner->parts, depth + 1);
    std::string text = string_or(inner->structure, "text");
    if (const auto* deeper = get_array(inner->structure, "embedded")) {
      for (const auto& one : *deeper) {
        const auto more = string_or(one.as_object(), "text");
        if (!more.empty()) text += '\n' + more;
      }
    }
    entry.as_object()["text"] = std::move(text);
  }
}

Result<Extracted> parse_archive(const Request& request) {
  CASTIEL_ASSIGN(auto members, content::documents::unpack_archive(request.bytes, request.name));
  Extracted result;
  json::array files;
  for (auto& member : members) {
    Part part{member.name, recognise(member.bytes, member.name).media_type, sha256_hex(member.bytes), {}};
    part.bytes = std::move(member.bytes);
    files.emplace_back(json::object{{"name", part.name},
                                    {"mimeType", part.media_type},
                                    {"size", part.bytes.size()},
                                    {"sha256", part.sha256},
                                    {"part", result.parts.size()}});
    result.parts.push_back(std::move(part));
  }
  result.structure = json::object{{"kind", "archive"}, {"files", std::move(files)}};
  return result;
}

}  // namespace

Result<Extracted> parse(const Request& request) {
  const auto found = recognise(request.bytes, request.name);
  const bool archive =
      request.as == "archive" || (request.as.empty() && found.kind == content::FileKind::archive);
  if (archive) return parse_archive(request);
  CASTIEL_ASSIGN(auto document, parse_document(request.bytes, request.name, found));
  if (request.nested_text) read_nested(document.structure, "embedded", document.parts, 0);
  Extracted result;
  result.structure = std::move(document.structure);
  for (auto& file : document.parts)
    result.parts.push_back(
        {std::move(file.name), std::move(file.media_type), std::move(file.sha256), std::move(file.bytes)});
  return result;
}

}  // namespace castiel::extract::worker
