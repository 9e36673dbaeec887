#include "process.hpp"

#include <fmt/format.h>

#include "linking/link_handler.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"
#include "processing/calendar/event_reader.hpp"
#include "processing/communications/email_reader.hpp"
#include "processing/communications/message_reader.hpp"
#include "processing/documents/document_reader.hpp"
#include "processing/meetings/meeting_reader.hpp"
#include "search/index_handler.hpp"

namespace castiel::sim {

namespace {

using namespace std::chrono_literals;

constexpr int kMaxDeliveries = 10;          // RETRY-4
constexpr std::size_t kInlineBytes = 1200;  // of a record; larger ones travel by claim

// Everything is declared: what the recogniser makes of a column may differ from file to file, and the model
// knows nothing of that.
constexpr char kSourceMap[] = R"(files:
  - match: "users*"
    entity: user
    columns: { Id: id, Name: name, Email: email, Title: title }
  - match: "accounts*"
    entity: account
    columns: { Id: id, Name: name, Industry: industry, OwnerId: ownerId, LastModifiedDate: modifiedAt }
  - match: "products*"
    entity: product
    columns: { Id: id, Name: name, ProductCode: code }
  - match: "opportunity_history*"
    entity: opportunity_change
    columns: { Id: id, OpportunityId: opportunityId, Field: field, OldValue: oldValue, NewValue: newValue, CreatedDate: changedAt }
  - match: "opportunities*"
    entity: opportunity
    columns: { Id: id, Name: name, AccountId: accountId, OwnerId: ownerId, StageName: stage, Amount: amount,
               CloseDate: closeDate, LastModifiedDate: modifiedAt }
)";

}  // namespace

const messaging::SchemaRegistry& schemas() {
  static const auto registry = messaging::SchemaRegistry::create(messaging::builtin_schemas()).value();
  return *registry;
}

Stages::Stages(ProcessParts parts)
    : parts_(parts),
      extractor_(parts.w->extractor, parts.w->faults),
      blobs_(parts.w->blobs, parts.w->faults, parts.w->options.mutant),
      files_(parts.w->sim_files, extractor_, parts.w->clock) {
  auto& w = *parts_.w;
  crm_ = std::make_unique<processing::CrmHandler>(w.clock, *parts_.ids);
  add_simulated(model::queue::kDataRaw, {std::string(model::event::kDataRaw)}, *crm_, w.options.mutant);
  add_consumer(model::queue::kRelations, {std::string(model::event::kImportRead)}, relations_);
  deals_ = std::make_unique<intelligence::DealBook>(w.clock, [](const storage::Reader&) {
    intelligence::BookOptions o;
    o.simulations = 20;
    return o;
  });
  risk_ = std::make_unique<intelligence::RiskHandler>(*deals_, w.clock);
  add_simulated(model::queue::kAnalyticsRisk, {std::string(model::event::kOpportunityUpdated)}, *risk_,
                Mutant::none);
  add_consumer(kEventsQueue, {"shard.*"}, recorder_);
  if (w.workload.mixed) add_content();
}

void Stages::when_prepared(const std::function<void()>& call) {
  for (auto& handler : simulated_) handler->when_prepared(call);
}

void Stages::add_content() {
  namespace event = model::event;
  namespace queue = model::queue;
  namespace type = model::type;
  using namespace processing;
  auto& w = *parts_.w;
  add_stage(queue::kCommunications, {{event::kEmailReceived, event::kEmailProcessed, type::kEmail,
                                      [] { return std::make_unique<EmailReader>(); }},
                                     {event::kMessageReceived, event::kMessageProcessed, type::kMessage,
                                      [] { return std::make_unique<MessageReader>(); }}});
  add_stage(queue::kDocuments,
            {{event::kDocumentDetected, event::kDocumentProcessed, type::kDocument,
              [this] { return std::make_unique<DocumentReader>(extractor_, blobs_, parts_.w->clock); }}});
  add_stage(queue::kMeetings, {{event::kMeetingCompleted, event::kMeetingProcessed, type::kMeeting,
                                [] { return std::make_unique<MeetingReader>(); }}});
  add_stage(queue::kEvents, {{event::kEventCreated, event::kEventProcessed, type::kEvent,
                              [] { return std::make_unique<EventReader>(); }}});
  handlers_.push_back(std::make_unique<search::IndexHandler>());
  add_simulated(queue::kSearchIndex, search::IndexHandler::patterns(), *handlers_.back(), Mutant::none);
  handlers_.push_back(std::make_unique<linking::LinkHandler>(
      w.clock, *parts_.ids, [](const storage::Reader&) { return std::vector<std::string>(); }));
  add_simulated(queue::kEntityLinking, linking::LinkHandler::patterns(), *handlers_.back(),
                w.options.mutant == Mutant::acts_twice ? Mutant::acts_twice : Mutant::none);
}

