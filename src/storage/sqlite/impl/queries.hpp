#pragma once
// The read side of Reader and Transaction over one connection; Base is either.

#include <fmt/format.h>

#include <algorithm>

#include "storage/sqlite/impl/connection.hpp"
#include "storage/sqlite/impl/full_text.hpp"
#include "storage/store.hpp"

namespace castiel::storage::sqlite {

inline constexpr char kShardColumns[] =
    "SELECT type, integration, external_id, id, version, source_version, source_is_dated, content_hash, "
    "correlation,"
    " created_at, updated_at, deleted_at, origin, data, source FROM shard ";

inline model::Shard read_shard(const Statement& row, bool with_source = true) {
  model::Shard shard;
  shard.key = {row.str(0), row.str(1), row.str(2)};
  shard.id = ShardId(row.str(3));
  shard.version = row.integer(4);
  shard.source_version = row.time(5);
  shard.source_is_dated = row.integer(6) != 0;
  shard.content_hash = static_cast<std::uint64_t>(row.integer(7));
  shard.correlation = CorrelationId(row.str(8));
  shard.created_at = row.time(9);
  shard.updated_at = row.time(10);
  if (!row.is_null(11)) shard.deleted_at = row.time(11);
  shard.origin = row.str(12);
  shard.data = row.str(13);
  if (with_source) shard.source = row.str(14);
  return shard;
}

inline constexpr char kChangeColumns[] =
    "SELECT type, integration, external_id, field, old_value, new_value, effective_at, recorded_at, origin, "
    "actor, correlation"
    " FROM field_change ";

inline model::FieldChange read_change(const Statement& row) {
  return {{row.str(0), row.str(1), row.str(2)},
          row.str(3),
          row.optional_text(4),
          row.optional_text(5),
          row.time(6),
          row.time(7),
          row.str(8),
          row.str(9),
          CorrelationId(row.str(10))};
}

inline constexpr char kRelationColumns[] =
    "SELECT from_id, role, ordinal, integration, kind, key, text, to_id, how FROM relation ";

inline Relation read_relation(const Statement& row) {
  Relation r{ShardId(row.str(0)), row.str(1), static_cast<int>(row.integer(2)),
             row.str(3),          row.str(4), row.str(5),
             row.str(6),          {},         row.str(8)};
  if (!row.is_null(7)) r.to = ShardId(row.str(7));
  return r;
}

inline constexpr char kLetterColumns[] =
    "id, tenant, queue, type, at, deliveries, code, message, pointer, record_key, correlation, state, "
    "signature, repeats, replay_of, outcome, outcome_id, message_id, reason, fix";
inline constexpr char kDeadLetterColumns[] =
    "SELECT id, tenant, queue, type, at, deliveries, code, message, pointer, record_key, correlation, state, "
    "signature, repeats, replay_of, outcome, outcome_id, message_id, reason, fix, errors, payload, shown"
    " FROM dead_letter ";

inline DeadLetter read_dead_letter(const Statement& row) {
  DeadLetter letter;
  letter.id = row.str(0);
  letter.tenant = TenantId(row.str(1));
  letter.queue = row.str(2);
  letter.type = row.str(3);
  letter.at = row.time(4);
  letter.deliveries = static_cast<int>(row.integer(5));
  letter.code = row.str(6);
  letter.message = row.str(7);
  letter.pointer = row.str(8);
  letter.key = row.str(9);
  letter.correlation = CorrelationId(row.str(10));
  letter.state = row.str(11);
  letter.signature = row.str(12);
  letter.repeats = static_cast<int>(row.integer(13));
  letter.replay_of = row.str(14);
  letter.outcome = row.str(15);
  letter.outcome_id = row.str(16);
  letter.message_id = row.str(17);
  letter.reason = row.str(18);
  letter.fix = row.str(19);
  letter.errors = failures_from_json(row.text(20));
  letter.payload = row.str(21);
  letter.size = static_cast<std::int64_t>(letter.payload.size());
  letter.shown = row.str(22);
  return letter;
}

inline const char* letter_table(LetterPlace place) {
  return place == LetterPlace::dead ? "dead_letter" : "quarantine";
}

inline constexpr char kLinkColumns[] =
    "SELECT id, from_id, from_type, to_id, to_type, strategy, confidence, status, reason, evidence, "
    "created_by,"
    " created_at, last_verified_at, decided_by, correlation FROM link ";

inline Link read_link(const Statement& row) {
  return {row.str(0),
          ShardId(row.str(1)),
          row.str(2),
          ShardId(row.str(3)),
          row.str(4),
          row.str(5),
          static_cast<int>(row.integer(6)),
          row.str(7),
          row.str(8),
          row.str(9),
          row.str(10),
          row.time(11),
          row.time(12),
          row.str(13),
          CorrelationId(row.str(14))};
}

// Runs a prepared and bound query, turning each row into a T.
template <class T, class Read>
Result<std::vector<T>> collect(Result<Statement> statement, Read read) {
  if (!statement) return std::unexpected(statement.error());
  std::vector<T> rows;
  for (;;) {
    CASTIEL_ASSIGN(const bool more, statement->step());
    if (!more) return rows;
    rows.push_back(read(*statement));
  }
}

template <class T, class Read>
Result<std::optional<T>> first(Result<Statement> statement, Read read) {
  if (!statement) return std::unexpected(statement.error());
  CASTIEL_ASSIGN(const bool found, statement->step());
  if (!found) return std::optional<T>();
  return std::optional<T>(read(*statement));
}

template <class... Values>
Result<Statement> query(Connection& connection, const char* sql, const Values&... values) {
  auto statement = connection.prepare(sql);
  if (statement) statement->bind(values...);
  return statement;
}

template <class... Values>
Result<> run(Connection& connection, const char* sql, const Values&... values) {
  CASTIEL_ASSIGN(auto statement, connection.prepare(sql));
  return statement.bind(values...).run();
}

// Of one tenant, or (empty) of all.
inline Result<std::vector<DeadLetter>> find_letters(Connection& connection, const std::string& tenant,
                                                    const LetterQuery& q) {
  // Statements are cached by the address of their text: each combination has one for good.
  const auto text = [](LetterPlace place, bool with_payload) {
    return fmt::format(
        "SELECT {}, {} FROM {} WHERE (?1='' OR tenant=?1) AND id>?2 AND (?3='' OR queue=?3) AND (?4='' OR "
        "signature=?4) AND (CASE ?5 WHEN 'any' THEN 1 WHEN 'open' THEN state IN ('dead','held') ELSE "
        "state=?5 "
        "END) ORDER BY id LIMIT ?6",
        kLetterColumns, with_payload ? "errors, payload, shown" : "'', length(CAST(payload AS BLOB)), ''",
        letter_table(place));
  };
  static const std::string kTexts[] = {text(LetterPlace::dead, false), text(LetterPlace::dead, true),
                                       text(LetterPlace::quarantine, false),
                                       text(LetterPlace::quarantine, true)};
  const auto& sql = kTexts[(q.place == LetterPlace::quarantine ? 2 : 0) + (q.with_payload ? 1 : 0)];
  return collect<DeadLetter>(query(connection, sql.c_str(), tenant, q.after, q.queue, q.signature, q.state,
                                   static_cast<std::int64_t>(std::min<std::size_t>(q.limit, 1'000'000))),
                             [&](const Statement& row) {
                               auto letter = read_dead_letter(row);
                               if (!q.with_payload) {
                                 letter.size = row.integer(21);
                                 letter.payload.clear();
                               }
                               letter.place = q.place;
                               return letter;
                             });
}

inline Result<std::vector<LetterGroup>> group_letters(Connection& connection, const std::string& tenant,
                                                      const LetterQuery& q, LetterGrouping by) {
  constexpr std::string_view kColumns[] = {"signature", "queue", "tenant", "type", "outcome"};
  const auto text = [](std::string_view column, LetterPlace place) {
    return fmt::format(
        "SELECT l.k, e.code, e.message, l.n, l.oldest, l.newest, l.example FROM (SELECT {} AS k, count(*) AS "
        "n, "
        "min(at) AS oldest, max(at) AS newest, max(id) AS example FROM {} WHERE (?1='' OR tenant=?1) AND "
        "(?2='' "
        "OR queue=?2) AND (?3='' OR signature=?3) AND (CASE ?4 WHEN 'any' THEN 1 WHEN 'open' THEN state IN "
        "('dead','held') ELSE state=?4 END) GROUP BY {}) l JOIN {} e ON e.id=l.example ORDER BY l.n DESC, "
        "l.k",
        column, letter_table(place), column, letter_table(place));
  };
  static const auto kTexts = [&] {
    std::vector<std::string> texts;
    for (const auto place : {LetterPlace::dead, LetterPlace::quarantine}) {
      for (const auto column : kColumns) texts.push_back(text(column, place));
    }
    return texts;
  }();
  const auto& sql =
      kTexts[(q.place == LetterPlace::quarantine ? std::size(kColumns) : 0) + static_cast<std::size_t>(by)];
  return collect<LetterGroup>(query(connection, sql.c_str(), tenant, q.queue, q.signature, q.state),
                              [](const Statement& row) {
                                return LetterGroup{row.str(0),  row.str(1),  row.str(2), row.integer(3),
                                                   row.time(4), row.time(5), row.str(6)};
                              });
}

template <class Base>
class Queries : public Base {
 public:
  Queries(Connection& connection, TenantId tenant, bool queues_elsewhere)
      : connection_(&connection), tenant_(std::move(tenant)), queues_elsewhere_(queues_elsewhere) {}

