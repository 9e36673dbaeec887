#pragma once
// LiveFeed: tells subscribers of a tenant that imports, queues or data changed. One thread looks every half
// second, only while somebody listens, and sends what differs from the last look. Owned by the composition
// root; thread-safe.

#include <memory>

#include "api/services.hpp"
#include "http/event_stream.hpp"
#include "telemetry/log.hpp"

namespace castiel::api {

class LiveFeed {
 public:
  static constexpr Duration kInterval = std::chrono::milliseconds(500);
  static constexpr Duration kPing = std::chrono::seconds(15);
  static constexpr std::size_t kMaxSubscribers = 64;

  // The services outlive the feed; set `services.live` to it afterwards.
  LiveFeed(Services& services, telemetry::Log log);
  ~LiveFeed();

  // Starts the thread; without it poll() has to be called.
  void start();
  // Ends the thread and closes all streams.
  void stop();
  // The first look after it sends everything. Errors: invalid_tenant, unknown_tenant; too_many_streams
  // (transient).
  Result<std::shared_ptr<http::EventStream>> subscribe(const TenantId& tenant);
  // One look: events import (an import's object, for each that changed), queues (the list of GET /queues),
  // changed {"tenant"} and ping.
  void poll();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace castiel::api
