#include "processing/crm/crm_handler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "model/event_types.hpp"
#include "processing/crm/mapper.hpp"
#include "processing/impl/shard_page.hpp"

namespace castiel::processing {

using messaging::Incoming;
using messaging::Publication;
using messaging::RecordFailure;
using messaging::Step;

namespace {

// What a page comes to.
struct PageResult {
  ShardPage shards;
  std::vector<storage::Alias> aliases;
  std::vector<ShardId> renamed;  // their old aliases go
  std::vector<storage::Relation> relations;
  std::vector<storage::Problem> problems;
  std::vector<std::pair<ShardId, std::string>> touched;  // opportunities whose history grew, with the reason
  std::int64_t mapped = 0;
  std::int64_t failed = 0;
  std::map<std::string, std::int64_t> without;  // relations a record could have but has not, by role
};

class CrmPlan final : public messaging::Plan {
 public:
  CrmPlan(std::span<const Incoming> batch, IdGenerator& ids)
      : batch_(batch), ids_(&ids), pages_(batch.size()) {}

  Result<> prepare(const storage::Reader& reader, Timestamp now);
  Result<> apply(Step& step) override;
  std::span<const RecordFailure> failures() const override { return failures_; }
  std::string summary() const override { return summary_; }

 private:
  Result<> prepare_shards(const storage::Reader& reader, Timestamp now, std::size_t page,
                          const Mapper& mapper);
  Result<> prepare_changes(const storage::Reader& reader, Timestamp now, std::size_t page,
                           const Mapper& mapper);
  Result<> place(const storage::Reader& reader, Timestamp now, std::size_t page, std::size_t record,
                 const PageHeader& header, MappedRecord mapped, std::string_view source, std::string origin);
  Result<> publish(Step& step, std::size_t page);
  void fail(std::size_t page, std::size_t record, Error error) {
    failures_.push_back({page, record, std::move(error), "/source"});
    ++pages_[page].failed;
  }

