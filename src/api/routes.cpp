#include "api/routes.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "api/impl/calls.hpp"
#include "api/live_feed.hpp"
#include "http/openapi.hpp"
#include "http/problem.hpp"

namespace castiel::api {
namespace {

using http::Request;
using http::Response;
using http::Route;

Result<Call> call_of(const Request& request) {
  Call call;
  call.parameters = request.params;
  for (const auto& [name, value] : request.query.all()) call.parameters.add(name, value);
  call.idempotency_key = request.headers.get_or("Idempotency-Key", "");
  call.local = request.is_local_socket;
  call.actor = request.is_local_socket ? "local" : fmt::format("http:{}", request.remote_address);
  if (request.body.empty()) return call;
  CASTIEL_ASSIGN(auto body, parse_json(request.body));
  if (!body.is_object()) return permanent("invalid_json", "the body has to be a JSON object");
  call.body = std::move(body.get_object());
  return call;
}

Route route_of(Services& services, const Operation& operation) {
  Route route;
  route.method = operation.method;
  route.pattern = operation.pattern;
  route.operation_id = operation.name;
  route.summary = operation.summary;
  route.description = operation.description;
  route.parameters = operation.parameters;
  if (operation.method != "GET") {
    auto key = impl::text_parameter(
        "Idempotency-Key", "A second request with the same key gets the first one's answer, for a day");
    key.in = http::Parameter::In::header;
    route.parameters.push_back(std::move(key));
  }
  route.tag = operation.tag;
  route.request_schema = operation.request_schema;
  route.response_schema = operation.response_schema;
  route.success_status = operation.success_status;
  route.local_socket_only = operation.local_only;
  route.handle = [&services, &operation](const Request& request) -> Result<Response> {
    CASTIEL_ASSIGN(const auto call, call_of(request));
    CASTIEL_ASSIGN(const auto answer, run_operation(services, operation.name, call));
    return Response::json(answer, operation.success_status);
  };
  return route;
}

Route simple(std::string pattern, std::string id, std::string summary, std::string tag,
             std::function<Result<Response>(const Request&)> handle) {
  Route route;
  route.method = "GET";
  route.pattern = std::move(pattern);
  route.operation_id = std::move(id);
  route.summary = std::move(summary);
  route.tag = std::move(tag);
  route.handle = std::move(handle);
  return route;
}

Route live(Services& services) {
  auto route = simple("/api/v1/live", "live", "What changes, as it happens", "operations",
                      [&services](const Request& request) -> Result<Response> {
                        if (services.live == nullptr)
                          return permanent("not_available", "this process has no live feed");
                        CASTIEL_ASSIGN(const auto tenant, parse_tenant_id(request.query.string_or("tenant")));
                        CASTIEL_ASSIGN(auto stream, services.live->subscribe(tenant));
                        return Response::stream(std::move(stream));
                      });
  route.parameters = {impl::tenant_parameter()};
  route.response_type = "text/event-stream";
  route.description =
      "Server-sent events: import (an import's object), queues (the list of /queues), changed ({\"tenant\"}) "
      "and ping.";
  return route;
}

Route health(const std::string& name, std::string summary, std::function<bool()> good) {
  return simple("/health/" + name, "health." + name, std::move(summary), "health",
                [good = std::move(good)](const Request&) -> Result<Response> {
                  const bool ok = !good || good();
                  return Response::json(json::object{{"status", ok ? "ok" : "unavailable"}}, ok ? 200 : 503);
                });
}

Route metrics(Services& services) {
  auto route = simple(
      "/metrics", "metrics", "Metrics in Prometheus' text format", "health",
      [&services](const Request&) -> Result<Response> {
        if (services.metrics == nullptr) return permanent("not_available", "this process keeps no metrics");
        // A broker that is away must not take the other figures along.
        const auto answered = services.broker.stats();
        const auto stats = answered.value_or(std::vector<messaging::QueueStats>());
        services.metrics->gauge({"castiel_broker_up", "Whether the broker answers: 1 or 0.", {}})
            .with()
            .set(answered ? 1 : 0);
        const auto depth = services.metrics->gauge(
            {"castiel_queue_messages", "Messages waiting in a queue.", {"queue", "state"}});
        const auto oldest = services.metrics->gauge(
            {"castiel_queue_oldest_seconds", "Age of the oldest message waiting in a queue.", {"queue"}});
        const auto settled = services.metrics->gauge(
            {"castiel_queue_settled_messages", "Messages settled since the process started.", {"queue"}});
        const auto dead =
            services.metrics->gauge({"castiel_dead_letters", "Open dead letters of a queue.", {"queue"}});
        CASTIEL_ASSIGN(const auto view, services.store.operator_view());
        CASTIEL_ASSIGN(const auto letters, view->dead_letters_by_queue());
        const auto held = services.metrics->gauge(
            {"castiel_quarantine_messages", "Messages of a queue in the quarantine.", {"queue"}});
        storage::LetterQuery set_apart;
        set_apart.place = storage::LetterPlace::quarantine;
        CASTIEL_ASSIGN(const auto quarantined,
                       view->letter_groups(set_apart, storage::LetterGrouping::queue));
        const auto ended =
            services.metrics->gauge({"castiel_replay_outcomes",
                                     "Replayed dead letters that are kept, by what became of them.",
                                     {"outcome"}});
        storage::LetterQuery replayed;
        replayed.state = "replayed";
        CASTIEL_ASSIGN(const auto outcomes, view->letter_groups(replayed, storage::LetterGrouping::outcome));
        for (const std::string name : {"", "effect", "dead"}) {
          const auto it = std::ranges::find(outcomes, name, &storage::LetterGroup::key);
          ended.with({name.empty() ? "pending" : name})
              .set(it == outcomes.end() ? 0 : static_cast<double>(it->count));
        }
        for (const auto& s : stats) {
          const auto apart = std::ranges::find(quarantined, s.name, &storage::LetterGroup::key);
          held.with({s.name}).set(apart == quarantined.end() ? 0 : static_cast<double>(apart->count));
          oldest.with({s.name}).set(static_cast<double>(s.oldest_seconds));
          settled.with({s.name}).set(static_cast<double>(s.settled_total));
          const auto it = std::ranges::find(letters, s.name, [](const auto& l) { return l.first; });
          dead.with({s.name}).set(it == letters.end() ? 0 : static_cast<double>(it->second));
          depth.with({s.name, "ready"}).set(static_cast<double>(s.ready));
          depth.with({s.name, "claimed"}).set(static_cast<double>(s.claimed));
          depth.with({s.name, "delayed"}).set(static_cast<double>(s.delayed));
        }
        return Response::bytes(services.metrics->render(), "text/plain; version=0.0.4; charset=utf-8");
      });
  route.response_type = "text/plain";
  return route;
}

Route dashboard(const http::StaticFiles* files) {
  auto route = simple(
      "/{path...}", "dashboard", "The dashboard", "dashboard",
      [files](const Request& request) -> Result<Response> {
        const auto path = request.params.string_or("path");
        // A wrong address of the API is an error, not a page.
        for (const std::string_view own : {"api", "health", "webhooks"}) {
          if (path == own || path.starts_with(std::string(own) + "/")) {
            return permanent("not_found", fmt::format("there is nothing at {}", request.path));
          }
        }
        if (files != nullptr) return files->serve(request, path);
        if (!path.empty()) return permanent("not_found", fmt::format("there is nothing at {}", request.path));
        return Response::text(
            "Castiel runs; this build has no dashboard. The API is described at /api/v1/openapi.json\n");
      });
  route.hidden = true;
  return route;
}

json::object object_schema(std::string_view description, std::initializer_list<std::string_view> required) {
  json::object schema{{"type", "object"}, {"description", description}};
  if (required.size() > 0) schema["required"] = json::array(required.begin(), required.end());
  return schema;
}

json::object list_schema(json::object item) {
  return {
      {"type", "object"},
      {"required", {"items", "next"}},
      {"properties",
       {{"items", {{"type", "array"}, {"items", std::move(item)}}},
        {"next",
         {{"type", {"string", "null"}}, {"description", "The cursor of the next page; null on the last"}}}}}};
}

json::object reference(std::string_view name) {
  return {{"$ref", fmt::format("#/components/schemas/{}", name)}};
}

json::object schemas() {
  json::object all;
  all["Object"] = object_schema("An object", {});
  all["List"] = list_schema({{"type", "object"}});
  all["Money"] =
      json::object{{"type", "object"},
                   {"required", {"amount", "currency"}},
                   {"properties",
                    {{"amount", {{"type", {"string", "null"}}, {"description", "A decimal number"}}},
                     {"currency", {{"type", "string"}, {"description", "ISO 4217, or unknown"}}}}}};
  auto summary = object_schema("A deal with its scores", {"id", "externalId", "name", "stage", "status",
                                                          "amount", "probability", "risk"});
  summary["properties"] = json::object{{"amount", reference("Money")}};
  all["DealSummary"] = std::move(summary);
  all["DealList"] = list_schema(reference("DealSummary"));
  all["Deal"] =
      object_schema("A deal with factors, evidence, recommendations, data and source",
                    {"id", "name", "probability", "risk", "recommendations", "contacts", "data", "source"});
  all["Overview"] = object_schema("A tenant at a glance", {"tenant", "asOf", "pipeline", "forecast", "won",
                                                           "atRisk", "changes", "quality", "system"});
  all["Forecast"] = object_schema("Rows by period, and by owner or team",
                                  {"asOf", "asOfReason", "currency", "simulations", "items", "quality"});
  all["Backtest"] = object_schema("Forecasts of the past and what came", {"items", "coverage", "n"});
  all["Shard"] = object_schema(
      "A stored entity", {"tenant", "type", "id", "externalId", "integration", "version", "data", "source",
                          "correlationId", "createdAt", "updatedAt", "deletedAt"});
  all["ShardList"] = list_schema(reference("Shard"));
  all["Link"] = object_schema(
      "A link from content to an account, contact or opportunity",
      {"id", "sourceType", "sourceId", "targetType", "targetId", "strategy", "confidence", "status", "reason",
       "evidence", "createdBy", "createdAt", "lastVerifiedAt", "from", "to"});
  all["Timeline"] = object_schema("Entries of kind change, email, message, meeting, event, document or task",
                                  {"entries", "next"});
  all["Timeline"].get_object()["properties"] =
      json::object{{"entries",
                    {{"type", "array"},
                     {"items", object_schema("An entry", {"at", "kind", "title", "text", "people", "shardId",
                                                          "type", "locator", "link", "future"})}}},
                   {"next", {{"type", {"string", "null"}}}}};
  all["SearchAnswer"] = object_schema("What was found", {"query", "mode", "total", "items"});
  all["Import"] = object_schema(
      "An import", {"correlationId", "tenant", "status", "startedAt", "files", "records", "problems"});
  all["ImportList"] = list_schema(reference("Import"));
  all["Started"] = object_schema("What was started", {"correlationId"});
  auto tenant = object_schema("A new tenant", {"tenant"});
  tenant["properties"] = json::object{{"tenant", {{"type", "string"}}}};
  all["NewTenant"] = std::move(tenant);
  auto changes = object_schema("Settings to change", {"settings"});
  changes["properties"] =
      json::object{{"settings", {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}}}};
  all["SettingChanges"] = std::move(changes);
  auto import = object_schema("What to import", {"paths"});
  import["properties"] =
      json::object{{"paths", {{"type", "array"}, {"minItems", 1}, {"items", {{"type", "string"}}}}},
                   {"again", {{"type", "boolean"}}},
                   {"sourceMap", {{"type", "string"}, {"description", "YAML"}}},
                   {"integration", {{"type", "string"}}}};
  all["NewImport"] = std::move(import);
  return all;
}

}  // namespace

