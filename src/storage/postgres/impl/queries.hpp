#pragma once
// The read side of Reader and Transaction over one session; Base is either.

#include <limits>

#include "storage/postgres/impl/full_text.hpp"
#include "storage/postgres/impl/letters.hpp"
#include "storage/postgres/impl/missing.hpp"
#include "storage/postgres/impl/read_rows.hpp"
#include "storage/postgres/impl/session.hpp"
#include "storage/store.hpp"

namespace castiel::storage::postgres {

inline constexpr std::int64_t kRowsAtOnce = 2000;  // of what is visited row by row

template <class T, class Read>
Result<std::vector<T>> collect(Result<Rows> answer, Read read) {
  if (!answer) return std::unexpected(answer.error());
  std::vector<T> rows;
  rows.reserve(static_cast<std::size_t>(answer->size()));
  for (int i = 0; i < answer->size(); ++i) rows.push_back(read((*answer)[i]));
  return rows;
}

template <class T, class Read>
Result<std::optional<T>> first(Result<Rows> answer, Read read) {
  if (!answer) return std::unexpected(answer.error());
  if (answer->empty()) return std::optional<T>();
  return std::optional<T>(read((*answer)[0]));
}

inline Result<std::int64_t> number(Result<Rows> answer) {
  if (!answer) return std::unexpected(answer.error());
  return answer->empty() || (*answer)[0].is_null(0) ? 0 : (*answer)[0].integer(0);
}

inline Result<bool> exists(Result<Rows> answer) {
  if (!answer) return std::unexpected(answer.error());
  return !answer->empty();
}

// Which of so many are in the answer, whose first column is their number from 1 on.
inline Result<std::vector<bool>> flags(std::size_t count, Result<Rows> answer) {
  if (!answer) return std::unexpected(answer.error());
  std::vector<bool> all(count);
  for (int i = 0; i < answer->size(); ++i) all[static_cast<std::size_t>((*answer)[i].integer(0) - 1)] = true;
  return all;
}

inline std::int64_t as_limit(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int64_t>::max()));
}

template <class Base>
class Queries : public Base {
 public:
  Queries(Session session, TenantId tenant) : session_(std::move(session)), tenant_(std::move(tenant)) {}

  const TenantId& tenant() const override { return tenant_; }

  Result<std::vector<std::optional<ShardHead>>> heads(std::string_view type, std::string_view integration,
                                                      std::span<const std::string> ids) const override {
    Column wanted(kText);
    for (const auto& id : ids) wanted.add(id);
    // A look into the index for each of them, whatever the planner believes of a table that grew since it was
    // last analysed: a subquery with a limit is not made part of a join.
    CASTIEL_ASSIGN(const auto rows,
                   ask("SELECT w.n, s.* FROM unnest($4::text[]) WITH ORDINALITY AS w(external_id, n) CROSS"
                       " JOIN LATERAL (SELECT id, version, source_version, source_is_dated, content_hash,"
                       " deleted_at IS NOT NULL FROM shard WHERE tenant=$1 AND type=$2 AND integration=$3"
                       " AND external_id=w.external_id LIMIT 1) s",
                       Params(t(), type, integration).add(wanted)));
    std::vector<std::optional<ShardHead>> result(ids.size());
    for (int i = 0; i < rows.size(); ++i) {
      const auto row = rows[i];
      result[static_cast<std::size_t>(row.integer(0) - 1)] =
          ShardHead{ShardId(row.str(1)),
                    row.integer(2),
                    row.time(3),
                    row.flag(4),
                    static_cast<std::uint64_t>(row.integer(5)),
                    row.flag(6)};
    }
    return result;
  }

  Result<std::optional<model::Shard>> shard(const model::ShardKey& key) const override {
    static const std::string sql =
        std::string(kShardColumns) +
        ", source FROM shard WHERE tenant=$1 AND type=$2 AND integration=$3 AND external_id=$4";
    return first<model::Shard>(ask(sql.c_str(), Params(t(), key.type, key.integration, key.external_id)),
                               [](const Row& row) { return read_shard(row, true); });
  }

  Result<std::optional<model::Shard>> shard(const ShardId& id) const override {
    static const std::string sql =
        std::string(kShardColumns) + ", source FROM shard WHERE tenant=$1 AND id=$2";
    return first<model::Shard>(ask(sql.c_str(), Params(t(), id)),
                               [](const Row& row) { return read_shard(row, true); });
  }

