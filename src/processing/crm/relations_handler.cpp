#include "processing/crm/relations_handler.hpp"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>

#include "base/json.hpp"
#include "content/name_key.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"
#include "processing/crm/mapper.hpp"

namespace castiel::processing {

using messaging::Incoming;
using messaging::Step;

namespace {

constexpr std::size_t kMaxLoose = 50'000;  // unresolved relations looked at
constexpr std::size_t kMaxNames = 20'000;  // names of a type compared with; more make near matches a gamble
constexpr std::size_t kMinLengthOneEdit = 5;  // shorter keys must be equal
constexpr std::size_t kMinLengthTwoEdits = 10;
constexpr std::size_t kMaxReported = 200;  // spellings written into the story
constexpr std::size_t kPageRecords = 200;

// The names of one kind, to find the one that is nearest.
struct Names {
  std::vector<storage::Alias> aliases;
  bool too_many = false;
};

// The only shard whose name is nearest to `key`, within the edits its length allows.
std::optional<ShardId> nearest(const Names& names, std::string_view key) {
  if (names.too_many || key.size() < kMinLengthOneEdit) return std::nullopt;
  const std::size_t most = key.size() >= kMinLengthTwoEdits ? 2 : 1;
  std::size_t best = most + 1;
  std::set<ShardId> found;
  for (const auto& alias : names.aliases) {
    const std::size_t distance = content::edit_distance_at_most(key, alias.key, std::min(best, most));
    if (distance > most || distance > best) continue;
    if (distance < best) found.clear();
    best = distance;
    found.insert(alias.shard);
  }
  return found.size() == 1 ? std::optional(*found.begin()) : std::nullopt;
}

std::string type_of(std::string_view kind) {
  return std::string(kind.substr(0, kind.find(':')));
}

class RelationsPlan final : public messaging::Plan {
 public:
  explicit RelationsPlan(std::span<const Incoming> batch) : batch_(batch) {}

  Result<> prepare(const storage::Reader& reader) {
    CASTIEL_ASSIGN(auto loose, reader.loose_relations(kMaxLoose));
    std::map<std::string, Names> names;
    std::map<std::pair<std::string, std::string>, std::set<ShardId>> exact_of;  // a target is named often
    for (auto& relation : loose) {
      const std::string type = type_of(relation.kind);
      if (relation.how == "ambiguous") {
        ++unresolved_[{type, relation.text, "several have this name"}];
        continue;
      }
      const std::string kind = type + ":name";
      const std::string key =
          relation.kind.ends_with(":name") ? relation.key : alias_key(type, relation.text);
      auto [it, fresh] = names.try_emplace(kind);
      if (fresh) {
        CASTIEL_ASSIGN(it->second.aliases, reader.aliases_of_kind(kind, kMaxNames + 1));
        it->second.too_many = it->second.aliases.size() > kMaxNames;
      }
      std::set<ShardId> exact;
      if (!relation.kind.ends_with(":name")) {
        // An id that leads nowhere, with a name beside it that does.
        const auto [known, is_new] = exact_of.try_emplace({kind, key});
        if (is_new) {
          CASTIEL_ASSIGN(const auto same, reader.aliases(kind, key));
          for (const auto& alias : same) known->second.insert(alias.shard);
        }
        exact = known->second;
      }
      if (exact.size() == 1) {
        relation.to = *exact.begin();
        relation.how = "name";
      } else if (auto near = nearest(it->second, key)) {
        relation.to = *near;
        relation.how = "near";
      } else {
        ++unresolved_[{type, relation.text, "no such " + type}];
        continue;
      }
      resolved_.push_back(relation);
    }
    // Whose relations changed.
    std::set<ShardId> seen;
    for (const auto& relation : resolved_) {
      if (!seen.insert(relation.from).second) continue;
      CASTIEL_ASSIGN(const auto shard, reader.shard(relation.from));
      if (shard && shard->key.type == model::type::kOpportunity)
        deals_[shard->key.integration].push_back(shard->id);
    }
    CASTIEL_TRY(note_spellings(reader));
    return {};
  }

