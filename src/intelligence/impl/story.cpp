// What happened to deals: the newest changes of a tenant, and the timeline of one deal.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "intelligence/impl/book.hpp"
#include "intelligence/render.hpp"
#include "model/entity.hpp"

namespace castiel::intelligence::impl {
namespace {

json::value or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

// Fields that change together with the stage or the status and say nothing of their own.
bool follows_stage(std::string_view name) {
  return name == "status" || name == "isClosed" || name == "isWon" || name == "probability" ||
         name == "forecastCategory" || name == "lastStageChangeAt";
}

bool is_owner(std::string_view name) {
  return name == field::kOwnerId || name == field::kOwnerName;
}

// "won", "lost" or "open" for a change of stage or status.
std::string_view outcome(const model::FieldChange& change) {
  if (!change.new_value) return "open";
  if (change.field == field::kStatus) return to_string(parse_status(*change.new_value));
  return change.field == field::kStage ? model::status_of_stage(*change.new_value) : "open";
}

// The changes without those another one of the same deal and moment tells already.
std::vector<model::FieldChange> distinct(std::vector<model::FieldChange> changes) {
  std::set<std::pair<model::ShardKey, Timestamp>> stages;
  for (const auto& change : changes) {
    if (change.field == field::kStage) stages.emplace(change.shard, change.effective_at);
  }
  std::erase_if(changes, [&](const model::FieldChange& change) {
    return follows_stage(change.field) && stages.contains({change.shard, change.effective_at});
  });
  return changes;
}

std::string_view kind_in_overview(const model::FieldChange& change) {
  if (const auto status = outcome(change); status != "open") return status;
  if (change.field == field::kStage || change.field == field::kStatus) return "stage";
  if (change.field == field::kAmount || change.field == field::kCloseDate) return change.field;
  return is_owner(change.field) ? "owner" : "other";
}

std::string_view kind_in_timeline(const model::FieldChange& change) {
  if (change.field == field::kStage || change.field == field::kStatus || change.field == field::kAmount ||
      change.field == field::kCloseDate) {
    return change.field;
  }
  return is_owner(change.field) ? "owner" : "field";
}

// Whether the history tells of the closing, so that the close date need not.
bool closing_in_history(const Deal& deal) {
  return std::ranges::any_of(deal.history, [](const Change& change) {
    if (!change.new_value) return false;
    if (change.field == field::kStatus) return parse_status(*change.new_value) != Status::open;
    return change.field == field::kStage && model::status_of_stage(*change.new_value) != "open";
  });
}

struct Item {
  Timestamp at;
  json::object json;
};

}  // namespace

Result<json::array> recent_changes_json(const storage::Reader& reader, const Book& book, std::size_t limit) {
  // Some may lie after the book's instant, some tell the same thing twice.
  constexpr std::size_t kRead = 400;
  CASTIEL_ASSIGN(auto changes, reader.recent_changes(model::type::kOpportunity, kRead));
  std::erase_if(changes, [&](const auto& c) { return c.effective_at > book.as_of.as_of || c.field == "*"; });
  std::vector<Item> items;
  for (const auto& change : distinct(std::move(changes))) {
    if (items.size() >= limit) break;
    CASTIEL_ASSIGN(const auto shard, reader.shard(change.shard));
    const Deal* deal = shard ? book.find(shard->id) : nullptr;
    if (deal == nullptr) continue;
    items.push_back({change.effective_at,
                     {{"at", to_string(change.effective_at)},
                      {"dealId", deal->id.view()},
                      {"dealName", deal->name},
                      {"field", change.field},
                      {"from", or_null(change.old_value)},
                      {"to", or_null(change.new_value)},
                      {"kind", kind_in_overview(change)}}});
  }
  const auto add = [&](Timestamp at, const Deal& deal, std::string_view kind, std::string_view name,
                       std::string_view to) {
    items.push_back({at,
                     {{"at", to_string(at)},
                      {"dealId", deal.id.view()},
                      {"dealName", deal.name},
                      {"field", name},
                      {"from", nullptr},
                      {"to", to},
                      {"kind", kind}}});
  };
  // Creation and closing are in the deals themselves. Only the newest can be among the first `limit`.
  const auto newest_first = [&](auto at_of, auto emit) {
    std::vector<std::pair<Timestamp, const Row*>> dated;
    for (const Row& row : book.rows) {
      if (const std::optional<Timestamp> at = at_of(row); at && *at <= book.as_of.as_of)
        dated.emplace_back(*at, &row);
    }
    const auto shown = std::min(limit, dated.size());
    std::ranges::partial_sort(
        dated, dated.begin() + static_cast<std::ptrdiff_t>(shown), [](const auto& a, const auto& b) {
          return a.first != b.first ? a.first > b.first : a.second->deal->id < b.second->deal->id;
        });
    for (std::size_t i = 0; i < shown; ++i) emit(dated[i].first, *dated[i].second);
  };
  newest_first(
      [](const Row& row) { return row.created ? std::optional(start_of(*row.created)) : std::nullopt; },
      [&](Timestamp at, const Row& row) {
        add(at, *row.deal, "created", "createdDate", to_string(*row.created));
      });
  newest_first(
      [](const Row& row) {
        return row.status != Status::open && !closing_in_history(*row.deal) ? row.closed_at : std::nullopt;
      },
      [&](Timestamp at, const Row& row) {
        add(at, *row.deal, to_string(row.status), "status", to_string(row.status));
      });
  std::ranges::stable_sort(items, [](const Item& a, const Item& b) { return a.at > b.at; });
  json::array result;
  for (auto& item : items) {
    if (result.size() < limit) result.push_back(std::move(item.json));
  }
  return result;
}

namespace {

std::string title_of(const model::FieldChange& change) {
  std::string_view what = change.field;
  if (change.field == field::kStage) what = "Stage";
  if (change.field == field::kStatus) what = "Status";
  if (change.field == field::kAmount) what = "Amount";
  if (change.field == field::kCloseDate) what = "Close date";
  if (is_owner(change.field)) what = "Owner";
  if (change.field == field::kNextStep) what = "Next step";
  if (!change.new_value) return fmt::format("{} removed", what);
  if (!change.old_value) return fmt::format("{} set to {}", what, *change.new_value);
  return fmt::format("{} changed from {} to {}", what, *change.old_value, *change.new_value);
}

json::object entry(Timestamp at, Timestamp recorded, std::string_view kind, std::string title) {
  return {{"at", to_string(at)},
          {"recordedAt", to_string(recorded)},
          {"kind", kind},
          {"title", std::move(title)}};
}

}  // namespace

Result<json::object> timeline_json(const storage::Reader& reader, const ShardId& id, std::string_view cursor,
                                   std::size_t limit) {
  std::size_t from = 0;
  if (!cursor.empty()) {
    const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), from);
    if (error != std::errc() || end != cursor.data() + cursor.size()) {
      return permanent("invalid_cursor", "the cursor does not belong to this list; start again without one");
    }
  }
  CASTIEL_ASSIGN(const auto shard, reader.shard(id));
  if (!shard || shard->key.type != model::type::kOpportunity) {
    return permanent("not_found", fmt::format("there is no deal {}", id.str()));
  }
  CASTIEL_ASSIGN(auto changes, reader.history(shard->key));
  std::vector<Item> items;
  bool closing_told = false;
  for (const auto& change : distinct(std::move(changes))) {
    closing_told = closing_told || outcome(change) != "open";
    auto item = entry(change.effective_at, change.recorded_at, kind_in_timeline(change),
                      change.field == "*" ? "Deleted or restored at the source" : title_of(change));
    item["field"] = change.field;
    item["from"] = or_null(change.old_value);
    item["to"] = or_null(change.new_value);
    item["origin"] = change.origin;
    item["correlationId"] = change.correlation.str();
    if (!change.actor.empty()) item["actor"] = change.actor;
    items.push_back({change.effective_at, std::move(item)});
  }
  CASTIEL_ASSIGN(const auto parsed, parse_json(shard->data));
  const auto* data = parsed.if_object();
  const auto date_of_field = [&](std::string_view name) -> std::optional<Date> {
    const auto text = data == nullptr ? std::nullopt : get_string(*data, name);
    const auto date = text ? parse_date(text->substr(0, 10)) : Result<Date>(std::unexpected(Error{}));
    return date ? std::optional(*date) : std::nullopt;
  };
  const auto add = [&](Timestamp at, std::string_view kind, std::string title, std::string_view name,
                       std::string_view to) {
    auto item = entry(at, shard->created_at, kind, std::move(title));
    item["field"] = name;
    item["from"] = nullptr;
    item["to"] = to;
    item["origin"] = "import";
    item["correlationId"] = shard->correlation.str();
    items.push_back({at, std::move(item)});
  };
  auto created = date_of_field("createdDate");
  if (!created) created = date_of_field("createdAt");
  if (created) add(start_of(*created), "created", "Deal created", "createdDate", to_string(*created));
  if (!closing_told && data != nullptr) {
    const std::string stage = string_or(*data, "stage");
    const std::string status = string_or(*data, "status", model::status_of_stage(stage));
    if (const auto closed = date_of_field("closeDate"); closed && parse_status(status) != Status::open) {
      add(start_of(*closed), "status", parse_status(status) == Status::won ? "Deal won" : "Deal lost",
          "status", status);
    }
  }
  std::ranges::stable_sort(items, [](const Item& a, const Item& b) { return a.at > b.at; });
  json::array page;
  for (std::size_t i = from; i < items.size() && page.size() < limit; ++i)
    page.push_back(std::move(items[i].json));
  const std::size_t end = from + page.size();
  return json::object{{"items", std::move(page)},
                      {"next", end < items.size() ? json::value(std::to_string(end)) : json::value(nullptr)}};
}

}  // namespace castiel::intelligence::impl
