#pragma once
// The embedded store: one SQLite file in WAL mode with synchronous=full. One writer at a time; transactions
// that wait for each other are committed as a group with a single sync. Readers see snapshots and never wait.
// Threads: all calls may come from any thread.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "storage/blob_references.hpp"
#include "storage/sqlite/queue_rows.hpp"
#include "storage/store.hpp"

namespace castiel::storage {

// Called around the store's calls with the call's name; an error it returns becomes the call's. The simulated
// world injects its faults here; without one nothing is called.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual Result<> before(std::string_view call) = 0;
  virtual Result<> after(std::string_view call) = 0;
};

class SqliteStore final : public Store, public BlobReferences {
 public:
  enum class PublishTo { queues, outbox };
  struct Options {
    std::string path;  // the database file; its folder must exist
    PublishTo publish_to =
        PublishTo::queues;  // what waits on the other one moves over when the file is opened
    bool sync =
        true;  // false only where a crash of the machine does not matter: tests, benchmarks of that cost
    std::size_t cache_bytes = 32u << 20;  // page cache of the writer; a quarter of it for each reader
    int group_limit = 32;                 // transactions committed with one sync, at most
    CallObserver* observer = nullptr;
  };

  // Opens or creates the file and brings its schema up to date. Errors: store_unreadable, store_corrupt,
  // store_too_new (written by a later version).
  static Result<std::unique_ptr<SqliteStore>> open(Options options, const Clock& clock);
  ~SqliteStore() override;

  Result<std::unique_ptr<Reader>> read(const TenantId& tenant) override;
  Result<std::unique_ptr<Transaction>> begin(const TenantId& tenant, Deadline deadline) override;
  Result<> create_tenant(const TenantId& tenant, Deadline deadline) override;
  Result<bool> tenant_exists(const TenantId& tenant) override;
  Result<std::vector<std::pair<std::string, std::int64_t>>> erase_tenant(const TenantId& tenant,
                                                                         Deadline deadline) override;
  Result<std::unique_ptr<OperatorView>> operator_view() override;
  Outbox& outbox() override;
  Result<Timestamp> each_blob_reference(const TenantId& tenant,
                                        const std::function<void(std::string_view sha256)>& visit) override;

  // The rows of the embedded broker, which lives in this file.
  QueueRows& queue_rows();
  // Tables that hold a tenant's rows, by the names erase_tenant reports.
  static std::vector<std::string> tenant_tables();

 private:
  struct Impl;
  explicit SqliteStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::storage
