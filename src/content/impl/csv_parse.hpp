#pragma once
// The one parser of a CSV record: the reader, the sniffer and parse_csv_record all use it, so that they
// agree.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "content/csv.hpp"

namespace castiel::content::impl {

// One owner, one thread; reused from record to record so that its vectors keep their memory.
struct CsvParse {
  std::vector<std::string_view> fields;  // into the text or into `scratch`
  std::size_t end = 0;                   // of the record's text, without line end
  std::size_t next = 0;                  // after the line end
  std::uint64_t lines = 0;               // line ends up to `next`
  int quoted = 0;                        // fields in quotes
  bool open_quote = false;               // the text ends inside quotes
  bool stray_quote = false;              // there is text between a closing quote and the delimiter

  // Parses the record `text` begins with. False when its end is not in `text` and more may come (`complete`
  // is false): then only `open_quote` means something.
  bool run(std::string_view text, const CsvDialect& dialect, bool complete);
  bool all_empty() const;

 private:
  const char* quoted_field(const char* p, const char* last, const CsvDialect& dialect, bool complete);
  void put_scratch(std::size_t from);

  struct Patch {
    std::size_t field, offset, length;
  };
  std::string scratch_;         // values that differ from their text
  std::vector<Patch> patches_;  // fields that lie in scratch_: set last, because it may move while it grows
};

}  // namespace castiel::content::impl
