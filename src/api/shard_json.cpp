#include "api/shard_json.hpp"

#include <fmt/format.h>

#include <map>

#include "api/content_json.hpp"

namespace castiel::api {
namespace {

std::string name_in(const json::object& data) {
  if (auto name = string_or(data, "name"); !name.empty()) return name;
  const std::string first = string_or(data, "firstName"), last = string_or(data, "lastName");
  if (!first.empty() || !last.empty())
    return first.empty() || last.empty() ? first + last : first + " " + last;
  return string_or(data, "email");
}

json::value or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

Result<> add_relations(const storage::Reader& reader, const ShardId& from, json::object& data) {
  CASTIEL_ASSIGN(const auto relations, reader.relations_from(from));
  for (const auto& relation : relations) {
    if (relation.ordinal > 0) continue;  // further ones of the same role have no name of their own
    const std::string id_key = relation.role + "Id", name_key = relation.role + "Name";
    const bool by_id = relation.kind.ends_with(":id");
    if (by_id) data[relation.role + "ExternalId"] = relation.text;
    if (!by_id && !data.contains(name_key)) data[name_key] = relation.text;
    if (!relation.to) continue;
    data[id_key] = relation.to->str();
    CASTIEL_ASSIGN(const auto target, reader.shard(*relation.to));
    if (!target) continue;
    CASTIEL_ASSIGN(const auto parsed, parse_json(target->data));
    if (!parsed.is_object()) continue;
    if (auto name = name_in(parsed.get_object()); !name.empty()) data[name_key] = std::move(name);
  }
  return {};
}

}  // namespace

Result<json::object> shard_json(const storage::Reader& reader, const model::Shard& shard) {
  CASTIEL_ASSIGN(auto parsed, parse_json(shard.data));
  json::object data;
  if (auto* object = parsed.if_object()) data = std::move(*object);
  CASTIEL_TRY(add_relations(reader, shard.id, data));
  CASTIEL_TRY(add_linked_ids(reader, shard, data));
  json::object source{{"text", shard.source}};
  if (const auto origin = parse_json(shard.origin); origin && origin->is_object()) {
    for (const auto& member : origin->get_object()) source[member.key()] = member.value();
  }
  if (shard.source_is_dated) source["modifiedAt"] = to_string(shard.source_version);
  return json::object{
      {"tenant", reader.tenant().str()},
      {"type", shard.key.type},
      {"id", shard.id.str()},
      {"externalId", shard.key.external_id},
      {"integration", shard.key.integration},
      {"version", shard.version},
      {"data", std::move(data)},
      {"source", std::move(source)},
      {"correlationId", shard.correlation.str()},
      {"createdAt", to_string(shard.created_at)},
      {"updatedAt", to_string(shard.updated_at)},
      {"deletedAt", shard.deleted_at ? json::value(to_string(*shard.deleted_at)) : json::value(nullptr)}};
}

json::object change_json(const model::FieldChange& change) {
  return {{"field", change.field},
          {"from", or_null(change.old_value)},
          {"to", or_null(change.new_value)},
          {"effectiveAt", to_string(change.effective_at)},
          {"recordedAt", to_string(change.recorded_at)},
          {"origin", change.origin},
          {"actor", change.actor.empty() ? json::value(nullptr) : json::value(change.actor)},
          {"correlationId", change.correlation.str()}};
}

}  // namespace castiel::api
