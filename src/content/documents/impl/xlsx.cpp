// SpreadsheetML, ECMA-376 part 1: the sheets' cells as shown, comments, and the text of drawings.

#include <algorithm>
#include <charconv>
#include <map>

#include "base/utf8.hpp"
#include "content/documents/impl/formats.hpp"
#include "content/documents/impl/number_format.hpp"
#include "content/documents/impl/xml_pull.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr std::size_t kMaxCells = 600'000;  // of a workbook
constexpr std::size_t kMaxCellGap = 1'000;  // empty cells before one, kept as cells
constexpr std::size_t kMaxColumns = 16'384;
constexpr std::size_t kMaxRows = 1'048'576;
constexpr std::size_t kMaxMergedCells = 100'000;
constexpr std::size_t kMaxSheets = 1'000;
constexpr std::size_t kMaxSharedStrings = 2'000'000;

// "BC12": column and row, from 0.
bool parse_reference(std::string_view text, std::size_t& column, std::size_t& row) {
  std::size_t i = 0, c = 0, r = 0;
  for (; i < text.size() && text[i] >= 'A' && text[i] <= 'Z' && c < kMaxColumns; ++i)
    c = c * 26 + static_cast<std::size_t>(text[i] - 'A') + 1;
  if (i == 0) return false;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && r <= kMaxRows; ++i)
    r = r * 10 + static_cast<std::size_t>(text[i] - '0');
  if (c == 0 || r == 0 || c > kMaxColumns || r > kMaxRows) return false;
  column = c - 1;
  row = r - 1;
  return true;
}

struct Merge {
  std::size_t top, left, bottom, right;
};

// "_x000D_" stands for a character XML cannot hold.
std::string unescape(std::string text) {
  for (auto at = text.find("_x"); at != std::string::npos; at = text.find("_x", at + 1)) {
    if (at + 7 > text.size() || text[at + 6] != '_') continue;
    std::uint32_t code = 0;
    const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + at + 6, code, 16);
    if (error != std::errc() || end != text.data() + at + 6) continue;
    std::string sign;
    append_utf8(sign, code);
    text.replace(at, 7, sign);
  }
  return text;
}

class XlsxReader {
 public:
  explicit XlsxReader(Package& package) : package_(package) {}

  Result<ParsedDocument> read() {
    std::string main = "xl/workbook.xml";
    for (const auto& relation : package_.relations_of("")) {
      if (relation.type == "officeDocument" && package_.find(relation.target)) main = relation.target;
    }
    CASTIEL_ASSIGN(const auto tree, parse_part(package_, main));
    read_core_properties(package_, builder_.metadata());
    const auto root = tree->document_element();
    const auto from = attribute(child(root, "workbookPr"), "date1904");
    from_1904_ = from == "1" || from == "true";
    const auto relations = package_.relations_of(main);
    for (const auto& relation : relations) {
      if (relation.type == "sharedStrings") read_shared_strings(relation.target);
      if (relation.type == "styles") read_styles(relation.target);
    }
    int number = 0;
    for (const auto& sheet : child(root, "sheets")) {
      if (static_cast<std::size_t>(number) >= kMaxSheets) {
        builder_.warn("more sheets than are read");
        break;
      }
      std::string_view id;
      for (const auto& candidate : sheet.attributes()) {
        const std::string_view name = candidate.name();
        if (name.find(':') != std::string_view::npos && name.ends_with(":id")) id = candidate.value();
      }
      const auto state = attribute(sheet, "state");
      for (const auto& relation : relations) {
        if (relation.id == id)
          read_sheet(relation.target, attribute(sheet, "name"), ++number,
                     state == "hidden" || state == "veryHidden");
      }
    }
    add_embedded(builder_, package_, "xl/");
    return std::move(builder_).finish("xlsx",
                                      "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
  }

 private:
  void read_shared_strings(const std::string& path) {
    const auto* xml = package_.find(path);
    if (!xml) return;
    XmlPull pull(*xml);
    std::string text;
    bool in_text = false;
    int phonetic = 0;
    std::size_t bytes = 0;
    for (auto event = pull.next(); event != XmlPull::Event::done; event = pull.next()) {
      if (event == XmlPull::Event::start) {
        if (pull.name() == "t") in_text = true;
        if (pull.name() == "rPh") ++phonetic;
        if (pull.name() == "si") text.clear();
      } else if (event == XmlPull::Event::end) {
        if (pull.name() == "t") in_text = false;
        if (pull.name() == "rPh") --phonetic;
        if (pull.name() == "si") {
          bytes += text.size();
          if (strings_.size() >= kMaxSharedStrings || bytes > kMaxTextBytes * 2) return;
          strings_.push_back(unescape(std::move(text)));
        }
      } else if (in_text && phonetic == 0) {
        text += pull.text();
      }
    }
  }

  void read_styles(const std::string& path) {
    const auto tree = parse_part(package_, path);
    if (!tree) return;
    const auto root = (*tree)->document_element();
    std::map<int, std::string> codes;
    for (const auto& format : child(root, "numFmts"))
      codes[integer(attribute(format, "numFmtId"))] = attribute(format, "formatCode");
    for (const auto& style : child(root, "cellXfs")) {
      const int id = integer(attribute(style, "numFmtId"));
      const auto own = codes.find(id);
      formats_.push_back(own != codes.end() ? own->second : std::string(builtin_format(id)));
    }
  }

  static int integer(std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  void read_sheet(const std::string& path, std::string_view name, int number, bool hidden) {
    builder_.line(name);
    Rows rows;
    std::vector<Merge> merges;
    std::vector<std::string> around;  // headers and footers of the printed page
    if (const auto* xml = package_.find(path)) read_cells(*xml, rows, merges, around);
    for (const auto& row : rows) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) line.append(i > 0 ? "\t" : "").append(row[i]);
      builder_.line(line);
    }
    for (const auto& text : around) builder_.line(text);
    read_comments(path);
    add_drawing_text(builder_, package_, path);
    builder_.sheet(name, to_json(rows), hidden);
    fill_merges(rows, merges);
    builder_.table_without_text(rows, "sheet", number);
  }

