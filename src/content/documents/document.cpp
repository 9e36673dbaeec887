#include "content/documents/document.hpp"

#include <algorithm>

#include "content/documents/impl/formats.hpp"
#include "content/documents/impl/legacy_xls.hpp"
#include "content/sniff.hpp"

namespace castiel::content::documents {
namespace {

constexpr std::size_t kSniffBytes = 64 << 10;

Sniffed recognise(std::string_view bytes, std::string_view name) {
  const auto head = bytes.substr(0, kSniffBytes);
  const auto tail = bytes.size() > kSniffBytes
                        ? bytes.substr(std::max(kSniffBytes, bytes.size() - kSniffBytes))
                        : std::string_view{};
  return sniff(head, tail, name);
}

Result<ParsedDocument> read_package(std::string_view bytes, std::string_view type) {
  CASTIEL_ASSIGN(auto package, impl::Package::open(bytes));
  if (type == "docx") return impl::read_docx(std::move(package));
  if (type == "xlsx") return impl::read_xlsx(std::move(package));
  if (type == "pptx") return impl::read_pptx(std::move(package));
  if (type == "epub") return impl::read_epub(std::move(package));
  return impl::read_odf(std::move(package), type);
}

}  // namespace

Result<ParsedDocument> parse_document(std::string_view bytes, std::string_view name) {
  if (bytes.size() > kMaxDocumentBytes) return permanent("too_large", "the document is larger than is read");
  const auto found = recognise(bytes, name);
  const std::string_view type = found.document_type;
  if (bytes.starts_with("\xD0\xCF\x11\xE0")) return impl::read_compound(bytes, type);
  if (type == "docx" || type == "xlsx" || type == "pptx" || type == "odt" || type == "ods" || type == "odp" ||
      type == "epub")
    return read_package(bytes, type);
  if (type == "xls") return impl::read_xls(bytes);
  if (type == "html") return impl::read_html(bytes);
  if (type == "rtf") return impl::read_rtf(bytes);
  if (type == "xml") return impl::read_xml(bytes);
  if (found.kind == FileKind::table && found.media_type != "application/json")
    return impl::read_delimited(bytes);
  if (type == "txt" || type == "md") return impl::read_plain(bytes, type, found.media_type);
  // Text that is more than text to others is still text to whoever asks for a document.
  if (found.kind == FileKind::table || found.kind == FileKind::email || found.kind == FileKind::mailbox ||
      found.kind == FileKind::transcript || found.kind == FileKind::calendar)
    return impl::read_plain(bytes, "txt", "text/plain");
  return permanent("unsupported", "no document of a known kind" +
                                      (found.media_type.empty() ? std::string() : ": " + found.media_type));
}

}  // namespace castiel::content::documents
