// Queues, dead letters and the trace of a flow: what an operator looks at. Views across tenants and of
// payloads, and every change, are audited with the tenant they concern.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "api/impl/calls.hpp"

namespace castiel::api {

double RateMeter::rate(const std::string& queue, std::int64_t total, Duration now) {
  constexpr Duration kShortest = std::chrono::seconds(1), kLongest = std::chrono::seconds(10);
  std::lock_guard lock(mutex_);
  const auto [it, fresh] = samples_.try_emplace(queue, Sample{total, now, 0});
  Sample& sample = it->second;
  const Duration passed = now - sample.at;
  if (fresh || passed < kShortest) return sample.rate;
  // After a long silence the average would say nothing of now.
  sample = {total, now,
            passed > kLongest && total == sample.total
                ? 0
                : static_cast<double>(total - sample.total) * 1e6 / static_cast<double>(passed.count())};
  return sample.rate;
}

}  // namespace castiel::api

namespace castiel::api::impl {
namespace {

constexpr std::size_t kMaxTrace = 10'000;
constexpr std::size_t kMaxReplayed = 10'000;  // letters of one call

json::object letter_json(const storage::DeadLetter& letter) {
  return {{"id", letter.id},
          {"tenant", letter.tenant.str()},
          {"queue", letter.queue},
          {"type", letter.type},
          {"at", to_string(letter.at)},
          {"deliveries", letter.deliveries},
          {"code", letter.code},
          {"message", letter.message},
          {"pointer", letter.pointer},
          {"key", letter.key},
          {"correlationId", letter.correlation.str()},
          {"size", letter.payload.size()},
          {"state", letter.state}};
}

// Errors: invalid_cursor.
Result<std::string> after_of(const Call& call) {
  const auto cursor = call.parameters.string_or("cursor");
  if (cursor.size() > 64 ||
      !std::ranges::all_of(cursor, [](unsigned char c) { return std::isalnum(c) || c == '-'; })) {
    return invalid_cursor();
  }
  return cursor;
}

bool for_one_tenant(const Call& call) {
  return !call.parameters.string_or("tenant").empty();
}

Result<std::vector<storage::DeadLetter>> letters(Services& services, const Call& call,
                                                 const std::string& after, std::size_t limit) {
  const auto queue = call.parameters.string_or("queue");
  if (for_one_tenant(call)) {
    CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
    return reader->dead_letters(queue, after, limit);
  }
  CASTIEL_ASSIGN(const auto view, services.store.operator_view());
  return view->dead_letters(queue, after, limit);
}

Result<> audit_alone(Services& services, const TenantId& tenant, const Call& call, std::string_view action,
                     std::string_view target) {
  CASTIEL_ASSIGN(auto tx, begin(services, tenant));
  CASTIEL_TRY(audit(*tx, services, call, action, target));
  return tx->commit();
}

Result<json::value> dlq(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto limit, limit_of(call));
  CASTIEL_ASSIGN(const auto after, after_of(call));
  CASTIEL_ASSIGN(auto found, letters(services, call, after, limit + 1));
  json::value next;
  if (found.size() > limit) {
    found.resize(limit);
    next = found.back().id;
  }
  json::array items;
  std::set<TenantId> seen;
  for (const auto& letter : found) {
    items.push_back(letter_json(letter));
    seen.insert(letter.tenant);
  }
  if (!for_one_tenant(call)) {
    for (const auto& tenant : seen) CASTIEL_TRY(audit_alone(services, tenant, call, "dlq.list", ""));
  }
  return page(std::move(items), std::move(next));
}

std::unexpected<Error> no_letter(std::string_view id) {
  return permanent("not_found", fmt::format("there is no dead letter {}", id));
}

// The tenant named, which must be the letter's own, or the letter's. Errors: not_found.
Result<TenantId> tenant_of_letter(Services& services, const Call& call, const std::string& id) {
  CASTIEL_ASSIGN(const auto view, services.store.operator_view());
  CASTIEL_ASSIGN(const auto owner, view->tenant_of_dead_letter(id));
  if (for_one_tenant(call)) {
    CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
    if (owner != reader->tenant()) return no_letter(id);
  }
  if (!owner) return no_letter(id);
  return *owner;
}

Result<json::value> show_letter(Services& services, const Call& call) {
  const auto id = call.parameters.string_or("id");
  CASTIEL_ASSIGN(const auto tenant, tenant_of_letter(services, call, id));
  CASTIEL_ASSIGN(const auto reader, services.store.read(tenant));
  CASTIEL_ASSIGN(const auto letter, reader->dead_letter(id));
  if (!letter) return no_letter(id);
  auto result = letter_json(*letter);
  result["payload"] = letter->payload;
  json::array errors;
  for (const auto& f : letter->errors)
    errors.push_back({{"at", to_string(f.at)}, {"code", f.code}, {"message", f.message}});
  result["errors"] = std::move(errors);
  CASTIEL_TRY(audit_alone(services, tenant, call, "dlq.get", id));
  return result;
}

int records_in(const std::string& payload) {
  const auto event = parse_json(payload);
  const auto* object = event ? event->if_object() : nullptr;
  const auto* data = object == nullptr ? nullptr : get_object(*object, "data");
  const auto* records = data == nullptr ? nullptr : get_array(*data, "records");
  return records == nullptr || records->empty() ? 1 : static_cast<int>(records->size());
}

// Puts the original message back into its queue under a new id, since the consumer knows the old one. A
// record goes behind the records of its key that are being retried. Errors: not_found; conflict when it is
// not dead any more, or never was a message.
Result<> replay(Services& services, const Call& call, const TenantId& tenant, const std::string& id) {
  CASTIEL_ASSIGN(auto tx, begin(services, tenant));
  CASTIEL_ASSIGN(const auto letter, tx->dead_letter(id));
  if (!letter) return no_letter(id);
  if (letter->state != "dead")
    return permanent("conflict", fmt::format("dead letter {} is {} already", id, letter->state));
  // A row that was no record never became a message; what is kept of it is the row.
  if (const auto event = parse_json(letter->payload);
      !event || !event->is_object() || !event->get_object().contains("specversion")) {
    return permanent("conflict", fmt::format("dead letter {} cannot be replayed, it never became a message: "
                                             "correct {} and import the file again",
                                             id, letter->pointer.empty() ? "its source" : letter->pointer));
  }
  CASTIEL_TRY(tx->set_dead_letter_state(id, "replayed"));
  const storage::OutgoingMessage message{services.ids.next(),         letter->type,
                                         letter->correlation,         storage::kRetryLane,
                                         records_in(letter->payload), letter->payload};
  bool leads = true;
  if (!letter->key.empty()) {
    CASTIEL_ASSIGN(const auto parked, tx->parked_keys(letter->queue));
    leads = std::ranges::find(parked, letter->key) == parked.end();
    if (leads) CASTIEL_TRY(tx->mark_parked(letter->queue, letter->key));
  }
  if (leads) {
    CASTIEL_TRY(services.broker.retry(*tx, letter->queue, message, letter->key, services.clock.now(), {}));
  } else {
    CASTIEL_TRY(tx->park(letter->queue, letter->key, message));
  }
  CASTIEL_TRY(tx->count(letter->correlation, letter->queue, "replayed", 1));
  CASTIEL_TRY(tx->add_flow_entry(
      letter->correlation, {services.clock.now(), letter->queue, "retry", letter->type, message.id,
                            fmt::format("dead letter {} replayed by {}", id, call.actor), message.records}));
  CASTIEL_TRY(
      audit(*tx, services, call, "dlq.replay", id, {{"queue", letter->queue}, {"message", message.id}}));
  return tx->commit();
}

Result<json::value> replay_letter(Services& services, const Call& call) {
  const auto id = call.parameters.string_or("id");
  CASTIEL_ASSIGN(const auto tenant, tenant_of_letter(services, call, id));
  return once(services, tenant, "dlq.replay", call, [&]() -> Result<json::value> {
    CASTIEL_TRY(replay(services, call, tenant, id));
    return json::object{{"replayed", 1}};
  });
}

Result<json::value> replay_letters(Services& services, const Call& call) {
  const auto run = [&]() -> Result<json::value> {
    std::int64_t replayed = 0;
    std::string after;
    while (replayed < static_cast<std::int64_t>(kMaxReplayed)) {
      constexpr std::size_t kPage = 100;
      CASTIEL_ASSIGN(const auto found, letters(services, call, after, kPage));
      if (found.empty()) break;
      for (const auto& letter : found) {
        const auto done = replay(services, call, letter.tenant, letter.id);
        if (done) ++replayed;
        // Somebody else was faster, or it is no message: that one is not lost.
        if (!done && done.error().code != "conflict" && done.error().code != "not_found")
          return std::unexpected(done.error());
        after = letter.id;
      }
    }
    return json::object{{"replayed", replayed}};
  };
  if (!for_one_tenant(call)) return run();
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  return once(services, reader->tenant(), "dlq.replay-all", call, run);
}

Result<json::value> purge_letter(Services& services, const Call& call) {
  const auto id = call.parameters.string_or("id");
  CASTIEL_ASSIGN(const auto tenant, tenant_of_letter(services, call, id));
  return once(services, tenant, "dlq.purge", call, [&]() -> Result<json::value> {
    CASTIEL_ASSIGN(auto tx, begin(services, tenant));
    CASTIEL_ASSIGN(const auto letter, tx->dead_letter(id));
    if (!letter) return no_letter(id);
    if (letter->state != "dead")
      return permanent("conflict", fmt::format("dead letter {} is {} already", id, letter->state));
    CASTIEL_TRY(tx->set_dead_letter_state(id, "purged"));
    CASTIEL_TRY(audit(*tx, services, call, "dlq.purge", id, {{"queue", letter->queue}}));
    CASTIEL_TRY(tx->commit());
    return json::object{{"purged", 1}};
  });
}

json::array ledger_json(const std::vector<storage::LedgerEntry>& ledger) {
  struct Line {
    std::int64_t in = 0, out = 0, effects = 0, unchanged = 0, dead = 0, parked = 0;
  };
  std::map<std::string, Line> lines;
  for (const auto& [stage, counter, value] : ledger) {
    if (stage.empty()) continue;  // counts of the flow as a whole
    Line& line = lines[stage];
    if (counter == "in") line.in += value;
    if (counter == "out") line.out += value;
    if (counter == "dead") line.dead += value;
    if (counter == "parked") line.parked += value;
    if (counter.starts_with("created:") || counter.starts_with("updated:")) line.effects += value;
    if (counter.starts_with("unchanged:")) line.unchanged += value;
  }
  json::array result;
  for (const auto& [stage, l] : lines) {
    result.push_back({{"stage", stage},
                      {"in", l.in},
                      {"out", l.out},
                      {"effects", l.effects},
                      {"unchanged", l.unchanged},
                      {"dead", l.dead},
                      {"parked", l.parked}});
  }
  return result;
}

Result<json::value> trace(Services& services, const Call& call) {
  const CorrelationId correlation(call.parameters.string_or("correlationId"));
  const auto unknown = [&] {
    return permanent("not_found", fmt::format("there is no flow {}", correlation.str()));
  };
  CASTIEL_ASSIGN(const auto view, services.store.operator_view());
  CASTIEL_ASSIGN(const auto owner, view->tenant_of(correlation));
  if (for_one_tenant(call)) {
    CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
    if (owner != reader->tenant()) return unknown();
  }
  if (!owner) return unknown();
  CASTIEL_ASSIGN(const auto reader, services.store.read(*owner));
  CASTIEL_ASSIGN(auto flow, reader->flow(correlation, kMaxTrace + 1));
  bool more = flow.size() > kMaxTrace;
  if (more) flow.resize(kMaxTrace);
  CASTIEL_ASSIGN(auto shards, reader->shards_written_by(correlation, kMaxTrace + 1 - flow.size()));
  more = more || shards.size() > kMaxTrace - flow.size();
  flow.insert(flow.end(), std::make_move_iterator(shards.begin()), std::make_move_iterator(shards.end()));
  std::ranges::stable_sort(flow, {}, &storage::FlowEntry::at);
  if (flow.size() > kMaxTrace) flow.resize(kMaxTrace);
  CASTIEL_ASSIGN(const auto ledger, reader->ledger(correlation));
  json::array items;
  for (const auto& e : flow) {
    items.push_back({{"at", to_string(e.at)},
                     {"stage", e.stage},
                     {"kind", e.kind},
                     {"type", e.type},
                     {"id", e.id},
                     {"text", e.text},
                     {"count", e.count}});
  }
  CASTIEL_TRY(audit_alone(services, *owner, call, "trace", correlation.str()));
  return json::object{{"correlationId", correlation.str()},
                      {"tenant", owner->str()},
                      {"items", std::move(items)},
                      {"truncated", more},
                      {"ledger", ledger_json(ledger)}};
}

Result<json::value> queues(Services& services, const Call&) {
  return queues_json(services);
}

}  // namespace

