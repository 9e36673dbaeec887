#include "messaging/flow_control.hpp"

#include <algorithm>
#include <array>

#include "storage/outbox.hpp"

namespace castiel::messaging {

namespace {

constexpr Duration kLookEvery = std::chrono::seconds(5);
constexpr std::int64_t kFallPercent = 80;  // of a level's threshold: below it the level falls
constexpr char kOutbox[] = "outbox";

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace

std::string_view to_string(QueueLevel level) {
  static constexpr std::array<std::string_view, 5> kNames{"calm", "warning", "scale_out", "critical",
                                                          "paused"};
  return kNames[static_cast<std::size_t>(level)];
}

struct FlowControl::Meters {
  explicit Meters(telemetry::Metrics& m)
      : depth(m.gauge(
            {"castiel_queue_depth", "Messages that wait at the broker or with a consumer.", {"queue"}})),
        level(m.gauge({"castiel_queue_level",
                       "0 calm, 1 warning, 2 scale out, 3 critical, 4 publishing from sources pauses.",
                       {"queue"}})),
        paused(
            m.gauge({"castiel_flow_paused", "Whether publishing from sources pauses: 1 or 0.", {}}).with()),
        pauses(m.counter({"castiel_flow_pauses_total", "Pauses of publishing from sources.", {}}).with()) {}
  telemetry::Family<telemetry::Gauge> depth, level;
  telemetry::Gauge paused;
  telemetry::Counter pauses;
};

FlowControl::FlowControl(Parts parts, FlowLimits limits) : parts_(std::move(parts)), limits_(limits) {
  limits_.resume = std::min(limits_.resume, limits_.pause);
  if (parts_.metrics == nullptr) return;
  meters_ = std::make_unique<Meters>(*parts_.metrics);
  meters_->paused.set(0);
}

FlowControl::~FlowControl() {
  stop();
}

QueueLevel FlowControl::level_of(std::int64_t depth, QueueLevel before) const {
  const std::pair<QueueLevel, std::int64_t> thresholds[] = {{QueueLevel::paused, limits_.pause},
                                                            {QueueLevel::critical, limits_.critical},
                                                            {QueueLevel::scale_out, limits_.scale_out},
                                                            {QueueLevel::warning, limits_.warn}};
  for (const auto& [level, above] : thresholds) {
    const std::int64_t kept = level == QueueLevel::paused ? limits_.resume : above * kFallPercent / 100;
    if (depth > above || (before >= level && depth >= kept && depth > 0)) return level;
  }
  return QueueLevel::calm;
}

Result<> FlowControl::look() {
  std::map<std::string, Known, std::less<>> before;
  {
    std::lock_guard lock(mutex_);
    before = known_;
  }
  auto now = before;
  std::map<std::string, std::int64_t, std::less<>> oldest;
  auto stats = parts_.broker->stats();
  if (stats) {
    for (const auto& s : *stats) {
      now[s.name].depth = s.ready + s.claimed + s.delayed;
      oldest[s.name] = s.oldest_seconds;
    }
  }
  // What cannot leave counts too: while the broker is away, this is all there is to be seen.
  if (parts_.outbox != nullptr) {
    CASTIEL_ASSIGN(const auto waiting, parts_.outbox->depth());
    now[kOutbox].depth = waiting.messages;
    if (waiting.oldest.micros != 0)
      oldest[kOutbox] = (parts_.clock->now() - waiting.oldest).count() / 1'000'000;
  }
  for (auto& [queue, known] : now) {
    known.level = level_of(known.depth, known.level);
    if (const auto age = oldest.find(queue); age != oldest.end())
      known.lags = known.depth > 0 && std::chrono::seconds(age->second) > limits_.lag;
    note(queue, before[queue], known, oldest[queue]);
  }
  decide(now);
  if (parts_.on_level) {
    for (const auto& [queue, known] : now) parts_.on_level(queue, known.level);
  }
  if (!stats) return std::unexpected(std::move(stats.error()));
  return {};
}

void FlowControl::note(const std::string& queue, Known before, const Known& now,
                       std::int64_t oldest_seconds) {
  if (meters_) {
    meters_->depth.with({queue}).set(static_cast<double>(now.depth));
    meters_->level.with({queue}).set(static_cast<double>(now.level));
  }
  if (now.lags && !before.lags)
    parts_.log.error("alert", {{"alert", "queue_lag"}, {"queue", queue}, {"oldest_seconds", oldest_seconds}});
  if (now.level == before.level) return;
  if (now.level > before.level && now.level >= QueueLevel::critical) {
    parts_.log.error("alert", {{"alert", "queue_depth"},
                               {"queue", queue},
                               {"level", std::string(to_string(now.level))},
                               {"messages", now.depth}});
  } else if (now.level > before.level) {
    parts_.log.warn(
        "queue_grows",
        {{"queue", queue}, {"level", std::string(to_string(now.level))}, {"messages", now.depth}});
  } else {
    parts_.log.info(
        "queue_shrinks",
        {{"queue", queue}, {"level", std::string(to_string(now.level))}, {"messages", now.depth}});
  }
}

void FlowControl::decide(const std::map<std::string, Known, std::less<>>& now) {
  std::optional<FlowPause> pause;
  for (const auto& [queue, known] : now) {
    if (known.level == QueueLevel::paused && (!pause || known.depth > pause->depth))
      pause = FlowPause{queue, known.depth};
  }
  bool was_paused = false;
  {
    std::lock_guard lock(mutex_);
    was_paused = pause_.has_value();
    known_ = now;
    pause_ = pause;
  }
  const Duration at = parts_.clock->monotonic();
  if (pause && !was_paused) {
    paused_at_ = at;
    told_long_ = false;
    parts_.log.warn("publishing_paused", {{"queue", pause->queue}, {"messages", pause->depth}});
    if (meters_) meters_->pauses.add();
  } else if (!pause && was_paused) {
    parts_.log.info("publishing_resumed", {{"seconds", seconds(at - paused_at_)}});
  } else if (pause && !told_long_ && at - paused_at_ > limits_.long_pause) {
    told_long_ = true;
    parts_.log.error("alert", {{"alert", "publishing_paused_long"},
                               {"queue", pause->queue},
                               {"messages", pause->depth},
                               {"seconds", seconds(at - paused_at_)}});
  }
  if (meters_) meters_->paused.set(pause ? 1 : 0);
}

std::optional<FlowPause> FlowControl::paused() const {
  std::lock_guard lock(mutex_);
  return pause_;
}

QueueLevel FlowControl::level(std::string_view queue) const {
  std::lock_guard lock(mutex_);
  const auto it = known_.find(queue);
  return it == known_.end() ? QueueLevel::calm : it->second.level;
}

void FlowControl::start() {
  if (thread_.joinable()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::string trouble;
    do {
      const auto looked = look();
      if (!looked && looked.error().code != trouble)
        parts_.log.warn("queues_not_seen",
                        {{"code", looked.error().code}, {"message", looked.error().describe()}});
      trouble = looked ? "" : looked.error().code;
    } while (!changed_.wait_for(lock, stop, kLookEvery, [&] { return stop.stop_requested(); }));
  });
}

void FlowControl::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

}  // namespace castiel::messaging
