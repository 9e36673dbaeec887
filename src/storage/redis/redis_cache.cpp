#include "storage/redis/redis_cache.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <mutex>
#include <vector>

#include "base/digest.hpp"
#include "storage/redis/impl/redis_connection.hpp"

namespace castiel::storage {

namespace {

using impl::RedisAddress;
using impl::RedisConnection;
using impl::RedisReply;

// KEYS: value, claim. A value begins with how many milliseconds of its time it is stale, and a line break.

// ARGV: token, milliseconds of the claim (0: none). Gives value or nil, fresh, claimed.
constexpr std::string_view kFind = R"lua(
local value = redis.call('GET', KEYS[1])
if value then
  local stale = tonumber(string.match(value, '^(%d+)\n'))
  if stale == nil then
    value = false
  elseif redis.call('PTTL', KEYS[1]) > stale then
    return {value, 1, 0}
  end
end
if tonumber(ARGV[2]) == 0 then return {value, 0, 0} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[2]) == ARGV[1] then
  return {value, 0, 1}
end
return {value, 0, 0}
)lua";
// ARGV: token, value, milliseconds it lives.
constexpr std::string_view kFill = R"lua(
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
)lua";
// ARGV: token.
constexpr std::string_view kGiveUp = R"lua(
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
)lua";
// ARGV: value, milliseconds it lives.
constexpr std::string_view kPut = R"lua(
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return 1
)lua";
// ARGV: token, milliseconds of the claim.
constexpr std::string_view kHold = R"lua(
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
)lua";

constexpr std::string_view kScanCount = "1000";  // keys looked at by one SCAN

// What Redis knows a script by.
std::string sha1_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest.data()), size});
}

struct Script {
  explicit Script(std::string_view t) : text(t), sha1(sha1_hex(t)) {}
  std::string_view text;
  std::string sha1;
};

std::string milliseconds(Duration time) {
  const auto count = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  return std::to_string(std::max<std::int64_t>(count, 1));
}

std::string value_key(const TenantId& tenant, std::string_view key) {
  return fmt::format("castiel:{{{}}}:v:{}", tenant.view(), key);
}
std::string claim_key(const TenantId& tenant, std::string_view key) {
  return fmt::format("castiel:{{{}}}:c:{}", tenant.view(), key);
}

std::string wrapped(std::string_view value, CacheLife life) {
  return fmt::format("{}\n{}", std::chrono::ceil<std::chrono::milliseconds>(life.stale).count(), value);
}

class RedisCache final : public CacheBackend {
 public:
  RedisCache(RedisAddress address, const Clock& clock, RedisCacheOptions options)
      : address_(std::move(address)), clock_(clock), options_(options) {}

  std::string_view name() const override { return "redis"; }
  bool shared() const override { return true; }

  Result<CacheFound> find(const TenantId& tenant, std::string_view key) override {
    return find(tenant, key, "", "0");
  }
  Result<CacheFound> find_or_claim(const TenantId& tenant, std::string_view key, std::string_view token,
                                   Duration claim) override {
    return find(tenant, key, token, milliseconds(claim));
  }
  Result<bool> fill(const TenantId& tenant, std::string_view key, std::string_view value, CacheLife life,
                    std::string_view token) override {
    CASTIEL_ASSIGN(
        const auto reply,
        run(fill_, tenant, key, {token, wrapped(value, life), milliseconds(life.fresh + life.stale)}));
    return reply.integer == 1;
  }
  Result<> give_up(const TenantId& tenant, std::string_view key, std::string_view token) override {
    return done(run(give_up_, tenant, key, {token}));
  }
  Result<> put(const TenantId& tenant, std::string_view key, std::string_view value,
               CacheLife life) override {
    return done(run(put_, tenant, key, {wrapped(value, life), milliseconds(life.fresh + life.stale)}));
  }
  Result<> remove(const TenantId& tenant, std::string_view key) override {
    const auto value = value_key(tenant, key), claim = claim_key(tenant, key);
    return done(call({"DEL", value, claim}));
  }
  Result<> hold(const TenantId& tenant, std::string_view key, std::string_view token,
                Duration claim) override {
    return done(run(hold_, tenant, key, {token, milliseconds(claim)}));
  }

