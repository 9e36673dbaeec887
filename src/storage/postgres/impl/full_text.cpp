#include "storage/postgres/impl/full_text.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "storage/postgres/impl/read_rows.hpp"
#include "storage/postgres/impl/text_code.hpp"

namespace castiel::storage::postgres {
namespace {

constexpr double kSaturation = 1.2;     // BM25's k1
constexpr double kLengthWeight = 0.75;  // BM25's b
constexpr int kTitleWeight = 2;         // a word of the title counts as this many of the text
constexpr std::size_t kMaxTermBytes = 512;
constexpr std::size_t kSnippetWords = 32;
constexpr std::size_t kMaxPosition = 16'383;     // of a tsvector
constexpr std::size_t kMaxPositions = 255;       // of one word in it
constexpr std::size_t kMaxTokenBytes = 800'000;  // of its 1 MiB

// One term of the query: words that follow each other.
struct Phrase {
  std::vector<std::string> lexemes;
  std::vector<std::string> terms;  // the same without the tenant
  bool prefix = false;             // the last of them may go on
};

std::string lexeme(const TenantId& tenant, std::string_view term) {
  return tenant.str() + ":" + std::string(term);
}

void append_quoted(std::string& out, std::string_view text) {
  out += '\'';
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  out += '\'';
}

std::string to_query(const Phrase& phrase) {
  std::string out = "(";
  for (std::size_t i = 0; i < phrase.lexemes.size(); ++i) {
    if (i > 0) out += " <-> ";
    append_quoted(out, phrase.lexemes[i]);
    if (phrase.prefix && i + 1 == phrase.lexemes.size()) out += ":*";
  }
  return out + ")";
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const unsigned char byte : bytes) value = value << 8 | byte;
  return value;
}

// Where the query's lexemes are in one chunk; positions with the weight of their place.
class Postings {
 public:
  // A tsvector in binary notation: count; of each its text, NUL, number of positions, and these.
  Postings(std::string_view vector, const std::vector<Phrase>& phrases) {
    const std::uint32_t count = big_endian(vector.substr(0, 4));
    vector.remove_prefix(4);
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto end = vector.find('\0');
      const std::string_view word = vector.substr(0, end);
      const std::uint32_t places = big_endian(vector.substr(end + 1, 2));
      const std::string_view positions = vector.substr(end + 3, std::size_t{places} * 2);
      vector.remove_prefix(end + 3 + positions.size());
      for (const auto& phrase : phrases) {
        for (std::size_t w = 0; w < phrase.lexemes.size(); ++w) {
          const bool open = phrase.prefix && w + 1 == phrase.lexemes.size();
          if (open ? word.starts_with(phrase.lexemes[w]) : word == phrase.lexemes[w])
            add(key(phrase, w, open), positions);
        }
      }
    }
  }

  // How often the phrase is there; in the title it counts more.
  int count(const Phrase& phrase) const {
    int n = 0;
    const std::size_t last = phrase.lexemes.size() - 1;
    const auto* first = find(key(phrase, 0, phrase.prefix && last == 0));
    if (first == nullptr) return 0;
    for (const auto& [position, weight] : *first) {
      bool all = true;
      for (std::size_t w = 1; w <= last && all; ++w) {
        const auto* places = find(key(phrase, w, phrase.prefix && w == last));
        all = places != nullptr && places->contains(position + static_cast<int>(w));
      }
      if (all) n += weight;
    }
    return n;
  }

 private:
  static std::string key(const Phrase& phrase, std::size_t word, bool open) {
    return phrase.lexemes[word] + (open ? "*" : "");
  }
  void add(const std::string& key, std::string_view positions) {
    auto& places = found_[key];
    for (std::size_t i = 0; i + 1 < positions.size(); i += 2) {
      const std::uint32_t place = big_endian(positions.substr(i, 2));
      places[static_cast<int>(place & 0x3FFF)] = place >> 14 == 3 ? kTitleWeight : 1;
    }
  }
  const std::map<int, int>* find(const std::string& key) const {
    const auto it = found_.find(key);
    return it == found_.end() ? nullptr : &it->second;
  }
  std::map<std::string, std::map<int, int>> found_;
};

