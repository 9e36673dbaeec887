#include "storage/redis/impl/redis_connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "storage/impl/endpoint_url.hpp"
#include "storage/impl/files.hpp"
#include "storage/redis/redis_cache.hpp"

namespace castiel::storage::impl {

namespace {

constexpr std::string_view kForm = "redis://[user:password@]host[:port][/db], or rediss:// for TLS";
constexpr std::size_t kReadBytes = std::size_t{16} << 10;
constexpr int kMaxDatabase = 65'535;

template <auto Free>
struct Freeing {
  template <class T>
  void operator()(T* thing) const {
    Free(thing);
  }
};
using Addresses = std::unique_ptr<addrinfo, Freeing<::freeaddrinfo>>;
using SslContext = std::unique_ptr<SSL_CTX, Freeing<::SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Freeing<::SSL_free>>;

std::string tls_words() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

RedisReply copy(const redisReply& reply) {
  RedisReply out;
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      out.kind = RedisReply::Kind::text;
      out.text.assign(reply.str, static_cast<std::size_t>(reply.len));
      break;
    case REDIS_REPLY_ERROR:
      out.kind = RedisReply::Kind::error;
      out.text.assign(reply.str, static_cast<std::size_t>(reply.len));
      break;
    case REDIS_REPLY_INTEGER:
      out.kind = RedisReply::Kind::integer;
      out.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      out.kind = RedisReply::Kind::list;
      for (std::size_t i = 0; i < reply.elements; ++i) out.items.push_back(copy(*reply.element[i]));
      break;
    default:
      break;
  }
  return out;
}

}  // namespace

std::string RedisAddress::text() const {
  return fmt::format("{}:{}", host, port);
}

Result<RedisAddress> parse_redis_url(std::string_view text) {
  CASTIEL_ASSIGN(auto url, split_url(text, "invalid_cache_url", kForm));
  const auto wrong = [] {
    return permanent("invalid_cache_url", fmt::format("the cache's URL is not of the form {}", kForm));
  };
  RedisAddress address;
  if (url.scheme != "redis" && url.scheme != "rediss") return wrong();
  if (!url.query.empty()) return wrong();
  address.tls = url.scheme == "rediss";
  address.user = std::move(url.user);
  address.password = std::move(url.password);
  address.host = std::move(url.host);
  if (url.port != 0) address.port = url.port;
  const std::string_view database = std::string_view(url.path).substr(url.path.empty() ? 0 : 1);
  if (!database.empty()) {
    const auto [end, error] =
        std::from_chars(database.data(), database.data() + database.size(), address.database);
    if (error != std::errc() || end != database.data() + database.size() || address.database < 0 ||
        address.database > kMaxDatabase)
      return wrong();
  }
  return address;
}

struct RedisConnection::State {
  RedisAddress address;
  Descriptor socket;
  SslContext tls_context;
  Ssl tls;  // over two memory buffers: this object does all reading and writing of the socket
  std::unique_ptr<redisReader, Freeing<::redisReaderFree>> reader{redisReaderCreate()};

  std::unexpected<Error> error(std::string_view code, std::string_view what, std::string cause = {}) const {
    return transient(std::string(code), fmt::format("Redis at {} {}", address.text(), what),
                     std::move(cause));
  }
  std::unexpected<Error> lost(int number) const {
    return error("cache_connection_lost", "closed the connection", number ? std::strerror(number) : "");
  }

