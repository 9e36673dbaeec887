#include "processing/content/content_handler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/digest.hpp"
#include "messaging/publisher.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"
#include "model/task_key.hpp"
#include "processing/impl/shard_page.hpp"

namespace castiel::processing {

using messaging::Incoming;
using messaging::RecordFailure;
using messaging::Step;

namespace {

// Documents travel in small pages, so that one that takes a minute holds back few others.
constexpr std::size_t kDocumentsPerPage = 20;
constexpr std::size_t kEventsPerPage = 200;

struct PageResult {
  const ContentKind* kind = nullptr;
  std::string integration;
  ShardPage shards;  // of the records
  ShardPage tasks;
  std::vector<storage::Alias> aliases;
  std::vector<ShardId> renamed;
  std::vector<storage::Problem> problems;
  json::array processed;
  std::vector<json::object> documents, events;  // what goes on to other stages
  std::int64_t mapped = 0;
  std::int64_t came_along = 0;
};

class ContentPlan final : public messaging::Plan {
 public:
  ContentPlan(const ContentParts& parts, std::span<const Incoming> batch)
      : parts_(&parts), batch_(batch), pages_(batch.size()) {}

  Result<> prepare(const storage::Reader& reader, std::span<const ContentKind> kinds);
  Result<> apply(Step& step) override;
  std::span<const RecordFailure> failures() const override { return failures_; }
  std::string summary() const override { return summary_; }

 private:
  Result<> prepare_page(std::size_t page, RecordReader& records, const RecordContext& context, bool force);
  Result<Understood> understand(RecordReader& records, const json::object& record,
                                const RecordContext& context);
  Result<> place(std::size_t page, const json::object& record, Understood understood,
                 const RecordContext& context, bool force);
  Result<> place_tasks(std::size_t page, const Understood& understood, const ShardId& parent,
                       const RecordContext& context);
  Result<> publish(Step& step, std::size_t page);
  Result<> pass_on(Step& step, std::size_t page, std::string_view type, std::string_view entity,
                   std::vector<json::object> records, std::size_t per_page);

