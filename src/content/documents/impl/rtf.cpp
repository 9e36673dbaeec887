// Rich Text Format 1.9: the text of a document, its tables and title. Own reader; every group costs one stack
// entry.

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

#include "base/utf8.hpp"
#include "content/documents/impl/charset.hpp"
#include "content/documents/impl/formats.hpp"

namespace castiel::content::documents::impl {
namespace {

constexpr std::size_t kMaxGroups = 10'000;  // open at once: deeper ones are read with their parent's state
constexpr std::size_t kMaxFonts = 10'000;
constexpr std::size_t kMaxTableCells = 200'000;
constexpr std::size_t kMaxCellsOfRow = 1'000;

enum class Destination { body, skip, info, title, author, font_table };

struct Group {
  Destination destination = Destination::body;
  int skip_after_unicode = 1;  // \uc
  int code_page = 1252;
  bool hidden = false, in_table = false;
  bool apart = false;  // a note or header: its text is put after the document's
};

struct CharsetPage {
  int charset, page;
};
// Windows charsets (\fcharset) and their code pages.
constexpr auto kCharsets = std::to_array<CharsetPage>({{0, 1252},
                                                       {77, 10000},
                                                       {128, 932},
                                                       {129, 949},
                                                       {134, 936},
                                                       {136, 950},
                                                       {161, 1253},
                                                       {162, 1254},
                                                       {163, 1258},
                                                       {177, 1255},
                                                       {178, 1256},
                                                       {186, 1257},
                                                       {204, 1251},
                                                       {222, 874},
                                                       {238, 1250}});

class RtfReader {
 public:
  explicit RtfReader(std::string_view rtf) : rtf_(rtf) {}

  Result<ParsedDocument> read() {
    while (at_ < rtf_.size() && !builder_.full()) step();
    flush_bytes();
    end_table();
    builder_.line(text_);
    builder_.line(after_);
    if (groups_.size() > 1) builder_.warn("the document breaks off");
    return std::move(builder_).finish("rtf", "application/rtf");
  }

 private:
  Group& group() { return groups_.back(); }

  void step() {
    const char c = rtf_[at_++];
    if (c == '{') {
      flush_bytes();
      if (groups_.size() < kMaxGroups) {
        groups_.push_back(groups_.back());
        group().apart = false;
      } else {
        ++too_deep_;
      }
      pending_skip_ = 0;
    } else if (c == '}') {
      flush_bytes();
      pending_skip_ = 0;
      if (too_deep_ > 0)
        --too_deep_;
      else if (groups_.size() > 1)
        close();
    } else if (c == '\\') {
      control();
    } else if (c != '\r' && c != '\n') {
      byte(c);
    }
  }

  void byte(char c) {
    if (pending_skip_ > 0) {
      --pending_skip_;
      return;
    }
    bytes_ += c;
  }

  // Bytes in the current code page become text; a character of two bytes may come as two escapes.
  void flush_bytes() {
    if (bytes_.empty()) return;
    put(from_code_page(bytes_, group().code_page));
    bytes_.clear();
  }

  void put(std::string_view text) {
    const Group& now = group();
    if (now.hidden) return;
    if (now.destination == Destination::body)
      text_ += text;
    else if (now.destination == Destination::title)
      builder_.metadata().title += text;
    else if (now.destination == Destination::author)
      builder_.metadata().author += text;
  }

  void control() {
    if (at_ >= rtf_.size()) return;
    const char c = rtf_[at_];
    const auto letter = [](char l) { return (l >= 'a' && l <= 'z') || (l >= 'A' && l <= 'Z'); };
    if (!letter(c)) {
      ++at_;
      symbol(c);
      return;
    }
    const auto from = at_;
    while (at_ < rtf_.size() && letter(rtf_[at_]) && at_ - from < 32) ++at_;
    const auto word = rtf_.substr(from, at_ - from);
    int value = 0;
    const char* end = rtf_.data() + rtf_.size();
    const auto [stop, error] = std::from_chars(rtf_.data() + at_, end, value);
    const bool given = error == std::errc();
    if (error != std::errc::invalid_argument) at_ = static_cast<std::size_t>(stop - rtf_.data());
    if (at_ < rtf_.size() && rtf_[at_] == ' ') ++at_;
    if (word == "u" && given) {
      unicode(value);
      return;
    }
    if (word != "bin" && pending_skip_ > 0) {
      --pending_skip_;
      return;
    }
    flush_bytes();
    keyword(word, value, given);
  }