  Result<> wait(short events, Deadline deadline) const {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining()).count();
      if (left <= 0) return error("cache_timeout", "does not answer in time");
      pollfd p{socket.get(), events, 0};
      const int n = ::poll(&p, 1, static_cast<int>(left));
      if (n > 0) return {};
      if (n < 0 && errno != EINTR) return lost(errno);
    }
  }

  Result<> send_raw(std::string_view bytes, Deadline deadline) {
    while (!bytes.empty()) {
      const auto n = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        CASTIEL_TRY(wait(POLLOUT, deadline));
      } else if (errno != EINTR) {
        return lost(errno);
      }
    }
    return {};
  }

  Result<std::string_view> receive_raw(std::array<char, kReadBytes>& buffer, Deadline deadline) {
    for (;;) {
      const auto n = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
      if (n > 0) return std::string_view(buffer.data(), static_cast<std::size_t>(n));
      if (n == 0) return lost(0);
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        CASTIEL_TRY(wait(POLLIN, deadline));
      } else if (errno != EINTR) {
        return lost(errno);
      }
    }
  }

  Result<> connect(Deadline deadline);
  Result<> try_address(const addrinfo& to, Deadline deadline);
  Result<> start_tls(Deadline deadline);
  Result<> log_in(RedisConnection& connection, Deadline deadline) const;
  Result<> flush_tls(Deadline deadline);
  Result<> feed_tls(Deadline deadline);
  Result<> send(std::string_view bytes, Deadline deadline);
  Result<> receive(Deadline deadline);  // into the reader
};

Result<> RedisConnection::State::connect(Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  const auto port = std::to_string(address.port);
  if (const int code = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &list); code != 0)
    return error("cache_unreachable", "cannot be found", ::gai_strerror(code));
  const Addresses addresses(list);
  Result<> tried = error("cache_unreachable", "has no address");
  for (const addrinfo* to = addresses.get(); to != nullptr; to = to->ai_next) {
    tried = try_address(*to, deadline);
    if (tried || deadline.passed()) break;
  }
  return tried;
}

Result<> RedisConnection::State::try_address(const addrinfo& to, Deadline deadline) {
  socket = Descriptor(::socket(to.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, to.ai_protocol));
  if (socket.get() < 0) return error("cache_unreachable", "cannot be reached", std::strerror(errno));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (::connect(socket.get(), to.ai_addr, to.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) return error("cache_unreachable", "cannot be reached", std::strerror(errno));
  CASTIEL_TRY(wait(POLLOUT, deadline));
  int number = 0;
  socklen_t size = sizeof number;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &number, &size);
  if (number != 0) return error("cache_unreachable", "cannot be reached", std::strerror(number));
  return {};
}

Result<> RedisConnection::State::start_tls(Deadline deadline) {
  tls_context.reset(SSL_CTX_new(TLS_client_method()));
  if (!tls_context) return error("cache_unreachable", "cannot be spoken to over TLS", tls_words());
  SSL_CTX_set_min_proto_version(tls_context.get(), TLS1_2_VERSION);
  SSL_CTX_set_default_verify_paths(tls_context.get());
  SSL_CTX_set_verify(tls_context.get(), SSL_VERIFY_PEER, nullptr);
  tls.reset(SSL_new(tls_context.get()));
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (!tls || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    return error("cache_unreachable", "cannot be spoken to over TLS", tls_words());
  }
  SSL_set_bio(tls.get(), in, out);
  SSL_set_connect_state(tls.get());
  X509_VERIFY_PARAM* check = SSL_get0_param(tls.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(check, address.host.c_str()) != 1) {
    SSL_set1_host(tls.get(), address.host.c_str());
    SSL_set_tlsext_host_name(tls.get(), address.host.c_str());
  }
  for (;;) {
    const int done = SSL_do_handshake(tls.get());
    CASTIEL_TRY(flush_tls(deadline));
    if (done == 1) return {};
    if (SSL_get_error(tls.get(), done) != SSL_ERROR_WANT_READ) {
      const long verdict = SSL_get_verify_result(tls.get());
      return error("cache_unreachable", "cannot be spoken to over TLS",
                   verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : tls_words());
    }
    CASTIEL_TRY(feed_tls(deadline));
  }
}

Result<> RedisConnection::State::flush_tls(Deadline deadline) {
  std::array<char, kReadBytes> buffer;
  for (;;) {
    const int n = BIO_read(SSL_get_wbio(tls.get()), buffer.data(), static_cast<int>(buffer.size()));
    if (n <= 0) return {};
    CASTIEL_TRY(send_raw({buffer.data(), static_cast<std::size_t>(n)}, deadline));
  }
}

Result<> RedisConnection::State::feed_tls(Deadline deadline) {
  std::array<char, kReadBytes> buffer;
  CASTIEL_ASSIGN(const auto bytes, receive_raw(buffer, deadline));
  BIO_write(SSL_get_rbio(tls.get()), bytes.data(), static_cast<int>(bytes.size()));
  return {};
}

