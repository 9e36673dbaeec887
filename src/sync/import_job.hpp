#pragma once
// One import of export files into a tenant: reads them page by page and publishes each page with the place to
// go on from in one transaction (SYNC-2), so that a crash loses nothing and a second start continues. The
// stages do the rest; the job is finished when its flow is idle. Of several processes one at a time reads a
// run: it has the run's lease, and every transaction of the job holds it.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "connectors/files/file_source.hpp"
#include "extract/extractor.hpp"
#include "messaging/flow_control.hpp"
#include "messaging/publisher.hpp"
#include "storage/blobs.hpp"
#include "storage/store.hpp"

namespace castiel::sync {

struct ImportOptions {
  std::vector<std::string> paths;            // files and folders
  std::string source_map;                    // YAML text, may be empty
  std::string source_map_name;               // for its error messages
  std::optional<IntegrationId> integration;  // overrides the recognised one
  bool again = false;                        // read files whose bytes were imported before once more
  std::string time_zone = "UTC";             // the tenant's, for times without a zone
  std::string default_currency;              // the tenant's, may be empty
  std::size_t page_records = connectors::kPageRecords;  // in one message, at most
  std::size_t page_bytes = connectors::kPageBytes;      // of source text in one message, at most
};

struct ImportParts {
  storage::Store* store;
  const messaging::Publisher* publisher;
  connectors::FileSystem* files;
  extract::Extractor* extractor;
  storage::Blobs* blobs;
  const Clock* clock;
  IdGenerator* ids;
  std::size_t max_inline_record_bytes = std::size_t{5} << 20;  // a larger one travels by claim (FLOW-7)
  // Why nothing may be published from sources now, if there is a reason (FLOWCTL-3). Asked before each step.
  std::function<std::optional<messaging::FlowPause>()> paused{};
  std::string owner = "castiel";                   // of the leases: one name a process
  Duration lease_term = std::chrono::seconds(15);  // renewed after a third of it
};

// One thread at a time. Blocks on disk.
class ImportJob {
 public:
  // Lists the files and records the run. An unfinished run of the same paths is taken up again under its own
  // correlation id; where another process has it, the job only watches. Errors: invalid_source_map,
  // unreadable (nothing of the paths can be read).
  static Result<std::unique_ptr<ImportJob>> start(ImportParts parts, TenantId tenant, ImportOptions options);
  // Goes on with a run nobody has, without anybody's asking. Errors: as start; files_missing (transient: this
  // machine does not see all files the run had, so another one may have to read them).
  static Result<std::unique_ptr<ImportJob>> take_up(ImportParts parts, const storage::TenantImport& found);
  ~ImportJob();

  const CorrelationId& correlation() const;
  const TenantId& tenant() const;

  enum class Progress { more, waiting, all_read, elsewhere };
  // Publishes the next pages; `waiting` when the stages are so far behind that reading on would only fill the
  // disk; `elsewhere` while another process has the run. Should that one die, this job goes on from what it
  // committed.
  Result<Progress> step();
  // True once everything the import set off is handled; then the run is recorded as done, here or elsewhere.
  Result<bool> finish_if_idle();
  // Records the run as failed; what was published goes on.
  Result<> fail(const Error& error);
  // Whether the run is this process's, as far as it knows.
  bool held() const;
  // Lets another process go on at once. The job is of no use afterwards.
  Result<> give_back();

 private:
  struct State;
  static Result<std::unique_ptr<ImportJob>> open(ImportParts parts, TenantId tenant, ImportOptions options,
                                                 const std::optional<CorrelationId>& which);
  explicit ImportJob(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The options a run was started with; nothing when they cannot be read.
std::optional<ImportOptions> options_of(const storage::ImportRun& run);

// What import runs look like from outside: the HTTP contract's import object, and the last line of `import
// --json`. Error not_found.
Result<json::object> import_status(const storage::Reader& reader, const CorrelationId& correlation,
                                   Timestamp now);
Result<json::object> import_summary(const storage::Reader& reader, const CorrelationId& correlation);

}  // namespace castiel::sync
