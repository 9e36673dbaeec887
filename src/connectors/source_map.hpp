#pragma once
// The user's own word on files that are not recognised, or not rightly: a YAML file that says which entity a
// file holds and which column is which field. Plain values; thread-safe to read.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "content/text_encoding.hpp"
#include "content/values.hpp"

namespace castiel::connectors {

struct SourceMapEntry {
  std::string match;        // glob on the file name, or on the path if it has a '/': * ? ** and [abc]
  std::string entity;       // model::type; empty: recognised
  std::string integration;  // empty: recognised
  std::map<std::string, std::string, std::less<>>
      columns;        // source column -> canonical field, or "" for none
  bool only = false;  // other columns are not recognised
  std::optional<content::NumberStyle> numbers;
  std::optional<content::DateOrder> dates;
  std::string currency;
  std::string time_zone;
  std::optional<content::Encoding> encoding;
  char delimiter = 0;
};

struct SourceMap {
  std::vector<SourceMapEntry> files;
  // The first entry whose pattern fits, or nullptr. Patterns compare without case.
  const SourceMapEntry* find(std::string_view path) const;
};

// files:
//   - match: "deals*.csv"
//     entity: opportunity
//     columns: { "Auftragswert": amount, "Notiz": "" }
//     options: { decimal: comma, dates: dmy, currency: EUR, timezone: Europe/Berlin, encoding: utf-8,
//     delimiter: ";" }
// Error: invalid_source_map; the message names `name`, the line and the key.
Result<SourceMap> parse_source_map(std::string_view yaml, std::string_view name);

bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace castiel::connectors
