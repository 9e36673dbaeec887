// Commands that ask: deals, forecast, shards, trace. Each is an operation of the API with a way to print
// it.

#include <fmt/format.h>

#include <cstdio>

#include "app/impl/command_line.hpp"
#include "base/decimal.hpp"

namespace castiel::app {

namespace {

using Arguments = std::map<std::string, std::string>;

// "12,500.00 EUR" from {"amount","currency"}.
std::string money(const json::value* value) {
  const auto* object = value == nullptr ? nullptr : value->if_object();
  if (object == nullptr) return "–";
  const auto amount = get_string(*object, "amount");
  if (!amount) return "–";
  const auto exact = Decimal::parse(*amount);
  std::string text = exact ? exact->normalized().str() : std::string(*amount);
  auto whole = std::min(text.find('.'), text.size());
  for (auto at = static_cast<std::ptrdiff_t>(whole) - 3; at > (text.starts_with('-') ? 1 : 0); at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  const auto currency = string_or(*object, "currency", "unknown");
  return currency == "unknown" ? text : text + " " + currency;
}

std::string name_of(const json::object& object, std::string_view key) {
  const auto* inner = get_object(object, key);
  return inner == nullptr ? "–" : string_or(*inner, "name", "–");
}

double number(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

// Cut to a number of characters, never inside one.
std::string fit(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && ++count > width) {
      return out.substr(0, out.size()) + "…";
    }
    out += text[i];
  }
  return out + std::string(width - std::min(width, count) + 1, ' ');
}

void print_deal(const json::object& d) {
  const auto* probability = get_object(d, "probability");
  const auto* risk = get_object(d, "risk");
  fmt::print("{}{}{:>18}  {}  {:>4.0f} %  ", fit(string_or(d, "name"), 34),
             fit(string_or(d, "stage", "–"), 20), money(d.if_contains("amount")),
             fit(string_or(d, "closeDate", "–"), 10),
             probability == nullptr ? 0 : number(*probability, "value") * 100);
  fmt::print("risk {:>3.0f}  {}\n", risk == nullptr ? 0 : number(*risk, "score"),
             fit(name_of(d, "owner"), 18));
  if (risk != nullptr) {
    if (const auto* factors = get_array(*risk, "factors")) {
      for (const auto& f : *factors) {
        if (!f.is_object()) continue;
        fmt::print("    {:>+4.0f}  {}\n", number(f.get_object(), "points"),
                   string_or(f.get_object(), "detail"));
      }
    }
  }
  if (const auto* steps = get_array(d, "recommendations")) {
    for (const auto& r : *steps) {
      if (r.is_object())
        fmt::print("     →   {}: {}\n", string_or(r.get_object(), "title"),
                   string_or(r.get_object(), "reason"));
    }
  }
}

void print_forecast(const json::object& f) {
  fmt::print("Forecast as of {} ({}), in {}\n", string_or(f, "asOf"), string_or(f, "asOfReason"),
             string_or(f, "currency"));
  fmt::print("{:<10} {:<22} {:>16} {:>6} {:>16} {:>16} {:>16} {:>16}\n", "period", "", "won", "open",
             "weighted", "P10", "P50", "P90");
  if (const auto* items = get_array(f, "items")) {
    for (const auto& item : *items) {
      const auto& row = item.get_object();
      const auto amount = [&](std::string_view key) {
        const auto* inner = get_object(row, key);
        return inner == nullptr ? std::string("–") : string_or(*inner, "amount", "–");
      };
      fmt::print("{:<10} {}{:>16} {:>6} {:>16} {:>16} {:>16} {:>16}\n", string_or(row, "period"),
                 fit(string_or(row, "group"), 22), amount("won"), int_or(row, "open", 0), amount("weighted"),
                 amount("p10"), amount("p50"), amount("p90"));
    }
  }
  if (const auto* quality = get_object(f, "quality")) {
    fmt::print("Model: {} closed deals, {} won", int_or(*quality, "n", 0), int_or(*quality, "won", 0));
    if (const auto* brier = quality->if_contains("brier"); brier != nullptr && brier->is_number()) {
      fmt::print(", Brier {:.3f} (base rate {:.3f}), calibration error {:.3f}", number(*quality, "brier"),
                 number(*quality, "baseRateBrier"), number(*quality, "ece"));
    }
    fmt::print("\n{}\n", string_or(*quality, "note"));
  }
}

void print_backtest(const json::object& b) {
  fmt::print("{:<22} {:<10} {:>14} {:>14} {:>14} {:>14}\n", "as of", "period", "P10", "P50", "P90", "actual");
  if (const auto* items = get_array(b, "items")) {
    for (const auto& item : *items) {
      const auto& row = item.get_object();
      const auto amount = [&](std::string_view key) {
        const auto* inner = get_object(row, key);
        return inner == nullptr ? std::string("–") : string_or(*inner, "amount", "–");
      };
      fmt::print("{:<22} {:<10} {:>14} {:>14} {:>14} {:>14}  {}\n", string_or(row, "asOf"),
                 string_or(row, "period"), amount("p10"), amount("p50"), amount("p90"), amount("actual"),
                 bool_or(row, "inside", false) ? "inside" : "outside");
    }
  }
  fmt::print("{}\n", string_or(b, "note"));
}

void print_trace(const json::object& t) {
  fmt::print("{}\n", string_or(t, "correlationId"));
  if (const auto* items = get_array(t, "items")) {
    for (const auto& item : *items) {
      const auto& row = item.get_object();
      fmt::print("  {}  {}{}{}{}\n", fit(string_or(row, "at"), 27), fit(string_or(row, "stage"), 22),
                 fit(string_or(row, "kind"), 12), fit(string_or(row, "type"), 24), string_or(row, "text"));
    }
  }
}

void print_flat(const json::object& o) {
  std::string line;
  for (const auto& [key, value] : o) {
    if (value.is_structured() || value.is_null()) continue;
    const std::string text = value.is_string() ? std::string(value.get_string()) : json::serialize(value);
    if (!line.empty()) line += "  ";
    line += fmt::format("{}={}", std::string_view(key), fit(text, 60));
    while (line.ends_with(' ')) line.pop_back();
  }
  fmt::print("{}\n", line);
}

void print_items(const json::object& page) {
  const auto* items = get_array(page, "items");
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    if ((*items)[i].is_object()) print_flat((*items)[i].get_object());
  }
}

void print_found(const json::object& answer) {
  const auto* items = get_array(answer, "items");
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    const auto& hit = (*items)[i].get_object();
    const auto* where = get_object(hit, "locator");
    fmt::print("{}  {}{}{}\n    {}\n", string_or(hit, "date").substr(0, 10), fit(string_or(hit, "type"), 12),
               fit(string_or(hit, "title"), 60), where == nullptr ? "" : json::serialize(*where),
               string_or(hit, "snippet"));
  }
  fmt::print("{} found by {}\n", int_or(answer, "total", 0), string_or(answer, "mode"));
}

