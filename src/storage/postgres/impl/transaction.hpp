#pragma once
// Transaction over one session. What needs no answer is queued on the connection. Kept back until a question
// or the commit needs them: what takes locks others may wait for (names and relations, ledger, versions), so
// that locks are held for as short as can be and taken in one order; and what is written as one statement for
// many rows (texts, story, problems, outbox).

#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/outbox.hpp"
#include "storage/postgres/impl/listener.hpp"
#include "storage/postgres/impl/queries.hpp"
#include "storage/postgres/impl/routes.hpp"

namespace castiel::storage::postgres {

// Transactions that add to the same counter do so in different rows, if their connections differ in this.
inline constexpr int kStripes = 8;

class PostgresTransaction final : public Queries<Transaction> {
 public:
  // `written` is told after a commit that wrote to the outbox.
  PostgresTransaction(Session session, Routes& routes, const Listener& written, const Clock& clock,
                      TenantId tenant)
      : Queries(std::move(session), std::move(tenant)),
        routes_(&routes),
        written_(&written),
        clock_(&clock) {}

  Result<> commit() override;
  Result<> put_shards(std::span<const ShardWrite> writes) override;
  Result<std::int64_t> add_changes(std::span<const model::FieldChange> changes) override;
  Result<> put_aliases(std::span<const Alias> aliases) override;
  Result<> drop_aliases(const ShardId& shard) override;
  Result<> put_relations(std::span<const Relation> relations) override;
  Result<> resolve_relation(const Relation& relation) override;
  Result<> publish(std::string_view stage, const OutgoingMessage& message) override;
  Result<bool> add_to_inbox(std::string_view consumer, std::string_view message_id) override;
  Result<std::vector<bool>> add_all_to_inbox(std::string_view consumer,
                                             std::span<const std::string> message_ids) override;
  Result<> count(const CorrelationId& correlation, std::string_view stage, std::string_view counter,
                 std::int64_t by) override;
  Result<> add_flow_entry(const CorrelationId& correlation, const FlowEntry& entry) override;
  Result<> add_problem(const CorrelationId& correlation, const Problem& problem) override;
  Result<> put_dead_letter(const DeadLetter& letter) override;
  Result<> set_dead_letter_state(std::string_view id, std::string_view state) override;
  Result<> set_replay_outcome(std::string_view id, std::string_view outcome, std::string_view by) override;
  Result<> forget_shard(const ShardId& id) override;
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

  // A message that waits for a relay; empty queue: routed by its type.
  Result<> add_outgoing(std::string_view queue, const OutgoingMessage& message, std::string_view record_key,
                        Timestamp due, std::string_view errors);

 protected:
  Result<> names_ready() const override { return const_cast<PostgresTransaction*>(this)->write_names(); }
  Result<> flows_ready() const override { return const_cast<PostgresTransaction*>(this)->write_flows(); }
  Result<> texts_ready() const override { return const_cast<PostgresTransaction*>(this)->write_texts(); }
  // Locked, so that none of them is unmarked until this transaction has parked behind it what it must.
  const char* parked_keys_sql() const override {
    return "SELECT key FROM parked_key WHERE tenant=$1 AND queue=$2 ORDER BY key FOR SHARE";
  }
  Result<Rows> ask(const char* sql, const Params& params) const override;

 private:
  struct Kept {
    const char* sql;
    Params params;
    Connection::Then then;
  };
  // A transaction that failed once commits nothing.
  Result<> fail(Error error) const;
  Result<> write(const char* sql, const Params& params, Connection::Then then = {});
  void keep(const char* sql, Params params, Connection::Then then = {});
  // Excludes who looks names up (`exclusive`), or who makes them, until the end of this transaction.
  void lock_name(std::string_view kind, std::string_view key, bool exclusive);
  Result<> write_names();
  Result<> write_flows();
  Result<> write_ledger();
  Result<> write_texts();
  Result<> write_problems();
  Result<> insert_shards(std::span<const ShardWrite* const> writes);
  Result<> update_shards(std::span<const ShardWrite* const> writes);
  void add_fresh(const Relation& relation);
  void keep_fresh();
  void relate_by_id(std::span<const Relation* const> relations);
  // `fresh`: none of them can be there already.
  void relate_by_name(std::span<const Relation* const> relations, bool fresh);
  Result<> prune_flow(Timestamp before, std::int64_t max_rows,
                      std::vector<std::pair<std::string, std::int64_t>>& removed);
  std::int64_t stripe() const { return session().number() % kStripes; }

  Routes* routes_;
  const Listener* written_;
  const Clock* clock_;
  bool finished_ = false;
  bool wrote_outbox_ = false;
  bool data_changed_ = false;
  bool directory_changed_ = false;
  mutable std::optional<Error> failed_;
  std::unordered_set<std::string> fresh_;  // shards inserted here: no relation can be theirs yet

  std::map<std::int64_t, bool> locks_;  // by number; exclusive
  std::string last_kind_;
  std::uint64_t last_place_ = 0;
  // Kept back until something else is said of relations: what all inserted shards come to is two statements.
  struct NewIds {
    Column kind{kText}, key{kText}, integration{kText}, id{kText};
  };
  NewIds new_ids_;
  struct FreshRelations {
    Column from{kText}, role{kText}, ordinal{kInt8}, integration{kText}, kind{kText}, key{kText}, text{kText},
        target{kInt8};
    std::unordered_map<std::string, std::int64_t> targets;  // their numbers
    Column target_type{kText}, target_integration{kText}, target_key{kText};
  };
  FreshRelations fresh_relations_;
  std::vector<Kept> kept_;  // aliases and relations, in order of the calls
  std::map<std::tuple<std::string, std::string, std::string>, std::int64_t> counts_;  // flow, stage, counter
  struct NoteOfFlow {
    CorrelationId correlation;
    FlowEntry entry;
  };
  std::vector<NoteOfFlow> story_;
  static constexpr std::size_t kMaxTextBytes = std::size_t{8} << 20;  // kept back, to be written together
  struct Texts {
    WordReader reader;
    std::set<std::string> shards;
    Column shard{kText}, type{kText}, ordinal{kInt8}, at{kInt8}, words{kInt8}, locator{kText}, title{kText},
        text{kText}, tokens{kText};
    std::int64_t chunks = 0, all_words = 0;
    std::size_t bytes = 0;
  };
  std::unique_ptr<Texts> texts_;
  std::vector<std::pair<CorrelationId, Problem>> problems_;
  struct Outgoing {
    OutgoingMessage message;
    std::string queue, record_key, errors;
    Timestamp due;
  };
  std::vector<Outgoing> outgoing_;
};

}  // namespace castiel::storage::postgres
