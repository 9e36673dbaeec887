#pragma once
// Settings: typed reads of the table in base/setting_table.hpp. A mistyped key or a wrong type does not
// compile. SettingValues is one consistent, immutable set of values: take it once for a piece of work, copy
// it freely, read it from any thread. GlobalSettings makes the program's; a SettingsView gives each tenant's.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/setting_table.hpp"
#include "base/time.hpp"

namespace castiel {

// integer and bytes are std::int64_t, fraction double, text and choice std::string.
using SettingValue =
    std::variant<std::string, std::int64_t, double, bool, Duration, std::vector<std::string>>;

template <class T>
consteval bool is_type_of(SettingKind kind) {
  switch (kind) {
    case SettingKind::text:
    case SettingKind::choice:
      return std::is_same_v<T, std::string>;
    case SettingKind::integer:
    case SettingKind::bytes:
      return std::is_same_v<T, std::int64_t>;
    case SettingKind::fraction:
      return std::is_same_v<T, double>;
    case SettingKind::boolean:
      return std::is_same_v<T, bool>;
    case SettingKind::duration:
      return std::is_same_v<T, Duration>;
    case SettingKind::list:
      return std::is_same_v<T, std::vector<std::string>>;
  }
  return false;
}

// A typed handle of one row of the table: inline constexpr Setting<std::int64_t>
// kBatchRecords{"mapping.batch_records"};
template <class T>
class Setting {
 public:
  consteval explicit Setting(std::string_view key) : row_(find(key)) {}
  constexpr std::size_t row() const { return row_; }
  constexpr std::string_view key() const { return setting_specs()[row_].key; }

