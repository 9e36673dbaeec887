#pragma once
// One AMQP 0-9-1 connection, blocking, without a thread of its own: whoever holds it must keep calling
// next(), which also sends and expects heartbeats. One thread at a time. After an error nothing works any
// more but its destructor.

#include <cstdint>
#include <functional>
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
  virtual ~Connection() = default;

  // Each of these waits for the server's answer, 10 s at most. Error broker_refused_request: the server's own
  // words.
  virtual Result<> open_channel(int channel) = 0;
  // What it delivered and was not acknowledged goes back to its queue, in order. Some of it may have arrived
  // and come from next() yet: while has_more(), what is of this channel is not to be taken.
  virtual Result<> close_channel(int channel) = 0;
  virtual bool has_more() const = 0;
  virtual Result<> confirm_publishes(int channel) = 0;
  virtual Result<> prefetch(int channel, int messages) = 0;
  virtual Result<> declare_exchange(int channel, const std::string& name, const char* type,
                                    const Table& arguments) = 0;
  Result<> declare_exchange(int channel, const std::string& name, const char* type) {
    return declare_exchange(channel, name, type, {});
  }
  virtual Result<> declare_queue(int channel, const std::string& name, const Table& arguments) = 0;
  virtual Result<> delete_queue(int channel, const std::string& name) = 0;
  virtual Result<> delete_exchange(int channel, const std::string& name) = 0;
  virtual Result<> bind_queue(int channel, const std::string& queue, const std::string& exchange,
                              const std::string& key, const Table& arguments) = 0;
  Result<> bind_queue(int channel, const std::string& queue, const std::string& exchange,
                      const std::string& key) {
    return bind_queue(channel, queue, exchange, key, {});
  }
  virtual Result<> bind_exchange(int channel, const std::string& destination, const std::string& source,
                                 const std::string& key) = 0;
  struct QueueCount {
    std::int64_t ready = 0;
    std::int64_t consumers = 0;
  };
  virtual Result<QueueCount> count(int channel, const std::string& queue) = 0;

  // These only write.
  // A queue that does not answer holds up nothing but its channel.
  virtual Result<> consume(int channel, const std::string& queue) = 0;
  virtual Result<> ack(int channel, std::uint64_t tag, bool multiple) = 0;
  // Without coming again: to the dead-letter exchange.
  virtual Result<> reject(int channel, std::uint64_t tag) = 0;
  // Persistent and mandatory. Error message_too_large beyond frame size of its headers.
  virtual Result<> publish(int channel, const std::string& exchange, const std::string& key,
                           const WireMessage& message, std::string_view body) = 0;

  // The next thing the server says, waiting at most `wait`, or until something can be read from `wake` (a
  // descriptor, -1 for none). Nothing when the time was over.
  virtual Result<std::optional<Incoming>> next(Duration wait, int wake) = 0;
};

// How connections come about; Connection::open but where the server is simulated.
using Connector =
    std::function<Result<std::unique_ptr<Connection>>(const RabbitmqUrl& url, std::string_view name)>;

}  // namespace castiel::messaging::rabbitmq
