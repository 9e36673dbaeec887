#include "intelligence/render.hpp"

#include <cmath>

namespace castiel::intelligence {
namespace {

// Probabilities and effects with the digits that mean something.
double rounded(double value, int digits = 4) {
  const double scale = std::pow(10, digits);
  const double result = std::round(value * scale) / scale;
  return result == 0 ? 0 : result;
}

json::value or_null(const std::optional<double>& value) {
  return value ? json::value(rounded(*value)) : json::value(nullptr);
}
json::value or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}
json::value or_null(const std::optional<int>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}
json::value or_null(const std::optional<Date>& date) {
  return date ? json::value(to_string(*date)) : json::value(nullptr);
}

std::string_view kind_name(EvidenceKind kind) {
  switch (kind) {
    case EvidenceKind::change:
      return "change";
    case EvidenceKind::absence:
      return "absence";
    case EvidenceKind::cohort:
      return "cohort";
    case EvidenceKind::content:
      return "content";
    case EvidenceKind::field:
      break;
  }
  return "field";
}

json::array evidence_list(const std::vector<Evidence>& evidence) {
  json::array result;
  for (const Evidence& e : evidence) result.push_back(evidence_json(e));
  return result;
}

json::value named(std::string_view id, std::string_view name) {
  if (id.empty() && name.empty()) return nullptr;
  return json::object{{"id", or_null(id)}, {"name", or_null(name)}};
}

}  // namespace

json::object money_json(const std::optional<Decimal>& amount, std::string_view currency) {
  return {{"amount", amount ? json::value(amount->str()) : json::value(nullptr)},
          {"currency", currency.empty() ? "unknown" : currency}};
}

json::object evidence_json(const Evidence& evidence) {
  json::object result{{"kind", kind_name(evidence.kind)}, {"text", evidence.text}};
  result["field"] = or_null(std::string_view(evidence.field));
  result["from"] = evidence.from ? json::value(*evidence.from) : json::value(nullptr);
  result["to"] = evidence.to ? json::value(*evidence.to) : json::value(nullptr);
  result["at"] = evidence.at ? json::value(to_string(*evidence.at)) : json::value(nullptr);
  result["correlationId"] = or_null(evidence.correlation.view());
  if (evidence.shard.empty()) return result;
  result["shardId"] = evidence.shard.view();
  result["type"] = evidence.type;
  json::object place;
  const Locator& locator = evidence.locator;
  const auto put = [&](const char* name, const std::optional<int>& value) {
    if (value) place[name] = *value;
  };
  put("segment", locator.segment);
  put("minute", locator.minute);
  put("start", locator.start);
  put("end", locator.end);
  if (evidence.type == "email" || evidence.type == "message") place["message"] = evidence.shard.view();
  result["locator"] = std::move(place);
  return result;
}

json::object prediction_json(const Prediction& prediction, bool factors) {
  json::object result{{"value", rounded(prediction.value)},
                      {"low", rounded(prediction.low)},
                      {"high", rounded(prediction.high)},
                      {"basis", to_string(prediction.basis)},
                      {"n", prediction.n}};
  if (!factors) return result;
  json::array list;
  for (const Contribution& c : prediction.contributions) {
    list.push_back(json::object{{"feature", c.feature},
                                {"label", c.label},
                                {"value", c.value},
                                {"effect", rounded(c.effect)},
                                {"evidence", evidence_list(c.evidence)}});
  }
  result["base"] = rounded(prediction.base);
  result["factors"] = std::move(list);
  return result;
}

json::object risk_json(const Risk& risk, bool factors) {
  json::object result{{"score", risk.score}, {"level", to_string(risk.level)}};
  if (!factors) return result;
  json::array list;
  for (const RiskFactor& f : risk.factors) {
    list.push_back(json::object{{"id", f.id},
                                {"label", f.label},
                                {"points", f.points},
                                {"detail", f.detail},
                                {"evidence", evidence_list(f.evidence)}});
  }
  result["factors"] = std::move(list);
  return result;
}

json::object recommendation_json(const Recommendation& recommendation) {
  return {{"id", recommendation.id},
          {"title", recommendation.title},
          {"reason", recommendation.reason},
          {"priority", to_string(recommendation.priority)},
          {"evidence", evidence_list(recommendation.evidence)}};
}

