#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_map>

#include "base/digest.hpp"
#include "base/utf8.hpp"
#include "connectors/files/file_source.hpp"
#include "connectors/files/impl/record_keys.hpp"
#include "content/jsonl.hpp"

namespace castiel::connectors {
namespace {

using content::Encoding;

constexpr std::size_t kChunk = 256 << 10;
constexpr std::size_t kHeadBytes = 2 * content::kCsvSampleBytes;  // UTF-16 takes twice the room
constexpr std::size_t kTailBytes = 64 << 10;
constexpr std::size_t kSampleRows = 300;
constexpr std::size_t kMaxJsonColumns = 500;
constexpr std::uint64_t kProgressBytes = 1 << 20;

std::string extension_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const auto dot = name.rfind('.');
  std::string extension(dot == name.npos ? std::string_view() : name.substr(dot + 1));
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::ranges::find(words, word) != words.end();
}

constexpr std::array<std::string_view, 8> kTables{"csv",  "tsv",   "tab",    "psv",
                                                  "json", "jsonl", "ndjson", "ldjson"};
// Files that may hold a table or anything else.
constexpr std::array<std::string_view, 5> kPerhaps{"", "txt", "dat", "export", "report"};

// Where a decoded text's offsets lie in the file's own bytes. UTF-8 is its own text; of other encodings the
// text not yet passed is kept, chunk by chunk.
class OffsetMap {
 public:
  OffsetMap(Encoding encoding, std::uint64_t start) : encoding_(encoding), decoded_(start), raw_(start) {}
  // `text` was decoded after all that was added before.
  void add(std::string_view text) {
    if (encoding_ == Encoding::utf8) return;
    chunks_.emplace_back(text);
    kept_ += text.size();
    // Records end at most kMaxRecordBytes back, so older text was part of one long line: only its length
    // matters.
    while (kept_ > 4 * content::kMaxRecordBytes && chunks_.size() > 1) pop_chunk();
  }
  // The offset in the file of `decoded`, which never goes back.
  std::uint64_t raw(std::uint64_t decoded) {
    if (encoding_ == Encoding::utf8) return decoded;
    while (decoded_ < decoded && !chunks_.empty()) {
      const std::string_view rest = std::string_view(chunks_.front()).substr(passed_);
      if (decoded - decoded_ >= rest.size()) {
        pop_chunk();
        continue;
      }
      const auto part = rest.substr(0, static_cast<std::size_t>(decoded - decoded_));
      raw_ += content::encoded_length(encoding_, part);
      decoded_ = decoded;
      passed_ += part.size();
    }
    return raw_;
  }

 private:
  void pop_chunk() {
    const std::string_view rest = std::string_view(chunks_.front()).substr(passed_);
    raw_ += content::encoded_length(encoding_, rest);
    decoded_ += rest.size();
    kept_ -= chunks_.front().size();
    passed_ = 0;
    chunks_.pop_front();
  }

  Encoding encoding_;
  std::uint64_t decoded_, raw_;
  std::deque<std::string> chunks_;
  std::size_t passed_ = 0, kept_ = 0;
};

}  // namespace

struct FileReader::State {
  std::string path;
  FileOptions options;
  std::unique_ptr<ByteStream> stream;
  std::string sha256;
  std::uint64_t size = 0;
  content::DetectedEncoding encoding;
  SourceFormat format = SourceFormat::csv;
  content::CsvDialect dialect;
  content::JsonLayout layout = content::JsonLayout::lines;
  std::vector<std::string> columns;
  Recognition recognition;
  std::optional<impl::RecordKeys> keys;
  Cursor start;                // the first record
  std::uint64_t data_end = 0;  // where a report's closing lines begin, else the size
  std::string head, tail;      // of the file's bytes, during open

  // Reading.
  Cursor at;
  std::uint64_t read_to = 0;
  bool at_end = false;
  std::optional<content::CsvReader> csv;
  std::optional<content::JsonReader> json;
  std::optional<content::TextDecoder> decoder;
  std::optional<OffsetMap> offsets;
  const content::CsvRecord* held_csv = nullptr;  // read, but too large for the page before
  const content::JsonRecord* held_json = nullptr;
  std::unordered_map<std::uint64_t, std::uint64_t> seen;  // hash of key -> hash of content
  bool too_many = false;
  std::string chunk, text;