struct Match {
  std::string shard;
  std::int64_t ordinal = 0;
  double words = 0;
  std::vector<int> counts;  // of each phrase
  double score = 0;
};

std::vector<Phrase> phrases_of(WordReader& reader, const TenantId& tenant, const SearchQuery& query) {
  std::vector<Phrase> phrases;
  for (const auto& term : query.terms) {
    if (phrases.size() == kMaxSearchTerms) break;
    if (term.text.size() > kMaxTermBytes) continue;
    Phrase phrase;
    for (auto& word : reader.words(term.text)) {
      phrase.lexemes.push_back(lexeme(tenant, word.term));
      phrase.terms.push_back(std::move(word.term));
    }
    phrase.prefix = term.prefix;
    if (!phrase.lexemes.empty()) phrases.push_back(std::move(phrase));
  }
  return phrases;
}

// Which words of the text belong to a match.
std::vector<bool> matched_words(const std::vector<Word>& words, const std::vector<Phrase>& phrases) {
  std::vector<bool> matched(words.size());
  for (const auto& phrase : phrases) {
    const std::size_t n = phrase.terms.size();
    for (std::size_t at = 0; at + n <= words.size(); ++at) {
      bool all = true;
      for (std::size_t w = 0; w < n && all; ++w) {
        const bool open = phrase.prefix && w + 1 == n;
        all = open ? words[at + w].term.starts_with(phrase.terms[w]) : words[at + w].term == phrase.terms[w];
      }
      if (all) std::fill_n(matched.begin() + static_cast<std::ptrdiff_t>(at), n, true);
    }
  }
  return matched;
}

// In how many chunks each phrase is.
Result<std::vector<double>> document_counts(Session& session, const std::vector<Phrase>& phrases,
                                            const std::vector<Match>& matches, bool all_there) {
  std::vector<double> counts;
  for (std::size_t p = 0; p < phrases.size(); ++p) {
    if (all_there) {
      counts.push_back(static_cast<double>(
          std::ranges::count_if(matches, [p](const Match& m) { return m.counts[p] > 0; })));
      continue;
    }
    CASTIEL_ASSIGN(const auto rows,
                   session.query("SELECT search_count($1::text::tsquery)", Params(to_query(phrases[p]))));
    counts.push_back(static_cast<double>(rows[0].integer(0)));
  }
  return counts;
}

void score(std::vector<Match>& matches, const std::vector<double>& counts, double chunks, double words) {
  const double average = std::max(1.0, words / chunks);
  for (auto& match : matches) {
    for (std::size_t p = 0; p < counts.size(); ++p) {
      const double weight = std::log(1 + (chunks - counts[p] + 0.5) / (counts[p] + 0.5));
      const double tf = match.counts[p];
      match.score += weight * tf * (kSaturation + 1) /
                     (tf + kSaturation * (1 - kLengthWeight + kLengthWeight * match.words / average));
    }
  }
}

Result<std::vector<SearchHit>> read_hits(Session& session, const TenantId& tenant, WordReader& reader,
                                         const std::vector<Match>& best, const std::vector<Phrase>& phrases) {
  Column shards(kText), ordinals(kInt8);
  for (const auto& match : best) {
    shards.add(match.shard);
    ordinals.add(match.ordinal);
  }
  CASTIEL_ASSIGN(
      const auto rows,
      session.query("SELECT c.shard_id, c.type, c.ordinal, c.at, c.locator, c.title, c.text, w.n"
                    " FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS w(shard_id, ordinal, n)"
                    " JOIN search_chunk c ON c.tenant=$1 AND c.shard_id=w.shard_id AND c.ordinal=w.ordinal"
                    " ORDER BY w.n",
                    Params(tenant).add(shards).add(ordinals)));
  std::vector<SearchHit> hits;
  for (int i = 0; i < rows.size(); ++i) {
    SearchHit hit{read_chunk(rows[i]), best[static_cast<std::size_t>(rows[i].integer(7) - 1)].score, {}};
    const auto words = reader.words(hit.chunk.text);
    hit.snippet = snippet(hit.chunk.text, words, matched_words(words, phrases), kSnippetWords);
    hits.push_back(std::move(hit));
  }
  return hits;
}

}  // namespace

