#include "app/program.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "api/operations.hpp"
#include "app/extractor.hpp"
#include "app/reconciliation.hpp"
#include "app/redact.hpp"
#include "connectors/files/archive_files.hpp"
#include "extract/worker_pool.hpp"
#include "intelligence/risk_handler.hpp"
#include "linking/link_handler.hpp"
#include "messaging/embedded/embedded_broker.hpp"
#include "messaging/fallback.hpp"
#include "messaging/flow_control.hpp"
#include "messaging/rabbitmq/rabbitmq_broker.hpp"
#include "messaging/relay.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"
#include "processing/calendar/event_reader.hpp"
#include "processing/communications/email_reader.hpp"
#include "processing/communications/message_reader.hpp"
#include "processing/content/content_handler.hpp"
#include "processing/crm/crm_handler.hpp"
#include "processing/crm/relations_handler.hpp"
#include "processing/documents/document_reader.hpp"
#include "processing/meetings/meeting_reader.hpp"
#include "search/index_handler.hpp"
#include "storage/cache.hpp"
#include "storage/postgres/postgres_store.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "tenancy/blob_sweep.hpp"
#include "tenancy/retention.hpp"

namespace castiel::app {

namespace {

constexpr Duration kFirstRetention =
    std::chrono::seconds(30);  // after the start, which has other things to do
constexpr Duration kFirstReconciliation = std::chrono::seconds(90);
constexpr Duration kReconcileTerm = std::chrono::minutes(10);  // of a tenant's lease of it
constexpr char kReconcileLease[] = "reconcile";
constexpr Duration kWriteDeadline = std::chrono::seconds(10);
constexpr Duration kBetweenPieces = std::chrono::milliseconds(50);
constexpr Duration kAfterTrouble = std::chrono::minutes(1);
constexpr Duration kBrokerPatience =
    std::chrono::minutes(2);                        // a server that restarts is no reason to give up
constexpr std::string_view kEmbedded = "embedded";  // broker.url without a broker of its own
// A change of a tenant's settings made by another process is seen after this, or, without a cache in common,
// after both together.
constexpr Duration kSettingsReread = std::chrono::seconds(1), kSettingsKeptAlone = std::chrono::seconds(4);

namespace event = model::event;
namespace queue = model::queue;

intelligence::BookOptions book_options(const SettingValues& settings) {
  intelligence::BookOptions options;
  if (const auto currency = settings.get(settings::kBaseCurrency); currency != "auto")
    options.currency = currency;
  if (!options.currency.empty()) {
    const auto rates = settings.get(settings::kExchangeRates);
    options.rates = ExchangeRates(rates);
    options.rates_text = fmt::format("{}", fmt::join(rates, ";"));
  }
  options.fiscal_start_month = static_cast<int>(settings.get(settings::kFiscalYearStartMonth));
  options.simulations = static_cast<int>(settings.get(settings::kForecastSimulations));
  options.risk.silence_warn_days = static_cast<int>(settings.get(settings::kSilenceWarnDays));
  options.risk.silence_risk_days = static_cast<int>(settings.get(settings::kSilenceDays));
  options.risk.push_warn_days = static_cast<int>(settings.get(settings::kPushWarnDays));
  options.risk.amount_cut = settings.get(settings::kAmountCut);
  options.mail_domains = settings.get(settings::kMailDomains);
  options.stale_days = static_cast<int>(settings.get(settings::kStaleDataDays));
  return options;
}

tenancy::TenantSettings::Options tenant_settings_options(storage::Cache& cache,
                                                         const SettingValues& settings) {
  tenancy::TenantSettings::Options options;
  options.cache = &cache;
  options.reread = kSettingsReread;
  options.kept = cache.shared() ? settings.get(settings::kCacheSettingsKept) : kSettingsKeptAlone;
  return options;
}

messaging::ConsumerTuning tuning(const SettingValues& settings) {
  return {
      {static_cast<int>(settings.get(settings::kPrefetch)),
       static_cast<int>(settings.get(settings::kBatchRecords)),
       static_cast<int>(settings.get(settings::kBatchThreshold))},
      static_cast<int>(settings.get(settings::kMaxDeliveries)),
      settings.get(settings::kRetryFirst),
      settings.get(settings::kRetryLongest),
      messaging::QuarantinePolicy{static_cast<int>(settings.get(settings::kQuarantineTries)),
                                  settings.get(settings::kQuarantineAge),
                                  static_cast<int>(settings.get(settings::kQuarantineCrashes)),
                                  static_cast<int>(settings.get(settings::kQuarantineRepeats)),
                                  static_cast<std::size_t>(settings.get(settings::kQuarantineMessageBytes)),
                                  settings.get(settings::kQuarantineBlocked)}};
}

messaging::ConsumerOptions consumer_options(const SettingValues& settings, std::string_view name,
                                            std::vector<std::string> patterns) {
  messaging::ConsumerOptions options;
  options.queue = {std::string(name), std::move(patterns),
                   static_cast<int>(settings.get(settings::kMaxDeliveries))};
  return options;
}

}  // namespace

Result<Roles> parse_roles(std::string_view text) {
  if (text == "all") return Roles{};
  Roles roles{false, false, false, false, false};
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    const auto name = text.substr(0, end);
    if (name == "api") {
      roles.api = true;
    } else if (name == "sync") {
      roles.sync = true;
    } else if (name == "processing") {
      roles.processing = true;
    } else if (name == "linking") {
      roles.linking = true;
    } else if (name == "intelligence") {
      roles.intelligence = true;
    } else {
      return permanent(
          "invalid_role",
          fmt::format("'{}' is no role: use all, or some of api, sync, processing, linking, intelligence",
                      name));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return roles;
}

struct Program::Parts {
  Parts(Options o, const Clock& c, Random& r) : options(std::move(o)), clock(&c), random(&r), ids(c, r) {}

  Options options;
  const Clock* clock;
  Random* random;
  IdGenerator ids;
  telemetry::Metrics metrics;
  std::unique_ptr<storage::DataFolder> folder;
  std::unique_ptr<storage::Store> store;
  storage::SqliteStore* embedded_store = nullptr;      // the same, where it is the file in the folder
  storage::BlobReferences* blob_references = nullptr;  // the same again
  std::string owner;                                   // of leases: a name of this process
  std::unique_ptr<messaging::Broker> broker;
  std::unique_ptr<messaging::Relay> relay;        // only where the broker is another process
  std::unique_ptr<messaging::Fallback> fallback;  // nothing where the settings want none
  std::unique_ptr<messaging::RelayThread> relay_thread;
  std::unique_ptr<messaging::SchemaRegistry> schemas;
  std::unique_ptr<messaging::Publisher> publisher;
  std::unique_ptr<storage::Cache> cache;
  std::unique_ptr<tenancy::TenantSettings> tenant_settings;
  std::unique_ptr<storage::Blobs> blobs;
  std::unique_ptr<extract::Extractor> extractor;
  std::unique_ptr<connectors::FileSystem> machine_files = connectors::make_local_file_system();
  std::unique_ptr<connectors::FileSystem> files;  // with archives as folders
  std::unique_ptr<intelligence::DealBook> deals;

  std::unique_ptr<processing::CrmHandler> crm;
  std::unique_ptr<processing::RelationsHandler> relations;
  std::unique_ptr<processing::ContentHandler> communications, documents, meetings, events;
  std::unique_ptr<search::IndexHandler> index;
  std::unique_ptr<linking::LinkHandler> links;
  std::unique_ptr<intelligence::RiskHandler> risk;
  std::unique_ptr<messaging::Rehearsal> rehearsal;
  std::vector<operations::QueueOf> queues;
  std::unique_ptr<operations::Reconciler> reconciler;
  std::vector<std::unique_ptr<messaging::Consumer>> consumers;
  std::unique_ptr<messaging::WorkerPool> workers;
  std::unique_ptr<messaging::FlowControl> flow_control;
  std::unique_ptr<sync::ImportService> imports;
  std::unique_ptr<tenancy::Retention> retention;
  std::unique_ptr<tenancy::BlobSweep> blob_sweep;
  std::unique_ptr<api::Services> services;
  std::jthread retention_thread, reconcile_thread;

  SettingValues settings_of(const TenantId& tenant) const {
    return tenant_settings->of(tenant).value_or(options.settings);
  }
  Result<> build();
  void make_flow_control();
  Result<> open_broker();
  Result<> open_store();
  Result<> add_content_stages();
  Result<bool> is_reconcile_due(const storage::TenantInfo& info);
  Result<std::optional<storage::Lease>> take_reconcile(const TenantId& tenant);
  Result<> reconcile_due(const std::stop_token& stop);
  Result<> add_consumer(messaging::ConsumerOptions consumer, messaging::Handler& handler, bool run,
                        std::int64_t threads, std::optional<messaging::ReceiveLimits> at_most = {});
};

Program::Program(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Program::~Program() {
  parts_->retention_thread = {};
  parts_->reconcile_thread = {};
  if (parts_->imports) parts_->imports->stop();
  stop_workers();
}

Result<std::unique_ptr<Program>> Program::open(Options options, const Clock& clock, Random& random) {
  auto parts = std::make_unique<Parts>(std::move(options), clock, random);
  CASTIEL_TRY(parts->build());
  return std::unique_ptr<Program>(new Program(std::move(parts)));
}

// What the program is, from the disk up.
Result<> Program::Parts::build() {
  const auto& settings = options.settings;
  if (settings.get(settings::kStoreUrl) != kEmbedded && settings.get(settings::kBrokerUrl) == kEmbedded) {
    return permanent(
        "broker_needed",
        "store.url names a PostgreSQL database, but the broker is the embedded one, whose queues are part of "
        "the file in the data folder: name a broker of its own, or leave store.url embedded");
  }
  std::error_code ignored;
  if (!options.create && settings.get(settings::kStoreUrl) == kEmbedded &&
      !std::filesystem::exists(options.data / "castiel.db", ignored)) {
    return permanent(
        "no_data_folder",
        fmt::format(
            "there is no Castiel data in '{}': import something first, or name the folder with --data",
            options.data.string()));
  }
  CASTIEL_ASSIGN(folder, storage::DataFolder::open(options.data));

  CASTIEL_TRY(open_store());
  // One process at a time has the embedded store, so the next one takes up the leases of one that was killed.
  owner = embedded_store != nullptr ? "castiel" : "castiel-" + ids.next();
  CASTIEL_TRY(open_broker());
  CASTIEL_ASSIGN(
      schemas, messaging::SchemaRegistry::create(messaging::builtin_schemas(), messaging::builtin_samples()));
  publisher = std::make_unique<messaging::Publisher>(*schemas, *clock, ids);
  CASTIEL_ASSIGN(auto cache_backend, storage::open_cache_backend(settings.get(settings::kCacheUrl), *clock));
  cache = std::make_unique<storage::Cache>(std::move(cache_backend), *clock, ids, options.log, &metrics,
                                           storage::Cache::Options());
  tenant_settings = std::make_unique<tenancy::TenantSettings>(*store, *clock, settings,
                                                              tenant_settings_options(*cache, settings));
  deals = std::make_unique<intelligence::DealBook>(
      *clock, [this](const storage::Reader& reader) { return book_options(settings_of(reader.tenant())); });

  CASTIEL_ASSIGN(blobs,
                 storage::open_blobs({settings.get(settings::kBlobsUrl), options.data / "blobs"}, *clock));
  extractor = extract::make_worker_pool(extractor_options(settings, options.programs), *clock, options.log);
  files = std::make_unique<connectors::ArchiveFileSystem>(*machine_files, *extractor, *clock);

  crm = std::make_unique<processing::CrmHandler>(*clock, ids);
  relations = std::make_unique<processing::RelationsHandler>();
  index = std::make_unique<search::IndexHandler>();
  const auto mail_domains = [this](const storage::Reader& reader) {
    return settings_of(reader.tenant()).get(settings::kMailDomains);
  };
  links = std::make_unique<linking::LinkHandler>(*clock, ids, mail_domains);
  risk = std::make_unique<intelligence::RiskHandler>(*deals, *clock);
  workers = std::make_unique<messaging::WorkerPool>(*broker, *clock, options.log);
  make_flow_control();
  rehearsal = std::make_unique<messaging::Rehearsal>(messaging::Rehearsal::Parts{
      .store = store.get(), .schemas = schemas.get(), .clock = clock, .ids = &ids});
  const auto& roles = options.roles;
  CASTIEL_TRY(add_consumer(consumer_options(settings, queue::kDataRaw, {std::string(event::kDataRaw)}), *crm,
                           roles.processing, settings.get(settings::kWorkersDataRaw)));
  CASTIEL_TRY(add_consumer(consumer_options(settings, queue::kRelations, {std::string(event::kImportRead)}),
                           *relations, roles.processing, settings.get(settings::kWorkersRelations)));
  CASTIEL_TRY(add_content_stages());
  CASTIEL_TRY(add_consumer(consumer_options(settings, queue::kSearchIndex, search::IndexHandler::patterns()),
                           *index, roles.processing && roles.indexing,
                           settings.get(settings::kWorkersSearch)));
  CASTIEL_TRY(
      add_consumer(consumer_options(settings, queue::kEntityLinking, linking::LinkHandler::patterns()),
                   *links, roles.linking, settings.get(settings::kWorkersLinking)));
  CASTIEL_TRY(
      add_consumer(consumer_options(settings, queue::kAnalyticsRisk, intelligence::RiskHandler::patterns()),
                   *risk, roles.intelligence, settings.get(settings::kWorkersAnalytics)));

  reconciler = std::make_unique<operations::Reconciler>(
      operations::Reconciler::Parts{store.get(), broker.get(), publisher.get(), clock},
      operations::Reconciler::Options{.queues = queues,
                                      .consequences = consequences(),
                                      .integration_of = integration_of_flow,
                                      .refetch = [this](const TenantId& tenant, const CorrelationId& flow)
                                          -> Result<std::optional<CorrelationId>> {
                                        if (imports == nullptr) return std::optional<CorrelationId>();
                                        return refetch_import(*store, *imports, tenant, flow);
                                      }});
  // It cannot be moved, and its members have names here. NOLINTNEXTLINE(modernize-make-unique)
  services = std::unique_ptr<api::Services>(new api::Services{.store = *store,
                                                              .broker = *broker,
                                                              .deals = *deals,
                                                              .clock = *clock,
                                                              .ids = ids,
                                                              .settings = *tenant_settings});
  services->publisher = publisher.get();
  services->rehearsal = rehearsal.get();
  services->reconciler = reconciler.get();
  services->blobs = blobs.get();
  services->mail_domains = mail_domains;
  services->metrics = &metrics;
  services->consumers = [this](std::string_view name) {
    return workers->running() ? workers->threads_of(name) : 0;
  };
  return {};
}

void Program::Parts::make_flow_control() {
  const auto& settings = options.settings;
  messaging::FlowLimits limits;
  limits.pause = settings.get(settings::kFlowPause);
  limits.resume = settings.get(settings::kFlowResume);
  limits.warn = settings.get(settings::kFlowWarn);
  limits.scale_out = settings.get(settings::kFlowScale);
  limits.critical = settings.get(settings::kFlowCritical);
  limits.lag = settings.get(settings::kFlowLag);
  const auto threads =
      metrics.gauge({"castiel_workers", "Threads of this process that work on a queue.", {"queue"}});
  flow_control = std::make_unique<messaging::FlowControl>(
      messaging::FlowControl::Parts{broker.get(), relay ? &store->outbox() : nullptr, clock, options.log,
                                    &metrics,
                                    [this, threads](std::string_view name, messaging::QueueLevel level) {
                                      // In between it keeps the threads it has.
                                      if (level >= messaging::QueueLevel::scale_out)
                                        workers->scale(name, true);
                                      if (level == messaging::QueueLevel::calm) workers->scale(name, false);
                                      if (workers->running())
                                        threads.with({name}).set(workers->threads_of(name));
                                    }},
      limits);
}

Result<> Program::Parts::open_broker() {
  const auto& settings = options.settings;
  if (settings.get(settings::kBrokerUrl) == kEmbedded) {
    CASTIEL_ASSIGN(broker, messaging::EmbeddedBroker::create(*embedded_store, *clock));
    return {};
  }
  messaging::RabbitmqOptions rabbitmq;
  rabbitmq.url = Secret(settings.get(settings::kBrokerUrl));
  rabbitmq.partitions = static_cast<int>(settings.get(settings::kBrokerPartitions));
  rabbitmq.prefetch = static_cast<int>(settings.get(settings::kBrokerPrefetch));
  CASTIEL_ASSIGN(auto outside, messaging::RabbitmqBroker::create(std::move(rabbitmq), *store, *clock, *random,
                                                                 options.log));
  messaging::RelayOptions relaying;
  relaying.owner = owner;
  if (settings.get(settings::kFallback)) {
    messaging::FallbackOptions fallen;
    fallen.owner = owner;
    fallen.after = settings.get(settings::kFallbackAfter);
    fallen.until = settings.get(settings::kFallbackUntil);
    fallen.per_second = static_cast<int>(settings.get(settings::kFallbackPerSecond));
    fallback = std::make_unique<messaging::Fallback>(
        messaging::FallbackParts{store.get(), outside.get(), clock, options.log, &metrics},
        std::move(fallen));
  }
  relay = std::make_unique<messaging::Relay>(store->outbox(), outside->carrier(), *clock, options.log,
                                             &metrics, std::move(relaying));
  relay_thread =
      std::make_unique<messaging::RelayThread>(*relay, store->outbox(), *clock, options.log, fallback.get());
  broker = std::move(outside);
  return {};
}

Result<> Program::Parts::open_store() {
  const auto& settings = options.settings;
  if (const auto url = settings.get(settings::kStoreUrl); url != kEmbedded) {
    storage::PostgresStore::Options postgres;
    postgres.url = Secret(url);
    postgres.connections = static_cast<int>(settings.get(settings::kStoreConnections));
    postgres.statement = std::chrono::milliseconds(settings.get(settings::kDatabaseQuery));
    postgres.transaction = std::chrono::milliseconds(settings.get(settings::kDatabaseTransaction));
    CASTIEL_ASSIGN(auto opened, storage::PostgresStore::open(std::move(postgres), *clock));
    blob_references = opened.get();
    store = std::move(opened);
    return {};
  }
  storage::SqliteStore::Options file;
  file.path = folder->database().string();
  file.cache_bytes = static_cast<std::size_t>(settings.get(settings::kStoreCacheBytes));
  file.group_limit = static_cast<int>(settings.get(settings::kStoreGroupLimit));
  if (settings.get(settings::kBrokerUrl) != kEmbedded)
    file.publish_to = storage::SqliteStore::PublishTo::outbox;
  CASTIEL_ASSIGN(auto opened, storage::SqliteStore::open(file, *clock));
  embedded_store = opened.get();
  blob_references = opened.get();
  store = std::move(opened);
  return {};
}

Result<> Program::Parts::add_content_stages() {
  const auto& settings = options.settings;
  const processing::ContentParts parts{clock, &ids, blobs.get(), [this](const storage::Reader& reader) {
                                         const auto own = settings_of(reader.tenant());
                                         return processing::TenantWords{own.get(settings::kTimezone),
                                                                        own.get(settings::kMailDomains)};
                                       }};
  const auto stage = [&](std::unique_ptr<processing::ContentHandler>& handler, std::string_view queue,
                         std::vector<processing::ContentKind> kinds, std::int64_t threads,
                         std::optional<messaging::ReceiveLimits> limits = {}) -> Result<> {
    std::vector<std::string> patterns;
    patterns.reserve(kinds.size());
    for (const auto& kind : kinds) patterns.emplace_back(kind.received);
    handler = std::make_unique<processing::ContentHandler>(parts, std::move(kinds));
    auto consumer = consumer_options(settings, queue, std::move(patterns));
    return add_consumer(std::move(consumer), *handler, options.roles.processing, threads, limits);
  };
  CASTIEL_TRY(stage(communications, queue::kCommunications,
                    {{event::kEmailReceived, event::kEmailProcessed, model::type::kEmail,
                      [] { return std::make_unique<processing::EmailReader>(); }},
                     {event::kMessageReceived, event::kMessageProcessed, model::type::kMessage,
                      [] { return std::make_unique<processing::MessageReader>(); }}},
                    settings.get(settings::kWorkersCommunications)));
  // One page at a time: each of its documents may take as long as the extractor lets it.
  CASTIEL_TRY(
      stage(documents, queue::kDocuments,
            {{event::kDocumentDetected, event::kDocumentProcessed, model::type::kDocument,
              [this] { return std::make_unique<processing::DocumentReader>(*extractor, *blobs, *clock); }}},
            settings.get(settings::kWorkersDocuments), messaging::ReceiveLimits{1, 20}));
  CASTIEL_TRY(stage(meetings, queue::kMeetings,
                    {{event::kMeetingCompleted, event::kMeetingProcessed, model::type::kMeeting,
                      [] { return std::make_unique<processing::MeetingReader>(); }}},
                    settings.get(settings::kWorkersMeetings)));
  return stage(events, queue::kEvents,
               {{event::kEventCreated, event::kEventProcessed, model::type::kEvent,
                 [] { return std::make_unique<processing::EventReader>(); }}},
               settings.get(settings::kWorkersEvents));
}

Result<> Program::Parts::add_consumer(messaging::ConsumerOptions consumer, messaging::Handler& handler,
                                      bool run, std::int64_t threads,
                                      std::optional<messaging::ReceiveLimits> at_most) {
  consumer.tuning_of = [this, at_most](const TenantId& tenant) {
    auto own = tuning(settings_of(tenant));
    if (at_most) {
      own.limits.messages = std::min(own.limits.messages, at_most->messages);
      own.limits.records = std::min(own.limits.records, at_most->records);
    }
    return own;
  };
  consumer.redact = redact_message;
  // Those that keep something of what they read, by the version of the data, must not see a rehearsal's
  // writes.
  const bool source = consumer.queue.name == queue::kDataRaw ||
                      consumer.queue.name == queue::kCommunications ||
                      consumer.queue.name == queue::kDocuments || consumer.queue.name == queue::kMeetings ||
                      consumer.queue.name == queue::kEvents;
  queues.push_back({consumer.queue.name, consumer.queue.patterns, source});
  rehearsal->add(consumer.queue.name, handler, &handler != links.get() && &handler != risk.get());
  consumers.push_back(std::make_unique<messaging::Consumer>(
      messaging::ConsumerParts{store.get(), broker.get(), schemas.get(), publisher.get(), clock, random, &ids,
                               options.log},
      std::move(consumer), handler));
  CASTIEL_TRY(consumers.back()->declare());
  if (fallback) fallback->add(*consumers.back());
  if (run) {
    const auto most = threads * options.settings.get(settings::kWorkersScaleOut);
    workers->add(*consumers.back(), static_cast<int>(threads), static_cast<int>(most),
                 source ? messaging::WorkerPool::Kind::stores : messaging::WorkerPool::Kind::derives);
  }
  return {};
}

void Program::start_relay() {
  if (parts_->relay_thread) parts_->relay_thread->start();
}
void Program::start_workers() {
  start_relay();
  if (parts_->fallback) parts_->fallback->start();
  parts_->workers->start();
  parts_->flow_control->start();
}
void Program::stop_workers() {
  parts_->flow_control->stop();
  parts_->workers->stop();
  if (parts_->fallback) parts_->fallback->stop();
  if (parts_->relay_thread) parts_->relay_thread->stop();
}
std::optional<Error> Program::stuck() const {
  if (parts_->relay_thread) {
    if (auto refused = parts_->relay_thread->trouble(); refused && refused->cls == ErrorClass::permanent)
      return refused;
    const bool goes_on_without =
        parts_->fallback && parts_->fallback->handled_since(parts_->clock->monotonic() - kBrokerPatience);
    if (auto away = parts_->relay_thread->trouble(kBrokerPatience); away && !goes_on_without) return away;
  }
  return parts_->workers->stuck();
}

Result<> Program::start_imports() {
  auto& p = *parts_;
  if (const auto warmed = p.tenant_settings->warm(); !warmed)
    p.options.log.warn("settings_not_warmed",
                       {{"code", warmed.error().code}, {"message", warmed.error().describe()}});
  p.imports = std::make_unique<sync::ImportService>(import_parts(), p.options.log);
  p.services->imports = p.imports.get();
  p.services->import_defaults = [this](const storage::Reader& reader) { return import_defaults(reader); };
  return {};
}

void Program::start_retention() {
  auto& p = *parts_;
  tenancy::Retention::Options retention;
  retention.every = p.options.settings.get(settings::kRetentionEvery);
  retention.batch_rows = p.options.settings.get(settings::kRetentionBatchRows);
  p.retention = std::make_unique<tenancy::Retention>(*p.store, *p.tenant_settings, *p.clock, p.options.log,
                                                     &p.metrics, retention);
  p.blob_sweep = std::make_unique<tenancy::BlobSweep>(*p.store, *p.blob_references, *p.blobs,
                                                      *p.tenant_settings, *p.clock, p.options.log, &p.metrics,
                                                      tenancy::BlobSweep::Options());
  p.retention_thread = std::jthread([&p](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    Duration pause = kFirstRetention;
    // Between two pieces the writer is left to others.
    while (!stopped.wait_for(lock, stop, pause, [&] { return stop.stop_requested(); })) {
      bool more = false, trouble = false;
      for (const auto& piece : {p.retention->step(), p.blob_sweep->step()}) {
        more = more || piece.value_or(false);
        trouble = trouble || !piece;
        if (!piece)
          p.options.log.warn("retention_failed",
                             {{"code", piece.error().code}, {"message", piece.error().describe()}});
      }
      const Duration due = std::min(p.retention->until_due(), p.blob_sweep->until_due());
      pause = more && !trouble ? kBetweenPieces : std::max(due, kAfterTrouble);
    }
  });
}

// One tenant after another, and then a day's rest. A process that restarts more often goes on from what each
// tenant's last reconciliation says.
void Program::start_reconciliation() {
  auto& p = *parts_;
  p.reconcile_thread = std::jthread([&p](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    Duration pause = kFirstReconciliation;
    while (!stopped.wait_for(lock, stop, pause, [&] { return stop.stop_requested(); })) {
      pause = kAfterTrouble;
      if (auto done = p.reconcile_due(stop); !done) {
        p.options.log.warn("reconciliation_failed",
                           {{"code", done.error().code}, {"message", done.error().describe()}});
      }
    }
  });
}

Result<bool> Program::Parts::is_reconcile_due(const storage::TenantInfo& info) {
  api::Call call;
  call.parameters.add("tenant", info.tenant.str());
  const auto last = api::run_operation(*services, "reconcile.last", call);
  const auto* at = last && last->is_object() ? last->get_object().if_contains("at") : nullptr;
  const auto time = at != nullptr && at->is_string() ? parse_timestamp(std::string(at->get_string()))
                                                     : Result<Timestamp>(info.created_at);
  return !time || clock->now() - *time >= options.settings.get(settings::kReconcileEvery);
}

// The tenant's lease of it, for one process at a time; nothing when another one has it.
Result<std::optional<storage::Lease>> Program::Parts::take_reconcile(const TenantId& tenant) {
  CASTIEL_ASSIGN(auto tx, store->begin(tenant, Deadline::after(*clock, kWriteDeadline)));
  CASTIEL_ASSIGN(auto lease, tx->take_lease(kReconcileLease, owner, kReconcileTerm));
  CASTIEL_TRY(tx->commit());
  return lease;
}

Result<> Program::Parts::reconcile_due(const std::stop_token& stop) {
  CASTIEL_ASSIGN(const auto view, store->operator_view());
  CASTIEL_ASSIGN(const auto tenants, view->tenants());
  for (const auto& info : tenants) {
    if (stop.stop_requested()) return {};
    CASTIEL_ASSIGN(const bool due, is_reconcile_due(info));
    if (!due) continue;
    const auto lease = take_reconcile(info.tenant);
    if (!lease && lease.error().code == "unknown_tenant") continue;  // erased meanwhile
    if (!lease) return std::unexpected(lease.error());
    // Another process may have done it just now.
    CASTIEL_ASSIGN(const bool still_due, is_reconcile_due(info));
    if (!*lease || !still_due) continue;
    const auto done = api::reconcile(*services, info.tenant, std::nullopt,
                                     options.settings.get(settings::kReconcileRepair), "reconciliation");
    if (!done) {
      if (done.error().code == "unknown_tenant") continue;
      return std::unexpected(done.error());
    }
    const auto drift = int_or(*done, "drift", 0);
    if (drift > 0)
      options.log.error("alert", {{"alert", "reconcile_drift"}, {"tenant", info.tenant}, {"missing", drift}});
  }
  return {};
}

sync::ImportOptions Program::import_defaults(const storage::Reader& reader) const {
  const auto settings = parts_->settings_of(reader.tenant());
  sync::ImportOptions options;
  options.time_zone = settings.get(settings::kTimezone);
  // "auto" means what most deals say; what they leave unsaid stays unknown.
  if (const auto currency = settings.get(settings::kBaseCurrency); currency != "auto")
    options.default_currency = currency;
  options.page_records = static_cast<std::size_t>(settings.get(settings::kPageRecords));
  options.page_bytes = static_cast<std::size_t>(settings.get(settings::kPageBytes));
  return options;
}

sync::ImportParts Program::import_parts() {
  return {parts_->store.get(),
          parts_->publisher.get(),
          parts_->files.get(),
          parts_->extractor.get(),
          parts_->blobs.get(),
          parts_->clock,
          &parts_->ids,
          static_cast<std::size_t>(parts_->options.settings.get(settings::kMaxInlineSizeMb)) << 20,
          [flow = parts_->flow_control.get()] { return flow->paused(); },
          parts_->owner,
          parts_->options.settings.get(settings::kImportsLease)};
}

storage::Store& Program::store() {
  return *parts_->store;
}
messaging::Broker& Program::broker() {
  return *parts_->broker;
}
const SettingValues& Program::settings() const {
  return parts_->options.settings;
}
tenancy::TenantSettings& Program::tenant_settings() {
  return *parts_->tenant_settings;
}
telemetry::Metrics& Program::metrics() {
  return parts_->metrics;
}
telemetry::Log& Program::log() {
  return parts_->options.log;
}
api::Services& Program::services() {
  return *parts_->services;
}
IdGenerator& Program::ids() {
  return parts_->ids;
}
const Clock& Program::clock() const {
  return *parts_->clock;
}

}  // namespace castiel::app
