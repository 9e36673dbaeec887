#pragma once
// The files connector, its other part: mails and mailboxes, chat exports, documents, transcripts and
// calendars become records of the source events (FLOW-14), page by page. Hostile bytes are parsed by the
// extractor. One reader, one owner, one thread; calls block on the files, the extractor and the blob store.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/files/file_source.hpp"
#include "content/sniff.hpp"
#include "extract/extractor.hpp"
#include "storage/blobs.hpp"

namespace castiel::connectors {

// What is larger than this is not held in memory; mailboxes are read in pieces and may be larger.
inline constexpr std::uint64_t kMaxContentFileBytes = 256u << 20;
// Sources of records up to this size travel inside the record, larger ones by way of the blob store.
inline constexpr std::size_t kMaxInlineSourceBytes = 64 << 10;

struct ContentParts {
  FileSystem* files;
  extract::Extractor* extractor;
  storage::Blobs* blobs;
  const Clock* clock;
  TenantId tenant;
  std::size_t max_inline_record_bytes = std::size_t{5} << 20;  // a larger record goes by claim check (FLOW-7)
};

// What a file is, from its head and tail. Error: unreadable.
Result<content::Sniffed> sniff_file(FileSystem& files, const std::string& path);
// Whether such a file is read by ContentReader: not a table, not an archive, not of an unknown kind.
bool is_content(const content::Sniffed& sniffed);

struct ContentRecord {
  std::string_view event;  // model::event
  json::object record;
};

struct ContentPage {
  std::vector<ContentRecord> records;
  std::vector<Problem> problems;
  Cursor after;                  // seek() to it to go on after this page
  std::uint64_t bytes_read = 0;  // of bytes_total
  std::uint64_t bytes_total = 0;
};

class ContentReader {
 public:
  // Errors: unreadable; too_large; those of the extractor.
  static Result<ContentReader> open(ContentParts parts, const ListedFile& file, content::Sniffed sniffed);
  ~ContentReader();
  ContentReader(ContentReader&&) noexcept;
  ContentReader& operator=(ContentReader&&) noexcept;

  const std::string& path() const;
  const std::string& sha256() const;  // hex, of the file's bytes
  std::uint64_t size() const;
  const content::Sniffed& sniffed() const;
  // One page is all of it: several such files may share a transaction.
  bool is_single() const;

  // At most `max_records` and about `max_bytes`, but at least one record; nothing at the end.
  Result<std::optional<ContentPage>> next_page(std::size_t max_records, std::size_t max_bytes);
  Result<> seek(const Cursor& cursor);

 private:
  struct State;
  explicit ContentReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace castiel::connectors