Result<json::object> queues_json(Services& services) {
  CASTIEL_ASSIGN(const auto stats, services.broker.stats());
  CASTIEL_ASSIGN(const auto view, services.store.operator_view());
  CASTIEL_ASSIGN(const auto dead, view->dead_letters_by_queue());
  CASTIEL_ASSIGN(const auto parked, view->parked_by_queue());
  const auto count_of = [](const auto& counts, const std::string& queue) {
    const auto it = std::ranges::find(counts, queue, [](const auto& c) { return c.first; });
    return it == counts.end() ? std::int64_t{0} : it->second;
  };
  const Duration now = services.clock.monotonic();
  json::array items;
  for (const auto& s : stats) {
    items.push_back({{"name", s.name},
                     {"ready", s.ready},
                     {"claimed", s.claimed},
                     {"delayed", s.delayed},
                     {"parked", count_of(parked, s.name)},
                     {"deadLetters", count_of(dead, s.name)},
                     {"oldestSeconds", s.oldest_seconds},
                     {"consumers", services.consumers ? services.consumers(s.name) : 0},
                     {"ratePerSecond", services.rates.rate(s.name, s.settled_total, now)}});
  }
  return page(std::move(items));
}

std::vector<Operation> flow_operations() {
  const auto queue = text_parameter("queue", "Only of this queue");
  return {
      {"queues", "GET", "/api/v1/queues", "How the queues stand", "operations", {}, queues, "List"},
      {"dlq",
       "GET",
       "/api/v1/dlq",
       "Messages and records that could not be handled",
       "operations",
       {tenant_parameter(false), queue, limit_parameter(), cursor_parameter()},
       dlq,
       "List"},
      {"dlq.get",
       "GET",
       "/api/v1/dlq/{id}",
       "One of them, with the original message and all its errors",
       "operations",
       {tenant_parameter(false)},
       show_letter,
       "Object"},
      {"dlq.replay",
       "POST",
       "/api/v1/dlq/{id}/replay",
       "Puts it back into its queue, once",
       "operations",
       {tenant_parameter(false)},
       replay_letter,
       "Object"},
      {"dlq.replay-all",
       "POST",
       "/api/v1/dlq/replay",
       "Puts all of a queue or a tenant back, at most 10,000 a call",
       "operations",
       {tenant_parameter(false), queue},
       replay_letters,
       "Object"},
      {"dlq.purge",
       "DELETE",
       "/api/v1/dlq/{id}",
       "Gives it up; it stays on record as purged",
       "operations",
       {tenant_parameter(false)},
       purge_letter,
       "Object"},
      {"trace",
       "GET",
       "/api/v1/trace/{correlationId}",
       "Everything one flow did, in order",
       "operations",
       {tenant_parameter(false)},
       trace,
       "Object"},
  };
}

}  // namespace castiel::api::impl
