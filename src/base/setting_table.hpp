#pragma once
// The one table of settings: name, kind, default, bounds, scope and words of each (FLOW-13, TENANT-3). The
// manual page docs/settings.md, the checks and the typed handles of base/settings.hpp all come from here.
// Constant data.

#include <array>
#include <span>
#include <string_view>

namespace castiel {

enum class SettingKind {
  text,
  integer,
  fraction,  // a decimal number
  boolean,
  duration,  // a whole number with ms, s, m, h or d
  bytes,     // a whole number, with KiB, MiB or GiB, or plain for bytes
  choice,    // one of `choices`
  list,      // texts
};

enum class SettingScope {
  global,  // of the program: castiel.yaml, environment or command line
  tenant,  // the same places give the default, and each tenant may have its own value
};

// A shape a text, or each text of a list, must have besides being short.
enum class SettingShape { any, address, time_zone, currency, language, domain, exchange_rate };

struct SettingSpec {
  std::string_view key;  // dotted, lower case, unique; also as variable, `.` written `_`
  SettingKind kind;
  std::string_view default_text;
  std::string_view unit;     // what one of a bare number is: "records", "days"; empty where the text says it
  std::string_view minimum;  // in the notation of the value; every number has both, nothing else has either
  std::string_view maximum;
  std::span<const std::string_view> choices;
  SettingShape shape;
  SettingScope scope;
  bool needs_restart;      // false: a tenant's own value takes effect within seconds
  std::string_view words;  // what it does, for a person: one or two sentences
  bool secret = false;     // never shown, not even when it is refused
};

inline constexpr std::size_t kMaxSettingBytes = 4096;     // of one value as text
inline constexpr std::size_t kMaxSettingListItems = 200;  // of one list

namespace setting_table {

inline constexpr std::string_view kLogLevels[] = {"trace", "debug", "info", "warn", "error", "off"};

// Makers of the usual rows; what follows from their name is not repeated in the table.
constexpr SettingSpec global_number(std::string_view key, SettingKind kind, std::string_view value,
                                    std::string_view unit, std::string_view minimum, std::string_view maximum,
                                    std::string_view words) {
  return {key, kind, value, unit, minimum, maximum, {}, SettingShape::any, SettingScope::global, true, words};
}
constexpr SettingSpec tenant_number(std::string_view key, SettingKind kind, std::string_view value,
                                    std::string_view unit, std::string_view minimum, std::string_view maximum,
                                    std::string_view words) {
  return {key,   kind, value, unit, minimum, maximum, {}, SettingShape::any, SettingScope::tenant,
          false, words};
}
// Where another program is: may hold a password.
constexpr SettingSpec global_url(std::string_view key, std::string_view value, std::string_view words) {
  return {key, SettingKind::text, value, "", "", "", {}, SettingShape::any, SettingScope::global, true, words,
          true};
}
constexpr SettingSpec tenant_text(std::string_view key, SettingKind kind, std::string_view value,
                                  SettingShape shape, std::string_view words) {
  return {key, kind, value, "", "", "", {}, shape, SettingScope::tenant, false, words};
}

using enum SettingKind;

inline constexpr auto kAll = std::to_array<SettingSpec>({
    {"server.listen",
     text,
     "127.0.0.1:8080",
     "",
     "",
     "",
     {},
     SettingShape::address,
     SettingScope::global,
     true,
     "Address and port the server listens on. Port 0 takes a free one."},
    global_number("server.workers", integer, "8", "threads", "1", "256",
                  "Threads that answer HTTP requests."),
    global_number("shutdown.drain", duration, "60s", "", "1s", "10m",
                  "How long work under way may take to finish after a request to stop."),
    {"log.level", choice, "info", "", "", "", kLogLevels, SettingShape::any, SettingScope::global, true,
     "The least severe messages that are logged."},

    global_url(
        "store.url", "embedded",
        "Where everything is kept: `embedded` for a file in the data folder, or "
        "`postgresql://user:password@host:port/database` for a PostgreSQL database, which several processes "
        "share."),
    global_number("store.connections", integer, "50", "connections", "1", "1000",
                  "Connections of a process to a PostgreSQL database, at most."),
    global_number("mapping.timeouts.database_query", integer, "5000", "milliseconds", "100", "600000",
                  "Time of one statement in a PostgreSQL database; past it the database ends the statement."),
    global_number("mapping.timeouts.database_transaction", integer, "10000", "milliseconds", "100", "600000",
                  "Time of one transaction in a PostgreSQL database; past it nothing of it is kept."),
    global_number("store.cache_bytes", bytes, "32MiB", "", "1MiB", "16GiB",
                  "Page cache of the store's writer; each reader has a quarter of it."),
    global_number("store.group_limit", integer, "32", "transactions", "1", "1024",
                  "Transactions committed with one sync to disk, at most."),

    global_url("broker.url", "embedded",
               "Where events wait: `embedded` for this process and its data folder, or "
               "`amqp://user:password@host:port/vhost` (`amqps` for TLS) for a RabbitMQ server."),
    global_number(
        "broker.partitions", integer, "4", "queues", "1", "40",
        "Queues at the broker for each of ours, each worked on by one process at a time. The same in all "
        "processes."),
    global_number("broker.prefetch", integer, "50", "messages", "1", "1000",
                  "Messages of each of them that a process holds at most."),

    {"broker.fallback",
     boolean,
     "true",
     "",
     "",
     "",
     {},
     SettingShape::any,
     SettingScope::global,
     true,
     "Whether a process handles what waits in the outbox itself while the broker is away for long."},
    global_number("broker.fallback_after", duration, "30s", "", "1s", "1d",
                  "How long the broker has to be away before that begins."),
    global_number("broker.fallback_until", duration, "10s", "", "1s", "1h",
                  "How long the broker has to answer again before messages are sent to it and that ends."),
    global_number("broker.fallback_per_second", integer, "20", "messages", "1", "10000",
                  "Messages a process handles a second without the broker, at most."),

    global_number("flow.pause_depth", integer, "10000", "messages", "10", "100000000",
                  "Imports pause while more messages than this wait in a queue."),
    global_number("flow.resume_depth", integer, "5000", "messages", "0", "100000000",
                  "They go on once fewer messages than this wait in each."),
    global_number("flow.warn_depth", integer, "1000", "messages", "1", "100000000",
                  "More messages than this in a queue are told as a warning."),
    global_number("flow.scale_depth", integer, "2500", "messages", "1", "100000000",
                  "A queue with more messages than this gets more threads, up to workers.scale_out."),
    global_number("flow.critical_depth", integer, "5000", "messages", "1", "100000000",
                  "More messages than this in a queue are an alert."),
    global_number("flow.lag", duration, "5m", "", "1s", "7d",
                  "A queue whose oldest message is older than this is an alert."),

    tenant_number("mapping.page_records", integer, "200", "records", "1", "200",
                  "Records a page of raw data holds, at most."),
    tenant_number("mapping.page_bytes", bytes, "1MiB", "", "16KiB", "8MiB",
                  "Size of a page of raw data, at most; a single larger record has a page of its own."),
    global_number(
        "mapping.max_inline_size_mb", integer, "5", "megabytes", "1", "10",
        "A record larger than this travels by way of the blob store instead of inside its message."),
    tenant_number("mapping.batch_records", integer, "1000", "records", "1", "10000",
                  "Records a consumer handles in one transaction, at most."),
    tenant_number("mapping.batch_threshold", integer, "100", "records", "0", "100000",
                  "Messages are handled several at a time only where so many records wait; fewer are handled "
                  "message by message."),
    tenant_number("mapping.prefetch", integer, "8", "messages", "1", "1000",
                  "Messages a consumer takes from its queue at once, at most."),
    tenant_number("mapping.max_deliveries", integer, "5", "deliveries", "1", "100",
                  "A message delivered more often than this goes to the dead letters."),

    global_url("blobs.url", "folder",
               "Where large files are kept: `folder` for the data folder, `file:///path` for one that "
               "several processes "
               "share, or a container of Azure Blob Storage, "
               "`azblob://account:key@host/container` with the account's key or "
               "`azblob://account@host/container?SAS` with a shared access signature. The container is this "
               "installation's alone."),
    global_url("cache.url", "memory",
               "Where what can be read again is kept for a while: `memory` of this process, or "
               "`redis://user:password@host:port/db` (`rediss` for TLS) for a Redis all processes share."),
    global_number("cache.settings_kept", duration, "10m", "", "1s", "1d",
                  "How long tenants' settings are kept in a cache that processes share. A change ends it."),

    tenant_number("retry.first", duration, "1s", "", "10ms", "1h",
                  "Pause before the second try of a failed message; it doubles with each further try."),
    tenant_number("retry.longest", duration, "60s", "", "10ms", "1d",
                  "The pause between two tries never grows past this."),

    tenant_number(
        "retention.inbox", duration, "30d", "", "7d", "3650d",
        "How long handled messages are remembered, so that one that comes again changes nothing. Longer "
        "than anything may come again."),
    tenant_number("retention.flows", duration, "180d", "", "1d", "3650d",
                  "How long the story, the counts and the problems of a finished import or flow are kept."),
    tenant_number(
        "retention.versions", duration, "730d", "", "1d", "3650d",
        "How long a replaced version of a record is kept. The history of its fields is kept for good."),
    tenant_number(
        "retention.dead_letters", duration, "90d", "", "1d", "3650d",
        "How long a dead letter is kept after it was replayed or purged. Open ones are kept for good."),
    tenant_number("retention.blobs", duration, "1d", "", "1d", "3650d",
                  "How long a file is kept that nothing refers to any more."),
    tenant_number("retention.quarantine", duration, "30d", "", "1d", "3650d",
                  "How long a message in the quarantine is kept, whether it was replayed or not."),
    global_number("retention.every", duration, "1h", "", "1m", "7d",
                  "Pause between two looks for what is older than it may get."),
    global_number("retention.batch_rows", integer, "1000", "rows", "10", "100000",
                  "Rows of one kind removed in one transaction, at most."),

    tenant_number("quarantine.tries", integer, "10", "tries", "1", "1000",
                  "A message that fails after more tries than this, over all queues and replays, goes to the "
                  "quarantine."),
    tenant_number("quarantine.age", duration, "24h", "", "1m", "365d",
                  "A message that fails again when it is older than this goes to the quarantine."),
    tenant_number(
        "quarantine.crashes", integer, "3", "crashes", "1", "100",
        "A message that ended its process this often is no dead letter but goes to the quarantine."),
    tenant_number("quarantine.repeats", integer, "3", "times", "2", "1000",
                  "A message that ended this often with the same error, replay after replay, goes to the "
                  "quarantine."),
    tenant_number("quarantine.message_bytes", bytes, "10MiB", "", "64KiB", "64MiB",
                  "A message that is larger than this, or becomes so while it is handled, goes to the "
                  "quarantine."),
    tenant_text(
        "quarantine.blocked", list, "", SettingShape::any,
        "Causes (error signatures) whose messages go to the quarantine at their first failure. Set by "
        "castiel quarantine block and unblock."),
    tenant_number("replay.per_second", integer, "50", "messages", "1", "10000",
                  "Dead letters replayed a second, at most."),

    global_number(
        "imports.lease", duration, "15s", "", "2s", "10m",
        "How long an import stays with a process that gives no sign of life; then another process goes "
        "on with it."),

    global_number("reconcile.every", duration, "1d", "", "1m", "30d",
                  "Pause between two reconciliations of a tenant."),
    {"reconcile.repair",
     boolean,
     "true",
     "",
     "",
     "",
     {},
     SettingShape::any,
     SettingScope::global,
     true,
     "Whether the daily reconciliation asks for what is missing again, and not only names it."},

    global_number("workers.data_raw", integer, "2", "threads", "1", "64",
                  "Consumers that map raw data to shards."),
    global_number("workers.relations", integer, "1", "threads", "1", "64",
                  "Consumers that resolve relations between shards."),
    global_number("workers.linking", integer, "1", "threads", "1", "64",
                  "Consumers that link content to accounts, contacts and deals."),
    global_number("workers.search", integer, "1", "threads", "1", "64",
                  "Consumers that feed the full-text index."),
    global_number("workers.analytics", integer, "1", "threads", "1", "64", "Consumers that assess deals."),

    global_number("workers.communications", integer, "1", "threads", "1", "64",
                  "Consumers that understand mails and chat messages."),
    global_number("workers.documents", integer, "2", "threads", "1", "64",
                  "Consumers that have documents read and understand them."),
    global_number("workers.meetings", integer, "1", "threads", "1", "64",
                  "Consumers that understand meetings by their transcripts."),
    global_number("workers.events", integer, "1", "threads", "1", "64",
                  "Consumers that understand calendar entries."),

    global_number(
        "workers.scale_out", integer, "2", "times", "1", "16",
        "How many times its threads a queue gets, at most, while it is longer than flow.scale_depth."),

    {"extract.program",
     text,
     "auto",
     "",
     "",
     "",
     {},
     SettingShape::any,
     SettingScope::global,
     true,
     "Path of castiel-extract, the sandboxed program that parses files. auto: beside the castiel program."},
    global_number(
        "extract.workers", integer, "2", "processes", "1", "64",
        "Processes that parse files at the same time, at most; they are started when there is work."),
    global_number("extract.time_limit", duration, "60s", "", "1s", "1h",
                  "Time for parsing one file; then its process is ended and the file counts as unreadable."),
    global_number("extract.memory", bytes, "512MiB", "", "64MiB", "16GiB",
                  "Memory of a process that parses files, at most."),

    tenant_text("tenant.timezone", text, "UTC", SettingShape::time_zone,
                "The time zone in which the organisation's days begin, as an IANA name."),
    tenant_number("tenant.fiscal_year_start_month", integer, "1", "month", "1", "12",
                  "The month the fiscal year begins with; fiscal quarters follow from it."),
    tenant_text("tenant.base_currency", text, "auto", SettingShape::currency,
                "The currency sums are given in. auto: the most frequent one of the deals."),
    tenant_text(
        "tenant.exchange_rates", list, "", SettingShape::exchange_rate,
        "What one unit of another currency is worth in tenant.base_currency, from a day on. Amounts in "
        "sums and forecasts are converted at the rate of the day they were won, open ones at the newest; "
        "without a rate they are listed beside the sums. Of no effect while the base currency is auto."),
    tenant_text("tenant.language", text, "en", SettingShape::language,
                "The language texts are expected in where a record does not say."),
    tenant_text(
        "tenant.mail_domains", list, "", SettingShape::domain,
        "The organisation's own mail domains, which tell colleagues from customers. Without any, those of "
        "its users' addresses count."),
    tenant_text("tenant.product_names", list, "", SettingShape::any,
                "The organisation's own product names, as they appear in texts."),

    tenant_number(
        "forecast.simulations", integer, "2000", "runs", "100", "100000",
        "Simulated outcomes a forecast is drawn from. More runs give steadier tails and take longer."),
    tenant_number("deals.stale_data_days", integer, "90", "days", "1", "3650",
                  "Data whose newest change is older than this is called out as stale."),
    tenant_number("risk.silence_warn_days", integer, "14", "days", "1", "365",
                  "Days without a sign of life from the customer before a deal gets a warning."),
    tenant_number("risk.silence_days", integer, "21", "days", "1", "365",
                  "Days without a sign of life from the customer before a deal counts as at risk."),
    tenant_number("risk.push_warn_days", integer, "30", "days", "1", "365",
                  "Days a close date was pushed back by before a deal gets a warning."),
    tenant_number("risk.amount_cut", fraction, "0.2", "share of the amount", "0.01", "1",
                  "A fall of the amount by this share is a risk: 0.2 is a fifth."),
});

}  // namespace setting_table

constexpr std::span<const SettingSpec> setting_specs() {
  return setting_table::kAll;
}

}  // namespace castiel