json::value openapi(const std::vector<http::Route>& routes, std::string_view version) {
  return http::openapi_document(
      {"Castiel", std::string(version),
       "Errors are problem details (RFC 9457). Lists are paged by cursor. Money is a decimal "
       "string with its currency; dates are YYYY-MM-DD, times RFC 3339 UTC."},
      routes, schemas());
}

std::vector<http::Route> routes(Services& services, const http::StaticFiles* files) {
  std::vector<Route> all;
  for (const auto& operation : operations()) all.push_back(route_of(services, operation));
  all.push_back(live(services));
  all.push_back(health("live", "The process runs", {}));
  all.push_back(health("ready", "It takes work", services.ready));
  all.push_back(health("startup", "It has started", services.started));
  all.push_back(metrics(services));
  const auto document = std::make_shared<std::string>();
  all.push_back(
      simple("/api/v1/openapi.json", "openapi", "This document", "operations",
             [document](const Request&) -> Result<Response> { return Response::json_text(*document); }));
  all.push_back(dashboard(files));
  *document = json::serialize(openapi(all, services.version));
  return all;
}

Result<> refuse_public_bind(std::string_view address) {
  const std::string text(address);
  in_addr v4{};
  in6_addr v6{};
  constexpr std::uint32_t kLoopbackNet = 127;
  const bool loopback =
      text.empty() || text == "localhost" ||
      (inet_pton(AF_INET, text.c_str(), &v4) == 1 && ntohl(v4.s_addr) >> 24 == kLoopbackNet) ||
      (inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
  if (loopback) return {};
  return permanent(
      "public_bind_refused",
      fmt::format(
          "'{}' can be reached from other machines, and Castiel has no authentication yet: it listens on "
          "127.0.0.1 or ::1 only. Put a proxy that authenticates in front of it.",
          text));
}

}  // namespace castiel::api
