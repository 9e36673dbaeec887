#pragma once
// The store: Reader (a consistent snapshot of one tenant), Transaction (a Reader that also writes,
// atomically) and Store, which hands them out. One Transaction is one step (architecture decision 1): what a
// step changed, consumed and says next commit together. Every Reader and Transaction belongs to one tenant
// (TENANT-2).
//
// Threads: a Store may be used by many; a Reader or Transaction by one at a time. All calls block on disk.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "storage/records.hpp"

namespace castiel::storage {

class Outbox;

struct ShardQuery {
  std::string type;         // empty: every type
  std::string integration;  // empty: every integration
  ShardId after;            // rows with a greater id follow; ids are time-ordered
  std::size_t limit = 500;
  bool include_deleted = false;
};

class Reader {
 public:
  virtual ~Reader() = default;
  virtual const TenantId& tenant() const = 0;

  // One head for each key, in order; nothing where there is no such shard.
  virtual Result<std::vector<std::optional<ShardHead>>> heads(
      std::string_view type, std::string_view integration,
      std::span<const std::string> external_ids) const = 0;
  virtual Result<std::optional<model::Shard>> shard(const model::ShardKey& key) const = 0;
  virtual Result<std::optional<model::Shard>> shard(const ShardId& id) const = 0;
  // The same for many at once, one for each id, in order; where the store is another process, one question.
  virtual Result<std::vector<std::optional<model::Shard>>> shards_of(std::span<const ShardId> ids) const;
  // Present versions, one for each id, in order; nothing where there is no such shard.
  virtual Result<std::vector<std::optional<std::int64_t>>> versions_of(std::span<const ShardId> ids) const;
  // In id order.
  virtual Result<std::vector<model::Shard>> shards(const ShardQuery& query) const = 0;
  // Calls `visit` for every live shard of a type, in key order, without `source`; stops at its first error.
  virtual Result<> each_shard(std::string_view type,
                              const std::function<Result<>(const model::Shard&)>& visit) const = 0;
  // Live shards of one type.
  virtual Result<std::int64_t> shard_count(std::string_view type) const = 0;
  // Live shards by type.
  virtual Result<std::vector<std::pair<std::string, std::int64_t>>> shard_counts() const = 0;
  // Oldest first by effective time.
  virtual Result<std::vector<model::FieldChange>> history(const model::ShardKey& key) const = 0;
  virtual Result<> each_change(std::string_view type,
                               const std::function<Result<>(const model::FieldChange&)>& visit) const = 0;
  // The newest `limit` changes of a type by effective time, newest first.
  virtual Result<std::vector<model::FieldChange>> recent_changes(std::string_view type,
                                                                 std::size_t limit) const = 0;

  virtual Result<std::vector<Alias>> aliases(std::string_view kind, std::string_view key) const = 0;
  virtual Result<std::vector<Alias>> aliases_of_kind(std::string_view kind, std::size_t limit) const = 0;
  virtual Result<std::vector<Relation>> relations_from(const ShardId& from) const = 0;
  virtual Result<std::vector<Relation>> relations_to(const ShardId& to) const = 0;
  virtual Result<> each_relation(std::string_view from_type,
                                 const std::function<Result<>(const Relation&)>& visit) const = 0;
  // Relations not resolved yet.
  virtual Result<std::vector<Relation>> loose_relations(std::size_t limit) const = 0;
  // How often each name was taken for which shard.
  virtual Result<std::vector<NamedRelation>> named_relations() const = 0;

  virtual Result<std::vector<LedgerEntry>> ledger(const CorrelationId& correlation) const = 0;
  // Queue entries and parked records of this flow that are not settled yet, in one queue or (empty) in all; 0
  // in all means the flow is idle.
  virtual Result<std::int64_t> pending(const CorrelationId& correlation,
                                       std::string_view queue = {}) const = 0;
  virtual Result<std::vector<FlowEntry>> flow(const CorrelationId& correlation, std::size_t limit) const = 0;
  // The flows of which something was told since then, in no order.
  virtual Result<std::vector<CorrelationId>> flows_since(Timestamp since, std::size_t limit) const = 0;
  // Shards that are named but not stored, in id order (FLOW-11). Reads the tables that name shards.
  virtual Result<std::vector<MissingShard>> missing_shards(std::size_t limit) const = 0;
  // The shards whose present version this flow wrote, in key order, as story entries. Reads all of the
  // tenant's shards.
  virtual Result<std::vector<FlowEntry>> shards_written_by(const CorrelationId& correlation,
                                                           std::size_t limit) const = 0;
  virtual Result<std::vector<Problem>> problems(const CorrelationId& correlation,
                                                std::size_t limit) const = 0;

