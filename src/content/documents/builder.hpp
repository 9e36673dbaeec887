#pragma once
// Collects what a format's reader finds into the agreed structure, inside the limits of document.hpp. One
// owner.

#include <string>
#include <string_view>
#include <vector>

#include "content/documents/document.hpp"

namespace castiel::content::documents {

using Rows = std::vector<std::vector<std::string>>;

// Valid UTF-8 without control characters: what is none becomes U+FFFD.
std::string clean(std::string_view text);

struct Metadata {
  std::string title, author, created, modified;  // times as found; what is no time is dropped
};

class Builder {
 public:
  // A block of text on lines of its own.
  void line(std::string_view text);
  // A table's cells as text, tab by tab, and among the tables; `where` is page, sheet, slide or empty.
  void table(const Rows& rows, std::string_view where, int number);
  // Only among the tables: its text was given by line().
  void table_without_text(const Rows& rows, std::string_view where, int number);
  void slide(int number, std::string_view text, std::string_view notes, bool hidden);
  void sheet(std::string_view name, json::array rows, bool hidden);
  void page(int number, std::string_view text, bool ocr);
  void embed(std::string_view name, std::string_view media_type, std::string bytes);
  void warn(std::string_view what);
  Metadata& metadata() { return metadata_; }
  bool full() const { return text_.size() >= kMaxTextBytes; }
  const std::string& text() const { return text_; }

  ParsedDocument finish(std::string_view type, std::string_view media_type) &&;

 private:
  std::string text_;
  Metadata metadata_;
  json::array pages_, tables_, slides_, sheets_, embedded_, warnings_;
  std::vector<EmbeddedFile> parts_;
  std::size_t embedded_bytes_ = 0, table_bytes_ = 0;
};

json::array to_json(const Rows& rows);
// RFC 3339 of the notations documents have: W3CDTF with or without zone or time; empty for others.
std::string normal_time(std::string_view text);
// By the name's extension; application/octet-stream for others.
std::string_view media_type_of(std::string_view name);

}  // namespace castiel::content::documents
