// What a cache does when its backend fails: every failure is a miss and costs nothing for long; and what is
// particular to the backends.
#include "storage/cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "storage/memory/memory_cache.hpp"
#include "storage/redis/impl/redis_connection.hpp"
#include "storage/redis/redis_cache.hpp"
#include "storage/testing/redis_server.hpp"

namespace castiel::storage {
namespace {

using namespace std::chrono_literals;

// A memory cache that can be unreachable.
class Shaky final : public CacheBackend {
 public:
  explicit Shaky(const Clock& clock) : inner_(make_memory_cache(clock)) {}
  bool down = false;
  int asked = 0;

  std::string_view name() const override { return "shaky"; }
  bool shared() const override { return true; }
  Result<CacheFound> find(const TenantId& tenant, std::string_view key) override {
    CASTIEL_TRY(reach());
    return inner_->find(tenant, key);
  }
  Result<CacheFound> find_or_claim(const TenantId& tenant, std::string_view key, std::string_view token,
                                   Duration claim) override {
    CASTIEL_TRY(reach());
    return inner_->find_or_claim(tenant, key, token, claim);
  }
  Result<bool> fill(const TenantId& tenant, std::string_view key, std::string_view value, CacheLife life,
                    std::string_view token) override {
    CASTIEL_TRY(reach());
    return inner_->fill(tenant, key, value, life, token);
  }
  Result<> give_up(const TenantId& tenant, std::string_view key, std::string_view token) override {
    CASTIEL_TRY(reach());
    return inner_->give_up(tenant, key, token);
  }
  Result<> put(const TenantId& tenant, std::string_view key, std::string_view value,
               CacheLife life) override {
    CASTIEL_TRY(reach());
    return inner_->put(tenant, key, value, life);
  }
  Result<> remove(const TenantId& tenant, std::string_view key) override {
    CASTIEL_TRY(reach());
    return inner_->remove(tenant, key);
  }
  Result<> hold(const TenantId& tenant, std::string_view key, std::string_view token,
                Duration claim) override {
    CASTIEL_TRY(reach());
    return inner_->hold(tenant, key, token, claim);
  }
  Result<> erase(const TenantId& tenant) override {
    CASTIEL_TRY(reach());
    return inner_->erase(tenant);
  }