  virtual Result<std::vector<Insight>> insights(std::string_view kind) const = 0;
  virtual Result<std::optional<Insight>> insight(std::string_view kind, const ShardId& shard) const = 0;
  virtual Result<std::optional<ImportRun>> import_run(const CorrelationId& correlation) const = 0;
  virtual Result<std::vector<ImportRun>> import_runs(std::size_t limit) const = 0;  // newest first
  virtual Result<std::optional<ImportedFile>> imported_file(std::string_view sha256,
                                                            std::string_view mapping) const = 0;
  virtual Result<std::optional<std::string>> cursor(std::string_view integration,
                                                    std::string_view name) const = 0;
  virtual Result<std::vector<std::pair<std::string, std::string>>> settings() const = 0;
  virtual Result<std::vector<AuditEntry>> audit(std::size_t limit) const = 0;  // newest first
  // Grows with every committed change of the tenant's shards, history or relations.
  virtual Result<std::int64_t> data_version() const = 0;

  // Grows with every committed change of CRM shards, their names or relations; content leaves it alone.
  virtual Result<std::int64_t> directory_version() const = 0;

  virtual Result<std::vector<Link>> links(const LinkQuery& query) const = 0;  // in id order
  virtual Result<std::optional<Link>> link(std::string_view id) const = 0;
  virtual Result<std::vector<LinkFeedback>> link_feedback() const = 0;
  // Newest first.
  virtual Result<std::vector<Interaction>> interactions(std::string_view person, std::size_t limit) const = 0;
  // Content shards with this key, in id order.
  virtual Result<std::vector<ShardId>> shards_with(const Footprint& footprint, std::size_t limit) const = 0;
  virtual Result<std::vector<Footprint>> footprints(const ShardId& shard) const = 0;
  // Whether some content shard has another key of this kind.
  virtual Result<bool> any_footprint_besides(const Footprint& footprint) const = 0;
  // Only texts of this tenant are looked at, and only they count in the scores. Words match whatever their
  // case, accents and (English) endings. No text of a term is ever syntax.
  virtual Result<SearchAnswer> search(const SearchQuery& query) const = 0;
  virtual Result<std::vector<SearchChunk>> chunks(const ShardId& shard) const = 0;
  virtual Result<std::int64_t> chunk_count() const = 0;

  // Since when the oldest message or parked record of a queue waits; nothing when the queue is empty.
  virtual Result<std::optional<Timestamp>> oldest_waiting(std::string_view queue) const = 0;
  // Until when somebody has the lease, which may be past; nothing when nobody has.
  virtual Result<std::optional<Timestamp>> leased_until(std::string_view name) const = 0;

  virtual Result<bool> in_inbox(std::string_view consumer, std::string_view message_id) const = 0;
  // The same for many at once, in order.
  virtual Result<std::vector<bool>> all_in_inbox(std::string_view consumer,
                                                 std::span<const std::string> message_ids) const;
  virtual Result<bool> any_parked(std::string_view queue) const = 0;
  virtual Result<std::vector<std::string>> parked_keys(std::string_view queue) const = 0;
  virtual Result<std::vector<DeadLetter>> dead_letters(std::string_view queue, std::string_view after,
                                                       std::size_t limit) const = 0;
  virtual Result<std::optional<DeadLetter>> dead_letter(std::string_view id) const = 0;  // in either place
  virtual Result<std::int64_t> dead_letter_count() const = 0;
  // In id order, so those of one record's key in the order they came.
  virtual Result<std::vector<DeadLetter>> letters(const LetterQuery& query) const = 0;
  // The letters a query chooses (its limit, `after` and `with_payload` do not count), in groups, most first.
  virtual Result<std::vector<LetterGroup>> letter_groups(const LetterQuery& query,
                                                         LetterGrouping by) const = 0;
};

// Whether the import is unfinished and somebody is at it: one that was killed brings nothing more until it is
// taken up.
Result<bool> is_under_way(const Reader& reader, const ImportRun& run, Timestamp now);

class Transaction : public Reader {
 public:
  // Durable when it returns: `synchronous=full`. Errors: store_full, store_failed (nothing was kept);
  // commit_unknown (it may have been kept: the work has to be repeated, which the inbox makes harmless).
  // A Transaction destroyed without commit leaves nothing behind.
  virtual Result<> commit() = 0;

