#include "messaging/rehearsal.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "model/event_types.hpp"

namespace castiel::messaging {
namespace {

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

std::string cut(const std::string& text) {
  if (text.size() <= Rehearsal::kMaxValueBytes) return text;
  return std::string(utf8_prefix(text, Rehearsal::kMaxValueBytes)) + "…";
}

// What the shard is called, for a person.
std::string name_of(std::string_view data) {
  const auto value = parse_json(data);
  if (!value || !value->is_object()) return {};
  for (const auto* field : {"name", "title", "subject"}) {
    if (auto name = string_or(value->get_object(), field); !name.empty()) return cut(name);
  }
  return {};
}

RehearsedError error_of(const Error& error, std::string pointer, std::string key) {
  return {error.code, error.describe(), std::move(pointer), std::move(key)};
}

}  // namespace

std::vector<FieldDifference> differences(std::string_view before, std::string_view after) {
  const auto was = fields_of(before), is = fields_of(after);
  std::vector<FieldDifference> result;
  for (const auto& [field, value] : is) {
    const auto it = was.find(field);
    if (it == was.end()) {
      result.push_back({field, std::nullopt, cut(value)});
    } else if (it->second != value) {
      result.push_back({field, cut(it->second), cut(value)});
    }
  }
  for (const auto& [field, value] : was) {
    if (!is.contains(field)) result.push_back({field, cut(value), std::nullopt});
  }
  return result;
}

// Publishes nothing: what is said stays here.
class Rehearsal::DryStep final : public Step {
 public:
  struct Said {
    std::string type;
    json::object data;
    int records = 1;
  };
  std::vector<Said> said;

  DryStep(storage::Transaction& tx, const Parts& parts) : tx_(&tx), parts_(&parts) {}
  storage::Transaction& tx() override { return *tx_; }
  Timestamp now() const override { return parts_->clock->now(); }
  Result<> publish(const Event&, Publication p) override {
    p.data.get_object()["tenantId"] = tx_->tenant().str();
    if (const auto violation = parts_->schemas->check(p.type, parts_->schemas->current(p.type), p.data)) {
      return permanent("schema_violation", fmt::format("event {} does not fit its schema at '{}': {}", p.type,
                                                       violation->pointer, violation->message));
    }
    said.push_back({std::string(p.type), std::move(p.data.get_object()), p.records});
    return {};
  }
  Result<> count(const Event&, std::string_view, std::int64_t) override { return {}; }

