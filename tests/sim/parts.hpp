#pragma once
// Decorators around the program's ports: places where a process may die, a stage whose surroundings fail, a
// consumer of events that keeps count, and mistakes planted on purpose. They live as long as one simulated
// process.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "connectors/files/file_system.hpp"
#include "extract/extractor.hpp"
#include "faults.hpp"
#include "messaging/broker.hpp"
#include "messaging/handler.hpp"
#include "storage/blobs.hpp"
#include "workload.hpp"

namespace castiel::sim {

// A mistake the harness has to find.
enum class Mutant {
  none,
  acknowledges_early,  // messages leave the queue before their step is committed
  forgets_messages,    // the inbox never knows a message again
  swallows_failures,   // records that fail are neither retried nor buried
  lets_older_win,      // an older version overwrites a newer one
  blobs_come_late,     // bytes are put away after what refers to them, if there is time
  acts_twice,          // what a link brings about is written a second time
  confirms_early,      // the relay takes for confirmed what it has sent
};

// What outlives processes besides the store: how often a record still fails or kills.
using BehaviourState = std::map<std::pair<std::string, std::string>, int>;  // tenant and key

class SimBroker final : public messaging::Broker {
 public:
  SimBroker(messaging::Broker& inner, storage::Store& store, const Clock& clock, Faults& faults,
            Probes& probes, Mutant mutant)
      : inner_(&inner), store_(&store), clock_(&clock), faults_(&faults), probes_(&probes), mutant_(mutant) {}

  // Told of each message that a step gets, and that it has done with it.
  using Watch = std::function<void(const messaging::Delivery&, bool taken)>;
  void watch(Watch watch) { watch_ = std::move(watch); }

  Result<> declare(const messaging::QueueSpec& queue) override { return inner_->declare(queue); }
  Result<std::vector<messaging::Delivery>> receive_by(std::string_view queue,
                                                      const messaging::LimitsOf& limits,
                                                      Deadline deadline) override;
  Result<> settle(storage::Transaction& tx, std::span<const messaging::Delivery> deliveries) override;
  void settled(std::span<const messaging::Delivery> deliveries) override;
  Result<> refuse(std::span<const messaging::Delivery> deliveries, Duration delay,
                  const storage::Failure& failure) override;
  Result<> release(std::span<const messaging::Delivery> deliveries, Duration delay) override;
  Result<> retry(storage::Transaction& tx, std::string_view queue, const storage::OutgoingMessage& record,
                 std::string_view record_key, Timestamp at,
                 std::span<const storage::Failure> failures) override;
  Result<std::vector<messaging::QueueStats>> stats() override { return inner_->stats(); }
  void interrupt() override { inner_->interrupt(); }

 private:
  messaging::Broker* inner_;
  storage::Store* store_;
  const Clock* clock_;
  Faults* faults_;
  Probes* probes_;
  Mutant mutant_;
  std::int64_t renamed_ = 0;
  Watch watch_;
  void tell(std::span<const messaging::Delivery> deliveries, bool taken) {
    for (const auto& d : deliveries)
      if (watch_) watch_(d, taken);
  }
};

// Wraps a stage's handler: its records behave as the workload says, its calls are places to die.
class SimHandler final : public messaging::Handler {
 public:
  SimHandler(messaging::Handler& inner, const Workload& workload, BehaviourState& state, Faults& faults,
             Probes& probes, Mutant mutant)
      : inner_(&inner),
        workload_(&workload),
        state_(&state),
        faults_(&faults),
        probes_(&probes),
        mutant_(mutant) {}
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;
  // Called between prepare and the step's transaction, where no lock is held: others may act there.
  void when_prepared(std::function<void()> call) { when_prepared_ = std::move(call); }

 private:
  const Behaviour* behaviour(const std::string& tenant, const std::string& key) const;
  std::optional<Error> fails(const std::string& tenant, const std::string& key);

  messaging::Handler* inner_;
  const Workload* workload_;
  BehaviourState* state_;
  Faults* faults_;
  Probes* probes_;
  Mutant mutant_;
  std::function<void()> when_prepared_;
  std::pair<std::int64_t, int> prepared_{
      -1, 0};  // what was prepared last without the write lock: tag and deliveries
};

// Consumes shard.* events and keeps, in the step's transaction, the version of each shard it heard of last.
inline constexpr char kEventsQueue[] = "sim_events";
inline constexpr char kLastVersion[] = "sim.version";  // cursor: shard id -> version
inline constexpr char kOutOfOrder[] = "sim.disorder";  // cursor: shard id -> what was wrong
class EventRecorder final : public messaging::Handler {
 public:
  Result<std::unique_ptr<messaging::Plan>> prepare(const storage::Reader& reader,
                                                   std::span<const messaging::Incoming> batch) override;
};

class SimFileSystem final : public connectors::FileSystem {
 public:
  SimFileSystem(connectors::FileSystem& inner, Faults& faults) : inner_(&inner), faults_(&faults) {}
  Result<connectors::DirectoryEntry> stat(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<std::unique_ptr<connectors::ByteStream>> open(const std::string& path) override;

 private:
  connectors::FileSystem* inner_;
  Faults* faults_;
};

// The blob store, with a disk that may be full or not answer. What was put outlives processes with `inner`.
class SimBlobs final : public storage::Blobs {
 public:
  SimBlobs(storage::Blobs& inner, Faults& faults, Mutant mutant)
      : inner_(&inner), faults_(&faults), mutant_(mutant) {}
  Result<storage::BlobRef> put(const TenantId& tenant, std::string_view bytes) override;
  Result<std::string> get(const TenantId& tenant, std::string_view url) const override;
  Result<storage::BlobRef> put_from(const TenantId& tenant, const storage::BlobSource& source) override;
  Result<> get_to(const TenantId& tenant, std::string_view url, const storage::BlobSink& sink) const override;
  Result<std::string> access_url(const TenantId& tenant, std::string_view url,
                                 Duration valid) const override {
    return inner_->access_url(tenant, url, valid);
  }
  Result<> each(const TenantId& tenant,
                const std::function<Result<>(const storage::BlobInfo&)>& visit) const override {
    return inner_->each(tenant, visit);
  }
  Result<bool> remove(const TenantId& tenant, std::string_view sha256, Timestamp unused_since) override;
  Result<std::int64_t> erase(const TenantId& tenant) override { return inner_->erase(tenant); }
  // Of the mutant: what was put some steps ago is there now.
  void begin_step();

 private:
  storage::Blobs* inner_;
  Faults* faults_;
  Mutant mutant_;
  struct Late {
    TenantId tenant;
    std::string bytes;
    int steps = 0;
  };
  std::vector<Late> late_;
};

class SimExtractor final : public extract::Extractor {
 public:
  SimExtractor(extract::Extractor& inner, Faults& faults) : inner_(&inner), faults_(&faults) {}
  Result<extract::Extracted> extract(const extract::Request& request, Deadline deadline) override;

 private:
  extract::Extractor* inner_;
  Faults* faults_;
};

}  // namespace castiel::sim
