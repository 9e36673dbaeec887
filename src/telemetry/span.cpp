#include "telemetry/span.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace castiel::telemetry {

namespace {

bool is_lower_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool is_zero(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '0'; });
}

std::string random_hex(Random& random, int words) {
  std::string out;
  do {
    out.clear();
    for (int i = 0; i < words; ++i) fmt::format_to(std::back_inserter(out), "{:016x}", random.next());
  } while (is_zero(out));
  return out;
}

int hex_digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view header) {
  // version(2) - trace id(32) - span id(16) - flags(2); a later version may add to it after another dash.
  constexpr std::size_t kLength = 55;
  if (header.size() < kLength) return std::nullopt;
  if (header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  const auto version = header.substr(0, 2);
  const auto trace = header.substr(3, 32);
  const auto span = header.substr(36, 16);
  const auto flags = header.substr(53, 2);
  if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(span) || !is_lower_hex(flags))
    return std::nullopt;
  if (version == "ff" || is_zero(trace) || is_zero(span)) return std::nullopt;
  if (header.size() > kLength && (version == "00" || header[kLength] != '-')) return std::nullopt;
  return TraceContext{std::string(trace), std::string(span), (hex_digit(flags[1]) & 1) != 0};
}

std::string to_traceparent(const TraceContext& context) {
  return fmt::format("00-{}-{}-{}", context.trace_id, context.span_id, context.sampled ? "01" : "00");
}

TraceContext new_trace(Random& random) {
  return {random_hex(random, 2), random_hex(random, 1), true};
}

TraceContext child_of(const TraceContext& parent, Random& random) {
  return {parent.trace_id, random_hex(random, 1), parent.sampled};
}

ScopedSpan::ScopedSpan(SpanSink& sink, const Clock& clock, Random& random, std::string_view parent,
                       std::string name)
    : sink_(&sink), clock_(&clock), started_(clock.monotonic()) {
  span_.name = std::move(name);
  span_.start = clock.now();
  if (const auto context = parse_traceparent(parent)) {
    span_.parent_span_id = context->span_id;
    span_.context = child_of(*context, random);
  } else {
    span_.context = new_trace(random);
  }
}

ScopedSpan::~ScopedSpan() {
  span_.duration = clock_->monotonic() - started_;
  sink_->record(std::move(span_));
}

void ScopedSpan::attribute(std::string key, std::string value) {
  span_.attributes.emplace_back(std::move(key), std::move(value));
}

void ScopedSpan::fail(const Error& error) {
  span_.error_code = error.code;
}

}  // namespace castiel::telemetry
