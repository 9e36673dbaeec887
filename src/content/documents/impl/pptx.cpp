// PresentationML, ECMA-376 part 1: slides in the order of the presentation, each with its own notes.

#include <algorithm>
#include <charconv>
#include <set>

#include "content/documents/impl/formats.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr int kMaxSlides = 5'000;
constexpr int kMaxSpan = 64;
constexpr std::size_t kMaxTableCells = 500'000;

class PptxReader {
 public:
  explicit PptxReader(Package& package) : package_(package) {}

  Result<ParsedDocument> read() {
    std::string main = "ppt/presentation.xml";
    for (const auto& relation : package_.relations_of("")) {
      if (relation.type == "officeDocument" && package_.find(relation.target)) main = relation.target;
    }
    CASTIEL_ASSIGN(const auto tree, parse_part(package_, main));
    read_core_properties(package_, builder_.metadata());
    const auto relations = package_.relations_of(main);
    int number = 0;
    for (const auto& id : child(tree->document_element(), "sldIdLst")) {
      if (builder_.full() || number >= kMaxSlides) {
        builder_.warn("more slides than are read");
        break;
      }
      // Two attributes are called "id"; the relation's has a prefix.
      std::string_view relation_id;
      for (const auto& candidate : id.attributes()) {
        if (std::string_view(candidate.name()).find(':') != std::string_view::npos)
          relation_id = candidate.value();
      }
      for (const auto& relation : relations) {
        if (relation.id == relation_id) slide(relation.target, ++number);
      }
    }
    for (const auto& layout : layouts_) master_text(layout);
    add_embedded(builder_, package_, "ppt/");
    return std::move(builder_).finish(
        "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation");
  }

 private:
  void slide(const std::string& path, int number) {
    const auto tree = parse_part(package_, path);
    if (!tree) {
      builder_.warn("a slide cannot be read");
      builder_.slide(number, "", "", false);
      return;
    }
    const auto root = (*tree)->document_element();
    const auto show = attribute(root, "show");
    const bool hidden = show == "0" || show == "false";
    relations_ = package_.relations_of(path);
    number_ = number;
    std::string text = shapes_of(root);
    std::string notes, comments;
    const auto relations = relations_;
    for (const auto& relation : relations) {
      if (relation.type == "notesSlide") {
        const auto part = parse_part(package_, relation.target);
        relations_ = package_.relations_of(relation.target);
        if (part) notes += shapes_of((*part)->document_element());
      } else if (relation.type == "comments") {
        const auto part = parse_part(package_, relation.target);
        if (part) add_comments((*part)->document_element(), comments, 0);
      } else if (relation.type == "slideLayout") {
        layouts_.insert(relation.target);
      }
    }
    builder_.line(text);
    builder_.line(notes);
    builder_.line(comments);
    while (text.ends_with('\n')) text.pop_back();
    while (notes.ends_with('\n')) notes.pop_back();
    builder_.slide(number, text, notes, hidden);
  }

  std::string shapes_of(const pugi::xml_node& root) {
    std::string text;
    shapes(child(child(root, "cSld"), "spTree"), 0, text);
    return text;
  }

  void shapes(const pugi::xml_node& parent, int depth, std::string& out) {
    if (depth > kMaxMarkupDepth || out.size() > kMaxTextBytes) return;
    for (const auto& node : parent) {
      const auto name = local(node);
      if (name == "txBody")
        paragraphs(node, out, "\n");
      else if (name == "tbl")
        table(node, out);
      else if (name == "cNvPr")
        add_line(out, attribute(node, "descr"));
      else if (name == "AlternateContent") {
        const auto choice = child(node, "Choice");
        const auto size = out.size();
        shapes(choice, depth + 1, out);
        if (out.size() == size) shapes(child(node, "Fallback"), depth + 1, out);
      } else if (name == "relIds")
        related(attribute(node, "dm"), out);
      else if (name == "chart" && depth > 2)
        related(attribute(node, "id"), out);
      else
        shapes(node, depth + 1, out);
    }
  }