  void symbol(char c) {
    if (c == '\'') {
      const auto digits = rtf_.substr(at_, 2);
      int value = 0;
      const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      at_ += static_cast<std::size_t>(stop - digits.data());
      if (error == std::errc()) byte(static_cast<char>(value));
      return;
    }
    if (c == '\\' || c == '{' || c == '}') {
      byte(c);
      return;
    }
    if (pending_skip_ > 0) {
      --pending_skip_;
      return;
    }
    flush_bytes();
    if (c == '~')
      put("\xC2\xA0");
    else if (c == '-')
      put("\xC2\xAD");
    else if (c == '_')
      put("\xE2\x80\x91");
    else if (c == '\n' || c == '\r')
      paragraph();
    else if (c == '*')
      starred();
  }

  // "\*\word": a reader that does not know the word leaves the group out.
  void starred() {
    const auto rest = rtf_.substr(at_, 40);
    if (rest.starts_with("\\shppict") || rest.starts_with("\\shptxt")) return;
    group().destination = Destination::skip;
  }

  void unicode(int value) {
    flush_bytes();
    const auto unit = static_cast<char16_t>(value < 0 ? value + 65536 : value);
    if (unit >= 0xD800 && unit < 0xDC00) {
      high_ = unit;
    } else if (unit >= 0xDC00 && unit < 0xE000) {
      std::string sign;
      if (high_ != 0)
        append_utf8(sign, static_cast<char32_t>(0x10000 + ((high_ - 0xD800) << 10) + (unit - 0xDC00)));
      else
        append_utf8(sign, 0xFFFD);
      high_ = 0;
      put(sign);
    } else {
      std::string sign;
      append_utf8(sign, unit);
      put(sign);
    }
    pending_skip_ = group().skip_after_unicode;
  }

  void keyword(std::string_view word, int value, bool given) {
    static constexpr auto kSkipped = std::to_array<std::string_view>(
        {"stylesheet", "colortbl",  "pict",         "object",    "objdata",
         "fldinst",    "themedata", "datastore",    "listtable", "listoverridetable",
         "rsidtbl",    "generator", "xmlnstbl",     "filetbl",   "revtbl",
         "bkmkstart",  "bkmkend",   "latentstyles", "mmathPr",   "nonshppict",
         "sp",         "do",        "company",      "operator",  "comment",
         "keywords",   "subject",   "doccomm",      "category",  "manager",
         "creatim",    "revtim",    "printim",      "hlinkbase", "userprops",
         "atnid",      "atnref",    "private",      "xe",        "tc",
         "falt",       "panose",    "wgrffmtfilter"});
    static const std::map<std::string_view, std::string_view> kSigns{{"emdash", "\xE2\x80\x94"},
                                                                     {"endash", "\xE2\x80\x93"},
                                                                     {"bullet", "\xE2\x80\xA2"},
                                                                     {"lquote", "\xE2\x80\x98"},
                                                                     {"rquote", "\xE2\x80\x99"},
                                                                     {"ldblquote", "\xE2\x80\x9C"},
                                                                     {"rdblquote", "\xE2\x80\x9D"},
                                                                     {"emspace", " "},
                                                                     {"enspace", " "},
                                                                     {"qmspace", " "},
                                                                     {"tab", "\t"},
                                                                     {"line", "\n"},
                                                                     {"softline", "\n"},
                                                                     {"~", "\xC2\xA0"}};
    Group& now = group();
    if (now.destination == Destination::skip && word != "bin") return;
    if (const auto sign = kSigns.find(word); sign != kSigns.end())
      put(sign->second);
    else if (word == "par" || word == "sect" || word == "page" || word == "column")
      paragraph();
    else if (word == "cell" || word == "nestcell")
      cell();
    else if (word == "row" || word == "nestrow")
      row();
    else if (word == "pard")
      now.in_table = false;
    else if (word == "intbl")
      now.in_table = true;
    else if (word == "uc")
      now.skip_after_unicode = std::clamp(value, 0, 16);
    else if (word == "v")
      now.hidden = !given || value != 0;
    else if (word == "plain")
      now.hidden = false;
    else if (word == "deleted")
      now.hidden = !given || value != 0;
    else if (word == "ansicpg")
      for (auto& one : groups_) one.code_page = value, base_page_ = value;
    else if (word == "mac")
      for (auto& one : groups_) one.code_page = base_page_ = 10000;
    else if (word == "bin")
      at_ = std::min(rtf_.size(), at_ + static_cast<std::size_t>(std::max(0, value)));
    else if (word == "fonttbl")
      now.destination = Destination::font_table;
    else if (word == "f")
      font(value);
    else if (word == "fcharset" && now.destination == Destination::font_table)
      set_charset(value);
    else if (word == "title")
      now.destination = Destination::title;
    else if (word == "author")
      now.destination = Destination::author;
    else if (word == "info")
      now.destination = Destination::info;
    else if (is_apart(word))
      begin_apart();
    else if (std::ranges::find(kSkipped, word) != kSkipped.end())
      now.destination = Destination::skip;
  }