  Result<void> first_pass();
  Result<void> prepare_csv(std::string_view sample, bool complete, const SourceMapEntry* user);
  Result<void> prepare_json(std::string_view sample, bool complete, const SourceMapEntry* user);
  Result<void> recognise_rows(const std::vector<std::vector<std::string>>& rows, const SourceMapEntry* user);
  void find_footer();
  Result<void> begin(const Cursor& cursor);
  Result<bool> fill();
  template <class Value>
  void take(RawPage& page, std::string_view source, std::uint64_t line, Value value);
  void take_csv(RawPage& page, const content::CsvRecord& record);
  void take_json(RawPage& page, const content::JsonRecord& record);
  void lose(RawPage& page, std::uint64_t line, std::string_view code, std::string message,
            std::string_view source) {
    page.problems.push_back({path, line, std::string(code), std::move(message),
                             std::string(source.substr(0, content::kMaxErrorSourceBytes)), true});
  }
  bool is_sound(std::string_view source) const {
    return encoding.all_valid || (content::is_valid_utf8(source) && source.find('\0') == source.npos);
  }
};

Result<void> FileReader::State::first_pass() {
  Sha256 hash;
  content::EncodingDetector detector;
  std::uint64_t done = 0, told = 0;
  chunk.resize(kChunk);
  for (;;) {
    CASTIEL_ASSIGN(const std::size_t got, stream->read({chunk.data(), chunk.size()}));
    if (got == 0) break;
    const std::string_view bytes(chunk.data(), got);
    hash.update(bytes);
    detector.push(bytes);
    if (head.size() < kHeadBytes) head.append(bytes.substr(0, kHeadBytes - head.size()));
    tail.append(bytes);
    if (tail.size() > kTailBytes) tail.erase(0, tail.size() - kTailBytes);
    done += got;
    if (options.progress && done - told >= kProgressBytes)
      options.progress(told = done, std::max(done, stream->size()));
  }
  size = done;
  const auto digest = hash.finish();
  sha256 = to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
  if (size == 0) return permanent("empty_file", "'" + path + "' is empty");
  auto detected = detector.finish();
  if (!detected)
    return permanent("binary_file", "'" + path + "' is binary, not a table: export it as CSV or JSON");
  encoding = *detected;
  return {};
}

Result<FileReader> FileReader::open(FileSystem& files, const std::string& path, FileOptions options) {
  auto state = std::make_unique<State>();
  auto& s = *state;
  s.path = path;
  s.options = std::move(options);
  const auto* user = s.options.source_map != nullptr ? s.options.source_map->find(path) : nullptr;
  const std::string extension = extension_of(path);
  const bool table = is_one_of(extension, kTables) || user != nullptr;
  if (!table && !is_one_of(extension, kPerhaps)) {
    return permanent("unsupported", fmt::format("'{}' is no table: expected CSV or JSON", path));
  }
  CASTIEL_ASSIGN(s.stream, files.open(path));
  if (auto pass = s.first_pass(); !pass) {
    // A name without extension promises no table, so what is in it is no fault.
    if (pass.error().code == "binary_file" && !table) pass.error().code = "unsupported";
    return std::unexpected(std::move(pass.error()));
  }
  if (user != nullptr && user->encoding && *user->encoding != s.encoding.encoding) {
    s.encoding = {*user->encoding, 0, false};
  }
  const bool complete = s.size <= s.head.size();
  const std::string sample = content::decode_text(s.head, s.encoding);
  const auto first = sample.find_first_not_of(" \t\r\n");
  if (first == sample.npos) {
    if (complete) return permanent("empty_file", "'" + path + "' holds only blank lines");
    return permanent("unsupported", fmt::format("'{}' begins with blank lines only", path));
  }
  const bool json_name =
      extension == "json" || extension == "jsonl" || extension == "ndjson" || extension == "ldjson";
  const bool looks_json = sample[first] == '{' || sample[first] == '[';
  auto prepared = json_name || (looks_json && !table) ? s.prepare_json(sample, complete, user)
                                                      : s.prepare_csv(sample, complete, user);
  if (!prepared) {
    if (!table) prepared.error().code = "unsupported";
    return std::unexpected(std::move(prepared.error()));
  }
  s.keys.emplace(s.recognition.mapping);
  s.head = {};
  s.tail = {};
  CASTIEL_TRY(s.begin(s.start));
  return FileReader(std::move(state));
}

