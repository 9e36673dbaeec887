#include "storage/postgres/impl/words.hpp"

#include <libstemmer.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "storage/records.hpp"

namespace castiel::storage::postgres {

namespace {

constexpr std::size_t kShortestStemmed = 3, kLongestStemmed = 64;  // bytes, as SQLite's porter has it

char32_t decode(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  switch (sequence.size()) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
    case 3:
      return (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    default:
      return (byte(0) & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
  }
}

bool is_mark(UChar32 c) {
  return (U_GET_GC_MASK(c) & U_GC_MN_MASK) != 0;
}
bool is_letter(UChar32 c) {
  return (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_N_MASK | U_GC_CO_MASK)) != 0;
}

// Lower case without accents.
void append_folded(std::string& out, UChar32 c) {
  c = u_foldCase(c, U_FOLD_CASE_DEFAULT);
  UErrorCode error = U_ZERO_ERROR;
  static const UNormalizer2* const kDecomposition = [] {
    UErrorCode e = U_ZERO_ERROR;
    return unorm2_getNFDInstance(&e);
  }();
  UChar parts[18];
  const int n =
      kDecomposition == nullptr ? -1 : unorm2_getDecomposition(kDecomposition, c, parts, 18, &error);
  if (n < 0 || U_FAILURE(error)) {
    append_utf8(out, static_cast<char32_t>(c));
    return;
  }
  for (int i = 0; i < n;) {
    UChar32 part = 0;
    U16_NEXT(parts, i, n, part);
    if (!is_mark(part)) append_utf8(out, static_cast<char32_t>(u_foldCase(part, U_FOLD_CASE_DEFAULT)));
  }
}

}  // namespace

WordReader::WordReader() : stemmer_(sb_stemmer_new("porter", "UTF_8")) {}
WordReader::~WordReader() {
  sb_stemmer_delete(stemmer_);
}

std::string WordReader::stem(std::string word) {
  if (word.size() > kMaxWordBytes) word = std::string(utf8_prefix(word, kMaxWordBytes));
  if (stemmer_ == nullptr || word.size() < kShortestStemmed || word.size() > kLongestStemmed) return word;
  const auto* stemmed = sb_stemmer_stem(stemmer_, reinterpret_cast<const sb_symbol*>(word.data()),
                                        static_cast<int>(word.size()));
  if (stemmed == nullptr) return word;
  return {reinterpret_cast<const char*>(stemmed), static_cast<std::size_t>(sb_stemmer_length(stemmer_))};
}

std::vector<Word> WordReader::words(std::string_view text) {
  std::vector<Word> out;
  std::string folded;
  std::size_t begin = 0, at = 0;
  const auto finish = [&](std::size_t end) {
    if (folded.empty()) return;
    out.push_back({stem(std::move(folded)), begin, end});
    folded.clear();
  };
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      const bool digit = byte >= '0' && byte <= '9', upper = byte >= 'A' && byte <= 'Z';
      if (digit || upper || (byte >= 'a' && byte <= 'z')) {
        if (folded.empty()) begin = at;
        folded += static_cast<char>(upper ? byte + ('a' - 'A') : byte);
      } else {
        finish(at);
      }
      ++at;
      continue;
    }
    const std::size_t length = utf8_sequence_length(text.substr(at));
    const auto c = length == 0 ? U'\uFFFD' : decode(text.substr(at, length));
    if (length != 0 && is_letter(static_cast<UChar32>(c))) {
      if (folded.empty()) begin = at;
      append_folded(folded, static_cast<UChar32>(c));
    } else if (length == 0 || !is_mark(static_cast<UChar32>(c))) {
      finish(at);
    }
    at += std::max<std::size_t>(length, 1);
  }
  finish(text.size());
  return out;
}

std::string snippet(std::string_view text, const std::vector<Word>& words, const std::vector<bool>& matches,
                    std::size_t length) {
  // The window with the most different matched words, the earliest of them; then a little of what comes
  // before.
  std::size_t best = 0, best_score = 0;
  for (std::size_t first = 0; first < words.size(); ++first) {
    if (!matches[first]) continue;
    std::vector<std::string_view> seen;
    for (std::size_t i = first; i < std::min(first + length, words.size()); ++i) {
      if (matches[i] && std::ranges::find(seen, words[i].term) == seen.end()) seen.push_back(words[i].term);
    }
    if (seen.size() > best_score) {
      best_score = seen.size();
      best = first;
    }
  }
  std::size_t last_match = best;
  for (std::size_t i = best; i < std::min(best + length, words.size()); ++i) {
    if (matches[i]) last_match = i;
  }
  const std::size_t spare = length - std::min(length, last_match - best + 1);
  const std::size_t from = best - std::min(best, spare / 2);
  const std::size_t to = std::min(words.size(), from + length);
  std::string out = from > 0 ? "…" : "";
  std::size_t at = from == 0 ? 0 : words[from].begin;
  for (std::size_t i = from; i < to;) {
    if (!matches[i]) {
      ++i;
      continue;
    }
    std::size_t run = i;  // words of one match that follow each other share their marks
    while (run + 1 < to && matches[run + 1]) ++run;
    out.append(text.substr(at, words[i].begin - at));
    out += kMarkStart;
    out.append(text.substr(words[i].begin, words[run].end - words[i].begin));
    out += kMarkEnd;
    at = words[run].end;
    i = run + 1;
  }
  const bool to_the_end = to == words.size();
  out.append(text.substr(at, (to_the_end ? text.size() : words[to - 1].end) - at));
  if (!to_the_end) out += "…";
  return out;
}

}  // namespace castiel::storage::postgres