  // Looks at all keys of the database; each piece has the time of a command.
  Result<> erase(const TenantId& tenant) override {
    const auto pattern = fmt::format("castiel:{{{}}}:*", tenant.view());
    std::string cursor = "0";
    do {
      CASTIEL_ASSIGN(const auto reply, call({"SCAN", cursor, "MATCH", pattern, "COUNT", kScanCount}));
      if (reply.items.size() != 2) return strange();
      std::vector<std::string_view> words{"UNLINK"};
      for (const auto& item : reply.items[1].items) words.emplace_back(item.text);
      if (words.size() > 1) CASTIEL_TRY(call(words));
      cursor = reply.items[0].text;
    } while (cursor != "0");
    return {};
  }

 private:
  Result<CacheFound> find(const TenantId& tenant, std::string_view key, std::string_view token,
                          const std::string& claim) {
    CASTIEL_ASSIGN(auto reply, run(find_, tenant, key, {token, claim}));
    if (reply.items.size() != 3) return strange();
    CacheFound found;
    found.fresh = reply.items[1].integer == 1;
    found.claimed = reply.items[2].integer == 1;
    if (reply.items[0].kind == RedisReply::Kind::text) {
      auto& text = reply.items[0].text;
      found.value = text.substr(text.find('\n') + 1);
    }
    return found;
  }

  Result<RedisReply> run(const Script& script, const TenantId& tenant, std::string_view key,
                         std::initializer_list<std::string_view> arguments) {
    const auto value = value_key(tenant, key), claim = claim_key(tenant, key);
    std::vector<std::string_view> words{"EVALSHA", script.sha1, "2", value, claim};
    words.insert(words.end(), arguments);
    auto reply = exchange(words);
    if (reply && reply->kind == RedisReply::Kind::error && reply->text.starts_with("NOSCRIPT")) {
      words[0] = "EVAL";
      words[1] = script.text;
      reply = exchange(words);
    }
    return checked(std::move(reply));
  }

  Result<RedisReply> call(std::span<const std::string_view> words) { return checked(exchange(words)); }
  Result<RedisReply> call(std::initializer_list<std::string_view> words) {
    return call(std::span(words.begin(), words.size()));
  }

  Result<RedisReply> checked(Result<RedisReply> reply) const {
    if (reply && reply->kind == RedisReply::Kind::error)
      return transient("cache_refused", fmt::format("Redis at {} refuses a command", address_.text()),
                       reply->text);
    return reply;
  }
  std::unexpected<Error> strange() const {
    return transient("cache_refused",
                     fmt::format("Redis at {} answers otherwise than Redis", address_.text()));
  }
  static Result<> done(Result<RedisReply> reply) {
    CASTIEL_TRY(reply);
    return {};
  }

  // Every command may be sent again: what is repeated finds its own claim, or nothing left to do. So a
  // connection that was closed while nobody used it costs no error.
  Result<RedisReply> exchange(std::span<const std::string_view> words) {
    if (auto connection = take_idle()) {
      auto reply = connection->call(words, Deadline::after(clock_, options_.command));
      if (reply) give_back(std::move(connection));
      if (reply || reply.error().code != "cache_connection_lost") return reply;
      drop_idle();
    }
    CASTIEL_ASSIGN(auto connection,
                   RedisConnection::open(address_, Deadline::after(clock_, options_.connect)));
    auto reply = connection->call(words, Deadline::after(clock_, options_.command));
    if (reply) give_back(std::move(connection));
    return reply;
  }

  std::unique_ptr<RedisConnection> take_idle() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return nullptr;
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
  }
  void give_back(std::unique_ptr<RedisConnection> connection) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < options_.idle_connections) idle_.push_back(std::move(connection));
  }
  void drop_idle() {
    std::vector<std::unique_ptr<RedisConnection>> dead;
    const std::lock_guard lock(mutex_);
    dead.swap(idle_);
  }

  const RedisAddress address_;
  const Clock& clock_;
  const RedisCacheOptions options_;
  const Script find_{kFind}, fill_{kFill}, give_up_{kGiveUp}, put_{kPut}, hold_{kHold};
  std::mutex mutex_;
  std::vector<std::unique_ptr<RedisConnection>> idle_;  // under mutex_
};

}  // namespace

Result<std::shared_ptr<CacheBackend>> make_redis_cache(std::string_view url, const Clock& clock,
                                                       RedisCacheOptions options) {
  CASTIEL_ASSIGN(auto address, impl::parse_redis_url(url));
  return std::make_shared<RedisCache>(std::move(address), clock, options);
}

}  // namespace castiel::storage
