// What an operator does with failures: dlq and quarantine. Each is an operation of the API; a replay is
// rehearsed first, and a confirmed one is followed until its outcome is known.

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "app/impl/command_line.hpp"

namespace castiel::app {

namespace {

constexpr Duration kBetweenLooks = std::chrono::milliseconds(100);

struct LetterArguments {
  std::string area;  // dlq or quarantine
  std::vector<std::string> ids;
  std::string queue, cause, state, by;
  bool all = false, confirm = false;
  std::int64_t count = -1;
  std::int64_t wait = 30;
};

Result<Backend> open_backend(const Cli& cli) {
  CASTIEL_ASSIGN(auto options, program_options(cli.global, cli.environment, false));
  options.create = false;
  return Backend::open(std::move(options), cli.environment.clock, cli.environment.random);
}

api::Call call_with(const Cli& cli, const LetterArguments& arguments) {
  api::Call call;
  call.actor = "command line";
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) call.parameters.add(name, value);
  };
  add("tenant", cli.global.tenant);
  add("queue", arguments.queue);
  add("cause", arguments.cause);
  add("state", arguments.state);
  add("by", arguments.by);
  add("ids", fmt::format("{}", fmt::join(arguments.ids, ",")));
  if (arguments.all) call.parameters.add("all", "true");
  return call;
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return "–";
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

// Each item of an operation's list, page after page. Gives the exit status, or nothing to go on with.
template <class Visit>
std::optional<int> each_item(Backend& backend, const Cli& cli, const std::string& operation,
                             const api::Call& call, Visit visit) {
  std::string cursor;
  do {
    auto page_call = call;
    page_call.parameters.add("limit", "200");
    if (!cursor.empty()) page_call.parameters.add("cursor", cursor);
    const auto page = backend.run(operation, page_call);
    if (!page) return fail(page.error(), cli.global.json);
    for (const auto& item : page->at("items").as_array()) {
      if (cli.global.json) {
        print_line(item);
      } else {
        visit(item.as_object());
      }
    }
    cursor = string_or(page->as_object(), "next");
  } while (!cursor.empty());
  return std::nullopt;
}

void print_letter(const json::object& letter) {
  fmt::print("{}  {}  {}  {}\n    {}\n", text_of(letter, "id"), text_of(letter, "at"),
             text_of(letter, "tenant"), text_of(letter, "queue"), text_of(letter, "message"));
  fmt::print("    cause {}", text_of(letter, "cause"));
  if (const auto key = string_or(letter, "key"); !key.empty()) fmt::print("  key {}", key);
  if (const auto reason = string_or(letter, "reason"); !reason.empty())
    fmt::print("  set apart by {}", reason);
  if (const auto outcome = string_or(letter, "outcome"); !outcome.empty())
    fmt::print("  replayed: {}", outcome);
  fmt::print("\n");
  if (const auto fix = string_or(letter, "fix"); !fix.empty()) fmt::print("    {}\n", fix);
}

void print_group(const json::object& group) {
  fmt::print("{:>7}  {}  {} to {}, such as {}\n", text_of(group, "count"), text_of(group, "key"),
             text_of(group, "oldest"), text_of(group, "newest"), text_of(group, "example"));
  if (const auto pattern = string_or(group, "pattern"); !pattern.empty())
    fmt::print("         {}\n", pattern);
}

int list(Cli& cli, const LetterArguments& arguments) {
  auto backend = open_backend(cli);
  if (!backend) return fail(backend.error(), cli.global.json);
  const auto call = call_with(cli, arguments);
  if (arguments.by.empty())
    return each_item(*backend, cli, arguments.area, call, print_letter).value_or(kDone);
  const auto groups = backend->run(arguments.area + ".groups", call);
  if (!groups) return fail(groups.error(), cli.global.json);
  for (const auto& group : groups->at("items").as_array()) {
    if (cli.global.json) {
      print_line(group);
    } else {
      print_group(group.as_object());
    }
  }
  return kDone;
}

void print_whole(const json::object& letter) {
  print_letter(letter);
  fmt::print("    {} deliveries, {} times with this cause; trace {}\n", text_of(letter, "deliveries"),
             text_of(letter, "repeats"), text_of(letter, "correlationId"));
  if (const auto pointer = string_or(letter, "pointer"); !pointer.empty()) fmt::print("    at {}\n", pointer);
  if (const auto before = string_or(letter, "replayOf"); !before.empty())
    fmt::print("    replay of {}\n", before);
  for (const auto& error : letter.at("errors").as_array()) {
    const auto& e = error.as_object();
    fmt::print("    {}  {}: {}\n", text_of(e, "at"), text_of(e, "code"), text_of(e, "message"));
  }
  fmt::print("{}\n", text_of(letter, "payload"));
}

int show(Cli& cli, const LetterArguments& arguments) {
  auto backend = open_backend(cli);
  if (!backend) return fail(backend.error(), cli.global.json);
  for (const auto& id : arguments.ids) {
    auto call = call_with(cli, {});
    call.parameters.add("id", id);
    const auto letter = backend->run(arguments.area + ".get", call);
    if (!letter) return fail(letter.error(), cli.global.json);
    if (cli.global.json) {
      print_line(*letter);
    } else {
      print_whole(letter->as_object());
    }
  }
  return kDone;
}

void print_rehearsed(const json::object& told) {
  const auto would = string_or(told, "would");
  fmt::print("{}  {}{}\n", text_of(told, "id"),
             would == "effect"    ? "would be handled: "
             : would == "fails"   ? "would fail again"
             : would == "retries" ? "would be tried again later"
             : would == "waits"   ? "would wait: "
                                  : "",
             would == "fails" || would == "retries" ? "" : text_of(told, "summary"));
  for (const auto& item : told.at("shards").as_array()) {
    const auto& shard = item.as_object();
    fmt::print("    {} {} {} {}\n", text_of(shard, "effect"), text_of(shard, "type"),
               text_of(shard, "externalId"), text_of(shard, "name"));
    for (const auto& f : shard.at("fields").as_array()) {
      const auto& field = f.as_object();
      const bool had = field.at("before").is_string(), has = field.at("after").is_string();
      fmt::print("      {} {}: {}{}{}\n",
                 !had   ? '+'
                 : !has ? '-'
                        : '~',
                 text_of(field, "field"), had ? text_of(field, "before") : "", had && has ? " → " : "",
                 has ? text_of(field, "after") : "");
    }
    if (const auto more = int_or(shard, "moreFields", 0); more > 0)
      fmt::print("      and {} more fields\n", more);
  }
  for (const auto& item : told.at("errors").as_array()) {
    const auto& error = item.as_object();
    fmt::print("    ! {}: {}\n", text_of(error, "code"), text_of(error, "message"));
  }
  for (const auto& item : told.at("events").as_array()) {
    const auto& event = item.as_object();
    fmt::print("    → {} ({})\n", text_of(event, "type"), text_of(event, "records"));
  }
}

int rehearse(Cli& cli, Backend& backend, const LetterArguments& arguments) {
  std::int64_t total = 0, good = 0;
  const auto status = each_item(backend, cli, arguments.area + ".replay", call_with(cli, arguments),
                                [&](const json::object& told) {
                                  ++total;
                                  if (string_or(told, "would") == "effect") ++good;
                                  print_rehearsed(told);
                                });
  if (status) return *status;
  if (!cli.global.json) {
    fmt::print("A dry run: nothing was changed. {} of {} would be handled; do it with --confirm.\n", good,
               total);
  }
  return kDone;
}

struct Outcomes {
  std::int64_t effect = 0, dead = 0, pending = 0;
};
Result<Outcomes> outcomes_of(const Cli& cli, Backend& backend, const LetterArguments& arguments) {
  auto filter = arguments;
  filter.ids.clear();
  filter.all = false;
  CASTIEL_ASSIGN(const auto told, backend.run(arguments.area + ".replays", call_with(cli, filter)));
  const auto& o = told.as_object();
  return Outcomes{int_or(o, "effect", 0), int_or(o, "dead", 0), int_or(o, "pending", 0)};
}

// Waits until what was replayed has ended; without a server its messages are handled here.
Result<Outcomes> follow(const Cli& cli, Backend& backend, const LetterArguments& arguments,
                        const Outcomes& before) {
  const auto deadline = Deadline::after(cli.environment.clock, std::chrono::seconds(arguments.wait));
  if (backend.local() != nullptr && arguments.wait > 0) backend.local()->start_workers();
  for (;;) {
    CASTIEL_ASSIGN(auto now, outcomes_of(cli, backend, arguments));
    if (now.pending <= before.pending || deadline.passed()) {
      if (backend.local() != nullptr) backend.local()->stop_workers();
      return Outcomes{now.effect - before.effect, now.dead - before.dead, now.pending};
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

int replay(Cli& cli, const LetterArguments& arguments) {
  auto backend = open_backend(cli);
  if (!backend) return fail(backend.error(), cli.global.json);
  if (!arguments.confirm) return rehearse(cli, *backend, arguments);
  const auto before = outcomes_of(cli, *backend, arguments);
  if (!before) return fail(before.error(), cli.global.json);
  auto call = call_with(cli, arguments);
  call.parameters.add("confirm", "true");
  auto done = backend->run(arguments.area + ".replay", call);
  if (!done) return fail(done.error(), cli.global.json);
  auto& answer = done->as_object();
  const auto replayed = int_or(answer, "replayed", 0);
  Outcomes outcomes;
  if (replayed > 0) {
    const auto followed = follow(cli, *backend, arguments, *before);
    if (!followed) return fail(followed.error(), cli.global.json);
    outcomes = *followed;
  }
  answer["effect"] = outcomes.effect;
  answer["dead"] = outcomes.dead;
  answer["pending"] = outcomes.pending;
  answer["successRate"] = outcomes.effect + outcomes.dead == 0
                              ? json::value(nullptr)
                              : json::value(static_cast<double>(outcomes.effect) /
                                            static_cast<double>(outcomes.effect + outcomes.dead));
  if (cli.global.json) {
    print_line(answer);
  } else {
    for (const auto& item : answer.at("items").as_array()) {
      if (const auto detail = string_or(item.as_object(), "detail"); !detail.empty())
        fmt::print("{}\n", detail);
    }
    fmt::print("{} replayed, {} were already, {} cannot be.", replayed, int_or(answer, "already", 0),
               int_or(answer, "impossible", 0));
    if (replayed > 0) {
      fmt::print(" {} had their effect, {} failed again, {} have not ended yet.", outcomes.effect,
                 outcomes.dead, outcomes.pending);
    }
    fmt::print("\n");
  }
  return outcomes.dead > 0 || int_or(answer, "impossible", 0) > 0 ? kDoneWithProblems : kDone;
}

int purge(Cli& cli, const LetterArguments& arguments) {
  auto backend = open_backend(cli);
  if (!backend) return fail(backend.error(), cli.global.json);
  auto call = call_with(cli, arguments);
  if (arguments.count >= 0) call.parameters.add("count", std::to_string(arguments.count));
  const auto done = backend->run("dlq.purge", call);
  if (!done) return fail(done.error(), cli.global.json);
  if (cli.global.json) {
    print_line(*done);
  } else {
    fmt::print("{} purged.\n", int_or(done->as_object(), "purged", 0));
  }
  return kDone;
}

int block(Cli& cli, const LetterArguments& arguments, bool on) {
  auto backend = open_backend(cli);
  if (!backend) return fail(backend.error(), cli.global.json);
  const auto done = backend->run(on ? "quarantine.block" : "quarantine.unblock", call_with(cli, arguments));
  if (!done) return fail(done.error(), cli.global.json);
  if (cli.global.json) {
    print_line(*done);
  } else {
    fmt::print("{} is {}blocked for {} tenants more.\n", text_of(done->as_object(), "cause"), on ? "" : "un",
               done->at("tenants").as_array().size());
  }
  return kDone;
}

struct Sub {
  CLI::App* app;
  std::shared_ptr<LetterArguments> arguments;
};

Sub add_sub(Cli& cli, CLI::App& parent, const std::string& area, const std::string& name,
            const std::string& help, const std::string& examples, int (*run)(Cli&, const LetterArguments&)) {
  auto arguments = std::make_shared<LetterArguments>();
  arguments->area = area;
  auto* app = parent.add_subcommand(name, help);
  app->add_option("--tenant", cli.global.tenant, "only this tenant's");
  app->footer("Examples:\n" + examples);
  app->callback([&cli, arguments, run] {
    cli.chosen = [cli, arguments, run]() mutable { return run(cli, *arguments); };
  });
  return {app, arguments};
}

void add_choice(const Sub& sub) {
  sub.app->add_option("ids", sub.arguments->ids, "ids of letters");
  sub.app->add_flag("--all", sub.arguments->all, "all that are open");
  sub.app->add_option("--cause", sub.arguments->cause, "all of this cause, as `list --by cause` names it");
  sub.app->add_option("--queue", sub.arguments->queue, "all of this queue");
}

void add_common(Cli& cli, CLI::App& parent, const std::string& area) {
  const auto ex = [&](const std::string& rest) { return "  castiel " + area + " " + rest + "\n"; };
  const auto listing = add_sub(cli, parent, area, "list", "the open ones, or how many there are of what",
                               ex("list --tenant acme --json") + ex("list --by cause") +
                                   ex("list --state replayed --cause key_collision:0a1b2c3d4e"),
                               list);
  listing.app->add_option("--by", listing.arguments->by,
                          "count them by cause, queue, tenant, type or outcome");
  listing.app->add_option("--queue", listing.arguments->queue, "only of this queue");
  listing.app->add_option("--cause", listing.arguments->cause, "only of this cause");
  listing.app->add_option(
      "--state", listing.arguments->state,
      area == "dlq" ? "open (default), replayed, purged or any" : "open (default), replayed or any");
  const auto showing = add_sub(cli, parent, area, "show",
                               area == "dlq" ? "with the errors and the original message"
                                             : "with the history; personal data is masked",
                               ex("show 01J… --json"), show);
  showing.app->add_option("ids", showing.arguments->ids, "ids of letters")->required();
  const auto replaying =
      add_sub(cli, parent, area, "replay", "say what each would do now, and with --confirm put them back",
              ex("replay 01J…                       what would it change today") +
                  ex("replay --cause key_collision:0a1b2c3d4e") + ex("replay --all --tenant acme --confirm"),
              replay);
  add_choice(replaying);
  replaying.app->add_flag("--confirm", replaying.arguments->confirm, "do it: they go back into their queues");
  replaying.app->add_option("--wait", replaying.arguments->wait,
                            "seconds to wait for what becomes of them (default 30; 0: do not wait)");
}

}  // namespace

void add_letters(Cli& cli) {
  auto* dlq = cli.app.add_subcommand("dlq", "dead letters: list, show, replay, purge");
  dlq->footer(
      "Examples:\n  castiel dlq list --by cause\n  castiel dlq show 01J… --json\n  castiel dlq replay 01J…   "
      "       "
      "a dry run\n  castiel dlq replay --all --tenant acme --confirm\n  castiel dlq purge --cause "
      "wrong_field_count:0a1b2c3d4e --count 12");
  dlq->require_subcommand(1);
  add_common(cli, *dlq, "dlq");
  const auto purging =
      add_sub(cli, *dlq, "dlq", "purge", "give up: those named, or all of a choice with its count",
              "  castiel dlq purge 01J…\n  castiel dlq purge --all --tenant acme --count 12\n", purge);
  add_choice(purging);
  purging.app->add_option("--count", purging.arguments->count,
                          "how many these are, as list says; needed unless ids are given");

  auto* quarantine =
      cli.app.add_subcommand("quarantine", "messages set apart: list, show, replay, block, unblock");
  quarantine->footer(
      "Examples:\n  castiel quarantine list --by cause\n  castiel quarantine replay 01J… --confirm\n  "
      "castiel "
      "quarantine block crashed:0a1b2c3d4e --tenant acme");
  quarantine->require_subcommand(1);
  add_common(cli, *quarantine, "quarantine");
  for (const bool on : {true, false}) {
    const std::string name = on ? "block" : "unblock";
    const auto blocking = add_sub(
        cli, *quarantine, "quarantine", name,
        on ? "send messages of a cause here at their first failure"
           : "handle messages of a cause as any again",
        "  castiel quarantine " + name + " crashed:0a1b2c3d4e --tenant acme\n  castiel quarantine " + name +
            " 01J…\n",
        on ? [](Cli& c, const LetterArguments& a) { return block(c, a, true); }
           : [](Cli& c, const LetterArguments& a) { return block(c, a, false); });
    blocking.app
        ->add_option("cause", blocking.arguments->cause, "the cause, or the id of a letter that has it")
        ->required();
  }
}

}  // namespace castiel::app
