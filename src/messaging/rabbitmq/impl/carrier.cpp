#include "messaging/rabbitmq/impl/carrier.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "messaging/rabbitmq/impl/topology.hpp"

namespace castiel::messaging::rabbitmq {

namespace {
constexpr int kChannel = 1;
constexpr int kMaxTaken = 2'000;  // at a time
}  // namespace

WakeUp::WakeUp() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
WakeUp::~WakeUp() {
  if (fd_ >= 0) ::close(fd_);
}
void WakeUp::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}

RabbitmqCarrier::RabbitmqCarrier(CarrierOptions options, const Specs& specs, const Clock& clock, Below below,
                                 telemetry::Log log)
    : options_(std::move(options)),
      specs_(&specs),
      clock_(&clock),
      log_(std::move(log)),
      backoff_(std::move(below)) {}

Result<> RabbitmqCarrier::connect() {
  CASTIEL_ASSIGN(connection_, options_.connect(options_.url, options_.name));
  declared_.clear();
  blocked_ = false;
  next_tag_ = 1;
  CASTIEL_TRY(connection_->open_channel(kChannel));
  CASTIEL_TRY(connection_->confirm_publishes(kChannel));
  return declare_what_is_new();
}

Result<> RabbitmqCarrier::declare_what_is_new() {
  for (const auto& spec : specs_->all()) {
    if (declared_.contains(spec.name)) continue;
    CASTIEL_TRY(declare_topology(*connection_, kChannel, spec, options_.partitions));
    declared_.insert(spec.name);
  }
  return {};
}

Result<> RabbitmqCarrier::ready() {
  if (connection_ == nullptr) {
    if (clock_->monotonic() < next_try_) return std::unexpected(last_error_);
    if (auto connected = connect(); !connected) {
      lose(connected.error());
      return connected;
    }
    backoff_.reset();
    log_.info("broker_connected", {{"broker", options_.url.shown()}, {"for", "publishing"}});
  } else if (auto declared = declare_what_is_new(); !declared) {
    lose(declared.error());
    return declared;
  }
  if (blocked_)
    return transient("broker_blocked", "the broker takes no messages at present", blocked_reason_);
  return {};
}

void RabbitmqCarrier::lose(const Error& error) {
  connection_.reset();
  last_error_ = error;
  next_try_ = clock_->monotonic() + backoff_.next();
  for (const auto& [tag, sent] : open_) told_.push_back({sent.row, Fate::lost});
  open_.clear();
  returned_.clear();
}

std::size_t RabbitmqCarrier::room() const {
  if (connection_ == nullptr || blocked_ || open_.size() >= options_.window) return 0;
  return options_.window - open_.size();
}

Result<> RabbitmqCarrier::carry(const storage::OutboxMessage& message) {
  if (connection_ == nullptr) return std::unexpected(last_error_);
  if (message.message.body.size() > kMaxMessageBytes)
    return permanent("message_too_large", fmt::format("message {} has {} bytes, more than a broker takes",
                                                      message.message.id, message.message.body.size()));
  const auto wire = to_wire(message, options_.partitions);
  std::string exchange = kExchange, key = message.message.type;
  if (!message.queue.empty()) {
    exchange.clear();
    key = message.message.partition == storage::kRetryLane
              ? retry_queue(message.queue)
              : partition_queue(message.queue,
                                partition_of(message.tenant, message.message.partition, options_.partitions));
  }
  if (auto sent = connection_->publish(kChannel, exchange, key, wire, message.message.body); !sent) {
    lose(sent.error());
    return sent;
  }
  open_.emplace(next_tag_++, Sent{message.row, clock_->monotonic()});
  return {};
}

std::vector<Carrier::Outcome> RabbitmqCarrier::outcomes(Duration wait) {
  for (int taken = 0; connection_ != nullptr && taken < kMaxTaken; ++taken) {
    auto next = connection_->next(taken == 0 && told_.empty() ? wait : Duration(0), wake_.descriptor());
    if (!next) {
      log_.warn("broker_lost", {{"broker", options_.url.shown()},
                                {"for", "publishing"},
                                {"unconfirmed", open_.size()},
                                {"message", next.error().describe()}});
      lose(next.error());
      break;
    }
    if (!*next) break;
    take(std::move(**next));
  }
  // What is blocked is waited for; a server that says nothing at all may have forgotten the queue.
  if (connection_ != nullptr && !blocked_ && !open_.empty() &&
      clock_->monotonic() - open_.begin()->second.at > options_.confirm_limit) {
    log_.error("confirm_overdue", {{"broker", options_.url.shown()}, {"unconfirmed", open_.size()}});
    lose({"broker_silent", "the broker does not confirm what was published", ErrorClass::transient, {}});
  }
  return std::exchange(told_, {});
}

void RabbitmqCarrier::take(Incoming incoming) {
  if (const auto* confirmed = std::get_if<Confirmed>(&incoming)) {
    confirm(*confirmed);
  } else if (const auto* returned = std::get_if<Returned>(&incoming)) {
    // No queue took it. Where none is known here either, that is how it is; else somebody removed the queues,
    // and they are made anew before the message is sent again.
    const bool nobody = returned->exchange == kExchange && !specs_->anyone_wants(returned->message.type);
    returned_[row_of(returned->message)] = nobody ? Fate::nobody : Fate::refused;
    if (nobody) return;
    declared_.clear();
    log_.error(
        "broker_lacks_queue",
        {{"broker", options_.url.shown()}, {"type", returned->message.type}, {"message", returned->text}});
  } else if (const auto* blocked = std::get_if<Blocked>(&incoming)) {
    blocked_ = blocked->blocked;
    blocked_reason_ = blocked->reason;
    log_.warn(blocked_ ? "broker_blocked" : "broker_unblocked",
              {{"broker", options_.url.shown()}, {"reason", blocked_reason_}});
  }
}

void RabbitmqCarrier::confirm(const Confirmed& confirmed) {
  auto it = confirmed.multiple ? open_.begin() : open_.find(confirmed.tag);
  while (it != open_.end() && it->first <= confirmed.tag) {
    Fate fate = confirmed.taken ? Fate::confirmed : Fate::refused;
    if (const auto back = returned_.find(it->second.row); back != returned_.end()) {
      fate = back->second;
      returned_.erase(back);
    }
    told_.push_back({it->second.row, fate});
    it = open_.erase(it);
  }
}

}  // namespace castiel::messaging::rabbitmq