 private:
  static consteval std::size_t find(std::string_view key) {
    for (std::size_t row = 0; row < setting_specs().size(); ++row) {
      if (setting_specs()[row].key != key) continue;
      if (!is_type_of<T>(setting_specs()[row].kind)) throw "the setting is of another type";
      return row;
    }
    throw "no such setting";
  }
  std::size_t row_;
};

namespace settings {
inline constexpr Setting<std::string> kServerListen{"server.listen"};
inline constexpr Setting<std::int64_t> kServerWorkers{"server.workers"};
inline constexpr Setting<Duration> kShutdownDrain{"shutdown.drain"};
inline constexpr Setting<std::string> kLogLevel{"log.level"};
inline constexpr Setting<std::string> kStoreUrl{"store.url"};  // "embedded" or a PostgreSQL URL
inline constexpr Setting<std::int64_t> kStoreConnections{"store.connections"};
inline constexpr Setting<std::int64_t> kDatabaseQuery{"mapping.timeouts.database_query"};  // milliseconds
inline constexpr Setting<std::int64_t> kDatabaseTransaction{
    "mapping.timeouts.database_transaction"};  // milliseconds
inline constexpr Setting<std::int64_t> kStoreCacheBytes{"store.cache_bytes"};
inline constexpr Setting<std::int64_t> kStoreGroupLimit{"store.group_limit"};
inline constexpr Setting<std::string> kBrokerUrl{"broker.url"};  // "embedded" or an AMQP URL
inline constexpr Setting<std::int64_t> kBrokerPartitions{"broker.partitions"};
inline constexpr Setting<std::int64_t> kBrokerPrefetch{"broker.prefetch"};
inline constexpr Setting<bool> kFallback{"broker.fallback"};
inline constexpr Setting<Duration> kFallbackAfter{"broker.fallback_after"};
inline constexpr Setting<Duration> kFallbackUntil{"broker.fallback_until"};
inline constexpr Setting<std::int64_t> kFallbackPerSecond{"broker.fallback_per_second"};
inline constexpr Setting<std::int64_t> kFlowPause{"flow.pause_depth"};
inline constexpr Setting<std::int64_t> kFlowResume{"flow.resume_depth"};
inline constexpr Setting<std::int64_t> kFlowWarn{"flow.warn_depth"};
inline constexpr Setting<std::int64_t> kFlowScale{"flow.scale_depth"};
inline constexpr Setting<std::int64_t> kFlowCritical{"flow.critical_depth"};
inline constexpr Setting<Duration> kFlowLag{"flow.lag"};
inline constexpr Setting<std::int64_t> kWorkersScaleOut{"workers.scale_out"};
inline constexpr Setting<std::int64_t> kPageRecords{"mapping.page_records"};
inline constexpr Setting<std::int64_t> kPageBytes{"mapping.page_bytes"};
inline constexpr Setting<std::int64_t> kMaxInlineSizeMb{"mapping.max_inline_size_mb"};
inline constexpr Setting<std::int64_t> kBatchRecords{"mapping.batch_records"};
inline constexpr Setting<std::int64_t> kBatchThreshold{"mapping.batch_threshold"};
inline constexpr Setting<std::int64_t> kPrefetch{"mapping.prefetch"};
inline constexpr Setting<std::int64_t> kMaxDeliveries{"mapping.max_deliveries"};
inline constexpr Setting<std::string> kBlobsUrl{"blobs.url"};  // "folder" or a URL
inline constexpr Setting<std::string> kCacheUrl{"cache.url"};  // "memory" or a URL
inline constexpr Setting<Duration> kCacheSettingsKept{"cache.settings_kept"};
inline constexpr Setting<Duration> kRetryFirst{"retry.first"};
inline constexpr Setting<Duration> kRetryLongest{"retry.longest"};
inline constexpr Setting<Duration> kRetentionInbox{"retention.inbox"};
inline constexpr Setting<Duration> kRetentionFlows{"retention.flows"};
inline constexpr Setting<Duration> kRetentionVersions{"retention.versions"};
inline constexpr Setting<Duration> kRetentionDeadLetters{"retention.dead_letters"};
inline constexpr Setting<Duration> kRetentionBlobs{"retention.blobs"};
inline constexpr Setting<Duration> kRetentionQuarantine{"retention.quarantine"};
inline constexpr Setting<std::int64_t> kQuarantineTries{"quarantine.tries"};
inline constexpr Setting<Duration> kQuarantineAge{"quarantine.age"};
inline constexpr Setting<std::int64_t> kQuarantineCrashes{"quarantine.crashes"};
inline constexpr Setting<std::int64_t> kQuarantineRepeats{"quarantine.repeats"};
inline constexpr Setting<std::int64_t> kQuarantineMessageBytes{"quarantine.message_bytes"};
inline constexpr Setting<std::vector<std::string>> kQuarantineBlocked{"quarantine.blocked"};
inline constexpr Setting<Duration> kImportsLease{"imports.lease"};
inline constexpr Setting<Duration> kReconcileEvery{"reconcile.every"};
inline constexpr Setting<bool> kReconcileRepair{"reconcile.repair"};
inline constexpr Setting<std::int64_t> kReplayPerSecond{"replay.per_second"};
inline constexpr Setting<Duration> kRetentionEvery{"retention.every"};
inline constexpr Setting<std::int64_t> kRetentionBatchRows{"retention.batch_rows"};
inline constexpr Setting<std::int64_t> kWorkersDataRaw{"workers.data_raw"};
inline constexpr Setting<std::int64_t> kWorkersRelations{"workers.relations"};
inline constexpr Setting<std::int64_t> kWorkersLinking{"workers.linking"};
inline constexpr Setting<std::int64_t> kWorkersSearch{"workers.search"};
inline constexpr Setting<std::int64_t> kWorkersAnalytics{"workers.analytics"};
inline constexpr Setting<std::int64_t> kWorkersCommunications{"workers.communications"};
inline constexpr Setting<std::int64_t> kWorkersDocuments{"workers.documents"};
inline constexpr Setting<std::int64_t> kWorkersMeetings{"workers.meetings"};
inline constexpr Setting<std::int64_t> kWorkersEvents{"workers.events"};
inline constexpr Setting<std::string> kExtractProgram{"extract.program"};  // "auto" or a path
inline constexpr Setting<std::int64_t> kExtractWorkers{"extract.workers"};
inline constexpr Setting<Duration> kExtractTimeLimit{"extract.time_limit"};
inline constexpr Setting<std::int64_t> kExtractMemory{"extract.memory"};
inline constexpr Setting<std::string> kTimezone{"tenant.timezone"};
inline constexpr Setting<std::int64_t> kFiscalYearStartMonth{"tenant.fiscal_year_start_month"};
inline constexpr Setting<std::string> kBaseCurrency{"tenant.base_currency"};  // "auto" or an ISO 4217 code
inline constexpr Setting<std::vector<std::string>> kExchangeRates{"tenant.exchange_rates"};
inline constexpr Setting<std::string> kLanguage{"tenant.language"};
inline constexpr Setting<std::vector<std::string>> kMailDomains{"tenant.mail_domains"};
inline constexpr Setting<std::vector<std::string>> kProductNames{"tenant.product_names"};
inline constexpr Setting<std::int64_t> kForecastSimulations{"forecast.simulations"};
inline constexpr Setting<std::int64_t> kStaleDataDays{"deals.stale_data_days"};
inline constexpr Setting<std::int64_t> kSilenceWarnDays{"risk.silence_warn_days"};
inline constexpr Setting<std::int64_t> kSilenceDays{"risk.silence_days"};
inline constexpr Setting<std::int64_t> kPushWarnDays{"risk.push_warn_days"};
inline constexpr Setting<double> kAmountCut{"risk.amount_cut"};  // share of the amount, 0.01..1
}  // namespace settings

// Where a value came from, the weakest first.
enum class SettingOrigin { built_in, file, environment, command_line, tenant };
std::string_view to_string(
    SettingOrigin origin);  // "default", "file", "environment", "command line", "tenant"

class SettingValues {
 public:
  SettingValues();  // the built-in defaults

