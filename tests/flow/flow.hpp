#pragma once
// The whole flow in one process: real store, broker and stages, an import job over files in memory, a clock
// that is turned by hand.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "connectors/files/archive_files.hpp"
#include "connectors/testing/memory_file_system.hpp"
#include "extract/testing/direct_extractor.hpp"
#include "messaging/consumer.hpp"
#include "messaging/embedded/embedded_broker.hpp"
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
#include "storage/sqlite/sqlite_store.hpp"
#include "storage/testing/memory_blobs.hpp"
#include "sync/import_job.hpp"

namespace castiel {

using namespace std::chrono_literals;

struct Flow : testing::Test {
  std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    return std::filesystem::path(mkdtemp(pattern.data()));
  }();
  ManualClock clock{parse_timestamp("2026-11-01T00:00:00Z").value()};
  SeededRandom random{1};
  IdGenerator ids{clock, random};
  std::unique_ptr<messaging::SchemaRegistry> schemas =
      messaging::SchemaRegistry::create(messaging::builtin_schemas()).value();
  std::unique_ptr<storage::SqliteStore> store;
  std::unique_ptr<messaging::EmbeddedBroker> broker;
  messaging::Publisher publisher{*schemas, clock, ids};
  processing::CrmHandler crm{clock, ids};
  processing::RelationsHandler relations;
  std::vector<std::unique_ptr<processing::ContentHandler>> stages;
  std::vector<std::unique_ptr<messaging::Consumer>> consumers;
  connectors::testing::MemoryFileSystem files;
  extract::DirectExtractor extractor;
  storage::testing::MemoryBlobs blobs;
  std::unique_ptr<connectors::FileSystem> local = connectors::make_local_file_system();
  TenantId tenant{"acme"};

  void SetUp() override {
    storage::SqliteStore::Options options;
    options.path = (folder / "castiel.db").string();
    options.sync = false;
    store = storage::SqliteStore::open(options, clock).value();
    broker = messaging::EmbeddedBroker::create(*store, clock).value();
    add(model::queue::kDataRaw, model::event::kDataRaw, crm);
    add(model::queue::kRelations, model::event::kImportRead, relations);
    const auto reads = [](auto make) {
      return [make] { return std::unique_ptr<processing::RecordReader>(make()); };
    };
    using namespace processing;
    add_content(model::queue::kCommunications,
                {{model::event::kEmailReceived, model::event::kEmailProcessed, model::type::kEmail,
                  reads([] { return std::make_unique<EmailReader>(); })},
                 {model::event::kMessageReceived, model::event::kMessageProcessed, model::type::kMessage,
                  reads([] { return std::make_unique<MessageReader>(); })}});
    add_content(model::queue::kDocuments,
                {{model::event::kDocumentDetected, model::event::kDocumentProcessed, model::type::kDocument,
                  reads([this] { return std::make_unique<DocumentReader>(extractor, blobs, clock); })}});
    add_content(model::queue::kMeetings,
                {{model::event::kMeetingCompleted, model::event::kMeetingProcessed, model::type::kMeeting,
                  reads([] { return std::make_unique<MeetingReader>(); })}});
    add_content(model::queue::kEvents,
                {{model::event::kEventCreated, model::event::kEventProcessed, model::type::kEvent,
                  reads([] { return std::make_unique<EventReader>(); })}});
    ASSERT_TRUE(store->create_tenant(tenant, Deadline::after(clock, 5s)));
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void add(std::string_view queue, std::string_view type, messaging::Handler& handler) {
    add(queue, std::vector<std::string>{std::string(type)}, handler);
  }
  void add_content(std::string_view queue, std::vector<processing::ContentKind> kinds) {
    std::vector<std::string> types;
    for (const auto& kind : kinds) types.emplace_back(kind.received);
    stages.push_back(std::make_unique<processing::ContentHandler>(
        processing::ContentParts{&clock, &ids, &blobs,
                                 [](const storage::Reader&) { return processing::TenantWords{}; }},
        std::move(kinds)));
    add(queue, std::move(types), *stages.back());
  }
  void add(std::string_view queue, std::vector<std::string> types, messaging::Handler& handler) {
    messaging::ConsumerOptions options;
    options.queue = {std::string(queue), std::move(types), 5};
    consumers.push_back(std::make_unique<messaging::Consumer>(
        messaging::ConsumerParts{
            store.get(), broker.get(), schemas.get(), &publisher, &clock, &random, &ids, {}},
        options, handler));
    ASSERT_TRUE(consumers.back()->declare());
  }

  bool step_all() {
    bool any = false;
    for (auto& consumer : consumers) any = consumer->step(Deadline::after(clock, 0s)).value() || any;
    return any;
  }

  json::object import(std::vector<std::string> paths, bool again = false,
                      connectors::FileSystem* from = nullptr) {
    clock.advance(1h);
    sync::ImportOptions options;
    options.paths = std::move(paths);
    options.again = again;
    auto started = sync::ImportJob::start(
        {store.get(), &publisher, from == nullptr ? &files : from, &extractor, &blobs, &clock, &ids}, tenant,
        options);
    if (!started) {
      ADD_FAILURE() << started.error().describe();
      return {};
    }
    auto& job = *started;
    for (int i = 0; i < 100'000; ++i) {
      const auto progress = job->step();
      if (!progress) {
        ADD_FAILURE() << progress.error().code << ": " << progress.error().describe();
        return {};
      }
      step_all();
      if (progress && *progress == sync::ImportJob::Progress::all_read) break;
    }
    for (int i = 0; i < 100'000; ++i) {
      if (job->finish_if_idle().value()) {
        const auto reader = store->read(tenant).value();
        return sync::import_summary(*reader, job->correlation()).value();
      }
      if (step_all()) continue;
      if (const auto due = broker->next_due()) clock.advance(std::max(Duration(1), *due - clock.now()));
    }
    ADD_FAILURE() << "the import never became idle";
    return {};
  }

  // What is stored of the records, without when and by which flow.
  std::map<std::string, std::string> state() {
    std::map<std::string, std::string> all;
    storage::ShardQuery query;
    query.limit = 100'000;
    query.include_deleted = true;
    const auto shards = reader()->shards(query);
    for (const auto& shard : *shards)
      all[shard.key.type + " " + shard.key.external_id] = fmt::format("{} {}", shard.version, shard.data);
    return all;
  }

  std::unique_ptr<storage::Reader> reader() { return store->read(tenant).value(); }
  model::Shard shard(std::string type, std::string id, std::string integration = "files") {
    auto found =
        reader()->shard(model::ShardKey{std::move(type), std::move(integration), std::move(id)}).value();
    return found.value_or(model::Shard{});
  }
  Result<std::vector<model::Shard>> live_opportunities() {
    storage::ShardQuery query;
    query.type = model::type::kOpportunity;
    query.limit = 10'000;
    return reader()->shards(query);
  }
  static std::int64_t count(const json::object& summary, std::string_view type, std::string_view what) {
    const auto* shards = get_object(summary, "shards");
    const auto* counts = shards == nullptr ? nullptr : get_object(*shards, type);
    return counts == nullptr ? 0 : int_or(*counts, what, 0);
  }
  static std::int64_t records(const json::object& summary, std::string_view what) {
    const auto* counts = get_object(summary, "records");
    return counts == nullptr ? -1 : int_or(*counts, what, 0);
  }
  static std::vector<std::string> codes(const json::object& summary) {
    std::vector<std::string> list;
    for (const auto& p : *get_array(summary, "problems")) list.push_back(string_or(p.get_object(), "code"));
    return list;
  }
};

}  // namespace castiel
