#include "operations/reconcile.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"

namespace castiel::operations {

namespace {

constexpr std::string_view kStage = "reconcile";  // in ledger and trace
constexpr std::size_t kShardPage = 500;
constexpr std::string_view kOwner = "castiel";  // of the cursor row
constexpr std::string_view kAsked = "reconcile/asked";
constexpr std::size_t kMaxAsked = 1'000;
constexpr std::size_t kMaxUnasked = 10'000;         // shards of one run; the next run takes more
constexpr Duration kRow = std::chrono::seconds(1);  // between a message's event entry and its row

}  // namespace

struct Reconciler::Run {
  Run(const Reconciler& r, const TenantId& t, bool asks_again) : parent(r), tenant(t), repair(asks_again) {}

  const Reconciler& parent;
  const TenantId& tenant;
  bool repair;
  Reconciliation result;
  std::unique_ptr<storage::Reader> reader;
  std::map<std::string, std::optional<Timestamp>> waiting_since;  // by queue
  std::map<std::string, std::set<CorrelationId>> lost;            // flows that lost a message of a queue

  struct LostMessage {
    CorrelationId flow;
    std::string queue, type, id;
    bool source = false;
  };
  std::vector<LostMessage> messages;
  std::vector<storage::MissingShard> shards;
  // What has to be asked for again: by consequence, flow, integration and type.
  using Group = std::tuple<std::size_t, CorrelationId, std::string, std::string>;
  std::map<Group, std::vector<model::Shard>> unasked;
  std::size_t unasked_count = 0;
  // Shards that are being brought by a flow: what named them is gone, so they are remembered here.
  struct Asked {
    storage::MissingShard shard;
    CorrelationId flow;
  };
  std::vector<Asked> asked;
  json::object kept;                                                // of the repairs before
  Timestamp asked_at{0};                                            // when one last asked for consequences
  std::map<CorrelationId, std::optional<CorrelationId>> refetched;  // by the flow that was asked for again

  void name(Missing missing) {
    ++result.drift;
    ++result.kinds[missing.kind];
    ++result.integrations[missing.integration].missing;
    if (result.missing.size() < kMaxListed) result.missing.push_back(std::move(missing));
  }

