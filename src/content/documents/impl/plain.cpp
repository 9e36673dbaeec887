// Text, Markdown, tables as text and XML of no known kind.

#include "base/utf8.hpp"
#include "content/csv.hpp"
#include "content/documents/impl/charset.hpp"
#include "content/documents/impl/formats.hpp"
#include "content/impl/sniff_parts.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr std::size_t kMaxRows = 200'000;

// Rows of a Markdown table: lines that begin with a bar, the second one dashes.
bool is_ruler(std::string_view line) {
  return line.find('-') != std::string_view::npos &&
         line.find_first_not_of("|-: \t") == std::string_view::npos;
}

std::vector<std::string> bar_cells(std::string_view line) {
  std::vector<std::string> cells;
  line = content::impl::trim(line);
  if (line.starts_with('|')) line.remove_prefix(1);
  if (line.ends_with('|')) line.remove_suffix(1);
  std::string cell;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|') {
      cell += line[++i];
    } else if (i == line.size() || line[i] == '|') {
      cells.emplace_back(content::impl::trim(cell));
      cell.clear();
    } else {
      cell += line[i];
    }
  }
  return cells;
}

void add_markdown_tables(Builder& builder, std::string_view text) {
  std::string_view before;
  while (!text.empty()) {
    const auto line = content::impl::take_line(text);
    if (before.find('|') == std::string_view::npos || line.find('|') == std::string_view::npos ||
        !is_ruler(line)) {
      before = line;
      continue;
    }
    Rows rows{bar_cells(before)};
    while (!text.empty() && rows.size() < kMaxRows) {
      auto rest = text;
      const auto row = content::impl::take_line(rest);
      if (row.find('|') == std::string_view::npos) break;
      rows.push_back(bar_cells(row));
      text = rest;
    }
    builder.table_without_text(rows, "", 0);
    before = {};
  }
}

void add_xml_text(const pugi::xml_node& node, Builder& builder, int depth) {
  if (depth > kMaxMarkupDepth || builder.full()) return;
  for (const auto& part : node) {
    if (part.type() == pugi::node_pcdata || part.type() == pugi::node_cdata)
      builder.line(content::impl::trim(part.value()));
    else
      add_xml_text(part, builder, depth + 1);
  }
}

}  // namespace

Result<ParsedDocument> read_plain(std::string_view bytes, std::string_view type,
                                  std::string_view media_type) {
  Builder builder;
  const std::string text = to_utf8(bytes);
  builder.line(text);
  if (type == "md") add_markdown_tables(builder, text);
  return std::move(builder).finish(type, media_type);
}

Result<ParsedDocument> read_delimited(std::string_view bytes) {
  Builder builder;
  const std::string text = to_utf8(bytes);
  const auto table =
      sniff_csv(std::string_view(text).substr(0, kCsvSampleBytes), text.size() <= kCsvSampleBytes);
  CsvReader reader(table.dialect);
  reader.push(text);
  reader.finish();
  Rows rows;
  while (const auto* record = reader.next()) {
    if (!record->error.empty()) {
      rows.emplace_back(1, std::string(record->source));
      continue;
    }
    rows.emplace_back(record->fields.begin(), record->fields.end());
    if (rows.size() >= kMaxRows) {
      builder.warn("more rows than are kept");
      break;
    }
  }
  builder.table(rows, "", 0);
  return std::move(builder).finish("csv", "text/csv");
}

Result<ParsedDocument> read_xml(std::string_view bytes) {
  Builder builder;
  CASTIEL_ASSIGN(const auto tree, parse_xml(bytes));
  add_xml_text(*tree, builder, 0);
  return std::move(builder).finish("xml", "application/xml");
}

}  // namespace castiel::content::documents::impl
