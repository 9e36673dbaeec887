#include "telemetry/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace castiel::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, renders_counters_gauges_and_histograms) {
  Metrics metrics;
  metrics.counter({"requests_total", "Requests.", {"operation"}}).with({"listDeals"}).add(2);
  metrics.gauge({"queue_depth", "Waiting.", {}}).with().set(7);
  metrics.histogram({"request_seconds", "Time.", {}}, {0.1, 1}).with().observe(0.5);
  const auto text = metrics.render();
  EXPECT_THAT(text, HasSubstr("# HELP requests_total Requests."));
  EXPECT_THAT(text, HasSubstr("requests_total{operation=\"listDeals\"} 2"));
  EXPECT_THAT(text, HasSubstr("queue_depth 7"));
  EXPECT_THAT(text, HasSubstr("request_seconds_bucket{le=\"0.1\"} 0"));
  EXPECT_THAT(text, HasSubstr("request_seconds_bucket{le=\"1\"} 1"));
}

TEST(Metrics, gives_the_same_family_for_the_same_declaration) {
  Metrics metrics;
  const FamilySpec spec{"a_total", "A.", {"kind"}};
  metrics.counter(spec).with({"x"}).add();
  metrics.counter(spec).with({"x"}).add();
  EXPECT_EQ(metrics.counter(spec).with({"x"}).value(), 2);
}

TEST(Metrics, shows_a_family_without_labels_from_the_start) {
  Metrics metrics;
  metrics.counter({"idle_total", "Nothing yet.", {}});
  EXPECT_THAT(metrics.render(), HasSubstr("idle_total 0"));
}

TEST(Metrics, counts_under_other_when_labels_explode) {
  Metrics metrics;
  const auto family = metrics.counter({"wild_total", "Wild.", {"kind"}});
  for (int i = 0; i < 1000; ++i) family.with({std::to_string(i)}).add();
  EXPECT_EQ(family.with({"other"}).value(), 1000 - (kMaxSeriesPerFamily - 1));
  EXPECT_EQ(family.with({"5"}).value(), 1);
  EXPECT_THAT(metrics.render(), Not(HasSubstr("\"999\"")));
}

TEST(Metrics, counts_exactly_from_many_threads) {
  Metrics metrics;
  const auto family = metrics.counter({"busy_total", "Busy.", {"kind"}});
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) family.with({std::to_string(i % 7)}).add();
      });
  }
  double sum = 0;
  for (int i = 0; i < 7; ++i) sum += family.with({std::to_string(i)}).value();
  EXPECT_EQ(sum, 2000);
}

TEST(MetricsDeathTest, refuses_labels_without_a_bounded_set_of_values) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Metrics metrics;
        metrics.counter({"a_total", "A.", {"tenant"}});
      },
      "no bounded set");
}

}  // namespace
}  // namespace castiel::telemetry
