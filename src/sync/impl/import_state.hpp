#pragma once
// What an import job knows and does, shared by its parts: tables here and in import_job.cpp, everything else
// in content_pages.cpp. One thread at a time.

#include <fmt/format.h>

#include <set>

#include "connectors/files/content_source.hpp"
#include "model/event_types.hpp"
#include "sync/import_job.hpp"

namespace castiel::sync {

inline constexpr std::string_view kStage = "files";  // the producer's name in ledger and trace

struct ImportJob::State {
  ImportParts parts;
  TenantId tenant;
  ImportOptions options;
  connectors::SourceMap source_map;
  storage::ImportRun run;
  json::object detail;  // of the run, see start()
  std::vector<connectors::ListedFile> files;
  std::size_t next_file = 0;
  std::optional<connectors::FileReader> reader;               // of a table
  std::optional<connectors::ContentReader> content;           // of anything else that has several pages
  std::set<std::string_view> queues{model::queue::kDataRaw};  // the pages go to
  storage::ImportedFile progress;                             // of the file being read
  std::uint64_t progress_bytes = 0;
  bool waiting = false;
  bool taken_up = false;   // the run is an earlier job's
  bool announced = false;  // integration.import.read is published

  static constexpr auto kWriteDeadline = std::chrono::seconds(10);
  Deadline deadline() const { return Deadline::after(*parts.clock, kWriteDeadline); }
  Result<std::unique_ptr<storage::Transaction>> begin() { return parts.store->begin(tenant, deadline()); }
  Result<> count(storage::Transaction& tx, std::string_view counter, std::int64_t by) {
    return tx.count(run.correlation, kStage, counter, by);
  }
  Result<> problem(storage::Transaction& tx, const connectors::Problem& p) {
    return tx.add_problem(run.correlation, {p.file, static_cast<std::int64_t>(p.line), p.code, p.message});
  }
  Result<> save_run(storage::Transaction& tx) {
    run.detail = json::serialize(detail);
    return tx.put_import_run(run);
  }
  std::string integration() const { return options.integration ? options.integration->str() : "files"; }

  // Opens the next file that has something to read; files that cannot be read or were read before are
  // recorded.
  Result<> open_next();
  Result<> open_table(const connectors::ListedFile& file);
  Result<> publish_pages();
  Result<> publish_page(storage::Transaction& tx, const connectors::RawPage& page);
  Result<> bury_lost(storage::Transaction& tx, const connectors::Problem& p);
  Result<> announce();
  // Whether every file was read, skipped or told to be unreadable.
  Result<bool> all_told(const storage::Reader& snapshot) const;
  Result<std::int64_t> pending(const storage::Reader& snapshot) const;  // pages published and not yet handled

  // content_pages.cpp
  // What a file is, unless the user's source map says it is a table.
  Result<content::Sniffed> kind_of(const connectors::ListedFile& file) const;
  Result<bool> is_told(const storage::Reader& snapshot, const std::string& path) const;
  Result<> tell(storage::Transaction& tx, const std::string& path);
  Result<> pass_over(storage::Transaction& tx, const connectors::ListedFile& file,
                     const std::optional<Error>& error, std::int64_t records);
  connectors::ContentParts content_parts() const;
  // Publishes the next files that are one record each, together. False when the next file is none of them.
  Result<bool> publish_single_files();
  Result<> open_content(const connectors::ListedFile& file, content::Sniffed sniffed);
  Result<> publish_content_pages();
  Result<> publish_records(storage::Transaction& tx, std::vector<connectors::ContentRecord> records);
};

}  // namespace castiel::sync
