#include "api/impl/letter_calls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/settings.hpp"
#include "messaging/rehearsal.hpp"

namespace castiel::api::impl {
namespace {

constexpr std::size_t kPage = 100;
constexpr std::string_view kOwner = "castiel";  // of the cursor rows
constexpr std::string_view kNextSlot = "replay/next";

bool is_id(std::string_view text) {
  return text.size() <= 64 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) || c == '-'; });
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

json::value text_or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

json::object rehearsed_json(const storage::DeadLetter& letter, const messaging::Rehearsed& told) {
  json::array shards;
  for (const auto& s : told.shards) {
    json::array fields;
    for (const auto& f : s.fields)
      fields.push_back(
          {{"field", f.field}, {"before", text_or_null(f.before)}, {"after", text_or_null(f.after)}});
    shards.push_back({{"id", s.id.str()},
                      {"type", s.key.type},
                      {"integration", s.key.integration},
                      {"externalId", s.key.external_id},
                      {"name", s.name},
                      {"effect", s.effect},
                      {"fields", std::move(fields)},
                      {"moreFields", s.more_fields}});
  }
  json::array events;
  for (const auto& [type, records] : told.events) events.push_back({{"type", type}, {"records", records}});
  json::array errors;
  for (const auto& e : told.errors)
    errors.push_back({{"code", e.code}, {"message", e.message}, {"pointer", e.pointer}, {"key", e.key}});
  return {{"id", letter.id},
          {"tenant", letter.tenant.str()},
          {"queue", letter.queue},
          {"type", letter.type},
          {"key", letter.key},
          {"cause", letter.signature},
          {"code", letter.code},
          {"correlationId", letter.correlation.str()},
          {"would", told.would},
          {"summary", told.summary},
          {"shards", std::move(shards)},
          {"moreShards", told.more_shards},
          {"events", std::move(events)},
          {"errors", std::move(errors)},
          {"after", told.behind.empty() ? json::value(nullptr) : json::value(told.behind)}};
}

// Letters by tenant, each tenant's in id order.
std::map<TenantId, std::vector<storage::DeadLetter>> by_tenant(std::vector<storage::DeadLetter> letters) {
  std::map<TenantId, std::vector<storage::DeadLetter>> groups;
  for (auto& letter : letters) {
    const auto tenant = letter.tenant;
    groups[tenant].push_back(std::move(letter));
  }
  return groups;
}

Result<json::value> rehearse(Services& services, const Call& call, storage::LetterPlace place,
                             const Choice& choice) {
  if (services.rehearsal == nullptr)
    return permanent("not_available", "this process has no stages to rehearse with");
  CASTIEL_ASSIGN(const auto limit, limit_of(call));
  json::array items;
  std::map<std::string, int> counts;
  CASTIEL_ASSIGN(
      const auto next,
      each_page(services, call, choice, limit, [&](std::vector<storage::DeadLetter> page) -> Result<> {
        for (auto& [tenant, letters] : by_tenant(std::move(page))) {
          CASTIEL_ASSIGN(const auto told, services.rehearsal->rehearse(tenant, letters));
          for (std::size_t i = 0; i < letters.size(); ++i) {
            ++counts[told[i].would];
            items.push_back(rehearsed_json(letters[i], told[i]));
          }
          CASTIEL_TRY(audit_alone(services, tenant, call, fmt::format("{}.rehearse", area_of(place)),
                                  letters.size() == 1 ? letters.front().id : "",
                                  {{"letters", letters.size()}}));
        }
        return {};
      }));
  json::object would;
  for (const auto& [word, n] : counts) would[word] = n;
  auto answer = page(std::move(items), next.empty() ? json::value(nullptr) : json::value(next));
  answer["dryRun"] = true;
  answer["would"] = std::move(would);
  return answer;
}

struct Done {
  std::int64_t replayed = 0, already = 0, impossible = 0;
  json::array items;  // at most kMaxNamed
  Timestamp last_at{0};
};

