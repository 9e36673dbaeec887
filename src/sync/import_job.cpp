#include "sync/import_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/digest.hpp"
#include "messaging/letters.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"
#include "sync/impl/import_state.hpp"

namespace castiel::sync {

using connectors::FileReader;
using messaging::kLanes;
using messaging::kLanesOfSource;
using messaging::lane_of;
using messaging::part_of_source;

namespace {

constexpr int kPagesAtOnce = 8;              // pages published with one commit
constexpr std::int64_t kMostPending = 400;   // pages of the flow not yet mapped before reading pauses
constexpr std::int64_t kFewPending = 200;    // and when it goes on
constexpr std::size_t kRunsLookedAt = 1000;  // the newest, for an unfinished one of the same paths
constexpr char kStartLease[] = "imports.start";

std::string paths_key(const ImportOptions& options) {
  std::string key = options.again ? "again" : "";
  for (const auto& path : options.paths) key += "\n" + path;
  key += "\n\n" + options.source_map + "\n" + (options.integration ? options.integration->str() : "");
  return sha256_hex(key).substr(0, 16);
}

bool claims_to_be_a_table(std::string_view path) {
  const auto dot = path.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(path.substr(dot + 1));
  for (auto& c : extension) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  // Workbooks and archives that reach this are damaged: whole ones are documents and folders.
  static constexpr std::array kTables{"csv",  "tsv", "tab", "json", "jsonl", "ndjson",
                                      "xlsx", "xls", "ods", "zip",  "gz"};
  return std::ranges::find(kTables, extension) != kTables.end();
}

json::array columns_json(const connectors::RecordMapping& mapping) {
  json::array columns;
  for (const auto& c : mapping.columns) {
    json::object column{
        {"column", c.column}, {"field", nullptr}, {"confidence", c.confidence}, {"why", c.why}};
    if (!c.field.empty()) column["field"] = c.field;
    columns.push_back(std::move(column));
  }
  return columns;
}

}  // namespace

ImportJob::ImportJob(std::unique_ptr<State> state) : state_(std::move(state)) {}
ImportJob::~ImportJob() = default;
const CorrelationId& ImportJob::correlation() const {
  return state_->run.correlation;
}
const TenantId& ImportJob::tenant() const {
  return state_->tenant;
}

Result<std::unique_ptr<ImportJob>> ImportJob::start(ImportParts parts, TenantId tenant,
                                                    ImportOptions options) {
  return open(std::move(parts), std::move(tenant), std::move(options), {});
}

namespace {

// An unfinished run: this one, or, where none is named, of these paths.
Result<std::optional<storage::ImportRun>> unfinished(const storage::Reader& reader, const std::string& key,
                                                     const std::optional<CorrelationId>& which) {
  if (which) {
    CASTIEL_ASSIGN(auto run, reader.import_run(*which));
    if (!run || run->status != "running") return permanent("not_found", "the import is over");
    return run;
  }
  CASTIEL_ASSIGN(auto runs, reader.import_runs(kRunsLookedAt));
  for (auto& run : runs) {
    if (run.status != "running") continue;
    const auto detail = parse_json(run.detail);
    if (detail && string_or(detail->get_object(), "pathsKey") == key) return std::optional(std::move(run));
  }
  return std::nullopt;
}

json::object new_detail(const ImportOptions& options, const std::string& key) {
  json::array paths;
  for (const auto& path : options.paths) paths.push_back(json::value(path));
  json::object detail{{"paths", std::move(paths)}, {"pathsKey", key}, {"understood", json::array()}};
  detail["sourceMap"] = options.source_map;
  detail["sourceMapName"] = options.source_map_name;
  detail["integration"] = options.integration ? options.integration->str() : "";
  detail["again"] = options.again;
  detail["announced"] = false;
  detail["timeZone"] = options.time_zone;
  detail["defaultCurrency"] = options.default_currency;
  detail["pageRecords"] = options.page_records;
  detail["pageBytes"] = options.page_bytes;
  return detail;
}

}  // namespace

Result<std::unique_ptr<ImportJob>> ImportJob::open(ImportParts parts, TenantId tenant, ImportOptions options,
                                                   const std::optional<CorrelationId>& which) {
  auto state = std::make_unique<State>();
  state->parts = parts;
  state->tenant = std::move(tenant);
  state->options = std::move(options);
  auto& s = *state;
  if (!s.options.source_map.empty()) {
    CASTIEL_ASSIGN(s.source_map,
                   connectors::parse_source_map(s.options.source_map, s.options.source_map_name));
  }
  const std::string key = paths_key(s.options);
  bool all_told = false;
  {
    CASTIEL_ASSIGN(const auto snapshot, parts.store->read(s.tenant));
    CASTIEL_ASSIGN(const auto known, unfinished(*snapshot, key, which));
    if (known) {
      s.go_on_from(*known);
      CASTIEL_ASSIGN(all_told, s.all_told(*snapshot));
    }
  }
  // Of a run whose files were all read, nobody needs them any more: they may be gone.
  connectors::Listing listing;
  if (!all_told) {
    listing = connectors::list_files(*parts.files, s.options.paths);
    if (listing.failed) return std::unexpected(*listing.failed);
    if (listing.files.empty() && !listing.problems.empty()) {
      const auto& p = listing.problems.front();
      return permanent(p.code, p.message);
    }
    s.files = std::move(listing.files);
  }

  CASTIEL_ASSIGN(auto tx, parts.store->begin(s.tenant, s.deadline()));
  // One start after another: the second of the same paths finds the first one's run.
  CASTIEL_TRY(tx->take_lease(kStartLease, parts.owner, Duration(0)));
  CASTIEL_ASSIGN(auto known, unfinished(*tx, key, which));
  if (!known && all_told) return transient("store_busy", "the import ended at this moment");
  if (known) {
    s.run = std::move(*known);
    CASTIEL_ASSIGN(const bool ours, s.take(*tx));
    if (!ours) return std::unique_ptr<ImportJob>(new ImportJob(std::move(state)));
    const auto total = int_or(s.detail, "filesTotal", 0), here = static_cast<std::int64_t>(s.files.size());
    if (which && !all_told && here < total)
      return transient("files_missing",
                       fmt::format("{} of the {} files of the import are not here", total - here, total));
  } else {
    s.run = {};
    s.run.correlation = messaging::make_correlation("import", parts.clock->now(), *parts.ids);
    s.run.started_at = parts.clock->now();
    s.run.status = "running";
    s.detail = new_detail(s.options, key);
    s.detail["filesUnlisted"] = static_cast<std::int64_t>(listing.problems.size());
    s.announced = false;
  }
  if (!all_told) {
    std::int64_t total = 0;
    for (const auto& file : s.files) total += static_cast<std::int64_t>(file.size);
    // Of those that were read before a restart some may be gone.
    s.detail["filesTotal"] =
        std::max(static_cast<std::int64_t>(s.files.size()), int_or(s.detail, "filesTotal", 0));
    s.detail["bytesTotal"] = std::max(total, int_or(s.detail, "bytesTotal", 0));
  }
  CASTIEL_TRY(s.save_run(*tx));
  if (!known) {
    CASTIEL_TRY(s.take(*tx));
    s.queues = {model::queue::kDataRaw};
    CASTIEL_TRY(tx->add_flow_entry(
        s.run.correlation,
        {parts.clock->now(), std::string(kStage), "note", "import", s.run.correlation.str(),
         fmt::format("import of {} files started", s.files.size()),
         static_cast<std::int64_t>(s.files.size())}));
    CASTIEL_TRY(tx->add_audit({parts.clock->now(), "user", "import.started", s.run.correlation.str(),
                               json::serialize(s.detail["paths"])}));
    for (const auto& p : listing.problems) {
      CASTIEL_TRY(s.count(*tx, "filesFailed", 1));
      CASTIEL_TRY(s.problem(*tx, p));
    }
  }
  CASTIEL_TRY(tx->commit());
  return std::unique_ptr<ImportJob>(new ImportJob(std::move(state)));
}

// Reads again up to `cursor`, so that a record whose id came before it is told as a duplicate; pages end
// where they ended.
Result<> go_on_at(FileReader& reader, const connectors::Cursor& cursor) {
  for (connectors::Cursor at; at.offset < cursor.offset;) {
    CASTIEL_ASSIGN(const auto page, reader.next_page());
    if (!page || page->after.offset > cursor.offset) return reader.seek(cursor);
    at = page->after;
  }
  return {};
}

Result<> ImportJob::State::open_next() {
  while (!reader && !content && next_file < files.size()) {
    const auto& file = files[next_file];
    CASTIEL_ASSIGN(const auto sniffed, kind_of(file));
    if (!connectors::is_content(sniffed)) {
      CASTIEL_TRY(open_table(file));
      continue;
    }
    CASTIEL_ASSIGN(const bool published, publish_single_files());
    if (published) return {};
    CASTIEL_TRY(open_content(file, sniffed));
  }
  return {};
}

Result<bool> ImportJob::State::all_told(const storage::Reader& snapshot) const {
  CASTIEL_ASSIGN(const auto ledger, snapshot.ledger(run.correlation));
  std::int64_t told = 0;
  for (const auto& entry : ledger) {
    if (entry.stage == kStage && entry.counter.starts_with("files")) told += entry.value;
  }
  if (!detail.contains("filesUnlisted")) return false;  // recorded by an earlier version
  const auto total = int_or(detail, "filesTotal", 0) + int_or(detail, "filesUnlisted", 0);
  return total > 0 && told >= total;
}

// Opens the table, or records why not and goes on to the next file.
Result<> ImportJob::State::open_table(const connectors::ListedFile& file) {
  connectors::FileOptions file_options;
  file_options.source_map = &source_map;
  file_options.time_zone = options.time_zone;
  file_options.default_currency = options.default_currency;
  auto opened = FileReader::open(*parts.files, file.path, file_options);
  CASTIEL_ASSIGN(auto tx, begin());
  // A resumed run has told of this file before.
  const std::string seen = "file:" + sha256_hex(file.path).substr(0, 24);
  CASTIEL_ASSIGN(const auto known, tx->cursor(run.correlation.str(), seen));
  const bool told = known.has_value();
  CASTIEL_TRY(tx->put_cursor(run.correlation.str(), seen, "1"));
  if (!opened) {
    if (opened.error().cls != ErrorClass::permanent) return std::unexpected(opened.error());
    if (!told) {
      // A text or picture lying beside the exports is passed over; a file that was named, or claims to hold
      // a table, is a problem.
      const bool named = std::ranges::find(options.paths, file.path) != options.paths.end();
      const bool other_kind =
          opened.error().code == "unsupported" && !named && !claims_to_be_a_table(file.path);
      CASTIEL_TRY(count(*tx, other_kind ? "filesSkipped" : "filesFailed", 1));
      CASTIEL_TRY(count(*tx, "bytes", static_cast<std::int64_t>(file.size)));
      if (other_kind) {
        CASTIEL_TRY(
            tx->add_flow_entry(run.correlation, {parts.clock->now(), std::string(kStage), "note", "skipped",
                                                 file.path, "skipped: " + opened.error().describe(), 0}));
      } else {
        CASTIEL_TRY(
            tx->add_problem(run.correlation, {file.path, 0, opened.error().code, opened.error().describe()}));
      }
      CASTIEL_TRY(tx->commit());
    }
    ++next_file;
    return {};
  }
  auto mapping = opened->mapping();
  if (options.integration) mapping.integration = options.integration->str();
  const std::string how = sha256_hex(json::serialize(connectors::to_json(mapping))).substr(0, 16);
  CASTIEL_ASSIGN(const auto before, tx->imported_file(opened->sha256(), how));
  const bool ours = before && before->correlation == run.correlation;
  // Without modification times there is no telling what a second reading would mean, so the same bytes are
  // skipped.
  if (before && before->complete && (ours || (!before->dated && !options.again))) {
    if (!told) {
      CASTIEL_TRY(count(*tx, "filesSkipped", 1));
      CASTIEL_TRY(count(*tx, "bytes", static_cast<std::int64_t>(file.size)));
      CASTIEL_TRY(tx->add_flow_entry(
          run.correlation, {parts.clock->now(), std::string(kStage), "note", mapping.entity, file.path,
                            "skipped: these bytes were imported before", before->records}));
      CASTIEL_TRY(tx->commit());
    }
    ++next_file;
    return {};
  }
  progress = {
      opened->sha256(), how, run.correlation, false, mapping.column_for("modifiedAt") != nullptr, "", 0};
  progress_bytes = 0;
  if (ours) {
    progress = *before;
    const auto place = parse_json(before->cursor);
    if (place && place->is_object()) {
      const auto& o = place->get_object();
      const connectors::Cursor cursor{static_cast<std::uint64_t>(int_or(o, "offset", 0)),
                                      static_cast<std::uint64_t>(int_or(o, "line", 1)),
                                      static_cast<std::uint64_t>(int_or(o, "records", 0))};
      CASTIEL_TRY(go_on_at(*opened, cursor));
      progress_bytes = static_cast<std::uint64_t>(int_or(o, "bytes", 0));
    }
  }
  if (!told) {
    json::array notes;
    for (const auto& note : opened->recognition().notes) notes.push_back(json::value(note));
    // A step that failed after this point told of the file already, in memory.
    auto& understood = detail["understood"].get_array();
    const auto told_before = std::ranges::find_if(
        understood, [&](const json::value& u) { return string_or(u.get_object(), "file") == file.path; });
    if (told_before != understood.end()) understood.erase(told_before);
    understood.push_back({{"file", file.path},
                          {"entity", mapping.entity},
                          {"integration", mapping.integration},
                          {"confidence", opened->recognition().confidence},
                          {"why", opened->recognition().why},
                          {"columns", columns_json(mapping)},
                          {"notes", std::move(notes)}});
    CASTIEL_TRY(save_run(*tx));
    CASTIEL_TRY(tx->commit());
  }
  reader = std::move(*opened);
  return {};
}

Result<> ImportJob::State::bury_lost(storage::Transaction& tx, const connectors::Problem& p) {
  storage::DeadLetter letter;
  letter.id = parts.ids->next();
  letter.tenant = tenant;
  letter.queue = model::queue::kDataRaw;
  letter.type = model::event::kDataRaw;
  letter.at = parts.clock->now();
  letter.code = p.code;
  letter.message = p.message;
  letter.pointer = fmt::format("{}:{}", p.file, p.line);
  letter.correlation = run.correlation;
  letter.payload = p.source;
  letter.errors = {{letter.at, p.code, p.message}};
  letter.signature = messaging::signature_of(p.code, p.message, "");
  CASTIEL_TRY(tx.put_dead_letter(letter));
  CASTIEL_TRY(count(tx, "dead", 1));
  return count(tx, "read", 1);
}

// What a page tells besides its records.
Result<> ImportJob::State::note_page(storage::Transaction& tx, const connectors::RawPage& page) {
  for (const auto& p : page.problems) {
    CASTIEL_TRY(problem(tx, p));
    if (p.record_lost) CASTIEL_TRY(bury_lost(tx, p));
  }
  CASTIEL_TRY(count(tx, "bytes", static_cast<std::int64_t>(page.bytes_read - progress_bytes)));
  progress_bytes = page.bytes_read;
  progress.cursor = json::serialize(json::object{{"offset", page.after.offset},
                                                 {"line", page.after.line},
                                                 {"records", page.after.records},
                                                 {"bytes", page.bytes_read}});
  return {};
}

// The records of pages of one file, those of one lane together, in pages that are about equally large.
Result<> ImportJob::State::publish_records(storage::Transaction& tx,
                                           std::span<const connectors::RawPage> pages) {
  std::array<std::vector<const connectors::RawRecord*>, kLanesOfSource> lanes;
  for (const auto& page : pages) {
    for (const auto& r : page.records) lanes[static_cast<std::size_t>(part_of_source(r.key))].push_back(&r);
  }
  for (std::size_t part = 0; part < lanes.size(); ++part) {
    const std::span records = lanes[part];
    const std::size_t most = std::max<std::size_t>(1, options.page_records);
    const std::size_t messages = (records.size() + most - 1) / most;
    for (std::size_t from = 0; from < records.size();) {
      const std::size_t share = (records.size() + messages - 1) / messages;
      std::size_t to = from, bytes = 0;
      while (to < records.size() && to - from < share && (to == from || bytes < options.page_bytes))
        bytes += records[to++]->source.size();
      CASTIEL_TRY(publish_page(tx, pages.front(), static_cast<int>(part), records.subspan(from, to - from)));
      from = to;
    }
  }
  return {};
}

Result<> ImportJob::State::publish_page(storage::Transaction& tx, const connectors::RawPage& page, int part,
                                        std::span<const connectors::RawRecord* const> page_records) {
  auto mapping = reader->mapping();
  if (options.integration) mapping.integration = options.integration->str();
  json::object format{{"kind", connectors::to_string(page.format)}};
  if (page.format == connectors::SourceFormat::csv) format["dialect"] = content::to_json(page.dialect);
  format["encoding"] = content::to_string(reader->encoding());
  json::array records;
  records.reserve(page_records.size());
  for (const auto* r : page_records) {
    json::object record{{"key", r->key}, {"line", static_cast<std::int64_t>(r->line)}, {"source", r->source}};
    records.push_back(std::move(record));
  }
  const int n = static_cast<int>(records.size());
  json::object data{{"integrationId", mapping.integration},    {"entityType", mapping.entity},
                    {"importId", run.correlation.str()},       {"format", std::move(format)},
                    {"mapping", connectors::to_json(mapping)}, {"file", reader->path()},
                    {"observedAt", to_string(run.started_at)}, {"records", std::move(records)}};
  if (options.again) data["force"] = true;
  const int lane = (lane_of(tenant, mapping.integration, mapping.entity) + part) % kLanes;
  CASTIEL_ASSIGN(
      [[maybe_unused]] const auto id,
      parts.publisher->publish(tx, kStage, {run.correlation, {}},
                               {model::event::kDataRaw, mapping.entity, std::move(data), lane, n}));
  CASTIEL_TRY(count(tx, "read", n));
  progress.records += n;
  return {};
}

Result<> ImportJob::State::publish_pages() {
  // Pages are read before the writer is taken.
  std::vector<connectors::RawPage> pages;
  bool end = false;
  std::optional<Error> failed;  // the file changed, or cannot be read on: what came before counts
  for (int i = 0; i < kPagesAtOnce && !end; ++i) {
    auto page = reader->next_page(options.page_records, options.page_bytes);
    if (!page && page.error().cls != ErrorClass::permanent) return std::unexpected(page.error());
    if (!page) failed = page.error();
    end = !page || !*page;
    if (!end) pages.push_back(std::move(**page));
  }
  CASTIEL_ASSIGN(auto tx, begin());
  for (const auto& page : pages) CASTIEL_TRY(note_page(*tx, page));
  CASTIEL_TRY(publish_records(*tx, pages));
  if (end) {
    progress.complete = !failed;
    if (failed)
      CASTIEL_TRY(tx->add_problem(run.correlation, {reader->path(), 0, failed->code, failed->describe()}));
    for (auto& told : detail["understood"].get_array()) {
      if (string_or(told.get_object(), "file") == reader->path())
        told.get_object()["records"] = progress.records;
    }
    CASTIEL_TRY(save_run(*tx));
    CASTIEL_TRY(count(*tx, failed ? "filesFailed" : "filesRead", 1));
    CASTIEL_TRY(count(*tx, "bytes",
                      static_cast<std::int64_t>(reader->size() - std::min(reader->size(), progress_bytes))));
  }
  CASTIEL_TRY(tx->put_imported_file(progress));
  CASTIEL_TRY(tx->commit());
  if (end) {
    reader.reset();
    ++next_file;
  }
  return {};
}

Result<> ImportJob::State::announce() {
  CASTIEL_ASSIGN(auto tx, begin());
  // An announcement whose commit was in doubt may have been kept.
  CASTIEL_ASSIGN(const auto stored, tx->import_run(run.correlation));
  const auto stored_detail = stored ? parse_json(stored->detail) : parse_json("{}");
  if (stored_detail && stored_detail->is_object() &&
      bool_or(stored_detail->get_object(), "announced", false)) {
    announced = true;
    return {};
  }
  CASTIEL_ASSIGN(const auto ledger, tx->ledger(run.correlation));
  std::int64_t records = 0;
  for (const auto& entry : ledger) {
    if (entry.stage == kStage && entry.counter == "read") records = entry.value;
  }
  json::object data{
      {"importId", run.correlation.str()}, {"files", int_or(detail, "filesTotal", 0)}, {"records", records}};
  CASTIEL_ASSIGN(
      [[maybe_unused]] const auto id,
      parts.publisher->publish(*tx, kStage, {run.correlation, {}},
                               {model::event::kImportRead, run.correlation.str(), std::move(data), 0, 0}));
  detail["announced"] = true;
  CASTIEL_TRY(save_run(*tx));
  CASTIEL_TRY(tx->commit());
  announced = true;
  return {};
}

Result<ImportJob::Progress> ImportJob::step() {
  auto& s = *state_;
  CASTIEL_ASSIGN(const bool ours, s.own());
  if (!ours) return s.over ? Progress::all_read : Progress::elsewhere;
  auto done = s.step();
  if (done) return done;
  if (done.error().code == "lease_lost") {
    s.let_go();
    return Progress::elsewhere;
  }
  // A page that could not be committed is read again from the last place that was.
  s.reader.reset();
  s.content.reset();
  return done;
}

// FLOWCTL-3: the event of a source that pauses or goes on; it stands in the import's trace.
Result<> ImportJob::State::tell_pause(const std::optional<messaging::FlowPause>& now) {
  if (now.has_value() == paused.has_value()) return {};
  const auto& about = now ? *now : *paused;
  const std::string_view what = now ? "paused" : "resumed";
  CASTIEL_ASSIGN(auto tx, begin());
  json::object data{{"state", what}, {"queue", about.queue}, {"importId", run.correlation.str()}};
  if (now) data["messages"] = about.depth;
  CASTIEL_ASSIGN([[maybe_unused]] const auto id,
                 parts.publisher->publish(*tx, kStage, {run.correlation, {}},
                                          {model::event::kFlowControl, about.queue, std::move(data), 0, 0}));
  CASTIEL_TRY(tx->add_flow_entry(
      run.correlation, {parts.clock->now(), std::string(kStage), "note", "flow", about.queue,
                        now ? fmt::format("reading paused: {} messages wait in {}", about.depth, about.queue)
                            : fmt::format("reading goes on: {} is short enough", about.queue),
                        0}));
  CASTIEL_TRY(tx->commit());
  paused = now;
  return {};
}

Result<ImportJob::Progress> ImportJob::State::step() {
  if (parts.paused) {
    const auto now = parts.paused();
    CASTIEL_TRY(tell_pause(now));
    if (now) return Progress::waiting;
  }
  {
    CASTIEL_ASSIGN(const auto snapshot, parts.store->read(tenant));
    // Only the pages themselves hold the reader back: the stages after them wait for its end.
    CASTIEL_ASSIGN(const auto left, pending(*snapshot));
    waiting = left > (waiting ? kFewPending : kMostPending);
  }
  if (waiting) return Progress::waiting;
  CASTIEL_TRY(open_next());
  if (reader) {
    CASTIEL_TRY(publish_pages());
    return Progress::more;
  }
  if (content) {
    CASTIEL_TRY(publish_content_pages());
    return Progress::more;
  }
  if (next_file < files.size()) return Progress::more;
  if (!announced) CASTIEL_TRY(announce());
  return Progress::all_read;
}

Result<bool> ImportJob::finish_if_idle() {
  auto& s = *state_;
  CASTIEL_ASSIGN(const bool ours, s.own());
  if (!ours) return s.over;
  if (!s.announced) {  // it came back from a process that had not read all
    CASTIEL_TRY(step());
    return false;
  }
  CASTIEL_ASSIGN(auto reader, s.parts.store->read(s.tenant));
  CASTIEL_ASSIGN(const auto pending, reader->pending(s.run.correlation));
  if (pending > 0) return false;
  reader.reset();
  auto ended = s.end("done");
  if (ended) return true;
  // It may have ended all the same, which gives the lease back: whose it is, and whether it is over, is asked
  // anew.
  s.let_go();
  if (ended.error().code == "lease_lost") return false;
  return std::unexpected(std::move(ended.error()));
}

// The last write of the run, which gives it back.
Result<> ImportJob::State::end(std::string_view status, const std::optional<Error>& error) {
  CASTIEL_ASSIGN(auto tx, begin());
  auto ended = run;
  ended.status = status;
  ended.finished_at = parts.clock->now();
  if (error) {
    detail["error"] = json::object{{"code", error->code}, {"message", error->describe()}};
    CASTIEL_TRY(tx->add_problem(run.correlation, {"", 0, error->code, error->describe()}));
  }
  ended.detail = json::serialize(detail);
  CASTIEL_TRY(tx->put_import_run(ended));
  CASTIEL_TRY(tx->give_back_lease(*lease));
  CASTIEL_TRY(tx->commit());
  run = std::move(ended);
  over = true;
  let_go();
  return {};
}

Result<> ImportJob::fail(const Error& error) {
  return state_->end("failed", error);
}

}  // namespace castiel::sync