Result<void> FileReader::State::recognise_rows(const std::vector<std::vector<std::string>>& rows,
                                               const SourceMapEntry* user) {
  CASTIEL_ASSIGN(recognition, recognise({path, columns, rows}, user));
  auto& mapping = recognition.mapping;
  if (user == nullptr || user->time_zone.empty()) mapping.time_zone = options.time_zone;
  if (mapping.default_currency.empty()) mapping.default_currency = options.default_currency;
  return {};
}

Result<void> FileReader::State::prepare_csv(std::string_view sample, bool complete,
                                            const SourceMapEntry* user) {
  format = SourceFormat::csv;
  const auto table = content::sniff_csv(sample, complete, {user != nullptr ? user->delimiter : '\0'});
  dialect = table.dialect;
  columns = table.columns;
  if ((columns.size() < 2 || table.regularity < 0.3) && user == nullptr) {
    return permanent("unrecognised_table",
                     fmt::format("'{}' is no table: {} column{}, {:.0f} % of its lines alike", path,
                                 columns.size(), columns.size() == 1 ? "" : "s", table.regularity * 100));
  }
  content::CsvReader reader(dialect, columns.size());
  reader.push(sample.substr(table.header_end));
  if (complete) reader.finish();
  std::vector<std::vector<std::string>> rows;
  while (rows.size() < kSampleRows) {
    const auto* record = reader.next();
    if (record == nullptr) break;
    if (record->error.empty()) rows.emplace_back(record->fields.begin(), record->fields.end());
  }
  CASTIEL_TRY(recognise_rows(rows, user));
  start.offset =
      encoding.bom_bytes + content::encoded_length(encoding.encoding, sample.substr(0, table.header_end));
  start.line = table.header_lines + 1;
  find_footer();
  return {};
}

void FileReader::State::find_footer() {
  data_end = size;
  std::uint64_t from = size - tail.size();
  bool whole = false;
  if (from <= start.offset) {
    tail.erase(0, static_cast<std::size_t>(start.offset - from));
    from = start.offset;
    whole = true;
  } else if (encoding.encoding == Encoding::utf16le || encoding.encoding == Encoding::utf16be) {
    if ((from - encoding.bom_bytes) % 2 != 0) {
      tail.erase(0, 1);
      ++from;
    }
  }
  const std::string decoded = content::decode_text(tail, {encoding.encoding, 0, true});
  std::size_t first = 0;
  if (!whole) {
    const auto line_end = decoded.find(dialect.line_end);
    if (line_end == decoded.npos) return;
    first = line_end + 1;
  }
  const std::string_view lines = std::string_view(decoded).substr(first);
  const std::size_t footer = content::csv_footer_offset(lines, dialect, columns.size());
  if (footer == lines.size()) return;
  data_end =
      from + content::encoded_length(encoding.encoding, std::string_view(decoded).substr(0, first + footer));
}