// One transaction for some letters of one tenant: together or not at all, each once whoever else replays.
Result<> put_back(Services& services, const Call& call, storage::LetterPlace place, const TenantId& tenant,
                  const std::vector<storage::DeadLetter>& letters, Done& done) {
  CASTIEL_ASSIGN(const auto settings, services.settings.of(tenant));
  const Duration gap(1'000'000 / std::max<std::int64_t>(1, settings.get(settings::kReplayPerSecond)));
  CASTIEL_ASSIGN(auto tx, begin(services, tenant));
  const Timestamp now = services.clock.now();
  // When the next may go: replays that come one after another share the rate.
  Timestamp slot = now;
  CASTIEL_ASSIGN(const auto kept, tx->cursor(kOwner, kNextSlot));
  if (kept) {
    std::from_chars(kept->data(), kept->data() + kept->size(), slot.micros);
    slot.micros = std::max(slot.micros, now.micros);
  }
  Done some;
  for (const auto& chosen : letters) {
    CASTIEL_ASSIGN(const auto letter, tx->dead_letter(chosen.id));
    if (!letter) continue;  // kept for long enough since it was listed
    CASTIEL_ASSIGN(const auto put,
                   messaging::put_back(*tx, services.broker, *letter, services.ids, now, slot, call.actor));
    json::object item{
        {"id", chosen.id}, {"tenant", tenant.str()}, {"result", put.done ? "replayed" : put.why_not}};
    if (put.done) {
      ++some.replayed;
      item["messageId"] = put.message_id;
      item["at"] = to_string(slot);
      some.last_at = slot;
      slot = slot + gap;
      CASTIEL_TRY(audit(*tx, services, call, fmt::format("{}.replay", area_of(place)), chosen.id,
                        {{"queue", letter->queue}, {"message", put.message_id}}));
    } else {
      ++(put.why_not == "already" ? some.already : some.impossible);
      item["detail"] = put.detail;
    }
    some.items.push_back(std::move(item));
  }
  if (some.replayed > 0) {
    CASTIEL_TRY(tx->put_cursor(kOwner, kNextSlot, std::to_string(slot.micros)));
    CASTIEL_TRY(tx->commit());
  }
  done.replayed += some.replayed;
  done.already += some.already;
  done.impossible += some.impossible;
  done.last_at = std::max(done.last_at, some.last_at);
  for (auto& item : some.items) {
    if (done.items.size() < kMaxNamed) done.items.push_back(std::move(item));
  }
  if (services.metrics != nullptr && some.replayed > 0) {
    services.metrics
        ->counter(
            {"castiel_replayed_letters_total", "Dead letters and quarantined messages put back.", {"place"}})
        .with({std::string(area_of(place))})
        .add(static_cast<double>(some.replayed));
  }
  return {};
}

Result<json::value> confirm(Services& services, const Call& call, storage::LetterPlace place,
                            const Choice& choice) {
  Done done;
  CASTIEL_ASSIGN(
      const auto next,
      each_page(services, call, choice, kMaxReplayed, [&](std::vector<storage::DeadLetter> page) -> Result<> {
        for (const auto& [tenant, letters] : by_tenant(std::move(page)))
          CASTIEL_TRY(put_back(services, call, place, tenant, letters, done));
        return {};
      }));
  json::object answer{{"dryRun", false},
                      {"replayed", done.replayed},
                      {"already", done.already},
                      {"impossible", done.impossible},
                      {"items", std::move(done.items)},
                      {"more", !next.empty()}};
  answer["lastAt"] = done.replayed > 0 ? json::value(to_string(done.last_at)) : json::value(nullptr);
  return answer;
}

}  // namespace

std::string_view area_of(storage::LetterPlace place) {
  return place == storage::LetterPlace::dead ? "dlq" : "quarantine";
}

bool for_one_tenant(const Call& call) {
  return !call.parameters.string_or("tenant").empty();
}

json::object letter_json(const storage::DeadLetter& letter) {
  json::object result{
      {"id", letter.id},
      {"tenant", letter.tenant.str()},
      {"queue", letter.queue},
      {"type", letter.type},
      {"at", to_string(letter.at)},
      {"deliveries", letter.deliveries},
      {"code", letter.code},
      {"message", letter.message},
      {"pointer", letter.pointer},
      {"key", letter.key},
      {"cause", letter.signature},
      {"repeats", letter.repeats},
      {"correlationId", letter.correlation.str()},
      {"messageId", letter.message_id},
      {"size", letter.size},
      {"state", letter.state},
      {"replayOf", letter.replay_of},
      {"outcome", letter.state == "replayed" && letter.outcome.empty() ? "pending" : letter.outcome},
      {"outcomeId", letter.outcome_id}};
  if (letter.place == storage::LetterPlace::quarantine) {
    result["reason"] = letter.reason;
    result["fix"] = letter.fix;
  }
  return result;
}

Result<storage::LetterQuery> letter_query(const Call& call, storage::LetterPlace place) {
  storage::LetterQuery query;
  query.place = place;
  query.queue = call.parameters.string_or("queue");
  query.signature = call.parameters.string_or("cause");
  query.state = call.parameters.string_or("state", "open");
  query.after = call.parameters.string_or("cursor");
  if (!is_id(query.after)) return invalid_cursor();
  return query;
}

Result<std::vector<storage::DeadLetter>> find_letters(Services& services, const Call& call,
                                                      const storage::LetterQuery& query) {
  if (for_one_tenant(call)) {
    CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
    return reader->letters(query);
  }
  CASTIEL_ASSIGN(const auto view, services.store.operator_view());
  return view->letters(query);
}

std::unexpected<Error> no_letter(storage::LetterPlace place, std::string_view id) {
  return permanent("not_found", place == storage::LetterPlace::dead
                                    ? fmt::format("there is no dead letter {}", id)
                                    : fmt::format("nothing in the quarantine is {}", id));
}

