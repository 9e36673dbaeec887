#pragma once
// One connection: reads requests one after the other, hands them to workers, writes the answers. Lives on
// the socket thread.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <memory>
#include <string>

#include "http/impl/core.hpp"

namespace castiel::http::impl {

struct Peer {
  std::string address;
  bool is_local_socket = false;
};

class Session {
 public:
  virtual ~Session() = default;
  // Closes the connection if it waits for a request, ends its event stream; else lets it finish.
  virtual void begin_stop() = 0;
  // Closes the connection whatever it does.
  virtual void cut() = 0;
};

// Serves the connection until it ends.
boost::asio::awaitable<void> serve_connection(Core& core,
                                              boost::asio::generic::stream_protocol::socket socket,
                                              Peer peer);

}  // namespace castiel::http::impl
