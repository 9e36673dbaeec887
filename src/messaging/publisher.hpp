#pragma once
// How an event gets from a stage into the transaction of its step: checked against its schema, serialised,
// published.

#include "base/random.hpp"
#include "messaging/event.hpp"
#include "messaging/schema_registry.hpp"
#include "storage/store.hpp"

namespace castiel::messaging {

// Messages of one source's entity type share a lane, so that a page is never overtaken by the next (FLOW-9).
inline constexpr int kLanes = 8;
int lane_of(const TenantId& tenant, std::string_view integration, std::string_view entity_type);
// Raw records go by their key to one of several lanes of their source, so that a large source does not keep
// just one worker busy; those of one key, in either form of a Salesforce id, share a lane.
inline constexpr int kLanesOfSource = 2;
int part_of_source(std::string_view record_key);

// What travels with every event that another event or a user's action caused.
struct Cause {
  CorrelationId correlation;
  std::string traceparent;
  int tries = 0;  // failed tries so far
};

struct Publication {
  std::string_view type;     // model::event
  std::string_view subject;  // what it is about, may be empty
  json::value data;          // an object; `tenantId` is added
  int lane = 0;
  int records = 1;
};

// Stateless but for the id generator; any thread, one transaction at a time.
class Publisher {
 public:
  Publisher(const SchemaRegistry& schemas, const Clock& clock, IdGenerator& ids)
      : schemas_(&schemas), clock_(&clock), ids_(&ids) {}
  // Errors: schema_violation (a bug of the producer): names the JSON pointer; message_too_large. `stage` is
  // counted in the ledger.
  Result<std::string> publish(storage::Transaction& tx, std::string_view stage, const Cause& cause,
                              Publication publication) const;

 private:
  const SchemaRegistry* schemas_;
  const Clock* clock_;
  IdGenerator* ids_;
};

// "import-<id>-<time>", "sync-…", "webhook-…" (FLOW-5).
CorrelationId make_correlation(std::string_view kind, Timestamp now, IdGenerator& ids);

}  // namespace castiel::messaging
