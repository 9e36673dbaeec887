#include "intelligence/impl/features.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "intelligence/impl/days.hpp"
#include "intelligence/impl/stages.hpp"

namespace castiel::intelligence::impl {
namespace {

constexpr int kEnoughForEdges = 20;  // won deals before their own quantiles cut the bins
constexpr int kMinLevelDeals = 10;   // closed deals before a value of a text field gets a weight of its own
constexpr std::size_t kMaxLevels = 40;

struct FeatureName {
  std::string_view id, label;
};
constexpr std::array<FeatureName, kFeatureCount> kNames{{
    {"stage", "Stage"},
    {"stageAge", "Time in stage"},
    {"age", "Age of the deal"},
    {"closeDate", "Expected close date"},
    {"pushes", "Close date moved out"},
    {"amountChange", "Amount changed"},
    {"amount", "Amount"},
    {"silence", "Time without a change"},
    {"regressions", "Stage moved back"},
    {"skips", "Stages skipped"},
    {"ownerChanges", "Owner changed"},
    {"sourceProbability", "Probability in the source"},
    {"type", "Type"},
    {"leadSource", "Lead source"},
    {"product", "Product"},
    {"team", "Team"},
    {"owner", "Owner"},
    {"account", "Record with the account"},
}};

// Shipped means of the weights, log-odds, by bin; bin 0 is "unknown" and has 0. Starting values from common
// sales practice, made to be replaced by the tenant's own deals.
constexpr std::array kStageAge{0.0, 0.1, 0.0, -0.1, -0.4, -0.9};
constexpr std::array kAge{0.0, 0.05, 0.05, 0.0, -0.1, -0.25, -1.0, -2.0};
constexpr std::array kDue{0.0, -0.9, -0.4, 0.1, 0.0, -0.1};
constexpr std::array kPushes{0.0, 0.05, -0.15, -0.4, -0.7};
constexpr std::array kAmountChange{0.0, 0.0, -0.1, -0.4, 0.1};
constexpr std::array kSilence{0.0, 0.15, 0.1, -0.05, -0.3, -0.7};
constexpr std::array kCounted{0.0, 0.0, -0.3};
constexpr std::array kSourceProbability{0.05, 0.175, 0.375, 0.625, 0.825, 0.95};  // middles of the bins
constexpr std::array kSourceEdges{0.1, 0.25, 0.5, 0.75, 0.9};
constexpr std::array kAccount{0.0, 0.0, -0.15, 0.3};

// Standard deviations of the weights around those means.
constexpr double kInterceptSd = 0.8, kStageSd = 0.6, kOrdinalSd = 0.4, kCategorySd = 0.25;

// Probability the shipped prior gives a stage at a position 0..1.
double stage_probability(double position) {
  return 0.10 + 0.65 * position;
}

double weight_of_sources(bool both) {
  return both ? 0.5 : 1.0;
}

template <std::size_t N>
int count_bin(int value, const std::array<int, N>& edges) {
  int bin = 1;
  for (const int edge : edges) bin += value >= edge;
  return bin;
}

// Whether changes of a field before the view's instant are on record.
bool observed(const TenantFacts::Tracking& tracking, const DealView& view) {
  return tracking.reaches_back || (tracking.any && view.deal && view.deal->recorded_at <= view.as_of);
}

std::map<std::string, int, std::less<>> common_levels(std::span<const Deal* const> deals,
                                                      SharedText Deal::* field) {
  std::map<std::string, int, std::less<>> counts;
  for (const Deal* deal : deals) {
    if (!(deal->*field).empty()) ++counts[deal->*field];
  }
  std::vector<std::pair<int, std::string>> kept;
  for (const auto& [name, count] : counts) {
    if (count >= kMinLevelDeals) kept.emplace_back(-count, name);
  }
  std::ranges::sort(kept);
  if (kept.size() > kMaxLevels) kept.resize(kMaxLevels);
  std::map<std::string, int, std::less<>> levels;
  for (const auto& [_, name] : kept) levels.emplace(name, static_cast<int>(levels.size()) + 1);
  return levels;
}

Evidence field_evidence(std::string text, std::string_view field) {
  return {EvidenceKind::field, std::move(text), std::string(field), {}, {}, {}, {}};
}

Evidence change_evidence(const Change& change, std::string_view what) {
  return {EvidenceKind::change,
          fmt::format("{} {} to {} on {}", what, change.old_value.value_or("nothing"),
                      change.new_value.value_or("nothing"), to_string(date_of(change.effective_at))),
          change.field,
          change.old_value,
          change.new_value,
          change.effective_at,
          change.correlation};
}

// The field of the canonical model a feature reads.
std::string_view canonical_field(Feature feature) {
  switch (feature) {
    case Feature::source_probability:
      return field::kProbability;
    case Feature::amount_size:
      return field::kAmount;
    case Feature::owner:
      return field::kOwnerName;
    case Feature::product:
      return "productName";
    default:
      return Encoder::id(feature);
  }
}

std::string plural(int n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

}  // namespace

std::array<int, 6> age_edges(const TenantFacts& facts) {
  std::array<int, 6> edges{30, 60, 120, 180, 365, 730};
  if (facts.won_cycle.n >= kEnoughForEdges) {
    const Spread& cycle = facts.won_cycle;
    const std::array quantiles{cycle.p25, cycle.p50, cycle.p75, cycle.p90, cycle.max, 2 * cycle.max};
    int last = 0;
    for (std::size_t i = 0; i < edges.size(); ++i) {
      edges[i] = last = std::max(last + 1, static_cast<int>(quantiles[i]) + 1);
    }
  }
  return edges;
}

int age_bin(const std::array<int, 6>& edges, int days) {
  return count_bin(days, edges);
}

Encoder::Encoder(const TenantFacts& facts, std::span<const Deal* const> closed)
    : facts_(&facts),
      age_edges_(age_edges(facts)),
      types_(common_levels(closed, &Deal::type)),
      lead_sources_(common_levels(closed, &Deal::lead_source)),
      products_(common_levels(closed, &Deal::product)),
      teams_(common_levels(closed, &Deal::team)),
      owners_(common_levels(closed, &Deal::owner)) {
  for (const StageFact& stage : facts.stages) {
    if (!stage.closing && stages_.size() < kMaxLevels)
      stages_.emplace(stage.name, static_cast<int>(stages_.size()) + 1);
  }
  const Spread& amount = facts.won_amount;
  has_amount_edges_ = amount.n >= kEnoughForEdges && amount.p90 > amount.p25;
  amount_edges_ = {amount.p25, amount.p50, amount.p75, amount.p90};
  for (const Deal* deal : closed) {
    if (deal->account.empty()) continue;
    if (const auto at = closed_at(*deal))
      accounts_[deal->account].push_back({*at, deal->status == Status::won});
  }
  for (auto& [_, outcomes] : accounts_) std::ranges::sort(outcomes, {}, &Outcome::at);
  has_source_probability_ = facts.has_source_probability || facts.probability_history.any;

  const auto levels = [](const Levels& of) { return static_cast<int>(of.size()) + 1; };
  sizes_ = {levels(stages_),
            static_cast<int>(kStageAge.size()),
            kAgeBins,
            static_cast<int>(kDue.size()),
            static_cast<int>(kPushes.size()),
            static_cast<int>(kAmountChange.size()),
            6,
            static_cast<int>(kSilence.size()),
            3,
            3,
            3,
            static_cast<int>(kSourceProbability.size()) + 1,
            levels(types_),
            levels(lead_sources_),
            levels(products_),
            levels(teams_),
            levels(owners_),
            static_cast<int>(kAccount.size())};
  int offset = 1;
  for (int f = 0; f < kFeatureCount; ++f) {
    offsets_[f] = offset;
    offset += sizes_[f];
  }
  parameters_ = static_cast<std::size_t>(offset);
}

int Encoder::level(const Levels& levels, std::string_view text) const {
  const auto it = levels.find(text);
  return it == levels.end() ? 0 : it->second;
}

int Encoder::account_bin(const DealView& view) const {
  if (view.account.empty() || accounts_.empty()) return 0;
  const auto it = accounts_.find(std::string(view.account));
  int won = 0, lost = 0;
  if (it != accounts_.end()) {
    for (const Outcome& outcome : it->second) {
      if (outcome.at >= view.as_of) break;
      outcome.won ? ++won : ++lost;
    }
  }
  return won > 0 ? 3 : lost > 0 ? 2 : 1;
}

int Encoder::bin(Feature feature, const DealView& view) const {
  switch (feature) {
    case Feature::stage:
      return view.stage ? level(stages_, *view.stage) : 0;
    case Feature::stage_age: {
      if (!view.stage_age_days || !view.stage) return 0;
      const StageFact* stage = facts_->stage(*view.stage);
      const double median = stage && stage->won_visits >= 5 ? std::max(*stage->median_days, 3.0) : 30;
      const double ratio = *view.stage_age_days / median;
      return ratio < .5 ? 1 : ratio < 1 ? 2 : ratio < 1.5 ? 3 : ratio < 2.5 ? 4 : 5;
    }
    case Feature::age:
      return view.age_days ? age_bin(age_edges_, *view.age_days) : 0;
    case Feature::due: {
      if (!view.days_to_close) return 0;
      const int days = *view.days_to_close;
      return days < -30 ? 1 : days < 0 ? 2 : days <= 30 ? 3 : days <= 90 ? 4 : 5;
    }
    case Feature::pushes:
      return observed(facts_->close_date_history, view) ? count_bin(view.pushes, std::array{1, 2, 3}) : 0;
    case Feature::amount_change:
      if (!observed(facts_->amount_history, view)) return 0;
      if (view.amount_cut_share >= .2) return 3;
      return view.amount_cut_share > 0 ? 2 : view.amount_raises > 0 ? 4 : 1;
    case Feature::amount_size: {
      if (!view.amount || !has_amount_edges_) return 0;
      const double amount = view.amount->to_double();
      return 1 + static_cast<int>(
                     std::ranges::count_if(amount_edges_, [&](double edge) { return amount > edge; }));
    }
    case Feature::silence:
      return view.silence_days && facts_->has_history
                 ? count_bin(*view.silence_days, std::array{8, 15, 31, 61})
                 : 0;
    case Feature::regressions:
      return observed(facts_->stage_history, view) ? count_bin(view.regressions, std::array{1}) : 0;
    case Feature::skips:
      return observed(facts_->stage_history, view) ? count_bin(view.skips, std::array{1}) : 0;
    case Feature::owner_changes:
      return observed(facts_->owner_history, view) ? count_bin(view.owner_changes, std::array{1}) : 0;
    case Feature::source_probability:
      return view.source_probability
                 ? 1 + static_cast<int>(std::ranges::count_if(
                           kSourceEdges, [&](double edge) { return *view.source_probability >= edge; }))
                 : 0;
    case Feature::type:
      return level(types_, view.type);
    case Feature::lead_source:
      return level(lead_sources_, view.lead_source);
    case Feature::product:
      return level(products_, view.product);
    case Feature::team:
      return level(teams_, view.team);
    case Feature::owner:
      return view.owner ? level(owners_, *view.owner) : 0;
    case Feature::account:
      return account_bin(view);
  }
  return 0;
}

Example Encoder::encode(const DealView& view) const {
  Example example;
  for (int f = 0; f < kFeatureCount; ++f) {
    example.bins[f] = static_cast<std::uint16_t>(offsets_[f] + bin(static_cast<Feature>(f), view));
  }
  return example;
}

GaussianPrior Encoder::prior() const {
  GaussianPrior prior;
  prior.mean.assign(parameters_, 0.0);
  prior.precision.assign(parameters_, 1 / (kOrdinalSd * kOrdinalSd));
  prior.mean[0] = logit(kPriorWinRate);
  prior.precision[0] = 1 / (kInterceptSd * kInterceptSd);
  const auto set = [&](Feature feature, std::span<const double> means) {
    for (std::size_t i = 0; i < means.size(); ++i)
      prior.mean[global_bin(feature, static_cast<int>(i))] = means[i];
  };
  set(Feature::stage_age, kStageAge);
  set(Feature::age, kAge);
  set(Feature::due, kDue);
  set(Feature::pushes, kPushes);
  set(Feature::amount_change, kAmountChange);
  set(Feature::silence, kSilence);
  set(Feature::regressions, kCounted);
  set(Feature::skips, std::array{0.0, 0.0, -0.2});
  set(Feature::owner_changes, std::array{0.0, 0.0, -0.2});
  set(Feature::account, kAccount);
  const double share = weight_of_sources(true);
  for (std::size_t i = 0; i < kSourceProbability.size(); ++i) {
    prior.mean[global_bin(Feature::source_probability, static_cast<int>(i) + 1)] =
        share * (logit(kSourceProbability[i]) - prior.mean[0]);
  }
  for (const auto& [name, local] : stages_) {
    const int index = global_bin(Feature::stage, local);
    prior.mean[index] = (has_source_probability_ ? share : 1) *
                        (logit(stage_probability(facts_->position_of(name))) - prior.mean[0]);
  }
  for (int i = 0; i < bins(Feature::stage); ++i) {
    prior.precision[global_bin(Feature::stage, i)] = 1 / (kStageSd * kStageSd);
  }
  for (const Feature f :
       {Feature::type, Feature::lead_source, Feature::product, Feature::team, Feature::owner}) {
    for (int i = 0; i < bins(f); ++i) prior.precision[global_bin(f, i)] = 1 / (kCategorySd * kCategorySd);
  }
  return prior;
}

std::string_view Encoder::id(Feature feature) {
  return kNames[static_cast<int>(feature)].id;
}
std::string_view Encoder::label(Feature feature) {
  return kNames[static_cast<int>(feature)].label;
}

std::string Encoder::value(Feature feature, const DealView& view) const {
  const int local = bin(feature, view);
  switch (feature) {
    case Feature::stage:
      return view.stage ? std::string(*view.stage) : "not known";
    case Feature::stage_age:
      return view.stage_age_days ? plural(*view.stage_age_days, "day") : "not known";
    case Feature::age:
      if (!view.age_days) return "not known";
      return plural(*view.age_days, "day") +
             (local >= kFirstAgeBinBeyondWon && facts_->won_cycle.n >= kEnoughForEdges
                  ? ", longer than any deal won so far"
                  : "");
    case Feature::due:
      if (!view.days_to_close) return "not known";
      return *view.days_to_close < 0 ? plural(-*view.days_to_close, "day") + " past"
                                     : "in " + plural(*view.days_to_close, "day");
    case Feature::pushes:
      return local == 0 ? "not known" : plural(view.pushes, "time");
    case Feature::amount_change:
      if (local == 0) return "not known";
      if (view.amount_cut_share > 0) return fmt::format("cut by {:.0f} %", 100 * view.amount_cut_share);
      return view.amount_raises > 0 ? "raised" : "unchanged";
    case Feature::amount_size:
      return view.amount ? view.amount->normalized().str() : "not known";
    case Feature::silence:
      return view.silence_days ? plural(*view.silence_days, "day") : "not known";
    case Feature::regressions:
      return local == 0 ? "not known" : plural(view.regressions, "time");
    case Feature::skips:
      return local == 0 ? "not known" : plural(view.skips, "stage");
    case Feature::owner_changes:
      return local == 0 ? "not known" : plural(view.owner_changes, "time");
    case Feature::source_probability:
      return view.source_probability ? fmt::format("{:.0f} %", 100 * *view.source_probability) : "not known";
    case Feature::type:
      return view.type.empty() ? "not known" : std::string(view.type);
    case Feature::lead_source:
      return view.lead_source.empty() ? "not known" : std::string(view.lead_source);
    case Feature::product:
      return view.product.empty() ? "not known" : std::string(view.product);
    case Feature::team:
      return view.team.empty() ? "not known" : std::string(view.team);
    case Feature::owner:
      return view.owner ? std::string(*view.owner) : "not known";
    case Feature::account:
      return local == 0   ? "not known"
             : local == 1 ? "first deal"
             : local == 2 ? "only lost so far"
                          : "has bought before";
  }
  return {};
}

std::vector<Evidence> Encoder::evidence(Feature feature, const DealView& view) const {
  std::vector<Evidence> result;
  const auto changes = [&](std::span<const Change* const> of, std::string_view what) {
    for (const Change* change : of) result.push_back(change_evidence(*change, what));
  };
  switch (feature) {
    case Feature::pushes:
      changes(view.push_changes, "Close date moved from");
      break;
    case Feature::amount_change:
      changes(view.cut_changes, "Amount went from");
      break;
    case Feature::regressions:
      changes(view.regression_changes, "Stage moved back from");
      break;
    case Feature::skips:
      changes(view.skip_changes, "Stage moved from");
      break;
    case Feature::owner_changes:
      if (view.owner_change) result.push_back(change_evidence(*view.owner_change, "Owner changed from"));
      break;
    case Feature::stage:
    case Feature::stage_age:
      if (!view.stage_changes.empty()) {
        result.push_back(change_evidence(*view.stage_changes.back(), "Stage moved from"));
      } else if (view.stage) {
        result.push_back(field_evidence(fmt::format("The stage is {}", *view.stage), field::kStage));
      }
      break;
    case Feature::age:
      if (view.created) {
        result.push_back(
            field_evidence(fmt::format("Created on {}", to_string(*view.created)), "createdDate"));
        if (facts_->won_cycle.n > 0) {
          result.push_back({EvidenceKind::cohort,
                            fmt::format("{} won deals took {:.0f} days at the median and {:.0f} at most",
                                        facts_->won_cycle.n, facts_->won_cycle.p50, facts_->won_cycle.max),
                            "createdDate",
                            {},
                            {},
                            {},
                            {}});
        }
      }
      break;
    case Feature::due:
      if (view.close_date) {
        result.push_back(field_evidence(fmt::format("Expected to close on {}", to_string(*view.close_date)),
                                        field::kCloseDate));
      }
      break;
    case Feature::silence:
      if (view.last_change) {
        result.push_back(
            field_evidence(fmt::format("Last change on {}", to_string(date_of(*view.last_change))), ""));
      }
      break;
    case Feature::account: {
      const auto it = accounts_.find(std::string(view.account));
      if (it == accounts_.end()) break;
      int won = 0, lost = 0;
      for (const Outcome& outcome : it->second) {
        if (outcome.at < view.as_of) outcome.won ? ++won : ++lost;
      }
      result.push_back({EvidenceKind::cohort,
                        fmt::format("{} won and {} lost deals with {}", won, lost, view.account),
                        "accountName",
                        {},
                        {},
                        {},
                        {}});
      break;
    }
    default:
      if (const auto text = value(feature, view); text != "not known") {
        result.push_back(
            field_evidence(fmt::format("{}: {}", label(feature), text), canonical_field(feature)));
      }
  }
  return result;
}

}  // namespace castiel::intelligence::impl
