#include "messaging/rabbitmq/impl/connection.hpp"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace castiel::messaging::rabbitmq {

namespace {

constexpr int kMaxChannels = 64;
constexpr int kFrameBytes = 131'072;
constexpr timeval kConnectLimit{3, 0};  // BREAK-3
constexpr timeval kHandshakeLimit{7, 0};
constexpr timeval kRequestLimit{10, 0};
constexpr timeval kFarewellLimit{1, 0};
constexpr unsigned kUnansweredMillis = 20'000;  // bytes the peer does not take within this end the connection
constexpr int kMaxPollMillis = 500;             // heartbeats are looked after this often

amqp_bytes_t bytes_of(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}
std::string text_of(amqp_bytes_t bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

// Borrows the table's texts.
class NativeTable {
 public:
  explicit NativeTable(const Table& table) {
    for (const auto& [key, value] : table) {
      amqp_table_entry_t entry{};
      entry.key = bytes_of(key);
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        entry.value.kind = AMQP_FIELD_KIND_I64;
        entry.value.value.i64 = *number;
      } else if (const auto* yes = std::get_if<bool>(&value)) {
        entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
        entry.value.value.boolean = *yes ? 1 : 0;
      } else {
        entry.value.kind = AMQP_FIELD_KIND_UTF8;
        entry.value.value.bytes = bytes_of(std::get<std::string>(value));
      }
      entries_.push_back(entry);
    }
  }
  amqp_table_t get() { return {static_cast<int>(entries_.size()), entries_.data()}; }

 private:
  std::vector<amqp_table_entry_t> entries_;
};

std::optional<FieldValue> value_of(const amqp_field_value_t& field) {
  switch (field.kind) {
    case AMQP_FIELD_KIND_I64:
      return field.value.i64;
    case AMQP_FIELD_KIND_U64:
      return static_cast<std::int64_t>(field.value.u64);
    case AMQP_FIELD_KIND_I32:
      return std::int64_t{field.value.i32};
    case AMQP_FIELD_KIND_U32:
      return std::int64_t{field.value.u32};
    case AMQP_FIELD_KIND_I16:
      return std::int64_t{field.value.i16};
    case AMQP_FIELD_KIND_U16:
      return std::int64_t{field.value.u16};
    case AMQP_FIELD_KIND_I8:
      return std::int64_t{field.value.i8};
    case AMQP_FIELD_KIND_U8:
      return std::int64_t{field.value.u8};
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return text_of(field.value.bytes);
    default:
      return std::nullopt;
  }
}

amqp_table_entry_t flag(const char* name) {
  amqp_table_entry_t entry{};
  entry.key = amqp_cstring_bytes(name);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = 1;
  return entry;
}

amqp_socket_t* open_socket(amqp_connection_state_t state, const RabbitmqUrl& url) {
  if (!url.tls) return amqp_tcp_socket_new(state);
  auto* socket = amqp_ssl_socket_new(state);
  if (socket == nullptr) return nullptr;
  amqp_ssl_socket_set_verify_peer(socket, url.verify ? 1 : 0);
  amqp_ssl_socket_set_verify_hostname(socket, url.verify ? 1 : 0);
  amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
  if (url.verify && amqp_ssl_socket_set_cacert(socket, url.ca_file.c_str()) != AMQP_STATUS_OK) return nullptr;
  if (!url.certificate_file.empty() &&
      amqp_ssl_socket_set_key(socket, url.certificate_file.c_str(), url.key_file.c_str()) != AMQP_STATUS_OK)
    return nullptr;
  return socket;
}

class AmqpConnection final : public Connection {
 public:
  explicit AmqpConnection(std::string shown) : shown_(std::move(shown)) {}
  ~AmqpConnection() override;
  AmqpConnection(const AmqpConnection&) = delete;
  AmqpConnection& operator=(const AmqpConnection&) = delete;

