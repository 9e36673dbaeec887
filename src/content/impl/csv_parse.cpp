#include "content/impl/csv_parse.hpp"

#include <algorithm>
#include <cstring>

namespace castiel::content::impl {
namespace {

const char* find_byte(const char* p, const char* last, char c) {
  const void* found = p < last ? std::memchr(p, c, static_cast<std::size_t>(last - p)) : nullptr;
  return found != nullptr ? static_cast<const char*>(found) : last;
}

// The first delimiter or line end, or `last`.
inline const char* field_end(const char* p, const char* last, char delimiter, char line_end) {
  while (p < last && *p != delimiter && *p != line_end) ++p;
  return p;
}

std::string_view view(const char* first, const char* last) {
  return {first, static_cast<std::size_t>(last - first)};
}

}  // namespace

bool CsvParse::all_empty() const {
  return std::ranges::all_of(
      fields, [](std::string_view field) { return field.find_first_not_of(' ') == field.npos; });
}

void CsvParse::put_scratch(std::size_t from) {
  patches_.push_back({fields.size(), from, scratch_.size() - from});
  fields.emplace_back();
}

// `p` is after the opening quote. Adds the field and gives the place of the delimiter or line end after it,
// or nullptr when the end of the quotes is not in the text.
const char* CsvParse::quoted_field(const char* p, const char* last, const CsvDialect& dialect,
                                   bool complete) {
  const char quote = dialect.quote;
  const std::size_t from = scratch_.size();
  const char* plain = p;  // start of what is not yet in scratch_
  bool copied = false;
  const auto flush = [&](const char* to) {
    scratch_.append(plain, to);
    copied = true;
  };
  const char* close = nullptr;
  const char* ahead = nullptr;  // the next quote, as far as known: looked for once, not for every backslash
  for (const char* q = p; close == nullptr;) {
    if (ahead == nullptr || ahead < q) ahead = find_byte(q, last, quote);
    const char* stop = ahead;
    const char* slash = dialect.backslash_escapes ? find_byte(q, stop, '\\') : stop;
    if (slash < stop) {
      if (slash + 1 >= last) {
        stop = last;
      } else if (slash[1] == quote || slash[1] == '\\') {
        flush(slash);
        plain = slash + 1;
        q = slash + 2;
        continue;
      } else {
        q = slash + 1;
        continue;
      }
    }
    if (stop == last) {
      open_quote = true;
      if (!complete) return nullptr;
      flush(last);
      put_scratch(from);
      lines += static_cast<std::uint64_t>(std::count(p, last, dialect.line_end));
      return last;
    }
    if (stop + 1 == last && !complete) return nullptr;  // perhaps the first of a doubled quote
    if (stop + 1 < last && stop[1] == quote) {
      flush(stop + 1);
      plain = q = stop + 2;
      continue;
    }
    close = stop;
  }
  lines += static_cast<std::uint64_t>(std::count(p, close, dialect.line_end));
  const char* rest = close + 1;
  const char* stop = field_end(rest, last, dialect.delimiter, dialect.line_end);
  if (stop == last && !complete) return nullptr;
  const char* rest_end = stop;
  if (dialect.line_end == '\n' && (stop == last || *stop == '\n')) {
    while (rest_end > rest && rest_end[-1] == '\r') --rest_end;
  }
  if (std::any_of(rest, rest_end, [](char c) { return c != ' '; })) {
    stray_quote = true;
    flush(close);
    scratch_.append(rest, rest_end);
    put_scratch(from);
  } else if (copied) {
    flush(close);
    put_scratch(from);
  } else {
    fields.push_back(view(p, close));
  }
  return stop;
}

bool CsvParse::run(std::string_view text, const CsvDialect& dialect, bool complete) {
  const char delimiter = dialect.delimiter, line_end = dialect.line_end, quote = dialect.quote;
  fields.clear();
  scratch_.clear();
  patches_.clear();
  lines = 0;
  quoted = 0;
  open_quote = stray_quote = false;
  const char* const first = text.data();
  const char* const last = first + text.size();
  const char* p = first;
  for (;;) {
    const char* start = p;
    if (quote != 0) {
      while (start < last && *start == ' ') ++start;
    }
    if (start < last && quote != 0 && *start == quote) {
      ++quoted;
      p = quoted_field(start + 1, last, dialect, complete);
      if (p == nullptr) return false;
      if (fields.size() > kMaxCsvFields) fields.pop_back();
    } else {
      start = p;
      p = field_end(p, last, delimiter, line_end);
      if (p == last && !complete) return false;
      const char* stop = p;
      if (line_end == '\n' && (p == last || *p == '\n')) {
        while (stop > start && stop[-1] == '\r') --stop;
      }
      if (fields.size() <= kMaxCsvFields) fields.push_back(view(start, stop));
    }
    if (p == last || *p == line_end) break;
    ++p;  // over the delimiter
  }
  const char* stop = p;
  if (line_end == '\n') {
    while (stop > first && stop[-1] == '\r') --stop;
  }
  end = static_cast<std::size_t>(stop - first);
  next = static_cast<std::size_t>(p - first);
  if (p < last) {
    ++next;
    ++lines;
  }
  for (const auto& patch : patches_) {
    if (patch.field < fields.size())
      fields[patch.field] = std::string_view(scratch_).substr(patch.offset, patch.length);
  }
  return true;
}

}  // namespace castiel::content::impl
