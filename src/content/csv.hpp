#pragma once
// CSV of every dialect that spreadsheets and CRM tools write: what dialect a sample has, and a streaming
// reader in constant memory. Text in UTF-8; no I/O; one owner, one thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::content {

namespace impl {
struct CsvParse;
}

inline constexpr std::size_t kMaxRecordBytes = 1 << 20;        // a longer record is an error record
inline constexpr std::size_t kMaxErrorSourceBytes = 64 << 10;  // what an error record keeps of its text
inline constexpr std::size_t kMaxCsvFields = 4096;             // more make a record a wrong_field_count
inline constexpr std::size_t kCsvSampleBytes = 256 << 10;      // what sniff_csv looks at

struct CsvDialect {
  char delimiter = ',';
  char quote = '"';                // 0: quotes mean nothing
  bool backslash_escapes = false;  // \" and \\ inside quotes, besides doubled quotes
  char line_end = '\n';            // '\r' for files with no '\n'; "\r\n" is '\n' here
  bool has_header = true;
  // The writer leaves out empty fields at the end of a record. True only where the sample shows it: at least
  // three short records, one in five, and no record ending in an empty field. Fewer are damage.
  bool drops_trailing_empty = false;
  std::uint32_t skip_lines = 0;  // physical lines before the header: "sep=;", a report's title
  bool operator==(const CsvDialect&) const = default;
};

json::object to_json(const CsvDialect& dialect);
Result<CsvDialect> csv_dialect_from_json(const json::object& object);  // error: invalid_dialect

// What is known beforehand; sniff_csv finds the rest.
struct CsvHints {
  char delimiter = 0;
};

struct CsvTable {
  CsvDialect dialect;
  std::vector<std::string> columns;  // the header, trimmed; "column1"… without one; empty names stay empty
  std::uint64_t header_end = 0;      // offset of the first byte after the header in the text
  std::uint64_t header_lines = 0;    // physical lines up to there
  // Share of the sample's records that have as many fields as the header, 0..1: how much of a table this is.
  double regularity = 0;
};

// The dialect of a text by its first part (more than kCsvSampleBytes is not looked at). `complete`: the
// sample is the whole text. Always gives an answer; `regularity` and the number of columns say how good it
// is.
CsvTable sniff_csv(std::string_view sample, bool complete, CsvHints hints = {});

// Where a report's closing lines ("Grand Totals", "Copyright …") begin in `tail`, the last part of a text
// that starts at a line; tail.size() when there are none. Closing lines have at most two fields where the
// table has three or more, come after a blank line or speak of totals, copyright or who made the report.
std::size_t csv_footer_offset(std::string_view tail, const CsvDialect& dialect, std::size_t columns);

// One record. The views are valid until the reader's next call.
struct CsvRecord {
  std::uint64_t line = 0;        // physical line it starts at, from 1
  std::uint64_t offset = 0;      // of its first byte in the text
  std::uint64_t end_offset = 0;  // of the first byte after it and its line end
  std::uint64_t end_line = 0;    // the physical line there
  std::string_view source;       // verbatim, without the line end; of an error at most kMaxErrorSourceBytes
  std::span<const std::string_view> fields;
  // Empty, or line_too_long, unterminated_quote, wrong_field_count.
  std::string_view error;
};

// Pushes in, records out. After a record that is too long the reader goes on at the end of its line; after an
// unterminated quote, or one that swallowed following records, at the line after the one where it began.
// Blank lines are skipped. A record has the wrong number of fields when it has more than `fields` and the
// surplus is not all empty, or fewer and the dialect does not drop trailing empty fields; missing ones are
// then given as empty.
class CsvReader {
 public:
  // Starts at `offset`, which is line `line`: 0 and 1, or where an earlier reader ended a record. `fields` 0:
  // any.
  explicit CsvReader(CsvDialect dialect, std::size_t fields = 0, std::uint64_t offset = 0,
                     std::uint64_t line = 1);
  void push(std::string_view text);
  void finish();  // no more pushes: what is left is the last record
  // The next record or nullptr: then push more, or the end is reached if finish() was called.
  const CsvRecord* next();
  ~CsvReader();
  CsvReader(CsvReader&&) noexcept;
  CsvReader& operator=(CsvReader&&) noexcept;

 private:
  const CsvRecord* emit();
  const CsvRecord* emit_first_line(std::string_view error);
  const CsvRecord* skip_long_line();
  void begin_skip();
  void advance(std::size_t bytes, std::uint64_t lines);

  CsvDialect dialect_;
  std::size_t expected_;
  std::string buffer_;
  std::size_t at_ = 0;         // of the next record in buffer_
  std::uint64_t base_;         // offset of buffer_'s first byte in the text
  std::uint64_t line_;         // of at_
  std::size_t rescan_at_ = 0;  // with fewer buffered bytes another look is not worth it
  bool finished_ = false;
  bool skipping_ = false;  // inside a line that is too long
  std::string kept_;       // the head of that line
  std::uint64_t skip_offset_ = 0, skip_line_ = 0;
  std::unique_ptr<impl::CsvParse> parse_;
  CsvRecord record_;
};

// Splits one verbatim record, exactly as CsvReader does (without a check of the number of fields).
std::vector<std::string> parse_csv_record(std::string_view text, const CsvDialect& dialect);

}  // namespace castiel::content
