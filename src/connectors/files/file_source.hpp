#pragma once
// The files connector, CRM part: which files a path holds, what each one is, and its records page by page in
// constant memory. One reader, one owner, one thread; calls block on the file system they were given.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "connectors/files/file_system.hpp"
#include "connectors/mapping.hpp"
#include "connectors/recognise.hpp"
#include "connectors/source_map.hpp"
#include "content/csv.hpp"
#include "content/text_encoding.hpp"

namespace castiel::connectors {

// Codes of problems: empty_file, unreadable, unsupported, binary_file, unrecognised_table, wrong_field_count,
// line_too_long, unterminated_quote, invalid_encoding, invalid_json, missing_id, duplicate_id, too_many_ids.
struct Problem {
  std::string file;
  std::uint64_t line = 0;  // from 1; 0 for the whole file
  std::string code;
  std::string message;
  std::string source;  // the record's verbatim bytes, at most 64 KiB; not always UTF-8 (invalid_encoding)
  bool record_lost = false;  // the record is not in the page: it belongs into the dead letters
};

struct ListedFile {
  std::string path;
  std::uint64_t size = 0;
  std::optional<Timestamp> modified;
};

struct Listing {
  // Recursive, into archives too, without hidden files, each once; those that others refer to first as far as
  // names tell: users, accounts, products, contacts, opportunities, contact roles, history, then what is no
  // table; then by path.
  std::vector<ListedFile> files;
  std::vector<Problem> problems;  // unreadable, empty_file, an archive's errors
  std::optional<Error> failed;    // transient: the listing is not all there is, try again later
};

inline constexpr int kMaxFolderDepth = 64;
inline constexpr int kMaxArchiveDepth = 3;
inline constexpr std::size_t kMaxListedFiles = 1'000'000;

Listing list_files(FileSystem& files, std::span<const std::string> paths);

// A place between two records of a file. The identity of the bytes is not in it: compare sha256().
struct Cursor {
  std::uint64_t offset = 0;  // in the file's own bytes
  std::uint64_t line = 1;
  std::uint64_t records = 0;  // emitted before it
  bool operator==(const Cursor&) const = default;
};

struct RawRecord {
  std::string key;         // the record's identifier at the source: id column, natural key or content key
  std::uint64_t line = 0;  // physical, from 1
  std::string source;      // verbatim text in UTF-8, without the line end
  std::string modified;    // text of the modifiedAt column as it is, or empty
};

struct RawPage {
  SourceFormat format = SourceFormat::csv;
  content::CsvDialect dialect;  // for csv: parse_csv_record(record.source, dialect) gives the fields
  std::vector<RawRecord> records;
  std::vector<Problem> problems;
  Cursor after;                  // seek() to it to go on after this page
  std::uint64_t bytes_read = 0;  // of bytes_total
  std::uint64_t bytes_total = 0;
};

struct FileOptions {
  const SourceMap* source_map = nullptr;  // outlives open()
  std::string time_zone = "UTC";          // the tenant's, for times without zone
  std::string default_currency;           // the tenant's
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;  // of the first pass, each MiB
};

inline constexpr std::size_t kPageRecords = 200;
inline constexpr std::size_t kPageBytes = 1 << 20;
// Keys remembered for duplicate_id, as hashes: about 50 MB at most. Past that, duplicates go unseen and
// too_many_ids says so once.
inline constexpr std::size_t kMaxRememberedKeys = 1'000'000;

class FileReader {
 public:
  // Reads the whole file once (SHA-256, encoding), its head and its tail (recognition). Errors, all
  // permanent: unreadable, empty_file, binary_file, unsupported (no table: to be skipped),
  // unrecognised_table.
  static Result<FileReader> open(FileSystem& files, const std::string& path, FileOptions options = {});
  ~FileReader();
  FileReader(FileReader&&) noexcept;
  FileReader& operator=(FileReader&&) noexcept;

  const std::string& path() const;
  const std::string& sha256() const;  // hex, of the file's bytes
  std::uint64_t size() const;
  content::Encoding encoding() const;
  SourceFormat format() const;
  const content::CsvDialect& dialect() const;
  const std::vector<std::string>& columns() const;
  const Recognition& recognition() const;
  const RecordMapping& mapping() const;

  // At most `max_records` (records and lost ones) and `max_bytes` of source text, but at least one; nothing
  // at the end. Errors: unreadable; file_changed when the size is not what it was.
  Result<std::optional<RawPage>> next_page(std::size_t max_records = kPageRecords,
                                           std::size_t max_bytes = kPageBytes);
  // Goes on after an earlier page, of this or another reader of the same bytes. Duplicates of records
  // before it are not seen.
  Result<void> seek(const Cursor& cursor);

 private:
  struct State;
  explicit FileReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace castiel::connectors
