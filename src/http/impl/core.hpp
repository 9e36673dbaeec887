#pragma once
// What the server's connections share. Everything here but the pool, the log and the metrics belongs to the
// socket thread.

#include <boost/asio/io_context.hpp>
#include <set>

#include "http/impl/worker_pool.hpp"
#include "http/server.hpp"

namespace castiel::http::impl {

class Session;

struct ServerMetrics {
  explicit ServerMetrics(telemetry::Metrics& m)
      : requests(m.counter({"http_requests_total", "Requests answered.", {"operation", "status"}})),
        seconds(m.histogram({"http_request_seconds", "Time from header to answer.", {"operation"}},
                            telemetry::seconds_buckets())),
        refused(m.counter({"http_refused_total", "Work refused because a limit was reached.", {"limit"}})),
        connections(m.gauge({"http_connections", "Open connections.", {}}).with()),
        streams(m.gauge({"http_event_streams", "Open event streams.", {}}).with()) {}

  telemetry::Family<telemetry::Counter> requests;
  telemetry::Family<telemetry::Histogram> seconds;
  telemetry::Family<telemetry::Counter> refused;
  telemetry::Gauge connections;
  telemetry::Gauge streams;
};

struct Core {
  Core(ServerOptions o, Handler h, const Clock& c, telemetry::Log l)
      : options(std::move(o)),
        handler(std::move(h)),
        clock(&c),
        log(std::move(l)),
        pool(options.workers, std::max<std::size_t>(1, options.max_queued_requests)) {}

  void count_refused(std::string_view limit) {
    if (metrics) metrics->refused.with({limit}).add();
  }

  const ServerOptions options;
  const Handler handler;
  const Clock* const clock;
  const telemetry::Log log;
  std::optional<ServerMetrics> metrics;
  bool check_host = false;
  boost::asio::io_context io{1};
  bool stopping = false;
  std::set<Session*> sessions;
  std::function<void()> on_last_session;  // set while stopping
  std::size_t streams = 0;
  WorkerPool pool;  // last: its threads end before the rest goes
};

}  // namespace castiel::http::impl
