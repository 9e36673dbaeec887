#pragma once
// The store in a PostgreSQL database, for several processes: the same interface and behaviour as the embedded
// one. Each transaction works as a role that row-level security confines to one tenant. Safe behind a
// transaction pooler. Owner: who opened it, one a process. Threads: all calls may come from any thread.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "storage/blob_references.hpp"
#include "storage/outbox.hpp"
#include "storage/store.hpp"

namespace castiel::storage {

class PostgresStore final : public Store, public BlobReferences {
 public:
  struct Options {
    Secret url;  // postgresql://user:password@host:port/database?sslmode=…
    int connections = 50;
    Duration connection_wait = std::chrono::seconds(10);  // for one of them to be free
    Duration connect = std::chrono::seconds(3);
    Duration statement = std::chrono::seconds(5);
    Duration transaction = std::chrono::seconds(10);
    Duration migration = std::chrono::minutes(5);  // waiting for another process's included
  };

  // Connects and brings the schema up to date; of several processes at once one does it. Errors: invalid_url,
  // store_unreachable (transient), store_denied, store_unsafe (the role of the tenants' rows could see all of
  // them), store_too_new (the schema was made by a later version).
  static Result<std::unique_ptr<PostgresStore>> open(Options options, const Clock& clock);
  ~PostgresStore() override;

  // Readers are REPEATABLE READ snapshots; transactions are READ COMMITTED, for what they wait for (a parked
  // key, a name another one makes) has to be seen when the wait is over, and what was read before is checked
  // by its version.
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

  // Tables that hold a tenant's rows, by the names erase_tenant reports.
  static std::vector<std::string> tenant_tables();
  // Where the database is, without user and password: "postgresql://host:5432/database".
  static std::string place(const Secret& url);

 private:
  struct Impl;
  explicit PostgresStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::storage