  const TenantId& tenant() const override { return tenant_; }

  Result<std::vector<std::optional<ShardHead>>> heads(std::string_view type, std::string_view integration,
                                                      std::span<const std::string> ids) const override {
    CASTIEL_ASSIGN(
        auto statement,
        db().prepare(
            "SELECT id, version, source_version, source_is_dated, content_hash, deleted_at IS NOT NULL"
            " FROM shard WHERE tenant=? AND type=? AND integration=? AND external_id=?"));
    std::vector<std::optional<ShardHead>> result;
    result.reserve(ids.size());
    for (const auto& id : ids) {
      statement.bind(t(), type, integration, id);
      CASTIEL_ASSIGN(const bool found, statement.step());
      if (found) {
        result.push_back(ShardHead{
            ShardId(statement.str(0)), statement.integer(1), statement.time(2), statement.integer(3) != 0,
            static_cast<std::uint64_t>(statement.integer(4)), statement.integer(5) != 0});
      } else {
        result.emplace_back();
      }
      statement.reset();
    }
    return result;
  }

  Result<std::optional<model::Shard>> shard(const model::ShardKey& key) const override {
    static const std::string sql =
        std::string(kShardColumns) + "WHERE tenant=? AND type=? AND integration=? AND external_id=?";
    return first<model::Shard>(query(db(), sql.c_str(), t(), key.type, key.integration, key.external_id),
                               [](const Statement& row) { return read_shard(row); });
  }