  // Error version_conflict (conditional) when a shard is not at its expected version any more; of many new
  // ones perhaps from a later call, at the latest from commit(). An update keeps the version it replaces,
  // source too.
  virtual Result<> put_shards(std::span<const ShardWrite> writes) = 0;
  // Changes already known (same shard, field, time and value) are left as they are; returns how many were
  // new.
  virtual Result<std::int64_t> add_changes(std::span<const model::FieldChange> changes) = 0;
  // Also resolves relations that wait for one of these aliases.
  virtual Result<> put_aliases(std::span<const Alias> aliases) = 0;
  // Removes the aliases of the shards and kinds given that are not in `keep`: a renamed account loses its old
  // name.
  virtual Result<> drop_aliases(const ShardId& shard) = 0;
  // Replaces all relations of each shard that occurs as `from`, resolving them where aliases exist.
  virtual Result<> put_relations(std::span<const Relation> relations) = 0;
  virtual Result<> resolve_relation(const Relation& relation) = 0;
  // Removes what names a shard that is not there any more; relations to it wait for another one. History
  // stays. Error conflict when it is there.
  virtual Result<> forget_shard(const ShardId& id) = 0;

  // To every queue bound to the type, or to the outbox when the broker is another process. Counts `out` in
  // the ledger under `stage`, and `enqueued` under each queue.
  virtual Result<> publish(std::string_view stage, const OutgoingMessage& message) = 0;
  // False when the consumer has had this message before.
  virtual Result<bool> add_to_inbox(std::string_view consumer, std::string_view message_id) = 0;
  // The same for many at once, in order.
  virtual Result<std::vector<bool>> add_all_to_inbox(std::string_view consumer,
                                                     std::span<const std::string> message_ids);
  virtual Result<> count(const CorrelationId& correlation, std::string_view stage, std::string_view counter,
                         std::int64_t by) = 0;
  virtual Result<> add_flow_entry(const CorrelationId& correlation, const FlowEntry& entry) = 0;
  // At most kMaxProblems for each flow are kept; the counter `problems` of the ledger counts all.
  virtual Result<> add_problem(const CorrelationId& correlation, const Problem& problem) = 0;

  virtual Result<> put_dead_letter(const DeadLetter& letter) = 0;  // to its place
  // Of either place. Error not_found when it is not open (any more).
  virtual Result<> set_dead_letter_state(std::string_view id, std::string_view state) = 0;
  // What became of a letter that was replayed: `outcome` effect or dead, `by` the letter it ended as. Dead
  // stays dead: of a message that was split some records may have had their effect. No error when the letter
  // is gone.
  virtual Result<> set_replay_outcome(std::string_view id, std::string_view outcome, std::string_view by) = 0;
  // Parks a record behind its key; the first record of a key only marks the key.
  virtual Result<> park(std::string_view queue, std::string_view key, const OutgoingMessage& record) = 0;
  virtual Result<> mark_parked(std::string_view queue, std::string_view key) = 0;
  // Takes the next record parked behind the key; unmarks the key and returns nothing when there is none.
  virtual Result<std::optional<OutgoingMessage>> unpark(std::string_view queue, std::string_view key) = 0;

  virtual Result<> put_insight(const Insight& insight) = 0;
  virtual Result<> put_import_run(const ImportRun& run) = 0;
  virtual Result<> put_imported_file(const ImportedFile& file) = 0;
  virtual Result<> put_cursor(std::string_view integration, std::string_view name,
                              std::string_view value) = 0;
  virtual Result<> put_setting(std::string_view key, std::string_view value) = 0;

