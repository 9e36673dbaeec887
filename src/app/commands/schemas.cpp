#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

#include "app/impl/command_line.hpp"
#include "messaging/schema_registry.hpp"

namespace castiel::app {

namespace {

int list(const GlobalOptions& global) {
  for (const auto& [type, major, text] : messaging::builtin_schemas()) {
    const auto schema = parse_json(text);
    const std::string title = schema && schema->is_object() ? string_or(schema->get_object(), "title") : "";
    if (global.json) {
      print_line(
          {{"type", type}, {"major", major}, {"uri", messaging::schema_uri(type, major)}, {"title", title}});
    } else {
      fmt::print("{:<28} {}  {}\n", type, major, title);
    }
  }
  return kDone;
}

int show(const GlobalOptions& global, const std::string& name) {
  for (const auto& [type, major, text] : messaging::builtin_schemas()) {
    if (type != name && fmt::format("{}/{}", type, major) != name) continue;
    fmt::print("{}", text);
    return kDone;
  }
  return fail({"not_found",
               fmt::format("there is no schema '{}'; `castiel schemas list` shows all", name),
               ErrorClass::permanent,
               {}},
              global.json);
}

int refuse(const GlobalOptions& global, std::string code, std::string message) {
  return fail({std::move(code), std::move(message), ErrorClass::permanent, {}}, global.json);
}

// All of the program's own: each against the stored samples of its type.
int check_own(const GlobalOptions& global) {
  const auto registry =
      messaging::SchemaRegistry::create(messaging::builtin_schemas(), messaging::builtin_samples());
  if (!registry) return fail(registry.error(), global.json);
  for (const auto& [type, major, text] : messaging::builtin_schemas()) {
    const auto samples = std::ranges::count(messaging::builtin_samples(), type, &messaging::SchemaText::type);
    if (global.json) {
      print_line({{"type", type}, {"major", major}, {"samples", samples}, {"valid", true}});
    } else {
      fmt::print("{:<36} {}  reads {} stored samples\n", type, major, samples);
    }
  }
  return kDone;
}

// A schema that is to replace, or follow, one of the program's: "type/major".
int check_schema(const GlobalOptions& global, const json::value& next, std::string_view text,
                 const std::string& name) {
  const auto slash = name.rfind('/');
  int major = 0;
  if (slash != std::string::npos) std::from_chars(name.data() + slash + 1, name.data() + name.size(), major);
  if (major < 1)
    return refuse(global, "invalid_parameter", "say which it is to be: --as opportunity.updated/1");
  const std::string type = name.substr(0, slash);
  std::vector<messaging::SchemaText> schemas, samples;
  std::vector<std::string> breaking;
  for (const auto& known : messaging::builtin_schemas()) {
    if (known.type != type) continue;
    if (known.major != major) {
      schemas.push_back(known);
      continue;
    }
    if (const auto before = parse_json(known.text)) breaking = messaging::breaking_changes(*before, next);
  }
  schemas.push_back({type, major, text});
  for (const auto& sample : messaging::builtin_samples()) {
    if (sample.type == type) samples.push_back(sample);
  }
  const auto registry = messaging::SchemaRegistry::create(schemas, samples);
  if (!registry) return fail(registry.error(), global.json);
  if (!breaking.empty()) {
    return refuse(
        global, "incompatible_schema",
        fmt::format("{} may only add within its version, but\n  {}", name, fmt::join(breaking, "\n  ")));
  }
  if (global.json) {
    print_line({{"type", type}, {"major", major}, {"samples", samples.size()}, {"compatible", true}});
  } else {
    fmt::print("{} reads {} stored samples and only adds\n", name, samples.size());
  }
  return kDone;
}

// A file: an event, against the schema its type names; or a schema, against the one it is to be.
int check(const GlobalOptions& global, const std::string& file, const std::string& as) {
  if (file.empty()) return check_own(global);
  std::ifstream in(file);
  if (!in) return refuse(global, "unreadable", fmt::format("'{}' cannot be read", file));
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const auto value = parse_json(text);
  const bool is_event = value && value->is_object() && value->get_object().contains("specversion");
  if (value && value->is_object() && !is_event &&
      (!as.empty() || value->get_object().contains("$schema") ||
       value->get_object().contains("properties"))) {
    return check_schema(global, *value, text, as);
  }
  const auto registry =
      messaging::SchemaRegistry::create(messaging::builtin_schemas(), messaging::builtin_samples());
  if (!registry) return fail(registry.error(), global.json);
  const auto event = messaging::parse_event(text);
  if (!event) return fail(event.error(), global.json);
  if (const auto violation = (*registry)->check(event->type, event->schema, event->data))
    return refuse(global, "schema_violation",
                  fmt::format("/data{}: {}", violation->pointer, violation->message));
  if (global.json) {
    print_line({{"type", event->type}, {"major", event->schema}, {"valid", true}});
  } else {
    fmt::print("{} fits {}/{}\n", file, event->type, event->schema);
  }
  return kDone;
}

}  // namespace

void add_schemas(Cli& cli) {
  auto* schemas = cli.app.add_subcommand("schemas", "event schemas: list, show, check");
  schemas->footer(
      "Examples:\n  castiel schemas list\n  castiel schemas show shard.created\n  castiel schemas check "
      "event.json\n  castiel schemas check                                            all of them, against "
      "stored "
      "samples\n  castiel schemas check new.json --as opportunity.updated/1        may it replace the "
      "present one");
  schemas->require_subcommand(1);
  auto name = std::make_shared<std::string>();
  schemas->add_subcommand("list", "all types and versions")->callback([&cli] {
    cli.chosen = [&cli] { return list(cli.global); };
  });
  auto* show_app = schemas->add_subcommand("show", "one schema");
  show_app->add_option("type", *name, "event type, or type/major")->required();
  show_app->callback([&cli, name] { cli.chosen = [&cli, name] { return show(cli.global, *name); }; });
  auto as = std::make_shared<std::string>();
  auto* check_app = schemas->add_subcommand(
      "check", "does an event fit its schema, or a schema what was sent before; without a file all schemas");
  check_app->add_option("file", *name, "file with one CloudEvent, or with a JSON Schema");
  check_app->add_option("--as", *as, "type/major a schema is to be registered as");
  check_app->callback(
      [&cli, name, as] { cli.chosen = [&cli, name, as] { return check(cli.global, *name, *as); }; });
}

}  // namespace castiel::app
