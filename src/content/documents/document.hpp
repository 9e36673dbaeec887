#pragma once
// Documents as structure: text, tables, slides, sheets and the files inside, from the bytes of office files,
// HTML, RTF and text. Pure functions, thread-safe; bounded in time and memory by the limits below.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::content::documents {

inline constexpr std::size_t kMaxDocumentBytes = 256u << 20;  // of the file: more is too_large
inline constexpr std::size_t kMaxTextBytes =
    24u << 20;  // of extracted text: the rest is left out, with a warning
inline constexpr std::size_t kMaxEmbeddedFiles = 500;        // more are left out, with a warning
inline constexpr std::size_t kMaxEmbeddedBytes = 64u << 20;  // of all embedded files together
inline constexpr int kMaxMarkupDepth = 256;                  // of nested elements: deeper ones are left out

// A file inside the document: an image, a workbook behind a chart, an attachment.
struct EmbeddedFile {
  std::string name;
  std::string media_type;
  std::string sha256;  // hex
  std::string bytes;
};

struct ParsedDocument {
  // {"kind":"document","documentType","mimeType","title","author","createdAt","modifiedAt","text",
  //  "pages":[{"number","text","ocr"}],"tables":[{"page"|"sheet"|"slide":N,"rows":[[…]]}],
  //  "slides":[{"number","text","notes","hidden"}],"sheets":[{"name","rows"}],
  //  "embedded":[{"name","mimeType","size","sha256","part":N}],"warnings":[…]}
  // Times are RFC 3339 or null; numbers count from 1; "part" is the index into `parts`.
  json::object structure;
  std::vector<EmbeddedFile> parts;
};

// DOCX, XLSX, PPTX, OpenDocument, EPUB, RTF, HTML, Markdown, text, tables as text, and the text of DOC, XLS
// and PPT; which one it is, the content says, and `name` where the content leaves it open. Errors, all
// permanent: encrypted, corrupt, too_large, bomb, unsupported (PDF and images among them: they need libraries
// of their own).
Result<ParsedDocument> parse_document(std::string_view bytes, std::string_view name);

}  // namespace castiel::content::documents
