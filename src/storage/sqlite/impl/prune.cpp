// What is kept for a time only.

#include "storage/sqlite/impl/transaction.hpp"

namespace castiel::storage::sqlite {

Result<std::vector<std::pair<std::string, std::int64_t>>> SqliteTransaction::prune(const KeptSince& since,
                                                                                   std::int64_t max_rows) {
  std::vector<std::pair<std::string, std::int64_t>> removed;
  const auto note = [&](const char* table) {
    if (const auto n = sqlite3_changes64(db().handle()); n > 0) removed.emplace_back(table, n);
  };
  CASTIEL_TRY(
      write("DELETE FROM inbox WHERE (tenant, consumer, message_id) IN (SELECT tenant, consumer, message_id "
            "FROM inbox "
            "INDEXED BY inbox_age WHERE tenant=? AND at<? ORDER BY at LIMIT ?)",
            t(), since.inbox, max_rows));
  note("inbox");
  CASTIEL_TRY(write(
      "DELETE FROM shard_version WHERE (tenant, shard_id, version) IN (SELECT tenant, shard_id, version FROM "
      "shard_version INDEXED BY shard_version_age WHERE tenant=? AND replaced_at<? ORDER BY replaced_at "
      "LIMIT "
      "?)",
      t(), since.versions, max_rows));
  note("shard_version");
  CASTIEL_TRY(write(
      "DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter INDEXED BY dead_letter_age WHERE "
      "tenant=? AND done_at IS NOT NULL AND done_at<? ORDER BY done_at LIMIT ?)",
      t(), since.dead_letters, max_rows));
  note("dead_letter");
  CASTIEL_TRY(
      write("DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine INDEXED BY quarantine_age WHERE "
            "tenant=? AND at<? ORDER BY at LIMIT ?)",
            t(), since.quarantine, max_rows));
  note("quarantine");
  CASTIEL_TRY(prune_flow(since.flows, max_rows, removed));
  return removed;
}

Result<> SqliteTransaction::prune_flow(Timestamp before, std::int64_t max_rows,
                                       std::vector<std::pair<std::string, std::int64_t>>& removed) {
  // A flow that still has messages or parked records, or an unfinished import, stays whole however old it is.
  auto flow = first<std::string>(
      query(
          db(),
          "SELECT f.correlation FROM (SELECT DISTINCT correlation FROM flow_entry INDEXED BY flow_entry_age "
          "WHERE "
          "tenant=?1 AND at<?2) f"
          " WHERE NOT EXISTS (SELECT 1 FROM flow_entry n INDEXED BY flow_entry_correlation WHERE "
          "n.correlation=f.correlation AND n.tenant=?1 AND n.at>=?2)"
          " AND NOT EXISTS (SELECT 1 FROM import_run r WHERE r.tenant=?1 AND r.correlation=f.correlation AND "
          "r.status='running')"
          " AND (SELECT coalesce(sum(CASE counter WHEN 'enqueued' THEN value WHEN 'settled' THEN -value ELSE "
          "0 "
          "END), 0) FROM ledger l WHERE l.tenant=?1 AND l.correlation=f.correlation) <= 0 LIMIT 1",
          t(), before),
      [](const Statement& row) { return row.str(0); });
  if (!flow) return std::unexpected(flow.error());
  if (!*flow) return {};
  const std::string& correlation = **flow;
  const auto note = [&](const char* table) {
    if (const auto n = sqlite3_changes64(db().handle()); n > 0) removed.emplace_back(table, n);
  };
  CASTIEL_TRY(
      write("DELETE FROM flow_entry WHERE seq IN (SELECT seq FROM flow_entry WHERE correlation=? AND "
            "tenant=? ORDER BY seq LIMIT ?)",
            correlation, t(), max_rows));
  note("flow_entry");
  CASTIEL_ASSIGN(auto left, query(db(), "SELECT 1 FROM flow_entry WHERE correlation=? AND tenant=? LIMIT 1",
                                  correlation, t()));
  CASTIEL_ASSIGN(const bool more, left.step());
  if (more) return {};
  CASTIEL_TRY(write("DELETE FROM ledger WHERE tenant=? AND correlation=?", t(), correlation));
  note("ledger");
  CASTIEL_TRY(write("DELETE FROM problem WHERE tenant=? AND correlation=?", t(), correlation));
  note("problem");
  CASTIEL_TRY(write("DELETE FROM import_run WHERE tenant=? AND correlation=?", t(), correlation));
  note("import_run");
  CASTIEL_TRY(
      write("DELETE FROM lease WHERE tenant=? AND name=?", t(), import_lease(CorrelationId(correlation))));
  note("lease");
  // The files the run had seen.
  CASTIEL_TRY(write("DELETE FROM sync_cursor WHERE tenant=? AND integration=?", t(), correlation));
  note("sync_cursor");
  return {};
}

}  // namespace castiel::storage::sqlite
