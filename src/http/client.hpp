#pragma once
// A small blocking HTTP/1.1 client for a server on this machine, over its Unix socket or TCP. It ignores
// proxies and follows no redirects. One thread at a time; keeps its connection between calls.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

namespace castiel::http {

struct Endpoint {
  std::string socket_path{};  // when set, host and port are not used to connect
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, already escaped (escape())
  Headers headers{};
  std::string body{};
  // Set: the body is what this gives, called until it gives nothing; at most `limit` bytes each time. Sent
  // chunked unless upload_bytes says how many there will be. An error ends the request with that error.
  std::function<Result<std::string>(std::size_t limit)> upload{};
  std::int64_t upload_bytes = -1;
  // Set: a 2xx body goes here line by line (without the line break) instead of into ClientResponse::body;
  // false ends the request early, which is not an error.
  std::function<bool(std::string_view line)> on_line{};
  std::size_t max_response_bytes = std::size_t{64} * 1024 * 1024;  // of ClientResponse::body, and of one line
};

struct ClientResponse {
  int status = 0;
  Headers headers{};
  std::string body{};
};

class Client {
 public:
  Client(Endpoint endpoint, const Clock& clock);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // Blocks until the answer is there, whatever its status. Errors: server_unreachable, deadline_exceeded,
  // connection_lost (transient); response_too_large, bad_response, bad_request (permanent).
  Result<ClientResponse> send(const ClientRequest& request, Deadline deadline);
  // The same, with a status of 400 and more as the Error its problem document names.
  Result<ClientResponse> send_ok(const ClientRequest& request, Deadline deadline);
  Result<ClientResponse> get(std::string target, Deadline deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Percent-encodes a path segment or a query value.
std::string escape(std::string_view text);

}  // namespace castiel::http
