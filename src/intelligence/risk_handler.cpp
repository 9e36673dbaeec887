#include "intelligence/risk_handler.hpp"

#include <fmt/format.h>

#include <set>

#include "base/digest.hpp"
#include "intelligence/impl/book.hpp"
#include "intelligence/render.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"

namespace castiel::intelligence {
namespace {

using messaging::Event;
using messaging::Incoming;

constexpr std::string_view kInsight = "deal";

// What is kept of an evaluation: enough to see whether it changed. The evidence is made anew when somebody
// looks.
json::object insight_json(const Evaluation& evaluation) {
  json::object payload{{"status", to_string(evaluation.view.status)}};
  if (evaluation.view.status != Status::open) return payload;
  payload["probability"] = prediction_json(evaluation.prediction, false);
  auto risk = risk_json(evaluation.risk, false);
  json::array factors;
  for (const RiskFactor& factor : evaluation.risk.factors)
    factors.push_back({{"id", factor.id}, {"points", factor.points}});
  risk["factors"] = std::move(factors);
  payload["risk"] = std::move(risk);
  json::array recommendations;
  for (const Recommendation& r : evaluation.recommendations) {
    recommendations.push_back(
        {{"id", r.id}, {"title", r.title}, {"reason", r.reason}, {"priority", to_string(r.priority)}});
  }
  payload["recommendations"] = std::move(recommendations);
  return payload;
}

std::set<std::string> recommendation_ids(std::string_view payload) {
  std::set<std::string> ids;
  const auto value = parse_json(payload);
  const auto* object = value ? value->if_object() : nullptr;
  const auto* list = object == nullptr ? nullptr : get_array(*object, "recommendations");
  if (list == nullptr) return ids;
  for (const auto& item : *list) {
    if (const auto* recommendation = item.if_object()) ids.insert(string_or(*recommendation, "id"));
  }
  return ids;
}

// The deal a record is about; empty where it is none.
std::string deal_of(const Event& event, const json::object& record) {
  if (event.type != model::event::kEntityLinked) return string_or(record, "shardId");
  return string_or(record, "targetType") == model::type::kOpportunity ? string_or(record, "targetId")
                                                                      : std::string();
}

struct Scored {
  ShardId shard;
  json::object insight;
};

struct Part {
  const Event* cause = nullptr;  // one message of the batch
  std::vector<Scored> deals;
};

class RiskPlan final : public messaging::Plan {
 public:
  std::shared_ptr<const Book> book;
  std::vector<Part> parts;
  json::array periods;  // of the forecast

  Result<> apply(messaging::Step& step) override {
    const Event* first = nullptr;
    for (const Part& part : parts) {
      CASTIEL_ASSIGN(const bool changed, apply_part(step, part));
      if (changed && first == nullptr) first = part.cause;
    }
    return first == nullptr ? Result<>() : publish_forecast(step, *first);
  }
  std::span<const messaging::RecordFailure> failures() const override { return {}; }
  std::string summary() const override {
    return fmt::format("{} of {} deals changed their scores, {} new recommendations", changed_, seen_,
                       recommended_);
  }

 private:
  Result<bool> apply_part(messaging::Step& step, const Part& part) {
    json::array evaluated, recommended;
    bool changed = false;
    for (const Scored& scored : part.deals) {
      ++seen_;
      // Compared under the write lock, so that two lanes with the same deal say it once.
      CASTIEL_ASSIGN(const auto stored, step.tx().insight(kInsight, scored.shard));
      const std::string payload = json::serialize(scored.insight);
      const bool open = scored.insight.contains("risk");
      if (stored ? stored->payload == payload : !open) continue;
      changed = true;
      ++changed_;
      CASTIEL_TRY(step.tx().put_insight({scored.shard, std::string(kInsight), book->as_of.as_of, payload,
                                         part.cause->correlation, step.now()}));
      if (!open) continue;
      evaluated.push_back({{"shardId", scored.shard.str()},
                           {"risk", scored.insight.at("risk").at("score")},
                           {"probability", scored.insight.at("probability").at("value")}});
      const auto known = stored ? recommendation_ids(stored->payload) : std::set<std::string>();
      for (const auto& item : scored.insight.at("recommendations").as_array()) {
        const auto& r = item.get_object();
        if (known.contains(string_or(r, "id"))) continue;
        recommended.push_back({{"shardId", scored.shard.str()},
                               {"recommendationId", r.at("id")},
                               {"title", r.at("title")},
                               {"reason", r.at("reason")}});
      }
    }
    if (!changed) return false;
    recommended_ += recommended.size();
    CASTIEL_TRY(step.tx().add_flow_entry(
        part.cause->correlation,
        {step.now(), std::string(model::queue::kAnalyticsRisk), "insight", std::string(kInsight),
         part.cause->id,
         fmt::format("{} deals evaluated, {} new recommendations", evaluated.size(), recommended.size()),
         static_cast<std::int64_t>(evaluated.size())}));
    if (!evaluated.empty()) {
      const int count = static_cast<int>(evaluated.size());
      CASTIEL_TRY(step.publish(*part.cause, {model::event::kRiskEvaluated, "",
                                             json::object{{"asOf", to_string(book->as_of.as_of)},
                                                          {"records", std::move(evaluated)}},
                                             0, count}));
    }
    if (!recommended.empty()) {
      const int count = static_cast<int>(recommended.size());
      CASTIEL_TRY(step.publish(*part.cause, {model::event::kRecommendationCreated, "",
                                             json::object{{"records", std::move(recommended)}}, 0, count}));
    }
    return true;
  }

