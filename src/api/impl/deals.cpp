#include "api/impl/calls.hpp"
#include "sync/import_job.hpp"

namespace castiel::api::impl {
namespace {

using http::Parameter;

std::string id_of(const Call& call) {
  return call.parameters.string_or("id");
}

Result<json::object> system_json(Services& services, const storage::Reader& reader) {
  constexpr std::size_t kRuns = 20;
  CASTIEL_ASSIGN(const auto dead, reader.dead_letter_count());
  CASTIEL_ASSIGN(const auto runs, reader.import_runs(kRuns));
  std::int64_t queued = 0;
  json::value last;
  bool failed = false;
  for (const auto& run : runs) {
    if (run.status == "running") {
      CASTIEL_ASSIGN(const auto pending, reader.pending(run.correlation));
      queued += pending;
    } else if (last.is_null()) {
      failed = run.status == "failed";
      CASTIEL_ASSIGN(const auto status, sync::import_status(reader, run.correlation, services.clock.now()));
      last = json::object{{"correlationId", run.correlation.str()},
                          {"finishedAt", status.at("finishedAt")},
                          {"records", status.at("records").at("mapped")}};
    }
  }
  return json::object{{"status", dead > 0 || failed ? "degraded" : "ok"},
                      {"queued", queued},
                      {"deadLetters", dead},
                      {"lastImport", std::move(last)}};
}

Result<json::value> overview(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto day, as_of(call));
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  CASTIEL_ASSIGN(auto result, services.deals.overview(*reader, day));
  CASTIEL_ASSIGN(result["system"], system_json(services, *reader));
  return result;
}

Result<json::value> deals(Services& services, const Call& call) {
  intelligence::DealQuery query;
  const auto& p = call.parameters;
  CASTIEL_ASSIGN(query.as_of, as_of(call));
  query.owner = p.string_or("owner");
  query.stage = p.string_or("stage");
  query.status = p.string_or("status", "open");
  query.q = p.string_or("q");
  query.risk = p.string_or("risk");
  query.sort = p.string_or("sort", "-risk");
  query.cursor = p.string_or("cursor");
  CASTIEL_ASSIGN(query.limit, limit_of(call));
  CASTIEL_ASSIGN(query.detail, p.bool_or("detail", false));
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  return services.deals.deals(*reader, query);
}

Result<json::value> deal(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto day, as_of(call));
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  return services.deals.deal(*reader, ShardId(id_of(call)), day);
}

Result<json::value> forecast(Services& services, const Call& call) {
  intelligence::ForecastQuery query;
  CASTIEL_ASSIGN(query.as_of, as_of(call));
  query.period = call.parameters.string_or("period");
  const auto by = call.parameters.string_or("by");
  if (by == "owner") query.by = intelligence::GroupBy::owner;
  if (by == "team") query.by = intelligence::GroupBy::team;
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  return services.deals.forecast(*reader, query);
}

Result<json::value> backtest(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  return services.deals.backtest(*reader);
}

std::vector<std::string> sortings() {
  std::vector<std::string> all;
  for (const auto& key : intelligence::DealBook::sort_keys()) {
    all.push_back(key);
    all.push_back("-" + key);
  }
  return all;
}

}  // namespace

std::vector<Operation> deal_operations() {
  auto detail = text_parameter("detail", "Whole deals: factors, evidence, recommendations, contacts");
  detail.type = Parameter::Type::boolean;
  return {
      {"overview",
       "GET",
       "/api/v1/overview",
       "Pipeline, forecast, deals at risk and the newest changes of a tenant",
       "deals",
       {tenant_parameter(), as_of_parameter()},
       overview,
       "Overview"},
      {"deals",
       "GET",
       "/api/v1/deals",
       "Deals with probability, risk and next step",
       "deals",
       {tenant_parameter(), as_of_parameter(), text_parameter("owner", "Owner's name or id"),
        text_parameter("stage", "Stage"),
        text_parameter("status", "Status, open without it", {"open", "won", "lost", "all"}),
        text_parameter("q", "Text in the deal's or the account's name"),
        text_parameter("risk", "Level of risk", {"high", "medium", "low"}),
        text_parameter("sort", "Order, '-' for descending; -risk without it", sortings()), detail,
        limit_parameter(), cursor_parameter()},
       deals,
       "DealList"},
      {"deals.get",
       "GET",
       "/api/v1/deals/{id}",
       "One deal with factors, evidence and recommendations",
       "deals",
       {tenant_parameter(), as_of_parameter()},
       deal,
       "Deal"},
      {"deals.timeline",
       "GET",
       "/api/v1/deals/{id}/timeline",
       "What happened to a deal and what was said and written about it, newest first",
       "deals",
       {tenant_parameter(), limit_parameter(), cursor_parameter()},
       timeline,
       "Timeline"},
      {"forecast",
       "GET",
       "/api/v1/forecast",
       "What will be won, by period",
       "forecast",
       {tenant_parameter(),
        text_parameter("period", "2017-Q4, 2017-11 or 2017; without it the coming quarters"),
        text_parameter("by", "A row for each", {"owner", "team"}), as_of_parameter()},
       forecast,
       "Forecast"},
      {"forecast.backtest",
       "GET",
       "/api/v1/forecast/backtest",
       "Past periods forecast as of then, and what came",
       "forecast",
       {tenant_parameter()},
       backtest,
       "Backtest"},
  };
}

}  // namespace castiel::api::impl
