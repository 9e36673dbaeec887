#include "processing/crm/crm_handler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "model/event_types.hpp"
#include "processing/crm/mapper.hpp"

namespace castiel::processing {

using messaging::Incoming;
using messaging::Publication;
using messaging::RecordFailure;
using messaging::Step;

namespace {

// What is stored of a key, or will be once the records before it in the batch are.
struct Known {
  storage::ShardHead head;
  std::optional<model::Shard> shard;  // loaded when something has to be compared
};

// The flattened fields of a shard's data, for a comparison field by field.
void flatten(const json::object& object, const std::string& prefix, std::map<std::string, std::string>& out) {
  for (const auto& [key, value] : object) {
    const std::string name = prefix + std::string(key);
    if (const auto* inner = value.if_object()) {
      flatten(*inner, name + ".", out);
    } else if (value.is_string()) {
      out[name] = std::string(value.get_string());
    } else if (!value.is_null()) {
      out[name] = json::serialize(value);
    }
  }
}

std::map<std::string, std::string> fields_of(std::string_view data) {
  std::map<std::string, std::string> fields;
  if (const auto value = parse_json(data); value && value->is_object())
    flatten(value->get_object(), "", fields);
  return fields;
}

enum class Effect { created, updated, unchanged, deleted };

// What a page comes to.
struct PageResult {
  std::vector<storage::ShardWrite> writes;
  std::vector<Effect> effects;                    // of each write
  std::vector<std::vector<std::string>> changed;  // names of changed fields of each write
  std::vector<model::FieldChange> changes;
  std::vector<storage::Alias> aliases;
  std::vector<ShardId> renamed;  // their old aliases go
  std::vector<storage::Relation> relations;
  std::vector<storage::Problem> problems;
  std::vector<std::pair<ShardId, std::string>> touched;  // opportunities whose history grew, with the reason
  std::int64_t unchanged = 0;
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
  Result<Known*> known(const storage::Reader& reader, const model::ShardKey& key);
  Result<> publish(Step& step, std::size_t page);
  void fail(std::size_t page, std::size_t record, Error error) {
    failures_.push_back({page, record, std::move(error), "/source"});
    ++pages_[page].failed;
  }