  Result<> apply(Step& step) override {
    const auto& event = batch_.front().event;
    for (const auto& relation : resolved_) CASTIEL_TRY(step.tx().resolve_relation(relation));
    std::size_t reported = 0;
    const auto note = [&](std::string_view type, const std::string& id, std::string text,
                          std::int64_t count) -> Result<> {
      if (reported++ >= kMaxReported) return {};
      return step.tx().add_flow_entry(
          event.correlation, {step.now(), std::string(model::queue::kRelations), "note", std::string(type),
                              id, std::move(text), count});
    };
    for (const auto& [text, count] : spellings_) CASTIEL_TRY(note("resolved", "", text, count));
    for (const auto& [what, count] : unresolved_) {
      const auto& [type, text, why] = what;
      CASTIEL_TRY(note("unresolved", type, fmt::format("'{}': {}", text, why), count));
    }
    CASTIEL_TRY(step.count(event, "resolved", static_cast<std::int64_t>(resolved_.size())));
    for (const auto& [integration, ids] : deals_) {
      for (std::size_t at = 0; at < ids.size(); at += kPageRecords) {
        json::array list;
        for (std::size_t i = at; i < std::min(ids.size(), at + kPageRecords); ++i)
          list.push_back({{"shardId", ids[i].str()}, {"reason", "relation"}});
        const int n = static_cast<int>(list.size());
        CASTIEL_TRY(
            step.publish(event, {model::event::kOpportunityUpdated,
                                 "relations",
                                 {{"integrationId", integration}, {"records", std::move(list)}},
                                 messaging::lane_of(event.tenant, integration, model::type::kOpportunity),
                                 n}));
      }
    }
    return {};
  }

  std::span<const messaging::RecordFailure> failures() const override { return {}; }
  std::string summary() const override {
    std::int64_t open = 0;
    for (const auto& [what, count] : unresolved_) open += count;
    return fmt::format("{} relations resolved by near spelling, {} left open", resolved_.size(), open);
  }

 private:
  // Names that were taken for another spelling: by the key that leaves out case, spaces and signs, or by
  // nearness.
  Result<> note_spellings(const storage::Reader& reader) {
    CASTIEL_ASSIGN(auto named, reader.named_relations());
    std::map<std::pair<std::string, ShardId>, std::int64_t> near;
    for (const auto& relation : resolved_) ++near[{relation.text, *relation.to}];
    for (const auto& [what, count] : near) named.push_back({"", what.first, what.second, "near", count});
    for (const auto& n : named) {
      CASTIEL_ASSIGN(const auto target, reader.shard(n.to));
      if (!target) continue;
      const auto data = parse_json(target->data);
      if (!data || !data->is_object()) continue;
      const std::string name = string_or(data->get_object(), "name");
      if (name == n.text || name.empty() || n.text.find('@') != std::string::npos) continue;
      spellings_[fmt::format("'{}' is {} '{}'", n.text, target->key.type, name)] += n.count;
    }
    return {};
  }

  std::span<const Incoming> batch_;
  std::vector<storage::Relation> resolved_;
  std::map<std::string, std::vector<ShardId>> deals_;  // by integration
  std::map<std::string, std::int64_t> spellings_;
  std::map<std::tuple<std::string, std::string, std::string>, std::int64_t> unresolved_;  // type, text, why
};

}  // namespace

Result<std::unique_ptr<messaging::Plan>> RelationsHandler::prepare(const storage::Reader& reader,
                                                                   std::span<const Incoming> batch) {
  for (const auto& in : batch) {
    CASTIEL_ASSIGN(const auto pending, reader.pending(in.event.correlation, model::queue::kDataRaw));
    if (pending > 0) return transient("not_yet", "records of the import are still being mapped");
  }
  auto plan = std::make_unique<RelationsPlan>(batch);
  CASTIEL_TRY(plan->prepare(reader));
  return plan;
}

}  // namespace castiel::processing
