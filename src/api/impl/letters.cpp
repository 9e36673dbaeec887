// Dead letters and the quarantine: what could not be handled, and what a person does about it. Views across
// tenants and of payloads, and every change, are audited with the tenant they concern.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "api/impl/letter_calls.hpp"
#include "base/settings.hpp"

namespace castiel::api::impl {
namespace {

using storage::LetterGrouping;
using storage::LetterPlace;

Result<json::value> list(Services& services, const Call& call, LetterPlace place) {
  CASTIEL_ASSIGN(const auto limit, limit_of(call));
  CASTIEL_ASSIGN(auto query, letter_query(call, place));
  query.limit = limit + 1;
  query.with_payload = false;
  CASTIEL_ASSIGN(auto found, find_letters(services, call, query));
  json::value next;
  if (found.size() > limit) {
    found.resize(limit);
    next = found.back().id;
  }
  json::array items;
  std::set<TenantId> seen;
  for (const auto& letter : found) {
    items.push_back(letter_json(letter));
    seen.insert(letter.tenant);
  }
  if (!for_one_tenant(call)) {
    for (const auto& tenant : seen)
      CASTIEL_TRY(audit_alone(services, tenant, call, fmt::format("{}.list", area_of(place)), ""));
  }
  return page(std::move(items), std::move(next));
}

Result<std::vector<storage::LetterGroup>> groups_of(Services& services, const Call& call,
                                                    const storage::LetterQuery& query, LetterGrouping by) {
  if (for_one_tenant(call)) {
    CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
    return reader->letter_groups(query, by);
  }
  CASTIEL_ASSIGN(const auto view, services.store.operator_view());
  return view->letter_groups(query, by);
}

Result<json::value> groups(Services& services, const Call& call, LetterPlace place) {
  static const std::map<std::string, LetterGrouping> kBy = {{"cause", LetterGrouping::cause},
                                                            {"queue", LetterGrouping::queue},
                                                            {"tenant", LetterGrouping::tenant},
                                                            {"type", LetterGrouping::type},
                                                            {"outcome", LetterGrouping::outcome}};
  const auto by = call.parameters.string_or("by", "cause");
  CASTIEL_ASSIGN(const auto query, letter_query(call, place));
  CASTIEL_ASSIGN(const auto found, groups_of(services, call, query, kBy.at(by)));
  json::array items;
  for (const auto& group : found) {
    json::object item{{"by", by},
                      {"key", by == "outcome" && group.key.empty() ? "pending" : group.key},
                      {"count", group.count},
                      {"oldest", to_string(group.oldest)},
                      {"newest", to_string(group.newest)},
                      {"example", group.example}};
    if (by == "cause") {
      item["code"] = group.code;
      item["message"] = group.message;
      item["pattern"] = messaging::normalised(group.message, "");
    }
    items.push_back(std::move(item));
  }
  return page(std::move(items));
}

// How replays ended: what is known of all, and the share of effects among those that ended.
Result<json::value> replays(Services& services, const Call& call, LetterPlace place) {
  CASTIEL_ASSIGN(auto query, letter_query(call, place));
  query.state = "replayed";
  CASTIEL_ASSIGN(const auto found, groups_of(services, call, query, LetterGrouping::outcome));
  std::int64_t effect = 0, dead = 0, pending = 0;
  for (const auto& group : found)
    (group.key == "effect" ? effect : group.key == "dead" ? dead : pending) += group.count;
  json::object answer{
      {"replayed", effect + dead + pending}, {"effect", effect}, {"dead", dead}, {"pending", pending}};
  answer["successRate"] = effect + dead == 0
                              ? json::value(nullptr)
                              : json::value(static_cast<double>(effect) / static_cast<double>(effect + dead));
  return answer;
}

json::array errors_json(const std::vector<storage::Failure>& errors) {
  json::array list;
  for (const auto& f : errors)
    list.push_back({{"at", to_string(f.at)}, {"code", f.code}, {"message", f.message}});
  return list;
}

// The attributes of the original message; of the quarantine's record, that is all that is shown besides.
json::object metadata_json(const storage::DeadLetter& letter) {
  json::object metadata;
  const auto event = parse_json(letter.payload);
  const auto* object = event ? event->if_object() : nullptr;
  if (object == nullptr) return metadata;
  for (const auto& [name, value] : *object) {
    if (name != "data" && !value.is_structured()) metadata[name] = value;
  }
  return metadata;
}

Result<json::value> show(Services& services, const Call& call, LetterPlace place) {
  const auto id = call.parameters.string_or("id");
  CASTIEL_ASSIGN(const auto letter, one_letter(services, call, place, id));
  auto result = letter_json(letter);
  result["errors"] = errors_json(letter.errors);
  result["metadata"] = metadata_json(letter);
  // What is sensitive in a quarantined message is for nobody's eyes: it is kept for its replay alone.
  result["payload"] = place == LetterPlace::dead ? letter.payload : letter.shown;
  CASTIEL_TRY(audit_alone(services, letter.tenant, call, fmt::format("{}.get", area_of(place)), id));
  return result;
}

Result<json::value> purge_chosen(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto choice, choice_of(call, LetterPlace::dead));
  if (choice.ids.empty()) {
    // Nobody purges more than they have seen.
    std::int64_t present = 0;
    auto query = choice.query;
    CASTIEL_ASSIGN(const auto found, groups_of(services, call, query, LetterGrouping::queue));
    for (const auto& group : found) present += group.count;
    CASTIEL_ASSIGN(const auto expected, call.parameters.integer_or("count", -1, -1, INT64_MAX));
    if (expected != present) {
      return permanent("conflict", fmt::format("these are {} dead letters: give count={} to purge them",
                                               present, present));
    }
  }
  const auto run = [&]() -> Result<json::value> {
    std::int64_t purged = 0;
    CASTIEL_TRY(each_page(services, call, choice, kMaxReplayed,
                          [&](const std::vector<storage::DeadLetter>& letters) -> Result<> {
                            std::map<TenantId, std::vector<std::string>> ids;
                            for (const auto& letter : letters) {
                              if (letter.state != "dead")
                                return permanent("conflict", fmt::format("dead letter {} is {} already",
                                                                         letter.id, letter.state));
                              ids[letter.tenant].push_back(letter.id);
                            }
                            for (const auto& [tenant, mine] : ids) {
                              CASTIEL_ASSIGN(auto tx, begin(services, tenant));
                              for (const auto& id : mine) {
                                auto done = tx->set_dead_letter_state(id, "purged");
                                if (!done && done.error().code == "not_found")
                                  return permanent(
                                      "conflict", fmt::format("dead letter {} was dealt with meanwhile", id));
                                CASTIEL_TRY(done);
                                CASTIEL_TRY(audit(*tx, services, call, "dlq.purge", id));
                              }
                              CASTIEL_TRY(tx->commit());
                              purged += static_cast<std::int64_t>(mine.size());
                            }
                            return {};
                          }));
    return json::object{{"purged", purged}};
  };
  if (for_one_tenant(call)) {
    CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
    return once(services, reader->tenant(), "dlq.purge", call, run);
  }
  if (choice.ids.size() == 1) {
    CASTIEL_ASSIGN(const auto letter, one_letter(services, call, LetterPlace::dead, choice.ids.front()));
    return once(services, letter.tenant, "dlq.purge", call, run);
  }
  return run();
}

// The tenants a block is for: the one named, else all.
Result<std::vector<TenantId>> tenants_meant(Services& services, const Call& call) {
  if (for_one_tenant(call)) {
    CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
    return std::vector{reader->tenant()};
  }
  CASTIEL_ASSIGN(const auto view, services.store.operator_view());
  CASTIEL_ASSIGN(const auto all, view->tenants());
  std::vector<TenantId> tenants;
  for (const auto& info : all) tenants.push_back(info.tenant);
  return tenants;
}

Result<json::value> set_block(Services& services, const Call& call, bool block) {
  auto signature = call.parameters.string_or("cause");
  std::vector<TenantId> tenants;
  // The cause itself, or a letter that has it.
  if (signature.find(':') == std::string::npos) {
    const auto view = services.store.operator_view();
    if (!view) return std::unexpected(view.error());
    CASTIEL_ASSIGN(const auto owner, (*view)->tenant_of_dead_letter(signature));
    if (!owner)
      return permanent(
          "invalid_parameter",
          fmt::format("'{}' is neither a cause, such as key_collision:0a1b2c3d4e, nor a letter's id",
                      signature));
    CASTIEL_ASSIGN(const auto reader, services.store.read(*owner));
    CASTIEL_ASSIGN(const auto letter, reader->dead_letter(signature));
    if (!letter || (for_one_tenant(call) && call.parameters.string_or("tenant") != owner->str()))
      return no_letter(LetterPlace::quarantine, signature);
    signature = letter->signature;
    tenants = {*owner};
  } else {
    CASTIEL_ASSIGN(tenants, tenants_meant(services, call));
  }
  json::array changed;
  for (const auto& tenant : tenants) {
    CASTIEL_ASSIGN(const auto settings, services.settings.of(tenant));
    auto blocked = settings.get(settings::kQuarantineBlocked);
    const auto at = std::ranges::find(blocked, signature);
    if ((at != blocked.end()) == block) continue;
    if (block) {
      blocked.push_back(signature);
    } else {
      blocked.erase(at);
    }
    CASTIEL_TRY(services.settings.set(tenant, "quarantine.blocked",
                                      fmt::format("{}", fmt::join(blocked, ",")), call.actor));
    CASTIEL_TRY(
        audit_alone(services, tenant, call, block ? "quarantine.block" : "quarantine.unblock", signature));
    changed.push_back(json::value(tenant.str()));
  }
  return json::object{{"cause", signature}, {"blocked", block}, {"tenants", std::move(changed)}};
}

Result<json::value> blocked(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto tenants, tenants_meant(services, call));
  json::array items;
  for (const auto& tenant : tenants) {
    CASTIEL_ASSIGN(const auto settings, services.settings.of(tenant));
    for (const auto& cause : settings.get(settings::kQuarantineBlocked))
      items.push_back({{"tenant", tenant.str()}, {"cause", cause}});
  }
  return page(std::move(items));
}