  static bool is_apart(std::string_view word) {
    static constexpr auto kApart =
        std::to_array<std::string_view>({"footnote", "annotation", "header", "headerl", "headerr", "headerf",
                                         "footer", "footerl", "footerr", "footerf"});
    return std::ranges::find(kApart, word) != kApart.end();
  }

  void begin_apart() {
    if (group().apart) return;
    group().apart = true;
    group().in_table = false;
    aside_.push_back(std::exchange(text_, {}));
  }

  void close() {
    if (group().apart && !aside_.empty()) {
      after_ += text_ + '\n';
      text_ = std::move(aside_.back());
      aside_.pop_back();
    }
    groups_.pop_back();
  }

  void paragraph() {
    flush_bytes();
    const Group& now = group();
    if (now.destination != Destination::body) return;
    if (now.in_table || !aside_.empty()) {
      if (!text_.empty()) text_ += '\n';
      return;
    }
    end_table();
    builder_.line(text_);
    text_.clear();
  }

  void cell() {
    if (cells_.size() < kMaxCellsOfRow) {
      while (text_.ends_with('\n')) text_.pop_back();
      cells_.push_back(std::exchange(text_, {}));
    }
  }

  void row() {
    if (cells_.empty()) return;
    std::string line;
    for (std::size_t i = 0; i < cells_.size(); ++i) line.append(i > 0 ? "\t" : "").append(cells_[i]);
    builder_.line(line);
    table_cells_ += cells_.size();
    if (table_cells_ < kMaxTableCells) rows_.push_back(std::move(cells_));
    cells_.clear();
  }

  void end_table() {
    row();
    builder_.table_without_text(rows_, "", 0);
    rows_.clear();
  }

  void font(int value) {
    if (group().destination == Destination::font_table) {
      font_ = value;
      return;
    }
    const auto known = fonts_.find(value);
    group().code_page = known == fonts_.end() ? base_page_ : known->second;
  }

  void set_charset(int charset) {
    for (const auto& [known, page] : kCharsets) {
      if (known == charset && fonts_.size() < kMaxFonts) fonts_[font_] = charset == 0 ? base_page_ : page;
    }
  }

  std::string_view rtf_;
  std::size_t at_ = 0;
  Builder builder_;
  std::vector<Group> groups_{Group{}};
  std::size_t too_deep_ = 0;
  std::string bytes_, text_, after_;
  std::vector<std::string> aside_, cells_;
  Rows rows_;
  std::size_t table_cells_ = 0;
  std::map<int, int> fonts_;  // their code pages
  int font_ = 0, base_page_ = 1252, pending_skip_ = 0;
  char16_t high_ = 0;
};

}  // namespace

Result<ParsedDocument> read_rtf(std::string_view bytes) {
  return RtfReader(bytes).read();
}

}  // namespace castiel::content::documents::impl
