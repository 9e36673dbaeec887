#include "parts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "model/entity.hpp"

namespace castiel::sim {

using messaging::Delivery;
using messaging::Incoming;
using messaging::Plan;
using messaging::RecordFailure;
using messaging::Step;

// --- broker ---

namespace {

// Under the names by which the broker knows them.
class Original {
 public:
  explicit Original(std::span<const Delivery> deliveries) : all_(deliveries.begin(), deliveries.end()) {
    for (auto& d : all_) d.message_id.resize(std::min(d.message_id.size(), d.message_id.find('#')));
  }
  operator std::span<const Delivery>() const { return all_; }

 private:
  std::vector<Delivery> all_;
};

}  // namespace

Result<std::vector<Delivery>> SimBroker::receive_by(std::string_view queue, const messaging::LimitsOf& limits,
                                                    Deadline deadline) {
  faults_->point("broker.receive");
  CASTIEL_ASSIGN(auto deliveries, inner_->receive_by(queue, limits, deadline));
  if (deliveries.empty()) return deliveries;
  tell(deliveries, true);
  faults_->point("broker.received");
  if (deliveries.size() == 1 && deliveries.front().deliveries > 1) probes_->hit("redelivered alone");
  if (mutant_ == Mutant::forgets_messages) {
    for (auto& d : deliveries) d.message_id += fmt::format("#{}", renamed_++);
  }
  if (mutant_ == Mutant::acknowledges_early) {
    CASTIEL_ASSIGN(
        auto tx, store_->begin(deliveries.front().tenant, Deadline::after(*clock_, std::chrono::seconds(1))));
    CASTIEL_TRY(inner_->settle(*tx, deliveries));
    CASTIEL_TRY(tx->commit());
    inner_->settled(deliveries);
  }
  return deliveries;
}

Result<> SimBroker::settle(storage::Transaction& tx, std::span<const Delivery> deliveries) {
  if (mutant_ == Mutant::acknowledges_early) return {};
  for (const auto& d : deliveries) {
    CASTIEL_ASSIGN(const bool before, tx.in_inbox(fmt::format("settled/{}", d.queue), d.message_id));
    if (before) probes_->hit("redelivery found in the inbox");
  }
  return inner_->settle(tx, Original(deliveries));
}

void SimBroker::settled(std::span<const Delivery> deliveries) {
  tell(deliveries, false);
  if (mutant_ == Mutant::acknowledges_early) return;
  faults_->point("broker.settled");
  inner_->settled(Original(deliveries));
}

Result<> SimBroker::refuse(std::span<const Delivery> deliveries, Duration delay,
                           const storage::Failure& failure) {
  tell(deliveries, false);
  faults_->point("broker.refuse");
  probes_->hit("step refused");
  return inner_->refuse(Original(deliveries), delay, failure);
}

Result<> SimBroker::release(std::span<const Delivery> deliveries, Duration delay) {
  tell(deliveries, false);
  faults_->point("broker.release");
  probes_->hit("released until later");
  return inner_->release(Original(deliveries), delay);
}

Result<> SimBroker::retry(storage::Transaction& tx, std::string_view queue,
                          const storage::OutgoingMessage& record, std::string_view record_key, Timestamp at,
                          std::span<const storage::Failure> failures) {
  probes_->hit(failures.empty() ? "follower parked" : "record retried");
  return inner_->retry(tx, queue, record, record_key, at, failures);
}

// --- handler ---

namespace {

// The inner handler's plan for the records that did not fail before they reached it.
class SimPlan final : public Plan {
 public:
  SimPlan(Faults& faults, Mutant mutant) : faults_(&faults), mutant_(mutant) {}
  ~SimPlan() override { inner.reset(); }  // before `rest`, which it may refer to

  Result<> apply(Step& step) override {
    faults_->point("handler.apply");
    CASTIEL_TRY(faults_->refuse());
    if (inner) CASTIEL_TRY(inner->apply(step));
    if (mutant_ == Mutant::acts_twice) CASTIEL_TRY(act_again(step.tx()));
    faults_->point("handler.applied");
    return {};
  }
  std::span<const RecordFailure> failures() const override {
    if (mutant_ == Mutant::swallows_failures) return {};
    return failed;
  }
  std::string summary() const override { return inner ? inner->summary() : "nothing"; }

  std::vector<Incoming> rest;  // what the inner plan refers to
  std::unique_ptr<Plan> inner;
  std::vector<RecordFailure> failed;

