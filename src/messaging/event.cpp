#include "messaging/event.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace castiel::messaging {
namespace {

constexpr std::string_view kSchemaPrefix = "urn:castiel:schema:";

std::unexpected<Error> malformed(std::string what) {
  return permanent("malformed_event", "not a valid event: " + std::move(what));
}

}  // namespace

std::string schema_uri(std::string_view type, int major) {
  return fmt::format("{}{}:{}", kSchemaPrefix, type, major);
}

std::string serialize(const Event& e) {
  std::string out = R"({"specversion":"1.0","id":)";
  const auto field = [&](std::string_view name, std::string_view value) {
    out += ",\"";
    out += name;
    out += "\":";
    append_json_string(out, value);
  };
  append_json_string(out, e.id);
  field("source", e.source);
  field("type", e.type);
  if (!e.subject.empty()) field("subject", e.subject);
  field("time", to_string(e.time));
  field("datacontenttype", "application/json");
  field("dataschema", schema_uri(e.type, e.schema));
  field("tenantid", e.tenant.str());
  field("correlationid", e.correlation.str());
  if (!e.traceparent.empty()) field("traceparent", e.traceparent);
  if (!e.replay_of.empty()) field("replayof", e.replay_of);
  if (e.tries > 0) out += fmt::format(",\"tries\":{}", e.tries);
  out += ",\"data\":";
  out += json::serialize(e.data);
  out += '}';
  return out;
}

Result<Event> parse_event(std::string_view text) {
  auto value = parse_json_in_arena(text);
  if (!value) return malformed(value.error().describe());
  auto* object = value->if_object();
  if (object == nullptr) return malformed("not a JSON object");
  const auto text_of = [&](std::string_view name) { return string_or(*object, name); };
  if (text_of("specversion") != "1.0") return malformed("specversion is not 1.0");
  Event e;
  e.id = text_of("id");
  e.type = text_of("type");
  e.source = text_of("source");
  e.subject = text_of("subject");
  e.tenant = TenantId(text_of("tenantid"));
  e.correlation = CorrelationId(text_of("correlationid"));
  e.traceparent = text_of("traceparent");
  e.replay_of = text_of("replayof");
  e.tries = static_cast<int>(std::clamp<std::int64_t>(int_or(*object, "tries", 0), 0, 1'000'000));
  for (const auto& [name, present] : {std::pair{"id", !e.id.empty()},
                                      {"type", !e.type.empty()},
                                      {"source", !e.source.empty()},
                                      {"tenantid", !e.tenant.empty()},
                                      {"correlationid", !e.correlation.empty()}}) {
    if (!present) return malformed(fmt::format("attribute {} is missing", name));
  }
  const auto time = parse_timestamp(text_of("time"));
  if (!time) return malformed("attribute time is not RFC 3339");
  e.time = *time;
  const std::string schema = text_of("dataschema");
  const std::string prefix = fmt::format("{}{}:", kSchemaPrefix, e.type);
  if (!schema.starts_with(prefix)) return malformed("attribute dataschema does not name the type's schema");
  const auto [end, error] =
      std::from_chars(schema.data() + prefix.size(), schema.data() + schema.size(), e.schema);
  if (error != std::errc() || end != schema.data() + schema.size())
    return malformed("attribute dataschema has no version");
  auto* data = object->if_contains("data");
  if (data == nullptr || !data->is_object()) return malformed("attribute data is not an object");
  // Constructed, not assigned: assigning would copy the data out of its arena.
  return Event{std::move(e.id), std::move(e.type),   std::move(e.source),      std::move(e.subject),
               e.time,          std::move(e.tenant), std::move(e.correlation), std::move(e.traceparent),
               e.schema,        std::move(*data),    std::move(e.replay_of),   e.tries};
}

}  // namespace castiel::messaging
