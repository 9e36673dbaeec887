#include "messaging/rabbitmq/impl/link.hpp"

#include "messaging/rabbitmq/impl/topology.hpp"

namespace castiel::messaging::rabbitmq {

namespace {

constexpr int kQuestions = Link::kChannels;                   // the channel without a consumer
constexpr Duration kLookUp = std::chrono::milliseconds(500);  // from waiting, without being woken

// Not the queues of retries and of the server's dead letters, which all processes work on.
bool is_partition(const std::string& source, const std::string& queue) {
  return source != retry_queue(queue) && source != dead_queue(queue);
}

}  // namespace

Link::Link(LinkOptions options, QueueState& state, const Clock& clock, Below below, telemetry::Log log)
    : options_(std::move(options)),
      state_(&state),
      clock_(&clock),
      below_(below),
      log_(std::move(log)),
      backoff_(std::move(below)),
      channels_(options_.sources.size() + 1),
      generations_(options_.sources.size() + 1) {}

void Link::start() {
  if (running_.exchange(true)) return;
  thread_ = std::thread([this] { run(); });
}

void Link::ask_to_stop() {
  running_ = false;
  {
    std::lock_guard lock(mutex_);
    stopped_.notify_all();
  }
  wake_.wake();
}

void Link::stop() {
  ask_to_stop();
  if (thread_.joinable()) thread_.join();
}

void Link::acknowledge(const Origin& origin) {
  {
    std::lock_guard lock(mutex_);
    if (origin.generation != generations_[static_cast<std::size_t>(origin.channel)]) return;
    done_.push_back(origin);
  }
  wake_.wake();
}

void Link::run() {
  while (running_) {
    const Duration pause = round();
    if (pause <= Duration(0)) continue;
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, pause, [this] { return !running_; });
  }
  finish();  // what is settled would come again for nothing
  disconnect();
}

Duration Link::round() {
  const bool was_up = connection_ != nullptr;
  const auto done = was_up ? serve() : connect();
  if (done) {
    if (!was_up) {
      backoff_.reset();
      last_code_.clear();
      log_.info("broker_connected", {{"broker", options_.url.shown()}, {"for", options_.spec.name}});
    }
    return Duration(0);
  }
  if (done.error().code != last_code_) {
    last_code_ = done.error().code;
    log_.warn(was_up ? "broker_lost" : "broker_not_reached", {{"broker", options_.url.shown()},
                                                              {"for", options_.spec.name},
                                                              {"code", done.error().code},
                                                              {"message", done.error().describe()}});
  }
  disconnect();
  return backoff_.next();
}

void Link::disconnect() {
  connection_.reset();
  for (int channel = 1; channel < static_cast<int>(channels_.size()); ++channel) lose(channel);
}

Result<> Link::connect() {
  CASTIEL_ASSIGN(connection_, options_.connect(options_.url, options_.name));
  CASTIEL_TRY(connection_->open_channel(kQuestions));
  CASTIEL_TRY(declare_topology(*connection_, kQuestions, options_.spec, options_.partitions));
  for (int channel = 1; channel < static_cast<int>(channels_.size()); ++channel)
    CASTIEL_TRY(subscribe(channel));
  share_at_ = clock_->monotonic() + options_.look_around;
  return {};
}

Result<> Link::subscribe(int channel) {
  CASTIEL_TRY(connection_->open_channel(channel));
  CASTIEL_TRY(connection_->prefetch(channel, options_.prefetch));
  channels_[static_cast<std::size_t>(channel)] = {};
  {
    std::lock_guard lock(mutex_);
    generations_[static_cast<std::size_t>(channel)] = next_generation_++;
  }
  return connection_->consume(channel, source_of(channel));
}

// The channel is gone, or about to go.
void Link::lose(int channel) {
  std::int64_t generation = 0;
  {
    std::lock_guard lock(mutex_);
    std::swap(generation, generations_[static_cast<std::size_t>(channel)]);
    std::erase_if(done_, [&](const Origin& o) { return o.channel == channel; });
  }
  if (generation != 0) state_->lose(options_.number, generation);
}

Result<> Link::serve() {
  CASTIEL_TRY(flush());
  CASTIEL_ASSIGN(auto incoming, connection_->next(kLookUp, wake_.descriptor()));
  if (incoming) CASTIEL_TRY(take(std::move(*incoming)));
  return share();
}