  struct Cell {
    std::size_t column = 0, row = 0;
    std::string type, value, inline_text;
    std::size_t style = 0;
  };

  void read_cells(std::string_view xml, Rows& rows, std::vector<Merge>& merges,
                  std::vector<std::string>& around) {
    XmlPull pull(xml);
    Cell cell;
    std::size_t next_row = 0, next_column = 0;
    std::string text;
    for (auto event = pull.next(); event != XmlPull::Event::done; event = pull.next()) {
      const auto name = pull.name();
      if (event == XmlPull::Event::text) {
        text += pull.text();
        continue;
      }
      if (event == XmlPull::Event::start) {
        text.clear();
        if (name == "row") {
          const auto row = static_cast<std::size_t>(std::max(0, integer(pull.attribute("r"))));
          if (row > 0) next_row = row - 1;
          next_column = 0;
        } else if (name == "c") {
          cell = Cell{next_column, next_row, pull.attribute("t"), {}, {}, 0};
          parse_reference(pull.attribute("r"), cell.column, cell.row);
          cell.style = static_cast<std::size_t>(std::max(0, integer(pull.attribute("s"))));
        } else if (name == "mergeCell") {
          add_merge(pull.attribute("ref"), merges);
        }
        continue;
      }
      if (name == "row") {
        ++next_row;
      } else if (name == "v") {
        cell.value = std::move(text);
      } else if (name == "t") {
        cell.inline_text += text;
      } else if (name == "c") {
        next_column = cell.column + 1;
        if (!put(cell, rows)) return;
      } else if (name.ends_with("Header") || name.ends_with("Footer")) {
        if (!text.empty()) around.push_back(page_text(text));
      }
      text.clear();
    }
    if (pull.damaged()) builder_.warn("a sheet breaks off");
  }

  // "&LLeft&CMiddle&RRight": the codes are layout, their text is shown.
  static std::string page_text(std::string_view code) {
    std::string result;
    for (std::size_t i = 0; i < code.size(); ++i) {
      if (code[i] != '&' || i + 1 >= code.size()) {
        result += code[i];
        continue;
      }
      const char mark = code[++i];
      if (mark == '&')
        result += '&';
      else if (mark == '"')
        i = std::min(code.find('"', i + 1), code.size());
      else if (mark == 'L' || mark == 'C' || mark == 'R')
        result += result.empty() ? "" : " ";
      else if (mark >= '0' && mark <= '9')
        while (i + 1 < code.size() && code[i + 1] >= '0' && code[i + 1] <= '9') ++i;
    }
    return result;
  }

