#pragma once
// How full the queues are (FLOWCTL-3): levels for people and scaling, a pause for whoever publishes from
// sources, more threads for a queue that grows. Levels rise at once and fall with hysteresis.
//
// look() from one thread, which start() runs; the rest from any.

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "messaging/broker.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace castiel::messaging {

struct FlowLimits {
  std::int64_t pause = 10'000;  // messages that wait in a queue: publishing from sources pauses above
  std::int64_t resume = 5'000;  // and goes on below, in every queue
  std::int64_t warn = 1'000, scale_out = 2'500, critical = 5'000;
  Duration lag = std::chrono::minutes(5);         // of the oldest message, before it is an alert
  Duration long_pause = std::chrono::minutes(5);  // a pause that lasts longer is an alert
};

enum class QueueLevel { calm, warning, scale_out, critical, paused };
std::string_view to_string(QueueLevel level);

// Why publishing from sources pauses.
struct FlowPause {
  std::string queue;  // the fullest; "outbox": what waits for the broker
  std::int64_t depth = 0;
};

class FlowControl {
 public:
  struct Parts {
    Broker* broker;
    storage::Outbox* outbox = nullptr;  // where the broker is another process
    const Clock* clock;
    telemetry::Log log;
    telemetry::Metrics* metrics = nullptr;
    // Told after each look, for scaling inside the process.
    std::function<void(std::string_view queue, QueueLevel level)> on_level{};
  };
  FlowControl(Parts parts, FlowLimits limits);
  ~FlowControl();

  // One look at all queues. An error leaves everything as it was.
  Result<> look();
  std::optional<FlowPause> paused() const;
  QueueLevel level(std::string_view queue) const;

  void start();
  void stop();

 private:
  struct Meters;
  struct Known {
    std::int64_t depth = 0;
    QueueLevel level = QueueLevel::calm;
    bool lags = false;
  };
  QueueLevel level_of(std::int64_t depth, QueueLevel before) const;
  void note(const std::string& queue, Known before, const Known& now, std::int64_t oldest_seconds);
  void decide(const std::map<std::string, Known, std::less<>>& now);

  Parts parts_;
  FlowLimits limits_;
  std::unique_ptr<Meters> meters_;
  mutable std::mutex mutex_;
  std::map<std::string, Known, std::less<>> known_;  // under mutex_, as the next
  std::optional<FlowPause> pause_;
  Duration paused_at_{0};  // monotonic; of the thread of look(), as the next
  bool told_long_ = false;
  std::condition_variable_any changed_;
  std::jthread thread_;
};

}  // namespace castiel::messaging
