// Queues and the trace of a flow: what an operator looks at. A trace is audited with the tenant it concerns.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "api/impl/letter_calls.hpp"

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
  storage::LetterQuery set_apart;
  set_apart.place = storage::LetterPlace::quarantine;
  CASTIEL_ASSIGN(const auto groups, view->letter_groups(set_apart, storage::LetterGrouping::queue));
  std::vector<std::pair<std::string, std::int64_t>> quarantined;
  for (const auto& group : groups) quarantined.emplace_back(group.key, group.count);
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
                     {"quarantined", count_of(quarantined, s.name)},
                     {"oldestSeconds", s.oldest_seconds},
                     {"consumers", services.consumers ? services.consumers(s.name) : 0},
                     {"ratePerSecond", services.rates.rate(s.name, s.settled_total, now)}});
  }
  return page(std::move(items));
}

std::vector<Operation> flow_operations() {
  return {
      {"queues", "GET", "/api/v1/queues", "How the queues stand", "operations", {}, queues, "List"},
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