 private:
  Result<> reach() {
    ++asked;
    if (down) return transient("cache_unreachable", "down");
    return {};
  }
  std::shared_ptr<CacheBackend> inner_;
};

class CacheFailure : public ::testing::Test {
 protected:
  std::string load(const std::string& value) {
    return cache_.load(acme_, "key", {10min, 0s}, [&] { return value; }).value();
  }
  ManualClock clock_{parse_timestamp("2026-03-02T09:00:00Z").value()};
  SeededRandom random_{7};
  IdGenerator ids_{clock_, random_};
  telemetry::Metrics metrics_;
  std::shared_ptr<Shaky> backend_ = std::make_shared<Shaky>(clock_);
  Cache cache_{backend_, clock_, ids_, {}, &metrics_, {}};
  const TenantId acme_{"acme"};
};

TEST_F(CacheFailure, is_a_miss_and_after_a_few_costs_nothing) {
  backend_->down = true;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(load(std::to_string(i)), std::to_string(i));
  EXPECT_EQ(backend_->asked, 3);
  EXPECT_THAT(metrics_.render(),
              ::testing::HasSubstr("castiel_cache_failures_total{code=\"cache_unreachable\"} 3"));
  EXPECT_THAT(metrics_.render(),
              ::testing::HasSubstr("castiel_cache_requests_total{outcome=\"unavailable\"} 100"));
  // Then one caller a pause, which grows.
  for (const Duration pause : {Duration(1s), Duration(2s), Duration(4s)}) {
    const int before = backend_->asked;
    clock_.advance(pause - 1ms);
    load("x");
    EXPECT_EQ(backend_->asked, before);
    clock_.advance(1ms);
    load("x");
    load("x");
    EXPECT_EQ(backend_->asked, before + 1);
  }
}

TEST_F(CacheFailure, ends_when_the_backend_is_back) {
  backend_->down = true;
  for (int i = 0; i < 10; ++i) load("x");
  backend_->down = false;
  clock_.advance(1s);
  EXPECT_EQ(load("new"), "new");
  EXPECT_EQ(load("newer"), "new") << "it is cached again";
}

TEST_F(CacheFailure, loses_no_removal) {
  load("old");
  backend_->down = true;
  cache_.remove(acme_, "key");
  EXPECT_EQ(load("new"), "new");
  backend_->down = false;
  clock_.advance(1min);
  EXPECT_EQ(load("new"), "new") << "the old value was still in the backend";
  EXPECT_EQ(load("newer"), "new");

  backend_->down = true;
  cache_.erase(acme_);
  backend_->down = false;
  EXPECT_FALSE(cache_.get(acme_, "key"));
}

TEST(MemoryCache, stays_within_its_bounds_and_drops_what_was_used_longest_ago) {
  ManualClock clock{parse_timestamp("2026-03-02T09:00:00Z").value()};
  const TenantId acme("acme");
  const auto few = make_memory_cache(clock, {1 << 20, 3});
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(few->put(acme, key, key, {10min}));
  EXPECT_TRUE(few->find(acme, "a")->value);
  ASSERT_TRUE(few->put(acme, "d", "d", {10min}));
  EXPECT_TRUE(few->find(acme, "a")->value);
  EXPECT_FALSE(few->find(acme, "b")->value);

  const auto small = make_memory_cache(clock, {10'000, 1'000});
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(small->put(acme, std::to_string(i), std::string(1'000, 'x'), {10min}));
  int kept = 0;
  for (int i = 0; i < 100; ++i) kept += small->find(acme, std::to_string(i))->value.has_value();
  EXPECT_EQ(kept, 8);
  ASSERT_TRUE(small->put(acme, "99", std::string(20'000, 'x'), {10min}));
  EXPECT_FALSE(small->find(acme, "99")->value) << "larger than the cache";
}

class RedisCacheTest : public ::testing::Test {
 protected:
  std::shared_ptr<CacheBackend> at(const std::string& url, Duration command = 5s) {
    return make_redis_cache(url, clock_, {5s, command, 8}).value();
  }
  SystemClock clock_;
  const TenantId acme_{"acme"};
};

TEST_F(RedisCacheTest, keeps_its_connections_and_takes_new_ones_after_a_restart) {
  testing::RedisServer server;
  const auto cache = at(server.url());
  ASSERT_TRUE(cache->put(acme_, "key", "value", {10min}));
  const auto before = server.figure("total_connections_received");
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(cache->find(acme_, "key"));
  EXPECT_LE(server.figure("total_connections_received") - before, 2) << "the test's own";
  server.stop();
  server.start();
  const auto found = cache->find(acme_, "key");
  ASSERT_TRUE(found) << found.error().describe();
  EXPECT_FALSE(found->value);
  server.stop();
  EXPECT_EQ(cache->find(acme_, "key").error().code, "cache_unreachable");
}

TEST_F(RedisCacheTest, does_not_wait_for_a_server_that_hangs) {
  testing::RedisServer server;
  const auto cache = at(server.url(), 50ms);
  ASSERT_TRUE(cache->put(acme_, "key", "value", {10min}));
  server.suspend();
  const auto start = clock_.monotonic();
  EXPECT_EQ(cache->find(acme_, "key").error().code, "cache_timeout");
  EXPECT_LT(clock_.monotonic() - start, 4s);
  server.resume();
  // The late answer is not taken for that of another question.
  ASSERT_TRUE(at(server.url())->put(acme_, "key", "new value", {10min}));
  EXPECT_EQ(cache->find(acme_, "key")->value, "new value");
}

TEST_F(RedisCacheTest, logs_in_and_never_tells_the_password) {
  testing::RedisServer server({.password = "open/sesame"});
  ASSERT_TRUE(at(server.url())->put(acme_, "key", "value", {10min}));
  auto wrong = server.url();
  wrong.replace(wrong.find("sesame"), 6, "sosomo");
  const auto refused = at(wrong)->find(acme_, "key");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "cache_refused");
  EXPECT_EQ(refused.error().describe().find("sosomo"), std::string::npos) << refused.error().describe();
  const auto port = wrong.substr(wrong.rfind(':') + 1);
  EXPECT_FALSE(at("redis://127.0.0.1:" + port)->find(acme_, "key"));
  EXPECT_TRUE(at(server.url() + "/3")->put(acme_, "key", "elsewhere", {10min}));
  EXPECT_EQ(at(server.url())->find(acme_, "key")->value, "value");
}

TEST_F(RedisCacheTest, speaks_tls_to_whom_it_trusts_alone) {
  testing::RedisServer server({.tls = true});
  const auto stranger = at(server.url())->find(acme_, "key");
  ASSERT_FALSE(stranger);
  EXPECT_THAT(stranger.error().cause, ::testing::HasSubstr("certificate"));
  ::setenv("SSL_CERT_FILE", server.certificate().c_str(), 1);
  const auto cache = at(server.url());
  const std::string value(300'000, 'x');
  const auto put = cache->put(acme_, "key", value, {10min});
  ::unsetenv("SSL_CERT_FILE");
  ASSERT_TRUE(put) << put.error().describe();
  EXPECT_EQ(cache->find(acme_, "key")->value, value);
}

TEST(RedisUrl, names_all_that_is_needed) {
  const auto plain = impl::parse_redis_url("redis://cache.example");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->text(), "cache.example:6379");
  EXPECT_FALSE(plain->tls);
  const auto full = impl::parse_redis_url("rediss://app:p%40ss/word+=@[::1]:6380/12");
  ASSERT_TRUE(full);
  EXPECT_TRUE(full->tls);
  EXPECT_EQ(full->user, "app");
  EXPECT_EQ(full->password.reveal(), "p@ss/word+=");
  EXPECT_EQ(full->host, "::1");
  EXPECT_EQ(full->port, 6380);
  EXPECT_EQ(full->database, 12);
}

TEST(RedisUrl, is_refused_without_a_word_of_its_password) {
  for (const char* url : {"", "redis://", "redis://:secret@", "redis://:secret@host:port",
                          "redis://:secret@host:0", "redis://:secret@host/db", "redis://:secret@host/-1",
                          "redis://:secret@host?db=1", "redis://:secret@ho st", "http://:secret@host"}) {
    SystemClock clock;
    const auto cache = open_cache_backend(url, clock);
    ASSERT_FALSE(cache) << url;
    EXPECT_EQ(cache.error().code, "invalid_cache_url");
    EXPECT_EQ(cache.error().describe().find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace castiel::storage