  Result<std::optional<model::Shard>> shard(const ShardId& id) const override {
    static const std::string sql = std::string(kShardColumns) + "WHERE tenant=? AND id=?";
    return first<model::Shard>(query(db(), sql.c_str(), t(), id.str()),
                               [](const Statement& row) { return read_shard(row); });
  }

  Result<std::vector<model::Shard>> shards(const ShardQuery& q) const override {
    static const std::string sql =
        std::string(kShardColumns) +
        "INDEXED BY shard_id WHERE tenant=?1 AND id>?2 AND (?3='' OR type=?3) AND (?4='' OR integration=?4)"
        " AND (?5 OR deleted_at IS NULL) ORDER BY id LIMIT ?6";
    return collect<model::Shard>(query(db(), sql.c_str(), t(), q.after.str(), q.type, q.integration,
                                       q.include_deleted, static_cast<std::int64_t>(q.limit)),
                                 [](const Statement& row) { return read_shard(row); });
  }

  Result<> each_shard(std::string_view type,
                      const std::function<Result<>(const model::Shard&)>& visit) const override {
    static const std::string sql =
        std::string(kShardColumns) +
        "WHERE tenant=? AND type=? AND deleted_at IS NULL ORDER BY integration, external_id";
    return each(query(db(), sql.c_str(), t(), type),
                [&](const Statement& row) { return visit(read_shard(row, false)); });
  }

  Result<std::int64_t> shard_count(std::string_view type) const override {
    auto n = first<std::int64_t>(
        query(db(), "SELECT count(*) FROM shard WHERE tenant=? AND type=? AND deleted_at IS NULL", t(), type),
        [](const Statement& row) { return row.integer(0); });
    if (!n) return std::unexpected(n.error());
    return n->value_or(0);
  }

  Result<std::vector<std::pair<std::string, std::int64_t>>> shard_counts() const override {
    return collect<std::pair<std::string, std::int64_t>>(
        query(db(), "SELECT type, count(*) FROM shard WHERE tenant=? AND deleted_at IS NULL GROUP BY type",
              t()),
        [](const Statement& row) { return std::pair(row.str(0), row.integer(1)); });
  }

  Result<std::vector<model::FieldChange>> history(const model::ShardKey& key) const override {
    static const std::string sql = std::string(kChangeColumns) +
                                   "WHERE tenant=? AND type=? AND integration=? AND external_id=? ORDER BY "
                                   "effective_at, recorded_at, field";
    return collect<model::FieldChange>(
        query(db(), sql.c_str(), t(), key.type, key.integration, key.external_id), read_change);
  }