  Result<> log_in(const RabbitmqUrl& url, std::string_view name);

  Result<> open_channel(int channel) override;
  Result<> close_channel(int channel) override;
  bool has_more() const override;
  Result<> confirm_publishes(int channel) override;
  Result<> prefetch(int channel, int messages) override;
  Result<> declare_exchange(int channel, const std::string& name, const char* type,
                            const Table& arguments) override;
  Result<> declare_queue(int channel, const std::string& name, const Table& arguments) override;
  Result<> delete_queue(int channel, const std::string& name) override;
  Result<> delete_exchange(int channel, const std::string& name) override;
  Result<> bind_queue(int channel, const std::string& queue, const std::string& exchange,
                      const std::string& key, const Table& arguments) override;
  Result<> bind_exchange(int channel, const std::string& destination, const std::string& source,
                         const std::string& key) override;
  Result<QueueCount> count(int channel, const std::string& queue) override;
  Result<> consume(int channel, const std::string& queue) override;
  Result<> ack(int channel, std::uint64_t tag, bool multiple) override;
  Result<> reject(int channel, std::uint64_t tag) override;
  Result<> publish(int channel, const std::string& exchange, const std::string& key,
                   const WireMessage& message, std::string_view body) override;
  Result<std::optional<Incoming>> next(Duration wait, int wake) override;

 private:
  Result<> check(int status, const char* doing);
  Result<> check_reply(const char* doing);
  Error describe(const amqp_rpc_reply_t_& reply, const char* doing) const;
  Result<WireMessage> read_message(int channel);

  std::string shown_;
  amqp_connection_state_t_* state_ = nullptr;
  bool broken_ = false;
};

}  // namespace

Error AmqpConnection::describe(const amqp_rpc_reply_t_& reply, const char* doing) const {
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
    int code = 0;
    std::string text;
    if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
      const auto* close = static_cast<amqp_channel_close_t*>(reply.reply.decoded);
      code = close->reply_code;
      text = text_of(close->reply_text);
    } else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
      const auto* close = static_cast<amqp_connection_close_t*>(reply.reply.decoded);
      code = close->reply_code;
      text = text_of(close->reply_text);
    }
    return {"broker_refused_request", fmt::format("the broker at {} refused to {}", shown_, doing),
            ErrorClass::transient, fmt::format("{} {}", code, text)};
  }
  return {"broker_unreachable", fmt::format("the broker at {} did not {}", shown_, doing),
          ErrorClass::transient, amqp_error_string2(reply.library_error)};
}

Result<> AmqpConnection::check(int status, const char* doing) {
  if (status == AMQP_STATUS_OK) return {};
  broken_ = true;
  return transient("broker_unreachable",
                   fmt::format("the connection to the broker at {} broke: {}", shown_, doing),
                   amqp_error_string2(status));
}

Result<> AmqpConnection::check_reply(const char* doing) {
  const auto reply = amqp_get_rpc_reply(state_);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return {};
  broken_ = true;
  return std::unexpected(describe(reply, doing));
}

Result<std::unique_ptr<Connection>> Connection::open(const RabbitmqUrl& url, std::string_view name) {
  auto connection = std::make_unique<AmqpConnection>(url.shown());
  CASTIEL_TRY(connection->log_in(url, name));
  return connection;
}

