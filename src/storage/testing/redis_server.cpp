#include "storage/testing/redis_server.hpp"

#include <fmt/format.h>

#include <charconv>

#include "storage/redis/impl/redis_connection.hpp"

namespace castiel::storage::testing {

namespace {

constexpr std::string_view kPass = R"lua(
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then
    if left <= tonumber(ARGV[1]) then redis.call('DEL', key) else redis.call('PEXPIRE', key, left - ARGV[1]) end
  end
end
return 1
)lua";

Result<impl::RedisReply> ask(const std::string& url, std::initializer_list<std::string_view> words) {
  static const SystemClock clock;
  const auto deadline = Deadline::after(clock, std::chrono::seconds(5));
  CASTIEL_ASSIGN(const auto address, impl::parse_redis_url(url));
  CASTIEL_ASSIGN(const auto connection, impl::RedisConnection::open(address, deadline));
  return connection->call(std::span(words.begin(), words.size()), deadline);
}

}  // namespace

RedisServer::RedisServer(Options options) : options_(std::move(options)) {
  if (options_.tls)
    run_to_end({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout",
                folder_.path() / "key.pem", "-out", certificate(), "-subj", "/CN=castiel test", "-addext",
                "subjectAltName=IP:127.0.0.1"},
               folder_.path(), "the package openssl");
  start();
}

void RedisServer::start() {
  std::vector<std::string> command{"redis-server", "--bind", "127.0.0.1", "--save",       "",
                                   "--appendonly", "no",     "--dir",     folder_.path(), "--port"};
  if (options_.tls) {
    command.insert(command.end(), {"0", "--tls-port", std::to_string(port_), "--tls-cert-file", certificate(),
                                   "--tls-key-file", folder_.path() / "key.pem", "--tls-ca-cert-file",
                                   certificate(), "--tls-auth-clients", "no"});
  } else {
    command.push_back(std::to_string(port_));
  }
  if (!options_.password.empty()) command.insert(command.end(), {"--requirepass", options_.password});
  process_ =
      std::make_unique<PeerProcess>(command, folder_.path(), "the Debian package redis-server", [this] {
        const auto reply = ask(url(), {"PING"});
        // Whoever does not trust the certificate cannot tell more than that somebody answers.
        if (!reply) return options_.tls && reply.error().cause.find("certificate") != std::string::npos;
        return reply->text == "PONG";
      });
}

std::string RedisServer::url() const {
  return fmt::format("{}://{}{}{}127.0.0.1:{}", options_.tls ? "rediss" : "redis",
                     options_.password.empty() ? "" : ":", options_.password,
                     options_.password.empty() ? "" : "@", port_);
}

void RedisServer::clear() {
  ask(url(), {"FLUSHALL"}).value();
}

void RedisServer::pass(Duration time) {
  const auto milliseconds =
      std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  ask(url(), {"EVAL", kPass, "0", milliseconds}).value();
}

std::int64_t RedisServer::keys() {
  return ask(url(), {"DBSIZE"}).value().integer;
}

std::int64_t RedisServer::figure(const std::string& name) {
  const auto info = ask(url(), {"INFO", "everything"}).value().text;
  const auto at = info.find("\n" + name + ":");
  std::int64_t number = -1;
  if (at == info.npos) return number;
  const char* digits = info.data() + at + name.size() + 2;
  std::from_chars(digits, info.data() + info.size(), number);
  return number;
}

}  // namespace castiel::storage::testing
