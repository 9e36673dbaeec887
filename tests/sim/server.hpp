#pragma once
// A RabbitMQ server and the network to it, as far as the broker uses them: topic, headers and direct
// exchanges, durable queues, single active consumers, prefetch, publisher confirms, returned messages. Its
// connections take the place of those of librabbitmq. They break in either direction, at different times on
// both sides, get stuck, confirm late; the server refuses, blocks, restarts, loses queues. It outlives
// processes; one world owns it, on the world's fibers.

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "durable.hpp"
#include "fibers.hpp"
#include "messaging/rabbitmq/impl/connection.hpp"

namespace castiel::sim {

inline constexpr int kServerProcess = 1'000;  // among the fibers' processes

class Server {
 public:
  Server(Durable& world, Fibers& fibers, const FleetPlan& plan) : w_(&world), fibers_(&fibers), plan_(plan) {}

  // How a process gets its connections.
  messaging::rabbitmq::Connector connector(int process);
  // The body of the fiber that is server and network.
  void serve();
  // What goes wrong by itself; once per step of the world.
  void misbehave();
  // Before the process is destroyed: its connections end without a farewell.
  void dies(int process);
  // Nothing waits, nothing is under way.
  bool drained() const;
  std::string describe() const;
  // What a client did that no server accepts.
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  friend class SimConnection;
  using WireMessage = messaging::rabbitmq::WireMessage;
  using Table = messaging::rabbitmq::Table;
  struct Message {
    WireMessage wire;
    int returns = 0;
  };
  struct Unacked {
    std::string queue;
    std::int64_t number;
    Message message;
  };
  struct Channel {
    bool confirms = false;
    std::uint64_t published = 0, delivered = 0;
    std::size_t prefetch = 0;
    std::map<std::uint64_t, Unacked> unacked;
  };
  struct Frame {
    enum class Kind { publish, ack, reject, consume } kind;
    int channel = 0;
    std::uint64_t tag = 0;
    bool multiple = false;
    std::string exchange, key;
    WireMessage message;
  };
  struct Confirm {
    Duration at;
    int channel;
    std::uint64_t tag;
    bool taken;
  };
  struct Session {
    int number = 0, process = 0;
    std::string name;
    bool client_up = true, server_up = true;
    Duration client_notices = Duration::max(), server_notices = Duration::max();
    Duration clogged_until{0};
    std::deque<Frame> up;
    std::deque<messaging::rabbitmq::Incoming> down;
    std::map<int, Channel> channels;
    std::vector<Confirm> confirms;
    std::set<std::uint64_t> had;  // published, in a queue, and the client does not know it yet
    bool publishes = false, told_blocked = false;
  };
  struct Consumer {
    std::shared_ptr<Session> session;
    int channel;
  };
  struct Queue {
    bool single = false;
    std::map<std::int64_t, Message> ready;  // in order of arrival
    std::deque<Consumer> consumers;         // in the order they came; of a single one the first is active
    bool deliverable(const Consumer& c) const;
  };
  struct Binding {
    std::string source, destination, key;
    Table match;
    bool to_queue;
  };
  enum class Notice { both, client_first, server_first };

  Duration now() const { return w_->clock.monotonic(); }
  std::uint64_t below(std::uint64_t n) { return w_->faults.random().below(n); }
  bool roll(double p) { return w_->faults.active() && p > 0 && w_->faults.random().uniform() < p; }
  Duration soon(Duration longest) {
    return Duration(static_cast<std::int64_t>(below(static_cast<std::uint64_t>(longest.count()))));
  }
  void note(const Session& s, const std::string& what);

  struct Work {
    std::shared_ptr<Session> session;
    std::string queue;
    enum class Kind { notice, frame, confirm, deliver } kind;
  };
  std::vector<Work> work(Duration& next);
  void do_one(const Work& work);
  void tell(Session& s, messaging::rabbitmq::Incoming incoming);
  void process(Session& s, Frame frame);
  void publish(Session& s, Frame frame);
  void route(const std::string& exchange, const std::string& key, const WireMessage& m,
             std::set<std::string>& queues) const;
  void settle(Session& s, const Frame& frame);
  void confirm(Session& s);
  void deliver(const std::string& queue);
  void close_channel(Session& s, int channel);
  // The server's side ends: what is unacknowledged goes back.
  void end(const std::shared_ptr<Session>& s);
  void break_up(const std::shared_ptr<Session>& s, Notice notice, const char* why);
  void process_all(Session& s);
  void remove_a_queue();
  std::shared_ptr<Session> any_session(bool publishing);

  Durable* w_;
  Fibers* fibers_;
  FleetPlan plan_;
  std::vector<std::shared_ptr<Session>> sessions_;
  std::map<std::string, std::string> exchanges_;  // name to type
  std::map<std::string, Queue> queues_;
  std::vector<Binding> bindings_;
  std::int64_t next_number_ = 1;
  int next_session_ = 1;
  Duration down_until_{0}, blocked_until_{0};
  bool blocked_ = false;
  std::vector<std::string> violations_;
};

}  // namespace castiel::sim
