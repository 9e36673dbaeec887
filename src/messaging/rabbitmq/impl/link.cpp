#include "messaging/rabbitmq/impl/link.hpp"

#include "messaging/rabbitmq/impl/topology.hpp"

namespace castiel::messaging::rabbitmq {

namespace {
constexpr Duration kLookUp =
    std::chrono::milliseconds(500);  // from waiting for the server, without being woken
}

Link::Link(LinkOptions options, QueueState& state, Below below, telemetry::Log log)
    : options_(std::move(options)), state_(&state), log_(std::move(log)), backoff_(std::move(below)) {}

void Link::stop() {
  if (!running_.exchange(false)) return;
  {
    std::lock_guard lock(mutex_);
    stopped_.notify_all();
  }
  wake_.wake();
  thread_.join();
}

void Link::start() {
  if (running_.exchange(true)) return;
  thread_ = std::thread([this] { run(); });
}

void Link::acknowledge(const Origin& origin) {
  {
    std::lock_guard lock(mutex_);
    if (origin.generation != generation_) return;
    done_.push_back(origin);
  }
  wake_.wake();
}

void Link::run() {
  std::string last_code;
  while (running_) {
    auto connected = connect();
    const bool was_up = connected.has_value();
    if (was_up) {
      backoff_.reset();
      last_code.clear();
      log_.info("broker_connected", {{"broker", options_.url.shown()}, {"for", options_.spec.name}});
      connected = serve();
    }
    if (running_ && !connected && connected.error().code != last_code) {
      last_code = connected.error().code;
      log_.warn(was_up ? "broker_lost" : "broker_not_reached", {{"broker", options_.url.shown()},
                                                                {"for", options_.spec.name},
                                                                {"code", connected.error().code},
                                                                {"message", connected.error().describe()}});
    }
    if (!running_) (void)flush();  // what is settled would come again for nothing
    std::unique_lock lock(mutex_);
    const auto lost = generation_++;
    done_.clear();
    lock.unlock();
    connection_.reset();
    state_->lose(options_.number, lost);
    lock.lock();
    stopped_.wait_for(lock, backoff_.next(), [this] { return !running_; });
  }
}

Result<> Link::connect() {
  CASTIEL_ASSIGN(connection_, Connection::open(options_.url, options_.name));
  open_.assign(options_.sources.size() + 1, {});
  for (std::size_t i = 0; i < options_.sources.size(); ++i) {
    const int channel = static_cast<int>(i) + 1;
    CASTIEL_TRY(connection_->open_channel(channel));
    if (i == 0) CASTIEL_TRY(declare_topology(*connection_, channel, options_.spec, options_.partitions));
    CASTIEL_TRY(connection_->prefetch(channel, options_.prefetch));
  }
  for (std::size_t i = 0; i < options_.sources.size(); ++i)
    CASTIEL_TRY(connection_->consume(static_cast<int>(i) + 1, options_.sources[i]));
  return {};
}

Result<> Link::serve() {
  while (running_) {
    CASTIEL_TRY(flush());
    CASTIEL_ASSIGN(auto incoming, connection_->next(kLookUp, wake_.descriptor()));
    if (incoming) CASTIEL_TRY(take(std::move(*incoming)));
  }
  return {};
}

// Acknowledges what is settled: all up to the first open tag at once, the others one by one.
Result<> Link::flush() {
  std::vector<Origin> done;
  {
    std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  if (done.empty() || connection_ == nullptr) return {};
  std::vector<std::set<std::uint64_t>> settled(open_.size());
  for (const auto& origin : done) settled[static_cast<std::size_t>(origin.channel)].insert(origin.tag);
  for (std::size_t channel = 0; channel < settled.size(); ++channel) {
    auto& tags = settled[channel];
    auto& open = open_[channel];
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
    const auto& source = options_.sources[static_cast<std::size_t>(delivered->channel) - 1];
    const bool given_up = source == dead_queue(options_.spec.name);
    const bool returned = delivered->redelivered || returns_of(delivered->message) > 0;
    auto delivery = to_delivery(std::move(delivered->message), options_.spec.name);
    if (!delivery) {
      // Nobody's: it goes to the server's dead letters and lies there, unacknowledged, until somebody looks.
      log_.error("foreign_message", {{"queue", source}, {"message", delivery.error().describe()}});
      return given_up ? Result<>() : connection_->reject(delivered->channel, delivered->tag);
    }
    open_[static_cast<std::size_t>(delivered->channel)].insert(delivered->tag);
    state_->add(std::move(*delivery), {options_.number, generation_, delivered->channel, delivered->tag},
                returned, given_up);
    return {};
  }
  if (const auto* cancelled = std::get_if<Cancelled>(&incoming))
    return transient("queue_gone", "a queue was removed at the broker and is made anew", cancelled->consumer);
  return {};
}

}  // namespace castiel::messaging::rabbitmq
