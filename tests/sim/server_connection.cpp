// The connections to the simulated server, as the broker has them.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "server.hpp"

namespace castiel::sim {

using namespace std::chrono_literals;
using messaging::rabbitmq::Incoming;

namespace {

constexpr Duration kAnswerLimit = 10s;  // of a question
constexpr Duration kPatience = 10s;     // an idle link looks up this often: less than it does, to save steps

Error broken() {
  return {"broker_unreachable", "the connection to the broker broke", ErrorClass::transient, {}};
}

}  // namespace

// The client's end.
class SimConnection final : public messaging::rabbitmq::Connection {
 public:
  using Session = Server::Session;
  using Frame = Server::Frame;
  SimConnection(Server& server, std::shared_ptr<Session> session)
      : server_(&server), session_(std::move(session)) {}
  ~SimConnection() override {
    if (!session_->client_up) return;
    session_->client_up = false;
    if (!session_->server_up) return;
    // A farewell: what was sent before it arrives.
    server_->process_all(*session_);
    server_->end(session_);
  }

  Result<> open_channel(int channel) override {
    CASTIEL_TRY(ask("amqp.open_channel"));
    session_->channels[channel] = {};
    return {};
  }
  Result<> close_channel(int channel) override {
    CASTIEL_TRY(ask("amqp.close_channel"));
    server_->close_channel(*session_, channel);
    server_->w_->probes.hit("partition given away");
    return {};
  }
  bool has_more() const override { return !session_->down.empty(); }
  Result<> confirm_publishes(int channel) override {
    CASTIEL_TRY(ask("amqp.confirm_publishes"));
    session_->channels[channel].confirms = true;
    session_->publishes = true;
    return {};
  }
  Result<> prefetch(int channel, int messages) override {
    CASTIEL_TRY(ask("amqp.prefetch"));
    session_->channels[channel].prefetch = static_cast<std::size_t>(messages);
    return {};
  }
  // Those that make the queues are called with a lock held.
  Result<> declare_exchange(int, const std::string& name, const char* type,
                            const messaging::rabbitmq::Table&) override {
    const Quiet quiet(*server_->fibers_);
    CASTIEL_TRY(ask("amqp.declare_exchange"));
    server_->exchanges_[name] = type;
    return {};
  }
  Result<> declare_queue(int, const std::string& name, const messaging::rabbitmq::Table& arguments) override {
    const Quiet quiet(*server_->fibers_);
    CASTIEL_TRY(ask("amqp.declare_queue"));
    server_->queues_[name].single = arguments.contains("x-single-active-consumer");
    return {};
  }
  Result<> delete_queue(int, const std::string& name) override {
    CASTIEL_TRY(ask("amqp.delete_queue"));
    server_->queues_.erase(name);
    return {};
  }
  Result<> delete_exchange(int, const std::string& name) override {
    CASTIEL_TRY(ask("amqp.delete_exchange"));
    server_->exchanges_.erase(name);
    return {};
  }
  Result<> bind_queue(int, const std::string& queue, const std::string& exchange, const std::string& key,
                      const messaging::rabbitmq::Table& arguments) override {
    return bind({exchange, queue, key, arguments, true});
  }
  Result<> bind_exchange(int, const std::string& destination, const std::string& source,
                         const std::string& key) override {
    return bind({source, destination, key, {}, false});
  }
  Result<QueueCount> count(int, const std::string& queue) override {
    CASTIEL_TRY(ask("amqp.count"));
    const auto it = server_->queues_.find(queue);
    if (it == server_->queues_.end()) {
      server_->break_up(session_, Server::Notice::both, "asked for a queue that is not there");
      return transient("broker_refused_request", "the broker refused to count the messages of a queue",
                       "404 no queue");
    }
    return QueueCount{static_cast<std::int64_t>(it->second.ready.size()),
                      static_cast<std::int64_t>(it->second.consumers.size())};
  }

  Result<> consume(int channel, const std::string& queue) override {
    Frame frame{Frame::Kind::consume, channel, 0, false, "", queue, {}};
    return send("amqp.consume", std::move(frame));
  }
  Result<> ack(int channel, std::uint64_t tag, bool multiple) override {
    return send("amqp.ack", {Frame::Kind::ack, channel, tag, multiple, "", "", {}});
  }
  Result<> reject(int channel, std::uint64_t tag) override {
    return send("amqp.reject", {Frame::Kind::reject, channel, tag, false, "", "", {}});
  }
  Result<> publish(int channel, const std::string& exchange, const std::string& key,
                   const messaging::rabbitmq::WireMessage& message, std::string_view body) override {
    Frame frame{Frame::Kind::publish, channel, 0, false, exchange, key, message};
    frame.message.body = body;
    return send("amqp.publish", std::move(frame));
  }

