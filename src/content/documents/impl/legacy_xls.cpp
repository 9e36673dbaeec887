#include "content/documents/impl/legacy_xls.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "base/utf8.hpp"
#include "content/documents/builder.hpp"
#include "content/documents/impl/charset.hpp"
#include "content/documents/impl/compound_file.hpp"
#include "content/documents/impl/number_format.hpp"
#include "content/text_encoding.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr std::size_t kMaxCells = 600'000;
constexpr std::size_t kMaxStrings = 1'000'000;
constexpr std::size_t kMaxSheets = 1'000;
constexpr std::size_t kMaxRows = 65'536;
constexpr std::size_t kMaxColumns = 256;

// A string of BIFF8 that may go on in the next record, where a new flags byte begins its part.
class StringReader {
 public:
  StringReader(std::vector<std::string_view> parts, std::size_t at) : parts_(std::move(parts)), at_(at) {}

  bool done() const { return part_ >= parts_.size(); }

  std::string read(bool short_length = false) {
    const std::size_t length = short_length ? byte() : byte() | byte() << 8;
    const auto flags = byte();
    const std::size_t runs = flags & 8 ? byte() | byte() << 8 : 0;
    std::size_t extra = 0;
    if (flags & 4) extra = byte() | byte() << 8 | byte() << 16 | byte() << 24;
    std::string text;
    bool wide = flags & 1;
    for (std::size_t left = length; left > 0 && !done();) {
      const auto rest = parts_[part_].substr(at_);
      const std::size_t unit = wide ? 2 : 1;
      const std::size_t count = std::min(left, rest.size() / unit);
      if (count > 0) {
        const auto bytes = rest.substr(0, count * unit);
        text += decode_text(bytes, {wide ? Encoding::utf16le : Encoding::windows1252, 0, true});
        at_ += count * unit;
        left -= count;
      }
      if (left > 0) {
        next_part();
        if (!done()) wide = byte() & 1;
      }
    }
    skip(4 * runs + extra);
    return text;
  }

 private:
  std::size_t byte() {
    while (!done() && at_ >= parts_[part_].size()) next_part();
    return done() ? 0 : static_cast<unsigned char>(parts_[part_][at_++]);
  }
  void skip(std::size_t bytes) {
    while (bytes > 0 && !done()) {
      const auto here = std::min(bytes, parts_[part_].size() - at_);
      at_ += here;
      bytes -= here;
      if (bytes > 0) next_part();
    }
  }
  void next_part() {
    ++part_;
    at_ = 0;
  }
  std::vector<std::string_view> parts_;
  std::size_t part_ = 0, at_;
};

double real(std::string_view bytes, std::size_t at) {
  if (at + 8 > bytes.size()) return 0;
  double value = 0;
  std::memcpy(&value, bytes.data() + at, 8);
  return value;
}

double packed(std::uint32_t rk) {
  double value = 0;
  if (rk & 2) {
    value = static_cast<double>(static_cast<std::int32_t>(rk) >> 2);
  } else {
    const std::uint64_t bits = static_cast<std::uint64_t>(rk & 0xFFFFFFFC) << 32;
    std::memcpy(&value, &bits, 8);
  }
  return rk & 1 ? value / 100 : value;
}

class XlsReader {
 public:
  explicit XlsReader(std::string_view stream) : stream_(stream) {}

  Result<ParsedDocument> read() {
    // Excel 3 and 4: the file is one sheet, without a directory before it.
    if (little16(stream_, 0) == 0x0209 || little16(stream_, 0) == 0x0409) {
      biff8_ = false;
      read_sheet({"", 0, false}, 1);
      return std::move(builder_).finish("xls", "application/vnd.ms-excel");
    }
    if (little16(stream_, 0) != 0x0809) return permanent("corrupt", "the workbook does not begin as one");
    biff8_ = little16(stream_, 4) == 0x0600;
    while (next()) {
      if (type_ == 0x002F) return permanent("encrypted", "the workbook needs a password");
      globals();
      if (type_ == 0x000A) break;
    }
    int number = 0;
    for (const auto& sheet : sheets_) read_sheet(sheet, ++number);
    return std::move(builder_).finish("xls", "application/vnd.ms-excel");
  }

 private:
  struct Sheet {
    std::string name;
    std::size_t offset;
    bool hidden;
  };

  bool next() {
    if (at_ + 4 > stream_.size()) return false;
    type_ = little16(stream_, at_);
    const std::size_t size = little16(stream_, at_ + 2);
    data_ = stream_.substr(at_ + 4, size);
    at_ += 4 + size;
    return true;
  }

  // The record and those that continue it.
  std::vector<std::string_view> with_continuations() {
    std::vector<std::string_view> parts{data_};
    while (at_ + 4 <= stream_.size() && little16(stream_, at_) == 0x003C) {
      const std::size_t size = little16(stream_, at_ + 2);
      parts.push_back(stream_.substr(at_ + 4, size));
      at_ += 4 + size;
    }
    return parts;
  }

  std::string text_at(std::size_t at, bool short_length) {
    if (at >= data_.size()) return {};
    if (biff8_) return StringReader({data_}, at).read(short_length);
    const std::size_t length = short_length ? static_cast<unsigned char>(data_[at]) : little16(data_, at);
    return from_code_page(data_.substr(std::min(data_.size(), at + (short_length ? 1 : 2)), length), 1252);
  }

