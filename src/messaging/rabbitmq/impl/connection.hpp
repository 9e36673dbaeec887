#pragma once
// One AMQP 0-9-1 connection, blocking, without a thread of its own: whoever holds it must keep calling
// next(), which also sends and expects heartbeats. One thread at a time. After an error nothing works any
// more but its destructor.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "messaging/rabbitmq/rabbitmq_url.hpp"

struct amqp_connection_state_t_;
struct amqp_rpc_reply_t_;

namespace castiel::messaging::rabbitmq {

using FieldValue = std::variant<std::string, std::int64_t, bool>;
using Table = std::map<std::string, FieldValue, std::less<>>;

struct WireMessage {
  std::string id, type, correlation;
  Table headers;
  std::string body;
};

struct Delivered {
  int channel = 0;
  std::uint64_t tag = 0;
  bool redelivered = false;
  WireMessage message;
};
struct Confirmed {
  int channel = 0;
  std::uint64_t tag = 0;
  bool multiple = false;
  bool taken = false;  // false: the server refused it
};
struct Returned {  // followed by the confirm of the same message
  std::string text;
  std::string exchange;
  WireMessage message;
};
struct Blocked {
  bool blocked = false;
  std::string reason;
};
struct Cancelled {  // the queue went away
  int channel = 0;
  std::string consumer;
};
using Incoming = std::variant<Delivered, Confirmed, Returned, Blocked, Cancelled>;

class Connection {
 public:
  // Errors: broker_unreachable (transient), broker_refused (permanent: user, password or vhost).
  static Result<std::unique_ptr<Connection>> open(const RabbitmqUrl& url, std::string_view name);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Each of these waits for the server's answer, 10 s at most. Error broker_refused_request: the server's own
  // words.
  Result<> open_channel(int channel);
  // What it delivered and was not acknowledged goes back to its queue, in order. Some of it may have arrived
  // and come from next() yet: while has_more(), what is of this channel is not to be taken.
  Result<> close_channel(int channel);
  bool has_more() const;
  Result<> confirm_publishes(int channel);
  Result<> prefetch(int channel, int messages);
  Result<> declare_exchange(int channel, const std::string& name, const char* type,
                            const Table& arguments = {});
  Result<> declare_queue(int channel, const std::string& name, const Table& arguments);
  Result<> delete_queue(int channel, const std::string& name);
  Result<> delete_exchange(int channel, const std::string& name);
  Result<> bind_queue(int channel, const std::string& queue, const std::string& exchange,
                      const std::string& key, const Table& arguments = {});
  Result<> bind_exchange(int channel, const std::string& destination, const std::string& source,
                         const std::string& key);
  struct QueueCount {
    std::int64_t ready = 0;
    std::int64_t consumers = 0;
  };
  Result<QueueCount> count(int channel, const std::string& queue);

  // These only write.
  // A queue that does not answer holds up nothing but its channel.
  Result<> consume(int channel, const std::string& queue);
  Result<> ack(int channel, std::uint64_t tag, bool multiple);
  // Without coming again: to the dead-letter exchange.
  Result<> reject(int channel, std::uint64_t tag);
  // Persistent and mandatory. Error message_too_large beyond frame size of its headers.
  Result<> publish(int channel, const std::string& exchange, const std::string& key,
                   const WireMessage& message, std::string_view body);

  // The next thing the server says, waiting at most `wait`, or until something can be read from `wake` (a
  // descriptor, -1 for none). Nothing when the time was over.
  Result<std::optional<Incoming>> next(Duration wait, int wake);

 private:
  explicit Connection(std::string shown) : shown_(std::move(shown)) {}
  Result<> check(int status, const char* doing);
  Result<> check_reply(const char* doing);
  Error describe(const amqp_rpc_reply_t_& reply, const char* doing) const;
  Result<WireMessage> read_message(int channel);

  std::string shown_;
  amqp_connection_state_t_* state_ = nullptr;
  bool broken_ = false;
};

}  // namespace castiel::messaging::rabbitmq