  template <class T>
  T get(Setting<T> setting) const {
    return std::get<T>((*rows_)[setting.row()].value);
  }
  // By name, in canonical notation; nothing if there is no such setting.
  std::optional<std::string> text(std::string_view key) const;
  std::string text(const SettingSpec& spec) const;
  SettingOrigin origin(const SettingSpec& spec) const;

  // A copy with one value replaced; `value` must be of the spec's type, as parse_setting returns it.
  SettingValues with(const SettingSpec& spec, SettingValue value, SettingOrigin origin) const;

 private:
  struct Row {
    SettingValue value;
    SettingOrigin origin = SettingOrigin::built_in;
  };
  std::shared_ptr<const std::vector<Row>> rows_;  // parallel to setting_specs()
};

// Each tenant's values: its own where it has one, else the program's. Thread-safe.
class SettingsView {
 public:
  virtual ~SettingsView() = default;
  // May block on the store now and then. Ask once at the start of a piece of work. Errors: the store's, only
  // while nothing is known of the tenant yet.
  virtual Result<SettingValues> of(const TenantId& tenant) const = 0;
};

// The same values for every tenant: for tools and tests.
class FixedSettings final : public SettingsView {
 public:
  explicit FixedSettings(SettingValues values = {}) : values_(std::move(values)) {}
  Result<SettingValues> of(const TenantId&) const override { return values_; }

 private:
  SettingValues values_;
};

// The program's own values: defaults < castiel.yaml < environment < command line.
class GlobalSettings {
 public:
  struct Sources {
    std::string yaml = {};                                // text of the file, may be empty
    std::string file = "castiel.yaml";                    // its name in messages
    std::map<std::string, std::string> environment = {};  // all variables; only CASTIEL_… are looked at
    std::vector<std::pair<std::string, std::string>> overrides = {};  // key, value: from the command line
    std::vector<std::string> reserved = {};  // CASTIEL_… variables that are no settings, such as CASTIEL_DATA
  };

  // All that is wrong comes at once: error `invalid_settings`, a line for each with the place (file and line,
  // variable, command line), key, value, what is allowed, and the nearest name to an unknown one.
  static Result<GlobalSettings> load(const Sources& sources);

  const SettingValues& values() const { return values_; }
  template <class T>
  T get(Setting<T> setting) const {
    return values_.get(setting);
  }

 private:
  SettingValues values_;
};

// Nothing if there is no such setting.
const SettingSpec* find_setting(std::string_view key);
// The known key most like a mistyped one; empty if none is near.
std::string_view nearest_setting(std::string_view key);
// "unknown key" in words, with the nearest name. Code: unknown_setting.
Error unknown_setting(std::string_view key);
// Text as typed by a person to a value within bounds. Error: invalid_setting, naming key, value and what is
// allowed.
Result<SettingValue> parse_setting(const SettingSpec& spec, std::string_view text);
// Canonical notation, which parse_setting reads back to the same value: "60s" is "1m", "2048" bytes "2KiB".
std::string format_setting(const SettingSpec& spec, const SettingValue& value);
// What is allowed, in words: "a whole number from 1 to 200 (records)".
std::string allowed_values(const SettingSpec& spec);
// CASTIEL_MAPPING_BATCH_RECORDS for mapping.batch_records.
std::string environment_name(std::string_view key);
// The manual page docs/settings.md, in Markdown.
std::string settings_page();

}  // namespace castiel