  Result<std::vector<std::optional<model::Shard>>> shards_of(std::span<const ShardId> ids) const override {
    static const std::string sql =
        "SELECT s.*, w.n FROM unnest($2::text[]) WITH ORDINALITY AS w(id, n) CROSS JOIN LATERAL (" +
        std::string(kShardColumns) + ", source FROM shard WHERE tenant=$1 AND id=w.id LIMIT 1) s";
    Column wanted(kText);
    for (const auto& id : ids) wanted.add(id);
    CASTIEL_ASSIGN(const auto rows, ask(sql.c_str(), std::move(Params(t()).add(wanted))));
    std::vector<std::optional<model::Shard>> result(ids.size());
    for (int i = 0; i < rows.size(); ++i)
      result[static_cast<std::size_t>(rows[i].integer(kShardWithSourceColumns) - 1)] =
          read_shard(rows[i], true);
    return result;
  }

  Result<std::vector<std::optional<std::int64_t>>> versions_of(std::span<const ShardId> ids) const override {
    Column wanted(kText);
    for (const auto& id : ids) wanted.add(id);
    CASTIEL_ASSIGN(const auto rows,
                   ask("SELECT w.n, s.version FROM unnest($2::text[]) WITH ORDINALITY AS w(id, n) CROSS JOIN"
                       " LATERAL (SELECT version FROM shard WHERE tenant=$1 AND id=w.id LIMIT 1) s",
                       std::move(Params(t()).add(wanted))));
    std::vector<std::optional<std::int64_t>> result(ids.size());
    for (int i = 0; i < rows.size(); ++i)
      result[static_cast<std::size_t>(rows[i].integer(0) - 1)] = rows[i].integer(1);
    return result;
  }

  Result<std::vector<model::Shard>> shards(const ShardQuery& q) const override {
    static const std::string sql =
        std::string(kShardColumns) +
        ", source FROM shard WHERE tenant=$1 AND id>$2 AND ($3='' OR type=$3) AND ($4='' OR integration=$4)"
        " AND ($5 OR deleted_at IS NULL) ORDER BY id LIMIT $6";
    return collect<model::Shard>(
        ask(sql.c_str(), Params(t(), q.after, q.type, q.integration, q.include_deleted, as_limit(q.limit))),
        [](const Row& row) { return read_shard(row, true); });
  }

  Result<> each_shard(std::string_view type,
                      const std::function<Result<>(const model::Shard&)>& visit) const override {
    static const std::string sql = std::string(kShardColumns) +
                                   " FROM shard WHERE tenant=$1 AND type=$2 AND (integration, external_id) > "
                                   "($3, $4) AND deleted_at IS NULL"
                                   " ORDER BY integration, external_id LIMIT $5";
    model::ShardKey last;
    for (;;) {
      CASTIEL_ASSIGN(const auto rows,
                     ask(sql.c_str(), Params(t(), type, last.integration, last.external_id, kRowsAtOnce)));
      for (int i = 0; i < rows.size(); ++i) {
        auto shard = read_shard(rows[i], false);
        CASTIEL_TRY(visit(shard));
        if (i + 1 == rows.size()) last = std::move(shard.key);
      }
      if (rows.size() < kRowsAtOnce) return {};
    }
  }

  Result<std::int64_t> shard_count(std::string_view type) const override {
    return number(ask("SELECT count(*) FROM shard WHERE tenant=$1 AND type=$2 AND deleted_at IS NULL",
                      Params(t(), type)));
  }

  Result<std::vector<std::pair<std::string, std::int64_t>>> shard_counts() const override {
    return collect<std::pair<std::string, std::int64_t>>(
        ask("SELECT type, count(*) FROM shard WHERE tenant=$1 AND deleted_at IS NULL GROUP BY type ORDER BY "
            "type",
            Params(t())),
        [](const Row& row) { return std::pair(row.str(0), row.integer(1)); });
  }

