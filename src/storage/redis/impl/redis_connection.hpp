#pragma once
// One connection to Redis: commands out, replies in, each with a deadline. One owner, one thread at a time;
// after an error it is of no more use.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace castiel::storage::impl {

struct RedisAddress {
  bool tls = false;
  std::string user;
  Secret password;
  std::string host;
  std::uint16_t port = 6379;
  int database = 0;
  std::string text() const;  // host and port, for messages
};

// Error: invalid_cache_url.
Result<RedisAddress> parse_redis_url(std::string_view url);

struct RedisReply {
  enum class Kind { nil, text, integer, list, error };
  Kind kind = Kind::nil;
  std::string text;  // of an error too
  std::int64_t integer = 0;
  std::vector<RedisReply> items;
};

class RedisConnection {
 public:
  // Connected, over TLS if asked for, logged in, at its database.
  static Result<std::unique_ptr<RedisConnection>> open(const RedisAddress& address, Deadline deadline);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // What Redis answers, an error reply too.
  Result<RedisReply> call(std::span<const std::string_view> words, Deadline deadline);

 private:
  struct State;
  explicit RedisConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace castiel::storage::impl