  std::span<const Incoming> batch_;
  IdGenerator* ids_;
  std::vector<PageResult> pages_;
  std::vector<RecordFailure> failures_;
  KnownShards known_;
  std::string summary_;
};

const json::array& records_of(const Incoming& in) {
  return *get_array(in.event.data.get_object(), "records");
}

Result<> CrmPlan::prepare(const storage::Reader& reader, Timestamp now) {
  for (std::size_t page = 0; page < batch_.size(); ++page) {
    const auto& data = batch_[page].event.data.get_object();
    CASTIEL_ASSIGN(auto header, read_page_header(data));
    const bool changes = header.mapping.entity == model::type::kOpportunityChange;
    CASTIEL_ASSIGN(const auto mapper, Mapper::create(std::move(header)));
    CASTIEL_TRY(changes ? prepare_changes(reader, now, page, mapper)
                        : prepare_shards(reader, now, page, mapper));
  }
  return {};
}

Result<> CrmPlan::prepare_shards(const storage::Reader& reader, Timestamp now, std::size_t page,
                                 const Mapper& mapper) {
  const auto& in = batch_[page];
  const auto& data = in.event.data.get_object();
  const std::string file = string_or(data, "file");
  const auto* format = get_object(data, "format");
  const std::string encoding = format == nullptr ? "" : string_or(*format, "encoding");
  const auto& records = records_of(in);
  const auto& header = mapper.header();
  std::vector<std::string> ids;
  for (const auto& record : records)
    ids.push_back(normalize_id(header.integration, get_string(record.get_object(), "key").value_or("")));
  CASTIEL_TRY(known_.load(reader, header.mapping.entity, header.integration, ids));
  for (std::size_t r = 0; r < records.size(); ++r) {
    const auto& record = records[r].get_object();
    const auto key = get_string(record, "key").value_or("");
    const auto source = get_string(record, "source").value_or("");
    const std::int64_t line = int_or(record, "line", 0);
    auto mapped = mapper.map(key, source);
    if (!mapped) {
      if (mapped.error().cls != ErrorClass::permanent) return std::unexpected(mapped.error());
      fail(page, r, mapped.error());
      continue;
    }
    for (const auto& p : mapped->problems) pages_[page].problems.push_back({file, line, p.code, p.message});
    std::string origin = R"({"file":)";
    append_json_string(origin, file);
    origin += fmt::format(R"(,"line":{},"encoding":"{}"}})", line, encoding);
    CASTIEL_TRY(place(reader, now, page, r, mapper.header(), std::move(*mapped), source, std::move(origin)));
  }
  return {};
}

// Decides what the record means for what is stored, and what goes with it.
Result<> CrmPlan::place(const storage::Reader& reader, Timestamp now, std::size_t page, std::size_t record,
                        const PageHeader& header, MappedRecord mapped, std::string_view source,
                        std::string origin) {
  auto& result = pages_[page];
  const model::ShardKey key{header.mapping.entity, header.integration, mapped.external_id};
  Candidate candidate;
  candidate.key = key;
  candidate.data = std::move(mapped.data);
  candidate.source = source;
  candidate.origin = std::move(origin);
  candidate.content_hash = mapped.content_hash;
  candidate.source_version = mapped.source_version;
  candidate.dated = mapped.dated;
  candidate.deleted = mapped.deleted;
  candidate.force = header.force;
  auto placed =
      result.shards.place(reader, known_, std::move(candidate), *ids_, now, batch_[page].event.correlation);
  if (!placed) {
    if (placed.error().cls != ErrorClass::permanent) return std::unexpected(placed.error());
    fail(page, record, placed.error());
    return {};
  }
  ++result.mapped;
  if (placed->effect == Effect::unchanged) return {};
  const auto& id = placed->id;
  const bool known_before = result.shards.writes().back().expected_version > 0;
  for (const char* name : {"name", "email"}) {
    if (std::ranges::find(placed->changed, name) == placed->changed.end()) continue;
    result.renamed.push_back(id);
    break;
  }

  for (auto& [kind, alias] : mapped.aliases)
    result.aliases.push_back({std::move(kind), std::move(alias), key.integration, id});
  std::map<std::string, int> ordinals;
  for (auto& seed : mapped.relations) {
    const int ordinal = ordinals[seed.role]++;
    result.relations.push_back({id,
                                std::move(seed.role),
                                ordinal,
                                key.integration,
                                std::move(seed.kind),
                                std::move(seed.key),
                                std::move(seed.text),
                                {},
                                {}});
  }
  if (mapped.relations.empty() && known_before)
    result.relations.push_back({id, "", 0, "", "", "", "", {}, {}});
  if (key.type == model::type::kOpportunity && !ordinals.contains("account")) ++result.without["account"];
  return {};
}

Result<> CrmPlan::prepare_changes(const storage::Reader& reader, Timestamp now, std::size_t page,
                                  const Mapper& mapper) {
  auto& result = pages_[page];
  const std::string file = string_or(batch_[page].event.data.get_object(), "file");
  const auto& records = records_of(batch_[page]);
  for (std::size_t r = 0; r < records.size(); ++r) {
    const auto& record = records[r].get_object();
    auto mapped = mapper.map_changes(get_string(record, "source").value_or(""));
    if (!mapped) {
      fail(page, r, mapped.error());
      continue;
    }
    ++result.mapped;
    for (const auto& p : mapped->problems)
      result.problems.push_back({file, int_or(record, "line", 0), p.code, p.message});
    CASTIEL_ASSIGN(const auto* opportunity, known_.find(reader, mapped->shard));
    if (opportunity != nullptr &&
        (result.touched.empty() || result.touched.back().first != opportunity->head.id)) {
      result.touched.emplace_back(opportunity->head.id, "history");
    }
    for (auto& change : mapped->changes) {
      change.recorded_at = now;
      change.correlation = batch_[page].event.correlation;
      result.shards.changes().push_back(std::move(change));
    }
  }
  return {};
}

Result<> CrmPlan::apply(Step& step) {
  auto& tx = step.tx();
  std::int64_t created = 0, updated = 0, unchanged = 0, deleted = 0, history = 0;
  for (std::size_t page = 0; page < batch_.size(); ++page) {
    auto& result = pages_[page];
    const auto& event = batch_[page].event;
    const std::string entity = string_or(event.data.get_object(), "entityType");
    CASTIEL_TRY(result.shards.write(tx));
    CASTIEL_ASSIGN(const auto added, tx.add_changes(result.shards.changes()));
    for (const auto& id : result.renamed) CASTIEL_TRY(tx.drop_aliases(id));
    CASTIEL_TRY(tx.put_aliases(result.aliases));
    CASTIEL_TRY(tx.put_relations(result.relations));
    for (const auto& p : result.problems) CASTIEL_TRY(tx.add_problem(event.correlation, p));
    const auto effects = [&](Effect e) { return result.shards.count(e); };
    CASTIEL_TRY(step.count(event, "mapped", result.mapped));
    if (entity == model::type::kOpportunityChange) {
      CASTIEL_TRY(step.count(event, "changes", added));
      history += added;
    } else {
      CASTIEL_TRY(step.count(event, "created:" + entity, effects(Effect::created)));
      CASTIEL_TRY(
          step.count(event, "updated:" + entity, effects(Effect::updated) + effects(Effect::deleted)));
      CASTIEL_TRY(step.count(event, "unchanged:" + entity, effects(Effect::unchanged)));
      for (const auto& [role, n] : result.without)
        CASTIEL_TRY(step.count(event, fmt::format("without:{}:{}", entity, role), n));
    }
    created += effects(Effect::created);
    updated += effects(Effect::updated);
    deleted += effects(Effect::deleted);
    unchanged += effects(Effect::unchanged);
    CASTIEL_TRY(publish(step, page));
  }
  summary_ = history > 0 ? fmt::format("{} changes of the past recorded", history)
                         : fmt::format("{} created, {} updated, {} deleted, {} unchanged", created, updated,
                                       deleted, unchanged);
  if (!failures_.empty()) summary_ += fmt::format(", {} not mapped", failures_.size());
  return {};
}

Result<> CrmPlan::publish(Step& step, std::size_t page) {
  const auto& result = pages_[page];
  const auto& event = batch_[page].event;
  const std::string integration = string_or(event.data.get_object(), "integrationId");
  const std::string entity = string_or(event.data.get_object(), "entityType");
  const int lane = messaging::lane_of(event.tenant, integration, entity);

  CASTIEL_TRY(result.shards.publish(step, event, integration, entity, lane));
  json::array deals;
  if (entity == model::type::kOpportunity) {
    for (const auto& write : result.shards.writes())
      deals.push_back({{"shardId", write.shard.id.str()}, {"reason", "record"}});
  }
  for (const auto& [id, reason] : result.touched)
    deals.push_back({{"shardId", id.str()}, {"reason", reason}});
  if (!deals.empty()) {
    const int n = static_cast<int>(deals.size());
    CASTIEL_TRY(step.publish(event, {model::event::kOpportunityUpdated,
                                     entity,
                                     {{"integrationId", integration}, {"records", std::move(deals)}},
                                     lane,
                                     n}));
  }
  const auto effects = [&](Effect e) { return result.shards.count(e); };
  return step.publish(event, {model::event::kDataMapped,
                              entity,
                              {{"integrationId", integration},
                               {"entityType", entity},
                               {"created", effects(Effect::created)},
                               {"updated", effects(Effect::updated) + effects(Effect::deleted)},
                               {"unchanged", effects(Effect::unchanged)},
                               {"failed", result.failed}},
                              lane,
                              0});
}

}  // namespace

Result<std::unique_ptr<messaging::Plan>> CrmHandler::prepare(const storage::Reader& reader,
                                                             std::span<const Incoming> batch) {
  auto plan = std::make_unique<CrmPlan>(batch, *ids_);
  CASTIEL_TRY(plan->prepare(reader, clock_->now()));
  return plan;
}

}  // namespace castiel::processing
