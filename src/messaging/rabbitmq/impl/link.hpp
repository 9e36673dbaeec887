#pragma once
// The connection through which one process takes messages of one logical queue: a thread that connects, and
// connects again, hands what comes to the queue's state and acknowledges what is settled. One channel a queue
// at the server.
//
// The server gives a partition to the process that asked first. So that processes share the work, a link that
// works on more partitions than its share closes the channel of one now and then and asks again: the next in
// line has it then.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "messaging/rabbitmq/impl/backoff.hpp"
#include "messaging/rabbitmq/impl/carrier.hpp"
#include "messaging/rabbitmq/impl/queue_state.hpp"
#include "telemetry/log.hpp"

namespace castiel::messaging::rabbitmq {

struct LinkOptions {
  RabbitmqUrl url;
  std::string name;  // of the connection, for people who look at the server
  QueueSpec spec;
  int partitions = 4;
  int prefetch = 50;
  int number = 0;                                   // of this link among its queue's
  Duration look_around = std::chrono::seconds(10);  // between looks at who else works on the partitions
  std::vector<std::string> sources;                 // queues at the server, at most kSources
  Connector connect = Connection::open;
};

class Link {
 public:
  static constexpr int kChannels = 10;  // BREAK-2; one of them is for questions
  static constexpr int kSources = kChannels - 1;

  Link(LinkOptions options, QueueState& state, const Clock& clock, Below below, telemetry::Log log);
  ~Link() { stop(); }
  void start();
  // Acknowledges what is settled and ends the connection; ask_to_stop() does not wait for it.
  void ask_to_stop();
  void stop();
  void acknowledge(const Origin& origin);

  // What the thread does over and over: connects where it is not connected, else sends what is settled and
  // takes the next thing the server says. Gives how long to pause. For one thread; also without start().
  Duration round();
  // Sends what is settled, the last thing before the end.
  void finish() { (void)flush(); }
  QueueState& state() { return *state_; }

 private:
  void run();
  Result<> connect();
  void disconnect();
  Result<> subscribe(int channel);
  Result<> serve();
  Result<> flush();
  Result<> take(Incoming incoming);
  Result<> share();
  void lose(int channel);
  const std::string& source_of(int channel) const {
    return options_.sources[static_cast<std::size_t>(channel) - 1];
  }

  LinkOptions options_;
  QueueState* state_;
  const Clock* clock_;
  Below below_;
  telemetry::Log log_;
  WakeUp wake_;
  Backoff backoff_;
  std::unique_ptr<Connection> connection_;
  struct Channel {
    std::set<std::uint64_t> open;  // tags not acknowledged
    bool active = false;           // has got something since it subscribed
  };
  std::vector<Channel> channels_;  // by number, from 1 on
  Duration share_at_{0};           // monotonic
  std::atomic<bool> running_ = false;
  std::mutex mutex_;
  std::condition_variable stopped_;
  std::vector<Origin> done_;               // under mutex_
  std::vector<std::int64_t> generations_;  // by channel, under mutex_; 0: not subscribed
  std::int64_t next_generation_ = 1;
  std::string last_code_;  // of why it is not connected
  std::thread thread_;
};

}  // namespace castiel::messaging::rabbitmq
