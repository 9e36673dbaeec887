#pragma once
// Where a RabbitMQ server is and how to log in: amqp://user:password@host:port/vhost, amqps:// for TLS. Plain
// value; any thread.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"

namespace castiel::messaging {

struct RabbitmqUrl {
  bool tls = false;
  std::string user = "guest";
  Secret password{"guest"};
  std::string host = "localhost";
  std::uint16_t port = 5672;
  std::string vhost = "/";
  std::string ca_file = "/etc/ssl/certs/ca-certificates.crt";  // of the authorities a server may be signed by
  std::string certificate_file, key_file;                      // our own, where the server asks for one
  bool verify = true;                                          // the server's certificate and name
  std::chrono::seconds heartbeat{20};

  std::string shown() const;  // without user and password
};

// Parts are percent-decoded. Query: cacertfile, certfile, keyfile, verify (verify_peer, verify_none),
// heartbeat in seconds. Error invalid_broker_url, which never repeats the text.
Result<RabbitmqUrl> parse_rabbitmq_url(std::string_view text);

}  // namespace castiel::messaging
