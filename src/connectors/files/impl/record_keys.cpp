#include "connectors/files/impl/record_keys.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"
#include "model/entity.hpp"

namespace castiel::connectors::impl {

RecordKeys::RecordKeys(const RecordMapping& mapping) : columns_(mapping.columns.size()) {
  const auto column = [&](std::string_view field) {
    for (std::size_t i = 0; i < mapping.columns.size(); ++i) {
      if (mapping.columns[i].field == field) return static_cast<int>(i);
    }
    return -1;
  };
  id_ = column("id");
  modified_ = column("modifiedAt");
  first_name_ = column("firstName");
  last_name_ = column("lastName");
  if (const auto* entity = model::find_entity(mapping.entity)) {
    for (const auto field : entity->natural_keys) {
      if (const int at = column(field); at >= 0) natural_.push_back(at);
    }
    // Users are named by two columns in some tools, though only contacts list lastName among their keys.
    if (natural_.empty() && last_name_ >= 0) natural_.push_back(last_name_);
    by_content_ = entity->natural_keys.empty();
  }
}

std::string RecordKeys::clean(std::string_view text) {
  return content::is_missing(text) ? std::string() : std::string(content::trim(text));
}

std::string RecordKeys::hashed(std::string_view content) {
  // Two independent halves: 64 bits are few for a history of millions of rows.
  return fmt::format("{:016x}{:016x}", stable_hash(content), stable_hash(std::string(content) + "\x1e"));
}

std::string RecordKeys::expected(const RecordMapping& mapping) const {
  if (id_ >= 0) return "'" + mapping.columns[static_cast<std::size_t>(id_)].column + "'";
  std::string names;
  for (const int column : natural_) {
    names += (names.empty() ? "'" : ", '") + mapping.columns[static_cast<std::size_t>(column)].column + "'";
  }
  return names.empty() ? "an id column" : names;
}

}  // namespace castiel::connectors::impl
