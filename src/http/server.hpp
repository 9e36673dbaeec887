#pragma once
// The HTTP/1.1 server: one thread for all sockets, a bounded pool of workers for handlers. It listens on a
// TCP address, on a Unix socket, or on both. The composition root owns it.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "http/event_stream.hpp"
#include "http/message.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"

namespace castiel::http {

inline constexpr std::size_t kMaxHeaderBytes = std::size_t{16} * 1024;
inline constexpr std::uint64_t kDefaultMaxBodyBytes = std::uint64_t{1024} * 1024;
// Uploads slower than this, on average over the time the server waited for bytes, are cut off.
inline constexpr std::uint64_t kMinUploadBytesPerSecond = 1024;
inline constexpr std::size_t kGzipFromBytes = 1024;

struct ServerOptions {
  std::string address = "127.0.0.1";  // IPv4 or IPv6 literal; empty: no TCP
  std::uint16_t port = 0;             // 0: the system chooses, see Server::port()
  std::string socket_path{};          // Unix socket, mode 0600; empty: none

  int workers = 4;
  std::size_t max_queued_requests = 64;  // waiting for a worker; beyond: 503 with Retry-After
  std::size_t max_connections = 512;
  std::size_t max_streams = 64;  // event streams open at once; beyond: 503

  Duration idle_timeout = std::chrono::seconds(60);    // between requests of a connection
  Duration header_timeout = std::chrono::seconds(10);  // from the first byte to the end of the header
  Duration body_timeout = std::chrono::seconds(30);   // a buffered body in all; a streamed one without a byte
  Duration write_timeout = std::chrono::seconds(30);  // for each 256 KiB
  Duration request_deadline = std::chrono::seconds(30);  // Request::deadline, from the end of the header
  Duration heartbeat = std::chrono::seconds(15);         // comment lines on silent event streams

  // Names a browser may use for this server besides localhost, 127.0.0.1 and [::1]. Checked against the Host
  // header when the address is loopback, or when the list is not empty.
  std::vector<std::string> allowed_hosts{};
  // Origins besides the server's own that may send state-changing requests, "https://castiel.example".
  std::vector<std::string> allowed_origins{};
  std::string content_security_policy =
      "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
};

// What to do with a request's body, decided from its header before a byte of the body is read. Runs on the
// socket thread: no blocking.
struct BodyPlan {
  std::uint64_t max_bytes = kDefaultMaxBodyBytes;
  // Set: the body goes to the sink this makes (on a worker, may block) instead of Request::body. An error is
  // answered as its problem, and the body is not read.
  std::function<Result<std::shared_ptr<BodySink>>(const Request&)> open_sink;
  // Set: answered at once, the body is not read.
  std::optional<Response> refuse;
  // The handler runs at once on the socket thread, however busy the workers are, and must not block: health
  // probes. Not together with open_sink.
  bool immediate = false;
  // Label of the metrics; a closed set of names.
  std::string operation = "other";
};

struct Handler {
  std::function<BodyPlan(const Request&)> plan;  // optional
  std::function<Response(Request)> handle;       // on a worker; what it throws becomes a 500
};

class Server {
 public:
  // Listens and serves when it returns. Clock and Metrics must outlive the server.
  // Errors: invalid_address, address_in_use, socket_in_use (somebody answers there), listen_failed.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler, const Clock& clock,
                                               telemetry::Log log, telemetry::Metrics* metrics = nullptr);
  // Stops without grace.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;  // 0 without TCP
  // Stops accepting, closes idle connections and event streams, lets running requests finish for `grace` of
  // real time, then cuts the rest off. Blocks until all is done, and for handlers past the grace until they
  // return. Not from a handler.
  void stop(Duration grace);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::http
