#pragma once
// One import of export files into a tenant: reads them page by page and publishes each page with the place to
// go on from in one transaction (SYNC-2), so that a crash loses nothing and a second start continues. The
// stages do the rest; the job is finished when its flow is idle.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "connectors/files/file_source.hpp"
#include "extract/extractor.hpp"
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
};

// One thread at a time. Blocks on disk.
class ImportJob {
 public:
  // Lists the files and records the run. An unfinished run of the same paths is taken up again under its own
  // correlation id. Errors: invalid_source_map, unreadable (nothing of the paths can be read).
  static Result<std::unique_ptr<ImportJob>> start(ImportParts parts, TenantId tenant, ImportOptions options);
  ~ImportJob();

  const CorrelationId& correlation() const;
  const TenantId& tenant() const;
  // An earlier job of the run may have published a part of it.
  bool taken_up() const;

  enum class Progress { more, waiting, all_read };
  // Publishes the next pages; `waiting` when the stages are so far behind that reading on would only fill the
  // disk.
  Result<Progress> step();
  // True once everything the import set off is handled; then the run is recorded as done.
  Result<bool> finish_if_idle();
  // Records the run as failed; what was published goes on.
  Result<> fail(const Error& error);

 private:
  struct State;
  explicit ImportJob(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What import runs look like from outside: the HTTP contract's import object, and the last line of `import
// --json`. Error not_found.
Result<json::object> import_status(const storage::Reader& reader, const CorrelationId& correlation,
                                   Timestamp now);
Result<json::object> import_summary(const storage::Reader& reader, const CorrelationId& correlation);

}  // namespace castiel::sync