struct Query {
  std::string operation;
  Arguments arguments;
  bool list = false;  // an object a line, following the pages
  std::function<void(const json::object&)> print = print_flat;
};

int run_query(const GlobalOptions& global, const Environment& environment, const Query& query) {
  auto options = program_options(global, environment, false);
  if (!options) return fail(options.error(), global.json);
  options->create = false;
  auto backend = Backend::open(std::move(*options), environment.clock, environment.random);
  if (!backend) return fail(backend.error(), global.json);
  std::string cursor;
  for (;;) {
    api::Call call;
    for (const auto& [name, value] : query.arguments) {
      if (!value.empty()) call.parameters.add(name, value);
    }
    if (!global.tenant.empty()) call.parameters.add("tenant", global.tenant);
    if (query.list) call.parameters.add("limit", "500");
    if (!cursor.empty()) call.parameters.add("cursor", cursor);
    const auto result = backend->run(query.operation, call);
    if (!result) return fail(result.error(), global.json);
    if (!query.list || !result->is_object()) {
      if (global.json || !result->is_object()) {
        print_line(*result);
      } else {
        query.print(result->get_object());
      }
      return kDone;
    }
    const auto& page = result->get_object();
    if (const auto* items = get_array(page, "items")) {
      for (const auto& item : *items) {
        if (global.json || !item.is_object()) {
          print_line(item);
        } else {
          query.print(item.get_object());
        }
      }
    }
    cursor = string_or(page, "next");
    if (cursor.empty()) return kDone;
  }
}

// A subcommand whose options become the operation's parameters.
struct QueryCommand {
  CLI::App* app;
  std::shared_ptr<Query> query;
  QueryCommand& option(const std::string& name, const std::string& parameter, const std::string& help,
                       bool required = false) {
    auto* added = app->add_option(name, query->arguments[parameter], help);
    if (required) added->required();
    return *this;
  }
};

QueryCommand add_query(Cli& cli, CLI::App& parent, const std::string& name, const std::string& help,
                       Query query, bool tenant_required = true) {
  auto shared = std::make_shared<Query>(std::move(query));
  auto* app = parent.add_subcommand(name, help);
  auto* tenant = app->add_option("--tenant", cli.global.tenant, "tenant");
  if (tenant_required) tenant->required();
  app->callback([&cli, app, shared] {
    if (!app->get_subcommands().empty())
      return;  // a command's callback runs after its subcommand's: `forecast backtest` is no forecast
    cli.chosen = [&cli, shared] { return run_query(cli.global, cli.environment, *shared); };
  });
  return {app, shared};
}

}  // namespace

