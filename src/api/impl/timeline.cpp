// The timeline of a deal: its changes in the CRM merged with the mails, messages, calls, documents, calendar
// entries and tasks that are linked to it.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "api/content_json.hpp"
#include "api/impl/calls.hpp"
#include "model/entity.hpp"
#include "model/task_key.hpp"

namespace castiel::api::impl {
namespace {

namespace type = model::type;

constexpr std::size_t kMaxChanges = 10'000;  // of one deal
constexpr std::size_t kMaxContent = 2'000;   // attached to one deal, and as many suggested
constexpr std::size_t kMaxMoments = 4;       // of one call
constexpr std::size_t kMaxPeople = 10;       // named in one entry
constexpr std::size_t kMaxTasks = 20;        // of one content

struct Entry {
  Timestamp at;
  json::object json;
};

json::object entry(Timestamp at, Timestamp now, std::string_view kind) {
  return {{"at", to_string(at)},     {"kind", kind},       {"title", ""},     {"text", nullptr},
          {"people", json::array()}, {"shardId", nullptr}, {"type", nullptr}, {"locator", nullptr},
          {"link", nullptr},         {"future", at > now}};
}

// Owners are changed by their id in the source; people know their names.
Result<> name_owners(const storage::Reader& reader, std::string_view integration, json::object& change) {
  for (const char* side : {"from", "to"}) {
    const auto id = string_or(change, side);
    if (id.empty()) continue;
    CASTIEL_ASSIGN(const auto user,
                   reader.shard(model::ShardKey{std::string(type::kUser), std::string(integration), id}));
    if (!user) continue;
    const auto name = show(*user, data_of(*user)).title;
    if (!name.empty()) change[side] = name;
  }
  return {};
}

Result<> add_changes(std::vector<Entry>& entries, Services& services, const storage::Reader& reader,
                     const ShardId& deal) {
  CASTIEL_ASSIGN(auto changes, services.deals.timeline(reader, deal, {}, kMaxChanges));
  const auto now = services.clock.now();
  CASTIEL_ASSIGN(const auto shard, reader.shard(deal));
  const std::string integration = shard ? shard->key.integration : "";
  for (auto& item : changes.at("items").get_array()) {
    auto& change = item.get_object();
    const auto at = parse_timestamp(string_or(change, "at"));
    if (!at) continue;
    auto made = entry(*at, now, "change");
    auto kind = string_or(change, "kind");
    if (kind == "status") {
      const auto to = string_or(change, "to");
      if (to == "won" || to == "lost") kind = to;
    }
    made["type"] = kind;
    if (kind == "owner") {
      CASTIEL_TRY(name_owners(reader, integration, change));
      const auto from = string_or(change, "from"), to = string_or(change, "to");
      if (!from.empty() && !to.empty())
        change["title"] = fmt::format("Owner changed from {} to {}", from, to);
    }
    change.erase("kind");
    change.erase("at");
    for (auto& member : change) made[member.key()] = std::move(member.value());
    entries.push_back({*at, std::move(made)});
  }
  return {};
}

// What was said that bears on a deal; questions are many and say little.
json::array moments_of(const json::object& data) {
  json::array out;
  const auto* analysis = get_object(data, "analysis");
  const auto* all = analysis == nullptr ? nullptr : get_array(*analysis, "keyMoments");
  for (std::size_t i = 0; all != nullptr && i < all->size() && out.size() < kMaxMoments; ++i) {
    const auto* moment = (*all)[i].if_object();
    if (moment == nullptr) continue;
    const auto kind = string_or(*moment, "type");
    if (kind == "question" || kind == "action_item") continue;
    out.push_back({{"type", kind},
                   {"text", snippet(string_or(*moment, "text"))},
                   {"speaker", string_or(*moment, "speaker")},
                   {"locator", segment_place(data, int_or(*moment, "segment", 0))}});
  }
  return out;
}

// Promises, and requests with a day: what somebody can be held to.
bool binds(const json::object& item) {
  return string_or(item, "kind") == "commitment" || !string_or(item, "due").empty();
}

Result<> add_tasks(std::vector<Entry>& entries, const storage::Reader& reader, const model::Shard& shard,
                   const json::object& data, const Entry& of) {
  const auto* analysis = get_object(data, "analysis");
  const auto* items = get_array(analysis == nullptr ? data : *analysis, "actionItems");
  std::size_t told = 0;
  for (std::size_t i = 0; items != nullptr && i < items->size() && told < kMaxTasks; ++i) {
    const auto* item = (*items)[i].if_object();
    if (item == nullptr || !binds(*item)) continue;
    const auto kind = string_or(*item, "kind"), text = string_or(*item, "text");
    CASTIEL_ASSIGN(const auto task, reader.shard(model::ShardKey{
                                        std::string(type::kTask), shard.key.integration,
                                        model::task_key(shard.key.type, shard.key.external_id, kind, text)}));
    if (!task || task->deleted_at) continue;
    const auto kept = data_of(*task);
    json::object made = of.json;
    made.erase("moments");
    made["kind"] = "task";
    made["type"] = type::kTask;
    made["title"] = text.substr(std::min(text.find_first_not_of("-*• "), text.size()));
    made["text"] = of.json.at("title");
    made["taskId"] = task->id.str();
    made["taskKind"] = kind;
    for (const auto& [member, from] :
         {std::pair{"owner", "owner"}, {"due", "dueDate"}, {"dueText", "dueText"}, {"status", "status"}}) {
      const auto value = string_or(kept, from);
      made[member] = value.empty() ? json::value(nullptr) : json::value(value);
    }
    const auto* evidence = get_object(*item, "evidence");
    if (evidence != nullptr && evidence->contains("segment"))
      made["locator"] = segment_place(data, int_or(*evidence, "segment", 0));
    entries.push_back({of.at, std::move(made)});
    ++told;
  }
  return {};
}

// An invitation's file and the nameless parts of a bounce say what their mail says.
bool is_part_of_mail(const json::object& data) {
  return get_object(data, "parent") != nullptr &&
         (string_or(data, "documentType") == "calendar" || string_or(data, "title").empty());
}

// `documents` are the digests of those that are there: a copy of one tells nothing new.
Result<> add_content(std::vector<Entry>& entries, std::set<std::string>& documents,
                     const storage::Reader& reader, const ShardId& deal, std::string_view status,
                     Timestamp now) {
  storage::LinkQuery query;
  query.to = deal;
  query.status = status;
  query.limit = kMaxContent;
  CASTIEL_ASSIGN(const auto links, reader.links(query));
  for (const auto& link : links) {
    CASTIEL_ASSIGN(const auto shard, reader.shard(link.from));
    if (!shard || shard->deleted_at) continue;
    const auto data = data_of(*shard);
    if (shard->key.type == type::kDocument) {
      const auto digest = string_or(data, "sha256");
      if (is_part_of_mail(data) || (!digest.empty() && !documents.insert(digest).second)) continue;
    }
    auto shown = show(*shard, data);
    auto brief = link_brief(link);
    Entry made{shown.at, entry(shown.at, now, shard->key.type)};
    auto& o = made.json;
    const auto* analysis = get_object(data, "analysis");
    auto moments = analysis == nullptr ? json::array() : moments_of(data);
    o["title"] = shown.title;
    o["type"] = shard->key.type;
    o["shardId"] = shard->id.str();
    if (const auto text = snippet(shown.text); !text.empty()) o["text"] = text;
    if (shown.people.size() > kMaxPeople) shown.people.resize(kMaxPeople);
    o["people"] = json::array(shown.people.begin(), shown.people.end());
    o["locator"] = place_of(data, brief.at("evidence").get_array());
    if (!moments.empty()) o["moments"] = std::move(moments);
    if (bool_or(data, "cancelled", false)) o["cancelled"] = true;
    o["link"] = std::move(brief);
    entries.push_back(made);
    CASTIEL_TRY(add_tasks(entries, reader, *shard, data, made));
  }
  return {};
}

// Where a page begins: entries at this moment follow the first `given` of them.
struct Place {
  std::int64_t at = 0;  // microseconds
  std::size_t given = 0;
};

Result<std::optional<Place>> place_in(const Call& call) {
  const auto text = call.parameters.string_or("cursor");
  if (text.empty()) return std::optional<Place>();
  Place place;
  const auto [dot, error] = std::from_chars(text.data(), text.data() + text.size(), place.at);
  if (error != std::errc() || dot == text.data() + text.size() || *dot != '.') return invalid_cursor();
  const auto [end, again] = std::from_chars(dot + 1, text.data() + text.size(), place.given);
  if (again != std::errc() || end != text.data() + text.size()) return invalid_cursor();
  return std::optional(place);
}

}  // namespace

Result<json::value> timeline(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto limit, limit_of(call));
  CASTIEL_ASSIGN(const auto from, place_in(call));
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  const ShardId deal(call.parameters.string_or("id"));
  std::vector<Entry> entries;
  std::set<std::string> documents;
  CASTIEL_TRY(add_changes(entries, services, *reader, deal));
  for (const auto* status : {"attached", "suggested"})
    CASTIEL_TRY(add_content(entries, documents, *reader, deal, status, services.clock.now()));
  std::ranges::stable_sort(entries, std::greater(), &Entry::at);
  std::size_t first = 0;
  if (from) {
    while (first < entries.size() && entries[first].at.micros > from->at) ++first;
    for (std::size_t i = 0; i < from->given && first < entries.size(); ++i, ++first) {
      if (entries[first].at.micros != from->at) break;
    }
  }
  const std::size_t end = std::min(entries.size(), first + limit);
  json::value next;
  if (end < entries.size()) {
    const auto at = entries[end - 1].at;
    const auto same = std::ranges::count(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(end),
                                         at, &Entry::at);
    next = fmt::format("{}.{}", at.micros, same);
  }
  json::array out;
  for (auto i = first; i < end; ++i) out.push_back(std::move(entries[i].json));
  return json::object{{"entries", std::move(out)}, {"next", std::move(next)}};
}

}  // namespace castiel::api::impl