  Result<std::vector<model::FieldChange>> history(const model::ShardKey& key) const override {
    static const std::string sql = std::string(kChangeColumns) +
                                   " WHERE tenant=$1 AND type=$2 AND integration=$3 AND external_id=$4"
                                   " ORDER BY effective_at, recorded_at, field";
    return collect<model::FieldChange>(
        ask(sql.c_str(), Params(t(), key.type, key.integration, key.external_id)), read_change);
  }

  Result<> each_change(std::string_view type,
                       const std::function<Result<>(const model::FieldChange&)>& visit) const override {
    static const std::string sql =
        std::string(kChangeColumns) +
        " WHERE tenant=$1 AND type=$2 AND (integration, external_id, effective_at, field, value_hash) >"
        " ($3, $4, $5, $6, $7) ORDER BY integration, external_id, effective_at, field, value_hash LIMIT $8";
    constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
    std::string integration, external_id, field;
    std::int64_t at = kLeast, hash = kLeast;
    for (;;) {
      CASTIEL_ASSIGN(const auto rows, ask(sql.c_str(), Params(t(), type, integration, external_id, at, field,
                                                              hash, kRowsAtOnce)));
      for (int i = 0; i < rows.size(); ++i) {
        const auto change = read_change(rows[i]);
        CASTIEL_TRY(visit(change));
        if (i + 1 < rows.size()) continue;
        integration = change.shard.integration;
        external_id = change.shard.external_id;
        field = change.field;
        at = change.effective_at.micros;
        hash = rows[i].integer(11);
      }
      if (rows.size() < kRowsAtOnce) return {};
    }
  }

  Result<std::vector<model::FieldChange>> recent_changes(std::string_view type,
                                                         std::size_t limit) const override {
    static const std::string sql =
        std::string(kChangeColumns) + " WHERE tenant=$1 AND type=$2 ORDER BY effective_at DESC LIMIT $3";
    return collect<model::FieldChange>(ask(sql.c_str(), Params(t(), type, as_limit(limit))), read_change);
  }

  Result<std::vector<Alias>> aliases(std::string_view kind, std::string_view key) const override {
    CASTIEL_TRY(names_ready());
    return collect<Alias>(
        ask("SELECT kind, key, integration, shard_id FROM alias WHERE tenant=$1 AND kind=$2 AND key=$3"
            " ORDER BY integration, shard_id LIMIT 16",
            Params(t(), kind, key)),
        read_alias);
  }

  Result<std::vector<Alias>> aliases_of_kind(std::string_view kind, std::size_t limit) const override {
    CASTIEL_TRY(names_ready());
    return collect<Alias>(ask("SELECT kind, key, integration, shard_id FROM alias WHERE tenant=$1 AND kind=$2"
                              " ORDER BY key, integration, shard_id LIMIT $3",
                              Params(t(), kind, as_limit(limit))),
                          read_alias);
  }

  Result<std::vector<Relation>> relations_from(const ShardId& from) const override {
    CASTIEL_TRY(names_ready());
    static const std::string sql = std::string(kRelationColumns) +
                                   " FROM relation r WHERE tenant=$1 AND from_id=$2 ORDER BY role, ordinal";
    return collect<Relation>(ask(sql.c_str(), Params(t(), from)), read_relation);
  }

  Result<std::vector<Relation>> relations_to(const ShardId& to) const override {
    CASTIEL_TRY(names_ready());
    static const std::string sql =
        std::string(kRelationColumns) + " FROM relation r WHERE tenant=$1 AND to_id=$2";
    return collect<Relation>(ask(sql.c_str(), Params(t(), to)), read_relation);
  }

  Result<> each_relation(std::string_view from_type,
                         const std::function<Result<>(const Relation&)>& visit) const override {
    CASTIEL_TRY(names_ready());
    // By shards, so that each page is of a bounded size however rare the type is.
    static const std::string sql =
        "WITH page AS (SELECT integration, external_id, id FROM shard WHERE tenant=$1 AND type=$2 AND"
        " (integration, external_id) > ($3, $4) AND deleted_at IS NULL ORDER BY integration, external_id "
        "LIMIT $5) " +
        std::string(kRelationColumns) +
        ", page.integration, page.external_id, dense_rank() OVER (ORDER BY page.integration, "
        "page.external_id) FROM "
        "page LEFT JOIN relation r ON r.tenant=$1 AND r.from_id=page.id ORDER BY page.integration, "
        "page.external_id, r.role, r.ordinal";
    std::string integration, external_id;
    for (;;) {
      CASTIEL_ASSIGN(const auto rows,
                     ask(sql.c_str(), Params(t(), from_type, integration, external_id, kRowsAtOnce)));
      for (int i = 0; i < rows.size(); ++i) {
        if (!rows[i].is_null(0)) CASTIEL_TRY(visit(read_relation(rows[i])));
      }
      if (rows.empty()) return {};
      const auto last = rows[rows.size() - 1];
      if (last.integer(11) < kRowsAtOnce) return {};
      integration = last.str(9);
      external_id = last.str(10);
    }
  }

