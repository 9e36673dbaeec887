#pragma once
// The JSON of the HTTP contract for scores, forecasts and model quality. Pure; any thread.

#include <string_view>

#include "base/json.hpp"
#include "intelligence/evaluate.hpp"
#include "intelligence/forecast.hpp"

namespace castiel::intelligence {

// {"amount":"1054.00"|null,"currency":"USD"|"unknown"}
json::object money_json(const std::optional<Decimal>& amount, std::string_view currency);
json::object evidence_json(const Evidence& evidence);
// {"value","low","high","basis","n"}, with "factors" when `factors`.
json::object prediction_json(const Prediction& prediction, bool factors);
// {"score","level"}, with "factors" when `factors`.
json::object risk_json(const Risk& risk, bool factors);
json::object recommendation_json(const Recommendation& recommendation);

// A deal summary; values as of the view, final values for a deal that is closed in it.
json::object deal_summary_json(const Evaluation& evaluation, const TenantFacts& facts);
// The summary plus "probability" and "risk" with factors, "recommendations" and "contacts". The caller adds
// "data" and "source".
json::object deal_detail_json(const Evaluation& evaluation, const TenantFacts& facts);

json::object quality_json(const Quality& quality);
json::object forecast_row_json(const ForecastRow& row);
// {"asOf","asOfReason","currency","simulations","items","quality"}
json::object forecast_json(std::span<const ForecastRow> rows, const ForecastRequest& request,
                           std::string_view as_of_reason, const Quality& quality);
json::object backtest_json(const Backtest& backtest, std::string_view currency);

}  // namespace castiel::intelligence