// Acknowledges what is settled: all up to the first open tag at once, the others one by one.
Result<> Link::flush() {
  std::vector<Origin> done;
  {
    std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  if (done.empty() || connection_ == nullptr) return {};
  std::vector<std::set<std::uint64_t>> settled(channels_.size());
  for (const auto& origin : done) settled[static_cast<std::size_t>(origin.channel)].insert(origin.tag);
  for (std::size_t channel = 1; channel < settled.size(); ++channel) {
    auto& tags = settled[channel];
    auto& open = channels_[channel].open;
    std::uint64_t up_to = 0;
    int together = 0;
    while (!tags.empty() && !open.empty() && *tags.begin() == *open.begin()) {
      up_to = *tags.begin();
      ++together;
      tags.erase(tags.begin());
      open.erase(open.begin());
    }
    if (together > 0) CASTIEL_TRY(connection_->ack(static_cast<int>(channel), up_to, together > 1));
    for (const auto tag : tags) {
      CASTIEL_TRY(connection_->ack(static_cast<int>(channel), tag, false));
      open.erase(tag);
    }
  }
  return {};
}

Result<> Link::take(Incoming incoming) {
  if (auto* delivered = std::get_if<Delivered>(&incoming)) {
    const int channel = delivered->channel;
    const bool given_up = source_of(channel) == dead_queue(options_.spec.name);
    const bool returned = delivered->redelivered || returns_of(delivered->message) > 0;
    auto delivery = to_delivery(std::move(delivered->message), options_.spec.name);
    if (!delivery) {
      // Nobody's: it goes to the server's dead letters and lies there, unacknowledged, until somebody looks.
      log_.error("foreign_message",
                 {{"queue", source_of(channel)}, {"message", delivery.error().describe()}});
      return given_up ? Result<>() : connection_->reject(channel, delivered->tag);
    }
    auto& state = channels_[static_cast<std::size_t>(channel)];
    state.open.insert(delivered->tag);
    state.active = true;
    std::int64_t generation = 0;
    {
      std::lock_guard lock(mutex_);
      generation = generations_[static_cast<std::size_t>(channel)];
    }
    state_->add(std::move(*delivery), {options_.number, generation, channel, delivered->tag}, returned,
                given_up);
    return {};
  }
  if (const auto* cancelled = std::get_if<Cancelled>(&incoming))
    return transient("queue_gone", "a queue was removed at the broker and is made anew", cancelled->consumer);
  return {};
}

// Gives one partition away where others would have fewer than this process.
Result<> Link::share() {
  if (clock_->monotonic() < share_at_) return {};
  const auto pause = options_.look_around;
  share_at_ = clock_->monotonic() + pause / 2 +
              Duration(static_cast<std::int64_t>(below_(static_cast<std::uint64_t>(pause.count()))));
  std::vector<int> active;
  std::int64_t partitions = 0;
  for (int channel = 1; channel < static_cast<int>(channels_.size()); ++channel) {
    if (!is_partition(source_of(channel), options_.spec.name)) continue;
    ++partitions;
    if (channels_[static_cast<std::size_t>(channel)].active) active.push_back(channel);
  }
  // Of a partition's consumers the server counts only the active one, of this queue all.
  CASTIEL_ASSIGN(const auto count, connection_->count(kQuestions, retry_queue(options_.spec.name)));
  // The server does not always tell consumers that their queue went away.
  if (count.consumers == 0)
    return transient("queue_gone", "the broker knows of no consumer of this queue any more");
  if (active.size() < 2) return {};
  const auto processes = std::max<std::int64_t>(1, count.consumers);
  const auto fair = (partitions + processes - 1) / processes;
  if (static_cast<std::int64_t>(active.size()) <= fair) return {};
  const int channel = active[static_cast<std::size_t>(below_(active.size()))];
  log_.info("partition_given_away", {{"queue", source_of(channel)}, {"processes", processes}});
  CASTIEL_TRY(flush());
  lose(channel);
  CASTIEL_TRY(connection_->close_channel(channel));
  // Its number is used again: deliveries of the old one that were on their way have the tags of new ones.
  while (connection_->has_more()) {
    CASTIEL_ASSIGN(auto incoming, connection_->next(Duration(0), -1));
    if (!incoming) continue;
    const auto* delivered = std::get_if<Delivered>(&*incoming);
    const auto* cancelled = std::get_if<Cancelled>(&*incoming);
    if ((delivered != nullptr && delivered->channel == channel) ||
        (cancelled != nullptr && cancelled->channel == channel))
      continue;
    CASTIEL_TRY(take(std::move(*incoming)));
  }
  return subscribe(channel);
}

}  // namespace castiel::messaging::rabbitmq
