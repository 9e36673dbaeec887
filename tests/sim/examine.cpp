// The checkers: what must hold once everything has drained, and the stored state as text for a comparison of
// worlds.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "intelligence/deal_book.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"
#include "rows.hpp"
#include "world.hpp"

namespace castiel::sim {

namespace {

constexpr std::size_t kMaxFailures = 12;

class Examiner {
 public:
  Examiner(storage::Store& store, const std::string& path, const Workload& workload, const Clock& clock,
           Probes& probes)
      : store_(store), path_(path), rows_(path), clock_(clock), workload_(workload), probes_(probes) {}

  Verdict run() {
    nothing_is_left();
    nothing_crosses_tenants();
    versions_are_contiguous();
    for (const auto& work : workload_.tenants) {
      auto reader = store_.read(TenantId(work.tenant));
      if (!reader) {
        fail(fmt::format("{} cannot be read: {}", work.tenant, reader.error().describe()));
        continue;
      }
      if (auto examined = tenant(**reader, work); !examined)
        fail(fmt::format("{}: {}", work.tenant, examined.error().describe()));
    }
    return std::move(verdict_);
  }

 private:
  void fail(std::string text) {
    if (verdict_.failures.size() < kMaxFailures) verdict_.failures.push_back(std::move(text));
  }
  template <class T>
  void equal(const T& is, const T& should, const std::string& what) {
    if (is != should) fail(fmt::format("{}: {} instead of {}", what, is, should));
  }

  void nothing_is_left() {
    for (const auto* table : {"queued", "parked_key", "parked_record"}) {
      const auto n = rows_.query(fmt::format("SELECT count(*) FROM {}", table).c_str());
      equal(n[0][0], std::string("0"), fmt::format("rows left in {}", table));
    }
    for (const auto& row : rows_.query("SELECT tenant, correlation, sum(CASE counter WHEN 'enqueued' THEN "
                                       "value WHEN 'settled' THEN -value ELSE 0 END) AS n"
                                       " FROM ledger GROUP BY 1, 2 HAVING n <> 0")) {
      fail(fmt::format("{}: the ledger of {} has {} messages pending", row[0], row[1], row[2]));
    }
  }

  void nothing_crosses_tenants() {
    for (const auto* sql :
         {"SELECT tenant, data || source FROM shard", "SELECT tenant, data || source FROM shard_version",
          "SELECT tenant, payload FROM dead_letter",
          "SELECT tenant, coalesce(old_value, '') || coalesce(new_value, '') FROM field_change",
          "SELECT tenant, text FROM relation", "SELECT tenant, key FROM alias",
          "SELECT tenant, file || message FROM problem", "SELECT tenant, detail FROM import_run",
          "SELECT r.tenant, s.tenant FROM relation r JOIN shard s ON s.id = r.to_id WHERE s.tenant <> "
          "r.tenant"}) {
      for (const auto& row : rows_.query(sql)) {
        for (const auto& work : workload_.tenants) {
          if (row[0] != work.tenant && (row[1].find(work.mark) != std::string::npos ||
                                        row[1].find("/" + work.tenant + "/") != std::string::npos)) {
            fail(fmt::format("{} has what belongs to {}: {}", row[0], work.tenant, row[1].substr(0, 120)));
          }
        }
      }
    }
    for (const auto& row : rows_.query("SELECT r.tenant, r.from_id FROM relation r JOIN shard s ON s.id = "
                                       "r.to_id WHERE s.tenant <> r.tenant")) {
      fail(fmt::format("a relation of {} leads to another tenant: {}", row[0], row[1]));
    }
  }

  void versions_are_contiguous() {
    for (const auto& row : rows_.query("SELECT s.tenant, s.external_id, s.version, count(v.version), "
                                       "coalesce(min(v.version), 0), coalesce(max(v.version), 0)"
                                       " FROM shard s LEFT JOIN shard_version v ON v.tenant = s.tenant AND "
                                       "v.shard_id = s.id GROUP BY s.tenant, s.id")) {
      const auto version = std::stoll(row[2]), earlier = std::stoll(row[3]);
      if (earlier != version - 1 || std::stoll(row[5]) != version - 1 || (earlier > 0 && row[4] != "1")) {
        fail(fmt::format("{} {}: version {} has {} earlier ones, {} to {}", row[0], row[1], version, earlier,
                         row[4], row[5]));
      }
    }
  }

