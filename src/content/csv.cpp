#include "content/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "content/impl/csv_parse.hpp"

namespace castiel::content {

json::object to_json(const CsvDialect& dialect) {
  json::object object;
  object["delimiter"] = std::string(1, dialect.delimiter);
  object["quote"] = dialect.quote == 0 ? std::string() : std::string(1, dialect.quote);
  if (dialect.backslash_escapes) object["backslash"] = true;
  if (dialect.line_end != '\n') object["lineEnd"] = "cr";
  if (!dialect.has_header) object["header"] = false;
  if (dialect.drops_trailing_empty) object["ragged"] = true;
  if (dialect.skip_lines != 0) object["skip"] = dialect.skip_lines;
  return object;
}

Result<CsvDialect> csv_dialect_from_json(const json::object& object) {
  CsvDialect dialect;
  const auto delimiter = get_string(object, "delimiter");
  if (!delimiter || delimiter->size() != 1) {
    return permanent("invalid_dialect", "a CSV dialect needs a delimiter of one character");
  }
  dialect.delimiter = delimiter->front();
  if (const auto quote = get_string(object, "quote")) dialect.quote = quote->empty() ? '\0' : quote->front();
  dialect.backslash_escapes = bool_or(object, "backslash", false);
  dialect.line_end = string_or(object, "lineEnd") == "cr" ? '\r' : '\n';
  dialect.has_header = bool_or(object, "header", true);
  dialect.drops_trailing_empty = bool_or(object, "ragged", false);
  dialect.skip_lines = static_cast<std::uint32_t>(std::max<std::int64_t>(0, int_or(object, "skip", 0)));
  return dialect;
}

std::vector<std::string> parse_csv_record(std::string_view text, const CsvDialect& dialect) {
  impl::CsvParse parse;
  parse.run(text, dialect, true);
  return {parse.fields.begin(), parse.fields.end()};
}

CsvReader::CsvReader(CsvDialect dialect, std::size_t fields, std::uint64_t offset, std::uint64_t line)
    : dialect_(dialect),
      expected_(fields),
      base_(offset),
      line_(line),
      parse_(std::make_unique<impl::CsvParse>()) {}
CsvReader::~CsvReader() = default;
CsvReader::CsvReader(CsvReader&&) noexcept = default;
CsvReader& CsvReader::operator=(CsvReader&&) noexcept = default;

void CsvReader::push(std::string_view text) {
  if (at_ > 0) {
    buffer_.erase(0, at_);
    base_ += at_;
    at_ = 0;
  }
  buffer_.append(text);
}

void CsvReader::finish() {
  finished_ = true;
}

const CsvRecord* CsvReader::next() {
  for (;;) {
    if (skipping_) return skip_long_line();
    const std::size_t available = buffer_.size() - at_;
    if (available == 0 || (!finished_ && available < rescan_at_)) return nullptr;
    const std::string_view rest(buffer_.data() + at_, available);
    auto& parse = *parse_;
    if (!parse.run(rest, dialect_, finished_)) {
      // Two bytes of grace: the record's own line end may be what is missing.
      if (available > kMaxRecordBytes + 2) {
        begin_skip();
        continue;
      }
      // Looking again only after an eighth more keeps the work linear in the length of a long record.
      rescan_at_ = available + std::max<std::size_t>(1, available / 8);
      return nullptr;
    }
    rescan_at_ = 0;
    if (parse.end > kMaxRecordBytes) {
      begin_skip();
      continue;
    }
    if (parse.open_quote) return emit_first_line("unterminated_quote");
    // A record over several lines with text after a closing quote: a stray quote has swallowed the lines
    // after it, up to the next one that has a quote.
    if (parse.stray_quote && parse.lines > 1) return emit_first_line("unterminated_quote");
    if (parse.all_empty()) {
      at_ += parse.next;
      line_ += parse.lines;
      continue;
    }
    return emit();
  }
}

const CsvRecord* CsvReader::emit() {
  auto& fields = parse_->fields;
  record_ = {};
  record_.line = line_;
  record_.offset = base_ + at_;
  record_.source = std::string_view(buffer_.data() + at_, parse_->end);
  if (expected_ != 0 && fields.size() != expected_) {
    const auto surplus_empty = [&] {
      return std::all_of(fields.begin() + static_cast<std::ptrdiff_t>(expected_), fields.end(),
                         [](std::string_view field) { return field.empty(); });
    };
    if (fields.size() > expected_ ? surplus_empty() : dialect_.drops_trailing_empty)
      fields.resize(expected_);
    else
      record_.error = "wrong_field_count";
  }
  record_.fields = fields;
  if (!record_.error.empty()) record_.source = record_.source.substr(0, kMaxErrorSourceBytes);
  advance(parse_->next, parse_->lines);
  return &record_;
}

const CsvRecord* CsvReader::emit_first_line(std::string_view error) {
  const std::string_view rest(buffer_.data() + at_, buffer_.size() - at_);
  const std::size_t line_end = std::min(rest.find(dialect_.line_end), rest.size());
  std::size_t end = line_end;
  if (dialect_.line_end == '\n') {
    while (end > 0 && rest[end - 1] == '\r') --end;
  }
  record_ = {};
  record_.line = line_;
  record_.offset = base_ + at_;
  record_.source = rest.substr(0, std::min(end, kMaxErrorSourceBytes));
  record_.error = error;
  const bool has_end = line_end < rest.size();
  advance(line_end + (has_end ? 1 : 0), has_end ? 1 : 0);
  return &record_;
}

void CsvReader::begin_skip() {
  skipping_ = true;
  skip_offset_ = base_ + at_;
  skip_line_ = line_;
  kept_.clear();
}

const CsvRecord* CsvReader::skip_long_line() {
  const std::string_view rest(buffer_.data() + at_, buffer_.size() - at_);
  const std::size_t line_end = std::min(rest.find(dialect_.line_end), rest.size());
  if (kept_.size() < kMaxErrorSourceBytes) {
    kept_.append(rest.substr(0, std::min(line_end, kMaxErrorSourceBytes - kept_.size())));
  }
  const bool has_end = line_end < rest.size();
  if (!has_end && !finished_) {
    at_ = buffer_.size();
    return nullptr;
  }
  skipping_ = false;
  record_ = {};
  record_.line = skip_line_;
  record_.offset = skip_offset_;
  if (dialect_.line_end == '\n') {
    while (!kept_.empty() && kept_.back() == '\r') kept_.pop_back();
  }
  record_.source = kept_;
  record_.error = "line_too_long";
  advance(line_end + (has_end ? 1 : 0), has_end ? 1 : 0);
  return &record_;
}

void CsvReader::advance(std::size_t bytes, std::uint64_t lines) {
  at_ += bytes;
  line_ += lines;
  rescan_at_ = 0;
  record_.end_offset = base_ + at_;
  record_.end_line = line_;
}

}  // namespace castiel::content
