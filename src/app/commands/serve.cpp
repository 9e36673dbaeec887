#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>

#include "api/live_feed.hpp"
#include "api/routes.hpp"
#include "app/dashboard.hpp"
#include "app/impl/command_line.hpp"
#include "http/router.hpp"
#include "http/server.hpp"

namespace castiel::app {

namespace {

constexpr auto kHttpGrace = std::chrono::seconds(5);

struct Address {
  std::string host;
  std::uint16_t port;
};

Result<Address> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  Address address;
  const char* end = text.data() + text.size();
  if (colon == std::string::npos || colon == 0 ||
      std::from_chars(text.data() + colon + 1, end, address.port).ptr != end || colon + 1 == text.size()) {
    return permanent("invalid_parameter", fmt::format("--listen takes HOST:PORT, not '{}'", text));
  }
  address.host = text.substr(0, colon);
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']')
    address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host == "localhost") address.host = "127.0.0.1";
  return address;
}

int serve(const GlobalOptions& global, const Environment& environment, std::string listen,
          const std::string& role) {
  // Blocked before the first thread starts: only the wait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto options = program_options(global, environment, true);
  if (!options) return fail(options.error());
  if (listen.empty()) listen = options->settings.get(settings::kServerListen);
  const auto address = parse_listen(listen);
  if (!address) return fail(address.error());
  if (auto refused = api::refuse_public_bind(address->host); !refused) return fail(refused.error());
  const auto roles = parse_roles(role);
  if (!roles) return fail(roles.error());
  options->roles = *roles;
  const auto socket = storage::DataFolder::socket(options->data).string();

  auto opened = Program::open(std::move(*options), environment.clock, environment.random);
  if (!opened) return fail(opened.error());
  auto& program = **opened;
  auto log = program.log();

  std::atomic<bool> started = false, draining = false;
  auto& services = program.services();
  api::LiveFeed live(services, log);
  services.live = &live;
  services.started = [&] { return started.load(); };
  services.ready = [&] { return started && !draining && program.broker().check().has_value(); };

  http::StaticFiles files;
  add_dashboard(files);
  auto router = http::Router::create(api::routes(services, roles->api ? &files : nullptr));
  if (!router) return fail(router.error());
  http::ServerOptions server_options;
  server_options.address = roles->api ? address->host : "";
  server_options.port = address->port;
  server_options.socket_path = socket;
  server_options.workers = static_cast<int>(program.settings().get(settings::kServerWorkers));
  auto server =
      http::Server::start(server_options, router->handler(), environment.clock, log, &program.metrics());
  if (!server) return fail(server.error());
  live.start();
  program.start_workers();
  if (roles->sync) {
    if (auto imports = program.start_imports(); !imports) return fail(imports.error());
  }
  program.start_retention();
  if (roles->sync) program.start_reconciliation();
  started = true;
  log.info("serving",
           {{"address", address->host}, {"port", (*server)->port()}, {"data", global.data}, {"role", role}});
  if (roles->api && stderr_is_terminal()) {
    fmt::print(stderr, "Castiel serves on http://{}:{}  (Ctrl-C stops it)\n",
               address->host.find(':') == std::string::npos ? address->host : "[" + address->host + "]",
               (*server)->port());
  }

  int received = 0;
  sigwait(&signals, &received);
  draining = true;
  log.info("draining", {{"signal", received}});
  // A second signal, or a drain that takes longer than its limit, ends the process where it stands: nothing
  // is lost then either, what was in work comes again at the next start.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  ::signal(SIGALRM, [](int) { _exit(1); });
  ::alarm(static_cast<unsigned>(program.settings().get(settings::kShutdownDrain).count() / 1'000'000));
  live.stop();
  (*server)->stop(kHttpGrace);
  server->reset();
  opened->reset();  // imports and workers finish their steps
  ::alarm(0);
  log.info("stopped");
  log.flush();
  return kDone;
}

}  // namespace

void add_serve(Cli& cli) {
  auto* command =
      cli.app.add_subcommand("serve", "serve the API and the dashboard, and do the work in the queues");
  command->footer("Examples:\n  castiel serve\n  castiel serve --data /srv/castiel --listen 127.0.0.1:9000");
  auto listen = std::make_shared<std::string>();
  auto role = std::make_shared<std::string>("all");
  command->add_option("--listen", *listen,
                      "HOST:PORT (default from the setting server.listen, 127.0.0.1:8080)");
  command->add_option("--role", *role, "all, or some of api,sync,processing,linking,intelligence");
  command->callback([&cli, listen, role] {
    cli.chosen = [&cli, listen, role] { return serve(cli.global, cli.environment, *listen, *role); };
  });
}

}  // namespace castiel::app