  Result<std::vector<Relation>> loose_relations(std::size_t limit) const override {
    CASTIEL_TRY(names_ready());
    static const std::string sql =
        std::string(kRelationColumns) +
        " FROM relation r WHERE tenant=$1 AND to_id IS NULL AND how<>'id' LIMIT $2";
    return collect<Relation>(ask(sql.c_str(), Params(t(), as_limit(limit))), read_relation);
  }

  Result<std::vector<NamedRelation>> named_relations() const override {
    CASTIEL_TRY(names_ready());
    return collect<NamedRelation>(
        ask("SELECT kind, text, to_id, how, count(*) FROM relation WHERE tenant=$1 AND "
            "to_id IS NOT NULL AND how<>'id' GROUP BY kind, text, to_id, how",
            Params(t())),
        [](const Row& row) {
          return NamedRelation{row.str(0), row.str(1), ShardId(row.str(2)), row.str(3), row.integer(4)};
        });
  }

  Result<std::vector<LedgerEntry>> ledger(const CorrelationId& correlation) const override {
    CASTIEL_TRY(flows_ready());
    return collect<LedgerEntry>(
        ask("SELECT stage, counter, sum(value)::bigint FROM ledger WHERE tenant=$1 AND correlation=$2"
            " GROUP BY stage, counter ORDER BY stage, counter",
            Params(t(), correlation)),
        [](const Row& row) { return LedgerEntry{row.str(0), row.str(1), row.integer(2)}; });
  }

  Result<std::int64_t> pending(const CorrelationId& correlation, std::string_view queue) const override {
    CASTIEL_TRY(flows_ready());
    return number(
        ask("SELECT coalesce(sum(CASE counter WHEN 'enqueued' THEN value WHEN 'settled' THEN -value ELSE 0 "
            "END), 0)::bigint FROM ledger WHERE tenant=$1 AND correlation=$2 AND ($3='' OR stage=$3)",
            Params(t(), correlation, queue)));
  }

  Result<std::vector<FlowEntry>> flow(const CorrelationId& correlation, std::size_t limit) const override {
    CASTIEL_TRY(flows_ready());
    return collect<FlowEntry>(
        ask("SELECT at, stage, kind, type, id, text, count FROM flow_entry WHERE tenant=$1 AND "
            "correlation=$2 ORDER BY seq LIMIT $3",
            Params(t(), correlation, as_limit(limit))),
        [](const Row& row) {
          return FlowEntry{row.time(0), row.str(1), row.str(2),    row.str(3),
                           row.str(4),  row.str(5), row.integer(6)};
        });
  }

  Result<std::vector<FlowEntry>> shards_written_by(const CorrelationId& correlation,
                                                   std::size_t limit) const override {
    return collect<FlowEntry>(
        ask("SELECT updated_at, type, id, external_id, version FROM shard WHERE tenant=$1 AND correlation=$2"
            " ORDER BY type, integration, external_id LIMIT $3",
            Params(t(), correlation, as_limit(limit))),
        [](const Row& row) {
          return FlowEntry{row.time(0),
                           "store",
                           "shard",
                           row.str(1),
                           row.str(2),
                           row.str(3) + ", version " + std::to_string(row.integer(4)),
                           1};
        });
  }

  Result<std::vector<Problem>> problems(const CorrelationId& correlation, std::size_t limit) const override {
    CASTIEL_TRY(flows_ready());
    return collect<Problem>(
        ask("SELECT file, line, code, message FROM problem WHERE tenant=$1 AND correlation=$2 ORDER BY seq "
            "LIMIT $3",
            Params(t(), correlation, as_limit(limit))),
        [](const Row& row) { return Problem{row.str(0), row.integer(1), row.str(2), row.str(3)}; });
  }

