#include "linking/impl/effects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"

namespace castiel::linking {
namespace {

constexpr std::size_t kPageRecords = 200;

model::ShardKey activity_key(const LinkChange& change) {
  return {std::string(model::type::kActivity), std::string(kIntegration),
          fmt::format("{}:{}", change.link.from.str(), change.link.to.str())};
}

std::string activity_data(const LinkChange& change) {
  const auto& content = *change.content;
  json::object data{{"activityType", content.key.type},
                    {"direction", change.direction},
                    {"occurredAt", to_string(content.at)},
                    {"subject", content.subject},
                    {"source", {{"type", content.key.type}, {"id", content.id.str()}}},
                    {"target", {{"type", change.link.to_type}, {"id", change.link.to.str()}}}};
  return json::serialize(data);
}

// The write that makes the activity what the link says; nothing when it is so already.
Result<std::optional<storage::ShardWrite>> activity_write(const storage::Reader& reader,
                                                          const LinkChange& change, IdGenerator& ids,
                                                          Timestamp now, const CorrelationId& correlation) {
  const bool attached = change.link.status == "attached";
  const auto key = activity_key(change);
  CASTIEL_ASSIGN(const auto before, reader.shard(key));
  if (!before && !attached) return std::optional<storage::ShardWrite>();
  storage::ShardWrite write;
  auto& shard = write.shard;
  shard.key = key;
  shard.data = attached ? activity_data(change) : before->data;
  shard.content_hash = stable_hash(shard.data);
  if (before && before->content_hash == shard.content_hash && before->deleted_at.has_value() != attached)
    return std::optional<storage::ShardWrite>();
  shard.id = before ? before->id : ShardId(ids.next());
  write.expected_version = before ? before->version : 0;
  shard.version = write.expected_version + 1;
  shard.origin = json::serialize(json::object{{"linkId", change.link.id}});
  shard.source_version = change.content->at;
  shard.source_is_dated = true;
  shard.correlation = correlation;
  shard.created_at = before ? before->created_at : now;
  shard.updated_at = now;
  if (!attached) shard.deleted_at = now;
  return std::optional(std::move(write));
}

Result<> publish_pages(const Publish& publish, std::string_view type, std::string_view subject,
                       json::object data, json::array records) {
  for (std::size_t first = 0; first < records.size(); first += kPageRecords) {
    json::array page;
    for (std::size_t i = first; i < std::min(first + kPageRecords, records.size()); ++i)
      page.push_back(std::move(records[i]));
    const int n = static_cast<int>(page.size());
    json::object body = data;
    body["records"] = std::move(page);
    CASTIEL_TRY(publish({type, subject, std::move(body), 0, n}));
  }
  return {};
}

}  // namespace

Result<> write_effects(storage::Transaction& tx, std::span<const LinkChange> changes, IdGenerator& ids,
                       Timestamp now, const CorrelationId& correlation, const Publish& publish) {
  std::vector<storage::ShardWrite> writes;
  json::array linked, created, updated, deleted, deals;
  std::set<ShardId> touched;
  for (const auto& change : changes) {
    const auto& link = change.link;
    CASTIEL_ASSIGN(auto write, activity_write(tx, change, ids, now, correlation));
    if (write) {
      const auto& shard = write->shard;
      auto& list = shard.deleted_at ? deleted : write->expected_version == 0 ? created : updated;
      list.push_back({{"id", shard.id.str()},
                      {"type", shard.key.type},
                      {"externalId", shard.key.external_id},
                      {"version", shard.version}});
      writes.push_back(std::move(*write));
    }
    if (link.status == "ignored" && (change.before.empty() || change.before == "ignored")) continue;
    json::object said{{"linkId", link.id},           {"sourceType", link.from_type},
                      {"sourceId", link.from.str()}, {"targetType", link.to_type},
                      {"targetId", link.to.str()},   {"confidence", link.confidence},
                      {"strategy", link.strategy},   {"status", link.status}};
    if (!link.decided_by.empty()) said["decidedBy"] = link.decided_by;
    linked.push_back(std::move(said));
    const bool counts = link.status == "attached" || change.before == "attached";
    if (counts && link.to_type == model::type::kOpportunity && touched.insert(link.to).second)
      deals.push_back({{"shardId", link.to.str()}, {"reason", "linked"}});
  }
  CASTIEL_TRY(tx.put_shards(writes));
  const json::object ours{{"integrationId", kIntegration}};
  CASTIEL_TRY(
      publish_pages(publish, model::event::kShardCreated, model::type::kActivity, ours, std::move(created)));
  CASTIEL_TRY(
      publish_pages(publish, model::event::kShardUpdated, model::type::kActivity, ours, std::move(updated)));
  CASTIEL_TRY(
      publish_pages(publish, model::event::kShardDeleted, model::type::kActivity, ours, std::move(deleted)));
  CASTIEL_TRY(publish_pages(publish, model::event::kEntityLinked, "", {}, std::move(linked)));
  return publish_pages(publish, model::event::kOpportunityUpdated, "", ours, std::move(deals));
}

}  // namespace castiel::linking