Result<> AmqpConnection::log_in(const RabbitmqUrl& url, std::string_view name) {
  auto* state = state_ = amqp_new_connection();
  broken_ = true;  // until it is logged in
  if (state == nullptr) return transient("broker_unreachable", "no memory for a connection to the broker");
  amqp_set_handshake_timeout(state, &kHandshakeLimit);
  amqp_set_rpc_timeout(state, &kRequestLimit);
  auto* socket = open_socket(state, url);
  if (socket == nullptr) {
    return permanent("invalid_broker_url",
                     fmt::format("the certificate files for the broker at {} cannot be used", url.shown()));
  }
  if (const int status = amqp_socket_open_noblock(socket, url.host.c_str(), url.port, &kConnectLimit);
      status != AMQP_STATUS_OK) {
    return transient("broker_unreachable", fmt::format("the broker at {} cannot be reached", url.shown()),
                     amqp_error_string2(status));
  }
  const unsigned unanswered = kUnansweredMillis;
  ::setsockopt(amqp_socket_get_sockfd(socket), IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof unanswered);

  amqp_table_entry_t capabilities[] = {flag("connection.blocked"), flag("consumer_cancel_notify"),
                                       flag("publisher_confirms"), flag("basic.nack"),
                                       flag("authentication_failure_close")};
  amqp_table_entry_t properties[2] = {};
  properties[0].key = amqp_cstring_bytes("capabilities");
  properties[0].value.kind = AMQP_FIELD_KIND_TABLE;
  properties[0].value.value.table = {static_cast<int>(std::size(capabilities)), capabilities};
  properties[1].key = amqp_cstring_bytes("connection_name");
  properties[1].value.kind = AMQP_FIELD_KIND_UTF8;
  properties[1].value.value.bytes = bytes_of(name);
  const amqp_table_t told{2, properties};
  const auto reply = amqp_login_with_properties(
      state, url.vhost.c_str(), kMaxChannels, kFrameBytes, static_cast<int>(url.heartbeat.count()), &told,
      AMQP_SASL_METHOD_PLAIN, url.user.c_str(), url.password.reveal().c_str());
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    auto error = describe(reply, "let us in");
    if (error.code == "broker_refused_request") {
      error.code = "broker_refused";
      error.cls = ErrorClass::permanent;
      error.message += ": check user, password and vhost of broker.url";
    }
    return std::unexpected(std::move(error));
  }
  broken_ = false;
  return {};
}

AmqpConnection::~AmqpConnection() {
  if (state_ == nullptr) return;
  amqp_set_rpc_timeout(state_, &kFarewellLimit);
  if (!broken_) amqp_connection_close(state_, AMQP_REPLY_SUCCESS);
  amqp_destroy_connection(state_);
}

Result<> AmqpConnection::open_channel(int channel) {
  amqp_channel_open(state_, static_cast<amqp_channel_t>(channel));
  return check_reply("open a channel");
}

Result<> AmqpConnection::close_channel(int channel) {
  const auto reply = amqp_channel_close(state_, static_cast<amqp_channel_t>(channel), AMQP_REPLY_SUCCESS);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return {};
  broken_ = true;
  return std::unexpected(describe(reply, "close a channel"));
}

bool AmqpConnection::has_more() const {
  return amqp_frames_enqueued(state_) != 0;
}

Result<> AmqpConnection::confirm_publishes(int channel) {
  amqp_confirm_select(state_, static_cast<amqp_channel_t>(channel));
  return check_reply("confirm what is published");
}

Result<> AmqpConnection::prefetch(int channel, int messages) {
  amqp_basic_qos(state_, static_cast<amqp_channel_t>(channel), 0, static_cast<std::uint16_t>(messages), 0);
  return check_reply("limit the prefetch");
}

Result<> AmqpConnection::declare_exchange(int channel, const std::string& name, const char* type,
                                          const Table& arguments) {
  NativeTable table(arguments);
  amqp_exchange_declare(state_, static_cast<amqp_channel_t>(channel), bytes_of(name),
                        amqp_cstring_bytes(type), 0, 1, 0, 0, table.get());
  return check_reply("declare an exchange");
}

Result<> AmqpConnection::declare_queue(int channel, const std::string& name, const Table& arguments) {
  NativeTable table(arguments);
  amqp_queue_declare(state_, static_cast<amqp_channel_t>(channel), bytes_of(name), 0, 1, 0, 0, table.get());
  return check_reply("declare a queue");
}