Result<void> FileReader::State::prepare_json(std::string_view sample, bool complete,
                                             const SourceMapEntry* user) {
  format = SourceFormat::json;
  const auto found = content::sniff_json(sample, complete);
  if (!found) return permanent("unsupported", fmt::format("'{}' holds no JSON objects", path));
  layout = found->layout;
  data_end = size;
  content::JsonReader reader(layout);
  reader.push(sample.substr(found->offset));
  if (complete) reader.finish();
  std::vector<std::vector<std::string>> rows;
  std::unordered_map<std::string, std::size_t> index;
  while (rows.size() < kSampleRows) {
    const auto* record = reader.next();
    if (record == nullptr) break;
    if (!record->error.empty()) continue;
    const auto fields = content::parse_json_record(record->source);
    if (!fields) continue;
    auto& row = rows.emplace_back(columns.size());
    for (const auto& field : *fields) {
      const auto [known, is_new] = index.try_emplace(field.name, columns.size());
      if (is_new) {
        if (columns.size() >= kMaxJsonColumns) {
          index.erase(known);
          continue;
        }
        columns.push_back(field.name);
        row.emplace_back();
      }
      row[known->second] = field.text;
    }
  }
  CASTIEL_TRY(recognise_rows(rows, user));
  start.offset =
      encoding.bom_bytes + content::encoded_length(encoding.encoding, sample.substr(0, found->offset));
  start.line = 1 + static_cast<std::uint64_t>(std::count(
                       sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(found->offset), '\n'));
  return {};
}

// Gets ready to read from `cursor`.
Result<void> FileReader::State::begin(const Cursor& cursor) {
  CASTIEL_TRY(stream->seek(cursor.offset));
  at = cursor;
  read_to = cursor.offset;
  at_end = false;
  held_csv = nullptr;
  held_json = nullptr;
  csv.reset();
  json.reset();
  if (format == SourceFormat::csv)
    csv.emplace(dialect, columns.size(), cursor.offset, cursor.line);
  else
    json.emplace(layout, cursor.offset, cursor.line);
  decoder.emplace(encoding.encoding);
  offsets.emplace(encoding.encoding, cursor.offset);
  seen.clear();
  return {};
}

// Gives the reader another chunk; false at the end of the data.
Result<bool> FileReader::State::fill() {
  if (at_end) return false;
  const std::size_t wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, data_end - std::min(read_to, data_end)));
  chunk.resize(kChunk);
  std::size_t got = 0;
  if (wanted > 0) {
    CASTIEL_ASSIGN(got, stream->read({chunk.data(), wanted}));
    if (got == 0) return permanent("file_changed", "'" + path + "' became shorter while it was read");
  }
  read_to += got;
  std::string_view pushed(chunk.data(), got);
  if (encoding.encoding != Encoding::utf8) {
    text.clear();
    decoder->push(pushed, text);
    if (read_to >= data_end) decoder->finish(text);
    pushed = text;
  }
  offsets->add(pushed);
  if (csv)
    csv->push(pushed);
  else
    json->push(pushed);
  if (read_to >= data_end) {
    at_end = true;
    if (csv)
      csv->finish();
    else
      json->finish();
  }
  return true;
}

template <class Value>
void FileReader::State::take(RawPage& page, std::string_view source, std::uint64_t line, Value value) {
  RawRecord record;
  record.key = keys->key(value);
  if (record.key.empty()) {
    return lose(page, line, "missing_id", "the record has no value in " + keys->expected(recognition.mapping),
                source);
  }
  record.line = line;
  record.source = source;
  record.modified = keys->modified(value);
  const std::uint64_t content_hash = stable_hash(source);
  if (seen.size() < kMaxRememberedKeys) {
    const auto [known, is_new] = seen.try_emplace(stable_hash(record.key), content_hash);
    if (!is_new && known->second != content_hash) {
      page.problems.push_back(
          {path, line, "duplicate_id",
           fmt::format("'{}' was in the file before, with other content", utf8_prefix(record.key, 80)),
           std::string(source.substr(0, content::kMaxErrorSourceBytes)), false});
      known->second = content_hash;
    }
  } else if (!too_many) {
    too_many = true;
    page.problems.push_back({path,
                             line,
                             "too_many_ids",
                             "duplicates after the first 1,000,000 records are not reported",
                             {},
                             false});
  }
  page.records.push_back(std::move(record));
  ++at.records;
}

