#include "telemetry/span.hpp"

#include <gtest/gtest.h>

namespace castiel::telemetry {
namespace {

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Traceparent, is_read_and_written_back) {
  const auto context = parse_traceparent(kParent);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->span_id, "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(to_traceparent(*context), kParent);
}

TEST(Traceparent, is_refused_when_malformed) {
  for (const auto* bad : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                          "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                          "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more"})
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
}

TEST(Traceparent, of_a_later_version_is_read_for_what_is_known) {
  EXPECT_TRUE(parse_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more"));
}

struct Collected final : SpanSink {
  void record(Span span) override { spans.push_back(std::move(span)); }
  std::vector<Span> spans;
};

TEST(ScopedSpan, continues_the_parents_trace_and_measures) {
  ManualClock clock(Timestamp{0});
  SeededRandom random(1);
  Collected sink;
  std::string inner_parent;
  {
    ScopedSpan outer(sink, clock, random, kParent, "outer");
    ScopedSpan inner(sink, clock, random, outer.traceparent(), "inner");
    inner.attribute("entity", "deal");
    inner.fail(Error{"boom", "It failed.", ErrorClass::permanent, ""});
    clock.advance(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(sink.spans.size(), 2U);
  const auto& inner = sink.spans[0];
  const auto& outer = sink.spans[1];
  EXPECT_EQ(outer.context.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(outer.parent_span_id, "00f067aa0ba902b7");
  EXPECT_EQ(inner.parent_span_id, outer.context.span_id);
  EXPECT_EQ(inner.duration, std::chrono::milliseconds(5));
  EXPECT_EQ(inner.error_code, "boom");
}

TEST(ScopedSpan, starts_a_trace_without_a_parent) {
  ManualClock clock(Timestamp{0});
  SeededRandom random(1);
  Collected sink;
  {
    ScopedSpan span(sink, clock, random, "", "root");
  }
  EXPECT_TRUE(sink.spans.at(0).parent_span_id.empty());
  EXPECT_TRUE(parse_traceparent(to_traceparent(sink.spans.at(0).context)));
}

}  // namespace
}  // namespace castiel::telemetry
