// WordprocessingML, ECMA-376 part 1: what a reader of the final text sees, in its order, then notes and
// comments.

#include <algorithm>
#include <charconv>
#include <set>

#include "base/utf8.hpp"
#include "content/documents/impl/formats.hpp"
#include "content/documents/impl/numbering.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr int kMaxSpan = 64;  // columns one cell covers
constexpr std::size_t kMaxTableCells = 500'000;

class DocxReader {
 public:
  explicit DocxReader(Package& package) : package_(package), numbering_(package) {}

  Result<ParsedDocument> read() {
    const std::string main = main_part();
    CASTIEL_ASSIGN(const auto tree, parse_part(package_, main));
    const auto body = child(tree->document_element(), "body");
    if (!body) return permanent("corrupt", "the document has no body");
    read_core_properties(package_, builder_.metadata());
    relations_ = package_.relations_of(main);
    const auto relations = relations_;
    read_parts(relations, "header");
    relations_ = relations;
    blocks(body, 0, nullptr);
    read_parts(relations, "footer");
    read_parts(relations, "footnotes");
    read_parts(relations, "endnotes");
    read_parts(relations, "comments");
    add_drawing_text(builder_, package_, main);
    add_embedded(builder_, package_, "word/");
    return std::move(builder_).finish(
        "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document");
  }

 private:
  // The lines of a cell; nothing where the text goes to the document itself.
  using Lines = std::vector<std::string>;

  std::string main_part() const {
    for (const auto& relation : package_.relations_of("")) {
      if (relation.type == "officeDocument" && package_.find(relation.target)) return relation.target;
    }
    return "word/document.xml";
  }

  void read_parts(const std::vector<Package::Relation>& relations, std::string_view type) {
    std::set<std::string> seen;
    for (const auto& relation : relations) {
      if (relation.type != type || !seen.insert(relation.target).second) continue;
      const auto tree = parse_part(package_, relation.target);
      if (!tree) continue;
      relations_ = package_.relations_of(relation.target);
      const auto root = (*tree)->document_element();
      if (type == "header" || type == "footer") {
        blocks(root, 0, nullptr);
        continue;
      }
      for (const auto& note : root) {
        // The lines that part notes from the text are notes of their own type.
        const auto kind = attribute(note, "type");
        if (kind == "separator" || kind == "continuationSeparator" || kind == "continuationNotice") continue;
        blocks(note, 0, nullptr);
      }
    }
  }

  void emit(std::string text, Lines* cell) {
    if (cell)
      cell->push_back(std::move(text));
    else
      builder_.line(text);
  }

  void blocks(const pugi::xml_node& parent, int depth, Lines* cell) {
    if (depth > kMaxMarkupDepth || builder_.full()) return;
    for (const auto& node : parent) {
      const auto name = local(node);
      if (name == "p")
        paragraph(node, depth, cell);
      else if (name == "tbl")
        table(node, depth, cell);
      else if (name == "altChunk")
        chunk(attribute(node, "id"));
      else if (name == "AlternateContent")
        blocks(alternative(node), depth + 1, cell);
      else if (name == "sdt")
        blocks(child(node, "sdtContent"), depth + 1, cell);
      else if (name == "del" || name == "moveFrom" || name == "sectPr" || name == "pPr" || name == "tblPr")
        continue;
      else if (name == "oMathPara" || name == "oMath")
        emit(text_of(node), cell);
      else
        blocks(node, depth + 1, cell);
    }
  }

  static pugi::xml_node alternative(const pugi::xml_node& node) {
    const auto choice = child(node, "Choice");
    return choice ? choice : child(node, "Fallback");
  }

  struct Run {
    std::string text;
    std::vector<pugi::xml_node> boxes;  // text boxes: they follow their paragraph
    std::vector<std::string> field;     // of each open field: "code" or "result"
  };

  void paragraph(const pugi::xml_node& node, int depth, Lines* cell) {
    Run run;
    inline_content(node, depth + 1, run);
    const std::string number = numbering_.next(child(node, "pPr"));
    if (!number.empty() && !run.text.empty()) run.text = number + ' ' + run.text;
    emit(std::move(run.text), cell);
    for (const auto& box : run.boxes) blocks(box, depth + 1, cell);
  }

  void inline_content(const pugi::xml_node& parent, int depth, Run& run) {
    if (depth > kMaxMarkupDepth || run.text.size() > kMaxTextBytes) return;
    for (const auto& node : parent) {
      const auto name = local(node);
      if (name == "t" || name == "delText") {
        if (name == "t" && (run.field.empty() || run.field.back() == "result")) run.text += node.text().get();
      } else if (name == "tab" || name == "ptab") {
        run.text += '\t';
      } else if (name == "br" || name == "cr") {
        run.text += '\n';
      } else if (name == "noBreakHyphen") {
        run.text += "\xE2\x80\x91";
      } else if (name == "softHyphen") {
        run.text += "\xC2\xAD";
      } else if (name == "sym") {
        symbol(attribute(node, "char"), run);
      } else if (name == "fldChar") {
        field(attribute(node, "fldCharType"), run);
      } else if (name == "instrText" || name == "del" || name == "moveFrom" || name == "rPr" ||
                 name == "pPr") {
        continue;
      } else if (name == "ruby") {
        inline_content(child(node, "rubyBase"), depth + 1, run);
        Run reading;
        inline_content(child(node, "rt"), depth + 1, reading);
        if (!reading.text.empty()) run.text += " (" + reading.text + ")";
      } else if (name == "txbxContent") {
        run.boxes.push_back(node);
      } else if (name == "AlternateContent") {
        inline_content(alternative(node), depth + 1, run);
      } else if (name == "oMath" || name == "oMathPara") {
        run.text += text_of(node);
      } else if (name == "p") {  // a paragraph within a paragraph: damaged, yet readable
        run.text += '\n';
        inline_content(node, depth + 1, run);
      } else if (name == "tbl") {
        run.boxes.push_back(parent);
      } else if (name == "textpath") {
        run.text += attribute(node, "string");
      } else if (name == "docPr") {
        alternative_text(node, run);
      } else {
        inline_content(node, depth + 1, run);
      }
    }
  }

