#include "storage/sqlite/impl/blob_references.hpp"

#include <fmt/format.h>

#include <set>

#include "storage/blob_references.hpp"
#include "storage/sqlite/impl/queries.hpp"

namespace castiel::storage::sqlite {

namespace {

// Names, counters, texts of people: nothing in them stands for a blob.
const std::set<std::string_view> kWithoutBlobs{
    "alias",     "same_as",       "relation",       "relation_segment",
    "inbox",     "parked_key",    "ledger",         "flow_entry",
    "problem",   "audit",         "link",           "link_feedback",
    "tenant",    "search_chunk",  "tenant_setting", "interaction",
    "footprint", "search_tenant", "lease",          "outbox_last"};

struct OwnedStatement {
  ~OwnedStatement() { sqlite3_finalize(handle); }
  sqlite3_stmt* handle = nullptr;
};

Result<std::vector<std::string>> text_columns(Connection& db, std::string_view table) {
  return collect<std::string>(
      query(db, "SELECT name FROM pragma_table_info(?) WHERE type IN ('TEXT','BLOB')", table),
      [](const Statement& row) { return row.str(0); });
}

}  // namespace

Result<> each_blob_reference(Connection& db, const std::vector<std::string>& tables, std::string_view tenant,
                             const std::function<void(std::string_view sha256)>& visit) {
  for (const auto& table : tables) {
    if (kWithoutBlobs.contains(table)) continue;
    CASTIEL_ASSIGN(const auto columns, text_columns(db, table));
    std::string any;
    for (const auto& column : columns)
      any += fmt::format("{}instr({},'blob:')>0", any.empty() ? "" : " OR ", column);
    const auto sql =
        fmt::format("SELECT {} FROM {} WHERE tenant=? AND ({})", fmt::join(columns, ","), table, any);
    // Not one of the connection's own statements, which are literals.
    OwnedStatement owned;
    if (const int code = sqlite3_prepare_v2(db.handle(), sql.c_str(), -1, &owned.handle, nullptr);
        code != SQLITE_OK)
      return std::unexpected(to_error(db.handle(), code, "looking for blobs"));
    Statement row(db.handle(), owned.handle);
    row.bind(tenant);
    for (;;) {
      CASTIEL_ASSIGN(const bool more, row.step());
      if (!more) break;
      for (int column = 0; column < static_cast<int>(columns.size()); ++column)
        find_blob_urls(row.text(column), visit);
    }
  }
  return {};
}

Result<std::optional<Timestamp>> oldest_flow_under_way(Connection& db, std::string_view tenant) {
  auto began = first<std::optional<Timestamp>>(
      query(db,
            "SELECT min(began) FROM (SELECT coalesce("
            "(SELECT started_at FROM import_run r WHERE r.tenant=l.tenant AND r.correlation=l.correlation),"
            "(SELECT min(f.at) FROM flow_entry f WHERE f.correlation=l.correlation AND f.tenant=l.tenant), 0)"
            " AS began FROM ledger l WHERE l.tenant=? GROUP BY l.correlation HAVING sum(CASE l.counter WHEN "
            "'enqueued' THEN l.value WHEN 'settled' "
            "THEN -l.value ELSE 0 END) > 0)",
            tenant),
      [](const Statement& row) { return row.is_null(0) ? std::nullopt : std::optional(row.time(0)); });
  if (!began) return std::unexpected(began.error());
  return *began ? **began : std::nullopt;
}

}  // namespace castiel::storage::sqlite