  // Takes the lease for now + `term`, or renews the owner's own; nothing while another owner has it. Free are
  // leases nobody had, that were given back, or that ran out. Kept when the transaction commits.
  virtual Result<std::optional<Lease>> take_lease(std::string_view name, std::string_view owner,
                                                  Duration term) = 0;
  // What this transaction writes counts only while the lease is this one: nobody else takes it before the
  // transaction is over. Error lease_lost, here or at the commit.
  virtual Result<> hold_lease(const Lease& lease) = 0;
  // No error when another owner has it.
  virtual Result<> give_back_lease(const Lease& lease) = 0;

  virtual Result<> add_audit(const AuditEntry& entry) = 0;

  // Removes rows older than asked for, at most `max_rows` of each table, and gives how many of which table
  // went: nothing once there is nothing left. A flow goes as a whole when nothing of it waits in a queue, so
  // its last removal may be of more rows: all its counters and problems.
  virtual Result<std::vector<std::pair<std::string, std::int64_t>>> prune(const KeptSince& since,
                                                                          std::int64_t max_rows) = 0;

  // Inserts, or replaces the link of the same two shards; its id and time of creation stay. One that a person
  // decided is only replaced by another decision.
  virtual Result<> put_links(std::span<const Link> links) = 0;
  // Removes the link unless a person decided it.
  virtual Result<> drop_link(std::string_view id) = 0;
  virtual Result<> add_link_feedback(const LinkFeedback& feedback) = 0;  // adds to the counts
  // These three replace what the shard had.
  virtual Result<> put_interactions(const ShardId& shard, std::span<const Interaction> interactions) = 0;
  virtual Result<> put_footprints(const ShardId& shard, std::span<const Footprint> footprints) = 0;
  virtual Result<> put_chunks(const ShardId& shard, std::span<const SearchChunk> chunks) = 0;

  static constexpr std::int64_t kMaxProblems = 10'000;
};

// What an operator may see across tenants; every use is audited by its caller.
class OperatorView {
 public:
  virtual ~OperatorView() = default;
  virtual Result<std::vector<TenantInfo>> tenants() const = 0;
  virtual Result<std::vector<DeadLetter>> dead_letters(std::string_view queue, std::string_view after,
                                                       std::size_t limit) const = 0;
  virtual Result<std::int64_t> dead_letter_count() const = 0;
  // Open dead letters and parked records by queue, over all tenants.
  virtual Result<std::vector<std::pair<std::string, std::int64_t>>> dead_letters_by_queue() const = 0;
  virtual Result<std::vector<std::pair<std::string, std::int64_t>>> parked_by_queue() const = 0;
  // Unfinished import runs whose lease is free or this owner's, oldest first.
  virtual Result<std::vector<TenantImport>> imports_for(std::string_view owner, std::size_t limit) const = 0;
  // The tenant a flow belongs to.
  virtual Result<std::optional<TenantId>> tenant_of(const CorrelationId& correlation) const = 0;
  virtual Result<std::optional<TenantId>> tenant_of_dead_letter(
      std::string_view id) const = 0;  // either place
  // As the Reader's, over all tenants.
  virtual Result<std::vector<DeadLetter>> letters(const LetterQuery& query) const = 0;
  virtual Result<std::vector<LetterGroup>> letter_groups(const LetterQuery& query,
                                                         LetterGrouping by) const = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  virtual Result<std::unique_ptr<Reader>> read(const TenantId& tenant) = 0;
  // Waits for the writer until the deadline. Errors: store_busy (transient), unknown_tenant.
  virtual Result<std::unique_ptr<Transaction>> begin(const TenantId& tenant, Deadline deadline) = 0;
  virtual Result<> create_tenant(const TenantId& tenant, Deadline deadline) = 0;  // no error if it exists
  virtual Result<bool> tenant_exists(const TenantId& tenant) = 0;
  // Removes everything the tenant has (TENANT-4) and returns how many rows of each table went.
  virtual Result<std::vector<std::pair<std::string, std::int64_t>>> erase_tenant(const TenantId& tenant,
                                                                                 Deadline deadline) = 0;
  virtual Result<std::unique_ptr<OperatorView>> operator_view() = 0;
  // Messages for a broker in another process. Lives as long as the store.
  virtual Outbox& outbox() = 0;
};

}  // namespace castiel::storage