  // What the author wrote for those who do not see the picture.
  static void alternative_text(const pugi::xml_node& node, Run& run) {
    const auto text = attribute(node, "descr");
    if (text.empty()) return;
    if (!run.text.empty() && run.text.back() != ' ' && run.text.back() != '\n') run.text += ' ';
    run.text += text;
  }

  static void field(std::string_view mark, Run& run) {
    if (mark == "begin")
      run.field.emplace_back("code");
    else if (mark == "separate" && !run.field.empty())
      run.field.back() = "result";
    else if (mark == "end" && !run.field.empty())
      run.field.pop_back();
  }

  // Symbol fonts put their signs in the private area; those of the text fonts are what they say.
  static void symbol(std::string_view hex, Run& run) {
    std::uint32_t code = 0;
    std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (code >= 0x20 && (code < 0xE000 || code > 0xF8FF)) append_utf8(run.text, code);
  }

  void chunk(std::string_view id) {
    for (const auto& relation : relations_) {
      if (relation.id != id) continue;
      const auto* bytes = package_.find(relation.target);
      if (!bytes) return;
      if (bytes->starts_with("PK"))
        builder_.warn("a document inside the document was not read");
      else
        add_html(builder_, html_of(*bytes));
    }
  }

  // The page in a web archive (RFC 2557) begins at its first tag; quoted-printable is undone.
  static std::string html_of(const std::string& bytes) {
    if (bytes.find("quoted-printable") == std::string::npos) return bytes;
    std::string result;
    const auto digit = [](char c) {
      return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] != '=') {
        result += bytes[i];
      } else if (i + 1 < bytes.size() && (bytes[i + 1] == '\n' || bytes[i + 1] == '\r')) {
        i += bytes[i + 1] == '\r' ? 2 : 1;
      } else if (i + 2 < bytes.size() && digit(bytes[i + 1]) >= 0 && digit(bytes[i + 2]) >= 0) {
        result += static_cast<char>(digit(bytes[i + 1]) * 16 + digit(bytes[i + 2]));
        i += 2;
      } else {
        result += bytes[i];
      }
    }
    const auto start = result.find("<html");
    const auto end = result.find("</html>");
    if (start == std::string::npos) return result;
    return result.substr(start, end == std::string::npos ? end : end + 7 - start);
  }

  void collect_rows(const pugi::xml_node& parent, std::string_view what, int depth,
                    std::vector<pugi::xml_node>& out) {
    if (depth > kMaxMarkupDepth) return;
    for (const auto& node : parent) {
      const auto name = local(node);
      if (name == what) {
        const auto properties = child(node, "trPr");
        if (!child(properties, "del")) out.push_back(node);
      } else if (name == "sdt") {
        collect_rows(child(node, "sdtContent"), what, depth + 1, out);
      } else if (name == "ins" || name == "customXml" || name == "smartTag") {
        collect_rows(node, what, depth + 1, out);
      }
    }
  }

  // Cells that cover several columns or rows stand in each of them; in the text they stand once.
  void table(const pugi::xml_node& node, int depth, Lines* cell) {
    if (depth > kMaxMarkupDepth) return;
    std::vector<pugi::xml_node> rows;
    collect_rows(node, "tr", depth, rows);
    Rows grid;
    for (const auto& row : rows) {
      std::vector<pugi::xml_node> cells;
      collect_rows(row, "tc", depth, cells);
      std::vector<std::string> values;
      std::string line;
      const int before =
          std::clamp(number(attribute(child(child(row, "trPr"), "gridBefore"), "val"), 0), 0, kMaxSpan);
      values.resize(static_cast<std::size_t>(before));
      for (const auto& tc : cells) {
        const auto properties = child(tc, "tcPr");
        const int span = std::clamp(number(attribute(child(properties, "gridSpan"), "val"), 1), 1, kMaxSpan);
        const auto merge = child(properties, "vMerge");
        std::string text;
        if (merge && attribute(merge, "val") != "restart" && !grid.empty() &&
            values.size() < grid.back().size()) {
          text = grid.back()[values.size()];
          line += '\t';
        } else {
          Lines lines;
          blocks(tc, depth + 1, &lines);
          while (!lines.empty() && lines.back().empty()) lines.pop_back();
          for (std::size_t i = 0; i < lines.size(); ++i) text += (i > 0 ? "\n" : "") + lines[i];
          if (&tc != &cells.front()) line += '\t';
          line += text;
        }
        values.insert(values.end(), static_cast<std::size_t>(span), text);
      }
      emit(std::move(line), cell);
      cells_ += values.size();
      if (cells_ > kMaxTableCells) {
        builder_.warn("more table cells than are kept");
        return;
      }
      grid.push_back(std::move(values));
    }
    builder_.table_without_text(grid, "", 0);
  }

  static int number(std::string_view text, int fallback) {
    int value = fallback;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  Package& package_;
  Numbering numbering_;
  Builder builder_;
  std::vector<Package::Relation> relations_;
  std::size_t cells_ = 0;
};

}  // namespace

Result<ParsedDocument> read_docx(Package package) {
  return DocxReader(package).read();
}

}  // namespace castiel::content::documents::impl
