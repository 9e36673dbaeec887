#include <algorithm>
#include <map>

#include "base/digest.hpp"
#include "model/entity.hpp"
#include "sync/impl/import_state.hpp"

namespace castiel::sync {

namespace {

using connectors::ContentPage;
using connectors::ContentReader;
using connectors::ContentRecord;

constexpr std::size_t kFilesAtOnce = 50;                 // single-record files published with one commit
constexpr std::uint64_t kBytesAtOnce = 4 << 20;          // of such files
constexpr std::uint64_t kSmallMailboxBytes = 256 << 10;  // read like one: many programs keep a mail so
constexpr std::size_t kDocumentsPerPage = 20;            // a page of documents may take long to extract

// How an import remembers that it has told of a file.
std::string told_key(const std::string& path) {
  return "file:" + sha256_hex(path).substr(0, 24);
}

// All of a file that is read in one piece.
Result<ContentPage> whole_of(ContentReader& reader, std::size_t max_records, std::size_t max_bytes) {
  ContentPage whole;
  for (;;) {
    CASTIEL_ASSIGN(auto page, reader.next_page(max_records, max_bytes));
    if (!page) return whole;
    std::ranges::move(page->records, std::back_inserter(whole.records));
    std::ranges::move(page->problems, std::back_inserter(whole.problems));
    if (reader.is_single()) return whole;
  }
}

// Another way of reading is another import, see storage::ImportedFile.
std::string how_read(const content::Sniffed& sniffed) {
  return "content:" + std::string(content::to_string(sniffed.kind));
}

struct EventKind {
  std::string_view entity;
  std::string_view queue;
};
EventKind kind_of_event(std::string_view event) {
  if (event == model::event::kEmailReceived) return {model::type::kEmail, model::queue::kCommunications};
  if (event == model::event::kMessageReceived) return {model::type::kMessage, model::queue::kCommunications};
  if (event == model::event::kMeetingCompleted) return {model::type::kMeeting, model::queue::kMeetings};
  if (event == model::event::kEventCreated) return {model::type::kEvent, model::queue::kEvents};
  return {model::type::kDocument, model::queue::kDocuments};
}

}  // namespace

Result<content::Sniffed> ImportJob::State::kind_of(const connectors::ListedFile& file) const {
  if (source_map.find(file.path) != nullptr) return content::Sniffed{content::FileKind::table, "", ""};
  auto sniffed = connectors::sniff_file(*parts.files, file.path);
  // What cannot be read is told by whoever opens it.
  if (!sniffed && sniffed.error().cls == ErrorClass::permanent) return content::Sniffed{};
  return sniffed;
}

Result<bool> ImportJob::State::is_told(const storage::Reader& snapshot, const std::string& path) const {
  CASTIEL_ASSIGN(const auto known, snapshot.cursor(run.correlation.str(), told_key(path)));
  return known.has_value();
}

Result<> ImportJob::State::tell(storage::Transaction& tx, const std::string& path) {
  return tx.put_cursor(run.correlation.str(), told_key(path), "1");
}

connectors::ContentParts ImportJob::State::content_parts() const {
  return {parts.files, parts.extractor, parts.blobs, parts.clock, tenant, parts.max_inline_record_bytes};
}

Result<std::int64_t> ImportJob::State::pending(const storage::Reader& snapshot) const {
  std::int64_t sum = 0;
  for (const auto queue : queues) {
    CASTIEL_ASSIGN(const auto some, snapshot.pending(run.correlation, queue));
    sum += some;
  }
  return sum;
}

// A file that could not be read, or needs no reading. Told once, also over restarts.
Result<> ImportJob::State::pass_over(storage::Transaction& tx, const connectors::ListedFile& file,
                                     const std::optional<Error>& error, std::int64_t records) {
  CASTIEL_ASSIGN(const bool told, is_told(tx, file.path));
  if (told) return {};
  CASTIEL_TRY(tell(tx, file.path));
  CASTIEL_TRY(count(tx, error ? "filesFailed" : "filesSkipped", 1));
  CASTIEL_TRY(count(tx, "bytes", static_cast<std::int64_t>(file.size)));
  if (error) return tx.add_problem(run.correlation, {file.path, 0, error->code, error->describe()});
  return tx.add_flow_entry(run.correlation,
                           {parts.clock->now(), std::string(kStage), "note", "content", file.path,
                            "skipped: these bytes were imported before", records});
}

Result<bool> ImportJob::State::publish_single_files() {
  struct Read {
    const connectors::ListedFile* file;
    std::optional<Error> error;
    std::int64_t known_records = -1;  // of a file whose bytes were imported before
    std::string sha256, how;
    std::int64_t records = 0;
    std::vector<connectors::Problem> problems;
  };
  std::vector<Read> taken;
  std::vector<ContentRecord> records;
  std::uint64_t bytes = 0;
  CASTIEL_ASSIGN(const auto snapshot, parts.store->read(tenant));
  for (std::size_t i = next_file; i < files.size() && taken.size() < kFilesAtOnce && bytes < kBytesAtOnce;
       ++i) {
    CASTIEL_ASSIGN(auto sniffed, kind_of(files[i]));
    if (!connectors::is_content(sniffed)) break;
    const bool small = sniffed.kind == content::FileKind::mailbox && files[i].size <= kSmallMailboxBytes;
    auto opened = ContentReader::open(content_parts(), files[i], std::move(sniffed));
    if (!opened && opened.error().cls != ErrorClass::permanent) return std::unexpected(opened.error());
    if (opened && !opened->is_single()) {
      if (!small) break;
      // One that was begun page by page ends so.
      CASTIEL_ASSIGN(const auto before,
                     snapshot->imported_file(opened->sha256(), how_read(opened->sniffed())));
      if (before && !before->complete) break;
    }
    auto& read = taken.emplace_back(Read{&files[i], {}, -1, "", "", 0, {}});
    bytes += files[i].size;
    if (!opened) {
      read.error = opened.error();
      continue;
    }
    read.sha256 = opened->sha256();
    read.how = how_read(opened->sniffed());
    CASTIEL_ASSIGN(const auto before, snapshot->imported_file(read.sha256, read.how));
    const auto twin = std::ranges::find_if(
        taken, [&](const Read& r) { return r.sha256 == read.sha256 && r.how == read.how; });
    if ((before && before->complete && (before->correlation == run.correlation || !options.again)) ||
        &*twin != &read) {
      read.known_records = before ? before->records : twin->records;
      continue;
    }
    auto page = whole_of(*opened, options.page_records, options.page_bytes);
    if (!page && page.error().cls != ErrorClass::permanent) return std::unexpected(page.error());
    if (!page) {
      read.error = page.error();
      continue;
    }
    read.records = static_cast<std::int64_t>(page->records.size());
    read.problems = std::move(page->problems);
    for (auto& record : page->records) {
      record.record["file"] = files[i].path;
      records.push_back(std::move(record));
    }
  }
  if (taken.empty()) return false;
  CASTIEL_ASSIGN(auto tx, begin());
  for (const auto& read : taken) {
    if (read.error || read.known_records >= 0) {
      CASTIEL_TRY(pass_over(*tx, *read.file, read.error, read.known_records));
      continue;
    }
    CASTIEL_TRY(tell(*tx, read.file->path));
    for (const auto& p : read.problems) {
      CASTIEL_TRY(problem(*tx, p));
      if (p.record_lost) CASTIEL_TRY(bury_lost(*tx, p));
    }
    CASTIEL_TRY(count(*tx, "filesRead", 1));
    CASTIEL_TRY(count(*tx, "bytes", static_cast<std::int64_t>(read.file->size)));
    CASTIEL_TRY(
        tx->put_imported_file({read.sha256, read.how, run.correlation, true, false, "", read.records}));
  }
  CASTIEL_TRY(publish_records(*tx, std::move(records)));
  CASTIEL_TRY(tx->commit());
  next_file += taken.size();
  return true;
}

Result<> ImportJob::State::open_content(const connectors::ListedFile& file, content::Sniffed sniffed) {
  auto opened = ContentReader::open(content_parts(), file, std::move(sniffed));
  if (!opened && opened.error().cls != ErrorClass::permanent) return std::unexpected(opened.error());
  std::optional<storage::ImportedFile> before;
  std::optional<Error> error;
  if (!opened) {
    error = opened.error();
  } else {
    CASTIEL_ASSIGN(const auto snapshot, parts.store->read(tenant));
    CASTIEL_ASSIGN(before, snapshot->imported_file(opened->sha256(), how_read(opened->sniffed())));
  }
  const bool ours = before && before->correlation == run.correlation;
  if (error || (before && before->complete && (ours || !options.again))) {
    CASTIEL_ASSIGN(auto tx, begin());
    CASTIEL_TRY(pass_over(*tx, file, error, before ? before->records : 0));
    CASTIEL_TRY(tx->commit());
    ++next_file;
    return {};
  }
  progress = {opened->sha256(), how_read(opened->sniffed()), run.correlation, false, false, "", 0};
  progress_bytes = 0;
  if (ours) {
    progress = *before;
    if (const auto place = parse_json(before->cursor); place && place->is_object()) {
      const auto& o = place->get_object();
      CASTIEL_TRY(opened->seek({static_cast<std::uint64_t>(int_or(o, "offset", 0)), 1,
                                static_cast<std::uint64_t>(int_or(o, "records", 0))}));
      progress_bytes = static_cast<std::uint64_t>(int_or(o, "bytes", 0));
    }
  }
  content = std::move(*opened);
  return {};
}

Result<> ImportJob::State::publish_content_pages() {
  // A page is read before the writer is taken.
  auto page = content->next_page(options.page_records, options.page_bytes);
  if (!page && page.error().cls != ErrorClass::permanent) return std::unexpected(page.error());
  CASTIEL_ASSIGN(auto tx, begin());
  if (!page) {
    // A mailbox fails where it changed or cannot be read on, a calendar or chat export before its first page.
    // What was read of it is counted already.
    CASTIEL_TRY(count(*tx, "bytes", -static_cast<std::int64_t>(progress_bytes)));
    CASTIEL_TRY(pass_over(*tx, files[next_file], page.error(), 0));
  } else if (!*page) {
    CASTIEL_TRY(tell(*tx, content->path()));
    progress.complete = true;
    CASTIEL_TRY(count(*tx, "filesRead", 1));
    CASTIEL_TRY(
        count(*tx, "bytes",
              static_cast<std::int64_t>(content->size() - std::min(content->size(), progress_bytes))));
    CASTIEL_TRY(tx->put_imported_file(progress));
  } else {
    auto& read = **page;
    for (const auto& p : read.problems) {
      CASTIEL_TRY(problem(*tx, p));
      if (p.record_lost) CASTIEL_TRY(bury_lost(*tx, p));
    }
    for (auto& record : read.records) record.record["file"] = content->path();
    progress.records += static_cast<std::int64_t>(read.records.size());
    CASTIEL_TRY(publish_records(*tx, std::move(read.records)));
    CASTIEL_TRY(
        count(*tx, "bytes",
              static_cast<std::int64_t>(read.bytes_read - std::min(read.bytes_read, progress_bytes))));
    progress_bytes = read.bytes_read;
    progress.cursor = json::serialize(json::object{
        {"offset", read.after.offset}, {"records", read.after.records}, {"bytes", read.bytes_read}});
    CASTIEL_TRY(tx->put_imported_file(progress));
  }
  CASTIEL_TRY(tx->commit());
  if (!page || !*page) {
    content.reset();
    ++next_file;
  }
  return {};
}

// In pages of one kind each.
Result<> ImportJob::State::publish_records(storage::Transaction& tx, std::vector<ContentRecord> records) {
  std::map<std::string_view, std::vector<json::object>> by_event;
  for (auto& r : records) by_event[r.event].push_back(std::move(r.record));
  for (auto& [event, list] : by_event) {
    const auto kind = kind_of_event(event);
    const std::size_t most =
        event == model::event::kDocumentDetected ? kDocumentsPerPage : options.page_records;
    for (std::size_t first = 0; first < list.size();) {
      json::array page;
      std::size_t bytes = 0;
      for (; first < list.size() && page.size() < most && (page.empty() || bytes < options.page_bytes);
           ++first) {
        bytes += json::serialize(list[first]).size();
        page.push_back(std::move(list[first]));
      }
      const int n = static_cast<int>(page.size());
      json::object data{{"integrationId", integration()},
                        {"importId", run.correlation.str()},
                        {"observedAt", to_string(run.started_at)},
                        {"records", std::move(page)}};
      if (options.again) data["force"] = true;
      CASTIEL_ASSIGN([[maybe_unused]] const auto id,
                     parts.publisher->publish(tx, kStage, {run.correlation, {}},
                                              {event, kind.entity, std::move(data),
                                               messaging::lane_of(tenant, integration(), kind.entity), n}));
      CASTIEL_TRY(count(tx, "read", n));
      queues.insert(kind.queue);
    }
  }
  return {};
}

}  // namespace castiel::sync
