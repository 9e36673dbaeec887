#include "processing/impl/shard_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/json.hpp"
#include "base/utf8.hpp"
#include "model/event_types.hpp"

namespace castiel::processing {

namespace {

// A text as long as a document is not history: the version it replaces is kept whole.
constexpr std::size_t kMaxHistoryValueBytes = 4096;

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

std::optional<std::string> history_value(const std::string& value) {
  if (value.size() <= kMaxHistoryValueBytes) return value;
  return std::string(utf8_prefix(value, kMaxHistoryValueBytes)) + "…";
}

bool agree(std::string_view a, std::string_view b, std::span<const std::string_view> members) {
  const auto left = parse_json(a), right = parse_json(b);
  if (!left || !right || !left->is_object() || !right->is_object()) return false;
  return std::ranges::all_of(members, [&](std::string_view name) {
    const auto* x = left->get_object().if_contains(name);
    const auto* y = right->get_object().if_contains(name);
    return (x == nullptr && y == nullptr) || (x != nullptr && y != nullptr && *x == *y);
  });
}

// Above 0: `a` is the later one.
std::int64_t later_by(std::string_view a, std::string_view b, std::string_view revision) {
  const auto left = parse_json(a), right = parse_json(b);
  if (!left || !right || !left->is_object() || !right->is_object()) return 0;
  return int_or(left->get_object(), revision, 0) - int_or(right->get_object(), revision, 0);
}

std::string where(const model::Shard& shard) {
  const auto origin = parse_json(shard.origin);
  if (!origin || !origin->is_object()) return "an earlier record";
  const auto line = int_or(origin->get_object(), "line", 0);
  const auto file = string_or(origin->get_object(), "file");
  return line > 0 ? fmt::format("{} line {}", file, line) : file;
}

}  // namespace

Result<KnownShards::Known*> KnownShards::find(const storage::Reader& reader, const model::ShardKey& key) {
  const auto it = known_.find(key);
  if (it != known_.end()) return it->second ? &*it->second : nullptr;
  const std::string id = key.external_id;
  CASTIEL_ASSIGN(const auto heads, reader.heads(key.type, key.integration, {&id, 1}));
  auto& slot = known_[key];
  if (heads[0]) slot = Known{*heads[0], {}};
  return slot ? &*slot : nullptr;
}

Result<> KnownShards::load(const storage::Reader& reader, std::string_view type, std::string_view integration,
                           std::span<const std::string> external_ids) {
  std::vector<std::string> wanted;
  for (const auto& id : external_ids) {
    model::ShardKey key{std::string(type), std::string(integration), id};
    if (known_.try_emplace(std::move(key)).second) wanted.push_back(id);
  }
  if (wanted.empty()) return {};
  CASTIEL_ASSIGN(const auto heads, reader.heads(type, integration, wanted));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (heads[i]) known_[{std::string(type), std::string(integration), wanted[i]}] = Known{*heads[i], {}};
  }
  return {};
}

void KnownShards::put(const model::Shard& shard) {
  known_[shard.key] = Known{{shard.id, shard.version, shard.source_version, shard.source_is_dated,
                             shard.content_hash, shard.deleted_at.has_value()},
                            shard};
}