  Result<std::optional<Incoming>> next(Duration wait, int wake) override {
    auto& s = *session_;
    const Duration until = server_->now() + (wait >= 500ms ? std::max(wait, kPatience) : wait);
    server_->w_->faults.point("amqp.next");
    for (;;) {
      CASTIEL_TRY(alive());
      const bool clogged = s.clogged_until > server_->now();
      if (!s.down.empty() && !clogged) {
        Incoming incoming = std::move(s.down.front());
        s.down.pop_front();
        if (const auto* confirmed = std::get_if<messaging::rabbitmq::Confirmed>(&incoming))
          forget(*confirmed);
        return incoming;
      }
      if (woken(wake) || server_->now() >= until) return std::nullopt;
      Duration look = std::min(until, s.client_notices);
      if (clogged) look = std::min(look, s.clogged_until);
      server_->fibers_->wait(look, [this, wake, seen = server_->fibers_->pokes(s.process)]() mutable {
        if (!session_->client_up || session_->client_notices <= server_->now()) return true;
        if (!session_->down.empty() && session_->clogged_until <= server_->now()) return true;
        const auto pokes = server_->fibers_->pokes(session_->process);
        return std::exchange(seen, pokes) != pokes && readable(wake);
      });
    }
  }

 private:
  static bool readable(int wake) {
    if (wake < 0) return false;
    pollfd entry{wake, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
  }
  static bool woken(int wake) {
    if (!readable(wake)) return false;
    std::uint64_t count = 0;
    return ::read(wake, &count, sizeof count) > 0;
  }
  Result<> alive() {
    if (session_->client_up && session_->client_notices <= server_->now()) {
      server_->note(*session_, "client finds out");
      session_->client_up = false;
    }
    if (!session_->client_up) return std::unexpected(broken());
    return {};
  }
  Result<> ask(const char* what) {
    auto& s = *session_;
    server_->w_->faults.point(what);
    CASTIEL_TRY(alive());
    if (s.clogged_until > server_->now() && !server_->fibers_->quiet()) {
      server_->fibers_->wait(std::min(s.clogged_until, server_->now() + kAnswerLimit));
      CASTIEL_TRY(alive());
    }
    if (s.clogged_until > server_->now()) {
      server_->break_up(session_, Server::Notice::client_first, "no answer");
      return std::unexpected(broken());
    }
    if (!s.server_up || server_->roll(server_->plan_.lost_write)) {
      server_->break_up(session_, Server::Notice::both, "while asking");
      return std::unexpected(broken());
    }
    server_->process_all(s);
    return {};
  }
  Result<> bind(Server::Binding binding) {
    const Quiet quiet(*server_->fibers_);
    CASTIEL_TRY(ask("amqp.bind"));
    auto& all = server_->bindings_;
    const auto same = [&](const Server::Binding& b) {
      return b.source == binding.source && b.destination == binding.destination && b.key == binding.key &&
             b.match == binding.match;
    };
    if (std::ranges::find_if(all, same) == all.end()) all.push_back(std::move(binding));
    return {};
  }
  Result<> send(const char* what, Frame frame) {
    auto& s = *session_;
    server_->w_->faults.point(what);
    CASTIEL_TRY(alive());
    // Into the void, where the other side is gone already.
    if (s.server_up) s.up.push_back(std::move(frame));
    if (server_->roll(server_->plan_.lost_write)) {
      server_->w_->probes.hit("connection broke while writing");
      server_->break_up(session_, Server::Notice::both, "while writing");
      return std::unexpected(broken());
    }
    server_->fibers_->stir(kServerProcess);
    server_->w_->faults.point("amqp.sent");
    return {};
  }
  void forget(const messaging::rabbitmq::Confirmed& confirmed) {
    if (!confirmed.multiple) {
      session_->had.erase(confirmed.tag);
      return;
    }
    std::erase_if(session_->had, [&](std::uint64_t tag) { return tag <= confirmed.tag; });
  }

  Server* server_;
  std::shared_ptr<Session> session_;
};

messaging::rabbitmq::Connector Server::connector(int process) {
  return [this, process](const messaging::RabbitmqUrl&,
                         std::string_view name) -> Result<std::unique_ptr<messaging::rabbitmq::Connection>> {
    w_->faults.point("amqp.connect");
    if (now() < down_until_) return std::unexpected(broken());
    auto session = std::make_shared<Session>();
    session->number = next_session_++;
    session->process = process;
    session->name = name;
    sessions_.push_back(session);
    return std::make_unique<SimConnection>(*this, std::move(session));
  };
}

}  // namespace castiel::sim