using Run = Result<json::value> (*)(Services&, const Call&, LetterPlace);
auto at(Run run, LetterPlace place) {
  return [run, place](Services& services, const Call& call) { return run(services, call, place); };
}

std::vector<http::Parameter> with(std::vector<http::Parameter> all, std::vector<http::Parameter> more) {
  std::ranges::move(more, std::back_inserter(all));
  return all;
}

// What both places have.
std::vector<Operation> common_operations(LetterPlace place) {
  const bool dead = place == LetterPlace::dead;
  const std::string area(area_of(place)), base = "/api/v1/" + area;
  const auto queue = text_parameter("queue", "Only of this queue");
  const auto cause = text_parameter("cause", "Only of this cause");
  const auto state =
      text_parameter("state", "Without it the open ones",
                     dead ? std::vector<std::string>{"open", "any", "dead", "replayed", "purged"}
                          : std::vector<std::string>{"open", "any", "held", "replayed"});
  const auto confirm =
      flag_parameter("confirm", "Without it nothing is done: the answer tells what would happen");
  const std::string replay_words =
      "A dry run unless `confirm` is true: what each message would do with today's mapping, field by field, "
      "or the "
      "error it would end in. Confirmed, they go back into their queues, once each, in the order they came, "
      "no "
      "faster than the setting replay.per_second; at most 10,000 a call.";
  std::vector<Operation> all{
      {area,
       "GET",
       base,
       dead ? "Messages and records that could not be handled" : "Messages set apart: see `reason` and `fix`",
       "operations",
       {tenant_parameter(false), queue, cause, state, limit_parameter(), cursor_parameter()},
       at(list, place),
       "List"},
      {area + ".groups",
       "GET",
       base + "/groups",
       "How many there are by cause, queue, tenant, type or outcome",
       "operations",
       {tenant_parameter(false),
        text_parameter("by", "Without it by cause", {"cause", "queue", "tenant", "type", "outcome"}), queue,
        cause, state},
       at(groups, place),
       "List"},
      {area + ".replays",
       "GET",
       base + "/replays",
       "What became of those that were replayed",
       "operations",
       {tenant_parameter(false), queue, cause},
       at(replays, place),
       "Object"},
      {area + ".get",
       "GET",
       base + "/{id}",
       dead ? "One of them, with the original message and all its errors"
            : "One of them, with its history; what is sensitive in the message is left out",
       "operations",
       {tenant_parameter(false)},
       at(show, place),
       "Object"},
      {area + ".replay", "POST", base + "/replay", "Rehearses or replays several", "operations",
       with(choice_parameters(), {confirm, limit_parameter()}), at(replay_chosen, place), "Object"},
      {area + ".replay-one",
       "POST",
       base + "/{id}/replay",
       "Rehearses or replays one",
       "operations",
       {tenant_parameter(false), confirm},
       at(replay_chosen, place),
       "Object"},
  };
  for (auto& operation : all) {
    if (operation.method == "POST") operation.description = replay_words;
  }
  return all;
}

}  // namespace

