#include "http/testing/test_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "http/impl/text.hpp"

namespace castiel::http {

namespace {

[[noreturn]] void die(const Error& error) {
  std::fprintf(stderr, "test server: %s\n", error.describe().c_str());
  std::abort();
}

Handler handler_of(std::vector<Route> routes) {
  auto router = Router::create(std::move(routes));
  if (!router) die(router.error());
  return router->handler();
}

}  // namespace

Route test_route(std::string method, std::string pattern,
                 std::function<Result<Response>(const Request&)> handle) {
  Route out;
  out.method = std::move(method);
  out.pattern = std::move(pattern);
  out.operation_id = out.method + out.pattern;
  out.handle = std::move(handle);
  return out;
}

TestServer::TestServer(Handler handler, ServerOptions options) {
  auto pattern = (std::filesystem::temp_directory_path() / "castiel_http_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) die({"no_folder", pattern, ErrorClass::permanent, {}});
  folder_ = pattern;
  socket_path_ = folder_ + "/castiel.sock";
  if (options.socket_path.empty()) options.socket_path = socket_path_;
  auto server = Server::start(std::move(options), std::move(handler), clock_,
                              telemetry::Log(lines_, clock_, {.level = telemetry::Level::debug}), &metrics_);
  if (!server) die(server.error());
  server_ = std::move(*server);
}

TestServer::TestServer(std::vector<Route> routes, ServerOptions options)
    : TestServer(handler_of(std::move(routes)), std::move(options)) {}

TestServer::~TestServer() {
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

RawConnection::RawConnection(std::uint16_t port)
    : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval limit{20, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    ended_ = true;
}

RawConnection::~RawConnection() {
  ::close(descriptor_);
}

bool RawConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void RawConnection::shutdown_send() {
  ::shutdown(descriptor_, SHUT_WR);
}

bool RawConnection::fill() {
  if (ended_) return false;
  char buffer[4096];
  const auto size = ::recv(descriptor_, buffer, sizeof(buffer), 0);
  if (size <= 0) {
    ended_ = true;
    return false;
  }
  unread_.append(buffer, static_cast<std::size_t>(size));
  return true;
}

std::string RawConnection::read_until(std::string_view end) {
  for (;;) {
    const auto found = end.empty() ? std::string::npos : unread_.find(end);
    if (found != std::string::npos) {
      auto out = unread_.substr(0, found + end.size());
      unread_.erase(0, out.size());
      return out;
    }
    if (!fill()) return std::exchange(unread_, {});
  }
}

std::string RawConnection::read_response() {
  auto out = read_until("\r\n\r\n");
  std::size_t length = 0;
  for (auto line : impl::split(out, '\n')) {
    if (line.size() > 15 && impl::equals_ignoring_case(line.substr(0, 15), "content-length:"))
      length = std::strtoul(std::string(line.substr(15)).c_str(), nullptr, 10);
  }
  while (unread_.size() < length && fill()) {
  }
  out += unread_.substr(0, length);
  unread_.erase(0, length);
  return out;
}

bool RawConnection::closed() {
  while (fill()) {
  }
  return ended_;
}

}  // namespace castiel::http