void add_queries(Cli& cli) {
  auto deals = add_query(cli, cli.app, "deals",
                         "open opportunities: probability, risk with factors, next steps, evidence",
                         {"deals", {{"detail", "true"}}, true, print_deal});
  deals.option("--as-of", "asOf", "date to look from, YYYY-MM-DD")
      .option("--owner", "owner", "only this owner's")
      .option("--stage", "stage", "only this stage")
      .option("--status", "status", "open (default), won, lost or all")
      .option("--risk", "risk", "high, medium or low")
      .option("--sort", "sort", "-risk (default), probability, -amount, closeDate, name, …");
  deals.app->footer(
      "Examples:\n  castiel deals --tenant acme\n  castiel deals --tenant acme --owner 'Kim Lee' --json");

  auto forecast =
      add_query(cli, cli.app, "forecast", "what will be won: P10, P50 and P90 beside the weighted pipeline",
                {"forecast", {}, false, print_forecast}, false);
  forecast.option("--period", "period", "2017-Q4, 2017-11 or 2017; default the current period and the next")
      .option("--by", "by", "owner or team")
      .option("--as-of", "asOf", "date to look from, YYYY-MM-DD");
  forecast.app->footer(
      "Examples:\n  castiel forecast --tenant acme\n  castiel forecast --tenant acme --period 2026-Q4 --by "
      "owner\n  castiel forecast backtest --tenant acme");
  add_query(cli, *forecast.app, "backtest", "past forecasts against what came",
            {"forecast.backtest", {}, false, print_backtest});
  forecast.app->require_subcommand(0, 1);

  auto* shards = cli.app.add_subcommand("shards", "stored entities: list, get, history");
  shards->footer(
      "Examples:\n  castiel shards list --tenant acme --type opportunity --json\n  castiel shards history "
      "--tenant acme --id 01J…");
  shards->require_subcommand(1);
  add_query(cli, *shards, "list", "all shards, whole", {"shards", {}, true, print_flat})
      .option("--type", "type", "opportunity, account, contact, …")
      .option("--integration", "integration", "only from this source");
  add_query(cli, *shards, "get", "one shard",
            {"shards.get", {}, false, [](const json::object& o) { fmt::print("{}\n", json::serialize(o)); }})
      .option("--id", "id", "the shard's id", true);
  add_query(cli, *shards, "history", "the changes of one shard, oldest first",
            {"shards.history", {}, true, print_flat})
      .option("--id", "id", "the shard's id", true);

  auto trace = add_query(cli, cli.app, "trace", "every event, retry, shard and insight of one flow, in order",
                         {"trace", {}, false, print_trace}, false);
  trace.option("correlation", "correlationId", "correlation id, such as import-…", true);
  trace.app->footer("Example:\n  castiel trace import-01J… --json");

  auto* links = cli.app.add_subcommand("links", "what content is linked to: list, approve, reject, retarget");
  links->footer(
      "Examples:\n  castiel links list --tenant acme --status suggested\n  castiel links approve 01J… "
      "--tenant "
      "acme\n  castiel links retarget 01J… --to 01K… --tenant acme");
  links->require_subcommand(1);
  add_query(cli, *links, "list", "links with their reasons", {"links", {}, true, print_flat})
      .option("--status", "status", "attached, suggested, rejected or ignored")
      .option("--source", "source", "only of this content")
      .option("--target", "target", "only to this shard");
  add_query(cli, *links, "approve", "the link is right", {"links.approve", {}, false, print_flat})
      .option("id,--id", "id", "the link's id", true);
  add_query(cli, *links, "reject", "the link is wrong", {"links.reject", {}, false, print_flat})
      .option("id,--id", "id", "the link's id", true);
  add_query(cli, *links, "retarget", "the content belongs to another shard",
            {"links.retarget", {}, false, print_flat})
      .option("id,--id", "id", "the link's id", true)
      .option("--to,--target", "target", "id of an account, contact or opportunity", true);

  add_query(cli, cli.app, "people", "who has to do with a deal, strongest tie first",
            {"people", {}, false, print_items})
      .option("id,--id", "id", "the deal's id", true)
      .option("--as-of", "asOf", "date to look from, YYYY-MM-DD");

  auto search = add_query(cli, cli.app, "search", "search in all texts, with the places found",
                          {"search", {}, false, print_found});
  search.option("query", "q", "words, \"phrases\" and begin*nings", true)
      .option("--mode", "mode", "hybrid (default), keyword or vector")
      .option("--type", "type", "only in shards of this type")
      .option("--limit", "limit", "at most this many places");
  search.app->footer(
      "Examples:\n  castiel search --tenant acme 'renewal discount'\n  castiel search --tenant acme "
      "'\"data processing\" agree*' --limit 20 --json");

  add_query(cli, cli.app, "queues", "what waits in the queues", {"queues", {}, true, print_flat}, false);
  add_query(cli, cli.app, "imports", "the imports of a tenant", {"imports", {}, true, print_flat});
}

}  // namespace castiel::app
