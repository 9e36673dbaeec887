#include "messaging/publisher.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"
#include "messaging/broker.hpp"
#include "messaging/letters.hpp"

namespace castiel::messaging {

int lane_of(const TenantId& tenant, std::string_view integration, std::string_view entity_type) {
  return static_cast<int>(stable_hash(fmt::format("{}\n{}\n{}", tenant.str(), integration, entity_type)) %
                          kLanes);
}

int part_of_source(std::string_view record_key) {
  // Salesforce's ids of 18 characters are those of 15 with a checksum behind them.
  if (record_key.size() == 18) record_key = record_key.substr(0, 15);
  return static_cast<int>(stable_hash(record_key) % kLanesOfSource);
}

Result<std::string> Publisher::publish(storage::Transaction& tx, std::string_view stage, const Cause& cause,
                                       Publication p) const {
  Event event;
  event.id = ids_->next();
  event.type = p.type;
  event.source = fmt::format("/castiel/{}", stage);
  event.subject = p.subject;
  event.time = clock_->now();
  event.tenant = tx.tenant();
  event.correlation = cause.correlation;
  event.traceparent = cause.traceparent;
  event.tries = cause.tries;
  event.schema = schemas_->current(p.type);
  event.data = std::move(p.data);
  event.data.get_object()["tenantId"] = tx.tenant().str();
  if (const auto violation = schemas_->check(event.type, event.schema, event.data)) {
    return permanent("schema_violation", fmt::format("event {} does not fit its schema at '{}': {}",
                                                     event.type, violation->pointer, violation->message));
  }
  storage::OutgoingMessage message{event.id, event.type, event.correlation,
                                   p.lane,   p.records,  serialize(event)};
  if (message.body.size() > kMaxMessageBytes) {
    return permanent(std::string(kMessageTooLarge),
                     fmt::format("an event of type {} would have {} bytes, more than the {} that travel",
                                 p.type, message.body.size(), kMaxMessageBytes));
  }
  CASTIEL_TRY(tx.publish(stage, message));
  CASTIEL_TRY(
      tx.add_flow_entry(cause.correlation, {event.time, std::string(stage), "event", event.type, event.id,
                                            fmt::format("published by {}", stage), p.records}));
  return event.id;
}

CorrelationId make_correlation(std::string_view kind, Timestamp now, IdGenerator& ids) {
  // Seconds are enough: the id before them is unique.
  std::string time = to_string(Timestamp{now.micros - now.micros % 1'000'000});
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  return CorrelationId(fmt::format("{}-{}-{}", kind, ids.next(), time));
}

}  // namespace castiel::messaging