Result<> RedisConnection::State::send(std::string_view bytes, Deadline deadline) {
  if (!tls) return send_raw(bytes, deadline);
  // Into memory, so it always takes all.
  if (SSL_write(tls.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0)
    return error("cache_connection_lost", "cannot be written to", tls_words());
  return flush_tls(deadline);
}

Result<> RedisConnection::State::receive(Deadline deadline) {
  std::array<char, kReadBytes> buffer;
  if (!tls) {
    CASTIEL_ASSIGN(const auto bytes, receive_raw(buffer, deadline));
    redisReaderFeed(reader.get(), bytes.data(), bytes.size());
    return {};
  }
  for (;;) {
    const int n = SSL_read(tls.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (n > 0) {
      redisReaderFeed(reader.get(), buffer.data(), static_cast<std::size_t>(n));
      return {};
    }
    const int why = SSL_get_error(tls.get(), n);
    if (why == SSL_ERROR_ZERO_RETURN) return lost(0);
    if (why != SSL_ERROR_WANT_READ) return error("cache_connection_lost", "cannot be read from", tls_words());
    CASTIEL_TRY(flush_tls(deadline));
    CASTIEL_TRY(feed_tls(deadline));
  }
}

Result<> RedisConnection::State::log_in(RedisConnection& connection, Deadline deadline) const {
  if (!address.password.empty()) {
    std::vector<std::string_view> words{"AUTH"};
    if (!address.user.empty()) words.emplace_back(address.user);
    words.emplace_back(address.password.reveal());
    CASTIEL_ASSIGN(const auto reply, connection.call(words, deadline));
    // Redis may repeat the words of a command in its error: only the kind is told.
    if (reply.kind == RedisReply::Kind::error)
      return error("cache_refused", "refuses user and password", reply.text.substr(0, reply.text.find(' ')));
  }
  if (address.database != 0) {
    const auto number = std::to_string(address.database);
    const std::array<std::string_view, 2> words{"SELECT", number};
    CASTIEL_ASSIGN(const auto reply, connection.call(words, deadline));
    if (reply.kind == RedisReply::Kind::error)
      return error("cache_refused", "refuses the database of the URL", reply.text);
  }
  return {};
}

RedisConnection::RedisConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
RedisConnection::~RedisConnection() = default;

Result<std::unique_ptr<RedisConnection>> RedisConnection::open(const RedisAddress& address,
                                                               Deadline deadline) {
  auto state = std::make_unique<State>();
  state->address = address;
  CASTIEL_TRY(state->connect(deadline));
  if (address.tls) CASTIEL_TRY(state->start_tls(deadline));
  std::unique_ptr<RedisConnection> connection(new RedisConnection(std::move(state)));
  CASTIEL_TRY(connection->state_->log_in(*connection, deadline));
  return connection;
}

Result<RedisReply> RedisConnection::call(std::span<const std::string_view> words, Deadline deadline) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const auto word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* formatted = nullptr;
  const auto size =
      redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), texts.data(), sizes.data());
  const std::unique_ptr<char, Freeing<::redisFreeCommand>> owner(formatted);
  if (size < 0) return state_->error("cache_connection_lost", "cannot be asked: out of memory");
  CASTIEL_TRY(state_->send({formatted, static_cast<std::size_t>(size)}, deadline));
  for (std::size_t received = 0;; received += kReadBytes) {
    void* reply = nullptr;
    if (redisReaderGetReply(state_->reader.get(), &reply) != REDIS_OK)
      return state_->error("cache_connection_lost", "answers what is not its protocol",
                           state_->reader->errstr);
    if (reply != nullptr) {
      const std::unique_ptr<redisReply, Freeing<::freeReplyObject>> answer(static_cast<redisReply*>(reply));
      return copy(*answer);
    }
    if (received > kMaxRedisReplyBytes)
      return state_->error("cache_connection_lost", "answers more than was asked for");
    CASTIEL_TRY(state_->receive(deadline));
  }
}

}  // namespace castiel::storage::impl
