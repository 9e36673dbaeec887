#include "storage/sqlite/impl/full_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "storage/sqlite/impl/queries.hpp"

namespace castiel::storage::sqlite {
namespace {

constexpr double kSaturation = 1.2;     // BM25's k1
constexpr double kLengthWeight = 0.75;  // BM25's b
constexpr int kTitleWeight = 2;         // a word of the title counts as this many of the text
constexpr std::size_t kMaxTermBytes = 512;
constexpr std::int64_t kRange = std::int64_t{1} << 40;

// castiel_counts(search_text): int32 words of the row, then how often each phrase of the query is in it.
void counts(const Fts5ExtensionApi* api, Fts5Context* fts, sqlite3_context* context, int, sqlite3_value**) {
  const int phrases = api->xPhraseCount(fts);
  std::vector<std::int32_t> out(static_cast<std::size_t>(phrases) + 1);
  int words = 0;
  int instances = 0;
  int code = api->xColumnSize(fts, -1, &words);
  if (code == SQLITE_OK) code = api->xInstCount(fts, &instances);
  out[0] = words;
  for (int i = 0; code == SQLITE_OK && i < instances; ++i) {
    int phrase = 0, column = 0, offset = 0;
    code = api->xInst(fts, i, &phrase, &column, &offset);
    if (code == SQLITE_OK) out[static_cast<std::size_t>(phrase) + 1] += column == 0 ? kTitleWeight : 1;
  }
  if (code != SQLITE_OK) {
    sqlite3_result_error_code(context, code);
    return;
  }
  sqlite3_result_blob(context, out.data(), static_cast<int>(out.size() * sizeof(std::int32_t)),
                      SQLITE_TRANSIENT);
}

// The term as a string of FTS5's query language, in which only '"' means something.
std::string quoted(const SearchTerm& term) {
  std::string out = "\"";
  for (const char c : term.text) {
    if (c == '"') out += '"';
    out += c == '\0' ? ' ' : c;
  }
  out += '"';
  if (term.prefix) out += " *";
  return out;
}

struct Range {
  std::int64_t first = 0, last = -1;
  std::int64_t chunks = 0, tokens = 0;
};

Result<std::optional<Range>> range_of(Connection& db, const std::string& tenant) {
  return first<Range>(query(db, "SELECT ordinal, chunks, tokens FROM search_tenant WHERE tenant=?", tenant),
                      [](const Statement& row) {
                        const std::int64_t from = row.integer(0) * kRange;
                        return Range{from, from + kRange - 1, row.integer(1), row.integer(2)};
                      });
}

struct Match {
  std::int64_t row = 0;
  std::vector<std::int32_t> counts;  // words, then one a phrase
  double score = 0;
};

SearchChunk read_chunk(const Statement& row) {
  return {ShardId(row.str(0)), row.str(1), static_cast<int>(row.integer(2)), row.time(3), row.str(4),
          row.str(5),          row.str(6)};
}

Result<std::vector<Match>> matches(Connection& db, const Range& range, const std::string& expression,
                                   const std::string& type) {
  const auto read = [](const Statement& row) {
    Match match{row.integer(0), {}, 0};
    const auto blob = row.text(1);
    match.counts.resize(blob.size() / sizeof(std::int32_t));
    std::memcpy(match.counts.data(), blob.data(), match.counts.size() * sizeof(std::int32_t));
    return match;
  };
  if (type.empty()) {
    return collect<Match>(query(db,
                                "SELECT rowid, castiel_counts(search_text) FROM search_text"
                                " WHERE search_text MATCH ? AND rowid BETWEEN ? AND ?",
                                expression, range.first, range.last),
                          read);
  }
  return collect<Match>(
      query(db,
            "SELECT f.rowid, castiel_counts(search_text) FROM search_text f CROSS JOIN search_chunk c ON "
            "c.id = f.rowid WHERE search_text MATCH ? AND f.rowid BETWEEN ? AND ? AND c.type=?",
            expression, range.first, range.last, type),
      read);
}

Result<std::int64_t> count_of(Connection& db, const Range& range, const std::string& expression) {
  auto n = first<std::int64_t>(query(db,
                                     "SELECT count(*) FROM search_text WHERE search_text MATCH ?"
                                     " AND rowid BETWEEN ? AND ?",
                                     expression, range.first, range.last),
                               [](const Statement& row) { return row.integer(0); });
  if (!n) return std::unexpected(n.error());
  return n->value_or(0);
}

}  // namespace

Result<> register_full_text(sqlite3* db) {
  fts5_api* api = nullptr;
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &statement, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
    sqlite3_step(statement);
    code = sqlite3_finalize(statement);
  }
  if (code == SQLITE_OK && api != nullptr)
    code = api->xCreateFunction(api, "castiel_counts", nullptr, counts, nullptr);
  if (code != SQLITE_OK || api == nullptr)
    return permanent("store_failed", "this SQLite was built without FTS5, its full-text index");
  return {};
}

