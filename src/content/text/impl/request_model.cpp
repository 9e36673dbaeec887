#include "content/text/impl/request_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "content/text/impl/source.hpp"

namespace castiel::content::text::impl {
namespace {

std::vector<std::string> words_of(std::string_view sentence) {
  constexpr std::size_t kMaxWords = 80;
  const std::string text = lower(sentence);
  std::vector<std::string> words;
  for (std::size_t i = 0; i < text.size() && words.size() < kMaxWords;) {
    const auto letter = [&](std::size_t at) {
      return at < text.size() && ((text[at] >= 'a' && text[at] <= 'z') || text[at] == '\'');
    };
    if (letter(i)) {
      const std::size_t start = i;
      while (letter(i)) ++i;
      words.push_back(text.substr(start, i - start));
    } else if (is_digit(text[i])) {
      while (i < text.size() && is_digit(text[i])) ++i;
      words.emplace_back("0");
    } else {
      if (text[i] == '?' || text[i] == '!' || text[i] == '$' || text[i] == ':')
        words.emplace_back(1, text[i]);
      ++i;
    }
  }
  return words;
}

std::uint32_t fnv(std::string_view text) {
  std::uint32_t value = 2166136261U;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 16777619U;
  return value;
}

// The same as features() of the trainer.
std::vector<std::uint32_t> features_of(std::string_view sentence) {
  const auto words = words_of(sentence);
  std::vector<std::uint32_t> found;
  const auto add = [&](const std::string& feature) { found.push_back(fnv(feature) % kRequestBuckets); };
  for (std::size_t i = 0; i < words.size(); ++i) {
    add("u " + words[i]);
    if (i + 1 < words.size()) add("b " + words[i] + " " + words[i + 1]);
    if (i + 2 < words.size()) add("t " + words[i] + " " + words[i + 1] + " " + words[i + 2]);
    if (i < 3) add("s" + std::to_string(i) + " " + words[i]);
  }
  if (words.size() > 1) add("sb " + words[0] + " " + words[1]);
  if (!words.empty()) add("e " + words.back());
  add("n" + std::to_string(std::min<std::size_t>(words.size() / 6, 6)));
  std::ranges::sort(found);
  const auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
  return found;
}

}  // namespace

double request_probability(std::string_view sentence) {
  const auto found = features_of(sentence);
  double sum = 0;
  for (const auto feature : found) sum += kRequestWeights[feature];
  const double z = kRequestBias + sum * kRequestScale / std::sqrt(static_cast<double>(found.size()));
  return 1 / (1 + std::exp(-z));
}

}  // namespace castiel::content::text::impl
