// The contract of caches, for every backend of the catalogue (FLOW-12, TENANT-2, TENANT-4). A backend added
// there is tested by being listed.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "storage/cache.hpp"
#include "storage/memory/memory_cache.hpp"
#include "storage/redis/redis_cache.hpp"
#include "storage/testing/redis_server.hpp"

namespace castiel::storage {
namespace {

using namespace std::chrono_literals;

// A backend as several processes see it, and its time.
class World {
 public:
  virtual ~World() = default;
  virtual const Clock& clock() const = 0;
  virtual std::shared_ptr<CacheBackend> backend() = 0;  // of a further process
  virtual void pass(Duration time) = 0;
};

class MemoryWorld final : public World {
 public:
  const Clock& clock() const override { return clock_; }
  std::shared_ptr<CacheBackend> backend() override { return memory_; }
  void pass(Duration time) override { clock_.advance(time); }

 private:
  ManualClock clock_{parse_timestamp("2026-03-02T09:00:00Z").value()};
  std::shared_ptr<CacheBackend> memory_ = make_memory_cache(clock_);
};

class RedisWorld final : public World {
 public:
  RedisWorld() { server().clear(); }
  const Clock& clock() const override { return clock_; }
  std::shared_ptr<CacheBackend> backend() override {
    return make_redis_cache(server().url(), clock_, {5s, 5s, 8}).value();
  }
  void pass(Duration time) override { server().pass(time); }

 private:
  static testing::RedisServer& server() {
    static testing::RedisServer one;
    return one;
  }
  SystemClock clock_;
};

struct Listed {
  const char* name;
  std::unique_ptr<World> (*make)();
};
void PrintTo(const Listed& listed, std::ostream* out) {
  *out << listed.name;
}
constexpr Listed kCatalogue[] = {
    {"memory", [] -> std::unique_ptr<World> { return std::make_unique<MemoryWorld>(); }},
    {"redis", [] -> std::unique_ptr<World> { return std::make_unique<RedisWorld>(); }},
};

// A door that threads wait at.
class Door {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

class CacheContract : public ::testing::TestWithParam<Listed> {
 protected:
  std::unique_ptr<Cache> process(Duration wait = 20s) {
    Cache::Options options;
    options.wait = wait;
    return std::make_unique<Cache>(world_->backend(), world_->clock(), ids_, telemetry::Log(), nullptr,
                                   options);
  }
  static Cache::Loader gives(std::string value) {
    return [value = std::move(value)] { return value; };
  }
  static Cache::Loader must_not_run() {
    return [] {
      ADD_FAILURE() << "loaded again";
      return "again";
    };
  }

