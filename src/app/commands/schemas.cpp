#include <fmt/format.h>

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

// Checks a file of one event against the schema its type names.
int check(const GlobalOptions& global, const std::string& file) {
  std::ifstream in(file);
  if (!in)
    return fail({"unreadable", fmt::format("'{}' cannot be read", file), ErrorClass::permanent, {}},
                global.json);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const auto registry = messaging::SchemaRegistry::create(messaging::builtin_schemas());
  if (!registry) return fail(registry.error(), global.json);
  const auto event = messaging::parse_event(text);
  if (!event) return fail(event.error(), global.json);
  if (const auto violation = (*registry)->check(event->type, event->schema, event->data)) {
    return fail({"schema_violation",
                 fmt::format("/data{}: {}", violation->pointer, violation->message),
                 ErrorClass::permanent,
                 {}},
                global.json);
  }
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
      "event.json");
  schemas->require_subcommand(1);
  auto name = std::make_shared<std::string>();
  schemas->add_subcommand("list", "all types and versions")->callback([&cli] {
    cli.chosen = [&cli] { return list(cli.global); };
  });
  auto* show_app = schemas->add_subcommand("show", "one schema");
  show_app->add_option("type", *name, "event type, or type/major")->required();
  show_app->callback([&cli, name] { cli.chosen = [&cli, name] { return show(cli.global, *name); }; });
  auto* check_app = schemas->add_subcommand("check", "does an event in a file fit its schema");
  check_app->add_option("file", *name, "file with one CloudEvent")->required();
  check_app->callback([&cli, name] { cli.chosen = [&cli, name] { return check(cli.global, *name); }; });
}

}  // namespace castiel::app