Result<ShardPage::Placed> ShardPage::place(const storage::Reader& reader, KnownShards& known,
                                           Candidate candidate, IdGenerator& ids, Timestamp now,
                                           const CorrelationId& correlation) {
  const auto& key = candidate.key;
  CASTIEL_ASSIGN(KnownShards::Known * before, known.find(reader, key));
  const bool same_content = before != nullptr && before->head.content_hash == candidate.content_hash &&
                            before->head.deleted == candidate.deleted;
  const bool may_matter = before != nullptr && !same_content &&
                          (candidate.force || !candidate.revision.empty() ||
                           candidate.source_version >= before->head.source_version);
  if (may_matter && !before->shard) {
    CASTIEL_ASSIGN(before->shard, reader.shard(key));
    if (!before->shard) return conditional("version_conflict", "the shard went away meanwhile");
  }
  std::int64_t later = 0;
  if (before != nullptr && !same_content && !candidate.force) {
    if (!candidate.revision.empty())
      later = later_by(candidate.data, before->shard->data, candidate.revision);
    if (later == 0) later = (candidate.source_version - before->head.source_version).count();
  }
  if (before != nullptr && (same_content || later < 0)) {
    ++unchanged_;
    return Placed{Effect::unchanged, before->head.id, {}};
  }
  if (before != nullptr && !candidate.force && later == 0) {
    // The same version with other content: read in another way it is the same record, and so is a copy;
    // otherwise the source contradicts itself, and neither may silently win.
    if (before->shard->source == candidate.source ||
        (!candidate.identity.empty() && agree(before->shard->data, candidate.data, candidate.identity))) {
      ++unchanged_;
      return Placed{Effect::unchanged, before->head.id, {}};
    }
    return permanent(
        "key_collision",
        fmt::format("{} {}: other content than in {}, with the same {}; the earlier one was kept", key.type,
                    key.external_id, where(*before->shard),
                    candidate.dated ? "modification time" : "import"));
  }

  storage::ShardWrite write;
  auto& shard = write.shard;
  shard.key = key;
  shard.data = std::move(candidate.data);
  shard.source = std::move(candidate.source);
  shard.origin = std::move(candidate.origin);
  shard.source_version = candidate.source_version;
  shard.source_is_dated = candidate.dated;
  shard.content_hash = candidate.content_hash;
  shard.correlation = correlation;
  shard.updated_at = now;
  if (candidate.deleted) shard.deleted_at = now;
  Placed placed{Effect::created, {}, {}};
  if (before == nullptr) {
    shard.id = ShardId(ids.next());
    shard.version = 1;
    shard.created_at = now;
    if (candidate.deleted) placed.effect = Effect::deleted;
  } else {
    const auto& old = *before->shard;
    shard.id = old.id;
    shard.created_at = old.created_at;
    write.expected_version = old.version;
    shard.version = old.version + 1;
    placed.effect = candidate.deleted && !old.deleted_at ? Effect::deleted : Effect::updated;
    const auto was = fields_of(old.data), is = fields_of(shard.data);
    const auto add = [&](const std::string& field, std::optional<std::string> from,
                         std::optional<std::string> to) {
      placed.changed.push_back(field);
      changes_.push_back(
          {key, field, std::move(from), std::move(to), shard.source_version, now, "import", "", correlation});
    };
    for (const auto& [field, value] : is) {
      if (field == "modifiedAt") continue;
      const auto it = was.find(field);
      if (it == was.end()) {
        add(field, std::nullopt, history_value(value));
      } else if (it->second != value) {
        add(field, history_value(it->second), history_value(value));
      }
    }
    for (const auto& [field, value] : was) {
      if (field != "modifiedAt" && !is.contains(field)) add(field, history_value(value), std::nullopt);
    }
    if (old.deleted_at.has_value() != candidate.deleted)
      add("*", old.deleted_at ? "deleted" : "live", candidate.deleted ? "deleted" : "live");
  }
  placed.id = shard.id;
  known.put(shard);
  writes_.push_back(std::move(write));
  effects_.push_back(placed.effect);
  changed_.push_back(placed.changed);
  return placed;
}

std::int64_t ShardPage::count(Effect effect) const {
  return effect == Effect::unchanged ? unchanged_ : std::ranges::count(effects_, effect);
}

Result<> ShardPage::write(storage::Transaction& tx) const {
  return tx.put_shards(writes_);
}

Result<> ShardPage::publish(messaging::Step& step, const messaging::Event& cause,
                            std::string_view integration, std::string_view entity, int lane) const {
  for (const auto& [effect, type] : {std::pair{Effect::created, model::event::kShardCreated},
                                     {Effect::updated, model::event::kShardUpdated},
                                     {Effect::deleted, model::event::kShardDeleted}}) {
    json::array list;
    for (std::size_t i = 0; i < writes_.size(); ++i) {
      if (effects_[i] != effect) continue;
      const auto& shard = writes_[i].shard;
      json::object item{{"id", shard.id.str()},
                        {"type", shard.key.type},
                        {"externalId", shard.key.external_id},
                        {"version", shard.version}};
      if (!changed_[i].empty()) {
        json::array names;
        for (const auto& name : changed_[i]) names.push_back(json::value(name));
        item["changed"] = std::move(names);
      }
      list.push_back(std::move(item));
    }
    if (list.empty()) continue;
    const int n = static_cast<int>(list.size());
    CASTIEL_TRY(step.publish(
        cause, {type, entity, {{"integrationId", integration}, {"records", std::move(list)}}, lane, n}));
  }
  return {};
}

}  // namespace castiel::processing