  Result<std::vector<Insight>> insights(std::string_view kind) const override {
    return collect<Insight>(
        ask("SELECT shard_id, kind, as_of, payload, correlation, recorded_at FROM insight WHERE "
            "tenant=$1 AND kind=$2 ORDER BY shard_id",
            Params(t(), kind)),
        read_insight);
  }

  Result<std::optional<Insight>> insight(std::string_view kind, const ShardId& shard) const override {
    return first<Insight>(
        ask("SELECT shard_id, kind, as_of, payload, correlation, recorded_at FROM insight WHERE "
            "tenant=$1 AND kind=$2 AND shard_id=$3",
            Params(t(), kind, shard)),
        read_insight);
  }

  Result<std::optional<ImportRun>> import_run(const CorrelationId& correlation) const override {
    return first<ImportRun>(
        ask("SELECT correlation, status, started_at, finished_at, detail FROM import_run WHERE "
            "tenant=$1 AND correlation=$2",
            Params(t(), correlation)),
        read_run);
  }

  Result<std::vector<ImportRun>> import_runs(std::size_t limit) const override {
    return collect<ImportRun>(
        ask("SELECT correlation, status, started_at, finished_at, detail FROM import_run WHERE "
            "tenant=$1 ORDER BY started_at DESC LIMIT $2",
            Params(t(), as_limit(limit))),
        read_run);
  }

  Result<std::optional<ImportedFile>> imported_file(std::string_view sha256,
                                                    std::string_view mapping) const override {
    return first<ImportedFile>(
        ask("SELECT sha256, mapping, correlation, complete, dated, cursor, records FROM "
            "imported_file WHERE tenant=$1 AND sha256=$2 AND mapping=$3",
            Params(t(), sha256, mapping)),
        [](const Row& row) {
          return ImportedFile{row.str(0), row.str(1),    CorrelationId(row.str(2)), row.flag(3), row.flag(4),
                              row.str(5), row.integer(6)};
        });
  }

  Result<std::optional<std::string>> cursor(std::string_view integration,
                                            std::string_view name) const override {
    return first<std::string>(
        ask("SELECT value FROM sync_cursor WHERE tenant=$1 AND integration=$2 AND name=$3",
            Params(t(), integration, name)),
        [](const Row& row) { return row.str(0); });
  }

  Result<std::vector<std::pair<std::string, std::string>>> settings() const override {
    return collect<std::pair<std::string, std::string>>(
        ask("SELECT key, value FROM tenant_setting WHERE tenant=$1 ORDER BY key", Params(t())),
        [](const Row& row) { return std::pair(row.str(0), row.str(1)); });
  }

  Result<std::vector<AuditEntry>> audit(std::size_t limit) const override {
    return collect<AuditEntry>(
        ask("SELECT at, actor, action, target, detail FROM audit WHERE tenant=$1 ORDER BY seq DESC LIMIT $2",
            Params(t(), as_limit(limit))),
        [](const Row& row) {
          return AuditEntry{row.time(0), row.str(1), row.str(2), row.str(3), row.str(4)};
        });
  }

  Result<std::int64_t> data_version() const override {
    return number(ask("SELECT sum(data_version)::bigint FROM tenant_version WHERE tenant=$1", Params(t())));
  }

  Result<std::int64_t> directory_version() const override {
    return number(
        ask("SELECT sum(directory_version)::bigint FROM tenant_version WHERE tenant=$1", Params(t())));
  }

  Result<std::vector<Link>> links(const LinkQuery& q) const override {
    // One text a shape, so that the planner sees which index serves.
    std::string sql = std::string(kLinkColumns) +
                      " WHERE tenant=$1 AND (CASE $2 WHEN '' THEN status<>'ignored' ELSE status=$2 END)"
                      " AND ($3='' OR to_type=$3) AND id>$4";
    Params params(t(), q.status, q.to_type, q.after, as_limit(q.limit));
    if (!q.from.empty()) {
      sql += " AND from_id=$6";
      params.add(q.from);
    }
    if (!q.to.empty()) {
      sql += q.from.empty() ? " AND to_id=$6" : " AND to_id=$7";
      params.add(q.to);
    }
    sql += " ORDER BY id LIMIT $5";
    return collect<Link>(ask(sql.c_str(), params), read_link);
  }