Result<> AmqpConnection::delete_queue(int channel, const std::string& name) {
  amqp_queue_delete(state_, static_cast<amqp_channel_t>(channel), bytes_of(name), 0, 0);
  return check_reply("delete a queue");
}

Result<> AmqpConnection::delete_exchange(int channel, const std::string& name) {
  amqp_exchange_delete(state_, static_cast<amqp_channel_t>(channel), bytes_of(name), 0);
  return check_reply("delete an exchange");
}

Result<> AmqpConnection::bind_queue(int channel, const std::string& queue, const std::string& exchange,
                                    const std::string& key, const Table& arguments) {
  NativeTable table(arguments);
  amqp_queue_bind(state_, static_cast<amqp_channel_t>(channel), bytes_of(queue), bytes_of(exchange),
                  bytes_of(key), table.get());
  return check_reply("bind a queue");
}

Result<> AmqpConnection::bind_exchange(int channel, const std::string& destination, const std::string& source,
                                       const std::string& key) {
  amqp_exchange_bind(state_, static_cast<amqp_channel_t>(channel), bytes_of(destination), bytes_of(source),
                     bytes_of(key), amqp_empty_table);
  return check_reply("bind an exchange");
}

Result<Connection::QueueCount> AmqpConnection::count(int channel, const std::string& queue) {
  const auto* answer = amqp_queue_declare(state_, static_cast<amqp_channel_t>(channel), bytes_of(queue), 1, 1,
                                          0, 0, amqp_empty_table);
  CASTIEL_TRY(check_reply("count the messages of a queue"));
  return QueueCount{answer->message_count, answer->consumer_count};
}

Result<> AmqpConnection::consume(int channel, const std::string& queue) {
  amqp_basic_consume_t request{};
  request.queue = bytes_of(queue);
  request.consumer_tag = bytes_of(queue);
  request.nowait = 1;
  return check(
      amqp_send_method(state_, static_cast<amqp_channel_t>(channel), AMQP_BASIC_CONSUME_METHOD, &request),
      "asking for messages");
}

Result<> AmqpConnection::ack(int channel, std::uint64_t tag, bool multiple) {
  return check(amqp_basic_ack(state_, static_cast<amqp_channel_t>(channel), tag, multiple ? 1 : 0),
               "acknowledging");
}

Result<> AmqpConnection::reject(int channel, std::uint64_t tag) {
  return check(amqp_basic_reject(state_, static_cast<amqp_channel_t>(channel), tag, 0), "rejecting");
}

Result<> AmqpConnection::publish(int channel, const std::string& exchange, const std::string& key,
                                 const WireMessage& message, std::string_view body) {
  NativeTable headers(message.headers);
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG |
                      AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG |
                      AMQP_BASIC_APP_ID_FLAG;
  properties.content_type = amqp_cstring_bytes("application/cloudevents+json");
  properties.delivery_mode = 2;
  properties.headers = headers.get();
  properties.message_id = bytes_of(message.id);
  properties.type = bytes_of(message.type);
  properties.correlation_id = bytes_of(message.correlation);
  properties.app_id = amqp_cstring_bytes("castiel");
  return check(amqp_basic_publish(state_, static_cast<amqp_channel_t>(channel), bytes_of(exchange),
                                  bytes_of(key), 1, 0, &properties, bytes_of(body)),
               "publishing");
}

Result<WireMessage> AmqpConnection::read_message(int channel) {
  amqp_message_t raw;
  const auto reply = amqp_read_message(state_, static_cast<amqp_channel_t>(channel), &raw, 0);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    broken_ = true;
    return std::unexpected(describe(reply, "send a message whole"));
  }
  WireMessage message;
  const auto& p = raw.properties;
  if ((p._flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0) message.id = text_of(p.message_id);
  if ((p._flags & AMQP_BASIC_TYPE_FLAG) != 0) message.type = text_of(p.type);
  if ((p._flags & AMQP_BASIC_CORRELATION_ID_FLAG) != 0) message.correlation = text_of(p.correlation_id);
  if ((p._flags & AMQP_BASIC_HEADERS_FLAG) != 0) {
    for (int i = 0; i < p.headers.num_entries; ++i) {
      const auto& entry = p.headers.entries[i];
      if (auto value = value_of(entry.value)) message.headers.emplace(text_of(entry.key), std::move(*value));
    }
  }
  message.body = text_of(raw.body);
  amqp_destroy_message(&raw);
  return message;
}

