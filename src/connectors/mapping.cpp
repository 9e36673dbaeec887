#include "connectors/mapping.hpp"

#include <algorithm>
#include <cmath>

namespace castiel::connectors {

std::string_view to_string(SourceFormat format) {
  return format == SourceFormat::csv ? "csv" : "json";
}

const ColumnMapping* RecordMapping::column_for(std::string_view field) const {
  const auto it = std::ranges::find(columns, field, &ColumnMapping::field);
  return it == columns.end() || field.empty() ? nullptr : &*it;
}

json::object to_json(const RecordMapping& mapping) {
  json::object object;
  object["entity"] = mapping.entity;
  object["integration"] = mapping.integration;
  json::array columns;
  for (const auto& column : mapping.columns) {
    json::object entry;
    entry["column"] = column.column;
    entry["field"] = column.field;
    // Two decimals are enough to judge by, and the text stays short.
    entry["confidence"] = std::round(column.confidence * 100) / 100;
    entry["why"] = column.why;
    columns.push_back(std::move(entry));
  }
  object["columns"] = std::move(columns);
  object["numbers"] = content::to_string(mapping.numbers);
  object["dates"] = content::to_string(mapping.dates);
  object["fractions"] = content::to_string(mapping.fractions);
  object["timeZone"] = mapping.time_zone;
  object["currency"] = mapping.default_currency;
  return object;
}

Result<RecordMapping> record_mapping_from_json(const json::object& object) {
  const auto bad = [](std::string_view what) {
    return permanent("invalid_mapping", "the record mapping has no valid '" + std::string(what) + "'");
  };
  RecordMapping mapping;
  mapping.entity = string_or(object, "entity");
  if (mapping.entity.empty()) return bad("entity");
  mapping.integration = string_or(object, "integration", "files");
  const auto* columns = get_array(object, "columns");
  if (columns == nullptr) return bad("columns");
  for (const auto& value : *columns) {
    const auto* entry = value.if_object();
    if (entry == nullptr || !get_string(*entry, "column")) return bad("columns");
    ColumnMapping column;
    column.column = string_or(*entry, "column");
    column.field = string_or(*entry, "field");
    column.why = string_or(*entry, "why");
    if (const auto* confidence = entry->if_contains("confidence");
        confidence != nullptr && confidence->is_number()) {
      column.confidence = confidence->to_number<double>();
    }
    mapping.columns.push_back(std::move(column));
  }
  const auto numbers = content::number_style(string_or(object, "numbers", "unknown"));
  const auto dates = content::date_order(string_or(object, "dates", "unknown"));
  const auto fractions = content::fraction_scale(string_or(object, "fractions", "unknown"));
  if (!numbers) return bad("numbers");
  if (!dates) return bad("dates");
  if (!fractions) return bad("fractions");
  mapping.numbers = *numbers;
  mapping.dates = *dates;
  mapping.fractions = *fractions;
  mapping.time_zone = string_or(object, "timeZone", "UTC");
  mapping.default_currency = string_or(object, "currency");
  return mapping;
}

}  // namespace castiel::connectors
