#pragma once
// The connection through which one process takes messages of one logical queue: a thread that connects, and
// connects again, hands what comes to the queue's state and acknowledges what is settled. One channel a queue
// at the server.

#include <atomic>
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
  int number = 0;                    // of this link among its queue's
  std::vector<std::string> sources;  // queues at the server, at most kChannels
};

class Link {
 public:
  static constexpr int kChannels = 10;  // BREAK-2

  Link(LinkOptions options, QueueState& state, Below below, telemetry::Log log);
  ~Link() { stop(); }
  void start();
  // Acknowledges what is settled and ends the connection.
  void stop();
  void acknowledge(const Origin& origin);

 private:
  void run();
  Result<> connect();
  Result<> serve();
  Result<> flush();
  Result<> take(Incoming incoming);

  LinkOptions options_;
  QueueState* state_;
  telemetry::Log log_;
  WakeUp wake_;
  Backoff backoff_;
  std::unique_ptr<Connection> connection_;
  std::vector<std::set<std::uint64_t>> open_;  // by channel: tags not acknowledged
  std::atomic<std::int64_t> generation_ = 0;
  std::atomic<bool> running_ = false;
  std::mutex mutex_;
  std::condition_variable stopped_;
  std::vector<Origin> done_;  // under mutex_
  std::thread thread_;
};

}  // namespace castiel::messaging::rabbitmq
