#pragma once
// The outbox over its tables, for relays: across tenants, as the operator's role.

#include "storage/outbox.hpp"
#include "storage/postgres/impl/listener.hpp"
#include "storage/postgres/impl/routes.hpp"
#include "storage/postgres/impl/session.hpp"

namespace castiel::storage::postgres {

// Reads the bindings as they are now.
Result<> read_routes(Session& session, Routes& routes);

class PostgresOutbox final : public Outbox {
 public:
  PostgresOutbox(Pool& pool, Routes& routes, Listener& written, const Clock& clock, Limits limits)
      : pool_(&pool), routes_(&routes), written_(&written), clock_(&clock), limits_(limits) {}

  // Which queues the messages of a type go to, by topic patterns; replaces what the queue had before.
  // publish() counts `enqueued` under each of them. Known to all processes from their next transaction on;
  // repeating it costs a read.
  Result<> bind(std::string_view queue, std::span<const std::string> patterns) override;
  // Called after commits of this process that wrote to the outbox, by the committing thread.
  void on_written(std::function<void()> listener) override { written_->set(std::move(listener)); }

  Result<std::vector<OutboxLease>> lease(std::string_view owner, int most, Duration term) override;
  Result<> give_back(std::string_view owner) override;
  Result<std::vector<OutboxMessage>> waiting(const OutboxLease& lease, std::span<const std::int64_t> skip,
                                             std::size_t limit, std::size_t bytes) override;
  Result<std::vector<std::optional<std::vector<OutboxMessage>>>> waiting_in(
      std::span<const Look> looks) override;
  Result<> published(const OutboxLease& lease, std::span<const std::int64_t> rows) override;
  Result<std::vector<std::string>> queues_for(std::string_view type) override;
  Result<std::vector<Last>> last_published(const TenantId& tenant, int lane) override;
  Result<Depth> depth() override;
  Result<> add(Transaction& tx, std::string_view queue, const OutgoingMessage& message,
               std::string_view record_key, Timestamp due, std::string_view errors) override;

 private:
  Result<Session> session();

  Pool* pool_;
  Routes* routes_;
  Listener* written_;
  const Clock* clock_;
  Limits limits_;
};

}  // namespace castiel::storage::postgres