std::int64_t count_words(std::string_view text) {
  std::int64_t words = 0;
  bool inside = false;
  for (const unsigned char c : text) {
    const bool letter =
        c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (letter && !inside) ++words;
    inside = letter;
  }
  return words;
}

Result<SearchAnswer> full_text_search(Connection& db, const std::string& tenant, const SearchQuery& wanted) {
  SearchAnswer answer;
  std::vector<std::string> terms;
  for (const auto& term : wanted.terms) {
    if (terms.size() == kMaxSearchTerms) break;
    if (count_words(term.text) > 0 && term.text.size() <= kMaxTermBytes) terms.push_back(quoted(term));
  }
  if (terms.empty()) return answer;
  CASTIEL_ASSIGN(const auto range, range_of(db, tenant));
  if (!range || range->chunks == 0) return answer;
  std::string expression;
  for (const auto& term : terms) {
    if (!expression.empty()) expression += wanted.all ? " AND " : " OR ";
    expression += term;
  }
  CASTIEL_ASSIGN(auto found, matches(db, *range, expression, wanted.type));
  answer.total = static_cast<std::int64_t>(found.size());

  // In how many texts each term is: for "any", every one of them is among the matches.
  std::vector<double> weights;
  for (std::size_t t = 0; t < terms.size(); ++t) {
    std::int64_t n = 0;
    if (wanted.all || !wanted.type.empty()) {
      CASTIEL_ASSIGN(n, count_of(db, *range, terms[t]));
    } else {
      n = std::ranges::count_if(
          found, [t](const Match& m) { return t + 1 < m.counts.size() && m.counts[t + 1] > 0; });
    }
    const double all = static_cast<double>(range->chunks), with = static_cast<double>(n);
    weights.push_back(std::log(1 + (all - with + 0.5) / (with + 0.5)));
  }
  const double average =
      std::max(1.0, static_cast<double>(range->tokens) / static_cast<double>(range->chunks));
  for (auto& match : found) {
    const double length = match.counts.empty() ? average : match.counts[0];
    for (std::size_t t = 0; t < terms.size() && t + 1 < match.counts.size(); ++t) {
      const double tf = match.counts[t + 1];
      match.score += weights[t] * tf * (kSaturation + 1) /
                     (tf + kSaturation * (1 - kLengthWeight + kLengthWeight * length / average));
    }
  }
  const auto better = [](const Match& a, const Match& b) {
    return a.score != b.score ? a.score > b.score : a.row < b.row;
  };
  const std::size_t take = std::min(wanted.limit, found.size());
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(take), better);
  found.resize(take);
  for (const auto& match : found) {
    auto hit = first<SearchHit>(
        query(db,
              "SELECT c.shard_id, c.type, c.ordinal, c.at, c.locator, c.title, c.text,"
              " snippet(search_text, 1, char(1), char(2), '…', 32) FROM search_text f JOIN search_chunk c ON "
              "c.id = f.rowid"
              " WHERE search_text MATCH ? AND f.rowid = ? AND c.tenant = ?",
              expression, match.row, tenant),
        [&](const Statement& row) { return SearchHit{read_chunk(row), match.score, row.str(7)}; });
    if (!hit) return std::unexpected(hit.error());
    if (*hit) answer.hits.push_back(std::move(**hit));
  }
  return answer;
}

Result<std::vector<SearchChunk>> read_chunks(Connection& db, const std::string& tenant,
                                             const ShardId& shard) {
  return collect<SearchChunk>(
      query(db,
            "SELECT shard_id, type, ordinal, at, locator, title, text FROM search_chunk"
            " WHERE tenant=? AND shard_id=? ORDER BY ordinal",
            tenant, shard.str()),
      read_chunk);
}

Result<> erase_full_text(Connection& db, const std::string& tenant) {
  CASTIEL_TRY(run(db,
                  "INSERT INTO search_text (search_text, rowid, title, text)"
                  " SELECT 'delete', id, title, text FROM search_chunk WHERE tenant=?",
                  tenant));
  if (sqlite3_changes64(db.handle()) == 0) return {};
  return run(db, "INSERT INTO search_text (search_text) VALUES ('optimize')");
}

}  // namespace castiel::storage::sqlite
