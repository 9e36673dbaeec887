#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "content/text/impl/lexicon.hpp"
#include "content/text/impl/source.hpp"

namespace castiel::content::text {
namespace impl {
namespace {

// The constants of Hutto and Gilbert's rules: how much a neighbour changes the valence of a word.
constexpr double kBoost = 0.293;
constexpr double kNegation = -0.74;
constexpr double kCapitals = 0.733;
constexpr double kExclamation = 0.292;
constexpr double kNormalization = 15;

constexpr std::string_view kBoosters =
    " absolutely amazingly awfully completely considerably decidedly deeply enormously entirely especially "
    "exceptionally "
    "extremely fabulously flipping frickin fully greatly hella highly hugely incredibly intensely majorly "
    "more most "
    "particularly purely quite really remarkably so substantially thoroughly totally tremendously uber "
    "unbelievably "
    "unusually utterly very such super much truly seriously ";
constexpr std::string_view kDampers =
    " almost barely hardly kinda kindof less little marginally occasionally partly scarcely slightly "
    "somewhat sorta "
    "sortof fairly ";
constexpr std::string_view kNegations =
    " aint arent cannot cant couldnt didnt doesnt dont hadnt hasnt havent isnt mightnt mustnt neither never "
    "no nobody none "
    "nope nor not nothing nowhere rarely seldom shouldnt uhuh wasnt werent without wont wouldnt despite "
    "ain't aren't can't "
    "couldn't didn't doesn't don't hadn't hasn't haven't isn't mightn't mustn't needn't shouldn't wasn't "
    "weren't won't "
    "wouldn't lacks lack lacking ";

bool all_capitals(std::string_view word) {
  std::size_t upper = 0;
  for (const char c : word) {
    if (c >= 'a' && c <= 'z') return false;
    upper += is_upper(c);
  }
  return upper > 1;
}

struct Token {
  std::string word;
  double valence = 0;
  bool capitals = false;
};

double emoticon(std::string_view token) {
  if (in_list(" :) :-) =) :] ;) ;-) :D :-D =D ;D :P :-P <3 xD XD ^_^ :') (: :o) ", token)) return 2.0;
  if (in_list(" :( :-( =( :[ :'( :/ :-/ :| >:( D: ): </3 :S :\\ ", token)) return -1.9;
  return 0;
}

double emoji(std::string_view token) {
  constexpr std::array<std::string_view, 14> kGood{"😀", "😃", "😄", "😁", "😊", "😍", "👍",
                                                   "🎉", "❤",  "🙂", "😂", "🙌", "✅", "🚀"};
  constexpr std::array<std::string_view, 10> kBad{"😢", "😭", "😞", "😠", "😡", "👎", "😟", "🙁", "😩", "💔"};
  for (const auto sign : kGood)
    if (token.find(sign) != token.npos) return 2.0;
  for (const auto sign : kBad)
    if (token.find(sign) != token.npos) return -2.0;
  return 0;
}

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> out;
  for (std::size_t i = 0; i < text.size();) {
    while (i < text.size() && is_space(text[i])) ++i;
    const std::size_t start = i;
    while (i < text.size() && !is_space(text[i])) ++i;
    if (i == start) break;
    std::string_view raw = text.substr(start, i - start);
    Token token;
    token.valence = emoticon(raw);
    if (token.valence == 0 && raw.size() <= 64) token.valence = emoji(raw);
    const auto is_edge = [](char c) { return !is_word_byte(c); };
    while (!raw.empty() && is_edge(raw.front())) raw.remove_prefix(1);
    while (!raw.empty() && is_edge(raw.back())) raw.remove_suffix(1);
    if (raw.empty() && token.valence == 0) continue;
    token.word = lower(raw);
    token.capitals = all_capitals(raw);
    if (token.valence == 0) token.valence = valence_of(token.word);
    out.push_back(std::move(token));
  }
  return out;
}

bool is_negation(std::string_view word) {
  return in_list(kNegations, word) || word.ends_with("n't");
}

double score_of(std::string_view text) {
  const std::vector<Token> tokens = tokens_of(text);
  std::size_t capitals = 0;
  for (const Token& token : tokens) capitals += token.capitals;
  const bool mixed = capitals > 0 && capitals < tokens.size();
  std::vector<double> valences(tokens.size(), 0);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    double valence = tokens[i].valence;
    if (valence == 0) continue;
    if (tokens[i].word == "no" || tokens[i].word == "like") {
      // "no problem" negates, "like" is a comparison after "is" and "was".
      if (tokens[i].word == "no" && i + 1 < tokens.size() && tokens[i + 1].valence != 0) continue;
      if (tokens[i].word == "like" && i > 0 &&
          in_list(" is was are were be looks look looked feels sounds seems just something more ",
                  tokens[i - 1].word))
        continue;
    }
    const double sign = valence > 0 ? 1 : -1;
    if (mixed && tokens[i].capitals) valence += sign * kCapitals;
    bool negated = false;
    for (std::size_t back = 1; back <= 3 && back <= i; ++back) {
      const Token& before = tokens[i - back];
      if (before.valence == 0 || is_negation(before.word)) {
        double boost = in_list(kBoosters, before.word)  ? kBoost
                       : in_list(kDampers, before.word) ? -kBoost
                                                        : 0;
        if (boost != 0 && mixed && before.capitals) boost += boost > 0 ? kCapitals : -kCapitals;
        const double distance = back == 1 ? 1 : back == 2 ? 0.95 : 0.9;
        valence += sign * boost * distance;
      }
      if (is_negation(before.word)) {
        const bool so =
            back >= 2 && (tokens[i - back + 1].word == "so" || tokens[i - back + 1].word == "only");
        if (!so) negated = true;
      }
    }
    if (i >= 1 && tokens[i - 1].word == "least" &&
        (i < 2 || (tokens[i - 2].word != "at" && tokens[i - 2].word != "very")))
      negated = true;
    valences[i] = negated ? valence * kNegation : valence;
  }
  // What follows "but" weighs more than what precedes it.
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].word != "but" && tokens[i].word != "however") continue;
    for (std::size_t j = 0; j < tokens.size(); ++j) valences[j] *= j < i ? 0.5 : j > i ? 1.5 : 1;
    break;
  }
  double sum = 0;
  for (const double valence : valences) sum += valence;
  const auto exclamations = static_cast<double>(std::min<std::ptrdiff_t>(std::ranges::count(text, '!'), 4));
  const auto questions = std::ranges::count(text, '?');
  double emphasis = exclamations * kExclamation;
  if (questions > 1) emphasis += questions <= 3 ? static_cast<double>(questions) * 0.18 : 0.96;
  if (sum > 0) sum += emphasis;
  if (sum < 0) sum -= emphasis;
  return sum / std::sqrt(sum * sum + kNormalization);
}

}  // namespace
}  // namespace impl

double sentiment(std::string_view text) {
  const impl::Source source(text);
  const auto ranges = impl::sentence_ranges(source.text());
  if (ranges.empty()) return 0;
  constexpr std::size_t kWholeBytes = 600;  // a text this short is one statement
  if (source.size() <= kWholeBytes) return impl::score_of(source.text());
  // A longer text is as its sentences are on average, those without feeling counted a quarter.
  double sum = 0, weight = 0;
  for (const auto& [start, end] : ranges) {
    const double score = impl::score_of(source.text().substr(start, end - start));
    const double share = score == 0 ? 0.25 : 1.0;
    sum += score * share;
    weight += share;
  }
  return sum / weight;
}

}  // namespace castiel::content::text
