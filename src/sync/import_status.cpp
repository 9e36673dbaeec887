#include <fmt/format.h>

#include <map>

#include "model/event_types.hpp"
#include "sync/import_job.hpp"

namespace castiel::sync {
namespace {

constexpr std::size_t kShownProblems = 100;
constexpr std::size_t kReadFlow = 100'000;

struct Counts {
  std::int64_t files_read = 0, files_skipped = 0, files_failed = 0, bytes = 0, read = 0, mapped = 0, dead = 0,
               quarantined = 0, problems = 0, attached = 0, suggested = 0;
  std::map<std::string, std::map<std::string, std::int64_t>>
      shards;                                   // type, then created, updated, unchanged
  std::map<std::string, std::int64_t> without;  // "opportunity:account": records without that relation
};

// Where the records of an import are read or first understood.
bool is_source_stage(std::string_view stage) {
  namespace queue = model::queue;
  return stage == "files" || stage == queue::kDataRaw || stage == queue::kCommunications ||
         stage == queue::kDocuments || stage == queue::kMeetings || stage == queue::kEvents;
}

Counts count(const std::vector<storage::LedgerEntry>& ledger) {
  Counts c;
  for (const auto& [stage, counter, value] : ledger) {
    if (counter == "filesRead") c.files_read += value;
    if (counter == "filesSkipped") c.files_skipped += value;
    if (counter == "filesFailed") c.files_failed += value;
    if (counter == "bytes") c.bytes += value;
    if (counter == "read") c.read += value;
    if (counter == "mapped") c.mapped += value;
    // Records the import brought; a message of a later stage that ended as dead letter is none of them.
    if (counter == "dead" && is_source_stage(stage)) c.dead += value;
    if (counter == "quarantined" && is_source_stage(stage)) c.quarantined += value;
    if (counter == "problems") c.problems += value;
    if (counter == "links:attached") c.attached += value;
    if (counter == "links:suggested") c.suggested += value;
    if (counter.starts_with("without:")) c.without[counter.substr(8)] += value;
    for (const char* kind : {"created", "updated", "unchanged"}) {
      if (counter.starts_with(kind) && counter.size() > std::string_view(kind).size()) {
        c.shards[counter.substr(std::string_view(kind).size() + 1)][kind] += value;
      }
    }
  }
  return c;
}

json::object shards_json(const Counts& c) {
  json::object shards;
  for (const auto& [type, kinds] : c.shards) {
    const auto of = [&](const char* kind) {
      const auto it = kinds.find(kind);
      return it == kinds.end() ? 0 : it->second;
    };
    shards[type] =
        json::object{{"created", of("created")}, {"updated", of("updated")}, {"unchanged", of("unchanged")}};
  }
  return shards;
}

json::array problems_json(const std::vector<storage::Problem>& problems) {
  json::array array;
  for (const auto& p : problems)
    array.push_back({{"file", p.file}, {"line", p.line}, {"code", p.code}, {"message", p.message}});
  return array;
}

struct Loaded {
  storage::ImportRun run;
  json::object detail;
  Counts counts;
};

Result<Loaded> load(const storage::Reader& reader, const CorrelationId& correlation) {
  CASTIEL_ASSIGN(auto run, reader.import_run(correlation));
  if (!run) return permanent("not_found", fmt::format("there is no import {}", correlation.str()));
  CASTIEL_ASSIGN(const auto ledger, reader.ledger(correlation));
  auto detail = parse_json(run->detail);
  return Loaded{std::move(*run), detail && detail->is_object() ? detail->get_object() : json::object(),
                count(ledger)};
}

json::object records_json(const Counts& c) {
  return {{"read", c.read}, {"mapped", c.mapped}, {"deadLettered", c.dead}, {"quarantined", c.quarantined}};
}

}  // namespace

Result<json::object> import_status(const storage::Reader& reader, const CorrelationId& correlation,
                                   Timestamp now) {
  CASTIEL_ASSIGN(auto loaded, load(reader, correlation));
  auto& [run, detail, c] = loaded;
  CASTIEL_ASSIGN(const auto problems, reader.problems(correlation, kShownProblems));
  const double seconds = static_cast<double>((run.finished_at.value_or(now) - run.started_at).count()) / 1e6;
  const std::int64_t total = int_or(detail, "bytesTotal", 0);
  json::object o{
      {"correlationId", correlation.str()}, {"tenant", reader.tenant().str()}, {"status", run.status}};
  o["startedAt"] = to_string(run.started_at);
  o["finishedAt"] = run.finished_at ? json::value(to_string(*run.finished_at)) : json::value(nullptr);
  o["paths"] = detail.contains("paths") ? detail["paths"] : json::array();
  o["files"] = json::object{{"read", c.files_read},
                            {"skipped", c.files_skipped},
                            {"failed", c.files_failed},
                            {"total", int_or(detail, "filesTotal", 0)}};
  o["records"] = records_json(c);
  o["shards"] = shards_json(c);
  o["links"] = json::object{{"attached", c.attached}, {"suggested", c.suggested}};
  o["problems"] = problems_json(problems);
  o["problemCount"] = c.problems;
  o["bytes"] = json::object{{"read", c.bytes}, {"total", total}};
  o["rate"] = seconds > 0 ? static_cast<double>(c.mapped) / seconds : 0.0;
  o["remaining"] = nullptr;
  if (run.status == "running" && c.bytes > 0 && total >= c.bytes) {
    o["remaining"] = seconds * static_cast<double>(total - c.bytes) / static_cast<double>(c.bytes);
  }
  o["understood"] = detail.contains("understood") ? detail["understood"] : json::array();
  if (detail.contains("error")) o["error"] = detail["error"];
  return o;
}

Result<json::object> import_summary(const storage::Reader& reader, const CorrelationId& correlation) {
  CASTIEL_ASSIGN(const auto loaded, load(reader, correlation));
  const auto& [run, detail, c] = loaded;
  CASTIEL_ASSIGN(const auto problems,
                 reader.problems(correlation, static_cast<std::size_t>(storage::Transaction::kMaxProblems)));
  // What the relation stage understood loosely, or not at all.
  CASTIEL_ASSIGN(const auto flow, reader.flow(correlation, kReadFlow));
  json::array resolved, unresolved;
  for (const auto& entry : flow) {
    if (entry.kind != "note" || entry.stage != model::queue::kRelations) continue;
    if (entry.type == "resolved") resolved.push_back({{"text", entry.text}, {"count", entry.count}});
    if (entry.type == "unresolved")
      unresolved.push_back({{"type", entry.id}, {"text", entry.text}, {"count", entry.count}});
  }
  // What a file left open and how it was read: "numbers such as 1.234 could be read in two ways".
  json::array notes;
  if (const auto* understood = get_array(detail, "understood")) {
    for (const auto& file : *understood) {
      const auto* of_file = file.is_object() ? get_array(file.get_object(), "notes") : nullptr;
      if (of_file == nullptr) continue;
      for (const auto& note : *of_file)
        notes.push_back({{"file", string_or(file.get_object(), "file")}, {"message", note}});
    }
  }
  json::object without;
  for (const auto& [what, n] : c.without) without[what] = n;
  return json::object{
      {"tenant", reader.tenant().str()},
      {"correlationId", correlation.str()},
      {"files", {{"read", c.files_read}, {"skipped", c.files_skipped}, {"failed", c.files_failed}}},
      {"records", records_json(c)},
      {"shards", shards_json(c)},
      {"links", {{"attached", c.attached}, {"suggested", c.suggested}}},
      {"problems", problems_json(problems)},
      {"problemCount", c.problems},
      {"notes", std::move(notes)},
      {"resolved", std::move(resolved)},
      {"unresolved", std::move(unresolved)},
      {"without", std::move(without)},
      {"seconds",
       static_cast<double>((run.finished_at.value_or(run.started_at) - run.started_at).count()) / 1e6}};
}

}  // namespace castiel::sync
