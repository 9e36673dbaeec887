#pragma once
// Spans: the port a trace exporter implements, and the W3C trace context (traceparent) that links them.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"

namespace castiel::telemetry {

struct TraceContext {
  std::string trace_id;  // 32 lower-case hex digits, not all zero
  std::string span_id;   // 16 lower-case hex digits, not all zero
  bool sampled = true;
};

// Version 00, and later versions read as 00 as the recommendation says. Nothing when it is malformed.
// https://www.w3.org/TR/trace-context/
std::optional<TraceContext> parse_traceparent(std::string_view header);
std::string to_traceparent(const TraceContext& context);
// A new trace, or a new span within the parent's trace.
TraceContext new_trace(Random& random);
TraceContext child_of(const TraceContext& parent, Random& random);

struct Span {
  std::string name;
  TraceContext context;
  std::string parent_span_id;  // empty for a root
  Timestamp start;
  Duration duration{0};
  std::string error_code;  // empty when it went well
  std::vector<std::pair<std::string, std::string>> attributes;
};

// Takes finished spans. Implementations are thread-safe and do not block: what they cannot keep, they drop.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void record(Span span) = 0;
};

class NoSpans final : public SpanSink {
 public:
  void record(Span) override {}
};

// Measures from construction to destruction and hands the span over. One thread owns it.
class ScopedSpan {
 public:
  // Without a valid `parent` traceparent it starts a new trace.
  ScopedSpan(SpanSink& sink, const Clock& clock, Random& random, std::string_view parent, std::string name);
  ~ScopedSpan();
  ScopedSpan(const ScopedSpan&) = delete;
  ScopedSpan& operator=(const ScopedSpan&) = delete;

  void attribute(std::string key, std::string value);
  void fail(const Error& error);
  // For calls made inside this span.
  std::string traceparent() const { return to_traceparent(span_.context); }

 private:
  SpanSink* sink_;
  const Clock* clock_;
  Duration started_;
  Span span_;
};

}  // namespace castiel::telemetry
