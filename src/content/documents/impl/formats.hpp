#pragma once
// The readers of the formats, one file each. Pure; errors as parse_document's.

#include <string_view>

#include "content/documents/builder.hpp"
#include "content/documents/document.hpp"
#include "content/documents/impl/package.hpp"

namespace castiel::content::documents::impl {

Result<ParsedDocument> read_docx(Package package);
Result<ParsedDocument> read_xlsx(Package package);
Result<ParsedDocument> read_pptx(Package package);
Result<ParsedDocument> read_odf(Package package, std::string_view type);
Result<ParsedDocument> read_epub(Package package);
Result<ParsedDocument> read_html(std::string_view bytes);
Result<ParsedDocument> read_rtf(std::string_view bytes);
Result<ParsedDocument> read_plain(std::string_view bytes, std::string_view type, std::string_view media_type);
Result<ParsedDocument> read_delimited(std::string_view bytes);
Result<ParsedDocument> read_xml(std::string_view bytes);
// DOC, XLS, PPT; and what stands encrypted in a compound file.
Result<ParsedDocument> read_compound(std::string_view bytes, std::string_view type);

// The text of an HTML page's blocks, and its tables, into a document being built.
void add_html(Builder& builder, std::string_view html_utf8);

// Title, author and dates of docProps/core.xml.
void read_core_properties(const Package& package, Metadata& metadata);
// One line a paragraph (a:p), and what charts remember of their series (c:v).
void add_paragraph_lines(const pugi::xml_node& node, Builder& builder, int depth = 0);
// Text in drawings, charts and diagrams of a part: a line a paragraph.
void add_drawing_text(Builder& builder, const Package& package, std::string_view part);
// The files under `folder` that are documents of their own, and pictures.
void add_embedded(Builder& builder, Package& package, std::string_view folder);

}  // namespace castiel::content::documents::impl
