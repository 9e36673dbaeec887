#pragma once
// A tenant's deals as of one instant, with their scores. Immutable but for results computed on first use.

#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "intelligence/deal_book.hpp"
#include "intelligence/impl/engagement_store.hpp"
#include "intelligence/impl/loaded.hpp"

namespace castiel::intelligence {

// What lists are filtered and sorted by: one deal that exists at the book's instant. Texts point into the
// deal.
struct Row {
  const Deal* deal = nullptr;
  Status status = Status::open;
  std::string_view stage, owner;
  std::optional<Decimal> amount;
  std::optional<Date> created, close_date;
  std::optional<int> age_days, stage_age_days;
  std::optional<Timestamp> last_change, closed_at;
  double probability = 0;
  int score = 0;
  RiskLevel level = RiskLevel::low;
};

struct Book {
  Book(impl::Loaded loaded, impl::Engagements engagements, std::optional<Date> day, Timestamp now,
       BookOptions options);

  // With the explanations, computed anew: they are large.
  Evaluation evaluate(const Deal& deal) const;
  const Deal* find(const ShardId& id) const;
  // What is linked to the deal as of the book's instant; nothing where nothing is.
  std::optional<EngagementView> engagement(const Deal& deal) const;
  bool in_currency(const Deal& deal) const;
  // The rate a row's amount is converted at: of the day it closed, or of the book's; nothing without one.
  std::optional<Decimal> rate(const Row& row) const;
  // The row's amount in the book's currency; nothing without an amount or a rate.
  std::optional<Decimal> amount(const Row& row) const;
  // The forecast document, kept. Error invalid_period.
  Result<json::object> forecast(const std::string& period, GroupBy by) const;
  json::object backtest() const;

  std::vector<Deal> deals;
  std::unordered_map<std::string, std::vector<DealContact>> account_contacts;
  impl::Engagements engagements;
  std::vector<std::uint32_t> by_id;  // places in `deals`, in order of the ids
  BookOptions options;
  AsOfChoice as_of;
  std::string currency;
  WinModel model;
  PeerProbabilities peers;
  std::vector<Row> rows;

  static constexpr std::size_t kMaxForecasts = 32;

 private:
  mutable std::mutex mutex_;
  mutable std::map<std::string, json::object> forecasts_;
  mutable std::mutex backtest_mutex_;  // its own: a backtest takes seconds, and forecasts go on meanwhile
  mutable std::optional<json::object> backtest_;
};

namespace impl {

json::object overview_json(const storage::Reader& reader, const Book& book, json::object forecast,
                           json::array changes);
Result<json::array> recent_changes_json(const storage::Reader& reader, const Book& book, std::size_t limit);
Result<json::object> deals_json(const Book& book, const DealQuery& query);
Result<json::object> timeline_json(const storage::Reader& reader, const ShardId& id, std::string_view cursor,
                                   std::size_t limit);
// Two decimals.
Decimal rounded_money(double amount);

}  // namespace impl
}  // namespace castiel::intelligence