  Result<> tenant(const storage::Reader& reader, const TenantWork& work) {
    const auto expected = expect(work);
    CASTIEL_TRY(imports(reader, work, expected));
    CASTIEL_TRY(shards(reader, work, expected));
    CASTIEL_TRY(insights(reader, work));
    CASTIEL_TRY(dead_letters(reader, work));
    return {};
  }

  // Every record read ended as one effect or one dead letter, import by import.
  Result<> imports(const storage::Reader& reader, const TenantWork& work, const Expected& expected) {
    CASTIEL_ASSIGN(auto runs, reader.import_runs(100));
    std::ranges::reverse(runs);
    equal(runs.size(), work.waves.size(), work.tenant + ": import runs");
    CASTIEL_ASSIGN(const auto letters, reader.dead_letters("", "", 10'000));
    for (std::size_t w = 0; w < std::min(runs.size(), work.waves.size()); ++w) {
      const auto& run = runs[w];
      const auto& wave = expected.waves[w];
      const std::string who = fmt::format("{} import {}", work.tenant, w);
      equal(run.status, std::string("done"), who + ": status");
      CASTIEL_ASSIGN(const auto pending, reader.pending(run.correlation));
      equal<std::int64_t>(pending, 0, who + ": pending");
      CASTIEL_ASSIGN(const auto ledger, reader.ledger(run.correlation));
      std::map<std::string, std::int64_t> counts;
      for (const auto& entry : ledger) {
        if (entry.stage == kEventsQueue || entry.stage == "sim") continue;
        const auto colon = entry.counter.find(':');
        counts[colon == std::string::npos || entry.counter.starts_with("without")
                   ? entry.counter
                   : entry.counter.substr(0, colon)] += entry.value;
      }
      equal(counts["read"], wave.read, who + ": records read");
      equal(counts["mapped"], wave.mapped, who + ": records mapped");
      equal(counts["dead"], wave.dead, who + ": dead records in the ledger");
      equal(counts["mapped"] + counts["dead"], counts["read"],
            who + ": effects and dead letters of what was read");
      if (counts["deadAlong"] > 0) probes_.hit("attachment dead");
      equal(counts["created"], wave.created, who + ": shards created");
      equal(counts["updated"], wave.updated, who + ": shards updated");
      const auto files =
          static_cast<std::int64_t>(work.waves[w].files.size() + work.waves[w].contents.files.size());
      equal(counts["filesRead"] + counts["filesSkipped"] + counts["filesFailed"], files,
            who + ": files accounted for");
      if (counts["filesSkipped"] > 0) probes_.hit("same bytes skipped");
      if (counts["unchanged"] > 0) probes_.hit("older version passed over");
      std::int64_t bytes = 0;
      for (const auto& file : work.waves[w].files) bytes += static_cast<std::int64_t>(file.text().size());
      for (const auto& file : work.waves[w].contents.files)
        bytes += static_cast<std::int64_t>(file.bytes.size());
      equal(counts["bytes"], bytes, who + ": bytes accounted for");

      std::map<std::string, std::int64_t> codes;
      for (const auto& letter : letters) {
        if (letter.correlation == run.correlation) codes[letter.code] += records_in(letter);
      }
      equal(as_text(codes), as_text(wave.dead_codes), who + ": dead letters by code");
      if (codes["crashed"] > 0) probes_.hit("message dead for crashes");
      if (codes["dependency_failed"] > 0) probes_.hit("tries exhausted");
      if (codes["wrong_field_count"] > 0) probes_.hit("lost line buried");

      const auto detail = parse_json(run.detail);
      const auto* understood =
          detail && detail->is_object() ? get_array(detail->get_object(), "understood") : nullptr;
      std::map<std::string, int> told;
      if (understood != nullptr) {
        for (const auto& entry : *understood) ++told[string_or(entry.get_object(), "file")];
      }
      for (const auto& [file, n] : told)
        equal(n, 1, fmt::format("{}: times that {} is told of as understood", who, file));
      CASTIEL_ASSIGN(const auto story, reader.flow(run.correlation, 100'000));
      const auto announced = std::ranges::count_if(
          story, [](const auto& e) { return e.kind == "event" && e.type == model::event::kImportRead; });
      equal<std::int64_t>(announced, 1, who + ": announcements that all is read");
    }
    return {};
  }

  static std::int64_t records_in(const storage::DeadLetter& letter) {
    if (!letter.key.empty()) return 1;
    const auto value = parse_json(letter.payload);
    if (!value || !value->is_object()) return 1;
    const auto* data = get_object(value->get_object(), "data");
    const auto* records = data == nullptr ? nullptr : get_array(*data, "records");
    return records == nullptr ? 1 : static_cast<std::int64_t>(records->size());
  }
  static std::string as_text(const std::map<std::string, std::int64_t>& counts) {
    std::string text;
    for (const auto& [name, n] : counts) {
      if (n != 0) text += fmt::format("{}={} ", name, n);
    }
    return text;
  }

  Result<> shards(const storage::Reader& reader, const TenantWork& work, const Expected& expected) {
    std::map<ShardId, std::string> names;
    std::vector<model::Shard> all;
    storage::ShardQuery query;
    query.include_deleted = true;
    query.limit = 100'000;
    CASTIEL_ASSIGN(all, reader.shards(query));
    std::map<std::string, std::string> by_id;
    for (const auto& shard : all)
      by_id[shard.id.str()] = shard.key.type + "/" + with_names(shard.key.external_id, by_id);
    auto more = examine_contents(reader, path_, workload_, by_id, probes_);
    for (auto& f : more.failures) fail(std::move(f));
    verdict_.state.merge(more.state);
    // What follows from other shards is looked at there.
    std::erase_if(all, [](const auto& s) {
      return s.key.type == model::type::kTask || s.key.type == model::type::kActivity;
    });
    equal(all.size(), expected.shards.size(), work.tenant + ": shards");
    for (const auto& shard : all) names[shard.id] = shard.key.type + "/" + shard.key.external_id;
    for (const auto& shard : all) {
      const std::string who = fmt::format("{} {}/{}", work.tenant, shard.key.type, shard.key.external_id);
      const auto it = expected.shards.find({shard.key.type, shard.key.external_id});
      if (it == expected.shards.end()) {
        fail(who + ": nothing was to come of it");
        continue;
      }
      equal(shard.key.integration, std::string(kIntegration), who + ": integration");
      equal(shard.version, it->second.version, who + ": version");
      CASTIEL_ASSIGN(const auto data, parse_json(shard.data));
      for (const auto& [field, value] : it->second.fields)
        equal(string_or(data.get_object(), field), value, who + ": " + field);
      CASTIEL_TRY(history(reader, shard, data.get_object(), who));
      CASTIEL_ASSIGN(const auto heard, reader.cursor(kLastVersion, shard.id.str()));
      equal(heard.value_or("0"), std::to_string(shard.version), who + ": version that events told of");
      CASTIEL_ASSIGN(const auto wrong, reader.cursor(kOutOfOrder, shard.id.str()));
      if (wrong) fail(who + ": events out of order, " + *wrong);

      CASTIEL_ASSIGN(auto relations, reader.relations_from(shard.id));
      for (const auto& r : relations) {
        verdict_.state.insert(fmt::format("relation {} {} {} '{}' -> {} by {}", who, r.role, r.ordinal,
                                          r.text, r.to ? names[*r.to] : "nothing", r.how));
      }
      verdict_.state.insert(fmt::format("shard {} v{} {}{}", who, shard.version,
                                        with_names(shard.data, by_id), shard.deleted_at ? " deleted" : ""));
    }
    std::set<std::string> past;
    for (const auto& row : rows_.query("SELECT tenant, external_id, effective_at, field, coalesce(new_value, "
                                       "'') FROM field_change WHERE origin = 'history_export'")) {
      if (row[0] == work.tenant)
        past.insert(
            fmt::format("{}|{}|{}|{}", row[1], to_string(Timestamp{std::stoll(row[2])}), row[3], row[4]));
    }
    for (const auto& change : expected.past_changes) {
      if (!past.contains(change))
        fail(fmt::format("{}: a change of the past is missing: {}", work.tenant, change));
    }
    for (const auto& change : past) {
      if (!expected.past_changes.contains(change))
        fail(fmt::format("{}: a change of the past came from nowhere: {}", work.tenant, change));
      verdict_.state.insert(fmt::format("past {} {}", work.tenant, change));
    }
    return {};
  }

  // Each field's changes follow from one another and end in what the shard says now.
  Result<> history(const storage::Reader& reader, const model::Shard& shard, const json::object& data,
                   const std::string& who) {
    CASTIEL_ASSIGN(const auto changes, reader.history(shard.key));
    std::map<std::string, std::optional<std::string>> now;
    std::set<Timestamp> times;
    int n = 0;
    for (const auto& change : changes) {
      if (change.origin != "import") continue;
      times.insert(change.effective_at);
      const auto it = now.find(change.field);
      if (it != now.end() && it->second != change.old_value) {
        fail(fmt::format("{}: history of {} goes from '{}' to one that replaced '{}'", who, change.field,
                         it->second.value_or("nothing"), change.old_value.value_or("nothing")));
      }
      now[change.field] = change.new_value;
      verdict_.state.insert(
          fmt::format("history {} {} {}: '{}' -> '{}'{}", who, n++, change.field,
                      change.old_value.value_or(""), change.new_value.value_or(""),
                      shard.source_is_dated ? " at " + to_string(change.effective_at) : ""));
    }
    for (const auto& [field, value] : now) {
      if (field.find('.') != std::string::npos || field == "*") continue;
      const auto* is = data.if_contains(field);
      const std::string text = is == nullptr     ? ""
                               : is->is_string() ? std::string(is->get_string())
                                                 : json::serialize(*is);
      equal(value.value_or(""), text, fmt::format("{}: last change of {}", who, field));
    }
    if (static_cast<std::int64_t>(times.size()) != shard.version - 1) {
      fail(fmt::format("{}: version {} with changes at {} times", who, shard.version, times.size()));
    }
    return {};
  }

  // Every open deal has been scored once, and on what is known now: a stale look must not overwrite a newer
  // one.
  Result<> insights(const storage::Reader& reader, const TenantWork& work) {
    CASTIEL_ASSIGN(const auto stored, reader.insights("deal"));
    std::map<ShardId, std::string> scored;
    for (const auto& insight : stored) {
      const auto payload = parse_json(insight.payload);
      scored[insight.shard] =
          payload && payload->is_object() ? string_or(payload->get_object(), "status") : "";
    }
    equal(scored.size(), stored.size(), work.tenant + ": deals with an insight");
    intelligence::DealBook book(clock_);
    return reader.each_shard(model::type::kOpportunity, [&](const model::Shard& deal) -> Result<> {
      const auto now = book.deal(reader, deal.id, {}, intelligence::Freshness::exact);
      if (!now) return {};  // not there yet on the day it is looked at
      const std::string is = string_or(*now, "status");
      const auto it = scored.find(deal.id);
      if (it == scored.end() ? is == "open" : it->second != is) {
        fail(fmt::format("{} {}: is {}, scored as {}", work.tenant, deal.key.external_id, is,
                         it == scored.end() ? "nothing" : it->second));
      }
      return {};
    });
  }

  Result<> dead_letters(const storage::Reader& reader, const TenantWork& work) {
    CASTIEL_ASSIGN(const auto letters, reader.dead_letters("", "", 10'000));
    std::map<std::string, int> by_record;
    for (const auto& letter : letters)
      ++by_record[fmt::format("{} {} {}", letter.queue, letter.code, letter.key)];
    for (const auto& [what, n] : by_record)
      verdict_.state.insert(fmt::format("dead {} {}: {}", work.tenant, what, n));
    return {};
  }

  storage::Store& store_;
  std::string path_;
  Rows rows_;
  const Clock& clock_;
  const Workload& workload_;
  Probes& probes_;
  Verdict verdict_;
};

}  // namespace

Verdict examine(storage::Store& store, const std::string& path, const Workload& workload, const Clock& clock,
                Probes& probes) {
  return Examiner(store, path, workload, clock, probes).run();
}

std::string describe_queues(const std::string& path) {
  std::string text;
  Rows rows(path);
  for (const auto& r : rows.query("SELECT queue, tenant, part, seq, record_key, deliveries, claimed, "
                                  "available_at, errors FROM queued ORDER BY seq LIMIT 10")) {
    text += fmt::format("\n    {} {} lane {} seq {} key '{}' deliveries {} claimed {} due {} {}", r[0], r[1],
                        r[2], r[3], r[4], r[5], r[6], to_string(Timestamp{std::stoll(r[7])}), r[8]);
  }
  for (const auto& r : rows.query("SELECT tenant, key FROM parked_key"))
    text += fmt::format("\n    parked key {} {}", r[0], r[1]);
  for (const auto& r : rows.query("SELECT tenant, key, seq FROM parked_record"))
    text += fmt::format("\n    parked record {} {} {}", r[0], r[1], r[2]);
  return text;
}

}  // namespace castiel::sim
