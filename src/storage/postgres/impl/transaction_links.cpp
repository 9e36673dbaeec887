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
  Column type(kText), ordinal(kInt8), at(kInt8), words(kInt8), locator(kText), title(kText), text(kText),
      tokens(kText);
  WordReader reader;
  std::int64_t all_words = 0;
  for (const auto& c : chunks) {
    const std::string clean_title = without_marks(c.title), clean_text = without_marks(c.text);
    const auto indexed = index_text(reader, tenant(), clean_title, clean_text);
    all_words += indexed.words;
    type.add(c.type);
    ordinal.add(c.ordinal);
    at.add(c.at);
    words.add(indexed.words);
    locator.add(c.locator);
    title.add(clean_title);
    text.add(clean_text);
    tokens.add(indexed.tokens);
  }
  const auto count = static_cast<std::int64_t>(chunks.size());
  CASTIEL_TRY(
      write("WITH gone AS (DELETE FROM search_chunk WHERE tenant=$1 AND shard_id=$2 RETURNING words)"
            " INSERT INTO search_size AS s (tenant, stripe, chunks, words)"
            " SELECT $1, $3, $4 - count(*), $5 - coalesce(sum(gone.words), 0)::bigint FROM gone"
            " ON CONFLICT (tenant, stripe) DO UPDATE SET chunks = s.chunks + excluded.chunks,"
            " words = s.words + excluded.words",
            Params(t(), shard, stripe(), count, all_words)));
  CASTIEL_TRY(write("DELETE FROM search_index WHERE tenant=$1 AND shard_id=$2", Params(t(), shard)));
  if (chunks.empty()) return {};
  Params params(t(), shard);
  for (auto* column : {&type, &ordinal, &at, &words, &locator, &title, &text, &tokens}) params.add(*column);
  return write(
      "WITH w AS (SELECT * FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],"
      " $8::text[], $9::text[], $10::text[]) AS w(type, ordinal, at, words, locator, title, text, tokens)),"
      " stored AS (INSERT INTO search_chunk (tenant, shard_id, type, ordinal, at, words, locator, title, "
      "text)"
      " SELECT $1, $2, w.type, w.ordinal, w.at, w.words, w.locator, w.title, w.text FROM w)"
      " INSERT INTO search_index (tenant, shard_id, type, ordinal, words, tokens)"
      " SELECT $1, $2, w.type, w.ordinal, w.words, w.tokens::tsvector FROM w",
      params);
}

}  // namespace castiel::storage::postgres
