#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/digest.hpp"
#include "intelligence/impl/book.hpp"
#include "intelligence/render.hpp"

namespace castiel::intelligence::impl {
namespace {

// A sort key: a number or a text; nothing sorts last in either direction.
struct SortKey {
  bool known = false;
  double number = 0;
  std::string text;
};

SortKey number(double value) {
  return {true, value, {}};
}
template <class T>
SortKey number(const std::optional<T>& value) {
  return value ? number(static_cast<double>(*value)) : SortKey();
}
SortKey day(const std::optional<Date>& value) {
  return value ? number(value->days) : SortKey();
}
SortKey lower(std::string_view text) {
  SortKey key{!text.empty(), 0, std::string(text)};
  for (char& c : key.text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return key;
}

struct Sorting {
  std::string_view name;
  SortKey (*key)(const Row&);
};

constexpr std::array kSortings{
    Sorting{"risk", [](const Row& r) { return number(r.score); }},
    Sorting{"probability", [](const Row& r) { return number(r.probability); }},
    Sorting{"amount", [](const Row& r) { return r.amount ? number(r.amount->to_double()) : SortKey(); }},
    Sorting{"closeDate", [](const Row& r) { return day(r.close_date); }},
    Sorting{"createdDate", [](const Row& r) { return day(r.created); }},
    Sorting{"name", [](const Row& r) { return lower(r.deal->name); }},
    Sorting{"account", [](const Row& r) { return lower(r.deal->account); }},
    Sorting{"owner", [](const Row& r) { return lower(r.owner); }},
    Sorting{"team", [](const Row& r) { return lower(r.deal->team); }},
    Sorting{"stage", [](const Row& r) { return lower(r.stage); }},
    Sorting{"age", [](const Row& r) { return number(r.age_days); }},
    Sorting{"stageAge", [](const Row& r) { return number(r.stage_age_days); }},
    Sorting{"lastActivity",
            [](const Row& r) {
              return r.last_change ? number(static_cast<double>(r.last_change->micros)) : SortKey();
            }},
};

struct Sorted {
  SortKey key;
  const Row* row = nullptr;
  std::string_view id;
};

bool before(const Sorted& a, const Sorted& b, bool descending) {
  if (a.key.known != b.key.known) return a.key.known;
  if (a.key.number != b.key.number) return (a.key.number < b.key.number) != descending;
  if (a.key.text != b.key.text) return (a.key.text < b.key.text) != descending;
  return a.id < b.id;
}

// A cursor is the place of the last item: its key and its id, so that the list may change between two pages.
std::string cursor_of(const std::string& sort, const Sorted& last) {
  json::object place{{"s", sort}, {"i", last.id}};
  if (last.key.known) {
    place["n"] = last.key.number;
    place["t"] = last.key.text;
  }
  return to_hex(json::serialize(place));
}

std::optional<std::string> from_hex(std::string_view hex) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (hex.size() % 2 != 0) return {};
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

struct Place {
  SortKey key;
  std::string id;
};

Result<Place> read_cursor(const std::string& sort, std::string_view cursor) {
  const auto refused = [] {
    return permanent("invalid_cursor", "the cursor does not belong to this list; start again without one");
  };
  const auto text = from_hex(cursor);
  if (!text) return refused();
  const auto parsed = parse_json(*text);
  const auto* object = parsed ? parsed->if_object() : nullptr;
  if (object == nullptr || string_or(*object, "s") != sort || string_or(*object, "i").empty())
    return refused();
  Place place;
  place.id = string_or(*object, "i");
  if (const auto* value = object->if_contains("n")) {
    if (!value->is_number()) return refused();
    place.key = {true, value->to_number<double>(), string_or(*object, "t")};
  }
  return place;
}

bool matches(const Row& row, const DealQuery& query, const std::string& words) {
  if (query.status != "all" && to_string(row.status) != query.status) return false;
  if (!query.owner.empty() && row.owner != query.owner && row.deal->owner_id != query.owner) return false;
  if (!query.stage.empty() && row.stage != query.stage) return false;
  if (!query.risk.empty() && (row.status != Status::open || to_string(row.level) != query.risk)) return false;
  if (words.empty()) return true;
  return lower(row.deal->name).text.contains(words) || lower(row.deal->account).text.contains(words);
}

}  // namespace

Result<json::object> deals_json(const Book& book, const DealQuery& query) {
  const bool descending = query.sort.starts_with('-');
  const auto name = std::string_view(query.sort).substr(descending ? 1 : 0);
  const auto* sorting = std::ranges::find(kSortings, name, &Sorting::name);
  if (sorting == kSortings.end()) {
    return permanent("invalid_parameter", fmt::format("sort: '{}' is none of {}", query.sort,
                                                      fmt::join(DealBook::sort_keys(), ", ")));
  }
  const std::string words = lower(query.q).text;
  std::vector<Sorted> found;
  for (const Row& row : book.rows) {
    if (matches(row, query, words)) found.push_back({sorting->key(row), &row, row.deal->id.view()});
  }
  const std::size_t total = found.size();
  const auto order = [&](const Sorted& a, const Sorted& b) { return before(a, b, descending); };
  if (!query.cursor.empty()) {
    CASTIEL_ASSIGN(const auto place, read_cursor(query.sort, query.cursor));
    const Sorted last{place.key, nullptr, place.id};
    std::erase_if(found, [&](const Sorted& s) { return !order(last, s); });
  }
  const std::size_t shown = std::min(query.limit, found.size());
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(shown), order);
  json::array items;
  for (std::size_t i = 0; i < shown; ++i) {
    const Evaluation evaluation = book.evaluate(*found[i].row->deal);
    items.push_back(query.detail ? deal_detail_json(evaluation, book.model.facts())
                                 : deal_summary_json(evaluation, book.model.facts()));
  }
  json::value next;
  if (shown > 0 && shown < found.size()) next = cursor_of(query.sort, found[shown - 1]);
  return json::object{
      {"items", std::move(items)},           {"next", std::move(next)},         {"total", total},
      {"asOf", to_string(book.as_of.as_of)}, {"asOfReason", book.as_of.reason}, {"currency", book.currency}};
}

namespace {

struct StageSum {
  int order = 0, count = 0;
  Decimal amount;
  double weighted = 0;
};

void add(Decimal& sum, const std::optional<Decimal>& amount) {
  if (amount) sum = sum.plus(*amount).value_or(sum);
}

json::object pipeline_json(const Book& book) {
  std::map<std::string_view, StageSum> stages;
  StageSum all;
  int converted = 0;
  std::map<std::string_view, StageSum> others;
  for (const Row& row : book.rows) {
    if (row.status != Status::open) continue;
    StageSum& stage = stages[row.stage];
    ++stage.count;
    ++all.count;
    const bool own = book.in_currency(*row.deal);
    if (!own && !book.rate(row)) {
      StageSum& other = others[row.deal->currency];
      ++other.count;
      add(other.amount, row.amount);
      continue;
    }
    converted += !own;
    const auto amount = book.amount(row);
    const double weighted = amount ? amount->to_double() * row.probability : 0;
    for (StageSum* sum : {&stage, &all}) {
      add(sum->amount, amount);
      sum->weighted += weighted;
    }
  }
  std::vector<std::pair<std::string_view, StageSum>> ordered(stages.begin(), stages.end());
  for (auto& [name, sum] : ordered) {
    const StageFact* fact = book.model.facts().stage(name);
    sum.order = fact ? fact->order : 0;
  }
  std::ranges::stable_sort(ordered, {}, [](const auto& entry) { return entry.second.order; });
  json::array by_stage;
  for (const auto& [name, sum] : ordered) {
    by_stage.push_back({{"stage", name.empty() ? json::value(nullptr) : json::value(name)},
                        {"order", sum.order},
                        {"count", sum.count},
                        {"amount", money_json(sum.amount, book.currency)},
                        {"weighted", money_json(rounded_money(sum.weighted), book.currency)}});
  }
  json::array other_currencies;
  for (const auto& [currency, sum] : others) {
    other_currencies.push_back(
        {{"currency", currency}, {"open", sum.count}, {"amount", money_json(sum.amount, currency)}});
  }
  return {{"open", all.count},
          {"amount", money_json(all.amount, book.currency)},
          {"weighted", money_json(rounded_money(all.weighted), book.currency)},
          {"byStage", std::move(by_stage)},
          {"converted", converted},
          {"otherCurrencies", std::move(other_currencies)}};
}

json::object won_json(const Book& book) {
  constexpr auto kYear = std::chrono::days(365);
  int won = 0, lost = 0, converted = 0;
  std::map<std::string_view, StageSum> others;
  Decimal amount;
  for (const Row& row : book.rows) {
    if (!row.closed_at || *row.closed_at <= book.as_of.as_of - kYear) continue;
    if (row.status == Status::lost) ++lost;
    if (row.status != Status::won) continue;
    ++won;
    const bool own = book.in_currency(*row.deal);
    if (!own && !book.rate(row)) {
      StageSum& other = others[row.deal->currency];
      ++other.count;
      add(other.amount, row.amount);
      continue;
    }
    converted += !own;
    add(amount, book.amount(row));
  }
  const double rate = won + lost > 0 ? static_cast<double>(won) / (won + lost) : 0;
  json::array other_currencies;
  for (const auto& [currency, sum] : others) {
    other_currencies.push_back(
        {{"currency", currency}, {"count", sum.count}, {"amount", money_json(sum.amount, currency)}});
  }
  return {{"count", won},
          {"amount", money_json(amount, book.currency)},
          {"converted", converted},
          {"otherCurrencies", std::move(other_currencies)},
          {"winRate", won + lost > 0 ? json::value(rate) : json::value(nullptr)}};
}

json::array at_risk_json(const Book& book, std::size_t limit) {
  std::vector<std::pair<double, const Row*>> ranked;
  for (const Row& row : book.rows) {
    if (row.status != Status::open || row.level == RiskLevel::low) continue;
    const auto amount = book.amount(row);
    ranked.emplace_back(row.score * (amount ? amount->to_double() : 0), &row);
  }
  const auto order = [](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first > b.first;
    if (a.second->score != b.second->score) return a.second->score > b.second->score;
    return a.second->deal->id < b.second->deal->id;
  };
  const std::size_t shown = std::min(limit, ranked.size());
  std::ranges::partial_sort(ranked, ranked.begin() + static_cast<std::ptrdiff_t>(shown), order);
  json::array items;
  for (std::size_t i = 0; i < shown; ++i) {
    items.push_back(deal_summary_json(book.evaluate(*ranked[i].second->deal), book.model.facts()));
  }
  return items;
}

}  // namespace

json::object overview_json(const storage::Reader& reader, const Book& book, json::object forecast,
                           json::array changes) {
  constexpr std::size_t kAtRisk = 5;
  auto& periods = forecast["items"].as_array();
  return {{"tenant", reader.tenant().str()},
          {"asOf", to_string(book.as_of.as_of)},
          {"asOfReason", book.as_of.reason},
          {"currency", book.currency},
          {"pipeline", pipeline_json(book)},
          {"forecast", periods.empty() ? json::value(nullptr) : periods.front()},
          {"forecastPeriods", periods},
          {"won", won_json(book)},
          {"atRisk", at_risk_json(book, kAtRisk)},
          {"changes", std::move(changes)},
          {"quality", quality_json(book.model.quality())}};
}

}  // namespace castiel::intelligence::impl

namespace castiel::intelligence {

std::vector<std::string> DealBook::sort_keys() {
  std::vector<std::string> names;
  for (const auto& sorting : impl::kSortings) names.emplace_back(sorting.name);
  return names;
}

}  // namespace castiel::intelligence