void Stages::add_stage(std::string_view queue, std::vector<processing::ContentKind> kinds) {
  auto& w = *parts_.w;
  std::vector<std::string> patterns;
  for (const auto& kind : kinds) patterns.emplace_back(kind.received);
  handlers_.push_back(std::make_unique<processing::ContentHandler>(
      processing::ContentParts{&w.clock, parts_.ids, &blobs_,
                               [](const storage::Reader&) { return processing::TenantWords{}; }},
      std::move(kinds)));
  const bool planted = w.options.mutant != Mutant::acts_twice && w.options.mutant != Mutant::lets_older_win;
  add_simulated(queue, std::move(patterns), *handlers_.back(), planted ? w.options.mutant : Mutant::none);
}

void Stages::add_simulated(std::string_view queue, std::vector<std::string> patterns,
                           messaging::Handler& handler, Mutant mutant) {
  auto& w = *parts_.w;
  simulated_.push_back(
      std::make_unique<SimHandler>(handler, w.workload, w.behaviour, w.faults, w.probes, mutant));
  add_consumer(queue, std::move(patterns), *simulated_.back());
}

void Stages::add_consumer(std::string_view queue, std::vector<std::string> patterns,
                          messaging::Handler& handler) {
  auto& w = *parts_.w;
  messaging::ConsumerOptions options;
  options.queue = {std::string(queue), std::move(patterns), kMaxDeliveries};
  options.not_yet = 15s;  // polling costs the simulation steps, not time; so does waiting
  options.longest_retry = 10s;
  consumers_.push_back(std::make_unique<messaging::Consumer>(
      messaging::ConsumerParts{parts_.store, parts_.broker, &schemas(), parts_.publisher, &w.clock,
                               &w.ids_random, parts_.ids, w.log},
      std::move(options), handler));
}

Result<> User::start() {
  auto& w = *stages_->parts().w;
  const TenantId tenant(work_->tenant);
  bool resumes = false;
  if (!located_) {
    CASTIEL_ASSIGN(const auto reader, stages_->parts().store->read(tenant));
    CASTIEL_ASSIGN(const auto runs, reader->import_runs(50));
    wave_ = runs.size();
    if (!runs.empty() && runs.front().status == "running") {
      --wave_;
      resumes = true;
    }
    located_ = true;
  }
  if (wave_ == work_->waves.size()) {
    done_ = true;
    w.trace.note(fmt::format("{}: all imports done", work_->tenant));
    return {};
  }
  if (!resumes) pause_();
  sync::ImportOptions options;
  const auto& path = work_->waves[wave_].files.front().path;
  options.paths = {path.substr(0, path.rfind('/'))};
  options.source_map = kSourceMap;
  options.source_map_name = "sim.yaml";
  options.integration = IntegrationId(kIntegration);
  located_ = false;  // should start() fail, look again
  const auto& parts = stages_->parts();
  CASTIEL_ASSIGN(
      job_, sync::ImportJob::start({parts.store, parts.publisher, &stages_->files(), &stages_->extractor(),
                                    &stages_->blobs(), &w.clock, parts.ids, kInlineBytes},
                                   tenant, std::move(options)));
  located_ = true;
  if (resumes) w.probes.hit("import resumed");
  w.trace.note(fmt::format("{}: import {} {} as {}", work_->tenant, wave_, resumes ? "resumed" : "started",
                           job_->correlation().str()));
  return {};
}

Result<bool> User::step() {
  auto& w = *stages_->parts().w;
  if (done_) return false;
  if (!job_) {
    CASTIEL_TRY(start());
    return true;
  }
  CASTIEL_ASSIGN(const auto progress, job_->step());
  if (progress == sync::ImportJob::Progress::waiting) return false;
  if (progress == sync::ImportJob::Progress::more) {
    w.trace.note(fmt::format("{}: import {} read on", work_->tenant, wave_));
    return true;
  }
  CASTIEL_ASSIGN(const bool finished, job_->finish_if_idle());
  if (!finished) return false;
  w.trace.note(fmt::format("{}: import {} done", work_->tenant, wave_));
  job_.reset();
  ++wave_;
  return true;
}

}  // namespace castiel::sim
