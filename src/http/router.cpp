#include "http/router.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "http/impl/text.hpp"
#include "http/problem.hpp"

namespace castiel::http {

namespace {

// The order is the order of precedence where several patterns match.
enum class Kind { literal, name, tail };

struct Part {
  Kind kind;
  std::string text;
};

struct Compiled {
  std::vector<Part> parts;
  const Route* route;
};

Error invalid_route(const Route& route, std::string_view why) {
  return {"invalid_route",
          fmt::format("The route {} {} {}.", route.method, route.pattern, why),
          ErrorClass::permanent,
          {}};
}

Result<std::vector<Part>> compile(const Route& route) {
  std::vector<Part> parts;
  std::string_view pattern = route.pattern;
  if (pattern.empty() || pattern[0] != '/')
    return std::unexpected(invalid_route(route, "does not begin with a slash"));
  pattern.remove_prefix(1);
  if (pattern.empty()) return parts;
  for (const auto text : impl::split(pattern, '/')) {
    if (!parts.empty() && parts.back().kind == Kind::tail)
      return std::unexpected(invalid_route(route, "goes on after its tail"));
    if (text.starts_with('{') && text.ends_with("...}") && text.size() > 5) {
      parts.push_back({Kind::tail, std::string(text.substr(1, text.size() - 5))});
    } else if (text.starts_with('{') && text.ends_with('}') && text.size() > 2) {
      parts.push_back({Kind::name, std::string(text.substr(1, text.size() - 2))});
    } else if (text.empty() || text.find_first_of("{}") != std::string_view::npos) {
      return std::unexpected(invalid_route(route, "has a malformed part"));
    } else {
      parts.push_back({Kind::literal, std::string(text)});
    }
  }
  return parts;
}

bool matches(const std::vector<Part>& parts, const std::vector<std::string>& segments) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].kind == Kind::tail) return true;
    if (i >= segments.size()) return false;
    if (parts[i].kind == Kind::literal ? segments[i] != parts[i].text : segments[i].empty()) return false;
  }
  return parts.size() == segments.size();
}

bool before(const Compiled& a, const Compiled& b) {
  for (std::size_t i = 0; i < std::min(a.parts.size(), b.parts.size()); ++i)
    if (a.parts[i].kind != b.parts[i].kind) return a.parts[i].kind < b.parts[i].kind;
  return a.parts.size() < b.parts.size();
}

// The pattern without its names: two routes of the same shape match the same requests.
std::string shape(const Compiled& compiled) {
  std::string out = compiled.route->method;
  for (const auto& part : compiled.parts) {
    out += '/';
    out += part.kind == Kind::literal ? part.text : part.kind == Kind::name ? "{}" : "{...}";
  }
  return out;
}

Result<> check(const Route& route, const std::vector<Part>& parts) {
  if (!route.handle) return std::unexpected(invalid_route(route, "has no handler"));
  if (route.immediate && route.open_sink)
    return std::unexpected(invalid_route(route, "cannot stream its body and be immediate"));
  if (route.operation_id.empty()) return std::unexpected(invalid_route(route, "has no operation id"));
  for (const auto& parameter : route.parameters) {
    if (parameter.in != Parameter::In::path) continue;
    if (std::ranges::none_of(parts, [&](const Part& part) {
          return part.kind != Kind::literal && part.text == parameter.name;
        }))
      return std::unexpected(invalid_route(route, fmt::format("has no part {{{}}}", parameter.name)));
  }
  return {};
}

std::optional<std::string_view> value_of(const Request& request, const Parameter& parameter) {
  switch (parameter.in) {
    case Parameter::In::path:
      return request.params.get(parameter.name);
    case Parameter::In::query:
      return request.query.get(parameter.name);
    case Parameter::In::header:
      return request.headers.get(parameter.name);
  }
  return std::nullopt;
}

bool has_type(std::string_view text, const Parameter& parameter) {
  switch (parameter.type) {
    case Parameter::Type::string:
      return parameter.values.empty() || std::ranges::find(parameter.values, text) != parameter.values.end();
    case Parameter::Type::boolean:
      return text == "true" || text == "false" || text == "1" || text == "0" || text.empty();
    case Parameter::Type::number: {
      double value = 0;
      const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
      return problem == std::errc() && end == text.data() + text.size();
    }
    case Parameter::Type::integer: {
      std::int64_t value = 0;
      const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
      return problem == std::errc() && end == text.data() + text.size() &&
             value >= parameter.minimum.value_or(INT64_MIN) && value <= parameter.maximum.value_or(INT64_MAX);
    }
  }
  return false;
}

std::string expected(const Parameter& parameter) {
  switch (parameter.type) {
    case Parameter::Type::string:
      return fmt::format("one of {}", fmt::join(parameter.values, ", "));
    case Parameter::Type::boolean:
      return "true or false";
    case Parameter::Type::number:
      return "a number";
    case Parameter::Type::integer:
      break;
  }
  std::string out = "a whole number";
  if (parameter.minimum) out += fmt::format(" from {}", *parameter.minimum);
  if (parameter.maximum) out += fmt::format(" up to {}", *parameter.maximum);
  return out;
}

