#pragma once
// What a simulation puts in the place of the server and of the links' threads. Plain values.

#include <functional>

#include "messaging/rabbitmq/impl/connection.hpp"

namespace castiel::messaging::rabbitmq {

class Link;

struct Seams {
  Connector connect = Connection::open;
  // Called with each link instead of its start(): whoever takes it calls round() while the broker lives.
  std::function<void(Link&)> run_link{};
};

}  // namespace castiel::messaging::rabbitmq
