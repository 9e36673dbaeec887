#pragma once
// An event: CloudEvents 1.0 with the tenant, the correlation id and the W3C trace as extensions. Plain value.

#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace castiel::messaging {

struct Event {
  std::string id;
  std::string type;    // model::event
  std::string source;  // URI reference of the producing stage: "/castiel/files"
  std::string subject;
  Timestamp time;
  TenantId tenant;
  CorrelationId correlation;
  std::string traceparent;            // may be empty
  int schema = 1;                     // major version of the data's schema
  json::value data = json::object();  // always an object
  std::string replay_of{};            // the dead letter this is the replay of, usually empty
  int tries = 0;                      // failed tries of the events that led to this one
};

// Structured JSON, one event (application/cloudevents+json).
std::string serialize(const Event& event);
// Error malformed_event: not JSON or not a CloudEvent; the message names the attribute.
Result<Event> parse_event(std::string_view text);

// "urn:castiel:schema:<type>:<major>"
std::string schema_uri(std::string_view type, int major);

}  // namespace castiel::messaging
