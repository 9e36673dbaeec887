#pragma once
// The outbox over its tables, for relays: across tenants, as the operator's role.

#include "storage/outbox.hpp"
#include "storage/postgres/impl/session.hpp"

namespace castiel::storage::postgres {

class PostgresOutbox final : public Outbox {
 public:
  PostgresOutbox(Pool& pool, const Clock& clock, Limits limits)
      : pool_(&pool), clock_(&clock), limits_(limits) {}

  Result<std::vector<OutboxLease>> lease(std::string_view owner, int most, Duration term) override;
  Result<> give_back(std::string_view owner) override;
  Result<std::vector<OutboxMessage>> waiting(const OutboxLease& lease, std::span<const std::int64_t> skip,
                                             std::size_t limit, std::size_t bytes) override;
  Result<> published(const OutboxLease& lease, std::span<const std::int64_t> rows) override;
  Result<Depth> depth() override;
  Result<> add(Transaction& tx, std::string_view queue, const OutgoingMessage& message,
               std::string_view record_key, Timestamp due, std::string_view errors) override;

 private:
  Result<Session> session();

  Pool* pool_;
  const Clock* clock_;
  Limits limits_;
};

}  // namespace castiel::storage::postgres
