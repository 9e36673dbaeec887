// OpenDocument 1.2 text, spreadsheets and presentations; and EPUB, a zip of pages.

#include <algorithm>
#include <charconv>

#include "content/documents/impl/charset.hpp"
#include "content/documents/impl/formats.hpp"
#include "content/impl/sniff_parts.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr std::size_t kMaxCells = 600'000;
constexpr int kMaxRepeated = 1'000;  // of one cell or row that has text; empty ones at the end cost nothing
constexpr int kMaxSpaces = 1'000;
constexpr int kMaxSpan = 64;

int integer(std::string_view text, int fallback) {
  int value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

class OdfReader {
 public:
  OdfReader(Package& package, std::string_view type) : package_(package), type_(type) {}

  Result<ParsedDocument> read() {
    if (const auto* manifest = package_.find("META-INF/manifest.xml");
        manifest && manifest->find("encryption-data") != std::string::npos)
      return permanent("encrypted", "the document needs a password");
    CASTIEL_ASSIGN(const auto tree, parse_part(package_, "content.xml", true));
    read_meta();
    const auto body = child(tree->document_element(), "body");
    // What the member "mimetype" says may be wrong; the body's only child is right.
    if (child(body, "spreadsheet"))
      type_ = "ods";
    else if (child(body, "presentation"))
      type_ = "odp";
    else if (child(body, "text"))
      type_ = "odt";
    if (type_ == "odt") read_around("header");
    if (type_ == "ods") {
      int number = 0;
      for (const auto& table : child(body, "spreadsheet")) {
        if (local(table) == "table") sheet(table, ++number);
      }
    } else if (type_ == "odp") {
      int number = 0;
      for (const auto& page : child(body, "presentation")) {
        if (local(page) == "page") slide(page, ++number);
      }
      read_around("");
    } else {
      blocks(body, 0, nullptr);
    }
    if (type_ == "odt") read_around("footer");
    for (const std::string_view folder : {"Pictures/", "media/"}) {
      for (const auto& name : package_.names_under(folder))
        builder_.embed(name.substr(name.find_last_of('/') + 1), media_type_of(name), package_.take(name));
    }
    const std::string_view family = type_ == "ods" ? "spreadsheet" : type_ == "odp" ? "presentation" : "text";
    return std::move(builder_).finish(type_, "application/vnd.oasis.opendocument." + std::string(family));
  }

 private:
  using Lines = std::vector<std::string>;

  void read_meta() {
    const auto* xml = package_.find("meta.xml");
    if (!xml) return;
    const auto tree = parse_xml(*xml);
    if (!tree) return;
    auto& metadata = builder_.metadata();
    for (const auto& node : child((*tree)->document_element(), "meta")) {
      const auto name = local(node);
      if (name == "title")
        metadata.title = text_of(node);
      else if (name == "initial-creator" || (name == "creator" && metadata.author.empty()))
        metadata.author = text_of(node);
      else if (name == "creation-date")
        metadata.created = text_of(node);
      else if (name == "date")
        metadata.modified = text_of(node);
    }
  }

  // Headers and footers of the master pages; of a presentation everything they show.
  void read_around(std::string_view what) {
    const auto* xml = package_.find("styles.xml");
    if (!xml) return;
    const auto tree = parse_xml(*xml, true);
    if (!tree) return;
    for (const auto& master : child((*tree)->document_element(), "master-styles")) {
      if (what.empty() && local(master) == "master-page") blocks(master, 0, nullptr);
      for (const auto& part : master) {
        if (!what.empty() && local(part).starts_with(what)) blocks(part, 0, nullptr);
      }
    }
  }

  void emit(std::string text, Lines* lines) {
    if (lines)
      lines->push_back(std::move(text));
    else
      builder_.line(text);
  }

  void blocks(const pugi::xml_node& parent, int depth, Lines* lines) {
    if (depth > kMaxMarkupDepth || builder_.full()) return;
    for (const auto& node : parent) {
      const auto name = local(node);
      if (name == "p" || name == "h") {
        paragraph(node, depth, lines);
      } else if (name == "table" && std::string_view(node.name()).starts_with("table")) {
        table(node, depth, lines);
      } else if (name == "notes") {
        Lines inner;
        blocks(node, depth + 1, &inner);
        for (auto& line : inner) notes_ += line + '\n';
      } else if (name == "tracked-changes" || name == "forms" || name == "sequence-decls" ||
                 name == "variable-decls" || name == "scripts" || name == "date" || name == "page-number") {
        continue;
      } else if (name == "title" || name == "desc") {
        if (std::string_view(node.name()).starts_with("svg")) emit(text_of(node), lines);
      } else {
        blocks(node, depth + 1, lines);
      }
    }
  }

  void paragraph(const pugi::xml_node& node, int depth, Lines* lines) {
    std::string text;
    std::vector<pugi::xml_node> after;
    inline_content(node, depth + 1, text, after);
    emit(std::move(text), lines);
    for (const auto& inner : after) blocks(inner, depth + 1, lines);
  }

  void inline_content(const pugi::xml_node& parent, int depth, std::string& out,
                      std::vector<pugi::xml_node>& after) {
    if (depth > kMaxMarkupDepth || out.size() > kMaxTextBytes) return;
    for (const auto& node : parent) {
      if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) {
        add_text(node.value(), out);
        continue;
      }
      const auto name = local(node);
      if (name == "s")
        out.append(static_cast<std::size_t>(std::clamp(integer(attribute(node, "c"), 1), 0, kMaxSpaces)),
                   ' ');
      else if (name == "tab")
        out += '\t';
      else if (name == "line-break")
        out += '\n';
      else if (name == "note")
        after.push_back(child(node, "note-body"));
      else if (name == "annotation")
        after.push_back(node);
      else if (name == "tracked-changes" || name == "ruby-text")
        continue;
      else if (name == "frame" || name == "custom-shape" || name == "text-box" || name == "rect" ||
               name == "g")
        after.push_back(node);
      else
        inline_content(node, depth + 1, out, after);
    }
  }

  // Runs of white space count as one space; others are elements of their own.
  static void add_text(std::string_view text, std::string& out) {
    for (const char c : text) {
      const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
      if (!space)
        out += c;
      else if (!out.empty() && out.back() != ' ' && out.back() != '\n')
        out += ' ';
    }
  }

  struct Cell {
    std::string text;
    int repeated = 1;
  };

  Cell cell(const pugi::xml_node& node, int depth) {
    Cell result;
    result.repeated = std::max(1, integer(attribute(node, "number-columns-repeated"), 1));
    const auto kind = attribute(node, "value-type");
    if (kind == "date") {
      result.text = attribute(node, "date-value");
      if (const auto at = result.text.find("T00:00:00"); at != std::string::npos) result.text.resize(at);
      return result;
    }
    Lines lines;
    blocks(node, depth + 1, &lines);
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    for (std::size_t i = 0; i < lines.size(); ++i) result.text.append(i > 0 ? "\n" : "").append(lines[i]);
    return result;
  }

  void rows(const pugi::xml_node& parent, int depth, Rows& out) {
    if (depth > kMaxMarkupDepth) return;
    for (const auto& node : parent) {
      const auto name = local(node);
      if (name == "table-header-rows" || name == "table-rows" || name == "table-row-group")
        rows(node, depth + 1, out);
      if (name != "table-row") continue;
      std::vector<std::string> values;
      for (const auto& part : node) {
        const auto kind = local(part);
        if (kind != "table-cell" && kind != "covered-table-cell") continue;
        Cell found = cell(part, depth);
        const auto times = static_cast<std::size_t>(std::min(found.repeated, kMaxRepeated));
        if (cells_ + times > kMaxCells) {
          builder_.warn("more cells than are kept");
          return;
        }
        cells_ += times;
        values.insert(values.end(), times, found.text);
      }
      while (!values.empty() && values.back().empty() && type_ == "ods") values.pop_back();
      const int repeated = std::max(1, integer(attribute(node, "number-rows-repeated"), 1));
      const auto times = static_cast<std::size_t>(values.empty() ? std::min(repeated, 100)
                                                                 : std::min(repeated, kMaxRepeated));
      if (cells_ + times * values.size() > kMaxCells) return;
      cells_ += times * values.size();
      out.insert(out.end(), times, values);
    }
  }

  // The places a merged cell covers, as the cell.
  static void fill_covered(const pugi::xml_node& table, Rows& grid, int depth) {
    std::size_t row = 0;
    fill_rows(table, grid, row, depth);
  }
  static void fill_rows(const pugi::xml_node& parent, Rows& grid, std::size_t& row, int depth) {
    if (depth > kMaxMarkupDepth) return;
    for (const auto& node : parent) {
      const auto name = local(node);
      if (name == "table-header-rows" || name == "table-rows" || name == "table-row-group")
        fill_rows(node, grid, row, depth + 1);
      if (name != "table-row" || row >= grid.size()) continue;
      std::size_t column = 0;
      for (const auto& part : node) {
        const int right = std::clamp(integer(attribute(part, "number-columns-spanned"), 1), 1, kMaxSpan);
        const int down = std::clamp(integer(attribute(part, "number-rows-spanned"), 1), 1, kMaxSpan);
        if (local(part) == "table-cell" && right * down > 1 && column < grid[row].size()) {
          const std::string text = grid[row][column];
          for (auto r = row; r < std::min(row + static_cast<std::size_t>(down), grid.size()); ++r) {
            for (auto c = column; c < std::min(column + static_cast<std::size_t>(right), grid[r].size()); ++c)
              grid[r][c] = text;
          }
        }
        column += static_cast<std::size_t>(
            std::clamp(integer(attribute(part, "number-columns-repeated"), 1), 1, kMaxRepeated));
      }
      row += static_cast<std::size_t>(
          std::clamp(integer(attribute(node, "number-rows-repeated"), 1), 1, kMaxRepeated));
    }
  }

  static std::string joined(const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line.append(i > 0 ? "\t" : "").append(row[i]);
    return line;
  }

  void table(const pugi::xml_node& node, int depth, Lines* lines) {
    Rows grid;
    rows(node, depth, grid);
    for (const auto& row : grid) emit(joined(row), lines);
    fill_covered(node, grid, depth);
    builder_.table_without_text(grid, slide_ > 0 ? "slide" : "", slide_);
  }

  void sheet(const pugi::xml_node& node, int number) {
    Rows grid;
    builder_.line(attribute(node, "name"));
    rows(node, 0, grid);
    while (!grid.empty() && grid.back().empty()) grid.pop_back();
    for (const auto& row : grid) builder_.line(joined(row));
    if (const auto shapes = child(node, "shapes")) blocks(shapes, 0, nullptr);
    builder_.sheet(attribute(node, "name"), to_json(grid), false);
    fill_covered(node, grid, 0);
    builder_.table_without_text(grid, "sheet", number);
  }

  void slide(const pugi::xml_node& node, int number) {
    slide_ = number;
    Lines lines;
    notes_.clear();
    blocks(node, 0, &lines);
    std::string text;
    for (const auto& line : lines) {
      if (!line.empty()) text += line + '\n';
    }
    builder_.line(text);
    builder_.line(notes_);
    while (text.ends_with('\n')) text.pop_back();
    while (notes_.ends_with('\n')) notes_.pop_back();
    builder_.slide(number, text, notes_, false);
    slide_ = 0;
  }

  Package& package_;
  std::string type_;
  Builder builder_;
  std::string notes_;
  int slide_ = 0;
  std::size_t cells_ = 0;
};

}  // namespace

Result<ParsedDocument> read_odf(Package package, std::string_view type) {
  return OdfReader(package, type).read();
}

Result<ParsedDocument> read_epub(Package package) {
  Builder builder;
  CASTIEL_ASSIGN(const auto container, parse_part(package, "META-INF/container.xml"));
  const std::string path(attribute(descendant(container->document_element(), "rootfile"), "full-path"));
  CASTIEL_ASSIGN(const auto tree, parse_part(package, path));
  const auto root = tree->document_element();
  for (const auto& node : child(root, "metadata")) {
    if (local(node) == "title" && builder.metadata().title.empty()) builder.metadata().title = text_of(node);
    if (local(node) == "creator") builder.metadata().author = text_of(node);
  }
  const auto manifest = child(root, "manifest");
  for (const auto& reference : child(root, "spine")) {
    for (const auto& item : manifest) {
      if (attribute(item, "id") != attribute(reference, "idref")) continue;
      if (const auto* page = package.find(resolve(folder_of(path), attribute(item, "href"))))
        add_html(builder, to_utf8(*page));
    }
  }
  return std::move(builder).finish("epub", "application/epub+zip");
}

}  // namespace castiel::content::documents::impl
