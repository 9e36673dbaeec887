#pragma once
// A server on a free port for tests, and a raw socket to misbehave with. One test owns each.

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "http/client.hpp"
#include "http/router.hpp"
#include "http/server.hpp"
#include "telemetry/testing/captured_log.hpp"

namespace castiel::http {

class TestServer {
 public:
  // Listens on 127.0.0.1 unless the options say otherwise, and on a socket in a folder of its own. Ends the
  // process with a message when it cannot.
  explicit TestServer(Handler handler, ServerOptions options = {});
  explicit TestServer(std::vector<Route> routes, ServerOptions options = {});
  ~TestServer();

  std::uint16_t port() const { return server_->port(); }
  const std::string& socket_path() const { return socket_path_; }
  Server& server() { return *server_; }
  const Clock& clock() const { return clock_; }
  const telemetry::CapturedLines& log() const { return *lines_; }
  std::string metrics() const { return metrics_.render(); }

  Client client() const { return Client({.socket_path = "", .host = "127.0.0.1", .port = port()}, clock_); }
  Client local_client() const { return Client({.socket_path = socket_path_}, clock_); }
  // Long enough for a slow machine, short enough to fail a test before its own timeout.
  Deadline soon() const { return Deadline::after(clock_, std::chrono::seconds(20)); }

 private:
  SystemClock clock_;
  std::shared_ptr<telemetry::CapturedLines> lines_ = std::make_shared<telemetry::CapturedLines>();
  telemetry::Metrics metrics_;
  std::string folder_;
  std::string socket_path_;
  std::unique_ptr<Server> server_;
};

// A route with an operation id made of its method and pattern.
Route test_route(std::string method, std::string pattern,
                 std::function<Result<Response>(const Request&)> handle);

// A blocking TCP connection to 127.0.0.1. Reads give up after 20 seconds, which is seen as what came so far.
class RawConnection {
 public:
  explicit RawConnection(std::uint16_t port);
  ~RawConnection();
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  bool send(std::string_view bytes);  // false once the other side is gone
  void shutdown_send();
  // All bytes until `end` has come (they stay for the next call when they come after it), or until the close.
  std::string read_until(std::string_view end);
  std::string read_all() { return read_until({}); }
  // Header and body of one answer with a Content-Length.
  std::string read_response();
  // Whether the server closed, after what is unread.
  bool closed();

 private:
  bool fill();

  int descriptor_;
  std::string unread_;
  bool ended_ = false;
};

}  // namespace castiel::http