IndexedText index_text(WordReader& reader, const TenantId& tenant, std::string_view title,
                       std::string_view text) {
  std::map<std::string, std::vector<std::string>> places;
  std::size_t position = 0;
  const auto add = [&](std::string_view part, const char* weight) {
    const auto words = reader.words(part);
    for (const auto& word : words) {
      auto& at = places[word.term];
      if (++position <= kMaxPosition || at.empty()) {
        if (at.size() < kMaxPositions)
          at.push_back(std::to_string(std::min(position, kMaxPosition)) + weight);
      }
    }
    ++position;  // no phrase goes over from the title to the text
    return static_cast<std::int64_t>(words.size());
  };
  IndexedText indexed;
  indexed.words = add(title, "A");
  indexed.words += add(text, "");
  for (const auto& [term, at] : places) {
    if (indexed.tokens.size() > kMaxTokenBytes) break;
    if (!indexed.tokens.empty()) indexed.tokens += ' ';
    append_quoted(indexed.tokens, lexeme(tenant, term));
    for (std::size_t i = 0; i < at.size(); ++i) {
      indexed.tokens += i == 0 ? ':' : ',';
      indexed.tokens += at[i];
    }
  }
  return indexed;
}

Result<SearchAnswer> full_text_search(Session& session, const TenantId& tenant, const SearchQuery& wanted) {
  SearchAnswer answer;
  WordReader reader;
  const auto phrases = phrases_of(reader, tenant, wanted);
  if (phrases.empty()) return answer;
  std::string expression;
  for (const auto& phrase : phrases) {
    if (!expression.empty()) expression += wanted.all ? " & " : " | ";
    expression += to_query(phrase);
  }
  CASTIEL_ASSIGN(const auto sizes,
                 session.query("SELECT sum(chunks)::bigint, sum(words)::bigint FROM search_size "
                               "WHERE tenant=$1",
                               Params(tenant)));
  if (sizes[0].is_null(0) || sizes[0].integer(0) <= 0) return answer;
  const auto chunks = static_cast<double>(sizes[0].integer(0)),
             words = static_cast<double>(sizes[0].integer(1));

  CASTIEL_ASSIGN(
      const auto rows,
      session.query("SELECT shard_id, ordinal, words, tokens, total FROM search_matches($1::text::tsquery, "
                    "$2, $3)",
                    Params(expression, wanted.type, kMaxRanked)));
  if (rows.empty()) return answer;
  answer.total = rows[0].integer(4);
  std::vector<Match> matches;
  for (int i = 0; i < rows.size(); ++i) {
    const Postings postings(rows[i].raw(3), phrases);
    Match match{rows[i].str(0), rows[i].integer(1), static_cast<double>(rows[i].integer(2)), {}, 0};
    for (const auto& phrase : phrases) match.counts.push_back(postings.count(phrase));
    matches.push_back(std::move(match));
  }
  const bool all_there =
      !wanted.all && wanted.type.empty() && answer.total == static_cast<std::int64_t>(matches.size());
  CASTIEL_ASSIGN(const auto counts, document_counts(session, phrases, matches, all_there));
  score(matches, counts, chunks, words);

  const auto better = [](const Match& a, const Match& b) {
    if (a.score != b.score) return a.score > b.score;
    return std::tie(a.shard, a.ordinal) < std::tie(b.shard, b.ordinal);
  };
  const std::size_t take = std::min(wanted.limit, matches.size());
  std::ranges::partial_sort(matches, matches.begin() + static_cast<std::ptrdiff_t>(take), better);
  matches.resize(take);
  if (take == 0) return answer;
  CASTIEL_ASSIGN(answer.hits, read_hits(session, tenant, reader, matches, phrases));
  return answer;
}

}  // namespace castiel::storage::postgres