 private:
  // A second activity beside the first one.
  static Result<> act_again(storage::Transaction& tx) {
    std::vector<storage::ShardWrite> writes;
    CASTIEL_TRY(tx.each_shard(model::type::kActivity, [&](const model::Shard& shard) -> Result<> {
      storage::ShardWrite write;
      write.shard = shard;
      write.shard.id = ShardId(shard.id.str() + "-again");
      write.shard.key.external_id += "-again";
      write.shard.version = 1;
      if (writes.empty() && !shard.id.str().ends_with("-again")) writes.push_back(std::move(write));
      return {};
    }));
    if (!writes.empty()) {
      CASTIEL_ASSIGN(const auto known, tx.shard(writes.front().shard.key));
      if (known) return {};
    }
    return tx.put_shards(writes);
  }

  Faults* faults_;
  Mutant mutant_;
};

}  // namespace

const Behaviour* SimHandler::behaviour(const std::string& tenant, const std::string& key) const {
  for (const auto& work : workload_->tenants) {
    if (work.tenant != tenant) continue;
    const auto it = work.behaviours.find(key);
    return it == work.behaviours.end() ? nullptr : &it->second;
  }
  return nullptr;
}

std::optional<Error> SimHandler::fails(const std::string& tenant, const std::string& key) {
  const auto* b = behaviour(tenant, key);
  if (b == nullptr) return std::nullopt;
  auto& left = state_->try_emplace({tenant, key}, b->times).first->second;
  const Error error{
      "dependency_failed", "what the record needs does not answer", ErrorClass::conditional, {}};
  switch (b->kind) {
    case Behaviour::Kind::hopeless:
      return error;
    case Behaviour::Kind::flaky:
      if (left == 0) return std::nullopt;
      --left;
      return error;
    case Behaviour::Kind::deadly:
      if (left == 0) return std::nullopt;
      --left;
      break;
    case Behaviour::Kind::deadly_for_ever:
      break;
  }
  probes_->hit("crash while handling");
  throw Crash{"handling " + key};
}

Result<std::unique_ptr<Plan>> SimHandler::prepare(const storage::Reader& reader,
                                                  std::span<const Incoming> batch) {
  faults_->point("handler.prepare");
  auto plan = std::make_unique<SimPlan>(*faults_, mutant_);
  std::vector<std::size_t> messages;              // of the rest, in the batch
  std::vector<std::vector<std::size_t>> records;  // of each of the rest's messages, in the original
  for (std::size_t m = 0; m < batch.size(); ++m) {
    const auto* list = get_array(batch[m].event.data.get_object(), "records");
    if (list == nullptr) {
      plan->rest.push_back(batch[m]);
      messages.push_back(m);
      records.emplace_back();
      continue;
    }
    json::array kept;
    std::vector<std::size_t> positions;
    for (std::size_t r = 0; r < list->size(); ++r) {
      if (auto error = fails(batch[m].delivery->tenant.str(), string_or((*list)[r].get_object(), "key"))) {
        plan->failed.push_back({m, r, std::move(*error), ""});
        continue;
      }
      kept.push_back((*list)[r]);
      positions.push_back(r);
    }
    if (kept.empty()) continue;
    Incoming in = batch[m];
    in.event.data.get_object()["records"] = std::move(kept);
    if (mutant_ == Mutant::lets_older_win) in.event.data.get_object()["force"] = true;
    plan->rest.push_back(std::move(in));
    messages.push_back(m);
    records.push_back(std::move(positions));
  }
  if (!plan->rest.empty()) {
    CASTIEL_ASSIGN(plan->inner, inner_->prepare(reader, plan->rest));
    for (auto failure : plan->inner->failures()) {
      if (failure.error.code == "key_collision") probes_->hit("key collision");
      failure.record = records[failure.message][failure.record];
      failure.message = messages[failure.message];
      plan->failed.push_back(std::move(failure));
    }
  }
  faults_->point("handler.prepared");
  const std::pair id{batch.front().delivery->tag, batch.front().delivery->deliveries};
  if (dynamic_cast<const storage::Transaction*>(&reader) != nullptr) {
    // Prepared without the lock before, now with it: somebody was faster.
    if (std::exchange(prepared_, {-1, 0}) == id) probes_->hit("version conflict");
    return plan;
  }
  if (when_prepared_) when_prepared_();
  prepared_ = id;
  return plan;
}

// --- events ---

namespace {

class RecorderPlan final : public Plan {
 public:
  explicit RecorderPlan(std::span<const Incoming> batch) : batch_(batch) {}
  Result<> apply(Step& step) override {
    auto& tx = step.tx();
    for (const auto& in : batch_) {
      const auto* records = get_array(in.event.data.get_object(), "records");
      if (records == nullptr) continue;
      for (const auto& record : *records) {
        const auto& object = record.get_object();
        const std::string id = string_or(object, "id");
        const std::int64_t version = int_or(object, "version", 0);
        CASTIEL_ASSIGN(const auto before, tx.cursor(kLastVersion, id));
        const std::int64_t last = before ? std::stoll(*before) : 0;
        if (version != last + 1)
          CASTIEL_TRY(tx.put_cursor(kOutOfOrder, id, fmt::format("version {} after {}", version, last)));
        CASTIEL_TRY(tx.put_cursor(kLastVersion, id, std::to_string(version)));
      }
    }
    return {};
  }
  std::span<const RecordFailure> failures() const override { return {}; }
  std::string summary() const override { return "recorded"; }

