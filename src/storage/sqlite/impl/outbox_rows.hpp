#pragma once
// The outbox in the store's file, with the leases of its partitions.

#include "storage/outbox.hpp"
#include "storage/sqlite/impl/readers.hpp"
#include "storage/sqlite/impl/transaction.hpp"
#include "storage/sqlite/impl/writer.hpp"

namespace castiel::storage::sqlite {

class SqliteOutbox final : public Outbox {
 public:
  SqliteOutbox(Writer& writer, ReaderPool& readers, Routes& routes, const Clock& clock,
               CallObserver* observer)
      : writer_(&writer), readers_(&readers), routes_(&routes), clock_(&clock), observer_(observer) {}

  // Takes up the bindings an earlier process left, so that what is published before the queues are declared
  // again is counted.
  Result<> load();
  // Takes over what waits on the other footing: the queues' rows into the outbox, or the outbox's into the
  // queues.
  Result<> adopt(SqliteStore::PublishTo publish_to);

  Result<> bind(std::string_view queue, std::span<const std::string> patterns) override;
  void on_written(std::function<void()> listener) override { writer_->on_outbox(std::move(listener)); }
  Result<std::vector<OutboxLease>> lease(std::string_view owner, int most, Duration term) override;
  Result<> give_back(std::string_view owner) override;
  Result<std::vector<OutboxMessage>> waiting(const OutboxLease& lease, std::span<const std::int64_t> skip,
                                             std::size_t limit, std::size_t bytes) override;
  Result<> published(const OutboxLease& lease, std::span<const std::int64_t> rows) override;
  Result<std::vector<std::string>> queues_for(std::string_view type) override;
  Result<std::vector<Last>> last_published(const TenantId& tenant, int lane) override;
  Result<Depth> depth() override;
  Result<> add(Transaction& tx, std::string_view queue, const OutgoingMessage& message,
               std::string_view record_key, Timestamp due, std::string_view errors) override;

 private:
  Result<> observe(std::string_view call) const {
    return observer_ == nullptr ? Result<>() : observer_->before(call);
  }
  Deadline soon() const;
  Result<bool> adopt_queued();
  Result<bool> adopt_outbox();

  Writer* writer_;
  ReaderPool* readers_;
  Routes* routes_;
  const Clock* clock_;
  CallObserver* observer_;
};

}  // namespace castiel::storage::sqlite
