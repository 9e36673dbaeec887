#pragma once
// Which entity a table holds and which of its columns is which canonical field: by the vendors' own headers,
// by likeness of names, and by what the values look like. Pure; thread-safe.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "connectors/mapping.hpp"
#include "connectors/source_map.hpp"

namespace castiel::connectors {

struct TableSample {
  std::string_view file;  // path or name; a hint only
  std::span<const std::string> columns;
  std::span<const std::vector<std::string>>
      rows;  // fields in the order of `columns`; a few hundred are enough
};

struct Recognition {
  RecordMapping mapping;
  double confidence = 0;           // of the entity, 0..1
  std::string why;                 // one sentence for a person
  std::vector<std::string> notes;  // columns that were not clear, doubtful values
};

// Error: unrecognised_table; the message says what was seen and shows a source map to start from.
Result<Recognition> recognise(const TableSample& sample, const SourceMapEntry* user = nullptr);

}  // namespace castiel::connectors