  Result<> each_change(std::string_view type,
                       const std::function<Result<>(const model::FieldChange&)>& visit) const override {
    static const std::string sql = std::string(kChangeColumns) + "WHERE tenant=? AND type=?";
    return each(query(db(), sql.c_str(), t(), type),
                [&](const Statement& row) { return visit(read_change(row)); });
  }

  Result<std::vector<model::FieldChange>> recent_changes(std::string_view type,
                                                         std::size_t limit) const override {
    static const std::string sql =
        std::string(kChangeColumns) +
        "INDEXED BY field_change_recent WHERE tenant=? AND type=? ORDER BY effective_at DESC LIMIT ?";
    return collect<model::FieldChange>(query(db(), sql.c_str(), t(), type, static_cast<std::int64_t>(limit)),
                                       read_change);
  }

  Result<std::vector<Alias>> aliases(std::string_view kind, std::string_view key) const override {
    return collect<Alias>(
        query(
            db(),
            "SELECT kind, key, integration, shard_id FROM alias WHERE tenant=? AND kind=? AND key=? LIMIT 16",
            t(), kind, key),
        read_alias);
  }

  Result<std::vector<Alias>> aliases_of_kind(std::string_view kind, std::size_t limit) const override {
    return collect<Alias>(
        query(db(), "SELECT kind, key, integration, shard_id FROM alias WHERE tenant=? AND kind=? LIMIT ?",
              t(), kind, static_cast<std::int64_t>(limit)),
        read_alias);
  }

  Result<std::vector<Relation>> relations_from(const ShardId& from) const override {
    static const std::string sql = std::string(kRelationColumns) + "WHERE tenant=? AND from_id=?";
    return collect<Relation>(query(db(), sql.c_str(), t(), from.str()), read_relation);
  }

  Result<std::vector<Relation>> relations_to(const ShardId& to) const override {
    static const std::string sql =
        std::string(kRelationColumns) +
        "INDEXED BY relation_to WHERE tenant=?1 AND segment IN (SELECT segment FROM relation_segment WHERE "
        "tenant=?1) AND to_id=?2";
    return collect<Relation>(query(db(), sql.c_str(), t(), to.str()), read_relation);
  }

  Result<> each_relation(std::string_view from_type,
                         const std::function<Result<>(const Relation&)>& visit) const override {
    static const std::string sql =
        "SELECT r.from_id, r.role, r.ordinal, r.integration, r.kind, r.key, r.text, r.to_id, r.how FROM "
        "shard s"
        " JOIN relation r ON r.tenant=s.tenant AND r.from_id=s.id WHERE s.tenant=? AND s.type=? AND "
        "s.deleted_at IS NULL";
    return each(query(db(), sql.c_str(), t(), from_type),
                [&](const Statement& row) { return visit(read_relation(row)); });
  }

  Result<std::vector<Relation>> loose_relations(std::size_t limit) const override {
    static const std::string sql = std::string(kRelationColumns) + "WHERE tenant=? AND to_id IS NULL LIMIT ?";
    return collect<Relation>(query(db(), sql.c_str(), t(), static_cast<std::int64_t>(limit)), read_relation);
  }

  Result<std::vector<NamedRelation>> named_relations() const override {
    return collect<NamedRelation>(query(db(),
                                        "SELECT kind, text, to_id, how, count(*) FROM relation WHERE "
                                        "tenant=? AND to_id IS NOT NULL AND how<>'id'"
                                        " GROUP BY kind, text, to_id, how",
                                        t()),
                                  [](const Statement& row) {
                                    return NamedRelation{row.str(0), row.str(1), ShardId(row.str(2)),
                                                         row.str(3), row.integer(4)};
                                  });
  }

  Result<std::vector<LedgerEntry>> ledger(const CorrelationId& correlation) const override {
    return collect<LedgerEntry>(
        query(db(), "SELECT stage, counter, value FROM ledger WHERE tenant=? AND correlation=?", t(),
              correlation.str()),
        [](const Statement& row) { return LedgerEntry{row.str(0), row.str(1), row.integer(2)}; });
  }

  Result<std::int64_t> pending(const CorrelationId& correlation, std::string_view queue) const override {
    auto sum =
        first<std::int64_t>(query(db(),
                                  "SELECT coalesce(sum(CASE counter WHEN 'enqueued' THEN value WHEN "
                                  "'settled' THEN -value ELSE 0 END), 0)"
                                  " FROM ledger WHERE tenant=?1 AND correlation=?2 AND (?3='' OR stage=?3)",
                                  t(), correlation.str(), queue),
                            [](const Statement& row) { return row.integer(0); });
    if (!sum) return std::unexpected(sum.error());
    return sum->value_or(0);
  }

