#include "tenancy/tenant_settings.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/random.hpp"
#include "storage/memory/memory_cache.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "storage/testing/redis_server.hpp"

namespace castiel::tenancy {
namespace {

using namespace std::chrono_literals;

// Fails the reads or the commits of the store while told to.
struct Faults final : storage::CallObserver {
  std::string failing;
  int reads = 0;
  Result<> before(std::string_view call) override {
    if (call == "read") ++reads;
    if (call == failing) return transient("store_failed", "the store fails");
    return {};
  }
  Result<> after(std::string_view) override { return {}; }
};

struct TenantSettingsTest : testing::Test {
  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  ManualClock clock{Timestamp{1'700'000'000'000'000}};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  Faults faults;
  std::unique_ptr<storage::SqliteStore> store = [this] {
    storage::SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.sync = false;
    options.observer = &faults;
    return storage::SqliteStore::open(options, clock).value();
  }();
  TenantId acme{"acme"}, other{"other"};
  SettingValues global = GlobalSettings::load({.yaml = "forecast.simulations: 500"}).value().values();
  TenantSettings tenants{*store, clock, global};

  void SetUp() override {
    ASSERT_TRUE(store->create_tenant(acme, soon()));
    ASSERT_TRUE(store->create_tenant(other, soon()));
  }
  void TearDown() override {
    store.reset();
    std::filesystem::remove_all(folder);
  }
  Deadline soon() { return Deadline::after(clock, 5s); }

  std::int64_t simulations(const TenantSettings& view, const TenantId& tenant) {
    return view.of(tenant).value().get(settings::kForecastSimulations);
  }
  // As another process, or an earlier version of the program, would.
  void store_directly(std::string_view key, std::string_view value) {
    const auto transaction = store->begin(acme, soon()).value();
    ASSERT_TRUE(transaction->put_setting(key, value));
    ASSERT_TRUE(transaction->commit());
  }
};

TEST_F(TenantSettingsTest, a_tenant_without_its_own_has_the_programs_value) {
  EXPECT_EQ(simulations(tenants, acme), 500);
  EXPECT_EQ(tenants.of(acme).value().origin(*find_setting("forecast.simulations")), SettingOrigin::file);
}

TEST_F(TenantSettingsTest, a_change_is_in_force_at_once_and_only_for_its_tenant) {
  EXPECT_EQ(simulations(tenants, acme), 500);
  ASSERT_TRUE(tenants.set(acme, "forecast.simulations", "1000", "ann"));
  EXPECT_EQ(simulations(tenants, acme), 1000);
  EXPECT_EQ(simulations(tenants, other), 500);
  const TenantSettings restarted{*store, clock, global};
  EXPECT_EQ(simulations(restarted, acme), 1000);
}

TEST_F(TenantSettingsTest, values_taken_for_a_piece_of_work_do_not_change_under_it) {
  const auto values = tenants.of(acme).value();
  ASSERT_TRUE(tenants.set(acme, "forecast.simulations", "1000", "ann"));
  EXPECT_EQ(values.get(settings::kForecastSimulations), 500);
}

TEST_F(TenantSettingsTest,
       a_change_made_elsewhere_is_seen_after_five_seconds_and_the_store_left_alone_before) {
  EXPECT_EQ(simulations(tenants, acme), 500);
  store_directly("forecast.simulations", "1000");
  const int reads = faults.reads;
  clock.advance(4999ms);
  EXPECT_EQ(simulations(tenants, acme), 500);
  EXPECT_EQ(faults.reads, reads);
  clock.advance(1ms);
  EXPECT_EQ(simulations(tenants, acme), 1000);
  EXPECT_EQ(faults.reads, reads + 1);
}

TEST_F(TenantSettingsTest, a_change_is_in_the_audit_with_who_and_what) {
  ASSERT_TRUE(tenants.set(acme, "tenant.timezone", "Europe/Berlin", "ann"));
  const auto audit = store->read(acme).value()->audit(10).value();
  ASSERT_EQ(audit.size(), 1u);
  EXPECT_EQ(audit[0].actor, "ann");
  EXPECT_EQ(audit[0].action, "setting.changed");
  EXPECT_EQ(audit[0].target, "tenant.timezone");
  EXPECT_EQ(audit[0].detail, R"({"from":"UTC","to":"Europe/Berlin"})");
  EXPECT_EQ(audit[0].at, clock.now());
}

TEST_F(TenantSettingsTest, setting_the_same_value_again_writes_nothing) {
  ASSERT_TRUE(tenants.set(acme, "tenant.product_names", "Suite,Cloud", "ann"));
  ASSERT_TRUE(tenants.set(acme, "tenant.product_names", "Suite, Cloud", "ann"));
  EXPECT_EQ(store->read(acme).value()->audit(10).value().size(), 1u);
}

TEST_F(TenantSettingsTest, the_programs_value_set_as_ones_own_stays_when_the_programs_changes) {
  ASSERT_TRUE(tenants.set(acme, "forecast.simulations", "500", "ann"));
  const TenantSettings restarted{*store, clock, SettingValues()};
  EXPECT_EQ(simulations(restarted, acme), 500);
}

TEST_F(TenantSettingsTest, refuses_what_is_unknown_global_or_out_of_bounds) {
  EXPECT_EQ(tenants.set(acme, "forecast.simulation", "1000", "ann").error().code, "unknown_setting");
  EXPECT_EQ(tenants.set(acme, "server.workers", "4", "ann").error().code, "global_setting");
  EXPECT_EQ(tenants.set(acme, "forecast.simulations", "1", "ann").error().code, "invalid_setting");
  EXPECT_EQ(tenants.set(TenantId("nobody"), "forecast.simulations", "1000", "ann").error().code,
            "unknown_tenant");
  EXPECT_TRUE(store->read(acme).value()->settings().value().empty());
}

TEST_F(TenantSettingsTest, several_changes_are_made_all_or_none) {
  const std::vector<std::pair<std::string, std::string>> mixed{
      {"tenant.language", "de"}, {"forecast.simulations", "1"}, {"server.workers", "4"}};
  const auto refused = tenants.set(acme, mixed, "ann");
  EXPECT_EQ(refused.error().code, "invalid_settings");
  EXPECT_NE(refused.error().message.find("forecast.simulations"), std::string::npos);
  EXPECT_NE(refused.error().message.find("server.workers"), std::string::npos);
  EXPECT_EQ(tenants.of(acme).value().get(settings::kLanguage), "en");
  const std::vector<std::pair<std::string, std::string>> good{{"tenant.language", "de"},
                                                              {"forecast.simulations", "900"}};
  ASSERT_TRUE(tenants.set(acme, good, "ann"));
  EXPECT_EQ(tenants.of(acme).value().get(settings::kLanguage), "de");
  EXPECT_EQ(simulations(tenants, acme), 900);
}

TEST_F(TenantSettingsTest, of_one_setting_given_twice_the_last_value_counts) {
  const std::vector<std::pair<std::string, std::string>> twice{{"tenant.language", "de"},
                                                               {"tenant.language", "fr"}};
  ASSERT_TRUE(tenants.set(acme, twice, "ann"));
  EXPECT_EQ(tenants.of(acme).value().get(settings::kLanguage), "fr");
}

TEST_F(TenantSettingsTest, what_was_seen_last_goes_on_while_the_store_fails) {
  ASSERT_TRUE(tenants.set(acme, "forecast.simulations", "1000", "ann"));
  EXPECT_EQ(simulations(tenants, acme), 1000);
  faults.failing = "read";
  clock.advance(60s);
  EXPECT_EQ(simulations(tenants, acme), 1000);
  EXPECT_EQ(tenants.of(other).error().code, "store_failed");
  faults.failing.clear();
  EXPECT_EQ(simulations(tenants, other), 500);
}

TEST_F(TenantSettingsTest, an_erased_tenant_has_no_settings) {
  ASSERT_TRUE(tenants.of(acme));
  ASSERT_TRUE(store->erase_tenant(acme, soon()));
  clock.advance(5s);
  EXPECT_EQ(tenants.of(acme).error().code, "unknown_tenant");
  faults.failing = "read";
  EXPECT_EQ(tenants.of(acme).error().code, "store_failed");
}

TEST_F(TenantSettingsTest, a_stored_value_not_allowed_any_more_is_left_out_and_listed) {
  store_directly("forecast.simulations", "7");
  store_directly("server.workers", "99");
  store_directly("gone.since", "1");
  EXPECT_EQ(simulations(tenants, acme), 500);
  EXPECT_EQ(tenants.of(acme).value().get(settings::kServerWorkers), 8);
  const auto rows = tenants.list(acme).value();
  for (const auto& row : rows) {
    EXPECT_EQ(row.spec->scope, SettingScope::tenant);
    EXPECT_EQ(row.refused, row.spec->key == "forecast.simulations" ? "7" : "") << row.spec->key;
  }
}

TEST_F(TenantSettingsTest, the_list_says_where_each_value_comes_from) {
  ASSERT_TRUE(tenants.set(acme, "tenant.base_currency", "EUR", "ann"));
  const auto rows = tenants.list(acme).value();
  for (const auto& row : rows) {
    const auto expected = row.spec->key == "tenant.base_currency"   ? SettingOrigin::tenant
                          : row.spec->key == "forecast.simulations" ? SettingOrigin::file
                                                                    : SettingOrigin::built_in;
    EXPECT_EQ(row.origin, expected) << row.spec->key;
  }
}

TEST_F(TenantSettingsTest, keeps_no_more_tenants_than_it_may) {
  const TenantSettings small{*store, clock, global, {.cached_tenants = 1}};
  ASSERT_TRUE(small.of(acme));
  ASSERT_TRUE(small.of(other));
  const int reads = faults.reads;
  ASSERT_TRUE(small.of(other));
  EXPECT_EQ(faults.reads, reads);
  ASSERT_TRUE(small.of(acme));
  EXPECT_EQ(faults.reads, reads + 1);
}

// Two processes with a cache in common.
struct SharedSettingsTest : TenantSettingsTest {
  std::shared_ptr<storage::CacheBackend> backend = storage::make_memory_cache(clock);
  storage::Cache cache{backend, clock, ids}, cache_elsewhere{backend, clock, ids};
  TenantSettings here{*store, clock, global, {.reread = 1s, .cache = &cache}};
  TenantSettings elsewhere{*store, clock, global, {.reread = 1s, .cache = &cache_elsewhere}};
};

TEST_F(SharedSettingsTest, the_store_is_read_once_in_ten_minutes_for_all_processes) {  // FLOW-12
  ASSERT_TRUE(here.warm());
  const int reads = faults.reads;
  for (int second = 0; second < 590; second += 5) {
    EXPECT_EQ(simulations(here, acme), 500);
    EXPECT_EQ(simulations(elsewhere, acme), 500);
    clock.advance(5s);
  }
  EXPECT_EQ(faults.reads, reads);
  clock.advance(10s);
  EXPECT_EQ(simulations(here, acme), 500);
  clock.advance(1s);
  EXPECT_EQ(simulations(elsewhere, acme), 500);
  EXPECT_EQ(faults.reads, reads + 1);
}

TEST_F(SharedSettingsTest, a_change_is_seen_elsewhere_after_a_second) {  // FLOW-13
  EXPECT_EQ(simulations(elsewhere, acme), 500);
  ASSERT_TRUE(here.set(acme, "forecast.simulations", "1000", "ann"));
  EXPECT_EQ(simulations(here, acme), 1000);
  clock.advance(1s);
  EXPECT_EQ(simulations(elsewhere, acme), 1000);
}

TEST_F(SharedSettingsTest, a_change_that_is_refused_leaves_the_cache_as_it_was) {
  EXPECT_EQ(simulations(elsewhere, acme), 500);
  faults.failing = "commit";
  EXPECT_FALSE(here.set(acme, "forecast.simulations", "1000", "ann"));
  faults.failing.clear();
  clock.advance(1s);
  EXPECT_EQ(simulations(elsewhere, acme), 500);
  ASSERT_TRUE(here.set(acme, "forecast.simulations", "1000", "ann"));
  clock.advance(1s);
  EXPECT_EQ(simulations(elsewhere, acme), 1000);
}

TEST_F(SharedSettingsTest, what_was_seen_last_goes_on_while_the_store_fails) {
  EXPECT_EQ(simulations(here, acme), 500);
  faults.failing = "read";
  clock.advance(20min);
  EXPECT_EQ(simulations(here, acme), 500);
  EXPECT_EQ(simulations(elsewhere, acme), 500) << "it never saw the store";
}

TEST_F(SharedSettingsTest, an_erased_tenant_leaves_nothing_in_the_cache) {
  ASSERT_TRUE(here.set(acme, "forecast.simulations", "1000", "ann"));
  EXPECT_EQ(simulations(elsewhere, acme), 1000);
  ASSERT_TRUE(store->erase_tenant(acme, soon()));
  here.forget(acme);
  ASSERT_TRUE(store->create_tenant(acme, soon()));
  EXPECT_EQ(simulations(here, acme), 500);
  clock.advance(1s);
  EXPECT_EQ(simulations(elsewhere, acme), 500);
}

TEST_F(SharedSettingsTest, what_the_cache_has_and_no_settings_are_is_read_from_the_store) {
  for (const char* text : {"", "{", "{}", "[1]", "[[\"a\"]]", "[[\"a\", 1]]"}) {
    cache.put(acme, "settings", text, 10min);
    clock.advance(1s);
    EXPECT_EQ(simulations(here, acme), 500) << text;
  }
}

TEST(SharedSettings, changes_are_seen_through_redis) {  // FLOW-12, FLOW-13, BACKENDS-2
  const SystemClock clock;
  SystemRandom random;
  IdGenerator ids{clock, random};
  storage::testing::TemporaryFolder folder("settings");
  storage::testing::RedisServer redis;
  storage::SqliteStore::Options options;
  options.path = (folder.path() / "castiel.db").string();
  options.sync = false;
  const auto store = storage::SqliteStore::open(options, clock).value();
  const TenantId acme{"acme"};
  ASSERT_TRUE(store->create_tenant(acme, Deadline::after(clock, 5s)));
  storage::Cache cache{storage::open_cache_backend(redis.url(), clock).value(), clock, ids};
  storage::Cache cache_elsewhere{storage::open_cache_backend(redis.url(), clock).value(), clock, ids};
  TenantSettings here{*store, clock, {}, {.reread = 0s, .cache = &cache}};
  TenantSettings elsewhere{*store, clock, {}, {.reread = 0s, .cache = &cache_elsewhere}};
  EXPECT_EQ(elsewhere.of(acme).value().get(settings::kForecastSimulations), 2000);
  EXPECT_EQ(redis.keys(), 1);
  ASSERT_TRUE(here.set(acme, "forecast.simulations", "1000", "ann"));
  EXPECT_EQ(elsewhere.of(acme).value().get(settings::kForecastSimulations), 1000);
  redis.stop();
  ASSERT_TRUE(here.set(acme, "forecast.simulations", "3000", "ann"));
  EXPECT_EQ(elsewhere.of(acme).value().get(settings::kForecastSimulations), 3000);
}

}  // namespace
}  // namespace castiel::tenancy