  // Says the forecast once for each content: the digest of the last one said is kept with the tenant.
  Result<> publish_forecast(messaging::Step& step, const Event& cause) {
    const std::string digest = fmt::format("{:016x}", stable_hash(json::serialize(periods)));
    CASTIEL_ASSIGN(const auto last, step.tx().cursor("castiel", "forecast"));
    if (last == digest || periods.empty()) return {};
    CASTIEL_TRY(step.tx().put_cursor("castiel", "forecast", digest));
    return step.publish(cause, {model::event::kForecastUpdated, "",
                                json::object{{"asOf", to_string(book->as_of.as_of)}, {"periods", periods}}});
  }

  std::size_t seen_ = 0, changed_ = 0, recommended_ = 0;
};

}  // namespace

std::vector<std::string> RiskHandler::patterns() {
  return {std::string(model::event::kOpportunityUpdated), std::string(model::event::kEntityLinked)};
}

// While an import brings data, each page would train the model again. So its messages wait here until the
// other queues have nothing of its flow left: pending(flow) counts what is enqueued and not settled in every
// queue, and pending(flow, this queue) our own part, which must not keep us waiting. This ends: messages of
// other queues never wait for ours, and each is settled after a bounded number of tries, as an effect or a
// dead letter. Should another process own those queues and be down, kLongestWait lets a batch through now and
// then all the same. Time comes from the clock of the broker's delays, so a virtual clock moves on with every
// message that is given back.
Result<bool> RiskHandler::should_wait(const storage::Reader& reader, const CorrelationId& correlation) {
  CASTIEL_ASSIGN(const auto run, reader.import_run(correlation));
  std::int64_t others = 0;
  bool under_way = false;  // one that was killed is not waited for: others of the tenant would wait behind it
  if (run) {
    CASTIEL_ASSIGN(under_way, storage::is_under_way(reader, *run, clock_->now()));
  }
  if (under_way) {
    CASTIEL_ASSIGN(const auto all, reader.pending(correlation));
    CASTIEL_ASSIGN(const auto own, reader.pending(correlation, model::queue::kAnalyticsRisk));
    others = all - own;
    // The queues may be empty while the next page is being read: the import says when it has read all.
    const auto detail = parse_json(run->detail);
    if (detail && detail->is_object() && !bool_or(detail->get_object(), "announced", true)) ++others;
  }
  return patience_.wait(reader.tenant(), correlation.str(), others > 0);
}

Result<std::unique_ptr<messaging::Plan>> RiskHandler::prepare(const storage::Reader& reader,
                                                              std::span<const Incoming> batch) {
  std::set<CorrelationId> flows;
  for (const Incoming& in : batch) flows.insert(in.event.correlation);
  for (const CorrelationId& flow : flows) {
    CASTIEL_ASSIGN(const bool wait, should_wait(reader, flow));
    if (wait) return transient("not_yet", fmt::format("import {} is still bringing data", flow.str()));
  }
  auto plan = std::make_unique<RiskPlan>();
  CASTIEL_ASSIGN(plan->book, book_->open(reader));
  std::set<std::string> seen;
  for (const Incoming& in : batch) {
    Part part{&in.event, {}};
    const auto* records = get_array(in.event.data.get_object(), "records");
    if (records == nullptr) continue;
    for (const auto& record : *records) {
      const auto* object = record.if_object();
      const auto id = object == nullptr ? std::string() : deal_of(in.event, *object);
      if (id.empty() || !seen.insert(id).second) continue;
      const Deal* deal = plan->book->find(ShardId(id));
      if (deal == nullptr) continue;  // deleted meanwhile
      const Evaluation evaluation = plan->book->evaluate(*deal);
      if (evaluation.view.exists) part.deals.push_back({ShardId(id), insight_json(evaluation)});
    }
    if (!part.deals.empty()) plan->parts.push_back(std::move(part));
  }
  if (!plan->parts.empty()) {
    CASTIEL_ASSIGN(auto forecast, plan->book->forecast({}, GroupBy::none));
    plan->periods = std::move(forecast["items"].as_array());
  }
  return plan;
}

}  // namespace castiel::intelligence
