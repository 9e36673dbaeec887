#pragma once
// What a simulated process runs, whatever the footing: the stages with their consumers, and the users who
// start imports. They live as long as the process; one thread (or fibers of one).

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "connectors/files/archive_files.hpp"
#include "durable.hpp"
#include "intelligence/deal_book.hpp"
#include "intelligence/risk_handler.hpp"
#include "messaging/consumer.hpp"
#include "processing/content/content_handler.hpp"
#include "processing/crm/crm_handler.hpp"
#include "processing/crm/relations_handler.hpp"
#include "sync/import_job.hpp"

namespace castiel::sim {

const messaging::SchemaRegistry& schemas();

// What the stages of a process share.
struct ProcessParts {
  Durable* w;
  storage::Store* store;
  messaging::Broker* broker;
  const messaging::Publisher* publisher;
  IdGenerator* ids;
};

class Stages {
 public:
  explicit Stages(ProcessParts parts);
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;

  const ProcessParts& parts() const { return parts_; }
  std::vector<std::unique_ptr<messaging::Consumer>>& consumers() { return consumers_; }
  // Called between a stage's prepare and its transaction, where no lock is held: others may act there.
  void when_prepared(const std::function<void()>& call);
  void begin_step() { blobs_.begin_step(); }

  connectors::ArchiveFileSystem& files() { return files_; }
  SimExtractor& extractor() { return extractor_; }
  SimBlobs& blobs() { return blobs_; }

 private:
  void add_content();
  void add_stage(std::string_view queue, std::vector<processing::ContentKind> kinds);
  void add_simulated(std::string_view queue, std::vector<std::string> patterns, messaging::Handler& handler,
                     Mutant mutant);
  void add_consumer(std::string_view queue, std::vector<std::string> patterns, messaging::Handler& handler);

  ProcessParts parts_;
  SimExtractor extractor_;
  SimBlobs blobs_;
  connectors::ArchiveFileSystem files_;
  std::unique_ptr<processing::CrmHandler> crm_;
  processing::RelationsHandler relations_;
  std::unique_ptr<intelligence::DealBook> deals_;
  std::unique_ptr<intelligence::RiskHandler> risk_;
  std::vector<std::unique_ptr<messaging::Handler>> handlers_;
  std::vector<std::unique_ptr<SimHandler>> simulated_;
  EventRecorder recorder_;
  std::vector<std::unique_ptr<messaging::Consumer>> consumers_;
};

// A tenant's user: starts its imports one after another, and takes up what a process before left.
class User {
 public:
  // `pause`: lets virtual time pass between two imports, more than the wall clock is ever stepped.
  User(Stages& stages, const TenantWork& work, std::function<void()> pause)
      : stages_(&stages), work_(&work), pause_(std::move(pause)) {}
  // False when there was nothing to do.
  Result<bool> step();
  bool done() const { return done_; }
  const TenantWork& work() const { return *work_; }
  std::size_t wave() const { return wave_; }

 private:
  Result<> start();

  Stages* stages_;
  const TenantWork* work_;
  std::function<void()> pause_;
  std::unique_ptr<sync::ImportJob> job_;
  std::size_t wave_ = 0;
  bool located_ = false;
  bool done_ = false;
};

}  // namespace castiel::sim