std::vector<Operation> letter_operations() {
  auto all = common_operations(LetterPlace::dead);
  for (auto& operation : common_operations(LetterPlace::quarantine)) all.push_back(std::move(operation));
  http::Parameter count = text_parameter("count", "How many these are; needed unless ids are given");
  count.type = http::Parameter::Type::integer;
  const auto cause = text_parameter("cause", "An error signature, or the id of a letter that has it");
  auto needed = cause;
  needed.required = true;
  std::vector<Operation> own{
      {"dlq.purge", "POST", "/api/v1/dlq/purge", "Gives several up; they stay on record as purged",
       "operations", with(choice_parameters(), {count}), purge_chosen, "Object"},
      {"dlq.purge-one",
       "DELETE",
       "/api/v1/dlq/{id}",
       "Gives it up; it stays on record as purged",
       "operations",
       {tenant_parameter(false)},
       purge_chosen,
       "Object"},
      {"quarantine.blocked",
       "GET",
       "/api/v1/quarantine/blocked",
       "The causes that are blocked",
       "operations",
       {tenant_parameter(false)},
       blocked,
       "List"},
      {"quarantine.block",
       "POST",
       "/api/v1/quarantine/block",
       "From now on messages that fail for this cause go to the quarantine at once",
       "operations",
       {tenant_parameter(false), needed},
       [](Services& services, const Call& call) { return set_block(services, call, true); },
       "Object"},
      {"quarantine.unblock",
       "POST",
       "/api/v1/quarantine/unblock",
       "Ends that",
       "operations",
       {tenant_parameter(false), needed},
       [](Services& services, const Call& call) { return set_block(services, call, false); },
       "Object"},
  };
  std::ranges::move(own, std::back_inserter(all));
  return all;
}

}  // namespace castiel::api::impl
