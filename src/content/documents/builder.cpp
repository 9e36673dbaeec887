#include "content/documents/builder.hpp"

#include <array>

#include "base/digest.hpp"
#include "base/time.hpp"
#include "base/utf8.hpp"
#include "content/impl/sniff_parts.hpp"

namespace castiel::content::documents {
namespace {

constexpr std::size_t kMaxTableBytes = kMaxTextBytes;
constexpr std::size_t kMaxWarnings = 50;

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

}  // namespace

std::string clean(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    if (c < 0x80) {
      if (c >= 0x20 || c == '\n' || c == '\t')
        result += text[0];
      else if (c == '\r')
        result += text.size() > 1 && text[1] == '\n' ? "" : "\n";
      text.remove_prefix(1);
      continue;
    }
    const auto length = utf8_sequence_length(text);
    if (length == 0) {
      result += "\xEF\xBF\xBD";
      text.remove_prefix(1);
    } else {
      result += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return result;
}

void Builder::line(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  if (text.empty()) return;
  if (full()) {
    warn("the text is longer than is kept");
    return;
  }
  text_ += utf8_prefix(clean(text), kMaxTextBytes - text_.size());
  text_ += '\n';
}

json::array to_json(const Rows& rows) {
  json::array result;
  result.reserve(rows.size());
  for (const auto& row : rows) {
    json::array cells;
    cells.reserve(row.size());
    for (const auto& cell : row) cells.emplace_back(clean(cell));
    result.emplace_back(std::move(cells));
  }
  return result;
}

void Builder::table(const Rows& rows, std::string_view where, int number) {
  for (const auto& row : rows) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) text += '\t';
      text += row[i];
    }
    line(text);
  }
  table_without_text(rows, where, number);
}

void Builder::table_without_text(const Rows& rows, std::string_view where, int number) {
  if (rows.empty()) return;
  for (const auto& row : rows) {
    for (const auto& cell : row) table_bytes_ += cell.size() + 16;
  }
  if (table_bytes_ > kMaxTableBytes) {
    warn("more tables than are kept");
    return;
  }
  json::object table;
  if (!where.empty()) table[where] = number;
  table["rows"] = to_json(rows);
  tables_.emplace_back(std::move(table));
}

void Builder::slide(int number, std::string_view text, std::string_view notes, bool hidden) {
  slides_.emplace_back(
      json::object{{"number", number}, {"text", clean(text)}, {"notes", clean(notes)}, {"hidden", hidden}});
}

void Builder::sheet(std::string_view name, json::array rows, bool hidden) {
  json::object sheet{{"name", clean(name)}, {"rows", std::move(rows)}};
  if (hidden) sheet["hidden"] = true;
  sheets_.emplace_back(std::move(sheet));
}

void Builder::page(int number, std::string_view text, bool ocr) {
  pages_.emplace_back(json::object{{"number", number}, {"text", clean(text)}, {"ocr", ocr}});
}

void Builder::embed(std::string_view name, std::string_view media_type, std::string bytes) {
  if (bytes.empty()) return;
  if (parts_.size() >= kMaxEmbeddedFiles || embedded_bytes_ + bytes.size() > kMaxEmbeddedBytes) {
    warn("more embedded files than are kept");
    return;
  }
  embedded_bytes_ += bytes.size();
  std::string digest = sha256_hex(bytes);
  const std::string safe = clean(name);
  embedded_.emplace_back(json::object{{"name", safe},
                                      {"mimeType", media_type},
                                      {"size", bytes.size()},
                                      {"sha256", digest},
                                      {"part", parts_.size()}});
  parts_.push_back({safe, std::string(media_type), std::move(digest), std::move(bytes)});
}

void Builder::warn(std::string_view what) {
  for (const auto& known : warnings_) {
    if (known.as_string() == what) return;
  }
  if (warnings_.size() < kMaxWarnings) warnings_.emplace_back(clean(what));
}

ParsedDocument Builder::finish(std::string_view type, std::string_view media_type) && {
  while (text_.ends_with('\n')) text_.pop_back();
  ParsedDocument result;
  result.structure = json::object{{"kind", "document"},
                                  {"documentType", type},
                                  {"mimeType", media_type},
                                  {"title", clean(impl::trim(metadata_.title))},
                                  {"author", text_or_null(clean(impl::trim(metadata_.author)))},
                                  {"createdAt", text_or_null(normal_time(metadata_.created))},
                                  {"modifiedAt", text_or_null(normal_time(metadata_.modified))},
                                  {"text", std::move(text_)},
                                  {"pages", std::move(pages_)},
                                  {"tables", std::move(tables_)},
                                  {"slides", std::move(slides_)},
                                  {"sheets", std::move(sheets_)},
                                  {"embedded", std::move(embedded_)},
                                  {"warnings", std::move(warnings_)}};
  result.parts = std::move(parts_);
  return result;
}

std::string normal_time(std::string_view text) {
  text = impl::trim(text);
  std::string full(text);
  if (text.size() == 10)
    full += "T00:00:00Z";
  else if (text.size() == 16)
    full += ":00Z";
  else if (text.size() >= 19 && text.find_first_of("Z+", 10) == std::string_view::npos &&
           text.find('-', 10) == std::string_view::npos)
    full += 'Z';
  const auto dot = full.find('.');
  if (dot != std::string::npos) {  // more digits of a second than a timestamp keeps
    auto end = dot + 1;
    while (end < full.size() && full[end] >= '0' && full[end] <= '9') ++end;
    full.erase(dot, end - dot);
  }
  const auto time = parse_timestamp(full);
  return time ? to_string(*time) : std::string();
}

std::string_view media_type_of(std::string_view name) {
  struct Entry {
    std::string_view extension, type;
  };
  static constexpr auto kTypes = std::to_array<Entry>({
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"gif", "image/gif"},
      {"bmp", "image/bmp"},
      {"tif", "image/tiff"},
      {"tiff", "image/tiff"},
      {"svg", "image/svg+xml"},
      {"emf", "image/emf"},
      {"wmf", "image/wmf"},
      {"pdf", "application/pdf"},
      {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
      {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
      {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
      {"doc", "application/msword"},
      {"xls", "application/vnd.ms-excel"},
      {"ppt", "application/vnd.ms-powerpoint"},
      {"txt", "text/plain"},
      {"csv", "text/csv"},
      {"html", "text/html"},
      {"eml", "message/rfc822"},
      {"msg", "application/vnd.ms-outlook"},
      {"zip", "application/zip"},
      {"wav", "audio/wav"},
      {"mp3", "audio/mpeg"},
      {"mp4", "video/mp4"},
  });
  const auto extension = impl::extension_of(name);
  for (const auto& entry : kTypes) {
    if (entry.extension == extension) return entry.type;
  }
  return "application/octet-stream";
}

}  // namespace castiel::content::documents
