#pragma once
// Reconciliation (FLOW-11): what was published against what was mapped, stored and evaluated, for one tenant
// at a time. Names what is missing and asks for it again. Any thread; blocks on the store.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "messaging/broker.hpp"
#include "messaging/publisher.hpp"
#include "storage/store.hpp"

namespace castiel::operations {

// What should follow from a stored shard, and the event that asks for it again.
struct Consequence {
  std::string kind;             // "insight", "text", "links"
  std::string queue;            // that brings it
  std::set<std::string> types;  // of shards
  std::function<Result<bool>(const storage::Reader&, const model::Shard&)> is_there;
  // For shards of one integration and type, at most kShardsPerEvent.
  std::function<messaging::Publication(const TenantId&, std::span<const model::Shard>)> ask;
};

// A queue and the event types it takes; a source queue takes what came from outside.
struct QueueOf {
  std::string queue;
  std::vector<std::string> types;
  bool source = false;
};

struct Missing {
  std::string kind;  // message, shard, or the kind of a consequence
  std::string id;    // of the message or shard
  std::string type;  // event type or shard type
  std::string integration;
  std::string key;    // external id of the shard, where known
  std::string name;   // title of the shard, where known
  std::string queue;  // of a message
  CorrelationId correlation;
  std::string detail;
  std::string repair;  // "": not asked for; republished, refetched, restored by the others, impossible
};

struct IntegrationCounts {
  std::int64_t published = 0;  // records that came from outside
  std::int64_t mapped = 0;
  std::int64_t dead = 0, quarantined = 0;
  std::int64_t stored = 0;     // live shards
  std::int64_t evaluated = 0;  // deals with an evaluation, where one is due
  std::int64_t due = 0;        // deals that should have one
  std::int64_t missing = 0;
};

struct Reconciliation {
  TenantId tenant;
  Timestamp since, at;
  std::map<std::string, IntegrationCounts> integrations;
  std::vector<Missing> missing;               // at most kMaxListed
  std::int64_t drift = 0;                     // how much is missing
  std::map<std::string, std::int64_t> kinds;  // of it, by kind
  std::int64_t waiting = 0;                   // messages that are only not handled yet
  std::int64_t republished = 0, refetched = 0, impossible = 0;
  std::vector<CorrelationId> refetches;  // the flows that bring what was asked for at its source
};

json::object to_json(const Reconciliation& result);

class Reconciler {
 public:
  static constexpr std::size_t kMaxListed = 1'000;
  static constexpr std::size_t kMaxFlows = 10'000;
  static constexpr std::size_t kMaxFlowEntries = 200'000;  // of one flow
  static constexpr std::size_t kShardsPerEvent = 200;

  struct Parts {
    storage::Store* store;
    messaging::Broker* broker;
    const messaging::Publisher* publisher;
    const Clock* clock;
  };
  struct Options {
    std::vector<QueueOf> queues;
    std::vector<Consequence> consequences;
    // Which integration a flow's records belong to, for the counts; may be empty.
    std::function<Result<std::string>(const storage::Reader&, const CorrelationId&)> integration_of;
    // Asks the source of a flow (empty: of the newest ones) for everything again, so that newer data stays.
    // Gives the flow that brings it, nothing where the source cannot be asked.
    std::function<Result<std::optional<CorrelationId>>(const TenantId&, const CorrelationId&)> refetch;
    Duration writer = std::chrono::seconds(10);
  };
  Reconciler(Parts parts, Options options) : parts_(parts), options_(std::move(options)) {}

  // Looks at flows that told something since `since` and at all shards. Errors: unknown_tenant, the store's.
  // With `repair` everything that is missing is asked for again; running it again does nothing twice.
  Result<Reconciliation> run(const TenantId& tenant, Timestamp since, bool repair) const;

 private:
  struct Run;
  Parts parts_;
  Options options_;
};

}  // namespace castiel::operations
