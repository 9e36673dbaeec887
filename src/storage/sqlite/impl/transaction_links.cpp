// The writes of linking and search.

#include <algorithm>

#include "storage/sqlite/impl/full_text.hpp"
#include "storage/sqlite/impl/transaction.hpp"

namespace castiel::storage::sqlite {

namespace {
constexpr std::int64_t kRowIdBits = 40;

// The marks of snippets must not come from the text itself.
std::string without_marks(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, [](char c) { return c == kMarkStart || c == kMarkEnd || c == '\0'; }, ' ');
  return out;
}
}  // namespace

Result<> SqliteTransaction::put_links(std::span<const Link> links) {
  for (const auto& l : links) {
    CASTIEL_TRY(
        write("INSERT INTO link (tenant, from_id, to_id, id, from_type, to_type, strategy, confidence, "
              "status, reason,"
              " evidence, created_by, created_at, last_verified_at, decided_by, correlation)"
              " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
              " ON CONFLICT (tenant, from_id, to_id) DO UPDATE SET strategy=excluded.strategy,"
              " confidence=excluded.confidence, status=excluded.status, reason=excluded.reason, "
              "evidence=excluded.evidence,"
              " created_by=excluded.created_by, last_verified_at=excluded.last_verified_at, "
              "decided_by=excluded.decided_by,"
              " correlation=excluded.correlation WHERE link.decided_by='' OR excluded.decided_by<>''",
              t(), l.from.str(), l.to.str(), l.id, l.from_type, l.to_type, l.strategy, l.confidence, l.status,
              l.reason, l.evidence, l.created_by, l.created_at, l.last_verified_at, l.decided_by,
              l.correlation.str()));
  }
  data_changed_ = data_changed_ || !links.empty();
  return {};
}

Result<> SqliteTransaction::drop_link(std::string_view id) {
  data_changed_ = true;
  return write("DELETE FROM link WHERE tenant=? AND id=? AND decided_by=''", t(), id);
}

Result<> SqliteTransaction::add_link_feedback(const LinkFeedback& f) {
  return write(
      "INSERT INTO link_feedback (tenant, strategy, approved, rejected) VALUES (?,?,?,?)"
      " ON CONFLICT DO UPDATE SET approved = approved + excluded.approved, rejected = rejected + "
      "excluded.rejected",
      t(), f.strategy, f.approved, f.rejected);
}

Result<> SqliteTransaction::put_interactions(const ShardId& shard,
                                             std::span<const Interaction> interactions) {
  CASTIEL_TRY(write("DELETE FROM interaction WHERE tenant=? AND shard_id=?", t(), shard.str()));
  for (const auto& i : interactions) {
    CASTIEL_TRY(
        write("INSERT OR REPLACE INTO interaction (tenant, person, at, shard_id, own, type, direction, size)"
              " VALUES (?,?,?,?,?,?,?,?)",
              t(), i.person, i.at, shard.str(), i.own, i.type, i.direction, i.size));
  }
  return {};
}

Result<> SqliteTransaction::put_footprints(const ShardId& shard, std::span<const Footprint> footprints) {
  CASTIEL_TRY(write("DELETE FROM footprint WHERE tenant=? AND shard_id=?", t(), shard.str()));
  for (const auto& f : footprints) {
    CASTIEL_TRY(write("INSERT OR IGNORE INTO footprint (tenant, kind, key, shard_id) VALUES (?,?,?,?)", t(),
                      f.kind, f.key, shard.str()));
  }
  return {};
}

Result<> SqliteTransaction::put_chunks(const ShardId& shard, std::span<const SearchChunk> chunks) {
  CASTIEL_TRY(
      write("INSERT OR IGNORE INTO search_tenant (tenant, ordinal, next, chunks, tokens)"
            " VALUES (?, (SELECT coalesce(max(ordinal), 0) + 1 FROM search_tenant), 0, 0, 0)",
            t()));
  auto before = first<std::pair<std::int64_t, std::int64_t>>(
      query(db(), "SELECT count(*), coalesce(sum(tokens), 0) FROM search_chunk WHERE tenant=? AND shard_id=?",
            t(), shard.str()),
      [](const Statement& row) { return std::pair(row.integer(0), row.integer(1)); });
  if (!before) return std::unexpected(before.error());
  const auto [old_chunks, old_tokens] = **before;
  if (old_chunks > 0) {
    CASTIEL_TRY(
        write("INSERT INTO search_text (search_text, rowid, title, text)"
              " SELECT 'delete', id, title, text FROM search_chunk WHERE tenant=? AND shard_id=?",
              t(), shard.str()));
    CASTIEL_TRY(write("DELETE FROM search_chunk WHERE tenant=? AND shard_id=?", t(), shard.str()));
  }
  auto range = first<std::pair<std::int64_t, std::int64_t>>(
      query(db(), "SELECT ordinal, next FROM search_tenant WHERE tenant=?", t()),
      [](const Statement& row) { return std::pair(row.integer(0), row.integer(1)); });
  if (!range) return std::unexpected(range.error());
  const auto [ordinal, next] = **range;
  std::int64_t row = (ordinal << kRowIdBits) + next;
  std::int64_t tokens = 0;
  for (const auto& c : chunks) {
    const std::string title = without_marks(c.title), text = without_marks(c.text);
    const std::int64_t words = count_words(title) + count_words(text);
    tokens += words;
    CASTIEL_TRY(write(
        "INSERT INTO search_chunk (id, tenant, shard_id, type, ordinal, at, tokens, locator, title, text)"
        " VALUES (?,?,?,?,?,?,?,?,?,?)",
        row, t(), shard.str(), c.type, c.ordinal, c.at, words, c.locator, title, text));
    CASTIEL_TRY(write("INSERT INTO search_text (rowid, title, text) VALUES (?,?,?)", row, title, text));
    ++row;
  }
  const auto added = static_cast<std::int64_t>(chunks.size());
  return write(
      "UPDATE search_tenant SET next = next + ?, chunks = chunks + ?, tokens = tokens + ? WHERE tenant=?",
      added, added - old_chunks, tokens - old_tokens, t());
}

}  // namespace castiel::storage::sqlite