Result<storage::DeadLetter> one_letter(Services& services, const Call& call, storage::LetterPlace place,
                                       const std::string& id) {
  CASTIEL_ASSIGN(const auto view, services.store.operator_view());
  CASTIEL_ASSIGN(const auto owner, view->tenant_of_dead_letter(id));
  if (for_one_tenant(call)) {
    CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
    if (owner != reader->tenant()) return no_letter(place, id);
  }
  if (!owner) return no_letter(place, id);
  CASTIEL_ASSIGN(const auto reader, services.store.read(*owner));
  CASTIEL_ASSIGN(auto letter, reader->dead_letter(id));
  if (!letter || letter->place != place) return no_letter(place, id);
  return std::move(*letter);
}

Result<> audit_alone(Services& services, const TenantId& tenant, const Call& call, std::string_view action,
                     std::string_view target, json::object detail) {
  CASTIEL_ASSIGN(auto tx, begin(services, tenant));
  CASTIEL_TRY(audit(*tx, services, call, action, target, std::move(detail)));
  return tx->commit();
}

Result<Choice> choice_of(const Call& call, storage::LetterPlace place) {
  Choice choice;
  CASTIEL_ASSIGN(choice.query, letter_query(call, place));
  choice.query.state = "open";
  choice.ids = split(call.parameters.string_or("ids"));
  if (const auto* list = get_array(call.body, "ids")) {
    for (const auto& id : *list) {
      if (id.is_string()) choice.ids.emplace_back(id.get_string());
    }
  }
  if (auto id = call.parameters.string_or("id"); !id.empty()) choice.ids.push_back(std::move(id));
  if (choice.ids.size() > kMaxNamed)
    return permanent("invalid_parameter", fmt::format("ids: at most {} of one call", kMaxNamed));
  CASTIEL_ASSIGN(const bool all, call.parameters.bool_or("all", false));
  if (choice.ids.empty() && !all && choice.query.signature.empty() && choice.query.queue.empty()) {
    return permanent("invalid_parameter",
                     "say which: their ids, cause=, queue=, or all=true for every open one");
  }
  std::ranges::sort(choice.ids);
  const auto twice = std::ranges::unique(choice.ids);
  choice.ids.erase(twice.begin(), twice.end());
  return choice;
}

Result<std::string> each_page(Services& services, const Call& call, const Choice& choice, std::size_t most,
                              const std::function<Result<>(std::vector<storage::DeadLetter>)>& visit) {
  if (!choice.ids.empty()) {
    std::vector<storage::DeadLetter> letters;
    for (const auto& id : choice.ids) {
      CASTIEL_ASSIGN(auto letter, one_letter(services, call, choice.query.place, id));
      letters.push_back(std::move(letter));
    }
    CASTIEL_TRY(visit(std::move(letters)));
    return std::string();
  }
  auto query = choice.query;
  for (std::size_t seen = 0; seen < most;) {
    query.limit = std::min(kPage, most - seen) + 1;
    CASTIEL_ASSIGN(auto found, find_letters(services, call, query));
    const bool more = found.size() == query.limit;
    if (more) found.pop_back();
    if (found.empty()) return std::string();
    seen += found.size();
    query.after = found.back().id;
    CASTIEL_TRY(visit(std::move(found)));
    if (!more) return std::string();
  }
  return query.after;
}

Result<json::value> replay_chosen(Services& services, const Call& call, storage::LetterPlace place) {
  CASTIEL_ASSIGN(const auto choice, choice_of(call, place));
  CASTIEL_ASSIGN(const bool confirmed, call.parameters.bool_or("confirm", false));
  if (!confirmed) return rehearse(services, call, place, choice);
  const auto run = [&] { return confirm(services, call, place, choice); };
  const auto operation = fmt::format("{}.replay", area_of(place));
  // An answer is kept with a tenant: the one named, or that of the one letter.
  if (for_one_tenant(call)) {
    CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
    return once(services, reader->tenant(), operation, call, run);
  }
  if (choice.ids.size() == 1) {
    CASTIEL_ASSIGN(const auto letter, one_letter(services, call, place, choice.ids.front()));
    return once(services, letter.tenant, operation, call, run);
  }
  return run();
}

http::Parameter flag_parameter(std::string name, std::string description) {
  auto p = text_parameter(std::move(name), std::move(description));
  p.type = http::Parameter::Type::boolean;
  return p;
}

std::vector<http::Parameter> choice_parameters() {
  return {tenant_parameter(false),
          text_parameter("ids", "These, separated by commas; also as an array `ids` of the body"),
          flag_parameter("all", "All that are open, of the tenant if one is named"),
          text_parameter("cause", "Only of this cause: the `cause` of a letter"),
          text_parameter("queue", "Only of this queue"),
          cursor_parameter()};
}

}  // namespace castiel::api::impl
