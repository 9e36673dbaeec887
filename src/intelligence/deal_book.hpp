#pragma once
// DealBook: the deals of each tenant, read from the store, scored, and kept for as long as nothing changed.
// Gives the JSON of the HTTP contract; knows nothing of HTTP. Owned by the composition root; thread-safe.
// Every call may block: on disk, and on training the tenant's model when its data changed.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "intelligence/evaluate.hpp"
#include "intelligence/forecast.hpp"
#include "storage/store.hpp"

namespace castiel::intelligence {

// All live opportunities with their history, names, team and contacts, in key order; date_states is applied.
// About 0.6 KiB a deal and 0.3 KiB a change. Errors: those of the store.
Result<std::vector<Deal>> load_deals(const storage::Reader& reader);

// What a tenant's settings say about its numbers.
struct BookOptions {
  std::string currency;        // ISO 4217; empty: the currency of most deals
  ExchangeRates rates;         // into `currency`, for deals in another one
  std::string rates_text;      // what the rates were made of, to tell options apart
  int fiscal_start_month = 1;  // 1..12
  int simulations = 2000;      // of a forecast
  int stale_days = 90;         // data without a newer change is judged at its own time
  std::vector<std::string> stage_order;
  std::vector<std::string> mail_domains;  // of our side; empty: as its users' addresses show
  RiskOptions risk;
};
using OptionsOf = std::function<BookOptions(const storage::Reader&)>;

struct DealQuery {
  std::optional<Date> as_of;  // the end of that day; nothing: choose_as_of
  std::string owner;          // name or id
  std::string stage;
  std::string status = "open";  // open, won, lost, all
  std::string q;                // words in the name or the account, without case
  std::string risk;             // low, medium, high; empty: all
  std::string sort = "-risk";   // a key of sort_keys(), '-' before it: descending
  std::string cursor;
  std::size_t limit = 50;
  bool detail = false;  // items with factors, evidence, recommendations and contacts
};

struct ForecastQuery {
  std::optional<Date> as_of;
  std::string period;  // empty: the quarter of as_of and the three after it
  GroupBy by = GroupBy::none;
};

// Whether an answer may come from data that is a little older. `relaxed` applies only while an import of the
// tenant is running: then the last book is used again for ten times as long as it took to make, at most 30 s.
enum class Freshness { exact, relaxed };

struct Book;

class DealBook {
 public:
  // Books kept at most, and deals in them; the least recently used go first.
  static constexpr std::size_t kMaxBooks = 16;
  static constexpr std::size_t kMaxDealsKept = 400'000;

  explicit DealBook(const Clock& clock, OptionsOf options_of = {});
  ~DealBook();

  // The tenant's book for the reader's data. One caller makes it, others that want the same wait for it.
  Result<std::shared_ptr<const Book>> open(const storage::Reader& reader, std::optional<Date> as_of = {},
                                           Freshness freshness = Freshness::exact);

  // Everything of the contract's overview but "system": tenant, as of, currency, pipeline, forecast,
  // forecastPeriods, won, atRisk, changes, quality.
  Result<json::object> overview(const storage::Reader& reader, std::optional<Date> as_of = {},
                                Freshness freshness = Freshness::relaxed);
  // {"items","next","asOf","asOfReason","total"}. Errors: invalid_cursor, invalid_parameter.
  Result<json::object> deals(const storage::Reader& reader, const DealQuery& query,
                             Freshness freshness = Freshness::relaxed);
  // One deal with factors, evidence, recommendations, data and source. Error not_found.
  Result<json::object> deal(const storage::Reader& reader, const ShardId& id, std::optional<Date> as_of = {},
                            Freshness freshness = Freshness::relaxed);
  // {"items","next"}, newest first. Errors: not_found, invalid_cursor.
  Result<json::object> timeline(const storage::Reader& reader, const ShardId& id,
                                std::string_view cursor = {}, std::size_t limit = 200);
  // Error invalid_period.
  Result<json::object> forecast(const storage::Reader& reader, const ForecastQuery& query,
                                Freshness freshness = Freshness::relaxed);
  // Trains a model for each past period: seconds for tens of thousands of deals. Kept with the book.
  Result<json::object> backtest(const storage::Reader& reader);

  // Drops what is kept of an erased tenant.
  void forget(const TenantId& tenant);

  static std::vector<std::string> sort_keys();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::intelligence
