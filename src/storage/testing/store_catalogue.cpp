#include "storage/testing/store_catalogue.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>

#include "storage/postgres/postgres_store.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "storage/testing/postgres_server.hpp"

namespace castiel::storage::testing {

namespace {

class SqliteHost final : public StoreHost {
 public:
  SqliteHost(const Clock& clock, PublishTo publish_to) : clock_(&clock), publish_to_(publish_to) {
    std::string pattern = (std::filesystem::temp_directory_path() / "castiel-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SqliteHost() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  Store& store() override { return *store_; }
  Result<> declare_queue(const std::string& queue, const std::vector<std::string>& patterns) override {
    std::vector<Binding> bindings;
    for (const auto& pattern : patterns) bindings.push_back({pattern, queue});
    return store_->queue_rows().declare(queue, 5, bindings);
  }
  Result<> reopen() override {
    store_.reset();
    SqliteStore::Options options;
    options.path = folder_ + "/castiel.db";
    options.sync = false;
    if (publish_to_ == PublishTo::outbox) options.publish_to = SqliteStore::PublishTo::outbox;
    CASTIEL_ASSIGN(store_, SqliteStore::open(options, *clock_));
    return {};
  }

 private:
  const Clock* clock_;
  PublishTo publish_to_;
  std::string folder_;
  std::unique_ptr<SqliteStore> store_;
};

// One server for all stores of this program, with a database that has the schema already.
Result<PostgresServer*> shared_postgres(const Clock& clock) {
  static auto server = PostgresServer::start();
  if (!server) return std::unexpected(server.error());
  static auto prepared = [&]() -> Result<> {
    CASTIEL_TRY((*server)->create_database("prepared"));
    auto store = PostgresStore::open({.url = (*server)->url("prepared")}, clock);
    if (!store) return std::unexpected(store.error());
    return {};
  }();
  if (!prepared) return std::unexpected(prepared.error());
  return server->get();
}

class PostgresHost final : public StoreHost {
 public:
  PostgresHost(const Clock& clock, PostgresServer& server, std::string database)
      : clock_(&clock), server_(&server), database_(std::move(database)) {}
  ~PostgresHost() override {
    store_.reset();
    (void)server_->drop_database(database_);
  }
  Store& store() override { return *store_; }
  Result<> declare_queue(const std::string& queue, const std::vector<std::string>& patterns) override {
    return store_->outbox().bind(queue, patterns);
  }
  Result<> reopen() override {
    store_.reset();
    CASTIEL_ASSIGN(store_, PostgresStore::open({.url = server_->url(database_)}, *clock_));
    return {};
  }

 private:
  const Clock* clock_;
  PostgresServer* server_;
  std::string database_;
  std::unique_ptr<PostgresStore> store_;
};

Result<std::unique_ptr<StoreHost>> open_sqlite(const Clock& clock, PublishTo publish_to) {
  auto host = std::make_unique<SqliteHost>(clock, publish_to);
  CASTIEL_TRY(host->reopen());
  return host;
}

// It has no queues: what is published goes to the outbox.
Result<std::unique_ptr<StoreHost>> open_postgres(const Clock& clock, PublishTo) {
  CASTIEL_ASSIGN(auto* server, shared_postgres(clock));
  static int number = 0;
  const std::string database = fmt::format("store_{}", ++number);
  CASTIEL_TRY(server->create_database(database, "prepared"));
  auto host = std::make_unique<PostgresHost>(clock, *server, database);
  CASTIEL_TRY(host->reopen());
  return host;
}

}  // namespace

std::span<const StoreKind> store_catalogue() {
  static const std::vector<StoreKind> kinds = {{"sqlite", open_sqlite}, {"postgres", open_postgres}};
  return kinds;
}

}  // namespace castiel::storage::testing
