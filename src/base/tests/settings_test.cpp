#include "base/settings.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

namespace castiel {
namespace {

using namespace std::chrono_literals;
using Items = std::vector<std::string>;

const SettingSpec& spec(std::string_view key) {
  return *find_setting(key);
}

Result<GlobalSettings> from_yaml(std::string text) {
  return GlobalSettings::load({.yaml = std::move(text)});
}

std::string message_of(const GlobalSettings::Sources& sources) {
  const auto loaded = GlobalSettings::load(sources);
  return loaded ? "" : loaded.error().message;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(SettingTable, has_every_key_and_every_variable_once) {
  std::set<std::string> keys, variables;
  for (const auto& row : setting_specs()) {
    EXPECT_TRUE(keys.emplace(row.key).second) << row.key;
    EXPECT_TRUE(variables.insert(environment_name(row.key)).second) << row.key;
  }
}

TEST(SettingTable, allows_its_own_defaults_and_bounds_and_reads_back_what_it_writes) {
  for (const auto& row : setting_specs()) {
    for (const auto text : {row.default_text, row.minimum, row.maximum}) {
      if (text.empty() && row.kind != SettingKind::list) continue;
      const auto value = parse_setting(row, text);
      ASSERT_TRUE(value) << value.error().message;
      EXPECT_EQ(parse_setting(row, format_setting(row, *value)), *value) << row.key;
    }
  }
}

TEST(SettingTable, bounds_every_number_and_only_numbers) {
  for (const auto& row : setting_specs()) {
    const bool number = row.kind == SettingKind::integer || row.kind == SettingKind::fraction ||
                        row.kind == SettingKind::duration || row.kind == SettingKind::bytes;
    EXPECT_EQ(!row.minimum.empty(), number) << row.key;
    EXPECT_EQ(!row.maximum.empty(), number) << row.key;
    EXPECT_EQ(!row.choices.empty(), row.kind == SettingKind::choice) << row.key;
    EXPECT_FALSE(row.words.empty()) << row.key;
  }
}

TEST(SettingTable, exchange_rates_have_a_currency_a_day_and_a_rate) {
  const auto& row = spec("tenant.exchange_rates");
  EXPECT_TRUE(parse_setting(row, "USD 2026-01-01 0.92,GBP 2026-01-01 1.17"));
  for (const char* wrong :
       {"USD 0.92", "USD 2026-02-30 0.92", "usd 2026-01-01 0.92", "USD 2026-01-01 0", "USD 2026-01-01 -1"})
    EXPECT_FALSE(parse_setting(row, wrong)) << wrong;
}

TEST(SettingTable, a_tenants_setting_never_needs_a_restart) {
  for (const auto& row : setting_specs())
    EXPECT_EQ(row.needs_restart, row.scope == SettingScope::global) << row.key;
}

TEST(SettingsPage, is_the_one_committed) {
  std::ifstream in("docs/settings.md");
  const std::string committed{std::istreambuf_iterator<char>(in), {}};
  EXPECT_TRUE(committed == settings_page())
      << "docs/settings.md is not what the table says. Regenerate it from the "
         "root of the checkout: castiel_settings_doc > docs/settings.md";
}

TEST(ParseSetting, reads_durations_only_with_a_unit) {
  const auto& row = spec("retry.longest");
  EXPECT_EQ(parse_setting(row, "1500ms"), SettingValue(Duration(1500ms)));
  EXPECT_EQ(parse_setting(row, " 2 m "), SettingValue(Duration(2min)));
  EXPECT_EQ(parse_setting(row, "1d"), SettingValue(Duration(24h)));
  for (const char* text : {"", "60", "s", "-1s", "1.5s", "1w", "1s2", "2d", "9223372036854775807d"})
    EXPECT_FALSE(parse_setting(row, text)) << text;
}

TEST(ParseSetting, reads_sizes_with_and_without_a_unit) {
  const auto& row = spec("mapping.page_bytes");
  EXPECT_EQ(parse_setting(row, "65536"), SettingValue(std::int64_t{65536}));
  EXPECT_EQ(parse_setting(row, "64KiB"), SettingValue(std::int64_t{65536}));
  EXPECT_EQ(parse_setting(row, "2mib"), SettingValue(std::int64_t{2 << 20}));
  for (const char* text : {"1", "9MiB", "1MB", "1.5MiB", "99999999999999999999", "8589934592GiB"})
    EXPECT_FALSE(parse_setting(row, text)) << text;
}

TEST(ParseSetting, keeps_numbers_within_their_bounds) {
  EXPECT_TRUE(parse_setting(spec("mapping.page_records"), "200"));
  for (const char* text : {"0", "201", "2e2", "1.0", "-5", "+5", "five", "", "99999999999999999999"})
    EXPECT_FALSE(parse_setting(spec("mapping.page_records"), text)) << text;
  EXPECT_EQ(parse_setting(spec("risk.amount_cut"), "0.25"), SettingValue(0.25));
  for (const char* text : {"0", "1.1", "nan", "inf", "20%", "0,2"})
    EXPECT_FALSE(parse_setting(spec("risk.amount_cut"), text)) << text;
}

TEST(ParseSetting, knows_the_shape_of_texts) {
  for (const char* text : {"127.0.0.1:8080", "localhost:0", "[::1]:80", "0.0.0.0:65535"})
    EXPECT_TRUE(parse_setting(spec("server.listen"), text)) << text;
  for (const char* text :
       {"", "8080", ":8080", "localhost", "localhost:", "localhost:65536", "a b:1", "::1:80"})
    EXPECT_FALSE(parse_setting(spec("server.listen"), text)) << text;
  EXPECT_TRUE(parse_setting(spec("tenant.timezone"), "America/Argentina/Buenos_Aires"));
  EXPECT_FALSE(parse_setting(spec("tenant.timezone"), "CEST"));
  EXPECT_TRUE(parse_setting(spec("tenant.base_currency"), "CHF"));
  EXPECT_FALSE(parse_setting(spec("tenant.base_currency"), "euro"));
  EXPECT_FALSE(parse_setting(spec("tenant.mail_domains"), "example.com, me@example.org"));
  EXPECT_FALSE(parse_setting(spec("tenant.mail_domains"), "example..com"));
  EXPECT_FALSE(parse_setting(spec("log.level"), "loud"));
}

TEST(ParseSetting, lists_may_hold_commas_when_written_as_json) {
  const auto& row = spec("tenant.product_names");
  EXPECT_EQ(parse_setting(row, " Suite , Cloud "), SettingValue(Items{"Suite", "Cloud"}));
  EXPECT_EQ(parse_setting(row, R"(["Suite, large","Cloud"])"), SettingValue(Items{"Suite, large", "Cloud"}));
  EXPECT_EQ(parse_setting(row, ""), SettingValue(Items{}));
  for (const char* text : {"Suite,", "[1]", "[\"Suite\"", ","})
    EXPECT_FALSE(parse_setting(row, text)) << text;
}

RC_GTEST_PROP(SettingListProperty, what_is_written_is_read_back, (std::vector<std::string> raw)) {
  Items items;
  for (const auto& text : raw) {
    std::string item;
    for (const char c : text) item += static_cast<char>('!' + static_cast<unsigned char>(c) % ('~' - '!'));
    if (!item.empty()) items.push_back(item);
  }
  const auto& row = spec("tenant.product_names");
  const std::string text = format_setting(row, items);
  RC_PRE(text.size() <= kMaxSettingBytes && items.size() <= kMaxSettingListItems);
  const auto read = parse_setting(row, text);
  RC_ASSERT(bool(read));
  RC_ASSERT(std::get<Items>(*read) == items);
}

TEST(ParseSetting, shows_at_most_the_beginning_of_a_refused_value) {
  const auto refused = parse_setting(spec("mapping.page_records"), std::string(100'000, 'x'));
  EXPECT_LT(refused.error().message.size(), 300u);
  EXPECT_FALSE(parse_setting(spec("tenant.product_names"), "\xff"));
}

TEST(ParseSetting, shows_nothing_of_what_may_hold_a_password) {
  for (const char* key : {"cache.url", "blobs.url", "store.url", "broker.url"}) {
    const auto refused =
        parse_setting(spec(key), "redis://:sesame@host" + std::string(kMaxSettingBytes, '1'));
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().describe().find("sesame"), std::string::npos) << refused.error().describe();
  }
}

TEST(GlobalSettings, are_the_defaults_when_nothing_is_said) {
  const auto loaded = GlobalSettings::load({}).value();
  EXPECT_EQ(loaded.get(settings::kBatchRecords), 1000);
  EXPECT_EQ(loaded.get(settings::kStoreCacheBytes), 32 << 20);
  EXPECT_EQ(loaded.get(settings::kRetryFirst), Duration(1s));
  EXPECT_EQ(loaded.get(settings::kAmountCut), 0.2);
  EXPECT_EQ(loaded.get(settings::kMailDomains), Items{});
  EXPECT_EQ(loaded.values().text("shutdown.drain"), "1m");
  EXPECT_FALSE(loaded.values().text("no.such"));
}

TEST(GlobalSettings, read_nested_and_dotted_keys) {
  const auto loaded = from_yaml(
                          "# ours\n"
                          "mapping:\n  batch_records: 50\n  page_bytes: 64KiB\n"
                          "retry.first: 2s\n"
                          "store:\n"
                          "tenant:\n  mail_domains:\n    - example.com\n    - example.org\n  product_names: "
                          "['Suite, large']\n")
                          .value();
  EXPECT_EQ(loaded.get(settings::kBatchRecords), 50);
  EXPECT_EQ(loaded.get(settings::kPageBytes), 65536);
  EXPECT_EQ(loaded.get(settings::kRetryFirst), Duration(2s));
  EXPECT_EQ(loaded.get(settings::kMailDomains), (Items{"example.com", "example.org"}));
  EXPECT_EQ(loaded.get(settings::kProductNames), Items{"Suite, large"});
  EXPECT_EQ(loaded.values().origin(spec("retry.first")), SettingOrigin::file);
  EXPECT_EQ(loaded.values().origin(spec("retry.longest")), SettingOrigin::built_in);
}

TEST(GlobalSettings, the_command_line_goes_before_the_environment_and_that_before_the_file) {
  GlobalSettings::Sources sources;
  sources.yaml = "server: {workers: 2}\nlog.level: debug\nmapping.prefetch: 3\n";
  sources.environment = {{"CASTIEL_LOG_LEVEL", "warn"}, {"CASTIEL_MAPPING_PREFETCH", "4"}, {"PATH", "/bin"}};
  sources.overrides = {{"mapping.prefetch", "5"}};
  const auto loaded = GlobalSettings::load(sources).value();
  EXPECT_EQ(loaded.get(settings::kServerWorkers), 2);
  EXPECT_EQ(loaded.get(settings::kLogLevel), "warn");
  EXPECT_EQ(loaded.get(settings::kPrefetch), 5);
  EXPECT_EQ(loaded.values().origin(spec("log.level")), SettingOrigin::environment);
  EXPECT_EQ(loaded.values().origin(spec("mapping.prefetch")), SettingOrigin::command_line);
}

TEST(GlobalSettings, name_all_mistakes_at_once_with_their_places) {
  GlobalSettings::Sources sources;
  sources.yaml = "mapping:\n  batch_recods: 5\n  prefetch: lots\nretry.first: 1\nlog.level: [info]\n";
  sources.environment = {{"CASTIEL_RETRY_LONGST", "5s"}, {"CASTIEL_SERVER_WORKERS", "0"}};
  sources.overrides = {{"forecast.simulations", "1"}};
  EXPECT_EQ(GlobalSettings::load(sources).error().code, "invalid_settings");
  const std::string message = message_of(sources);
  EXPECT_TRUE(message.starts_with("7 settings")) << message;
  for (const char* part :
       {"castiel.yaml:2: mapping.batch_recods: no such setting; did you mean mapping.batch_records?",
        "castiel.yaml:3: mapping.prefetch = lots: allowed is a whole number from 1 to 1000 (messages)",
        "castiel.yaml:4: retry.first = 1: allowed is a time from 10ms to 1h",
        "castiel.yaml:5: log.level = (a list): allowed is one of trace, debug",
        "CASTIEL_RETRY_LONGST: no such setting; did you mean CASTIEL_RETRY_LONGEST?",
        "CASTIEL_SERVER_WORKERS: server.workers = 0: allowed is a whole number from 1 to 256",
        "command line: forecast.simulations = 1: allowed"})
    EXPECT_TRUE(contains(message, part)) << part << "\n" << message;
}

TEST(GlobalSettings, refuse_a_file_that_is_no_group_of_settings) {
  EXPECT_TRUE(contains(message_of({.yaml = "mapping: [\n"}), "castiel.yaml:2: not valid YAML"));
  EXPECT_TRUE(contains(message_of({.yaml = "just text"}), "`key: value`"));
  EXPECT_TRUE(contains(message_of({.yaml = "mapping: 5"}), "mapping is a group of settings"));
  EXPECT_TRUE(contains(message_of({.yaml = "log.level:"}), "log.level = (nothing)"));
  EXPECT_TRUE(contains(message_of({.yaml = "a: 1\n---\nb: 2\n"}), "more than one document"));
  EXPECT_TRUE(contains(message_of({.yaml = "\"\xff\": 1"}), "not UTF-8"));
  EXPECT_TRUE(contains(message_of({.yaml = "? [a]\n: 1\n"}), "plain name"));
  EXPECT_TRUE(
      contains(message_of({.yaml = "nothing_like_it: {a: 1, b: 2}"}), "nothing_like_it: no such setting"));
}

TEST(GlobalSettings, refuse_a_key_that_is_given_twice) {
  EXPECT_TRUE(contains(message_of({.yaml = "log.level: info\nlog:\n  level: warn\n"}),
                       "castiel.yaml:3: log.level: set before, at castiel.yaml:1"));
}

TEST(GlobalSettings, leave_variables_alone_that_are_not_theirs) {
  GlobalSettings::Sources sources;
  sources.environment = {{"CASTIEL_DATA", "/data"},
                         {"CASTIEL_SERVICE_HOST", "10.0.0.1"},
                         {"CASTIEL_SERVICE_PORT_HTTP", "8080"},
                         {"CASTIEL_PORT", "tcp://10.0.0.1:8080"},
                         {"CASTIEL_PORT_8080_TCP_ADDR", "10.0.0.1"}};
  sources.reserved = {"CASTIEL_DATA"};
  EXPECT_TRUE(GlobalSettings::load(sources)) << message_of(sources);
  sources.reserved.clear();
  EXPECT_FALSE(GlobalSettings::load(sources));
}

TEST(NearestSetting, is_offered_only_when_it_is_near) {
  EXPECT_EQ(nearest_setting("maping.batch_records"), "mapping.batch_records");
  EXPECT_EQ(nearest_setting("batch_records"), "mapping.batch_records");
  EXPECT_EQ(nearest_setting("Log.Level"), "log.level");
  EXPECT_EQ(nearest_setting("colour_of_the_sky"), "");
  EXPECT_EQ(nearest_setting(std::string(100'000, 'a')), "");
}

TEST(SettingValues, a_changed_copy_leaves_the_original_as_it_was) {
  const SettingValues before;
  const auto& row = spec("forecast.simulations");
  const auto after = before.with(row, std::int64_t{500}, SettingOrigin::tenant);
  EXPECT_EQ(before.get(settings::kForecastSimulations), 2000);
  EXPECT_EQ(after.get(settings::kForecastSimulations), 500);
}

}  // namespace
}  // namespace castiel
