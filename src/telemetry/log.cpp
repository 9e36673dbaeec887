#include "telemetry/log.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <vector>

#include "base/json.hpp"
#include "base/utf8.hpp"

namespace castiel::telemetry {

namespace {

// Lines through an spdlog sink, which brings its own lock.
class SpdlogSink final : public LineSink {
 public:
  explicit SpdlogSink(spdlog::sink_ptr sink) : logger_("castiel", std::move(sink)) {
    logger_.set_pattern("%v");
    logger_.set_level(spdlog::level::trace);
  }
  void write(Level level, std::string_view line) override {
    logger_.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
    if (level >= Level::warn) logger_.flush();
  }
  void flush() override { logger_.flush(); }

 private:
  spdlog::logger logger_;
};

class DescriptorSink final : public LineSink {
 public:
  explicit DescriptorSink(int descriptor) : descriptor_(descriptor) {}
  void write(Level, std::string_view line) override {
    buffer_.assign(line);
    buffer_ += '\n';
    std::string_view rest = buffer_;
    while (!rest.empty()) {
      const auto written = ::write(descriptor_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // nobody left to tell
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  const int descriptor_;
  std::string buffer_;
};

void append_field(std::string& out, const Field& field) {
  out += ',';
  append_json_string(out, field.key);
  out += ':';
  field.value.append_to(out);
}

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::trace:
      return "trace";
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
    case Level::off:
      break;
  }
  return "off";
}

Result<Level> parse_level(std::string_view text) {
  for (const auto level : {Level::trace, Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
    if (text == to_string(level)) return level;
  }
  return permanent("invalid_log_level",
                   fmt::format("\"{}\" is no log level: trace, debug, info, warn, error or off.", text));
}

void FieldValue::append_to(std::string& out) const {
  std::visit(
      [&out](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          append_json_string(out, utf8_prefix(value, kMaxFieldBytes));
        } else if constexpr (std::is_same_v<T, bool>) {
          out += value ? "true" : "false";
        } else if constexpr (std::is_same_v<T, double>) {
          if (std::isfinite(value)) {
            fmt::format_to(std::back_inserter(out), "{}", value);
          } else {
            out += "null";
          }
        } else {
          fmt::format_to(std::back_inserter(out), "{}", value);
        }
      },
      value_);
}

struct Log::State {
  State(std::shared_ptr<LineSink> s, const Clock& c, LogOptions o)
      : sink(std::move(s)), clock(&c), level(o.level), max_lines(std::max(1, o.max_lines_per_second)) {}
  ~State() {
    std::lock_guard lock(mutex);
    tell_suppressed(true);
    sink->flush();
  }

  struct Window {
    Duration start{0};
    int lines = 0;
    std::uint64_t suppressed = 0;
  };

  // Under the mutex. False when this second's share of the event is used up.
  bool admit(std::string_view event) {
    const auto now = clock->monotonic();
    if (now - last_sweep >= std::chrono::seconds(1)) {
      last_sweep = now;
      tell_suppressed(false);
    }
    auto it = windows.find(event);
    if (it == windows.end()) {
      it = windows.size() < kMaxLimitedEvents ? windows.emplace(std::string(event), Window{now}).first
                                              : windows.try_emplace("", Window{now}).first;
    }
    auto& window = it->second;
    if (now - window.start >= std::chrono::seconds(1)) {
      tell(it->first, window);
      window = Window{now};
    }
    if (window.lines < max_lines) {
      ++window.lines;
      return true;
    }
    ++window.suppressed;
    return false;
  }

  void tell(std::string_view event, Window& window) {
    if (window.suppressed == 0) return;
    std::string line = head(Level::warn, "suppressed");
    append_field(line, {"suppressedEvent", event});
    append_field(line, {"count", window.suppressed});
    line += '}';
    window.suppressed = 0;
    sink->write(Level::warn, line);
  }

  void tell_suppressed(bool all) {
    const auto now = clock->monotonic();
    for (auto& [event, window] : windows) {
      if (all || now - window.start >= std::chrono::seconds(1)) tell(event, window);
    }
  }

  std::string head(Level line_level, std::string_view event) const {
    std::string out = R"({"time":")";
    out += castiel::to_string(clock->now());
    out += R"(","level":")";
    out += to_string(line_level);
    out += R"(","event":)";
    append_json_string(out, event);
    return out;
  }

  const std::shared_ptr<LineSink> sink;
  const Clock* const clock;
  std::atomic<Level> level;
  const int max_lines;
  std::mutex mutex;
  Duration last_sweep{0};
  std::map<std::string, Window, std::less<>> windows;
};

Log::Log() = default;

Log::Log(std::shared_ptr<LineSink> sink, const Clock& clock, LogOptions options)
    : state_(std::make_shared<State>(std::move(sink), clock, options)) {}

Log Log::to_stderr(const Clock& clock, LogOptions options) {
  return {std::make_shared<SpdlogSink>(std::make_shared<spdlog::sinks::stderr_sink_mt>()), clock, options};
}

Log Log::to_descriptor(int descriptor, const Clock& clock, LogOptions options) {
  return {std::make_shared<DescriptorSink>(descriptor), clock, options};
}

Result<Log> Log::to_file(const std::string& path, const Clock& clock, LogOptions options) {
  try {
    return Log(std::make_shared<SpdlogSink>(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path)), clock,
               options);
  } catch (const std::exception& e) {
    return permanent("log_unwritable",
                     fmt::format("Cannot write the log to {}. Check the folder and its permissions.", path),
                     e.what());
  }
}

Log Log::with(Fields fields) const {
  Log child = *this;
  if (!state_) return child;
  for (const auto& field : fields) append_field(child.bound_, field);
  return child;
}

bool Log::enabled(Level level) const {
  return state_ && level != Level::off && level >= state_->level.load(std::memory_order_relaxed);
}

void Log::set_level(Level level) {
  if (state_) state_->level.store(level, std::memory_order_relaxed);
}

void Log::write(Level level, std::string_view event, Fields fields) const {
  if (!enabled(level)) return;
  std::string tail = bound_;
  for (const auto& field : fields) append_field(tail, field);
  tail += '}';
  std::lock_guard lock(state_->mutex);
  if (!state_->admit(event)) return;
  state_->sink->write(level, state_->head(level, event) + tail);
}

void Log::error(std::string_view event, const Error& error, Fields fields) const {
  if (!enabled(Level::error)) return;
  Log bound = with(fields);
  bound.write(Level::error, event,
              {{"code", error.code},
               {"class", castiel::to_string(error.cls)},
               {"message", error.message},
               {"cause", error.cause}});
}

void Log::flush() const {
  if (!state_) return;
  std::lock_guard lock(state_->mutex);
  state_->tell_suppressed(true);
  state_->sink->flush();
}

}  // namespace castiel::telemetry