  Result<std::vector<FlowEntry>> flow(const CorrelationId& correlation, std::size_t limit) const override {
    return collect<FlowEntry>(query(db(),
                                    "SELECT at, stage, kind, type, id, text, count FROM flow_entry WHERE "
                                    "correlation=? AND tenant=? ORDER BY seq LIMIT ?",
                                    correlation.str(), t(), static_cast<std::int64_t>(limit)),
                              [](const Statement& row) {
                                return FlowEntry{row.time(0), row.str(1), row.str(2),    row.str(3),
                                                 row.str(4),  row.str(5), row.integer(6)};
                              });
  }

  Result<std::vector<FlowEntry>> shards_written_by(const CorrelationId& correlation,
                                                   std::size_t limit) const override {
    return collect<FlowEntry>(query(db(),
                                    "SELECT updated_at, type, id, external_id, version FROM shard WHERE "
                                    "tenant=? AND correlation=? LIMIT ?",
                                    t(), correlation.str(), static_cast<std::int64_t>(limit)),
                              [](const Statement& row) {
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
    return collect<Problem>(
        query(db(),
              "SELECT file, line, code, message FROM problem WHERE tenant=? AND correlation=? ORDER BY seq "
              "LIMIT ?",
              t(), correlation.str(), static_cast<std::int64_t>(limit)),
        [](const Statement& row) { return Problem{row.str(0), row.integer(1), row.str(2), row.str(3)}; });
  }

  Result<std::vector<Insight>> insights(std::string_view kind) const override {
    return collect<Insight>(query(db(),
                                  "SELECT shard_id, kind, as_of, payload, correlation, recorded_at FROM "
                                  "insight WHERE tenant=? AND kind=?",
                                  t(), kind),
                            read_insight);
  }

  Result<std::optional<Insight>> insight(std::string_view kind, const ShardId& shard) const override {
    return first<Insight>(query(db(),
                                "SELECT shard_id, kind, as_of, payload, correlation, recorded_at FROM "
                                "insight WHERE tenant=? AND kind=? AND shard_id=?",
                                t(), kind, shard.str()),
                          read_insight);
  }

  Result<std::optional<ImportRun>> import_run(const CorrelationId& correlation) const override {
    return first<ImportRun>(
        query(db(),
              "SELECT correlation, status, started_at, finished_at, detail FROM import_run WHERE tenant=? AND"
              " correlation=?",
              t(), correlation.str()),
        read_run);
  }

  Result<std::vector<ImportRun>> import_runs(std::size_t limit) const override {
    return collect<ImportRun>(
        query(db(),
              "SELECT correlation, status, started_at, finished_at, detail FROM import_run WHERE tenant=?"
              " ORDER BY started_at DESC LIMIT ?",
              t(), static_cast<std::int64_t>(limit)),
        read_run);
  }

  Result<std::optional<ImportedFile>> imported_file(std::string_view sha256,
                                                    std::string_view mapping) const override {
    return first<ImportedFile>(query(db(),
                                     "SELECT sha256, mapping, correlation, complete, dated, cursor, records "
                                     "FROM imported_file WHERE tenant=? AND sha256=? AND mapping=?",
                                     t(), sha256, mapping),
                               [](const Statement& row) {
                                 return ImportedFile{
                                     row.str(0),          row.str(1),          CorrelationId(row.str(2)),
                                     row.integer(3) != 0, row.integer(4) != 0, row.str(5),
                                     row.integer(6)};
                               });
  }

  Result<std::optional<std::string>> cursor(std::string_view integration,
                                            std::string_view name) const override {
    return first<std::string>(
        query(db(), "SELECT value FROM sync_cursor WHERE tenant=? AND integration=? AND name=?", t(),
              integration, name),
        [](const Statement& row) { return row.str(0); });
  }

  Result<std::vector<std::pair<std::string, std::string>>> settings() const override {
    return collect<std::pair<std::string, std::string>>(
        query(db(), "SELECT key, value FROM tenant_setting WHERE tenant=?", t()),
        [](const Statement& row) { return std::pair(row.str(0), row.str(1)); });
  }

  Result<std::vector<AuditEntry>> audit(std::size_t limit) const override {
    return collect<AuditEntry>(
        query(db(),
              "SELECT at, actor, action, target, detail FROM audit WHERE tenant=? ORDER BY seq DESC LIMIT ?",
              t(), static_cast<std::int64_t>(limit)),
        [](const Statement& row) {
          return AuditEntry{row.time(0), row.str(1), row.str(2), row.str(3), row.str(4)};
        });
  }

  Result<std::int64_t> data_version() const override {
    auto version = first<std::int64_t>(query(db(), "SELECT data_version FROM tenant WHERE tenant=?", t()),
                                       [](const Statement& row) { return row.integer(0); });
    if (!version) return std::unexpected(version.error());
    return version->value_or(0);
  }

  Result<std::int64_t> directory_version() const override {
    return number(query(db(), "SELECT directory_version FROM tenant WHERE tenant=?", t()));
  }

  Result<std::vector<Link>> links(const LinkQuery& q) const override {
    const auto limit = static_cast<std::int64_t>(q.limit);
    if (!q.from.empty()) {
      static const std::string sql =
          std::string(kLinkColumns) +
          "WHERE tenant=?1 AND from_id=?2 AND (?3='' OR to_id=?3) AND (CASE ?4 WHEN '' THEN "
          "status<>'ignored' ELSE "
          "status=?4 END) AND (?5='' OR to_type=?5) AND id>?6 ORDER BY id LIMIT ?7";
      return collect<Link>(
          query(db(), sql.c_str(), t(), q.from.str(), q.to.str(), q.status, q.to_type, q.after, limit),
          read_link);
    }
    if (!q.to.empty()) {
      static const std::string sql =
          std::string(kLinkColumns) +
          "WHERE tenant=?1 AND to_id=?2 AND (CASE ?3 WHEN '' THEN status<>'ignored' ELSE "
          "status=?3 END) AND (?4='' OR to_type=?4) AND id>?5 ORDER BY id LIMIT ?6";
      return collect<Link>(query(db(), sql.c_str(), t(), q.to.str(), q.status, q.to_type, q.after, limit),
                           read_link);
    }
    static const std::string sql = std::string(kLinkColumns) +
                                   "INDEXED BY link_id WHERE tenant=?1 AND (CASE ?2 WHEN '' THEN "
                                   "status<>'ignored' ELSE status=?2 END) AND "
                                   "(?3='' OR to_type=?3) AND id>?4 ORDER BY id LIMIT ?5";
    return collect<Link>(query(db(), sql.c_str(), t(), q.status, q.to_type, q.after, limit), read_link);
  }

  Result<std::optional<Link>> link(std::string_view id) const override {
    static const std::string sql = std::string(kLinkColumns) + "WHERE tenant=? AND id=?";
    return first<Link>(query(db(), sql.c_str(), t(), id), read_link);
  }

  Result<std::vector<LinkFeedback>> link_feedback() const override {
    return collect<LinkFeedback>(
        query(db(), "SELECT strategy, approved, rejected FROM link_feedback WHERE tenant=?", t()),
        [](const Statement& row) { return LinkFeedback{row.str(0), row.integer(1), row.integer(2)}; });
  }

  Result<std::vector<Interaction>> interactions(std::string_view person, std::size_t limit) const override {
    return collect<Interaction>(
        query(db(),
              "SELECT person, at, shard_id, own, type, direction, size FROM interaction"
              " WHERE tenant=? AND person=? ORDER BY at DESC, shard_id LIMIT ?",
              t(), person, static_cast<std::int64_t>(limit)),
        [](const Statement& row) {
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
    return collect<ShardId>(
        query(db(),
              "SELECT shard_id FROM footprint WHERE tenant=? AND kind=? AND key=? ORDER BY shard_id LIMIT ?",
              t(), f.kind, f.key, static_cast<std::int64_t>(limit)),
        [](const Statement& row) { return ShardId(row.str(0)); });
  }

  Result<bool> any_footprint_besides(const Footprint& f) const override {
    // Two ranges of the key, each ended by its first row.
    for (const auto* sql : {"SELECT 1 FROM footprint WHERE tenant=? AND kind=? AND key<? LIMIT 1",
                            "SELECT 1 FROM footprint WHERE tenant=? AND kind=? AND key>? LIMIT 1"}) {
      CASTIEL_ASSIGN(const auto found, first<bool>(query(db(), sql, t(), f.kind, f.key),
                                                   [](const Statement&) { return true; }));
      if (found) return true;
    }
    return false;
  }
  Result<std::vector<Footprint>> footprints(const ShardId& shard) const override {
    return collect<Footprint>(
        query(db(), "SELECT kind, key FROM footprint WHERE tenant=? AND shard_id=?", t(), shard.str()),
        [](const Statement& row) { return Footprint{row.str(0), row.str(1)}; });
  }

  Result<SearchAnswer> search(const SearchQuery& q) const override { return full_text_search(db(), t(), q); }
  Result<std::vector<SearchChunk>> chunks(const ShardId& shard) const override {
    return read_chunks(db(), t(), shard);
  }
  Result<std::int64_t> chunk_count() const override {
    return number(query(db(), "SELECT chunks FROM search_tenant WHERE tenant=?", t()));
  }

  Result<std::vector<CorrelationId>> flows_since(Timestamp since, std::size_t limit) const override {
    return collect<CorrelationId>(query(db(),
                                        "SELECT DISTINCT correlation FROM flow_entry INDEXED BY "
                                        "flow_entry_age WHERE tenant=? AND at>=? LIMIT ?",
                                        t(), since, static_cast<std::int64_t>(limit)),
                                  [](const Statement& row) { return CorrelationId(row.str(0)); });
  }

  Result<std::vector<MissingShard>> missing_shards(std::size_t limit) const override {
    auto rows = collect<MissingShard>(
        query(
            db(),
            "SELECT id, max(type), max(key), max(name), max(correlation), group_concat(DISTINCT seen) FROM ("
            "SELECT shard_id AS id, 'alias' AS seen, substr(kind, 1, instr(kind, ':') - 1) AS type,"
            " CASE WHEN kind LIKE '%:id' THEN key ELSE '' END AS key, '' AS name, '' AS correlation FROM "
            "alias"
            " WHERE tenant=?1"
            " UNION ALL SELECT from_id, 'relation', '', '', '', '' FROM relation WHERE tenant=?1"
            " UNION ALL SELECT to_id, 'relation', substr(kind, 1, instr(kind, ':') - 1),"
            " CASE WHEN kind LIKE '%:id' THEN text ELSE '' END, '', '' FROM relation WHERE tenant=?1 AND "
            "to_id IS NOT"
            " NULL"
            " UNION ALL SELECT shard_id, 'insight', CASE kind WHEN 'deal' THEN 'opportunity' ELSE '' END, "
            "'', '',"
            " correlation FROM insight WHERE tenant=?1"
            " UNION ALL SELECT from_id, 'link', from_type, '', '', correlation FROM link WHERE tenant=?1"
            " UNION ALL SELECT to_id, 'link', to_type, '', '', correlation FROM link WHERE tenant=?1"
            " UNION ALL SELECT shard_id, 'footprint', '', '', '', '' FROM footprint WHERE tenant=?1"
            " UNION ALL SELECT shard_id, 'text', type, '', title, '' FROM search_chunk WHERE tenant=?1"
            " UNION ALL SELECT shard_id, 'version', '', '', '', correlation FROM shard_version WHERE "
            "tenant=?1) u"
            " WHERE NOT EXISTS (SELECT 1 FROM shard s WHERE s.tenant=?1 AND s.id=u.id)"
            " GROUP BY id ORDER BY id LIMIT ?2",
            t(), static_cast<std::int64_t>(limit)),
        [](const Statement& row) {
          MissingShard shard{ShardId(row.str(0)), row.str(1), row.str(2),
                             row.str(3),          {},         CorrelationId(row.str(4))};
          const std::string seen = row.str(5);
          for (std::size_t at = 0; at <= seen.size();) {
            const auto end = std::min(seen.find(',', at), seen.size());
            shard.seen.push_back(seen.substr(at, end - at));
            at = end + 1;
          }
          std::ranges::sort(shard.seen);
          return shard;
        });
    return rows;
  }

  Result<std::optional<Timestamp>> leased_until(std::string_view name) const override {
    return first<Timestamp>(
        query(db(), "SELECT until FROM lease WHERE tenant=? AND name=? AND owner<>''", t(), name),
        [](const Statement& row) { return row.time(0); });
  }

  Result<std::optional<Timestamp>> oldest_waiting(std::string_view queue) const override {
    // Of messages in another process only the ledger knows: then it is the beginning of their oldest flow.
    const char* sql =
        queues_elsewhere_
            ? "SELECT min(since) FROM (SELECT (SELECT min(f.at) FROM flow_entry f INDEXED BY "
              "flow_entry_correlation WHERE f.correlation=e.correlation AND f.tenant=?2) AS since"
              " FROM ledger e INDEXED BY ledger_enqueued WHERE e.tenant=?2 AND e.stage=?1 AND "
              "e.counter='enqueued' AND e.value > coalesce((SELECT s.value FROM ledger s WHERE s.tenant=?2 "
              "AND s.correlation=e.correlation AND s.stage=?1 AND s.counter='settled'), 0)"
              " UNION ALL SELECT min(since) FROM parked_key WHERE tenant=?2 AND queue=?1)"
            : "SELECT min(since) FROM (SELECT min(enqueued_at) AS since FROM queued WHERE queue=?1 AND "
              "tenant=?2"
              " UNION ALL SELECT min(since) FROM parked_key WHERE tenant=?2 AND queue=?1)";
    auto oldest = first<std::optional<Timestamp>>(query(db(), sql, queue, t()), [](const Statement& row) {
      return row.is_null(0) ? std::nullopt : std::optional(row.time(0));
    });
    if (!oldest) return std::unexpected(oldest.error());
    return oldest->value_or(std::nullopt);
  }

  Result<bool> in_inbox(std::string_view consumer, std::string_view message_id) const override {
    return exists(query(db(), "SELECT 1 FROM inbox WHERE tenant=? AND consumer=? AND message_id=?", t(),
                        consumer, message_id));
  }

  Result<bool> any_parked(std::string_view queue) const override {
    return exists(query(db(), "SELECT 1 FROM parked_key WHERE tenant=? AND queue=? LIMIT 1", t(), queue));
  }

  Result<std::vector<std::string>> parked_keys(std::string_view queue) const override {
    return collect<std::string>(
        query(db(), "SELECT key FROM parked_key WHERE tenant=? AND queue=?", t(), queue),
        [](const Statement& row) { return row.str(0); });
  }

  Result<std::vector<DeadLetter>> dead_letters(std::string_view queue, std::string_view after,
                                               std::size_t limit) const override {
    static const std::string sql =
        std::string(kDeadLetterColumns) +
        "WHERE tenant=?1 AND (?2='' OR queue=?2) AND id>?3 AND state='dead' ORDER BY id LIMIT ?4";
    return collect<DeadLetter>(query(db(), sql.c_str(), t(), queue, after, static_cast<std::int64_t>(limit)),
                               read_dead_letter);
  }

  Result<std::optional<DeadLetter>> dead_letter(std::string_view id) const override {
    static const std::string sql = std::string(kDeadLetterColumns) + "WHERE id=? AND tenant=?";
    CASTIEL_ASSIGN(auto dead, first<DeadLetter>(query(db(), sql.c_str(), id, t()), read_dead_letter));
    if (dead) return dead;
    static const std::string held = fmt::format(
        "SELECT {}, errors, payload, shown FROM quarantine WHERE id=? AND tenant=?", kLetterColumns);
    return first<DeadLetter>(query(db(), held.c_str(), id, t()), [](const Statement& row) {
      auto letter = read_dead_letter(row);
      letter.place = LetterPlace::quarantine;
      return letter;
    });
  }

  Result<std::int64_t> dead_letter_count() const override {
    auto n = first<std::int64_t>(
        query(db(), "SELECT count(*) FROM dead_letter WHERE tenant=? AND state='dead'", t()),
        [](const Statement& row) { return row.integer(0); });
    if (!n) return std::unexpected(n.error());
    return n->value_or(0);
  }

  Result<std::vector<DeadLetter>> letters(const LetterQuery& q) const override {
    return find_letters(db(), t(), q);
  }
  Result<std::vector<LetterGroup>> letter_groups(const LetterQuery& q, LetterGrouping by) const override {
    return group_letters(db(), t(), q, by);
  }

 protected:
  Connection& db() const { return *connection_; }
  const std::string& t() const { return tenant_.str(); }

  static Result<std::int64_t> number(Result<Statement> statement) {
    auto value =
        first<std::int64_t>(std::move(statement), [](const Statement& row) { return row.integer(0); });
    if (!value) return std::unexpected(value.error());
    return value->value_or(0);
  }
  static Result<bool> exists(Result<Statement> statement) {
    if (!statement) return std::unexpected(statement.error());
    return statement->step();
  }

  static Result<> each(Result<Statement> statement, const std::function<Result<>(const Statement&)>& visit) {
    if (!statement) return std::unexpected(statement.error());
    for (;;) {
      CASTIEL_ASSIGN(const bool more, statement->step());
      if (!more) return {};
      CASTIEL_TRY(visit(*statement));
    }
  }

 private:
  static Alias read_alias(const Statement& row) {
    return {row.str(0), row.str(1), row.str(2), ShardId(row.str(3))};
  }
  static Insight read_insight(const Statement& row) {
    return {ShardId(row.str(0)), row.str(1), row.time(2), row.str(3), CorrelationId(row.str(4)), row.time(5)};
  }
  static ImportRun read_run(const Statement& row) {
    ImportRun run{CorrelationId(row.str(0)), row.str(1), row.time(2), {}, row.str(4)};
    if (!row.is_null(3)) run.finished_at = row.time(3);
    return run;
  }

  Connection* connection_;
  TenantId tenant_;
  bool queues_elsewhere_;
};

}  // namespace castiel::storage::sqlite