void FileReader::State::take_csv(RawPage& page, const content::CsvRecord& record) {
  at.offset = std::min(offsets->raw(record.end_offset), size);
  at.line = record.end_line;
  if (record.error == "wrong_field_count") {
    return lose(page, record.line, record.error,
                fmt::format("the record has {} fields, the header {}", record.fields.size(), columns.size()),
                record.source);
  }
  if (record.error == "line_too_long")
    return lose(page, record.line, record.error, "the record is longer than 1 MiB", record.source);
  if (!record.error.empty())
    return lose(page, record.line, record.error, "a quote is opened here and not closed", record.source);
  if (!is_sound(record.source)) {
    return lose(page, record.line, "invalid_encoding", "the record has bytes that are not valid UTF-8",
                record.source);
  }
  take(page, record.source, record.line,
       [&](std::size_t i) { return i < record.fields.size() ? record.fields[i] : std::string_view(); });
}

void FileReader::State::take_json(RawPage& page, const content::JsonRecord& record) {
  at.offset = std::min(offsets->raw(record.end_offset), size);
  at.line = record.end_line;
  if (record.error == "line_too_long")
    return lose(page, record.line, record.error, "the record is longer than 1 MiB", record.source);
  if (!record.error.empty())
    return lose(page, record.line, record.error, "the JSON is not valid", record.source);
  if (!is_sound(record.source)) {
    return lose(page, record.line, "invalid_encoding", "the record has bytes that are not valid UTF-8",
                record.source);
  }
  const auto fields = content::parse_json_record(record.source);
  if (!fields) return lose(page, record.line, "invalid_json", fields.error().message, record.source);
  take(page, record.source, record.line, [&](std::size_t i) {
    const auto field = std::ranges::find(*fields, columns[i], &content::JsonField::name);
    return field == fields->end() ? std::string_view() : std::string_view(field->text);
  });
}

Result<std::optional<RawPage>> FileReader::next_page(std::size_t max_records, std::size_t max_bytes) {
  auto& s = *state_;
  RawPage page;
  page.format = s.format;
  page.dialect = s.dialect;
  std::size_t records = 0, bytes = 0;
  while (records < std::max<std::size_t>(1, max_records)) {
    const auto* csv = s.held_csv != nullptr ? s.held_csv : s.csv ? s.csv->next() : nullptr;
    const auto* json = s.held_json != nullptr ? s.held_json : s.json ? s.json->next() : nullptr;
    s.held_csv = nullptr;
    s.held_json = nullptr;
    if (csv == nullptr && json == nullptr) {
      CASTIEL_ASSIGN(const bool more, s.fill());
      if (!more) break;
      continue;
    }
    const std::size_t size = csv != nullptr ? csv->source.size() : json->source.size();
    if (records > 0 && bytes + size > max_bytes) {
      s.held_csv = csv;
      s.held_json = json;
      break;
    }
    ++records;
    bytes += size;
    if (csv != nullptr)
      s.take_csv(page, *csv);
    else
      s.take_json(page, *json);
  }
  if (records == 0) return std::optional<RawPage>();
  page.after = s.at;
  page.bytes_read = s.at.offset;
  page.bytes_total = s.size;
  return std::optional(std::move(page));
}

Result<void> FileReader::seek(const Cursor& cursor) {
  if (cursor.offset < state_->start.offset || cursor.offset > state_->size) {
    return permanent("file_changed", fmt::format("'{}' has no place {}", state_->path, cursor.offset));
  }
  return state_->begin(cursor);
}

FileReader::FileReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileReader::~FileReader() = default;
FileReader::FileReader(FileReader&&) noexcept = default;
FileReader& FileReader::operator=(FileReader&&) noexcept = default;

const std::string& FileReader::path() const {
  return state_->path;
}
const std::string& FileReader::sha256() const {
  return state_->sha256;
}
std::uint64_t FileReader::size() const {
  return state_->size;
}
Encoding FileReader::encoding() const {
  return state_->encoding.encoding;
}
SourceFormat FileReader::format() const {
  return state_->format;
}
const content::CsvDialect& FileReader::dialect() const {
  return state_->dialect;
}
const std::vector<std::string>& FileReader::columns() const {
  return state_->columns;
}
const Recognition& FileReader::recognition() const {
  return state_->recognition;
}
const RecordMapping& FileReader::mapping() const {
  return state_->recognition.mapping;
}

}  // namespace castiel::connectors