  std::span<const Incoming> batch_;
  IdGenerator* ids_;
  std::vector<PageResult> pages_;
  std::vector<RecordFailure> failures_;
  std::map<model::ShardKey, std::optional<Known>> known_;
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

Result<Known*> CrmPlan::known(const storage::Reader& reader, const model::ShardKey& key) {
  const auto it = known_.find(key);
  if (it != known_.end()) return it->second ? &*it->second : nullptr;
  const std::string id = key.external_id;
  CASTIEL_ASSIGN(const auto heads, reader.heads(key.type, key.integration, {&id, 1}));
  auto& slot = known_[key];
  if (heads[0]) slot = Known{*heads[0], {}};
  return slot ? &*slot : nullptr;
}

Result<> CrmPlan::prepare_shards(const storage::Reader& reader, Timestamp now, std::size_t page,
                                 const Mapper& mapper) {
  const auto& in = batch_[page];
  const auto& data = in.event.data.get_object();
  const std::string file = string_or(data, "file");
  const auto* format = get_object(data, "format");
  const std::string encoding = format == nullptr ? "" : string_or(*format, "encoding");
  const auto& records = records_of(in);
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

// Decides what the record means for what is stored: nothing, a new shard, a change, or a collision.
Result<> CrmPlan::place(const storage::Reader& reader, Timestamp now, std::size_t page, std::size_t record,
                        const PageHeader& header, MappedRecord mapped, std::string_view source,
                        std::string origin) {
  auto& result = pages_[page];
  const model::ShardKey key{header.mapping.entity, header.integration, mapped.external_id};
  CASTIEL_ASSIGN(Known * before, known(reader, key));
  ++result.mapped;
  const bool same_content = before != nullptr && before->head.content_hash == mapped.content_hash &&
                            before->head.deleted == mapped.deleted;
  if (before != nullptr &&
      (same_content || (!header.force && mapped.source_version < before->head.source_version))) {
    ++result.unchanged;
    return {};
  }
  if (before != nullptr && !before->shard) {
    CASTIEL_ASSIGN(before->shard, reader.shard(key));
    if (!before->shard) return conditional("version_conflict", "the shard went away meanwhile");
  }
  if (before != nullptr && !header.force && mapped.source_version == before->head.source_version) {
    // The same version with other content: read with another mapping it is the same record; otherwise the
    // source contradicts itself, and neither may silently win.
    if (before->shard->source == source) {
      ++result.unchanged;
      return {};
    }
    --result.mapped;
    std::string where = "an earlier record";
    if (const auto was = parse_json(before->shard->origin); was && was->is_object()) {
      where = fmt::format("{} line {}", string_or(was->get_object(), "file"),
                          int_or(was->get_object(), "line", 0));
    }
    fail(page, record,
         {"key_collision",
          fmt::format("{} {}: other content than in {}, with the same {}; the earlier one was kept", key.type,
                      key.external_id, where, mapped.dated ? "modification time" : "import"),
          ErrorClass::permanent,
          {}});
    return {};
  }

  storage::ShardWrite write;
  auto& shard = write.shard;
  shard.key = key;
  shard.data = std::move(mapped.data);
  shard.source = source;
  shard.origin = std::move(origin);
  shard.source_version = mapped.source_version;
  shard.source_is_dated = mapped.dated;
  shard.content_hash = mapped.content_hash;
  shard.correlation = batch_[page].event.correlation;
  shard.updated_at = now;
  if (mapped.deleted) shard.deleted_at = now;
  std::vector<std::string> changed;
  Effect effect = Effect::created;
  if (before == nullptr) {
    shard.id = ShardId(ids_->next());
    shard.version = 1;
    shard.created_at = now;
    if (mapped.deleted) effect = Effect::deleted;
  } else {
    const auto& old = *before->shard;
    shard.id = old.id;
    shard.created_at = old.created_at;
    write.expected_version = old.version;
    shard.version = old.version + 1;
    effect = mapped.deleted && !old.deleted_at ? Effect::deleted : Effect::updated;
    const auto was = fields_of(old.data), is = fields_of(shard.data);
    const auto add = [&](const std::string& field, std::optional<std::string> from,
                         std::optional<std::string> to) {
      changed.push_back(field);
      result.changes.push_back({key, field, std::move(from), std::move(to), mapped.source_version, now,
                                "import", "", shard.correlation});
    };
    for (const auto& [field, value] : is) {
      if (field == "modifiedAt") continue;
      const auto it = was.find(field);
      if (it == was.end()) {
        add(field, std::nullopt, value);
      } else if (it->second != value) {
        add(field, it->second, value);
      }
    }
    for (const auto& [field, value] : was) {
      if (field != "modifiedAt" && !is.contains(field)) add(field, value, std::nullopt);
    }
    if (old.deleted_at.has_value() != mapped.deleted)
      add("*", old.deleted_at ? "deleted" : "live", mapped.deleted ? "deleted" : "live");
    if (std::ranges::find(changed, "name") != changed.end() ||
        std::ranges::find(changed, "email") != changed.end())
      result.renamed.push_back(shard.id);
  }

  for (auto& [kind, alias] : mapped.aliases)
    result.aliases.push_back({std::move(kind), std::move(alias), key.integration, shard.id});
  std::map<std::string, int> ordinals;
  for (auto& seed : mapped.relations) {
    const int ordinal = ordinals[seed.role]++;
    result.relations.push_back({shard.id,
                                std::move(seed.role),
                                ordinal,
                                key.integration,
                                std::move(seed.kind),
                                std::move(seed.key),
                                std::move(seed.text),
                                {},
                                {}});
  }
  if (mapped.relations.empty() && before != nullptr)
    result.relations.push_back({shard.id, "", 0, "", "", "", "", {}, {}});
  if (key.type == model::type::kOpportunity && !ordinals.contains("account")) ++result.without["account"];

  known_[key] = Known{{shard.id, shard.version, shard.source_version, shard.source_is_dated,
                       shard.content_hash, shard.deleted_at.has_value()},
                      shard};
  result.writes.push_back(std::move(write));
  result.effects.push_back(effect);
  result.changed.push_back(std::move(changed));
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
    CASTIEL_ASSIGN(const Known* opportunity, known(reader, mapped->shard));
    if (opportunity != nullptr &&
        (result.touched.empty() || result.touched.back().first != opportunity->head.id)) {
      result.touched.emplace_back(opportunity->head.id, "history");
    }
    for (auto& change : mapped->changes) {
      change.recorded_at = now;
      change.correlation = batch_[page].event.correlation;
      result.changes.push_back(std::move(change));
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
    CASTIEL_TRY(tx.put_shards(result.writes));
    CASTIEL_ASSIGN(const auto added, tx.add_changes(result.changes));
    for (const auto& id : result.renamed) CASTIEL_TRY(tx.drop_aliases(id));
    CASTIEL_TRY(tx.put_aliases(result.aliases));
    CASTIEL_TRY(tx.put_relations(result.relations));
    for (const auto& p : result.problems) CASTIEL_TRY(tx.add_problem(event.correlation, p));
    const auto effects = [&](Effect e) { return std::ranges::count(result.effects, e); };
    CASTIEL_TRY(step.count(event, "mapped", result.mapped));
    if (entity == model::type::kOpportunityChange) {
      CASTIEL_TRY(step.count(event, "changes", added));
      history += added;
    } else {
      CASTIEL_TRY(step.count(event, "created:" + entity, effects(Effect::created)));
      CASTIEL_TRY(
          step.count(event, "updated:" + entity, effects(Effect::updated) + effects(Effect::deleted)));
      CASTIEL_TRY(step.count(event, "unchanged:" + entity, result.unchanged));
      for (const auto& [role, n] : result.without)
        CASTIEL_TRY(step.count(event, fmt::format("without:{}:{}", entity, role), n));
    }
    created += effects(Effect::created);
    updated += effects(Effect::updated);
    deleted += effects(Effect::deleted);
    unchanged += result.unchanged;
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

  for (const auto& [effect, type] : {std::pair{Effect::created, model::event::kShardCreated},
                                     {Effect::updated, model::event::kShardUpdated},
                                     {Effect::deleted, model::event::kShardDeleted}}) {
    json::array list;
    for (std::size_t i = 0; i < result.writes.size(); ++i) {
      if (result.effects[i] != effect) continue;
      const auto& shard = result.writes[i].shard;
      json::object item{{"id", shard.id.str()},
                        {"type", shard.key.type},
                        {"externalId", shard.key.external_id},
                        {"version", shard.version}};
      if (!result.changed[i].empty()) {
        json::array names;
        for (const auto& name : result.changed[i]) names.push_back(json::value(name));
        item["changed"] = std::move(names);
      }
      list.push_back(std::move(item));
    }
    if (list.empty()) continue;
    const int n = static_cast<int>(list.size());
    CASTIEL_TRY(step.publish(
        event, {type, entity, {{"integrationId", integration}, {"records", std::move(list)}}, lane, n}));
  }

  json::array deals;
  if (entity == model::type::kOpportunity) {
    for (const auto& write : result.writes)
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
  const auto effects = [&](Effect e) {
    return static_cast<std::int64_t>(std::ranges::count(result.effects, e));
  };
  return step.publish(event, {model::event::kDataMapped,
                              entity,
                              {{"integrationId", integration},
                               {"entityType", entity},
                               {"created", effects(Effect::created)},
                               {"updated", effects(Effect::updated) + effects(Effect::deleted)},
                               {"unchanged", result.unchanged},
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
