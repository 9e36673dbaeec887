#include "http/server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "http/impl/core.hpp"
#include "http/impl/session.hpp"
#include "http/impl/unix_socket.hpp"

namespace castiel::http {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Local = asio::local::stream_protocol;

// Programs started by this one must not inherit its sockets.
void close_on_exec(int descriptor) {
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

constexpr std::string_view kTooManyConnections =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Handler handler, const Clock& clock, telemetry::Log log,
       telemetry::Metrics* metrics)
      : core_(std::move(options), std::move(handler), clock, std::move(log)),
        tcp_(core_.io),
        local_(core_.io) {
    if (metrics != nullptr) core_.metrics.emplace(*metrics);
    core_.check_host = !core_.options.allowed_hosts.empty();
  }
  ~Impl() { stop(Duration(0)); }

  Result<> listen() {
    if (!core_.options.address.empty()) CASTIEL_TRY(listen_tcp());
    if (!core_.options.socket_path.empty()) CASTIEL_TRY(listen_local());
    if (!tcp_.is_open() && !local_.is_open())
      return permanent("invalid_address", "The server needs an address or a socket path to listen on.");
    return {};
  }

  void run() {
    if (tcp_.is_open()) asio::co_spawn(core_.io, accept(tcp_), asio::detached);
    if (local_.is_open()) asio::co_spawn(core_.io, accept(local_), asio::detached);
    thread_ = std::thread([this] { core_.io.run(); });
  }

  void stop(Duration grace) {
    if (!thread_.joinable()) {
      error_code ignored;
      tcp_.close(ignored);
      close_local();
      return;
    }
    auto cut_off = std::make_shared<asio::steady_timer>(core_.io);
    asio::post(core_.io, [this, grace, cut_off] {
      core_.stopping = true;
      error_code ignored;
      tcp_.close(ignored);
      close_local();
      const auto sessions = core_.sessions;
      for (auto* session : sessions) session->begin_stop();
      cut_off->expires_after(grace);
      cut_off->async_wait([this, cut_off](error_code problem) {
        if (problem) return;
        const auto rest = core_.sessions;
        if (!rest.empty()) core_.log.warn("http_cut_off", {{"connections", rest.size()}});
        for (auto* session : rest) session->cut();
      });
      watch_end(cut_off);
    });
    thread_.join();
    core_.pool.stop();
  }

  std::uint16_t port_ = 0;

 private:
  Result<> listen_tcp() {
    error_code problem;
    const auto address = asio::ip::make_address(core_.options.address, problem);
    if (problem)
      return permanent("invalid_address",
                       fmt::format("\"{}\" is no IPv4 or IPv6 address.", core_.options.address));
    const Tcp::endpoint endpoint(address, core_.options.port);
    tcp_.open(endpoint.protocol(), problem);
    if (!problem) close_on_exec(tcp_.native_handle());
    if (!problem) tcp_.set_option(Tcp::acceptor::reuse_address(true), problem);
    if (!problem) tcp_.bind(endpoint, problem);
    if (!problem) tcp_.listen(asio::socket_base::max_listen_connections, problem);
    if (problem) {
      const bool used = problem == asio::error::address_in_use;
      return permanent(
          used ? "address_in_use" : "listen_failed",
          fmt::format("Cannot listen on {} port {}. {}", core_.options.address, core_.options.port,
                      used ? "Another program does; choose another port." : ""),
          problem.message());
    }
    port_ = tcp_.local_endpoint(problem).port();
    core_.check_host = core_.check_host || address.is_loopback();
    return {};
  }

  Result<> listen_local() {
    CASTIEL_ASSIGN(const int descriptor, impl::listen_unix(core_.options.socket_path));
    error_code problem;
    local_.assign(Local(), descriptor, problem);
    if (problem) {
      ::close(descriptor);
      return permanent("listen_failed", "Cannot use the local socket.", problem.message());
    }
    inode_ = impl::inode_of(core_.options.socket_path);
    return {};
  }

  void close_local() {
    if (!local_.is_open()) return;
    error_code ignored;
    local_.close(ignored);
    if (inode_ != 0 && impl::inode_of(core_.options.socket_path) == inode_)
      ::unlink(core_.options.socket_path.c_str());
  }

  template <class Acceptor>
  asio::awaitable<void> accept(Acceptor& acceptor) {
    constexpr bool kLocal = std::is_same_v<Acceptor, Local::acceptor>;
    asio::steady_timer pause(core_.io);
    while (acceptor.is_open()) {
      error_code problem;
      auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, problem));
      if (!acceptor.is_open()) break;
      if (problem) {
        // Out of descriptors, as a rule: retrying at once would only burn time.
        core_.log.warn("accept_failed", {{"what", problem.message()}});
        error_code ignored;
        pause.expires_after(std::chrono::milliseconds(50));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        continue;
      }
      close_on_exec(socket.native_handle());
      if (core_.sessions.size() >= core_.options.max_connections) {
        core_.count_refused("connections");
        error_code ignored;
        socket.non_blocking(true, ignored);
        socket.write_some(asio::buffer(kTooManyConnections), ignored);
        continue;
      }
      impl::Peer peer;
      error_code ignored;
      if constexpr (kLocal) {
        peer.is_local_socket = true;
      } else {
        peer.address = socket.remote_endpoint(ignored).address().to_string();
        socket.set_option(Tcp::no_delay(true), ignored);
      }
      asio::co_spawn(core_.io,
                     impl::serve_connection(core_, asio::generic::stream_protocol::socket(std::move(socket)),
                                            std::move(peer)),
                     asio::detached);
    }
  }

  // The grace timer would keep the socket thread busy to its end: it is given up with the last connection.
  void watch_end(std::shared_ptr<asio::steady_timer> cut_off) {
    core_.on_last_session = [this, cut_off] { cut_off->cancel(); };
    if (core_.sessions.empty()) core_.on_last_session();
  }

  impl::Core core_;
  Tcp::acceptor tcp_;
  Local::acceptor local_;
  unsigned long long inode_ = 0;
  std::thread thread_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler, const Clock& clock,
                                              telemetry::Log log, telemetry::Metrics* metrics) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler), clock, std::move(log), metrics);
  CASTIEL_TRY(impl->listen());
  impl->run();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const {
  return impl_->port_;
}

void Server::stop(Duration grace) {
  impl_->stop(grace);
}

}  // namespace castiel::http
