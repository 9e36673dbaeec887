#pragma once
// What the operations work with: borrowed from the composition root, which outlives every call. All parts are
// thread-safe.

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "intelligence/deal_book.hpp"
#include "messaging/broker.hpp"
#include "messaging/publisher.hpp"
#include "messaging/rehearsal.hpp"
#include "operations/reconcile.hpp"
#include "storage/blobs.hpp"
#include "storage/store.hpp"
#include "sync/import_service.hpp"
#include "telemetry/metrics.hpp"
#include "tenancy/tenant_settings.hpp"

namespace castiel::api {

class LiveFeed;

// Messages a second of each queue, from the totals seen before: over the last one to ten seconds, 0 at first.
class RateMeter {
 public:
  double rate(const std::string& queue, std::int64_t total, Duration now);

 private:
  struct Sample {
    std::int64_t total = 0;
    Duration at{0};
    double rate = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Sample> samples_;
};

// What the last reconciliations found missing, over all tenants; only tenants with something missing are
// kept.
class DriftBoard {
 public:
  // Gives the sums by kind, with 0 for kinds that were there before.
  std::map<std::string, std::int64_t> note(const TenantId& tenant, std::map<std::string, std::int64_t> kinds);

 private:
  std::mutex mutex_;
  std::map<std::string, std::int64_t> seen_{{"message", 0}, {"shard", 0}};
  std::map<TenantId, std::map<std::string, std::int64_t>> of_;
};

struct Services {
  storage::Store& store;
  messaging::Broker& broker;
  intelligence::DealBook& deals;
  const Clock& clock;
  IdGenerator& ids;
  tenancy::TenantSettings& settings;
  storage::Blobs* blobs = nullptr;  // nothing where there are none to erase with a tenant
  // Nothing in a process that runs no imports in the background: POST /imports is refused there.
  sync::ImportService* imports = nullptr;
  const messaging::Publisher* publisher = nullptr;  // nothing: links cannot be decided about here
  // The tenant's own mail domains, as set.
  std::function<std::vector<std::string>(const storage::Reader&)> mail_domains{};
  const messaging::Rehearsal* rehearsal = nullptr;     // nothing: replays cannot be rehearsed here
  const operations::Reconciler* reconciler = nullptr;  // nothing: no reconciliation here
  telemetry::Metrics* metrics = nullptr;
  LiveFeed* live = nullptr;  // nothing: GET /live is refused
  // The tenant's time zone, currency and the like, as a start for an import's options.
  std::function<sync::ImportOptions(const storage::Reader&)> import_defaults{};
  // Consumers of a queue in this process, for GET /queues.
  std::function<int(std::string_view queue)> consumers{};
  std::function<bool()> started{};  // the store is open and the consumers run
  std::function<bool()> ready{};    // takes work; false while it stops
  std::string version = "0.1.0";
  RateMeter rates{};
  DriftBoard drift{};
};

}  // namespace castiel::api
