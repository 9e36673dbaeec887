#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "content/text/impl/source.hpp"
#include "content/text/impl/stopwords.hpp"
#include "content/text/text.hpp"

namespace castiel::content::text {
namespace impl {
namespace {

bool is_verb_like(std::string_view word) {
  return in_list(
             " describes described discuss discusses discussed considered consider considers introduce "
             "introduced introduces "
             "investigate investigated examined developed develop applied apply allows allow allowing "
             "demonstrate "
             "demonstrated derived derive discussed extended compared compare leads lead led achieve "
             "achieved increase "
             "increasing reduced reduce require requires required consists obtained enables enable improve "
             "improved "
             "consisting containing contains suggest suggests argue argues include includes included "
             "performed perform "
             "arises following corresponding respectively significantly simultaneously previously "
             "successfully ",
             word) ||
         (word.size() > 5 && word.ends_with("ly"));
}

// Endings off, as far as two forms of a noun need it.
std::string stem(std::string word) {
  if (word.ends_with("'s")) word.resize(word.size() - 2);
  if (word.size() > 4 && word.ends_with("ies")) return word.substr(0, word.size() - 3) + "y";
  if (word.size() > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us") &&
      !word.ends_with("is"))
    word.pop_back();
  return word;
}

struct Phrase {
  Range range;
  std::size_t words = 0;
  std::size_t count = 0;
  std::size_t first = 0;  // place among the phrases
  double score = 0;
};

constexpr std::size_t kMaxPhraseWords = 4;
constexpr std::size_t kMaxPhrases = 20'000;

}  // namespace

namespace {

// Runs of words between stop words and punctuation.
std::vector<Phrase> candidates(std::string_view text, std::string_view language) {
  std::unordered_map<std::string, std::size_t> known;
  std::vector<Phrase> phrases;
  std::vector<Range> run;
  std::vector<std::string> stems;
  std::size_t place = 0;
  const auto add = [&](std::size_t from, std::size_t words) {
    std::string key;
    for (std::size_t i = from; i < from + words; ++i) key += stems[i] + " ";
    if (phrases.size() >= kMaxPhrases && !known.contains(key)) return;
    const auto [at, added] = known.try_emplace(std::move(key), phrases.size());
    if (added) phrases.push_back({{run[from].start, run[from + words - 1].end}, words, 0, place, 0});
    ++phrases[at->second].count;
  };
  const auto flush = [&] {
    if (!run.empty()) {
      // The whole run and the parts of it: "customer success team" also speaks of customer success.
      if (run.size() <= kMaxPhraseWords) add(0, run.size());
      for (std::size_t words = 1; words <= 3 && words < run.size(); ++words)
        for (std::size_t from = 0; from + words <= run.size(); ++from) add(from, words);
      ++place;
    }
    run.clear();
    stems.clear();
  };
  std::size_t last_end = 0;
  for (const auto& range : word_ranges(text)) {
    const auto between = text.substr(last_end, range.start - last_end);
    if (between.find_first_not_of(" \t\r\n") != between.npos || std::ranges::count(between, '\n') > 1)
      flush();
    last_end = range.end;
    constexpr std::size_t kLongestWord = 40;
    const std::string word = lower(text.substr(range.start, range.end - range.start));
    const bool number = std::ranges::all_of(
        word, [](char c) { return !is_alpha(c) && static_cast<unsigned char>(c) < 0x80; });
    if (word.size() < 2 || word.size() > kLongestWord || number || is_stop_word(word, language) ||
        is_verb_like(word)) {
      flush();
      continue;
    }
    run.push_back(range);
    stems.push_back(stem(word));
  }
  flush();
  return phrases;
}

}  // namespace
}  // namespace impl

std::vector<std::string> key_phrases(std::string_view text, std::size_t limit) {
  using namespace impl;
  const Source source(text);
  auto phrases = candidates(source.text(), language_of(text));
  // What is said often and early; two and three words say more than one, four are rarely a name of anything.
  constexpr std::array<double, 5> kByWords{0, 0.5, 1, 1, 0.6};
  for (auto& phrase : phrases) {
    const double early = 1 + 2 / (1 + static_cast<double>(phrase.first) / 4);
    phrase.score = static_cast<double>(phrase.count) * kByWords[phrase.words] * early;
  }
  std::ranges::stable_sort(phrases, [](const Phrase& a, const Phrase& b) { return a.score > b.score; });
  std::vector<std::string> out;
  for (const auto& phrase : phrases) {
    if (out.size() == limit) break;
    std::string written = source.part(phrase.range.start, phrase.range.end);
    std::ranges::replace(written, '\n', ' ');
    out.push_back(std::move(written));
  }
  return out;
}

}  // namespace castiel::content::text
