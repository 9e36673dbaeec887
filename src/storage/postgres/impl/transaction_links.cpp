// The writes of linking and search.

#include <algorithm>

#include "storage/postgres/impl/full_text.hpp"
#include "storage/postgres/impl/transaction.hpp"

namespace castiel::storage::postgres {

namespace {

// The marks of snippets must not come from the text itself.
std::string without_marks(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, [](char c) { return c == kMarkStart || c == kMarkEnd || c == '\0'; }, ' ');
  return out;
}

}  // namespace

Result<> PostgresTransaction::put_links(std::span<const Link> links) {
  for (const auto& l : links) {
    CASTIEL_TRY(write(
        "INSERT INTO link (tenant, from_id, to_id, id, from_type, to_type, strategy, confidence, status, "
        "reason,"
        " evidence, created_by, created_at, last_verified_at, decided_by, correlation)"
        " VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16)"
        " ON CONFLICT (tenant, from_id, to_id) DO UPDATE SET strategy=excluded.strategy,"
        " confidence=excluded.confidence, status=excluded.status, reason=excluded.reason,"
        " evidence=excluded.evidence, created_by=excluded.created_by,"
        " last_verified_at=excluded.last_verified_at, decided_by=excluded.decided_by,"
        " correlation=excluded.correlation WHERE link.decided_by='' OR excluded.decided_by<>''",
        Params(t(), l.from, l.to, l.id, l.from_type, l.to_type, l.strategy, l.confidence, l.status, l.reason,
               l.evidence, l.created_by, l.created_at, l.last_verified_at, l.decided_by, l.correlation)));
  }
  data_changed_ = data_changed_ || !links.empty();
  return {};
}

Result<> PostgresTransaction::drop_link(std::string_view id) {
  data_changed_ = true;
  return write("DELETE FROM link WHERE tenant=$1 AND id=$2 AND decided_by=''", Params(t(), id));
}

Result<> PostgresTransaction::add_link_feedback(const LinkFeedback& f) {
  return write(
      "INSERT INTO link_feedback AS l (tenant, strategy, approved, rejected) VALUES ($1, $2, $3, $4)"
      " ON CONFLICT (tenant, strategy) DO UPDATE SET approved = l.approved + excluded.approved,"
      " rejected = l.rejected + excluded.rejected",
      Params(t(), f.strategy, f.approved, f.rejected));
}

Result<> PostgresTransaction::put_interactions(const ShardId& shard,
                                               std::span<const Interaction> interactions) {
  CASTIEL_TRY(write("DELETE FROM interaction WHERE tenant=$1 AND shard_id=$2", Params(t(), shard)));
  std::map<std::pair<std::string_view, std::int64_t>, const Interaction*> last;  // of each person and time
  for (const auto& i : interactions) last[{i.person, i.at.micros}] = &i;
  if (last.empty()) return {};
  Column person(kText), at(kInt8), own(kText), type(kText), direction(kText), size(kInt8);
  for (const auto& [place, i] : last) {
    person.add(i->person);
    at.add(i->at);
    own.add(i->own);
    type.add(i->type);
    direction.add(i->direction);
    size.add(i->size);
  }
  return write(
      "INSERT INTO interaction (tenant, shard_id, person, at, own, type, direction, size) SELECT $1, $2, w.*"
      " FROM unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[]) AS w",
      Params(t(), shard).add(person).add(at).add(own).add(type).add(direction).add(size));
}

Result<> PostgresTransaction::put_footprints(const ShardId& shard, std::span<const Footprint> footprints) {
  CASTIEL_TRY(write("DELETE FROM footprint WHERE tenant=$1 AND shard_id=$2", Params(t(), shard)));
  if (footprints.empty()) return {};
  Column kind(kText), key(kText);
  for (const auto& f : footprints) {
    kind.add(f.kind);
    key.add(f.key);
  }
  return write(
      "INSERT INTO footprint (tenant, shard_id, kind, key) SELECT DISTINCT $1, $2, w.*"
      " FROM unnest($3::text[], $4::text[]) AS w ON CONFLICT DO NOTHING",
      Params(t(), shard).add(kind).add(key));
}

Result<> PostgresTransaction::put_chunks(const ShardId& shard, std::span<const SearchChunk> chunks) {
  if (failed_) return std::unexpected(*failed_);
  if (texts_ == nullptr) texts_ = std::make_unique<Texts>();
  auto& w = *texts_;
  if (!w.shards.insert(shard.str()).second) {
    CASTIEL_TRY(write_texts());  // what it had first is replaced, too
    w.shards.insert(shard.str());
  }
  for (const auto& c : chunks) {
    const std::string clean_title = without_marks(c.title), clean_text = without_marks(c.text);
    const auto indexed = index_text(w.reader, tenant(), clean_title, clean_text);
    w.all_words += indexed.words;
    w.chunks += 1;
    w.bytes += clean_text.size() + indexed.tokens.size();
    w.shard.add(shard);
    w.type.add(c.type);
    w.ordinal.add(c.ordinal);
    w.at.add(c.at);
    w.words.add(indexed.words);
    w.locator.add(c.locator);
    w.title.add(clean_title);
    w.text.add(clean_text);
    w.tokens.add(indexed.tokens);
  }
  return w.bytes > kMaxTextBytes ? write_texts() : Result<>();
}

// The texts of all shards at once.
Result<> PostgresTransaction::write_texts() {
  if (failed_) return std::unexpected(*failed_);
  if (texts_ == nullptr || texts_->shards.empty()) return {};
  auto& w = *texts_;
  const auto shards = [&] {
    Column column(kText);
    for (const auto& shard : w.shards) column.add(shard);
    return column;
  };
  auto replaced = shards();
  CASTIEL_TRY(write(
      "WITH gone AS (DELETE FROM search_chunk WHERE tenant=$1 AND shard_id = ANY($2::text[]) RETURNING words)"
      " INSERT INTO search_size AS s (tenant, stripe, chunks, words)"
      " SELECT $1, $3, $4 - count(*), $5 - coalesce(sum(gone.words), 0)::bigint FROM gone"
      " ON CONFLICT (tenant, stripe) DO UPDATE SET chunks = s.chunks + excluded.chunks,"
      " words = s.words + excluded.words",
      std::move(Params(t()).add(replaced).add(stripe()).add(w.chunks).add(w.all_words))));
  replaced = shards();
  CASTIEL_TRY(write("DELETE FROM search_index WHERE tenant=$1 AND shard_id = ANY($2::text[])",
                    std::move(Params(t()).add(replaced))));
  if (w.chunks > 0) {
    Params params(t());
    for (auto* column :
         {&w.shard, &w.type, &w.ordinal, &w.at, &w.words, &w.locator, &w.title, &w.text, &w.tokens})
      params.add(*column);
    CASTIEL_TRY(write(
        "WITH w AS (SELECT * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],"
        " $7::text[], $8::text[], $9::text[], $10::text[]) AS w(shard_id, type, ordinal, at, words, locator,"
        " title, text, tokens)),"
        " stored AS (INSERT INTO search_chunk (tenant, shard_id, type, ordinal, at, words, locator, title,"
        " text) SELECT $1, w.shard_id, w.type, w.ordinal, w.at, w.words, w.locator, w.title, w.text FROM w)"
        " INSERT INTO search_index (tenant, shard_id, type, ordinal, words, tokens)"
        " SELECT $1, w.shard_id, w.type, w.ordinal, w.words, w.tokens::tsvector FROM w",
        params));
  }
  w.shards.clear();
  w.chunks = w.all_words = 0;
  w.bytes = 0;
  return {};
}

}  // namespace castiel::storage::postgres
