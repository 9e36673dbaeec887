#pragma once
// The composition root: the whole program on one data folder, built top to bottom. Everything else gets its
// parts from here. One owner; open, start and stop from one thread.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/services.hpp"
#include "base/settings.hpp"
#include "connectors/files/file_system.hpp"
#include "intelligence/deal_book.hpp"
#include "messaging/broker.hpp"
#include "messaging/worker_pool.hpp"
#include "storage/data_folder.hpp"
#include "storage/store.hpp"
#include "sync/import_service.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"
#include "tenancy/tenant_settings.hpp"

namespace castiel::app {

// Which parts of the work a process does. The API is served by `castiel serve` with role api or all.
struct Roles {
  bool api = true, sync = true, processing = true, linking = true, intelligence = true;
  bool indexing = true;  // with processing: the texts for the search; no name of its own
};
// "all" or a comma-separated list of the names above. Error invalid_role.
Result<Roles> parse_roles(std::string_view text);

class Program {
 public:
  struct Options {
    std::filesystem::path data;
    SettingValues settings;
    telemetry::Log log;
    bool create = true;  // false: error no_data_folder when there is none yet
    Roles roles;
    std::filesystem::path programs;  // the folder of this program, where castiel-extract lies too
  };

  // Takes the data folder and opens store and broker. Errors: data_folder_in_use, data_folder_unusable,
  // no_data_folder, broker_needed (a store of several processes with the embedded broker), and the store's.
  static Result<std::unique_ptr<Program>> open(Options options, const Clock& clock, Random& random);
  ~Program();

  // Where the broker is another process: what is published goes there from now on. Until then it stays in the
  // outbox.
  void start_relay();
  // And the relay.
  void start_workers();
  // Running steps finish; what is queued stays queued.
  void stop_workers();
  // The error that keeps the workers from handling anything, or what is published from reaching the broker,
  // if there is one.
  std::optional<Error> stuck() const;
  // Imports in the background, for a server; takes up those an earlier process left.
  Result<> start_imports();
  // Removes what was kept for long enough, now and then on a thread of its own, for a server.
  void start_retention();
  // Reconciles each tenant once a day (setting reconcile.every), on a thread of its own, for a server.
  void start_reconciliation();

  storage::Store& store();
  messaging::Broker& broker();
  const SettingValues& settings() const;
  tenancy::TenantSettings& tenant_settings();
  telemetry::Metrics& metrics();
  telemetry::Log& log();
  api::Services& services();
  sync::ImportParts import_parts();
  sync::ImportOptions import_defaults(const storage::Reader& reader) const;
  IdGenerator& ids();
  const Clock& clock() const;

 private:
  struct Parts;
  explicit Program(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace castiel::app