  Result<std::optional<Link>> link(std::string_view id) const override {
    static const std::string sql = std::string(kLinkColumns) + " WHERE tenant=$1 AND id=$2";
    return first<Link>(ask(sql.c_str(), Params(t(), id)), read_link);
  }

  Result<std::vector<LinkFeedback>> link_feedback() const override {
    return collect<LinkFeedback>(
        ask("SELECT strategy, approved, rejected FROM link_feedback WHERE tenant=$1 ORDER BY strategy",
            Params(t())),
        [](const Row& row) { return LinkFeedback{row.str(0), row.integer(1), row.integer(2)}; });
  }

  Result<std::vector<Interaction>> interactions(std::string_view person, std::size_t limit) const override {
    return collect<Interaction>(ask("SELECT person, at, shard_id, own, type, direction, size FROM interaction"
                                    " WHERE tenant=$1 AND person=$2 ORDER BY at DESC, shard_id LIMIT $3",
                                    Params(t(), person, as_limit(limit))),
                                [](const Row& row) {
                                  return Interaction{row.str(0),
                                                     row.time(1),
                                                     ShardId(row.str(2)),
                                                     row.str(3),
                                                     row.str(4),
                                                     row.str(5),
                                                     static_cast<int>(row.integer(6))};
                                });
  }

  Result<std::vector<ShardId>> shards_with(const Footprint& f, std::size_t limit) const override {
    return collect<ShardId>(ask("SELECT shard_id FROM footprint WHERE tenant=$1 AND kind=$2 AND key=$3 ORDER "
                                "BY shard_id LIMIT $4",
                                Params(t(), f.kind, f.key, as_limit(limit))),
                            [](const Row& row) { return ShardId(row.str(0)); });
  }

  Result<std::vector<Footprint>> footprints(const ShardId& shard) const override {
    return collect<Footprint>(
        ask("SELECT kind, key FROM footprint WHERE tenant=$1 AND shard_id=$2 ORDER BY kind, key",
            Params(t(), shard)),
        [](const Row& row) { return Footprint{row.str(0), row.str(1)}; });
  }

  Result<bool> any_footprint_besides(const Footprint& f) const override {
    // Two ranges of the key, each ended by its first row.
    return exists(
        ask("(SELECT 1 FROM footprint WHERE tenant=$1 AND kind=$2 AND key<$3 LIMIT 1) UNION ALL"
            " (SELECT 1 FROM footprint WHERE tenant=$1 AND kind=$2 AND key>$3 LIMIT 1)",
            Params(t(), f.kind, f.key)));
  }

  Result<std::vector<CorrelationId>> flows_since(Timestamp since, std::size_t limit) const override {
    CASTIEL_TRY(flows_ready());
    return collect<CorrelationId>(
        ask("SELECT DISTINCT correlation FROM flow_entry WHERE tenant=$1 AND at>=$2 LIMIT $3",
            Params(t(), since, as_limit(limit))),
        [](const Row& row) { return CorrelationId(row.str(0)); });
  }
  Result<std::vector<MissingShard>> missing_shards(std::size_t limit) const override {
    CASTIEL_TRY(names_ready());
    CASTIEL_TRY(texts_ready());
    return find_missing_shards(session_, t(), limit);
  }

  Result<SearchAnswer> search(const SearchQuery& q) const override {
    CASTIEL_TRY(texts_ready());
    return full_text_search(session_, tenant_, q);
  }
  Result<std::vector<SearchChunk>> chunks(const ShardId& shard) const override {
    CASTIEL_TRY(texts_ready());
    return collect<SearchChunk>(
        ask("SELECT shard_id, type, ordinal, at, locator, title, text FROM search_chunk"
            " WHERE tenant=$1 AND shard_id=$2 ORDER BY ordinal",
            Params(t(), shard)),
        read_chunk);
  }
  Result<std::int64_t> chunk_count() const override {
    CASTIEL_TRY(texts_ready());
    return number(ask("SELECT sum(chunks)::bigint FROM search_size WHERE tenant=$1", Params(t())));
  }

  Result<std::optional<Timestamp>> leased_until(std::string_view name) const override {
    return first<Timestamp>(
        ask("SELECT until FROM lease WHERE tenant=$1 AND name=$2 AND owner<>''", Params(t(), name)),
        [](const Row& row) { return row.time(0); });
  }