  Result<> look();
  Result<> look_at_flow(const CorrelationId& flow);
  Result<> look_at_messages(const CorrelationId& flow, const std::string& integration);
  Result<> look_at_shards();
  Result<> look_at_asked();
  Result<bool> is_stored(const storage::MissingShard& shard) const;
  Result<> save_asked(storage::Transaction& tx) const;
  Result<> bring(const storage::MissingShard& shard, const CorrelationId& flow);
  Result<> note_asked();
  Result<bool> is_waiting(const QueueOf& queue, Timestamp at) const;
  Result<> ask_again();
  Result<> ask_sources();
  Result<std::optional<CorrelationId>> refetch(const CorrelationId& flow);
  Result<> settle_message(const LostMessage& message);
};

// A message that is not handled waits, or is lost: what waits is no older than the oldest in its queue.
Result<bool> Reconciler::Run::is_waiting(const QueueOf& queue, Timestamp at) const {
  const auto& since = waiting_since.at(queue.queue);
  return since && at + kRow >= *since;
}

Result<> Reconciler::Run::look_at_messages(const CorrelationId& flow, const std::string& integration) {
  CASTIEL_ASSIGN(const auto entries, reader->flow(flow, kMaxFlowEntries));
  for (const auto& entry : entries) {
    if (entry.kind != "event" || entry.at < result.since) continue;
    for (const auto& queue : parent.options_.queues) {
      if (std::ranges::find(queue.types, entry.type) == queue.types.end()) continue;
      CASTIEL_ASSIGN(const bool handled, reader->in_inbox(queue.queue, entry.id));
      if (handled) continue;
      CASTIEL_ASSIGN(const bool waits, is_waiting(queue, entry.at));
      if (waits) {
        ++result.waiting;
        continue;
      }
      messages.push_back({flow, queue.queue, entry.type, entry.id, queue.source});
      lost[queue.queue].insert(flow);
      name({"message", entry.id, entry.type, integration, "", "", queue.queue, flow,
            fmt::format("published at {} for {} records, neither handled nor waiting", to_string(entry.at),
                        entry.count),
            ""});
    }
  }
  return {};
}

Result<> Reconciler::Run::look_at_flow(const CorrelationId& flow) {
  std::string integration;
  if (parent.options_.integration_of) {
    CASTIEL_ASSIGN(integration, parent.options_.integration_of(*reader, flow));
  }
  CASTIEL_ASSIGN(const auto ledger, reader->ledger(flow));
  auto& counts = result.integrations[integration];
  const auto is_source = [&](const std::string& stage) {
    return std::ranges::any_of(parent.options_.queues,
                               [&](const QueueOf& q) { return q.source && q.queue == stage; });
  };
  for (const auto& entry : ledger) {
    if (entry.counter == "read") counts.published += entry.value;
    if (!is_source(entry.stage) && entry.counter != "dead") continue;
    if (entry.counter == "mapped") counts.mapped += entry.value;
    if (entry.counter == "dead") counts.dead += entry.value;
    if (entry.counter == "quarantined") counts.quarantined += entry.value;
  }
  return look_at_messages(flow, integration);
}

Result<> Reconciler::Run::look_at_shards() {
  storage::ShardQuery query;
  query.limit = kShardPage;
  for (;;) {
    CASTIEL_ASSIGN(const auto page, reader->shards(query));
    if (page.empty()) break;
    query.after = page.back().id;
    for (const auto& shard : page) {
      auto& counts = result.integrations[shard.key.integration];
      ++counts.stored;
      for (std::size_t c = 0; c < parent.options_.consequences.size(); ++c) {
        const auto& consequence = parent.options_.consequences[c];
        if (!consequence.types.contains(shard.key.type)) continue;
        CASTIEL_ASSIGN(const bool there, consequence.is_there(*reader, shard));
        // What came of a lost message may be of an older state of the shard.
        const auto flows = lost.find(consequence.queue);
        const bool doubtful = flows != lost.end() && flows->second.contains(shard.correlation);
        if (consequence.kind == "insight") {
          ++counts.due;
          counts.evaluated += there ? 1 : 0;
        }
        if (there && !doubtful) continue;
        // What a repair asked for may still be in the queue too.
        CASTIEL_ASSIGN(const bool waits,
                       is_waiting({consequence.queue, {}, false}, std::max(shard.updated_at, asked_at)));
        if (waits && !there) {
          ++result.waiting;
          continue;
        }
        if (unasked_count < kMaxUnasked) {
          auto& list = unasked[{c, shard.correlation, shard.key.integration, shard.key.type}];
          list.push_back(shard);
          list.back().source.clear();
          ++unasked_count;
        }
        if (there) continue;
        name({consequence.kind, shard.id.str(), shard.key.type, shard.key.integration, shard.key.external_id,
              "", consequence.queue, shard.correlation,
              fmt::format("stored, and no {} came of it", consequence.kind), repair ? "republished" : ""});
      }
    }
  }
  CASTIEL_ASSIGN(shards, reader->missing_shards(kMaxListed));
  for (const auto& shard : shards) {
    name({"shard", shard.id.str(), shard.type, "", shard.key, shard.name, "", shard.correlation,
          fmt::format("named by {}, and not stored", fmt::join(shard.seen, ", ")), ""});
  }
  return look_at_asked();
}

Result<bool> Reconciler::Run::is_stored(const storage::MissingShard& shard) const {
  for (const auto& [integration, counts] : result.integrations) {
    CASTIEL_ASSIGN(const auto heads, reader->heads(shard.type, integration, {&shard.key, 1}));
    if (heads[0]) return true;
  }
  return false;
}

// Of those whose flow has ended: what it brought is settled, what it should have brought and did not stays
// named.
Result<> Reconciler::Run::look_at_asked() {
  const auto* rows = get_array(kept, "shards");
  if (rows == nullptr) return {};
  for (const auto& row : *rows) {
    const auto& o = row.get_object();
    Asked a{{ShardId(string_or(o, "id")),
             string_or(o, "type"),
             string_or(o, "key"),
             string_or(o, "name"),
             {},
             {}},
            CorrelationId(string_or(o, "flow"))};
    CASTIEL_ASSIGN(const auto run, reader->import_run(a.flow));
    CASTIEL_ASSIGN(const auto pending, reader->pending(a.flow));
    if (pending > 0 || (run && run->status == "running")) {
      ++result.waiting;
      asked.push_back(std::move(a));
      continue;
    }
    if (a.shard.type.empty() || a.shard.key.empty()) continue;  // nothing tells whether it came
    CASTIEL_ASSIGN(const bool stored, is_stored(a.shard));
    if (stored) continue;
    name({"shard", a.shard.id.str(), a.shard.type, "", a.shard.key, a.shard.name, "", a.flow,
          "asked for at its source, which did not bring it", "impossible"});
    asked.push_back(std::move(a));
  }
  return {};
}

Result<> Reconciler::Run::save_asked(storage::Transaction& tx) const {
  json::array rows;
  for (const auto& a : asked) {
    if (rows.size() >= kMaxAsked) break;
    rows.push_back({{"id", a.shard.id.str()},
                    {"type", a.shard.type},
                    {"key", a.shard.key},
                    {"name", a.shard.name},
                    {"flow", a.flow.str()}});
  }
  const json::object row{{"at", to_string(asked_at)}, {"shards", std::move(rows)}};
  return tx.put_cursor(kOwner, kAsked, json::serialize(row));
}

// What names the shard would stand in the way of the one that comes.
Result<> Reconciler::Run::bring(const storage::MissingShard& shard, const CorrelationId& flow) {
  const auto& parts = parent.parts_;
  CASTIEL_ASSIGN(auto tx, parts.store->begin(tenant, Deadline::after(*parts.clock, parent.options_.writer)));
  auto forgotten = tx->forget_shard(shard.id);
  if (!forgotten && forgotten.error().code == "conflict") return {};  // it is there after all
  CASTIEL_TRY(forgotten);
  asked.push_back({shard, flow});
  CASTIEL_TRY(save_asked(*tx));
  return tx->commit();
}

// Those that came are left out, and when something was asked for is noted.
Result<> Reconciler::Run::note_asked() {
  if (kept.empty() && unasked.empty() && asked.empty()) return {};
  if (!unasked.empty()) asked_at = result.at;
  const auto& parts = parent.parts_;
  CASTIEL_ASSIGN(auto tx, parts.store->begin(tenant, Deadline::after(*parts.clock, parent.options_.writer)));
  CASTIEL_TRY(save_asked(*tx));
  return tx->commit();
}

Result<> Reconciler::Run::look() {
  CASTIEL_ASSIGN(reader, parent.parts_.store->read(tenant));
  CASTIEL_ASSIGN(const auto stats, parent.parts_.broker->stats());
  const auto note_queue = [&](const std::string& queue) -> Result<> {
    if (waiting_since.contains(queue)) return {};
    CASTIEL_ASSIGN(auto since, reader->oldest_waiting(queue));
    const auto it = std::ranges::find(stats, queue, &messaging::QueueStats::name);
    // What a broker elsewhere holds the store does not see.
    // Where it does not say since when, anything may be among it.
    if (!since && it != stats.end() && it->ready + it->claimed + it->delayed > 0)
      since = it->oldest_seconds > 0 ? result.at - std::chrono::seconds(it->oldest_seconds) : Timestamp{0};
    waiting_since[queue] = since;
    return {};
  };
  for (const auto& queue : parent.options_.queues) CASTIEL_TRY(note_queue(queue.queue));
  for (const auto& consequence : parent.options_.consequences) CASTIEL_TRY(note_queue(consequence.queue));
  CASTIEL_ASSIGN(const auto row, reader->cursor(kOwner, kAsked));
  if (const auto parsed = row ? parse_json(*row) : Result<json::value>(json::object());
      parsed && parsed->is_object()) {
    kept = parsed->get_object();
    asked_at = parse_timestamp(string_or(kept, "at")).value_or(Timestamp{0});
  }
  CASTIEL_ASSIGN(const auto flows, reader->flows_since(result.since, kMaxFlows));
  for (const auto& flow : flows) CASTIEL_TRY(look_at_flow(flow));
  return look_at_shards();
}

Result<std::optional<CorrelationId>> Reconciler::Run::refetch(const CorrelationId& flow) {
  if (const auto known = refetched.find(flow); known != refetched.end()) return known->second;
  std::optional<CorrelationId> brings;
  if (parent.options_.refetch) {
    CASTIEL_ASSIGN(brings, parent.options_.refetch(tenant, flow));
  }
  refetched[flow] = brings;
  if (brings && std::ranges::find(result.refetches, *brings) == result.refetches.end())
    result.refetches.push_back(*brings);
  return brings;
}

// The message is told as settled and handled: what it would have brought comes in another way.
Result<> Reconciler::Run::settle_message(const LostMessage& m) {
  const auto& parts = parent.parts_;
  CASTIEL_ASSIGN(auto tx, parts.store->begin(tenant, Deadline::after(*parts.clock, parent.options_.writer)));
  CASTIEL_ASSIGN(const bool first, tx->add_to_inbox(m.queue, m.id));
  if (!first) return {};  // handled after all
  CASTIEL_TRY(tx->count(m.flow, m.queue, "settled", 1));
  CASTIEL_TRY(
      tx->add_flow_entry(m.flow, {parts.clock->now(), std::string(kStage), "note", m.type, m.id,
                                  fmt::format("lost before {} handled it; asked for again", m.queue), 0}));
  if (m.type == model::event::kImportRead) {
    std::int64_t files = 0, records = 0;
    CASTIEL_ASSIGN(const auto ledger, tx->ledger(m.flow));
    for (const auto& entry : ledger) {
      if (entry.counter == "filesRead") files += entry.value;
      if (entry.counter == "read") records += entry.value;
    }
    CASTIEL_TRY(parts.publisher->publish(
        *tx, kStage, {m.flow, ""},
        {m.type, m.flow.str(), {{"importId", m.flow.str()}, {"files", files}, {"records", records}}, 0, 0}));
  }
  return tx->commit();
}

Result<> Reconciler::Run::ask_sources() {
  const auto mark = [&](std::string_view kind, const std::string& id, std::string_view queue,
                        std::string how) {
    auto& count = how == "impossible"  ? result.impossible
                  : how == "refetched" ? result.refetched
                                       : result.republished;
    ++count;
    for (auto& missing : result.missing) {
      if (missing.kind == kind && missing.id == id && missing.queue == queue) missing.repair = how;
    }
  };
  for (const auto& m : messages) {
    if (m.source) {
      CASTIEL_ASSIGN(const auto brings, refetch(m.flow));
      if (!brings) {
        mark("message", m.id, m.queue, "impossible");
        continue;
      }
    }
    CASTIEL_TRY(settle_message(m));
    mark("message", m.id, m.queue, m.source ? "refetched" : "republished");
  }
  for (const auto& shard : shards) {
    CASTIEL_ASSIGN(const auto brings, refetch(shard.correlation));
    if (!brings) {
      mark("shard", shard.id.str(), "", "impossible");
      continue;
    }
    CASTIEL_TRY(bring(shard, *brings));
    mark("shard", shard.id.str(), "", "refetched");
  }
  return note_asked();
}

Result<> Reconciler::Run::ask_again() {
  // First what follows from shards: a lost message is told as handled only once its consequences are asked
  // for.
  const auto& parts = parent.parts_;
  for (const auto& [group, list] : unasked) {
    const auto& [c, flow, integration, type] = group;
    const auto& consequence = parent.options_.consequences[c];
    for (std::size_t at = 0; at < list.size(); at += kShardsPerEvent) {
      const auto some = std::span(list).subspan(at, std::min(kShardsPerEvent, list.size() - at));
      CASTIEL_ASSIGN(auto tx,
                     parts.store->begin(tenant, Deadline::after(*parts.clock, parent.options_.writer)));
      CASTIEL_TRY(parts.publisher->publish(*tx, kStage, {flow, ""}, consequence.ask(tenant, some)));
      CASTIEL_TRY(tx->commit());
      result.republished += static_cast<std::int64_t>(some.size());
    }
  }
  return ask_sources();
}

Result<Reconciliation> Reconciler::run(const TenantId& tenant, Timestamp since, bool repair) const {
  Run run(*this, tenant, repair);
  run.result.tenant = tenant;
  run.result.since = since;
  run.result.at = parts_.clock->now();
  CASTIEL_TRY(run.look());
  run.reader.reset();
  if (repair) CASTIEL_TRY(run.ask_again());
  return std::move(run.result);
}

json::object to_json(const Reconciliation& r) {
  json::array integrations, missing, refetches;
  for (const auto& [name, c] : r.integrations) {
    if (name.empty() && c.published + c.stored + c.missing == 0) continue;
    integrations.push_back({{"integration", name},
                            {"published", c.published},
                            {"mapped", c.mapped},
                            {"deadLettered", c.dead},
                            {"quarantined", c.quarantined},
                            {"stored", c.stored},
                            {"toEvaluate", c.due},
                            {"evaluated", c.evaluated},
                            {"missing", c.missing}});
  }
  for (const auto& m : r.missing) {
    missing.push_back({{"kind", m.kind},
                       {"id", m.id},
                       {"type", m.type},
                       {"integration", m.integration},
                       {"key", m.key},
                       {"name", m.name},
                       {"queue", m.queue},
                       {"correlationId", m.correlation.str()},
                       {"detail", m.detail},
                       {"repair", m.repair}});
  }
  for (const auto& flow : r.refetches) refetches.push_back(json::value(flow.str()));
  return {
      {"tenant", r.tenant.str()},      {"since", to_string(r.since)},
      {"at", to_string(r.at)},         {"drift", r.drift},
      {"waiting", r.waiting},          {"integrations", std::move(integrations)},
      {"missing", std::move(missing)}, {"truncated", static_cast<std::int64_t>(r.missing.size()) < r.drift},
      {"republished", r.republished},  {"refetched", r.refetched},
      {"impossible", r.impossible},    {"refetches", std::move(refetches)}};
}

}  // namespace castiel::operations