Result<std::optional<Incoming>> AmqpConnection::next(Duration wait, int wake) {
  if (amqp_frames_enqueued(state_) == 0 && amqp_data_in_buffer(state_) == 0) {
    pollfd entries[2] = {{amqp_get_sockfd(state_), POLLIN, 0}, {wake, POLLIN, 0}};
    const auto millis = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    ::poll(entries, wake < 0 ? 1 : 2, static_cast<int>(std::min<std::int64_t>(millis, kMaxPollMillis)));
    if ((entries[1].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto got = ::read(wake, &count, sizeof count);
    }
  }
  amqp_maybe_release_buffers(state_);
  amqp_frame_t frame;
  timeval at_once{0, 0};
  const int status = amqp_simple_wait_frame_noblock(state_, &frame, &at_once);
  if (status == AMQP_STATUS_TIMEOUT) return std::nullopt;
  CASTIEL_TRY(check(status, "waiting for the broker"));
  if (frame.frame_type != AMQP_FRAME_METHOD) return std::nullopt;
  const int channel = frame.channel;
  void* decoded = frame.payload.method.decoded;
  switch (frame.payload.method.id) {
    case AMQP_BASIC_DELIVER_METHOD: {
      const auto* deliver = static_cast<amqp_basic_deliver_t*>(decoded);
      Delivered delivered{channel, deliver->delivery_tag, deliver->redelivered != 0, {}};
      CASTIEL_ASSIGN(delivered.message, read_message(channel));
      return Incoming(std::move(delivered));
    }
    case AMQP_BASIC_ACK_METHOD: {
      const auto* ack = static_cast<amqp_basic_ack_t*>(decoded);
      return Incoming(Confirmed{channel, ack->delivery_tag, ack->multiple != 0, true});
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto* nack = static_cast<amqp_basic_nack_t*>(decoded);
      return Incoming(Confirmed{channel, nack->delivery_tag, nack->multiple != 0, false});
    }
    case AMQP_BASIC_RETURN_METHOD: {
      const auto* back = static_cast<amqp_basic_return_t*>(decoded);
      Returned returned{text_of(back->reply_text), text_of(back->exchange), {}};
      CASTIEL_ASSIGN(returned.message, read_message(channel));
      return Incoming(std::move(returned));
    }
    case AMQP_CONNECTION_BLOCKED_METHOD:
      return Incoming(Blocked{true, text_of(static_cast<amqp_connection_blocked_t*>(decoded)->reason)});
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      return Incoming(Blocked{false, {}});
    case AMQP_BASIC_CANCEL_METHOD:
      return Incoming(Cancelled{channel, text_of(static_cast<amqp_basic_cancel_t*>(decoded)->consumer_tag)});
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const auto* close = static_cast<amqp_channel_close_t*>(decoded);
      broken_ = true;
      return transient("broker_refused_request", fmt::format("the broker at {} closed a channel", shown_),
                       fmt::format("{} {}", close->reply_code, text_of(close->reply_text)));
    }
    case AMQP_CONNECTION_CLOSE_METHOD: {
      const auto* close = static_cast<amqp_connection_close_t*>(decoded);
      broken_ = true;
      return transient("broker_unreachable", fmt::format("the broker at {} closed the connection", shown_),
                       fmt::format("{} {}", close->reply_code, text_of(close->reply_text)));
    }
    default:
      return std::nullopt;
  }
}

}  // namespace castiel::messaging::rabbitmq
