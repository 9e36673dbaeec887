#include "telemetry/metrics.hpp"

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <type_traits>

namespace castiel::telemetry {

namespace {

[[noreturn]] void die(const std::string& what) {
  std::fputs(("metrics: " + what + "\n").c_str(), stderr);
  std::abort();
}

// Unbounded sets of values: as labels they would make a series for each.
constexpr std::string_view kForbiddenLabels[] = {
    "tenant", "tenant_id", "tenantId", "shard", "shard_id",    "shardId",        "user", "user_id", "key",
    "id",     "email",     "path",     "url",   "external_id", "correlation_id", "le",   "quantile"};

bool is_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void check(const FamilySpec& spec) {
  if (!is_name(spec.name)) die(fmt::format("\"{}\" is no metric name", spec.name));
  for (const auto& label : spec.labels) {
    if (!is_name(label)) die(fmt::format("\"{}\" is no label name ({})", label, spec.name));
    if (std::ranges::find(kForbiddenLabels, label) != std::end(kForbiddenLabels))
      die(fmt::format("label \"{}\" of {} has no bounded set of values", label, spec.name));
  }
}

template <class Metric>
struct Native;
template <>
struct Native<Counter> {
  using type = prometheus::Counter;
};
template <>
struct Native<Gauge> {
  using type = prometheus::Gauge;
};
template <>
struct Native<Histogram> {
  using type = prometheus::Histogram;
};

}  // namespace

void Counter::add(double amount) const {
  counter_->Increment(amount);
}
double Counter::value() const {
  return counter_->Value();
}
void Gauge::set(double value) const {
  gauge_->Set(value);
}
void Gauge::add(double amount) const {
  gauge_->Increment(amount);
}
double Gauge::value() const {
  return gauge_->Value();
}
void Histogram::observe(double value) const {
  histogram_->Observe(value);
}

template <class Metric>
struct Family<Metric>::State {
  using NativeMetric = typename Native<Metric>::type;

  FamilySpec spec;
  std::vector<double> buckets;
  prometheus::Family<NativeMetric>* family;
  std::shared_mutex mutex;
  std::map<std::vector<std::string>, NativeMetric*> series;

  NativeMetric* add(const std::vector<std::string>& values) {
    std::map<std::string, std::string> labels;
    for (std::size_t i = 0; i < values.size(); ++i) labels.emplace(spec.labels[i], values[i]);
    if constexpr (std::is_same_v<Metric, Histogram>) {
      return &family->Add(labels, prometheus::Histogram::BucketBoundaries(buckets));
    } else {
      return &family->Add(labels);
    }
  }
};

template <class Metric>
Metric Family<Metric>::with(std::initializer_list<std::string_view> values) const {
  if (values.size() != state_->spec.labels.size()) {
    die(fmt::format("{} has {} labels, not {}", state_->spec.name, state_->spec.labels.size(),
                    values.size()));
  }
  std::vector<std::string> key(values.begin(), values.end());
  {
    std::shared_lock lock(state_->mutex);
    if (const auto it = state_->series.find(key); it != state_->series.end()) return Metric(it->second);
  }
  std::unique_lock lock(state_->mutex);
  // One place stays free for the series that takes the rest.
  if (!state_->series.contains(key) && state_->series.size() >= kMaxSeriesPerFamily - 1) {
    key.assign(values.size(), "other");
  }
  auto [it, added] = state_->series.try_emplace(std::move(key), nullptr);
  if (added) it->second = state_->add(it->first);
  return Metric(it->second);
}

template class Family<Counter>;
template class Family<Gauge>;
template class Family<Histogram>;

struct Metrics::State {
  prometheus::Registry registry;
  mutable std::mutex mutex;
  std::map<std::string, std::unique_ptr<Family<Counter>::State>> counters;
  std::map<std::string, std::unique_ptr<Family<Gauge>::State>> gauges;
  std::map<std::string, std::unique_ptr<Family<Histogram>::State>> histograms;

  template <class FamilyState, class Build>
  FamilyState* declare(std::map<std::string, std::unique_ptr<FamilyState>>& families, const FamilySpec& spec,
                       std::vector<double> buckets, Build build) {
    check(spec);
    std::lock_guard lock(mutex);
    if (const auto it = families.find(spec.name); it != families.end()) {
      if (it->second->spec.labels != spec.labels || it->second->buckets != buckets)
        die(fmt::format("{} was declared differently before", spec.name));
      return it->second.get();
    }
    if (counters.contains(spec.name) || gauges.contains(spec.name) || histograms.contains(spec.name))
      die(fmt::format("{} was declared as another kind before", spec.name));
    auto state = std::make_unique<FamilyState>();
    state->spec = spec;
    state->buckets = std::move(buckets);
    state->family = &build().Name(spec.name).Help(spec.help).Register(registry);
    // A family without labels has its one series from the start: an absent 0 reads as "not measured".
    if (spec.labels.empty()) state->series.emplace(std::vector<std::string>{}, state->add({}));
    return families.emplace(spec.name, std::move(state)).first->second.get();
  }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Family<Counter> Metrics::counter(const FamilySpec& spec) {
  return Family<Counter>(
      state_->declare(state_->counters, spec, {}, [] { return prometheus::BuildCounter(); }));
}

Family<Gauge> Metrics::gauge(const FamilySpec& spec) {
  return Family<Gauge>(state_->declare(state_->gauges, spec, {}, [] { return prometheus::BuildGauge(); }));
}

Family<Histogram> Metrics::histogram(const FamilySpec& spec, std::vector<double> buckets) {
  if (buckets.empty() || !std::ranges::is_sorted(buckets, std::less_equal<>{}))
    die(fmt::format("the buckets of {} do not increase", spec.name));
  return Family<Histogram>(state_->declare(state_->histograms, spec, std::move(buckets),
                                           [] { return prometheus::BuildHistogram(); }));
}

std::string Metrics::render() const {
  auto families = state_->registry.Collect();
  std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
  return prometheus::TextSerializer().Serialize(families);
}

std::vector<double> seconds_buckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

}  // namespace castiel::telemetry