 private:
  storage::Transaction* tx_;
  const Parts* parts_;
};

// One shard that the step said it changed.
Result<> Rehearsal::tell(const storage::Reader& before, const storage::Reader& after,
                         const json::object& record, std::string effect, std::string integration,
                         Written& written, Rehearsed& told) const {
  if (told.shards.size() >= kMaxShards) {
    ++told.more_shards;
    return {};
  }
  ShardDifference d;
  d.id = ShardId(string_or(record, "id"));
  d.key = {string_or(record, "type"), std::move(integration), string_or(record, "externalId")};
  d.effect = std::move(effect);
  std::string was = "{}";
  if (const auto earlier = written.find(d.id); earlier != written.end()) {
    was = earlier->second;
  } else {
    CASTIEL_ASSIGN(auto stored, before.shard(d.id));
    if (stored) was = std::move(stored->data);
  }
  CASTIEL_ASSIGN(const auto is, after.shard(d.id));
  if (is) d.key = is->key;
  d.name = name_of(is ? is->data : was);
  d.fields = differences(was, is ? is->data : "{}");
  if (is) written[d.id] = is->data;
  if (d.fields.size() > kMaxFields) {
    d.more_fields = d.fields.size() - kMaxFields;
    d.fields.resize(kMaxFields);
  }
  told.shards.push_back(std::move(d));
  return {};
}

Result<Rehearsed> Rehearsal::one(const TenantId& tenant, const Stage& stage,
                                 const storage::DeadLetter& letter, storage::Transaction& tx,
                                 Written& written, bool& spoilt) const {
  Rehearsed told;
  const auto fails = [&](const Error& error, std::string pointer) {
    told.would = "fails";
    told.errors.push_back(error_of(error, std::move(pointer), letter.key));
    return told;
  };
  auto event = parse_event(letter.payload);
  if (!event) return fails(event.error(), "");
  if (event->tenant != tenant) {
    return fails({"malformed_event", "the event names another tenant", ErrorClass::permanent, {}},
                 "/tenantid");
  }
  if (const auto violation = parts_.schemas->check(event->type, event->schema, event->data)) {
    return fails({"schema_violation",
                  fmt::format("the event does not fit schema {}/{}: {}", event->type, event->schema,
                              violation->message),
                  ErrorClass::permanent,
                  {}},
                 "/data" + violation->pointer);
  }
  if (auto lifted = parts_.schemas->upcast(*event); !lifted) return fails(lifted.error(), "/dataschema");
  Delivery delivery;
  delivery.queue = letter.queue;
  delivery.tenant = tenant;
  delivery.lane = storage::kRetryLane;
  delivery.message_id = parts_.ids->next();
  delivery.type = letter.type;
  delivery.correlation = letter.correlation;
  delivery.record_key = letter.key;
  const Incoming incoming{&delivery, std::move(*event)};
  const auto ends = [&](const Error& error) -> Rehearsed {
    if (error.code == "not_yet") {
      told.would = "waits";
      told.summary = error.message;
    } else if (error.cls == ErrorClass::permanent) {
      return fails(error, "");
    } else {
      told.would = "retries";
      told.errors.push_back(error_of(error, "", letter.key));
    }
    return told;
  };
  CASTIEL_ASSIGN(const auto committed, parts_.store->read(tenant));
  const storage::Reader& sees = stage.sees_writes ? static_cast<const storage::Reader&>(tx) : *committed;
  auto plan = stage.handler->prepare(sees, {&incoming, 1});
  if (!plan) return ends(plan.error());
  DryStep step(tx, parts_);
  spoilt = true;
  if (auto done = (*plan)->apply(step); !done) return ends(done.error());
  spoilt = false;
  told.would = "effect";
  told.summary = (*plan)->summary();
  const auto* records = get_array(incoming.event.data.get_object(), "records");
  for (const auto& failure : (*plan)->failures()) {
    const auto* record = records != nullptr && failure.record < records->size()
                             ? (*records)[failure.record].if_object()
                             : nullptr;
    const bool fatal = failure.error.cls == ErrorClass::permanent;
    if (fatal) told.would = "fails";
    if (!fatal && told.would == "effect") told.would = "retries";
    told.errors.push_back(error_of(failure.error,
                                   failure.pointer.empty()
                                       ? std::string()
                                       : fmt::format("/data/records/{}{}", failure.record, failure.pointer),
                                   record == nullptr ? letter.key : string_or(*record, "key")));
  }
  for (const auto& said : step.said) {
    told.events.emplace_back(said.type, said.records);
    const char* effect = said.type == model::event::kShardCreated   ? "created"
                         : said.type == model::event::kShardUpdated ? "updated"
                         : said.type == model::event::kShardDeleted ? "deleted"
                                                                    : nullptr;
    const auto* changed = effect == nullptr ? nullptr : get_array(said.data, "records");
    if (changed == nullptr) continue;
    for (const auto& record : *changed) {
      if (record.is_object())
        CASTIEL_TRY(tell(*committed, tx, record.get_object(), effect, string_or(said.data, "integrationId"),
                         written, told));
    }
  }
  return told;
}

Result<std::vector<Rehearsed>> Rehearsal::rehearse(const TenantId& tenant,
                                                   std::span<const storage::DeadLetter> letters) const {
  std::vector<Rehearsed> told(letters.size());
  std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> by_key;
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    const auto& letter = letters[i];
    if (letter.state != "dead" && letter.state != "held") {
      told[i].would = "already";
      told[i].summary = fmt::format("{} is {} already", letter.id, letter.state);
    } else if (auto why = no_message(letter)) {
      told[i].would = "impossible";
      told[i].summary = std::move(*why);
    } else if (letter.key.empty()) {
      groups.push_back({i});
    } else {
      by_key[{letter.queue, letter.key}].push_back(i);
    }
  }
  for (auto& [key, group] : by_key) groups.push_back(std::move(group));
  for (const auto& group : groups) {
    const auto stage = stages_.find(letters[group.front()].queue);
    if (stage == stages_.end()) {
      for (const auto i : group) {
        told[i].would = "impossible";
        told[i].summary = fmt::format("no stage here reads the queue {}", letters[i].queue);
      }
      continue;
    }
    // Let go after each group, so that others get the writer.
    std::unique_ptr<storage::Transaction> tx;
    std::string before;
    Written written;
    for (const auto i : group) {
      if (tx == nullptr) {
        CASTIEL_ASSIGN(tx, parts_.store->begin(tenant, Deadline::after(*parts_.clock, parts_.transaction)));
        before.clear();
        written.clear();
      }
      bool spoilt = false;
      CASTIEL_ASSIGN(told[i], one(tenant, stage->second, letters[i], *tx, written, spoilt));
      told[i].behind = before;
      // A step that failed leaves parts behind, and one that does not see writes must not find any.
      if (spoilt || !stage->second.sees_writes) {
        tx.reset();
      } else {
        before = letters[i].id;
      }
    }
  }
  return told;
}

}  // namespace castiel::messaging
