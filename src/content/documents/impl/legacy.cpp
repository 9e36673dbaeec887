// The text of Word 97 (MS-DOC), PowerPoint 97 (MS-PPT) and Excel 97 (MS-XLS) files; which of them are
// encrypted.

#include <algorithm>
#include <cstring>
#include <map>

#include "base/utf8.hpp"
#include "content/documents/impl/charset.hpp"
#include "content/documents/impl/compound_file.hpp"
#include "content/documents/impl/formats.hpp"
#include "content/documents/impl/legacy_xls.hpp"
#include "content/text_encoding.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr std::size_t kMaxPieces = 1'000'000;
constexpr std::size_t kMaxAtoms = 200'000;

std::string from_utf16(std::string_view bytes) {
  return decode_text(bytes.substr(0, bytes.size() & ~std::size_t{1}), {Encoding::utf16le, 0, true});
}

// What Word keeps in its text for things that are not text.
void add_word_text(std::string_view text, Builder& builder) {
  std::string line;
  std::vector<bool> fields;  // open fields: true while in their code
  std::vector<std::string> cells;
  Rows rows;
  const auto end_table = [&] {
    builder.table_without_text(rows, "", 0);
    rows.clear();
  };
  for (const char c : text) {
    if (c == 0x13) {
      fields.push_back(true);
    } else if (c == 0x14) {
      if (!fields.empty()) fields.back() = false;
    } else if (c == 0x15) {
      if (!fields.empty()) fields.pop_back();
    } else if (!fields.empty() && fields.back()) {
      continue;
    } else if (c == 0x07) {
      // A cell's end; twice in a row is the row's end.
      if (line.empty() && !cells.empty()) {
        std::string joined;
        for (std::size_t i = 0; i < cells.size(); ++i) joined.append(i > 0 ? "\t" : "").append(cells[i]);
        builder.line(joined);
        rows.push_back(std::exchange(cells, {}));
      } else {
        cells.push_back(std::exchange(line, {}));
      }
    } else if (c == '\r' || c == 0x0C || c == 0x0E) {
      if (!cells.empty()) {
        line += '\n';
        continue;
      }
      if (!line.empty()) end_table();
      builder.line(line);
      line.clear();
    } else if (c == 0x0B) {
      line += '\n';
    } else if (c == 0x1E) {
      line += "\xE2\x80\x91";
    } else if (c == 0x1F) {
      line += "\xC2\xAD";
    } else if (static_cast<unsigned char>(c) >= 0x20 || c == '\t') {
      line += c;
    }
  }
  end_table();
  for (const auto& cell : cells) builder.line(cell);
  builder.line(line);
}

Result<ParsedDocument> read_doc(const CompoundFile& file) {
  const std::string document = file.stream("WordDocument");
  if (document.size() < 32) return permanent("corrupt", "the document's main stream is missing");
  const auto flags = little16(document, 10);
  if (flags & 0x0100) return permanent("encrypted", "the document needs a password");
  Builder builder;
  if (little16(document, 2) < 101) {  // Word 6 and 95: one run of bytes
    const std::size_t from = little32(document, 24),
                      to = std::min<std::size_t>(little32(document, 28), document.size());
    if (from < to)
      add_word_text(from_code_page(std::string_view(document).substr(from, to - from), 1252), builder);
    return std::move(builder).finish("doc", "application/msword");
  }
  const std::string table = file.stream(flags & 0x0200 ? "1Table" : "0Table");
  const std::size_t clx = little32(document, 0x01A2), clx_size = little32(document, 0x01A6);
  std::string_view pieces = std::string_view(table).substr(std::min(clx, table.size()), clx_size);
  while (pieces.size() > 3 && pieces[0] == 1)
    pieces.remove_prefix(std::min<std::size_t>(pieces.size(), 3u + little16(pieces, 1)));
  if (pieces.size() < 9 || pieces[0] != 2) return permanent("corrupt", "the document's text cannot be found");
  pieces = pieces.substr(5);
  const std::size_t count = std::min(pieces.size() / 12, kMaxPieces);
  std::string text;
  for (std::size_t i = 0; i < count && text.size() < kMaxTextBytes; ++i) {
    const std::size_t first = little32(pieces, 4 * i), last = little32(pieces, 4 * (i + 1));
    const std::uint32_t position = little32(pieces, 4 * (count + 1) + 8 * i + 2);
    if (last <= first) continue;
    const bool narrow = position & 0x40000000;
    const std::size_t from = narrow ? (position & 0x3FFFFFFF) / 2 : position;
    const std::size_t length = (last - first) * (narrow ? 1 : 2);
    if (from >= document.size()) continue;
    const auto bytes = std::string_view(document).substr(from, length);
    text += narrow ? from_code_page(bytes, 1252) : from_utf16(bytes);
  }
  add_word_text(text, builder);
  return std::move(builder).finish("doc", "application/msword");
}