Result<> check_parameters(const Request& request, const Route& route) {
  for (const auto& parameter : route.parameters) {
    const auto value = value_of(request, parameter);
    if (!value) {
      if (!parameter.required) continue;
      return permanent("invalid_parameter", fmt::format("The parameter \"{}\" is missing.", parameter.name));
    }
    if (!has_type(*value, parameter))
      return permanent("invalid_parameter",
                       fmt::format("The parameter \"{}\" must be {}.", parameter.name, expected(parameter)));
  }
  return {};
}

bool is_off_limits(const Route& route, const Request& request) {
  return route.local_socket_only && !request.is_local_socket;
}

Response off_limits(const Request& request) {
  return error_response({"local_socket_only",
                         "This is only allowed on this machine, over the server's own socket.",
                         ErrorClass::permanent,
                         {}},
                        request.path);
}

}  // namespace

struct Router::Table {
  std::vector<Route> routes;
  std::vector<Compiled> compiled;  // most specific first

  const Compiled* find(const Request& request) const {
    const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
    for (const auto& candidate : compiled)
      if (candidate.route->method == method && matches(candidate.parts, request.segments)) return &candidate;
    return nullptr;
  }

  // The methods this path has, "GET, HEAD, POST, OPTIONS"; empty when it has none.
  std::string allowed(const Request& request) const {
    std::set<std::string> methods;
    for (const auto& candidate : compiled) {
      if (!matches(candidate.parts, request.segments)) continue;
      methods.insert(candidate.route->method);
      if (candidate.route->method == "GET") methods.insert("HEAD");
    }
    if (!methods.empty()) methods.insert("OPTIONS");
    return fmt::format("{}", fmt::join(methods, ", "));
  }

  // The answer when no route has this path and method.
  Response no_route(const Request& request) const {
    auto methods = allowed(request);
    if (methods.empty())
      return error_response(
          {"not_found", fmt::format("There is nothing at {}.", request.path), ErrorClass::permanent, {}},
          request.path);
    auto response = request.method == "OPTIONS"
                        ? Response::empty()
                        : error_response({"method_not_allowed",
                                          fmt::format("{} allows {}.", request.path, methods),
                                          ErrorClass::permanent,
                                          {}},
                                         request.path);
    response.headers.set("Allow", std::move(methods));
    return response;
  }
};

Result<Router> Router::create(std::vector<Route> routes) {
  auto table = std::make_shared<Table>();
  table->routes = std::move(routes);
  std::set<std::string> shapes;
  std::set<std::string> operations;
  for (const auto& route : table->routes) {
    CASTIEL_ASSIGN(auto parts, compile(route));
    CASTIEL_TRY(check(route, parts));
    Compiled compiled{std::move(parts), &route};
    if (!shapes.insert(shape(compiled)).second)
      return std::unexpected(invalid_route(route, "matches the same requests as another one"));
    if (!operations.insert(route.operation_id).second)
      return std::unexpected(invalid_route(route, "uses an operation id a second time"));
    table->compiled.push_back(std::move(compiled));
  }
  std::ranges::stable_sort(table->compiled, before);
  return Router(std::move(table));
}

const std::vector<Route>& Router::routes() const {
  return table_->routes;
}

Response Router::handle(Request request) const {
  const auto* found = table_->find(request);
  if (found == nullptr) return table_->no_route(request);
  if (is_off_limits(*found->route, request)) return off_limits(request);
  for (std::size_t i = 0; i < found->parts.size(); ++i) {
    const auto& part = found->parts[i];
    if (part.kind == Kind::name) request.params.add(part.text, request.segments[i]);
    if (part.kind == Kind::tail) {
      const auto first =
          request.segments.begin() + static_cast<std::ptrdiff_t>(std::min(i, request.segments.size()));
      request.params.add(part.text, fmt::format("{}", fmt::join(first, request.segments.end(), "/")));
    }
  }
  if (auto ok = check_parameters(request, *found->route); !ok)
    return error_response(ok.error(), request.path);
  auto response = found->route->handle(request);
  return response ? std::move(*response) : error_response(response.error(), request.path);
}

BodyPlan Router::plan(const Request& request) const {
  BodyPlan plan;
  const auto* found = table_->find(request);
  if (found == nullptr) {
    plan.operation = "none";
    plan.refuse = table_->no_route(request);
    return plan;
  }
  plan.operation = found->route->operation_id;
  plan.max_bytes = found->route->max_body_bytes;
  plan.open_sink = found->route->open_sink;
  plan.immediate = found->route->immediate;
  if (is_off_limits(*found->route, request)) plan.refuse = off_limits(request);
  return plan;
}

Handler Router::handler() const {
  return {[self = *this](const Request& request) { return self.plan(request); },
          [self = *this](Request request) { return self.handle(std::move(request)); }};
}

}  // namespace castiel::http
