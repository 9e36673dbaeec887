#pragma once
// Structured log: one JSON object a line. A Log is a cheap handle that is passed around; there is no
// global one. All functions are thread-safe; a line is written whole or not at all.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace castiel::telemetry {

enum class Level { trace, debug, info, warn, error, off };

std::string_view to_string(Level level);
// "trace" … "error", "off". Error: invalid_log_level.
Result<Level> parse_level(std::string_view text);

// The value of a field. Text is borrowed: it must live until the call it is passed to returns.
class FieldValue {
 public:
  FieldValue(std::string_view text) : value_(text) {}
  FieldValue(const char* text) : value_(std::string_view(text)) {}
  FieldValue(const std::string& text) : value_(std::string_view(text)) {}
  template <class Tag>
  FieldValue(const Id<Tag>& id) : value_(id.view()) {}
  FieldValue(const Secret&) : value_(Secret::kMask) {}
  template <std::same_as<bool> T>
  FieldValue(T flag) : value_(flag) {}
  template <std::signed_integral T>
  FieldValue(T number) : value_(static_cast<std::int64_t>(number)) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  FieldValue(T number) : value_(static_cast<std::uint64_t>(number)) {}
  template <std::floating_point T>
  FieldValue(T number) : value_(static_cast<double>(number)) {}

  // Appends the value as JSON; a number that JSON cannot say becomes null.
  void append_to(std::string& out) const;

 private:
  std::variant<std::string_view, bool, std::int64_t, std::uint64_t, double> value_;
};

struct Field {
  std::string_view key;
  FieldValue value;
};
using Fields = std::initializer_list<Field>;

// Where lines go, each without its newline. write() is called under the log's lock, one line at a time.
class LineSink {
 public:
  virtual ~LineSink() = default;
  virtual void write(Level level, std::string_view line) = 0;
  virtual void flush() {}
};

struct LogOptions {
  Level level = Level::info;
  // Lines a second of one event; what is over becomes a single line "suppressed" with a count.
  int max_lines_per_second = 100;
};

// Error fields' values and whole lines have limits: a longer text is cut at kMaxFieldBytes.
inline constexpr std::size_t kMaxFieldBytes = std::size_t{8} * 1024;
// Events the rate limit tells apart; the others share one counter.
inline constexpr std::size_t kMaxLimitedEvents = 1024;

class Log {
 public:
  // Writes nothing.
  Log();
  // The clock must outlive the log and its copies.
  Log(std::shared_ptr<LineSink> sink, const Clock& clock, LogOptions options = {});
  static Log to_stderr(const Clock& clock, LogOptions options = {});
  // Does not take the descriptor: the caller closes it after the log.
  static Log to_descriptor(int descriptor, const Clock& clock, LogOptions options = {});
  // Appends. Error: log_unwritable.
  static Result<Log> to_file(const std::string& path, const Clock& clock, LogOptions options = {});

  // A child whose lines all carry these fields, after the parent's.
  Log with(Fields fields) const;
  bool enabled(Level level) const;
  // For this log, its parents and its children alike.
  void set_level(Level level);

  // `event` is a constant in snake_case that programs search for; what varies goes into fields.
  void trace(std::string_view event, Fields fields = {}) const { write(Level::trace, event, fields); }
  void debug(std::string_view event, Fields fields = {}) const { write(Level::debug, event, fields); }
  void info(std::string_view event, Fields fields = {}) const { write(Level::info, event, fields); }
  void warn(std::string_view event, Fields fields = {}) const { write(Level::warn, event, fields); }
  void error(std::string_view event, Fields fields = {}) const { write(Level::error, event, fields); }
  // An error with its code, class, message and cause as fields.
  void error(std::string_view event, const Error& error, Fields fields = {}) const;
  void write(Level level, std::string_view event, Fields fields) const;
  // Writes outstanding "suppressed" lines and flushes the sink.
  void flush() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::string bound_;  // the fields of with(), already rendered: ,"tenant":"acme"
};

}  // namespace castiel::telemetry
