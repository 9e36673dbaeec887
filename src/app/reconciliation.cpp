#include "app/reconciliation.hpp"

#include <fmt/format.h>

#include <set>

#include "linking/content.hpp"
#include "messaging/publisher.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"
#include "search/chunks.hpp"

namespace castiel::app {

namespace {

namespace event = model::event;
namespace queue = model::queue;
namespace type = model::type;

using Shards = std::span<const model::Shard>;

messaging::Publication publication(std::string_view event_type, const TenantId& tenant, Shards shards,
                                   json::array records) {
  const auto& key = shards.front().key;
  const int n = static_cast<int>(records.size());
  return {event_type,
          key.type,
          {{"integrationId", key.integration}, {"records", std::move(records)}},
          messaging::lane_of(tenant, key.integration, key.type),
          n};
}

messaging::Publication opportunities_updated(const TenantId& tenant, Shards shards) {
  json::array records;
  for (const auto& shard : shards)
    records.push_back({{"shardId", shard.id.str()}, {"reason", "reconciliation"}});
  return publication(event::kOpportunityUpdated, tenant, shards, std::move(records));
}

messaging::Publication shards_updated(const TenantId& tenant, Shards shards) {
  json::array records;
  for (const auto& shard : shards)
    records.push_back({{"id", shard.id.str()},
                       {"type", shard.key.type},
                       {"externalId", shard.key.external_id},
                       {"version", shard.version}});
  return publication(event::kShardUpdated, tenant, shards, std::move(records));
}

// That a content is stored, as its stage says it. What it says besides stands on the shard, where its readers
// look.
messaging::Publication content_processed(const TenantId& tenant, Shards shards) {
  struct Said {
    std::string_view event_type, id;
  };
  static const std::map<std::string_view, Said> kSaid = {
      {type::kEmail, {event::kEmailProcessed, "emailId"}},
      {type::kMessage, {event::kMessageProcessed, "messageId"}},
      {type::kDocument, {event::kDocumentProcessed, "documentId"}},
      {type::kMeeting, {event::kMeetingProcessed, "meetingId"}},
      {type::kEvent, {event::kEventProcessed, "eventId"}}};
  const auto& said = kSaid.at(shards.front().key.type);
  json::array records;
  for (const auto& shard : shards) {
    json::object record{{"key", shard.key.external_id},
                        {"id", shard.id.str()},
                        {"type", shard.key.type},
                        {std::string(said.id), shard.key.external_id},
                        {"sentiment", 0},
                        {"extractedText", ""},
                        {"transcript", json::object()},
                        {"analysis", json::object()}};
    for (const auto* list :
         {"actionItems", "entities", "topics", "recommendations", "linkedOpportunities", "linkedContacts"})
      record[list] = json::array();
    records.push_back(std::move(record));
  }
  return publication(said.event_type, tenant, shards, std::move(records));
}

std::set<std::string> searched_types() {
  std::set<std::string> types;
  for (const auto t : {type::kEmail, type::kMessage, type::kDocument, type::kMeeting, type::kEvent,
                       type::kAccount, type::kContact, type::kOpportunity, type::kProduct, type::kTask}) {
    if (search::is_searched(t)) types.emplace(t);
  }
  return types;
}

}  // namespace

std::vector<operations::Consequence> consequences() {
  std::vector<operations::Consequence> all;
  all.push_back({"insight",
                 std::string(queue::kAnalyticsRisk),
                 {std::string(type::kOpportunity)},
                 [](const storage::Reader& reader, const model::Shard& shard) -> Result<bool> {
                   const auto data = parse_json(shard.data);
                   // Deals that were closed when they came have none.
                   if (!data || !data->is_object() || string_or(data->get_object(), "status") != "open")
                     return true;
                   CASTIEL_ASSIGN(const auto insight, reader.insight("deal", shard.id));
                   return insight.has_value();
                 },
                 opportunities_updated});
  all.push_back({"text", std::string(queue::kSearchIndex), searched_types(),
                 [](const storage::Reader& reader, const model::Shard& shard) -> Result<bool> {
                   CASTIEL_ASSIGN(const auto kept, reader.chunks(shard.id));
                   return !kept.empty() || search::chunks_of(shard).empty();
                 },
                 shards_updated});
  all.push_back({"links",
                 std::string(queue::kEntityLinking),
                 {std::string(type::kEmail), std::string(type::kMessage), std::string(type::kDocument),
                  std::string(type::kMeeting), std::string(type::kEvent)},
                 [](const storage::Reader& reader, const model::Shard& shard) -> Result<bool> {
                   if (!linking::read_content(shard)) return true;
                   CASTIEL_ASSIGN(const auto prints, reader.footprints(shard.id));
                   return std::ranges::any_of(
                       prints, [](const auto& p) { return p.kind == linking::footprint::kLinkedWith; });
                 },
                 content_processed});
  return all;
}

Result<std::string> integration_of_flow(const storage::Reader& reader, const CorrelationId& flow) {
  CASTIEL_ASSIGN(const auto run, reader.import_run(flow));
  const auto detail = run ? parse_json(run->detail) : Result<json::value>(json::object());
  std::set<std::string> names;
  if (detail && detail->is_object()) {
    if (auto chosen = string_or(detail->get_object(), "integration"); !chosen.empty()) return chosen;
    if (const auto* understood = get_array(detail->get_object(), "understood")) {
      for (const auto& file : *understood) {
        if (file.is_object()) names.insert(string_or(file.get_object(), "integration", "files"));
      }
    }
  }
  if (names.empty()) return std::string("files");
  return fmt::format("{}", fmt::join(names, "+"));
}

Result<std::optional<CorrelationId>> refetch_import(storage::Store& store, sync::ImportService& imports,
                                                    const TenantId& tenant, const CorrelationId& flow) {
  CASTIEL_ASSIGN(const auto reader, store.read(tenant));
  CASTIEL_ASSIGN(const auto newest, reader->import_runs(1));
  if (newest.empty()) return std::optional<CorrelationId>();
  auto run = newest.front();
  if (!flow.empty()) {
    CASTIEL_ASSIGN(auto own, reader->import_run(flow));
    if (!own) return std::optional<CorrelationId>();
    run = std::move(*own);
  }
  if (run.status == "running") return std::optional(run.correlation);
  auto options = sync::options_of(run);
  if (!options) return std::optional<CorrelationId>();
  options->again = run.correlation == newest.front().correlation;
  auto started = imports.start(tenant, std::move(*options));
  if (started) return std::optional(*started);
  if (started.error().cls == ErrorClass::permanent) return std::optional<CorrelationId>();
  return std::unexpected(std::move(started.error()));
}

}  // namespace castiel::app