json::object deal_summary_json(const Evaluation& evaluation, const TenantFacts& facts) {
  const DealView& view = evaluation.view;
  const Deal& deal = *view.deal;
  const bool closed = view.status != Status::open;
  const std::string_view stage = closed ? std::string_view(deal.stage) : view.stage.value_or("");
  const StageFact* stage_fact = facts.stage(stage);
  const std::string_view owner = view.owner.value_or("");

  json::object result;
  result["id"] = deal.id.view();
  result["externalId"] = deal.external_id;
  result["integration"] = deal.integration.str();
  result["name"] = deal.name;
  result["account"] = named(deal.account_id, deal.account);
  result["owner"] = named(owner == deal.owner ? std::string_view(deal.owner_id) : std::string_view(), owner);
  result["team"] = or_null(std::string_view(deal.team));
  result["stage"] = or_null(stage);
  result["stageOrder"] = stage_fact ? json::value(stage_fact->order) : json::value(nullptr);
  result["status"] = to_string(view.status);
  result["amount"] = money_json(closed ? deal.amount : view.amount, deal.currency);
  result["createdDate"] = or_null(view.created);
  result["closeDate"] = or_null(closed ? deal.close_date : view.close_date);
  result["age"] = or_null(view.age_days);
  result["stageAge"] = or_null(view.stage_age_days);
  result["lastActivity"] =
      view.last_change ? json::value(to_string(date_of(*view.last_change))) : json::value(nullptr);
  result["probability"] = prediction_json(evaluation.prediction, false);
  result["risk"] = risk_json(evaluation.risk, false);
  const auto& factors = evaluation.risk.factors;
  result["topFactor"] = !factors.empty() && factors.front().points > 0 ? json::value(factors.front().label)
                                                                       : json::value(nullptr);
  result["nextStep"] = evaluation.recommendations.empty()
                           ? json::value(nullptr)
                           : json::value(evaluation.recommendations.front().title);
  return result;
}

json::object deal_detail_json(const Evaluation& evaluation, const TenantFacts& facts) {
  json::object result = deal_summary_json(evaluation, facts);
  result["probability"] = prediction_json(evaluation.prediction, true);
  result["risk"] = risk_json(evaluation.risk, true);
  json::array recommendations;
  for (const Recommendation& r : evaluation.recommendations)
    recommendations.push_back(recommendation_json(r));
  result["recommendations"] = std::move(recommendations);
  json::array contacts;
  for (const DealContact& c : evaluation.view.deal->contacts) {
    contacts.push_back(json::object{{"id", c.id.view()},
                                    {"name", c.name},
                                    {"title", or_null(std::string_view(c.title))},
                                    {"email", or_null(std::string_view(c.email))},
                                    {"role", or_null(std::string_view(c.role))}});
  }
  result["contacts"] = std::move(contacts);
  return result;
}

json::object quality_json(const Quality& quality) {
  json::array bins;
  for (const CalibrationBin& bin : quality.calibration) {
    bins.push_back(json::object{{"from", rounded(bin.from)},
                                {"to", rounded(bin.to)},
                                {"predicted", rounded(bin.predicted)},
                                {"observed", rounded(bin.observed)},
                                {"n", bin.n}});
  }
  return {{"basis", to_string(quality.basis)},
          {"n", quality.n},
          {"won", quality.won},
          {"brier", or_null(quality.brier)},
          {"baseRateBrier", or_null(quality.base_rate_brier)},
          {"ece", or_null(quality.ece)},
          {"auc", or_null(quality.auc)},
          {"calibration", std::move(bins)},
          {"method", quality.method},
          {"note", quality.note}};
}

json::object forecast_row_json(const ForecastRow& row) {
  const auto money = [&](const Decimal& amount) { return money_json(amount, row.currency); };
  json::array others;
  for (const CurrencyTotal& other : row.other_currencies) {
    others.push_back(json::object{{"currency", other.currency},
                                  {"open", other.open},
                                  {"won", money_json(other.won, other.currency)},
                                  {"pipeline", money_json(other.pipeline, other.currency)}});
  }
  return {{"period", row.period.name},
          {"start", to_string(row.period.start)},
          {"end", to_string(row.period.end)},
          {"group", row.group ? json::value(*row.group) : json::value(nullptr)},
          {"won", money(row.won)},
          {"open", row.open},
          {"pipeline", money(row.pipeline)},
          {"weighted", money(row.weighted)},
          {"p10", money(row.p10)},
          {"p50", money(row.p50)},
          {"p90", money(row.p90)},
          {"assumedAmounts", row.assumed_amounts},
          {"expectedNew", money(row.expected_new)},
          {"converted", row.converted},
          {"otherCurrencies", std::move(others)}};
}

json::object forecast_json(std::span<const ForecastRow> rows, const ForecastRequest& request,
                           std::string_view as_of_reason, const Quality& quality) {
  json::array items;
  for (const ForecastRow& row : rows) items.push_back(forecast_row_json(row));
  return {{"asOf", to_string(request.as_of)},
          {"asOfReason", as_of_reason},
          {"currency", rows.empty() ? std::string("unknown") : rows.front().currency},
          {"simulations", request.simulations},
          {"items", std::move(items)},
          {"quality", quality_json(quality)}};
}

json::object backtest_json(const Backtest& backtest, std::string_view currency) {
  json::array items;
  for (const BacktestItem& item : backtest.items) {
    items.push_back(json::object{{"asOf", to_string(item.as_of)},
                                 {"period", item.period.name},
                                 {"p10", money_json(item.p10, currency)},
                                 {"p50", money_json(item.p50, currency)},
                                 {"p90", money_json(item.p90, currency)},
                                 {"weighted", money_json(item.weighted, currency)},
                                 {"actual", money_json(item.actual, currency)},
                                 {"inside", item.inside},
                                 {"learntFrom", item.learnt_from}});
  }
  return {{"items", std::move(items)},
          {"coverage", or_null(backtest.coverage)},
          {"n", backtest.n},
          {"brier", or_null(backtest.brier)},
          {"baseRateBrier", or_null(backtest.base_rate_brier)},
          {"note", backtest.note}};
}

}  // namespace castiel::intelligence
