#include "messaging/testing/broker_catalogue.hpp"

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>

#include "messaging/embedded/embedded_broker.hpp"
#include "messaging/rabbitmq/rabbitmq_broker.hpp"
#include "messaging/relay.hpp"
#include "messaging/testing/rabbitmq_server.hpp"

namespace castiel::messaging::testing {

namespace {

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().describe());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-broker-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string database() const { return (path_ / "castiel.db").string(); }

 private:
  std::filesystem::path path_;
};

std::unique_ptr<storage::SqliteStore> open_store(const Folder& folder, const Clock& clock,
                                                 storage::SqliteStore::PublishTo publish_to) {
  storage::SqliteStore::Options options;
  options.path = folder.database();
  options.publish_to = publish_to;
  options.sync = false;
  return value_or_throw(storage::SqliteStore::open(options, clock));
}

class EmbeddedWorld final : public BrokerWorld {
 public:
  explicit EmbeddedWorld(const Clock& clock) : clock_(&clock) { open(); }
  ~EmbeddedWorld() override {
    broker_.reset();
    store_.reset();
  }
  storage::Store& store() override { return *store_; }
  Broker& broker() override { return *broker_; }
  void declare(const QueueSpec& queue) override {
    value_or_throw(broker_->declare(queue));
    queues_.push_back(queue);
  }
  void restart() override {
    broker_.reset();
    store_.reset();
    open();
    for (const auto& queue : queues_) value_or_throw(broker_->declare(queue));
  }

 private:
  void open() {
    store_ = open_store(folder_, *clock_, storage::SqliteStore::PublishTo::queues);
    broker_ = value_or_throw(EmbeddedBroker::create(*store_, *clock_));
  }

  const Clock* clock_;
  Folder folder_;
  std::vector<QueueSpec> queues_;
  std::unique_ptr<storage::SqliteStore> store_;
  std::unique_ptr<EmbeddedBroker> broker_;
};

// One for the whole program.
RabbitmqServer& rabbitmq() {
  static const auto server = value_or_throw(RabbitmqServer::start());
  return *server;
}

class RabbitmqWorld final : public BrokerWorld {
 public:
  RabbitmqWorld(const Clock& clock, Random& random)
      : clock_(&clock),
        random_(&random),
        store_(open_store(folder_, clock, storage::SqliteStore::PublishTo::outbox)) {
    open();
  }
  ~RabbitmqWorld() override {
    close();
    broker_ = make_broker();
    for (const auto& queue : queues_) (void)broker_->remove(queue);
  }
  storage::Store& store() override { return *store_; }
  Broker& broker() override { return *broker_; }
  void declare(const QueueSpec& queue) override {
    value_or_throw(broker_->declare(queue));
    queues_.push_back(queue);
  }
  void restart() override {
    close();
    store_ = open_store(folder_, *clock_, storage::SqliteStore::PublishTo::outbox);
    open();
    for (const auto& queue : queues_) value_or_throw(broker_->declare(queue));
  }

 private:
  std::unique_ptr<RabbitmqBroker> make_broker() {
    RabbitmqOptions options;
    options.url = Secret(rabbitmq().url());
    options.partitions = 2;
    return value_or_throw(RabbitmqBroker::create(options, *store_, *clock_, *random_, {}));
  }
  void open() {
    broker_ = make_broker();
    RelayOptions options;
    options.owner = "test";
    relay_ = std::make_unique<Relay>(store_->outbox(), broker_->carrier(), *clock_, telemetry::Log(), nullptr,
                                     options);
    thread_ = std::make_unique<RelayThread>(*relay_, store_->outbox(), *clock_, telemetry::Log());
    thread_->start();
  }
  void close() {
    thread_.reset();
    relay_.reset();
    broker_.reset();
  }

  const Clock* clock_;
  Random* random_;
  Folder folder_;
  std::vector<QueueSpec> queues_;
  std::unique_ptr<storage::SqliteStore> store_;
  std::unique_ptr<RabbitmqBroker> broker_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<RelayThread> thread_;
};

}  // namespace

std::vector<BrokerEntry> broker_catalogue() {
  return {
      {"embedded",
       [](const Clock& clock, Random&) -> std::unique_ptr<BrokerWorld> {
         return std::make_unique<EmbeddedWorld>(clock);
       }},
      {"rabbitmq",
       [](const Clock& clock, Random& random) -> std::unique_ptr<BrokerWorld> {
         return std::make_unique<RabbitmqWorld>(clock, random);
       }},
  };
}

}  // namespace castiel::messaging::testing
