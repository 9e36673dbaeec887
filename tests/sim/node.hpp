#pragma once
// A process of the scaled-out world: the real broker for RabbitMQ over simulated connections, the real relay,
// the stages, users; each of its threads is a fiber. Gone at a crash, without a farewell.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "durable.hpp"
#include "fibers.hpp"
#include "messaging/rabbitmq/impl/link.hpp"
#include "messaging/rabbitmq/rabbitmq_broker.hpp"
#include "messaging/relay.hpp"
#include "process.hpp"
#include "server.hpp"

namespace castiel::sim {

// What the processes of a scaled-out world share besides what is durable.
struct Fleet {
  Durable* w;
  Fibers* fibers;
  Server* server;
  FleetPlan plan;
  std::map<int, int> partition_holders;  // of the outbox, as its leases were last given
  std::map<std::string, int> in_hand;    // messages of a queue by the process whose step has it
  std::set<std::string> finished;        // tenants whose imports are done
  std::vector<std::string> failures;
  // Whether no process is in a write transaction.
  std::function<bool()> writer_free;
  // Only errors that were injected may come out of the program.
  void unexpected(const std::string& who, const Error& error);
};

// Around the store's calls of one process: others act, and one writer at a time.
class StoreCalls final : public storage::CallObserver {
 public:
  explicit StoreCalls(Fleet& fleet) : fleet_(&fleet) {}
  Result<> before(std::string_view call) override;
  Result<> after(std::string_view call) override;
  Result<> wait_for_writer();

 private:
  Fleet* fleet_;
};

// The outbox as the relay of one process sees it, keeping count of who has which partition.
class SimOutbox final : public storage::Outbox {
 public:
  SimOutbox(storage::Outbox& inner, Fleet& fleet, int process)
      : inner_(&inner), fleet_(&fleet), process_(process) {}
  Result<> bind(std::string_view queue, std::span<const std::string> patterns) override {
    return inner_->bind(queue, patterns);
  }
  void on_written(std::function<void()> listener) override { inner_->on_written(std::move(listener)); }
  Result<std::vector<storage::OutboxLease>> lease(std::string_view owner, int most, Duration term) override;
  Result<> give_back(std::string_view owner) override;
  Result<std::vector<storage::OutboxMessage>> waiting(const storage::OutboxLease& lease,
                                                      std::span<const std::int64_t> skip, std::size_t limit,
                                                      std::size_t bytes) override;
  Result<> published(const storage::OutboxLease& lease, std::span<const std::int64_t> rows) override;
  Result<std::vector<std::string>> queues_for(std::string_view type) override {
    return inner_->queues_for(type);
  }
  Result<std::vector<Last>> last_published(const TenantId& tenant, int lane) override {
    return inner_->last_published(tenant, lane);
  }
  Result<Depth> depth() override { return inner_->depth(); }
  Result<> add(storage::Transaction& tx, std::string_view queue, const storage::OutgoingMessage& message,
               std::string_view record_key, Timestamp due, std::string_view errors) override {
    return inner_->add(tx, queue, message, record_key, due, errors);
  }

 private:
  storage::Outbox* inner_;
  Fleet* fleet_;
  int process_;
};

class SimCarrier final : public messaging::Carrier {
 public:
  SimCarrier(messaging::Carrier& inner, Fleet& fleet, int process)
      : inner_(&inner), fleet_(&fleet), process_(process) {}
  Result<> ready() override { return inner_->ready(); }
  std::size_t room() const override { return inner_->room(); }
  Result<> carry(const storage::OutboxMessage& message) override;
  std::vector<Outcome> outcomes(Duration wait) override;
  void wake() override { inner_->wake(); }

 private:
  messaging::Carrier* inner_;
  Fleet* fleet_;
  int process_;
  std::vector<Outcome> early_;  // of the mutant
};

class Node {
 public:
  Node(Fleet& fleet, int slot, int slots, int process);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // In a fiber: opens the store, declares the queues, and lets the threads run.
  Result<> start();
  // Asks all threads to end in order.
  void stop();
  bool stopping() const { return stopping_; }
  int process() const { return process_; }
  int slot() const { return slot_; }

 private:
  Result<> open();
  void run_links(messaging::rabbitmq::Link& link);
  void consume(messaging::Consumer& consumer);
  void relay_on();
  void use(User& user);
  bool may_kill(const messaging::Delivery& delivery) const;
  void go_alone();

  Fleet* fleet_;
  Durable& w_;
  Fibers& fibers_;
  int slot_, slots_, process_;
  bool stopping_ = false;
  int busy_ = 0;                 // consumers and users that have not ended yet
  int steps_ = 0;                // under way
  std::set<const void*> alone_;  // fibers whose steps have to do with records that kill
  IdGenerator ids_;
  StoreCalls calls_;
  std::unique_ptr<storage::SqliteStore> store_;
  std::unique_ptr<SimOutbox> outbox_;
  std::unique_ptr<messaging::RabbitmqBroker> rabbit_;
  std::unique_ptr<SimCarrier> carrier_;
  std::unique_ptr<SimBroker> broker_;
  std::unique_ptr<messaging::Publisher> publisher_;
  std::unique_ptr<Stages> stages_;
  std::unique_ptr<messaging::Relay> relay_;
  std::vector<std::unique_ptr<User>> users_;
  std::map<std::string, messaging::rabbitmq::QueueState*, std::less<>> queues_;
};

}  // namespace castiel::sim