  std::unique_ptr<World> world_ = GetParam().make();
  SystemRandom random_;
  SystemClock id_clock_;
  IdGenerator ids_{id_clock_, random_};
  const TenantId acme_{"acme"}, other_{"other"};
  const CacheLife ten_minutes_{10min, 0s}, then_stale_{10min, 1h};
};

TEST_P(CacheContract, gives_back_any_bytes_until_their_time_is_over) {
  const auto cache = process(), elsewhere = process();
  for (const std::string& value :
       {std::string(), std::string("12\n34"), std::string("\0\xff\r\n", 4), std::string(1 << 20, 'x')}) {
    cache->put(acme_, "key", value, 10min);
    EXPECT_EQ(elsewhere->get(acme_, "key"), value);
  }
  world_->pass(9min);
  EXPECT_TRUE(cache->get(acme_, "key"));
  world_->pass(1min);
  EXPECT_FALSE(cache->get(acme_, "key"));
}

TEST_P(CacheContract, shows_no_tenant_anothers_values) {
  const auto cache = process();
  cache->put(acme_, "key", "secret", 10min);
  EXPECT_FALSE(cache->get(other_, "key"));
  EXPECT_EQ(cache->load(other_, "key", ten_minutes_, gives("own")).value(), "own");
  EXPECT_EQ(cache->get(acme_, "key"), "secret");
}

TEST_P(CacheContract, forgets_a_key_or_a_tenant_and_nothing_else) {
  const auto cache = process();
  for (const char* key : {"one", "two"}) {
    cache->put(acme_, key, key, 10min);
    cache->put(other_, key, key, 10min);
  }
  cache->remove(acme_, "one");
  EXPECT_FALSE(cache->get(acme_, "one"));
  EXPECT_TRUE(cache->get(acme_, "two"));
  cache->erase(acme_);
  EXPECT_FALSE(cache->get(acme_, "two"));
  EXPECT_TRUE(cache->get(other_, "one"));
  EXPECT_TRUE(cache->get(other_, "two"));
}

TEST_P(CacheContract, erases_a_tenant_whatever_the_number_of_its_keys) {
  const auto cache = process();
  for (int i = 0; i < 2'500; ++i) cache->put(acme_, std::to_string(i), "value", 10min);
  cache->erase(acme_);
  for (int i = 0; i < 2'500; i += 100) EXPECT_FALSE(cache->get(acme_, std::to_string(i)));
}

TEST_P(CacheContract, loads_once_for_all_processes_until_the_time_is_over) {
  const auto cache = process(), elsewhere = process();
  EXPECT_EQ(cache->load(acme_, "key", ten_minutes_, gives("first")).value(), "first");
  EXPECT_EQ(elsewhere->load(acme_, "key", ten_minutes_, must_not_run()).value(), "first");
  world_->pass(10min);
  EXPECT_EQ(elsewhere->load(acme_, "key", ten_minutes_, gives("second")).value(), "second");
  EXPECT_EQ(cache->load(acme_, "key", ten_minutes_, must_not_run()).value(), "second");
}

TEST_P(CacheContract, lets_one_load_while_all_others_wait_for_its_value) {
  constexpr int kThreads = 8;
  const auto cache = process(), elsewhere = process();
  std::atomic<int> waiting = 0, loads = 0;
  Door everybody_asks;
  const auto loader = [&]() -> Result<std::string> {
    ++loads;
    everybody_asks.pass();
    return "value";
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        if (++waiting == kThreads) everybody_asks.open();
        EXPECT_EQ((i % 2 ? cache : elsewhere)->load(acme_, "key", ten_minutes_, loader).value(), "value");
      });
    }
  }
  EXPECT_EQ(loads, 1);
}

TEST_P(CacheContract, shows_the_stale_value_while_another_makes_a_new_one) {
  const auto cache = process(), elsewhere = process();
  ASSERT_TRUE(cache->load(acme_, "key", then_stale_, gives("old")));
  world_->pass(11min);
  EXPECT_FALSE(cache->get(acme_, "key")) << "get gives only what is fresh";
  Door loading, enough;
  std::jthread loader([&] {
    EXPECT_EQ(cache
                  ->load(acme_, "key", then_stale_,
                         [&] {
                           loading.open();
                           enough.pass();
                           return "new";
                         })
                  .value(),
              "new");
  });
  loading.pass();
  EXPECT_EQ(elsewhere->load(acme_, "key", then_stale_, must_not_run()).value(), "old");
  EXPECT_EQ(cache->load(acme_, "key", then_stale_, must_not_run()).value(), "old");
  enough.open();
  loader.join();
  EXPECT_EQ(elsewhere->load(acme_, "key", then_stale_, must_not_run()).value(), "new");
  world_->pass(2h);
  EXPECT_EQ(elsewhere->load(acme_, "key", then_stale_, gives("newest")).value(), "newest");
}

TEST_P(CacheContract, hides_a_passing_failure_behind_the_stale_value_and_no_other) {
  const auto cache = process();
  ASSERT_TRUE(cache->load(acme_, "key", then_stale_, gives("old")));
  world_->pass(11min);
  const auto busy = [] -> Result<std::string> { return transient("store_busy", "busy"); };
  const auto gone = [] -> Result<std::string> { return permanent("unknown_tenant", "gone"); };
  EXPECT_EQ(cache->load(acme_, "key", then_stale_, busy).value(), "old");
  EXPECT_EQ(cache->load(acme_, "key", then_stale_, gone).error().code, "unknown_tenant");
  EXPECT_EQ(cache->load(acme_, "key", then_stale_, busy).error().code, "store_busy");
  EXPECT_EQ(cache->load(acme_, "key", then_stale_, gives("new")).value(), "new");
}

TEST_P(CacheContract, keeps_nothing_that_was_loaded_before_a_removal) {
  const auto cache = process(), elsewhere = process();
  Door loading, changed;
  std::jthread loader([&] {
    EXPECT_EQ(cache
                  ->load(acme_, "key", ten_minutes_,
                         [&] {
                           loading.open();
                           changed.pass();
                           return "before";
                         })
                  .value(),
              "before");
  });
  loading.pass();
  elsewhere->remove(acme_, "key");
  // The load under way is not waited for, nor may it put its old value over the new one.
  EXPECT_EQ(elsewhere->load(acme_, "key", ten_minutes_, gives("after")).value(), "after");
  changed.open();
  loader.join();
  EXPECT_EQ(cache->load(acme_, "key", ten_minutes_, must_not_run()).value(), "after");
}

TEST_P(CacheContract, a_load_after_a_removal_joins_none_from_before_it) {
  const auto cache = process();
  Door loading, changed;
  std::jthread loader([&] {
    EXPECT_TRUE(cache->load(acme_, "key", ten_minutes_, [&] {
      loading.open();
      changed.pass();
      return "before";
    }));
  });
  loading.pass();
  cache->remove(acme_, "key");
  EXPECT_EQ(cache->load(acme_, "key", ten_minutes_, gives("after")).value(), "after");
  changed.open();
}

TEST_P(CacheContract, keeps_nothing_new_between_the_word_of_a_change_and_the_removal) {
  const auto cache = process(), elsewhere = process();
  ASSERT_TRUE(cache->load(acme_, "key", then_stale_, gives("before")));
  cache->about_to_change(acme_, "key");
  EXPECT_EQ(elsewhere->load(acme_, "key", then_stale_, must_not_run()).value(), "before");
  cache->remove(acme_, "key");
  EXPECT_EQ(elsewhere->load(acme_, "key", then_stale_, gives("after")).value(), "after");
  EXPECT_EQ(cache->load(acme_, "key", then_stale_, must_not_run()).value(), "after");
}

TEST_P(CacheContract, keeps_no_load_that_began_before_the_word_of_a_change) {
  const auto elsewhere = process();
  EXPECT_EQ(elsewhere
                ->load(acme_, "key", ten_minutes_,
                       [&]() -> Result<std::string> {
                         process()->about_to_change(acme_, "key");
                         return "before";
                       })
                .value(),
            "before");
  EXPECT_FALSE(elsewhere->get(acme_, "key"));
}

TEST_P(CacheContract, a_process_that_died_before_its_removal_leaves_no_old_value_for_long) {
  const auto elsewhere = process();
  for (const CacheLife life : {ten_minutes_, then_stale_}) {
    elsewhere->put(acme_, "key", "before", 10min);
    process()->about_to_change(acme_, "key");
    world_->pass(Cache::Options().claim);
    EXPECT_EQ(elsewhere->load(acme_, "key", life, gives("after")).value(), "after");
    EXPECT_EQ(elsewhere->get(acme_, "key"), "after");
  }
}

TEST_P(CacheContract, does_not_wait_longer_than_asked_for_another_process) {
  const auto cache = process(0s);
  ASSERT_TRUE(world_->backend()->find_or_claim(acme_, "key", "another", 10s)->claimed);
  EXPECT_EQ(cache->load(acme_, "key", ten_minutes_, gives("own")).value(), "own");
  EXPECT_FALSE(cache->get(acme_, "key")) << "the claim is another's";
}

TEST_P(CacheContract, refuses_the_value_of_a_loader_that_was_overtaken) {
  const auto first = world_->backend(), second = world_->backend();
  ASSERT_TRUE(first->find_or_claim(acme_, "key", "first", 10s)->claimed);
  EXPECT_TRUE(first->find_or_claim(acme_, "key", "first", 10s)->claimed) << "asked again: its own claim";
  EXPECT_FALSE(second->find_or_claim(acme_, "key", "second", 10s)->claimed);
  world_->pass(10s);
  EXPECT_FALSE(first->fill(acme_, "key", "nobody's", ten_minutes_, "first").value()) << "the claim ran out";
  ASSERT_TRUE(second->find_or_claim(acme_, "key", "second", 10s)->claimed);
  EXPECT_TRUE(first->give_up(acme_, "key", "first"));
  EXPECT_FALSE(first->fill(acme_, "key", "late", ten_minutes_, "first").value());
  EXPECT_TRUE(second->fill(acme_, "key", "right", ten_minutes_, "second").value());
  EXPECT_EQ(first->find(acme_, "key")->value, "right");
}

TEST_P(CacheContract, leaves_what_is_too_large_to_its_loader) {
  const auto cache = process();
  const std::string large(kMaxCacheValueBytes + 1, 'x'), key(kMaxCacheKeyBytes + 1, 'k');
  EXPECT_EQ(cache->load(acme_, "key", ten_minutes_, gives(large)).value(), large);
  EXPECT_FALSE(cache->get(acme_, "key"));
  EXPECT_EQ(cache->load(acme_, "key", ten_minutes_, gives("small")).value(), "small");
  EXPECT_EQ(cache->load(acme_, key, ten_minutes_, gives("value")).value(), "value");
  EXPECT_FALSE(cache->get(acme_, key));
}

INSTANTIATE_TEST_SUITE_P(Catalogue, CacheContract, ::testing::ValuesIn(kCatalogue),
                         [](const auto& listed) { return listed.param.name; });

}  // namespace
}  // namespace castiel::storage