  static void add_merge(std::string_view reference, std::vector<Merge>& merges) {
    const auto colon = reference.find(':');
    Merge merge{};
    if (colon == std::string_view::npos ||
        !parse_reference(reference.substr(0, colon), merge.left, merge.top) ||
        !parse_reference(reference.substr(colon + 1), merge.right, merge.bottom))
      return;
    if (merge.bottom >= merge.top && merge.right >= merge.left) merges.push_back(merge);
  }

  // False when the workbook has more cells than are kept.
  bool put(const Cell& cell, Rows& rows) {
    std::string text = shown(cell);
    if (text.empty()) return true;
    if (cells_ >= kMaxCells) {
      builder_.warn("more cells than are kept");
      return false;
    }
    // A lone cell far away must not cost the rows and columns before it.
    if (cell.row > rows.size() + kMaxCellGap) {
      if (rows.empty() || row_of_last_ != cell.row) rows.emplace_back();
    } else if (cell.row >= rows.size()) {
      cells_ += cell.row - rows.size();
      rows.resize(cell.row + 1);
    }
    auto& row = cell.row < rows.size() ? rows[cell.row] : rows.back();
    row_of_last_ = cell.row;
    if (cell.column > row.size() + kMaxCellGap) {
      row.push_back(std::move(text));
    } else {
      if (cell.column >= row.size()) {
        cells_ += cell.column + 1 - row.size();
        row.resize(cell.column + 1);
      }
      row[cell.column] = std::move(text);
    }
    return true;
  }

  std::string shown(const Cell& cell) const {
    if (cell.type == "inlineStr") return unescape(cell.inline_text);
    if (cell.type == "s") {
      std::size_t index = strings_.size();
      std::from_chars(cell.value.data(), cell.value.data() + cell.value.size(), index);
      return index < strings_.size() ? strings_[index] : std::string();
    }
    if (cell.type == "b") return cell.value == "1" ? "TRUE" : cell.value == "0" ? "FALSE" : cell.value;
    if (cell.type == "str") return unescape(cell.value);
    if (cell.type == "e" || cell.type == "d") return cell.value;
    if (cell.value.empty()) return unescape(cell.inline_text);
    double number = 0;
    const char* end = cell.value.data() + cell.value.size();
    const auto [stop, error] = std::from_chars(cell.value.data(), end, number);
    if (error != std::errc() || stop != end) return cell.value;
    const std::string_view code = cell.style < formats_.size() ? std::string_view(formats_[cell.style]) : "";
    return format_number(number, code, from_1904_);
  }

  static void fill_merges(Rows& rows, const std::vector<Merge>& merges) {
    std::size_t filled = 0;
    for (const auto& merge : merges) {
      if (merge.top >= rows.size() || merge.left >= rows[merge.top].size()) continue;
      const std::string text = rows[merge.top][merge.left];
      for (auto r = merge.top; r <= merge.bottom && r < rows.size(); ++r) {
        for (auto c = merge.left; c <= merge.right && filled < kMaxMergedCells; ++c, ++filled) {
          if (c >= rows[r].size()) rows[r].resize(c + 1);
          rows[r][c] = text;
        }
      }
    }
  }

  void read_comments(const std::string& path) {
    for (const auto& relation : package_.relations_of(path)) {
      if (relation.type != "comments" && relation.type != "threadedComment") continue;
      const auto tree = parse_part(package_, relation.target);
      if (!tree) continue;
      const auto root = (*tree)->document_element();
      const auto list = relation.type == "comments" ? child(root, "commentList") : root;
      for (const auto& comment : list) builder_.line(text_of(child(comment, "text")));
    }
  }

  Package& package_;
  Builder builder_;
  std::vector<std::string> strings_, formats_;
  bool from_1904_ = false;
  std::size_t cells_ = 0, row_of_last_ = 0;
};

}  // namespace

Result<ParsedDocument> read_xlsx(Package package) {
  return XlsxReader(package).read();
}

}  // namespace castiel::content::documents::impl
