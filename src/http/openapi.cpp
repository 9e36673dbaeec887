#include "http/openapi.hpp"

#include <algorithm>

#include "http/impl/text.hpp"

namespace castiel::http {

namespace {

json::object schema_of(const Parameter& parameter) {
  static constexpr std::string_view kTypes[] = {"string", "integer", "number", "boolean"};
  json::object schema;
  schema["type"] = kTypes[static_cast<std::size_t>(parameter.type)];
  if (!parameter.format.empty()) schema["format"] = parameter.format;
  if (parameter.minimum) schema["minimum"] = *parameter.minimum;
  if (parameter.maximum) schema["maximum"] = *parameter.maximum;
  if (!parameter.values.empty())
    schema["enum"] = json::array(parameter.values.begin(), parameter.values.end());
  return schema;
}

json::object parameter_of(const Parameter& parameter) {
  static constexpr std::string_view kPlaces[] = {"path", "query", "header"};
  json::object out;
  out["name"] = parameter.name;
  out["in"] = kPlaces[static_cast<std::size_t>(parameter.in)];
  if (!parameter.description.empty()) out["description"] = parameter.description;
  out["required"] = parameter.required || parameter.in == Parameter::In::path;
  out["schema"] = schema_of(parameter);
  return out;
}

// "/files/{path...}" is "/files/{path}" in the document.
std::string path_of(std::string_view pattern) {
  std::string out(pattern);
  if (const auto tail = out.find("...}"); tail != std::string::npos) out.erase(tail, 3);
  return out;
}

std::vector<std::string> names_in(std::string_view path) {
  std::vector<std::string> out;
  for (const auto part : impl::split(path, '/'))
    if (part.starts_with('{')) out.emplace_back(part.substr(1, part.size() - 2));
  return out;
}

json::object reference(std::string_view schema) {
  return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}

json::object content(std::string_view type, json::object schema) {
  json::object media;
  media["schema"] = std::move(schema);
  json::object out;
  out[type] = std::move(media);
  return out;
}

json::object responses_of(const Route& route) {
  json::object success;
  success["description"] = reason_of(route.success_status);
  if (route.success_status != 204) {
    json::object schema;
    if (!route.response_schema.empty()) schema = reference(route.response_schema);
    success["content"] = content(route.response_type, std::move(schema));
  }
  json::object problem;
  problem["description"] = "A problem, as RFC 9457 describes them.";
  problem["content"] = content("application/problem+json", reference("Problem"));
  json::object out;
  out[std::to_string(route.success_status)] = std::move(success);
  out["default"] = std::move(problem);
  return out;
}

json::object operation_of(const Route& route) {
  json::object out;
  out["operationId"] = route.operation_id;
  out["summary"] = route.summary;
  if (!route.description.empty()) out["description"] = route.description;
  if (!route.tag.empty()) out["tags"] = json::array{route.tag};
  json::array parameters;
  for (const auto& name : names_in(path_of(route.pattern))) {
    const auto declared = std::ranges::any_of(route.parameters, [&](const Parameter& parameter) {
      return parameter.in == Parameter::In::path && parameter.name == name;
    });
    if (!declared) parameters.push_back(parameter_of({.name = name, .in = Parameter::In::path}));
  }
  for (const auto& parameter : route.parameters) parameters.push_back(parameter_of(parameter));
  if (!parameters.empty()) out["parameters"] = std::move(parameters);
  if (!route.request_schema.empty()) {
    json::object body;
    body["required"] = true;
    body["content"] = content("application/json", reference(route.request_schema));
    out["requestBody"] = std::move(body);
  } else if (route.open_sink) {
    json::object body;
    body["content"] = content("application/octet-stream", {});
    out["requestBody"] = std::move(body);
  }
  out["responses"] = responses_of(route);
  return out;
}

json::object problem_schema() {
  json::object properties;
  for (const std::string_view name : {"type", "title", "detail", "code", "instance"})
    properties[name] = json::object{{"type", "string"}};
  properties["status"] = json::object{{"type", "integer"}};
  json::object out;
  out["type"] = "object";
  out["properties"] = std::move(properties);
  out["required"] = json::array{"type", "title", "status", "detail", "code"};
  return out;
}

}  // namespace

json::value openapi_document(const ApiInfo& info, const std::vector<Route>& routes,
                             const json::object& schemas) {
  json::object about;
  about["title"] = info.title;
  about["version"] = info.version;
  if (!info.description.empty()) about["description"] = info.description;

  json::object paths;
  for (const auto& route : routes) {
    if (route.hidden) continue;
    auto& path = paths[path_of(route.pattern)];
    if (!path.is_object()) path = json::object{};
    std::string method = route.method;
    std::ranges::transform(method, method.begin(), impl::to_lower);
    path.as_object()[method] = operation_of(route);
  }

  json::object all = schemas;
  if (!all.contains("Problem")) all["Problem"] = problem_schema();
  json::object components;
  components["schemas"] = std::move(all);

  json::object document;
  document["openapi"] = "3.1.0";
  document["info"] = std::move(about);
  document["paths"] = std::move(paths);
  document["components"] = std::move(components);
  return document;
}

}  // namespace castiel::http
