#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "api/content_json.hpp"
#include "api/impl/calls.hpp"
#include "api/shard_json.hpp"
#include "linking/content.hpp"

namespace castiel::api::impl {
namespace {

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) || c == '-'; });
}

Result<json::value> shards(Services& services, const Call& call) {
  storage::ShardQuery query;
  query.type = call.parameters.string_or("type");
  query.integration = call.parameters.string_or("integration");
  CASTIEL_ASSIGN(query.include_deleted, call.parameters.bool_or("deleted", false));
  CASTIEL_ASSIGN(const auto limit, limit_of(call));
  if (const auto cursor = call.parameters.string_or("cursor"); !cursor.empty()) {
    if (!is_id(cursor)) return invalid_cursor();
    query.after = ShardId(cursor);
  }
  query.limit = limit + 1;
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  CASTIEL_ASSIGN(auto found, reader->shards(query));
  json::value next;
  if (found.size() > limit) {
    found.resize(limit);
    next = found.back().id.str();
  }
  json::array items;
  for (const auto& shard : found) {
    CASTIEL_ASSIGN(auto item, shard_json(*reader, shard));
    items.push_back(std::move(item));
  }
  return page(std::move(items), std::move(next));
}

Result<model::Shard> find(const storage::Reader& reader, const Call& call) {
  const auto id = call.parameters.string_or("id");
  CASTIEL_ASSIGN(auto shard, reader.shard(ShardId(id)));
  if (!shard) return permanent("not_found", fmt::format("there is no shard {}", id));
  return std::move(*shard);
}

Result<json::value> shard(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  CASTIEL_ASSIGN(const auto found, find(*reader, call));
  CASTIEL_ASSIGN(auto out, shard_json(*reader, found));
  if (linking::is_content_type(found.key.type)) {
    CASTIEL_ASSIGN(out["links"], links_of(*reader, found.id));
    CASTIEL_ASSIGN(out["thread"], thread_of(*reader, found, out.at("data").get_object()));
  }
  return out;
}

Result<json::value> history(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto limit, limit_of(call));
  CASTIEL_ASSIGN(const auto from, offset_of(call));
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  CASTIEL_ASSIGN(const auto found, find(*reader, call));
  CASTIEL_ASSIGN(const auto changes, reader->history(found.key));
  json::array items;
  for (std::size_t i = from; i < changes.size() && items.size() < limit; ++i)
    items.push_back(change_json(changes[i]));
  json::value next;
  if (from + items.size() < changes.size()) next = std::to_string(from + items.size());
  return page(std::move(items), std::move(next));
}

}  // namespace

std::vector<Operation> shard_operations() {
  auto deleted = text_parameter("deleted", "Also those their source has deleted");
  deleted.type = http::Parameter::Type::boolean;
  return {
      {"shards",
       "GET",
       "/api/v1/shards",
       "Stored entities, oldest first",
       "shards",
       {tenant_parameter(),
        text_parameter("type", "account, contact, opportunity, email, message, document, meeting, event, …"),
        text_parameter("integration", "Only from this source"), deleted, limit_parameter(),
        cursor_parameter()},
       shards,
       "ShardList"},
      {"shards.get",
       "GET",
       "/api/v1/shards/{id}",
       "One stored entity; of a mail, call or document also what it is linked to and its conversation",
       "shards",
       {tenant_parameter()},
       shard,
       "Shard"},
      {"shards.history",
       "GET",
       "/api/v1/shards/{id}/history",
       "Its changes, field by field, oldest first",
       "shards",
       {tenant_parameter(), limit_parameter(), cursor_parameter()},
       history,
       "List"},
  };
}

}  // namespace castiel::api::impl
