#pragma once
// Metrics: counters, gauges and histograms, declared once and rendered in the Prometheus text format.
// One Metrics per process, made by the composition root. All functions are thread-safe; handles stay
// valid as long as the Metrics they came from.

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace castiel::telemetry {

// Series of one family. Beyond it, every new combination is counted under "other".
inline constexpr std::size_t kMaxSeriesPerFamily = 200;

class Counter {
 public:
  void add(double amount = 1) const;  // amount >= 0
  double value() const;

 private:
  friend class Metrics;
  template <class>
  friend class Family;
  explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  void set(double value) const;
  void add(double amount) const;
  double value() const;

 private:
  template <class>
  friend class Family;
  explicit Gauge(prometheus::Gauge* gauge) : gauge_(gauge) {}
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  void observe(double value) const;

 private:
  template <class>
  friend class Family;
  explicit Histogram(prometheus::Histogram* histogram) : histogram_(histogram) {}
  prometheus::Histogram* histogram_;
};

// One metric with its label names. A handle: copied freely.
template <class Metric>
class Family {
 public:
  // The series with these label values, in the order of the declared names. A wrong number of values is
  // a programming error and ends the process.
  Metric with(std::initializer_list<std::string_view> values = {}) const;

 private:
  friend class Metrics;
  struct State;
  explicit Family(State* state) : state_(state) {}
  State* state_;
};

struct FamilySpec {
  std::string name;                 // snake_case with unit: "http_request_seconds"
  std::string help;                 // one sentence
  std::vector<std::string> labels;  // closed list; names of tenants, shards, users and keys are refused
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Declaring a name twice gives the same family when kind and labels agree. Anything else that is wrong
  // with a declaration (bad name, forbidden label, other kind) is a programming error and ends the process.
  Family<Counter> counter(const FamilySpec& spec);
  Family<Gauge> gauge(const FamilySpec& spec);
  // `buckets`: upper bounds, strictly increasing.
  Family<Histogram> histogram(const FamilySpec& spec, std::vector<double> buckets);

  // Text exposition format 0.0.4, families by name.
  std::string render() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Bounds for durations in seconds, 1 ms to 60 s.
std::vector<double> seconds_buckets();

}  // namespace castiel::telemetry
