#include <fmt/format.h>

#include "app/impl/command_line.hpp"

namespace castiel::app {

namespace {

// Runs an operation in the server that has the data folder, or in this process when there is none.
Result<json::value> ask(const GlobalOptions& global, const Environment& environment,
                        std::string_view operation, const api::Call& call, bool make_folder = false) {
  CASTIEL_ASSIGN(auto options, program_options(global, environment, false));
  options.create = make_folder;
  CASTIEL_ASSIGN(auto backend, Backend::open(std::move(options), environment.clock, environment.random));
  return backend.run(operation, call);
}

api::Call call_for(const std::string& tenant) {
  api::Call call;
  call.actor = "command line";
  call.parameters.add("tenant", tenant);
  return call;
}

int create(const GlobalOptions& global, const Environment& environment, const std::string& name) {
  const auto tenant = parse_tenant_id(name);
  if (!tenant) return fail(tenant.error(), global.json);
  api::Call call;
  call.body = {{"tenant", tenant->str()}};
  if (auto made = ask(global, environment, "tenants.create", call, true); !made)
    return fail(made.error(), global.json);
  if (global.json) {
    print_line({{"tenant", tenant->str()}});
  } else {
    fmt::print("Tenant {} is there.\n", tenant->str());
  }
  return kDone;
}

int show(const GlobalOptions& global, const Environment& environment, const std::string& name) {
  const auto shown = ask(global, environment, "tenants.show", call_for(name));
  if (!shown) return fail(shown.error(), global.json);
  if (global.json) {
    print_line(*shown);
    return kDone;
  }
  if (const auto* list = get_object(shown->get_object(), "settings")) {
    for (const auto& [key, setting] : *list) {
      const auto& o = setting.get_object();
      fmt::print("{:<36} {:<24} {}\n", std::string_view(key), string_or(o, "value"), string_or(o, "origin"));
    }
  }
  return kDone;
}

int set(const GlobalOptions& global, const Environment& environment, const std::string& name,
        const std::vector<std::string>& pairs) {
  json::object changes;
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      return fail({"invalid_setting",
                   fmt::format("give settings as key=value, not '{}'", pair),
                   ErrorClass::permanent,
                   {}},
                  global.json);
    changes[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  auto call = call_for(name);
  call.body["settings"] = std::move(changes);
  const auto done = ask(global, environment, "tenants.set", call);
  if (!done) return fail(done.error(), global.json);
  if (global.json) print_line(*done);
  return kDone;
}

int erase(const GlobalOptions& global, const Environment& environment, const std::string& name, bool sure) {
  if (!sure) {
    return fail({"invalid_parameter",
                 fmt::format("erasing tenant {} removes all of its data for good: say --yes", name),
                 ErrorClass::permanent,
                 {}},
                global.json);
  }
  const auto erased = ask(global, environment, "tenants.erase", call_for(name));
  if (!erased) return fail(erased.error(), global.json);
  if (global.json) {
    print_line(*erased);
    return kDone;
  }
  std::int64_t total = 0;
  if (const auto* rows = get_object(erased->get_object(), "erased")) {
    for (const auto& [table, n] : *rows) total += n.to_number<std::int64_t>();
  }
  fmt::print("Tenant {} is erased: {} rows.\n", name, total);
  return kDone;
}

int list(const GlobalOptions& global, const Environment& environment) {
  const auto result = ask(global, environment, "tenants", {});
  if (!result) return fail(result.error(), global.json);
  for (const auto& item : result->at("items").get_array()) {
    const auto& o = item.get_object();
    if (global.json) {
      print_line(item);
      continue;
    }
    fmt::print("{:<20}", string_or(o, "tenant"));
    if (const auto* shards = get_object(o, "shards")) {
      for (const auto& [type, n] : *shards)
        fmt::print("  {} {}", std::string_view(type), n.to_number<std::int64_t>());
    }
    fmt::print("\n");
  }
  return kDone;
}

}  // namespace

void add_tenants(Cli& cli) {
  auto* tenants = cli.app.add_subcommand("tenants", "tenants: list, create, show, set, erase");
  tenants->footer(
      "Examples:\n  castiel tenants create acme\n  castiel tenants set acme tenant.timezone=Europe/Berlin "
      "tenant.base_currency=EUR\n  castiel tenants erase acme --yes");
  tenants->require_subcommand(1);
  auto name = std::make_shared<std::string>();
  auto pairs = std::make_shared<std::vector<std::string>>();
  auto sure = std::make_shared<bool>(false);
  const auto add = [&](const char* command, const char* help, const auto& run) {
    auto* app = tenants->add_subcommand(command, help);
    app->callback([&cli, run] { cli.chosen = run; });
    return app;
  };
  add("list", "all tenants", [&cli] { return list(cli.global, cli.environment); });
  add("create", "make a tenant with default settings",
      [&cli, name] { return create(cli.global, cli.environment, *name); })
      ->add_option("tenant", *name, "its name")
      ->required();
  add("show", "its settings", [&cli, name] { return show(cli.global, cli.environment, *name); })
      ->add_option("tenant", *name, "its name")
      ->required();
  auto* set_app = add("set", "change settings: key=value …",
                      [&cli, name, pairs] { return set(cli.global, cli.environment, *name, *pairs); });
  set_app->add_option("tenant", *name, "its name")->required();
  set_app->add_option("settings", *pairs, "key=value")->required();
  auto* erase_app = add("erase", "remove a tenant and everything it has",
                        [&cli, name, sure] { return erase(cli.global, cli.environment, *name, *sure); });
  erase_app->add_option("tenant", *name, "its name")->required();
  erase_app->add_flag("--yes", *sure, "really");
}

}  // namespace castiel::app