  static void add_line(std::string& out, std::string_view text) {
    if (!text.empty()) out.append(text) += '\n';
  }

  static void paragraphs(const pugi::xml_node& body, std::string& out, std::string_view separator) {
    for (const auto& paragraph : body) {
      if (local(paragraph) != "p") continue;
      std::string text;
      runs(paragraph, text, 0);
      if (!text.empty()) out.append(text).append(separator);
    }
  }

  static void runs(const pugi::xml_node& parent, std::string& out, int depth) {
    if (depth > kMaxMarkupDepth) return;
    for (const auto& node : parent) {
      const auto name = local(node);
      if (name == "t")
        out += node.text().get();
      else if (name == "br")
        out += '\n';
      else if (name == "tab")
        out += '\t';
      else if (name == "AlternateContent")
        runs(child(node, "Choice"), out, depth + 1);
      else if (name != "rPr" && name != "pPr")
        runs(node, out, depth + 1);
    }
  }

  // The text of a diagram or chart that stands in a part of its own.
  void related(std::string_view id, std::string& out) {
    for (const auto& relation : relations_) {
      if (relation.id != id || relation.external) continue;
      const auto tree = parse_part(package_, relation.target);
      if (!tree) continue;
      Builder inner;
      add_paragraph_lines((*tree)->document_element(), inner);
      out += inner.text();
    }
  }

  // Merged cells stand in each place they cover; in the text they stand once.
  void table(const pugi::xml_node& node, std::string& out) {
    Rows grid;
    for (const auto& row : node) {
      if (local(row) != "tr") continue;
      std::vector<std::string> values;
      std::string line;
      for (const auto& cell : row) {
        if (local(cell) != "tc") continue;
        std::string text;
        paragraphs(child(cell, "txBody"), text, "\n");
        while (text.ends_with('\n')) text.pop_back();
        if (!values.empty()) line += '\t';
        line += text;
        if (attribute(cell, "hMerge") == "1" && !values.empty())
          text = values.back();
        else if (attribute(cell, "vMerge") == "1" && !grid.empty() && values.size() < grid.back().size())
          text = grid.back()[values.size()];
        values.push_back(std::move(text));
        if (++cells_ > kMaxTableCells) return;
      }
      add_line(out, line);
      grid.push_back(std::move(values));
    }
    builder_.table_without_text(grid, "slide", number_);
  }

  static void add_comments(const pugi::xml_node& node, std::string& out, int depth) {
    if (depth > kMaxMarkupDepth) return;
    for (const auto& part : node) {
      const auto name = local(part);
      if (name == "text")
        add_line(out, text_of(part));
      else if (name == "txBody")
        paragraphs(part, out, "\n");
      else
        add_comments(part, out, depth + 1);
    }
  }

  // What layouts and masters show on every slide; their placeholders only say what to type.
  void master_text(const std::string& layout) {
    if (!seen_.insert(layout).second) return;
    const auto tree = parse_part(package_, layout);
    if (!tree) return;
    std::string text;
    for (const auto& shape : child(child((*tree)->document_element(), "cSld"), "spTree")) {
      if (local(shape) == "sp" && !descendant(child(shape, "nvSpPr"), "ph"))
        paragraphs(child(shape, "txBody"), text, "\n");
    }
    builder_.line(text);
    for (const auto& relation : package_.relations_of(layout)) {
      if (relation.type == "slideMaster") master_text(relation.target);
    }
  }

  Package& package_;
  Builder builder_;
  std::vector<Package::Relation> relations_;
  std::set<std::string> layouts_, seen_;
  int number_ = 0;
  std::size_t cells_ = 0;
};

}  // namespace

Result<ParsedDocument> read_pptx(Package package) {
  return PptxReader(package).read();
}

}  // namespace castiel::content::documents::impl