  const ContentParts* parts_;
  std::span<const Incoming> batch_;
  std::vector<PageResult> pages_;
  std::vector<RecordFailure> failures_;
  KnownShards known_;
  std::string summary_;
};

Result<> ContentPlan::prepare(const storage::Reader& reader, std::span<const ContentKind> kinds) {
  const auto words = parts_->words(reader);
  CASTIEL_ASSIGN(const auto own, tenancy::OwnPeople::load(reader, words.mail_domains));
  std::map<const ContentKind*, std::unique_ptr<RecordReader>> readers;
  for (std::size_t page = 0; page < batch_.size(); ++page) {
    const auto& event = batch_[page].event;
    const auto kind = std::ranges::find(kinds, event.type, &ContentKind::received);
    if (kind == kinds.end())
      return permanent("unexpected_event", fmt::format("{} is not for this stage", event.type));
    const auto& data = event.data.get_object();
    CASTIEL_ASSIGN(const auto observed_at, parse_timestamp(string_or(data, "observedAt")));
    pages_[page].kind = &*kind;
    pages_[page].integration = string_or(data, "integrationId");
    auto& records = readers[&*kind];
    if (records == nullptr) records = kind->make_reader();
    const RecordContext context{
        reader, own, pages_[page].integration, string_or(data, "file"), observed_at, words.time_zone};
    CASTIEL_TRY(prepare_page(page, *records, context, bool_or(data, "force", false)));
  }
  return {};
}

Result<> ContentPlan::prepare_page(std::size_t page, RecordReader& records, const RecordContext& context,
                                   bool force) {
  const auto& list = *get_array(batch_[page].event.data.get_object(), "records");
  for (std::size_t r = 0; r < list.size(); ++r) {
    auto understood = understand(records, list[r].get_object(), context);
    const auto placed = understood ? place(page, list[r].get_object(), std::move(*understood), context, force)
                                   : Result<>(std::unexpected(understood.error()));
    if (placed) continue;
    if (placed.error().cls != ErrorClass::permanent) return placed;
    failures_.push_back({page, r, placed.error(), ""});
  }
  return {};
}

Result<Understood> ContentPlan::understand(RecordReader& records, const json::object& record,
                                           const RecordContext& context) {
  const auto* claim = get_object(record, "claim");
  if (claim == nullptr) return records.read(record, context);
  CASTIEL_ASSIGN(const auto text, parts_->blobs->get(context.reader.tenant(), string_or(*claim, "url")));
  CASTIEL_ASSIGN(const auto whole, parse_json(text));
  if (!whole.is_object()) return permanent("invalid_claim", "the claimed record is no JSON object");
  return records.read(whole.get_object(), context);
}

Result<> ContentPlan::place(std::size_t page, const json::object& record, Understood understood,
                            const RecordContext& context, bool force) {
  auto& result = pages_[page];
  const auto& event = batch_[page].event;
  const std::int64_t line = int_or(record, "line", 0);
  const std::string file = string_or(record, "file", context.file);
  Candidate candidate;
  candidate.key = {understood.type, context.integration, understood.external_id};
  candidate.data = json::serialize(understood.data);
  if (const auto* source = record.if_contains("source")) candidate.source = json::serialize(*source);
  candidate.origin = R"({"file":)";
  append_json_string(candidate.origin, file);
  candidate.origin += fmt::format(R"(,"line":{}}})", line);
  candidate.content_hash = stable_hash(candidate.data);
  candidate.source_version = understood.version;
  candidate.dated = understood.dated;
  candidate.deleted = understood.deleted;
  candidate.force = force;
  candidate.identity = understood.identity;
  candidate.revision = understood.revision;
  CASTIEL_ASSIGN(const auto placed,
                 result.shards.place(context.reader, known_, std::move(candidate), *parts_->ids,
                                     parts_->clock->now(), event.correlation));
  ++(understood.came_along ? result.came_along : result.mapped);
  for (auto& [code, message] : understood.problems)
    result.problems.push_back({file, line, std::move(code), std::move(message)});
  if (placed.effect == Effect::unchanged) return {};
  if (placed.effect == Effect::updated) result.renamed.push_back(placed.id);
  for (auto& [kind, key] : understood.aliases)
    result.aliases.push_back({std::move(kind), std::move(key), context.integration, placed.id});
  CASTIEL_TRY(place_tasks(page, understood, placed.id, context));
  for (auto& document : understood.documents) result.documents.push_back(std::move(document));
  for (auto& entry : understood.events) result.events.push_back(std::move(entry));
  auto said = std::move(understood.said);
  said["key"] = understood.external_id;
  said["id"] = placed.id.str();
  said["type"] = understood.type;
  result.processed.push_back(std::move(said));
  return {};
}

Result<> ContentPlan::place_tasks(std::size_t page, const Understood& understood, const ShardId& parent,
                                  const RecordContext& context) {
  for (const auto& task : understood.tasks) {
    const auto& item = task.item;
    json::object evidence{{"text", task.sentence}};
    if (const auto* place = get_object(item, "evidence")) {
      for (const auto& [name, value] : *place) evidence[name] = value;
    }
    const std::string kind = string_or(item, "kind"), text = string_or(item, "text");
    json::object data{
        {"title", text},
        {"kind", kind},
        {"owner", string_or(item, "owner")},
        {"ownerEmail", task.owner_email},
        {"ownerSide", task.owner_side},
        {"dueDate", item.contains("due") ? item.at("due") : json::value(nullptr)},
        {"dueText", string_or(item, "dueText")},
        {"status", "open"},
        {"confidence", item.contains("confidence") ? item.at("confidence") : json::value(nullptr)},
        {"saidAt", to_string(understood.said_at.value_or(understood.version))},
        {"evidence", std::move(evidence)},
        {"source",
         {{"type", understood.type}, {"externalId", understood.external_id}, {"id", parent.str()}}}};
    Candidate candidate;
    candidate.key = {std::string(model::type::kTask), context.integration,
                     model::task_key(understood.type, understood.external_id, kind, text)};
    candidate.data = json::serialize(data);
    candidate.source = "{}";
    candidate.origin = "{}";
    candidate.content_hash = stable_hash(candidate.data);
    candidate.source_version = understood.version;
    candidate.dated = understood.dated;
    candidate.force = true;  // derived from its record, which has been decided about
    CASTIEL_TRY(pages_[page].tasks.place(context.reader, known_, std::move(candidate), *parts_->ids,
                                         parts_->clock->now(), batch_[page].event.correlation));
  }
  return {};
}

Result<> ContentPlan::apply(Step& step) {
  auto& tx = step.tx();
  std::int64_t created = 0, updated = 0, unchanged = 0, tasks = 0;
  for (std::size_t page = 0; page < batch_.size(); ++page) {
    auto& result = pages_[page];
    const auto& event = batch_[page].event;
    CASTIEL_TRY(result.shards.write(tx));
    CASTIEL_TRY(result.tasks.write(tx));
    CASTIEL_TRY(tx.add_changes(result.shards.changes()));
    for (const auto& id : result.renamed) CASTIEL_TRY(tx.drop_aliases(id));
    CASTIEL_TRY(tx.put_aliases(result.aliases));
    for (const auto& p : result.problems) CASTIEL_TRY(tx.add_problem(event.correlation, p));
    const auto& shards = result.shards;
    const std::int64_t changed = shards.count(Effect::updated) + shards.count(Effect::deleted);
    const std::string entity(result.kind->entity);
    CASTIEL_TRY(step.count(event, "mapped", result.mapped));
    CASTIEL_TRY(step.count(event, "attachments", result.came_along));
    CASTIEL_TRY(step.count(event, "created:" + entity, shards.count(Effect::created)));
    CASTIEL_TRY(step.count(event, "updated:" + entity, changed));
    CASTIEL_TRY(step.count(event, "unchanged:" + entity, shards.count(Effect::unchanged)));
    created += shards.count(Effect::created);
    updated += changed;
    unchanged += shards.count(Effect::unchanged);
    tasks += result.tasks.count(Effect::created);
    CASTIEL_TRY(publish(step, page));
  }
  summary_ = fmt::format("{} created, {} updated, {} unchanged", created, updated, unchanged);
  if (tasks > 0) summary_ += fmt::format(", {} tasks found", tasks);
  if (!failures_.empty()) summary_ += fmt::format(", {} not understood", failures_.size());
  return {};
}

Result<> ContentPlan::publish(Step& step, std::size_t page) {
  auto& result = pages_[page];
  const auto& event = batch_[page].event;
  const auto& integration = result.integration;
  const auto lane = [&](std::string_view entity) {
    return messaging::lane_of(event.tenant, integration, entity);
  };
  CASTIEL_TRY(
      result.shards.publish(step, event, integration, result.kind->entity, lane(result.kind->entity)));
  CASTIEL_TRY(result.tasks.publish(step, event, integration, model::type::kTask, lane(model::type::kTask)));
  if (!result.processed.empty()) {
    const int n = static_cast<int>(result.processed.size());
    CASTIEL_TRY(
        step.publish(event, {result.kind->processed,
                             result.kind->entity,
                             {{"integrationId", integration}, {"records", std::move(result.processed)}},
                             lane(result.kind->entity),
                             n}));
  }
  CASTIEL_TRY(pass_on(step, page, model::event::kDocumentDetected, model::type::kDocument,
                      std::move(result.documents), kDocumentsPerPage));
  return pass_on(step, page, model::event::kEventCreated, model::type::kEvent, std::move(result.events),
                 kEventsPerPage);
}

// Publishes what came along with the records for another stage, in pages.
Result<> ContentPlan::pass_on(Step& step, std::size_t page, std::string_view type, std::string_view entity,
                              std::vector<json::object> records, std::size_t per_page) {
  const auto& event = batch_[page].event;
  const auto& integration = pages_[page].integration;
  const auto& data = event.data.get_object();
  for (std::size_t first = 0; first < records.size(); first += per_page) {
    json::array some;
    for (std::size_t i = first; i < std::min(first + per_page, records.size()); ++i)
      some.push_back(std::move(records[i]));
    const int n = static_cast<int>(some.size());
    json::object found{{"integrationId", integration},
                       {"observedAt", string_or(data, "observedAt")},
                       {"file", string_or(data, "file")},
                       {"records", std::move(some)}};
    if (bool_or(data, "force", false)) found["force"] = true;
    found[messaging::kCameAlong] = true;
    CASTIEL_TRY(step.publish(
        event, {type, entity, std::move(found), messaging::lane_of(event.tenant, integration, entity), n}));
  }
  return {};
}

}  // namespace

// A page of an import is published after all its tables. While pages of those wait or are in work, more of
// them has to come: who belongs to the tenant is told by its users.
bool ContentHandler::wait(const TenantId& tenant, const CorrelationId& flow, std::int64_t pending) {
  std::lock_guard lock(mutex_);
  const std::pair key(tenant, flow);
  if (pending == 0) {
    waiting_.erase(key);
    return false;
  }
  const Duration now = parts_.clock->monotonic();
  auto found = waiting_.find(key);
  if (found == waiting_.end()) {
    if (waiting_.size() >= kMaxWatched) return false;
    found = waiting_.emplace(key, Waiting{pending, Duration(0), now}).first;
  }
  auto& waiting = found->second;
  // A machine that slept in between has not waited.
  waiting.waited += std::min<Duration>(now - waiting.looked, kLongestPause);
  waiting.looked = now;
  if (waiting.pending != pending) waiting = {pending, Duration(0), now};
  return waiting.waited < kLongestWait;
}

Result<std::unique_ptr<messaging::Plan>> ContentHandler::prepare(const storage::Reader& reader,
                                                                 std::span<const Incoming> batch) {
  std::set<CorrelationId> flows;
  for (const auto& in : batch) flows.insert(in.event.correlation);
  for (const auto& flow : flows) {
    CASTIEL_ASSIGN(const auto pending, reader.pending(flow, model::queue::kDataRaw));
    if (wait(reader.tenant(), flow, pending))
      return transient("not_yet", fmt::format("tables of import {} are still being mapped", flow.str()));
  }
  auto plan = std::make_unique<ContentPlan>(parts_, batch);
  CASTIEL_TRY(plan->prepare(reader, kinds_));
  return plan;
}

}  // namespace castiel::processing