// Walks the records of a PowerPoint stream; containers are those with version 15.
class PptReader {
 public:
  explicit PptReader(std::string_view stream) : stream_(stream) {}

  Result<ParsedDocument> read() {
    walk(0, stream_.size(), 0, false, false);
    return std::move(builder_).finish("ppt", "application/vnd.ms-powerpoint");
  }

 private:
  enum Record : std::uint16_t {
    kSlide = 1006,
    kNotes = 1008,
    kMainMaster = 1016,
    kTextChars = 4000,
    kTextBytes = 4008,
    kCString = 4026,
    kSlideList = 4080,
    kHandout = 4041,
  };

  // What stands in the list of slides is the outline's text, the slides' own drawings have the rest.
  void walk(std::size_t from, std::size_t to, int depth, bool shown, bool master) {
    if (depth > 32) return;
    while (from + 8 <= to && ++records_ < kMaxAtoms * 10 && !builder_.full()) {
      const auto version = little16(stream_, from) & 0x0F;
      const auto type = little16(stream_, from + 2);
      const std::size_t size = std::min<std::size_t>(little32(stream_, from + 4), to - from - 8);
      const auto body = from + 8;
      if (version == 15) {
        const bool opens = type == kSlide || type == kNotes || type == kSlideList;
        walk(body, body + size, depth + 1, shown || opens, master || type == kMainMaster || type == kHandout);
      } else if (shown && !master && type == kTextChars) {
        add(from_utf16(stream_.substr(body, size)));
      } else if (shown && !master && type == kTextBytes) {
        add(decode_text(stream_.substr(body, size), {Encoding::windows1252, 0, true}));
      } else if (type == kCString && depth > 2 && shown) {
        add(from_utf16(stream_.substr(body, size)));
      }
      from = body + size;
    }
  }

  void add(std::string text) {
    for (char& c : text) {
      if (c == '\r' || c == 0x0B) c = '\n';
    }
    builder_.line(text);
  }

  std::string_view stream_;
  Builder builder_;
  std::size_t records_ = 0;
};

}  // namespace

Result<ParsedDocument> read_compound(std::string_view bytes, std::string_view type) {
  CASTIEL_ASSIGN(const auto file, CompoundFile::open(bytes));
  if (file.has("EncryptedPackage") || file.has("EncryptionInfo"))
    return permanent("encrypted", "the document needs a password");
  for (const auto& path : file.paths()) {
    if (path.find("drmencrypted") != std::string::npos)
      return permanent("encrypted", "the document is protected by rights management");
  }
  if (type == "doc" || file.has("WordDocument")) return read_doc(file);
  for (const std::string_view name : {"Workbook", "Book"}) {
    if (file.has(name)) return read_xls(file.stream(name));
  }
  if (file.has("PowerPoint Document")) {
    if (file.has("EncryptedSummary")) return permanent("encrypted", "the presentation needs a password");
    const std::string user = file.stream("Current User");
    if (little32(user, 12) == 0xF3D1C4DF) return permanent("encrypted", "the presentation needs a password");
    const std::string stream = file.stream("PowerPoint Document");
    return PptReader(stream).read();
  }
  return permanent("unsupported", "a compound file of no known kind");
}

}  // namespace castiel::content::documents::impl
