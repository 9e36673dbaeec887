#pragma once
// JSON records: one object a line, a top-level array of objects, objects one after another, or an API's
// answer with an array of them. Streaming in constant memory; no I/O; one owner, one thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "content/csv.hpp"

namespace castiel::content {

enum class JsonLayout {
  lines,    // one value a line: a bad line costs only itself
  objects,  // an array's elements or objects in a row, over any number of lines
};

struct JsonStart {
  JsonLayout layout = JsonLayout::lines;
  std::uint64_t offset = 0;  // where the records begin: after "[" or after {"records":[
};

// How the records of a text are laid out, by its first part. Error: unsupported when it begins with no JSON
// object or array of objects.
Result<JsonStart> sniff_json(std::string_view sample, bool complete);

enum class JsonKind { null, boolean, number, string, array, object };
std::string_view to_string(JsonKind kind);

inline constexpr int kMaxFlattenDepth = 4;
inline constexpr int kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxJsonFields = 8192;

// A member of a record, nested ones with their path: {"owner":{"name":"A"}} is owner.name.
struct JsonField {
  std::string name;
  JsonKind kind = JsonKind::null;
  // A string's characters, a number's digits verbatim, "true", "false", "" for null, JSON text for an array
  // and for an object deeper than kMaxFlattenDepth.
  std::string text;
  bool operator==(const JsonField&) const = default;
};

// The members of one JSON object, flattened, in their order; of a name given twice, the last. Errors:
// invalid_json (with the byte where it went wrong), unsupported for a value that is no object.
Result<std::vector<JsonField>> parse_json_record(std::string_view text);

// The name without the bags in which APIs wrap an object's fields: "properties.amount" and
// "attributes.amount" are "amount", "fields.Amount" is "Amount".
std::string_view without_bag(std::string_view name);

// The first value in the JSON text of an array: of
// [{"value":"a","primary":false},{"value":"b","primary":true}] with member "value" the primary or else the
// first one's; of ["x"] "x"; of [] and of no array "".
std::string first_of_array(std::string_view array, std::string_view member);

struct JsonRecord {
  std::uint64_t line = 0;
  std::uint64_t offset = 0;
  std::uint64_t end_offset = 0;
  std::uint64_t end_line = 0;
  std::string_view source;  // verbatim; valid until the reader's next call; of an error at most 64 KiB
  std::string_view error;   // empty, line_too_long, or invalid_json where no object could be cut out
};

// Cuts a text into records. Whether one is valid inside, parse_json_record says.
class JsonReader {
 public:
  explicit JsonReader(JsonLayout layout, std::uint64_t offset = 0, std::uint64_t line = 1);
  void push(std::string_view text);
  void finish();
  const JsonRecord* next();  // as CsvReader::next

 private:
  const JsonRecord* next_line();
  const JsonRecord* next_object();
  const JsonRecord* emit(std::size_t end, std::size_t next, std::string_view error);

  JsonLayout layout_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t base_;
  std::uint64_t line_;
  std::size_t scan_ = 0;  // how far the record at at_ was looked at
  int depth_ = 0;
  bool in_string_ = false, escaped_ = false, junk_ = false;
  bool finished_ = false, ended_ = false, skipping_ = false;
  std::string kept_;
  std::uint64_t skip_offset_ = 0, skip_line_ = 0;
  JsonRecord record_;
};

}  // namespace castiel::content
