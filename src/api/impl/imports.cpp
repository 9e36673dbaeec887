#include <fmt/format.h>

#include "api/impl/calls.hpp"
#include "sync/import_job.hpp"

namespace castiel::api::impl {
namespace {

Result<json::value> imports(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto limit, limit_of(call));
  CASTIEL_ASSIGN(const auto from, offset_of(call));
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  CASTIEL_ASSIGN(const auto runs, reader->import_runs(from + limit + 1));
  json::array items;
  for (std::size_t i = from; i < runs.size() && items.size() < limit; ++i) {
    CASTIEL_ASSIGN(auto item, sync::import_status(*reader, runs[i].correlation, services.clock.now()));
    items.push_back(std::move(item));
  }
  json::value next;
  if (from + items.size() < runs.size()) next = std::to_string(from + items.size());
  return page(std::move(items), std::move(next));
}

Result<json::value> import(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  return sync::import_status(*reader, CorrelationId(call.parameters.string_or("id")), services.clock.now());
}

Result<json::value> import_summary(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  return sync::import_summary(*reader, CorrelationId(call.parameters.string_or("id")));
}

Result<sync::ImportOptions> read_options(const Call& call, sync::ImportOptions options) {
  const auto* paths = get_array(call.body, "paths");
  if (paths == nullptr || paths->empty())
    return permanent("invalid_parameter", "paths: a list of files or folders is missing");
  options.paths.clear();
  for (const auto& path : *paths) {
    const auto* text = path.if_string();
    if (text == nullptr || !text->starts_with('/')) {
      return permanent("invalid_parameter", "paths: each has to be an absolute path");
    }
    options.paths.emplace_back(*text);
  }
  CASTIEL_ASSIGN(const bool again, call.parameters.bool_or("again", bool_or(call.body, "again", false)));
  options.again = again;
  options.source_map = string_or(call.body, "sourceMap");
  options.source_map_name = string_or(call.body, "sourceMapName", "source map");
  const auto integration = call.parameters.string_or("name", string_or(call.body, "integration"));
  if (!integration.empty()) {
    CASTIEL_ASSIGN(options.integration, parse_integration_id(integration));
  }
  return options;
}

Result<json::value> start_import(Services& services, const Call& call) {
  if (services.imports == nullptr)
    return permanent("not_available", "this process runs no imports in the background");
  CASTIEL_ASSIGN(const auto tenant, tenant_of(call));
  CASTIEL_ASSIGN(auto options, read_options(call, {}));  // before a tenant is made for it
  CASTIEL_TRY(services.store.create_tenant(tenant, Deadline::after(services.clock, kWriteWait)));
  return once(services, tenant, "imports.start", call, [&]() -> Result<json::value> {
    if (services.import_defaults) {
      CASTIEL_ASSIGN(const auto reader, services.store.read(tenant));
      CASTIEL_ASSIGN(options, read_options(call, services.import_defaults(*reader)));
    }
    json::object detail;
    detail["paths"] = call.body.at("paths");
    CASTIEL_ASSIGN(const auto correlation, services.imports->start(tenant, std::move(options)));
    CASTIEL_ASSIGN(auto tx, begin(services, tenant));
    CASTIEL_TRY(audit(*tx, services, call, "imports.start", correlation.str(), std::move(detail)));
    CASTIEL_TRY(tx->commit());
    return json::object{{"correlationId", correlation.str()}};
  });
}

}  // namespace

std::vector<Operation> import_operations() {
  auto again = text_parameter("again", "Read files whose bytes were imported before once more");
  again.type = http::Parameter::Type::boolean;
  Operation start{
      "imports.start",
      "POST",
      "/api/v1/imports",
      "Imports files of the server's machine",
      "imports",
      {tenant_parameter(), text_parameter("name", "Name of the integration"), again},
      start_import,
      "Started",
      "NewImport",
      202,
      true,
      "Only over the server's local socket, because the server reads the files with its own rights."};
  return {{"imports",
           "GET",
           "/api/v1/imports",
           "Imports, newest first",
           "imports",
           {tenant_parameter(), limit_parameter(), cursor_parameter()},
           imports,
           "ImportList"},
          std::move(start),
          {"imports.get",
           "GET",
           "/api/v1/imports/{id}",
           "How far an import is, what it understood, what went wrong",
           "imports",
           {tenant_parameter()},
           import,
           "Import"},
          {"imports.summary",
           "GET",
           "/api/v1/imports/{id}/summary",
           "What came of an import: the last line of `castiel import --json`",
           "imports",
           {tenant_parameter()},
           import_summary,
           "Object"}};
}

}  // namespace castiel::api::impl
