#include <fmt/format.h>

#include "app/impl/command_line.hpp"
#include "content/values.hpp"

namespace castiel::app {

namespace {

constexpr auto kWriteDeadline = std::chrono::seconds(10);

// Opens the program in this process: settings are shown and changed, and tenants erased, while no server
// runs.
Result<std::unique_ptr<Program>> open_here(const GlobalOptions& global, const Environment& environment) {
  CASTIEL_ASSIGN(auto options, program_options(global, environment, false));
  options.create = false;
  return Program::open(std::move(options), environment.clock, environment.random);
}

int create(const GlobalOptions& global, const Environment& environment, const std::string& name) {
  const auto tenant = parse_tenant_id(name);
  if (!tenant) return fail(tenant.error(), global.json);
  auto options = program_options(global, environment, false);
  if (!options) return fail(options.error(), global.json);
  auto backend = Backend::open(std::move(*options), environment.clock, environment.random);
  if (!backend) return fail(backend.error(), global.json);
  api::Call call;
  call.local = true;
  call.body = {{"tenant", tenant->str()}};
  if (auto made = backend->run("tenants.create", call); !made) return fail(made.error(), global.json);
  if (global.json) {
    print_line({{"tenant", tenant->str()}});
  } else {
    fmt::print("Tenant {} is there.\n", tenant->str());
  }
  return kDone;
}

int show(const GlobalOptions& global, const Environment& environment, const std::string& name) {
  auto program = open_here(global, environment);
  if (!program) return fail(program.error(), global.json);
  const auto settings = (*program)->tenant_settings().list(TenantId(name));
  if (!settings) return fail(settings.error(), global.json);
  json::object object;
  for (const auto& s : *settings) {
    if (global.json) {
      object[s.spec->key] = json::object{{"value", s.value}, {"origin", to_string(s.origin)}};
    } else {
      fmt::print("{:<36} {:<24} {}\n", s.spec->key, s.value, to_string(s.origin));
    }
  }
  if (global.json) print_line({{"tenant", name}, {"settings", object}});
  return kDone;
}

int set(const GlobalOptions& global, const Environment& environment, const std::string& name,
        const std::vector<std::string>& pairs) {
  std::vector<std::pair<std::string, std::string>> changes;
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      return fail({"invalid_setting",
                   fmt::format("give settings as key=value, not '{}'", pair),
                   ErrorClass::permanent,
                   {}},
                  global.json);
    changes.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    if (changes.back().first != settings::kTimezone.key()) continue;
    // The table of settings knows the shape of a name, not which zones there are.
    if (const auto zone = content::TimeZone::find(changes.back().second); !zone)
      return fail({"invalid_setting", zone.error().describe(), ErrorClass::permanent, {}}, global.json);
  }
  auto program = open_here(global, environment);
  if (!program) return fail(program.error(), global.json);
  if (auto done = (*program)->tenant_settings().set(TenantId(name), changes, "command line"); !done)
    return fail(done.error(), global.json);
  if (global.json) print_line({{"tenant", name}, {"changed", changes.size()}});
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
  auto program = open_here(global, environment);
  if (!program) return fail(program.error(), global.json);
  const auto known = (*program)->store().tenant_exists(TenantId(name));
  if (!known) return fail(known.error(), global.json);
  if (!*known)
    return fail({"unknown_tenant", fmt::format("there is no tenant '{}'", name), ErrorClass::permanent, {}},
                global.json);
  const auto erased =
      (*program)->store().erase_tenant(TenantId(name), Deadline::after(environment.clock, kWriteDeadline));
  if (!erased) return fail(erased.error(), global.json);
  json::object rows;
  std::int64_t total = 0;
  for (const auto& [table, n] : *erased) {
    rows[table] = n;
    total += n;
  }
  if (global.json) {
    print_line({{"tenant", name}, {"erased", rows}});
  } else {
    fmt::print("Tenant {} is erased: {} rows.\n", name, total);
  }
  return kDone;
}

int list(const GlobalOptions& global, const Environment& environment) {
  auto options = program_options(global, environment, false);
  if (!options) return fail(options.error(), global.json);
  options->create = false;
  auto backend = Backend::open(std::move(*options), environment.clock, environment.random);
  if (!backend) return fail(backend.error(), global.json);
  const auto result = backend->run("tenants", {});
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
  const auto add = [&](const char* command, const char* help, auto run) {
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
