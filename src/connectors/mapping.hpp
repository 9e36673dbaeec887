#pragma once
// How the columns of one source table become fields of a canonical entity. Travels as JSON inside a page's
// event, so that mapping needs nothing but the event. Plain values.

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "content/values.hpp"

namespace castiel::connectors {

enum class SourceFormat { csv, json };
std::string_view to_string(SourceFormat format);

struct ColumnMapping {
  std::string column;     // name in the source; of JSON the flattened path
  std::string field;      // canonical name of model::Entity, or empty: kept as a custom field
  double confidence = 0;  // 0..1
  std::string why;        // for a person: "Salesforce API name", "looks like dates"
  bool operator==(const ColumnMapping&) const = default;
};

struct RecordMapping {
  std::string entity;                  // model::type
  std::string integration;             // salesforce, hubspot, pipedrive, dynamics or files
  std::vector<ColumnMapping> columns;  // of CSV in the order of the fields
  content::NumberStyle numbers = content::NumberStyle::unknown;
  content::DateOrder dates = content::DateOrder::unknown;
  content::FractionScale fractions = content::FractionScale::unknown;
  std::string time_zone = "UTC";  // of times without one
  std::string default_currency;   // ISO 4217 or empty
  bool operator==(const RecordMapping&) const = default;

  // The column that gives `field`, or nullptr.
  const ColumnMapping* column_for(std::string_view field) const;
};

json::object to_json(const RecordMapping& mapping);
Result<RecordMapping> record_mapping_from_json(const json::object& object);  // error: invalid_mapping

}  // namespace castiel::connectors
