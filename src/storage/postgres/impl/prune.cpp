// What is kept for a time only.

#include "storage/postgres/impl/transaction.hpp"

namespace castiel::storage::postgres {

Result<std::vector<std::pair<std::string, std::int64_t>>> PostgresTransaction::prune(const KeptSince& since,
                                                                                     std::int64_t max_rows) {
  CASTIEL_TRY(write_flows());
  std::vector<std::pair<std::string, std::int64_t>> removed;
  const auto remove = [&](const char* table, const char* sql, Timestamp before) -> Result<> {
    CASTIEL_ASSIGN(const auto rows, ask(sql, Params(t(), before, max_rows)));
    if (rows.affected() > 0) removed.emplace_back(table, rows.affected());
    return {};
  };
  CASTIEL_TRY(
      remove("inbox",
             "DELETE FROM inbox i USING (SELECT consumer, message_id FROM inbox WHERE tenant=$1 AND at<$2"
             " ORDER BY at LIMIT $3) o WHERE i.tenant=$1 AND i.consumer=o.consumer AND"
             " i.message_id=o.message_id",
             since.inbox));
  CASTIEL_TRY(
      remove("shard_version",
             "DELETE FROM shard_version v USING (SELECT shard_id, version FROM shard_version WHERE tenant=$1"
             " AND replaced_at<$2 ORDER BY replaced_at LIMIT $3) o WHERE v.tenant=$1 AND"
             " v.shard_id=o.shard_id AND v.version=o.version",
             since.versions));
  CASTIEL_TRY(
      remove("dead_letter",
             "DELETE FROM dead_letter d USING (SELECT id FROM dead_letter WHERE tenant=$1 AND done_at IS NOT"
             " NULL AND done_at<$2 ORDER BY done_at LIMIT $3) o WHERE d.tenant=$1 AND d.id=o.id",
             since.dead_letters));
  CASTIEL_TRY(
      remove("quarantine",
             "DELETE FROM quarantine d USING (SELECT id FROM quarantine WHERE tenant=$1 AND at<$2 ORDER BY at"
             " LIMIT $3) o WHERE d.tenant=$1 AND d.id=o.id",
             since.quarantine));
  CASTIEL_TRY(prune_flow(since.flows, max_rows, removed));
  return removed;
}

Result<> PostgresTransaction::prune_flow(Timestamp before, std::int64_t max_rows,
                                         std::vector<std::pair<std::string, std::int64_t>>& removed) {
  // A flow that still has messages or parked records, or an unfinished import, stays whole however old it is.
  CASTIEL_ASSIGN(
      const auto flows,
      ask("SELECT f.correlation FROM (SELECT DISTINCT correlation FROM flow_entry WHERE tenant=$1 AND at<$2) "
          "f"
          " WHERE NOT EXISTS (SELECT 1 FROM flow_entry n WHERE n.tenant=$1 AND n.correlation=f.correlation "
          "AND n.at>=$2)"
          " AND NOT EXISTS (SELECT 1 FROM import_run r WHERE r.tenant=$1 AND r.correlation=f.correlation AND"
          " r.status='running') AND (SELECT coalesce(sum(CASE counter WHEN 'enqueued' THEN value WHEN "
          "'settled' THEN"
          " -value ELSE 0 END), 0) FROM ledger l WHERE l.tenant=$1 AND l.correlation=f.correlation) <= 0 "
          "LIMIT 1",
          Params(t(), before)));
  if (flows.empty()) return {};
  const std::string correlation = flows[0].str(0);
  const auto remove = [&](const char* table, const char* sql) -> Result<> {
    CASTIEL_ASSIGN(const auto rows, ask(sql, Params(t(), correlation)));
    if (rows.affected() > 0) removed.emplace_back(table, rows.affected());
    return {};
  };
  CASTIEL_ASSIGN(
      const auto story,
      ask("DELETE FROM flow_entry e USING (SELECT seq FROM flow_entry WHERE tenant=$1 AND correlation=$2"
          " ORDER BY seq LIMIT $3) o WHERE e.tenant=$1 AND e.correlation=$2 AND e.seq=o.seq",
          Params(t(), correlation, max_rows)));
  if (story.affected() > 0) removed.emplace_back("flow_entry", story.affected());
  CASTIEL_ASSIGN(const auto left, ask("SELECT 1 FROM flow_entry WHERE tenant=$1 AND correlation=$2 LIMIT 1",
                                      Params(t(), correlation)));
  if (!left.empty()) return {};
  CASTIEL_TRY(remove("ledger", "DELETE FROM ledger WHERE tenant=$1 AND correlation=$2"));
  CASTIEL_TRY(remove("problem", "DELETE FROM problem WHERE tenant=$1 AND correlation=$2"));
  CASTIEL_TRY(remove("import_run", "DELETE FROM import_run WHERE tenant=$1 AND correlation=$2"));
  CASTIEL_TRY(remove("lease", "DELETE FROM lease WHERE tenant=$1 AND name='import/'||$2"));
  // The files the run had seen.
  return remove("sync_cursor", "DELETE FROM sync_cursor WHERE tenant=$1 AND integration=$2");
}

}  // namespace castiel::storage::postgres
