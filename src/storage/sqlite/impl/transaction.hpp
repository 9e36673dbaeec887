#pragma once
// Transaction over the writer's connection.

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/sqlite/impl/queries.hpp"
#include "storage/sqlite/impl/writer.hpp"

namespace castiel::storage::sqlite {

// Bindings by event type, resolved once per type. Filled when queues are declared, before consumers start.
class Routes {
 public:
  void set(std::vector<Binding> bindings);
  std::vector<std::string> queues_for(const std::string& type);

 private:
  std::mutex mutex_;
  std::vector<Binding> bindings_;
  std::unordered_map<std::string, std::vector<std::string>> resolved_;
};

// Within a transaction on the connection: replaces a queue's bindings, and tells the routes of all.
Result<> keep_bindings(Connection& db, Routes& routes, std::string_view queue,
                       const std::vector<Binding>& bindings);
Result<std::vector<Binding>> read_bindings(Connection& db);

class SqliteTransaction final : public Queries<Transaction> {
 public:
  SqliteTransaction(Writer& writer, Routes& routes, const Clock& clock, SqliteStore::PublishTo publish_to,
                    TenantId tenant)
      : Queries(writer.connection(), std::move(tenant), publish_to == SqliteStore::PublishTo::outbox),
        writer_(&writer),
        routes_(&routes),
        clock_(&clock),
        publish_to_(publish_to) {}
  ~SqliteTransaction() override;

  Result<> commit() override;
  Result<> put_shards(std::span<const ShardWrite> writes) override;
  Result<std::int64_t> add_changes(std::span<const model::FieldChange> changes) override;
  Result<> put_aliases(std::span<const Alias> aliases) override;
  Result<> drop_aliases(const ShardId& shard) override;
  Result<> put_relations(std::span<const Relation> relations) override;
  Result<> resolve_relation(const Relation& relation) override;
  Result<> forget_shard(const ShardId& id) override;
  Result<> publish(std::string_view stage, const OutgoingMessage& message) override;
  Result<bool> add_to_inbox(std::string_view consumer, std::string_view message_id) override;
  Result<> count(const CorrelationId& correlation, std::string_view stage, std::string_view counter,
                 std::int64_t by) override;
  Result<> add_flow_entry(const CorrelationId& correlation, const FlowEntry& entry) override;
  Result<> add_problem(const CorrelationId& correlation, const Problem& problem) override;
  Result<> put_dead_letter(const DeadLetter& letter) override;
  Result<> set_dead_letter_state(std::string_view id, std::string_view state) override;
  Result<> set_replay_outcome(std::string_view id, std::string_view outcome, std::string_view by) override;
  Result<> park(std::string_view queue, std::string_view key, const OutgoingMessage& record) override;
  Result<> mark_parked(std::string_view queue, std::string_view key) override;
  Result<std::optional<OutgoingMessage>> unpark(std::string_view queue, std::string_view key) override;
  Result<> put_insight(const Insight& insight) override;
  Result<> put_import_run(const ImportRun& run) override;
  Result<> put_imported_file(const ImportedFile& file) override;
  Result<> put_cursor(std::string_view integration, std::string_view name, std::string_view value) override;
  Result<> put_setting(std::string_view key, std::string_view value) override;
  Result<std::optional<Lease>> take_lease(std::string_view name, std::string_view owner,
                                          Duration term) override;
  Result<> hold_lease(const Lease& lease) override;
  Result<> give_back_lease(const Lease& lease) override;
  Result<> add_audit(const AuditEntry& entry) override;
  Result<std::vector<std::pair<std::string, std::int64_t>>> prune(const KeptSince& since,
                                                                  std::int64_t max_rows) override;

  Result<> put_links(std::span<const Link> links) override;
  Result<> drop_link(std::string_view id) override;
  Result<> add_link_feedback(const LinkFeedback& feedback) override;
  Result<> put_interactions(const ShardId& shard, std::span<const Interaction> interactions) override;
  Result<> put_footprints(const ShardId& shard, std::span<const Footprint> footprints) override;
  Result<> put_chunks(const ShardId& shard, std::span<const SearchChunk> chunks) override;

  // For the embedded broker's rows, which commit with the step.
  Result<> add_queued(std::string_view queue, const OutgoingMessage& message, std::string_view record_key,
                      Timestamp available_at, std::string_view errors);
  Result<> remove_queued(const QueuedMessage& message);
  // For a broker elsewhere: to `queue`, or routed by its type where that is empty.
  Result<> add_to_outbox(std::string_view queue, const OutgoingMessage& message, std::string_view record_key,
                         Timestamp due, std::string_view errors);

 private:
  struct Target {
    std::optional<ShardId> to;
    std::string how;
  };
  // Runs a write and remembers a failure: a transaction that failed once commits nothing.
  template <class... Values>
  Result<> write(const char* sql, const Values&... values) {
    if (failed_) return std::unexpected(*failed_);
    if (auto* observer = writer_->observer()) CASTIEL_TRY(observer->before(sql));
    auto done = run(db(), sql, values...);
    if (!done) failed_ = done.error();
    return done;
  }
  // One flow that may go, with its story's first rows; the rest of it once these were the last.
  Result<> prune_flow(Timestamp before, std::int64_t max_rows,
                      std::vector<std::pair<std::string, std::int64_t>>& removed);
  Result<Target> find_target(const Relation& relation);
  struct Segment {
    std::int64_t number = 0;
    std::int64_t entries = 0;
  };
  Result<std::int64_t> next_segment();  // of the next relation; counts it
  Result<> keep_segment();
  // Whether some relation of this kind could still get a target, or another.
  Result<bool> anything_waits(const std::string& kind);

  Writer* writer_;
  Routes* routes_;
  const Clock* clock_;
  SqliteStore::PublishTo publish_to_;
  bool finished_ = false;
  bool data_changed_ = false;
  bool directory_changed_ = false;
  std::optional<Error> failed_;
  std::vector<LaneChange> lane_changes_;
  bool wrote_outbox_ = false;
  std::optional<Segment> segment_;                   // the tenant's last, once a relation was written
  std::unordered_map<std::string, Target> targets_;  // alias look-ups of this transaction
  std::unordered_map<std::string, bool> waiting_;    // by kind, see anything_waits
  std::unordered_set<std::string> fresh_;            // shards inserted here: no relation can be theirs yet
};

}  // namespace castiel::storage::sqlite