 private:
  std::span<const Incoming> batch_;
};

}  // namespace

Result<std::unique_ptr<Plan>> EventRecorder::prepare(const storage::Reader&,
                                                     std::span<const Incoming> batch) {
  return std::make_unique<RecorderPlan>(batch);
}

// --- files ---

namespace {

class SimStream final : public connectors::ByteStream {
 public:
  SimStream(std::unique_ptr<connectors::ByteStream> inner, Faults& faults)
      : inner_(std::move(inner)), faults_(&faults) {}
  Result<std::size_t> read(std::span<char> into) override {
    faults_->point("file.read");
    return inner_->read(into);
  }
  Result<void> seek(std::uint64_t offset) override { return inner_->seek(offset); }
  std::uint64_t size() const override { return inner_->size(); }

 private:
  std::unique_ptr<connectors::ByteStream> inner_;
  Faults* faults_;
};

}  // namespace

Result<connectors::DirectoryEntry> SimFileSystem::stat(const std::string& path) {
  return inner_->stat(path);
}

Result<std::vector<std::string>> SimFileSystem::list(const std::string& path) {
  faults_->point("file.list");
  return inner_->list(path);
}

Result<std::unique_ptr<connectors::ByteStream>> SimFileSystem::open(const std::string& path) {
  faults_->point("file.open");
  CASTIEL_ASSIGN(auto stream, inner_->open(path));
  return std::make_unique<SimStream>(std::move(stream), *faults_);
}

// --- blobs and extractor ---

Result<storage::BlobRef> SimBlobs::put(const TenantId& tenant, std::string_view bytes) {
  faults_->point("blob.put");
  CASTIEL_TRY(faults_->blob(true));
  if (mutant_ == Mutant::blobs_come_late) {
    late_.push_back({tenant, std::string(bytes), 0});
    const std::string sha256 = sha256_hex(bytes);
    return storage::BlobRef{storage::blob_url(sha256), bytes.size(), sha256};
  }
  CASTIEL_ASSIGN(auto ref, inner_->put(tenant, bytes));
  faults_->point("blob.put done");
  return ref;
}

Result<std::string> SimBlobs::get(const TenantId& tenant, std::string_view url) const {
  faults_->point("blob.get");
  CASTIEL_TRY(faults_->blob(false));
  return inner_->get(tenant, url);
}

Result<storage::BlobRef> SimBlobs::put_from(const TenantId& tenant, const storage::BlobSource& source) {
  faults_->point("blob.put");
  CASTIEL_TRY(faults_->blob(true));
  CASTIEL_ASSIGN(auto ref, inner_->put_from(tenant, source));
  faults_->point("blob.put done");
  return ref;
}

Result<> SimBlobs::get_to(const TenantId& tenant, std::string_view url, const storage::BlobSink& sink) const {
  faults_->point("blob.get");
  CASTIEL_TRY(faults_->blob(false));
  return inner_->get_to(tenant, url, sink);
}

Result<bool> SimBlobs::remove(const TenantId& tenant, std::string_view sha256, Timestamp unused_since) {
  faults_->point("blob.remove");
  CASTIEL_TRY(faults_->blob(false));
  return inner_->remove(tenant, sha256, unused_since);
}

void SimBlobs::begin_step() {
  constexpr int kSteps = 20;
  for (auto& late : late_) {
    if (++late.steps == kSteps) (void)inner_->put(late.tenant, late.bytes);
  }
  std::erase_if(late_, [](const Late& late) { return late.steps >= kSteps; });
}

Result<extract::Extracted> SimExtractor::extract(const extract::Request& request, Deadline deadline) {
  faults_->point("extract");
  CASTIEL_TRY(faults_->extractor());
  auto extracted = inner_->extract(request, deadline);
  faults_->point("extracted");
  return extracted;
}

}  // namespace castiel::sim
