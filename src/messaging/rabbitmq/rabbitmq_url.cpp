#include "messaging/rabbitmq/rabbitmq_url.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace castiel::messaging {

namespace {

std::unexpected<Error> invalid(std::string_view why) {
  return permanent(
      "invalid_broker_url",
      fmt::format("broker.url {}: it has to look like amqp://user:password@host:port/vhost", why));
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto* end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, byte, 16).ptr != end) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

template <class Number>
bool to_number(std::string_view text, Number& number) {
  const auto* end = text.data() + text.size();
  return !text.empty() && std::from_chars(text.data(), end, number).ptr == end;
}

Result<> read_query(std::string_view query, RabbitmqUrl& url) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = std::min(item.find('='), item.size());
    const auto name = item.substr(0, equals);
    const auto value = decoded(item.substr(std::min(equals + 1, item.size())));
    if (!value) return invalid("has a bad escape in its query");
    if (name == "cacertfile") {
      url.ca_file = *value;
    } else if (name == "certfile") {
      url.certificate_file = *value;
    } else if (name == "keyfile") {
      url.key_file = *value;
    } else if (name == "verify") {
      if (*value != "verify_peer" && *value != "verify_none")
        return invalid("says neither verify_peer nor verify_none");
      url.verify = *value == "verify_peer";
    } else if (name == "heartbeat") {
      int seconds = 0;
      if (!to_number(*value, seconds) || seconds < 1 || seconds > 600)
        return invalid("has a heartbeat that is not 1 to 600 seconds");
      url.heartbeat = std::chrono::seconds(seconds);
    } else {
      return invalid(fmt::format("has an unknown parameter '{}'", name));
    }
  }
  return {};
}

}  // namespace

std::string RabbitmqUrl::shown() const {
  return fmt::format("{}://{}:{}/{}", tls ? "amqps" : "amqp",
                     host.find(':') == std::string::npos ? host : "[" + host + "]", port,
                     vhost == "/" ? "" : vhost);
}

Result<RabbitmqUrl> parse_rabbitmq_url(std::string_view text) {
  RabbitmqUrl url;
  if (text.starts_with("amqps://")) {
    url.tls = true;
    url.port = 5671;
    text.remove_prefix(8);
  } else if (text.starts_with("amqp://")) {
    text.remove_prefix(7);
  } else {
    return invalid("does not begin with amqp:// or amqps://");
  }
  if (const auto question = text.find('?'); question != std::string_view::npos) {
    CASTIEL_TRY(read_query(text.substr(question + 1), url));
    text = text.substr(0, question);
  }
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    const auto vhost = decoded(text.substr(slash + 1));
    if (!vhost) return invalid("has a bad escape in its vhost");
    if (!vhost->empty()) url.vhost = *vhost;
    text = text.substr(0, slash);
  }
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    const auto login = text.substr(0, at);
    const auto colon = std::min(login.find(':'), login.size());
    const auto user = decoded(login.substr(0, colon));
    auto password = decoded(login.substr(std::min(colon + 1, login.size())));
    if (!user || !password) return invalid("has a bad escape in its user or password");
    url.user = *user;
    url.password = Secret(std::move(*password));
    text = text.substr(at + 1);
  }
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return invalid("has a host without its closing bracket");
    url.host = text.substr(1, close - 1);
    text = text.substr(close + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    url.host = text.substr(0, colon);
    text = text.substr(colon);
  }
  if (url.host.empty()) return invalid("names no host");
  if (!text.empty() && (text.front() != ':' || !to_number(text.substr(1), url.port) || url.port == 0))
    return invalid("has a port that is no number");
  return url;
}

}  // namespace castiel::messaging