  void globals() {
    if (type_ == 0x0022) {
      from_1904_ = little16(data_, 0) == 1;
    } else if (type_ == 0x0085 && sheets_.size() < kMaxSheets && data_.size() > 6) {
      sheets_.push_back({text_at(6, true), little32(data_, 0), (data_[4] & 3) != 0});
    } else if (type_ == 0x041E && data_.size() > 2) {
      formats_[little16(data_, 0)] = text_at(2, !biff8_);
    } else if (type_ == 0x00E0) {
      styles_.push_back(little16(data_, 2));
    } else if (type_ == 0x00FC) {
      const std::size_t count = little32(data_, 4);
      StringReader reader(with_continuations(), 8);
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < std::min(count, kMaxStrings) && !reader.done() && bytes < kMaxTextBytes * 2;
           ++i) {
        strings_.push_back(reader.read());
        bytes += strings_.back().size();
      }
    }
  }

  std::string shown(double value, std::size_t style) const {
    std::string_view code;
    if (style < styles_.size()) {
      const auto own = formats_.find(styles_[style]);
      code = own != formats_.end() ? std::string_view(own->second) : builtin_format(styles_[style]);
    }
    return format_number(value, code, from_1904_);
  }

  void read_sheet(const Sheet& sheet, int number) {
    if (sheet.offset >= stream_.size()) return;
    at_ = sheet.offset;
    builder_.line(sheet.name);
    rows_.clear();
    std::vector<std::string> notes;
    int depth = 0;
    while (next()) {
      if (type_ == 0x0809 || type_ == 0x0209 || type_ == 0x0409) ++depth;
      if (type_ == 0x000A && --depth <= 0) break;
      if (type_ == 0x01B6)
        notes.push_back(drawing_text());
      else
        cell_record();
      if (cells_ > kMaxCells) {
        builder_.warn("more cells than are kept");
        break;
      }
    }
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) line.append(i > 0 ? "\t" : "").append(row[i]);
      builder_.line(line);
    }
    for (const auto& note : notes) builder_.line(note);
    builder_.sheet(sheet.name, to_json(rows_), sheet.hidden);
    builder_.table_without_text(rows_, "sheet", number);
  }

  // Comments and text boxes: their text is in the record after the one that announces it.
  std::string drawing_text() {
    const std::size_t length = little16(data_, 10);
    const auto parts = with_continuations();
    if (length == 0 || parts.size() < 2 || parts[1].empty()) return {};
    const bool wide = parts[1][0] & 1;
    return decode_text(parts[1].substr(1, length * (wide ? 2 : 1)),
                       {wide ? Encoding::utf16le : Encoding::windows1252, 0, true});
  }

  void put(std::size_t row, std::size_t column, std::string text) {
    if (text.empty() || row >= kMaxRows || column >= kMaxColumns) return;
    if (row >= rows_.size()) {
      cells_ += row - rows_.size();
      rows_.resize(row + 1);
    }
    auto& cells = rows_[row];
    if (column >= cells.size()) {
      cells_ += column + 1 - cells.size();
      cells.resize(column + 1);
    }
    cells[column] = std::move(text);
  }

  void cell_record() {
    const std::size_t row = little16(data_, 0), column = little16(data_, 2), style = little16(data_, 4);
    switch (type_) {
      case 0x00FD:  // a shared string
        if (const auto index = little32(data_, 6); index < strings_.size()) put(row, column, strings_[index]);
        break;
      case 0x0204:
      case 0x00D6:  // a string of its own
        put(row, column, text_at(6, false));
        break;
      case 0x0203:
        put(row, column, shown(real(data_, 6), style));
        break;
      case 0x027E:
        put(row, column, shown(packed(little32(data_, 6)), style));
        break;
      case 0x00BD:  // several packed numbers
        for (std::size_t at = 4, c = column; at + 6 <= data_.size() - std::min<std::size_t>(data_.size(), 2);
             at += 6, ++c)
          put(row, c, shown(packed(little32(data_, at + 2)), little16(data_, at)));
        break;
      case 0x0006:
      case 0x0406:
      case 0x0206:
        formula(row, column, style);
        break;
      case 0x0207:  // the text a formula gave
        put(formula_row_, formula_column_, text_at(0, false));
        break;
      case 0x0205:
        if (data_.size() > 7 && data_[7] == 0) put(row, column, data_[6] ? "TRUE" : "FALSE");
        break;
      default:
        break;
    }
  }

  void formula(std::size_t row, std::size_t column, std::size_t style) {
    formula_row_ = row;
    formula_column_ = column;
    if (little16(data_, 12) != 0xFFFF)
      put(row, column, shown(real(data_, 6), style));
    else if (data_.size() > 8 && data_[6] == 1)
      put(row, column, data_[8] ? "TRUE" : "FALSE");
  }

  std::string_view stream_, data_;
  std::size_t at_ = 0;
  std::uint16_t type_ = 0;
  bool biff8_ = true, from_1904_ = false;
  std::vector<Sheet> sheets_;
  std::vector<std::string> strings_;
  std::vector<int> styles_;
  std::map<int, std::string> formats_;
  Rows rows_;
  std::size_t cells_ = 0, formula_row_ = 0, formula_column_ = 0;
  Builder builder_;
};

}  // namespace

Result<ParsedDocument> read_xls(std::string_view stream) {
  return XlsReader(stream).read();
}

}  // namespace castiel::content::documents::impl