  Result<std::optional<Timestamp>> oldest_waiting(std::string_view queue) const override {
    CASTIEL_TRY(flows_ready());
    // Of messages in another process only the ledger knows: then it is the beginning of their oldest flow.
    CASTIEL_ASSIGN(
        const auto rows,
        ask("SELECT min(since) FROM (SELECT (SELECT min(f.at) FROM flow_entry f WHERE f.tenant=$1 AND"
            " f.correlation=e.correlation) AS since FROM (SELECT correlation, sum(value) AS value FROM "
            "ledger WHERE"
            " tenant=$1 AND stage=$2 AND counter='enqueued' GROUP BY correlation) e WHERE e.value > "
            "coalesce((SELECT"
            " sum(s.value) FROM ledger s WHERE s.tenant=$1 AND s.correlation=e.correlation AND s.stage=$2 AND"
            " s.counter='settled'), 0) UNION ALL SELECT min(since) FROM parked_key WHERE tenant=$1 AND "
            "queue=$2) w",
            Params(t(), queue)));
    return rows[0].is_null(0) ? std::nullopt : std::optional(rows[0].time(0));
  }

  Result<bool> in_inbox(std::string_view consumer, std::string_view message_id) const override {
    return exists(ask("SELECT 1 FROM inbox WHERE tenant=$1 AND consumer=$2 AND message_id=$3",
                      Params(t(), consumer, message_id)));
  }

  Result<std::vector<bool>> all_in_inbox(std::string_view consumer,
                                         std::span<const std::string> message_ids) const override {
    Column wanted(kText);
    for (const auto& id : message_ids) wanted.add(id);
    return flags(message_ids.size(),
                 ask("SELECT w.n FROM unnest($3::text[]) WITH ORDINALITY AS w(id, n) WHERE EXISTS (SELECT 1"
                     " FROM inbox WHERE tenant=$1 AND consumer=$2 AND message_id=w.id LIMIT 1)",
                     std::move(Params(t(), consumer).add(wanted))));
  }

  Result<bool> any_parked(std::string_view queue) const override {
    return exists(ask("SELECT 1 FROM parked_key WHERE tenant=$1 AND queue=$2 LIMIT 1", Params(t(), queue)));
  }

  Result<std::vector<std::string>> parked_keys(std::string_view queue) const override {
    return collect<std::string>(ask(parked_keys_sql(), Params(t(), queue)),
                                [](const Row& row) { return row.str(0); });
  }

  Result<std::vector<DeadLetter>> dead_letters(std::string_view queue, std::string_view after,
                                               std::size_t limit) const override {
    LetterQuery query;
    query.queue = queue;
    query.after = after;
    query.limit = limit;
    return find_letters(session_, t(), query);
  }
  Result<std::optional<DeadLetter>> dead_letter(std::string_view id) const override {
    return find_letter(session_, t(), id);
  }
  Result<std::vector<DeadLetter>> letters(const LetterQuery& query) const override {
    return find_letters(session_, t(), query);
  }
  Result<std::vector<LetterGroup>> letter_groups(const LetterQuery& query, LetterGrouping by) const override {
    return group_letters(session_, t(), query, by);
  }

  Result<std::int64_t> dead_letter_count() const override {
    return number(ask("SELECT count(*) FROM dead_letter WHERE tenant=$1 AND state='dead'", Params(t())));
  }

 protected:
  // A transaction keeps some writes back; before a question about them they have to be there.
  virtual Result<> names_ready() const { return {}; }  // aliases and relations
  virtual Result<> texts_ready() const { return {}; }  // of the full-text index
  virtual Result<> flows_ready() const { return {}; }  // ledger, story, problems, outbox
  virtual const char* parked_keys_sql() const {
    return "SELECT key FROM parked_key WHERE tenant=$1 AND queue=$2 ORDER BY key";
  }

  virtual Result<Rows> ask(const char* sql, const Params& params) const {
    return session_.query(sql, params);
  }
  const std::string& t() const { return tenant_.str(); }
  Session& session() const { return session_; }

 private:
  mutable Session session_;
  TenantId tenant_;
};

}  // namespace castiel::storage::postgres
