#include "content/mail/impl/spam_features.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/digest.hpp"
#include "content/mail/classify.hpp"
#include "content/mail/impl/mail_words.hpp"

namespace castiel::content::mail {
namespace impl {
namespace {

constexpr std::size_t kReadBytes = 20'000;  // of the text

class Features {
 public:
  void put(std::string_view prefix, std::string_view word) {
    std::string key(prefix);
    key += word;
    out.push_back(static_cast<std::uint32_t>(stable_hash(key) % kSpamBuckets));
  }
  // Words without digits: numbers, dates and years say where a mail is from, not what it is.
  void words(std::string_view prefix, std::string_view text) {
    std::string word;
    bool digits = false;
    for (const char c : text) {
      const bool letter =
          (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80 || c == '$' || c == '\'';
      const bool digit = c >= '0' && c <= '9';
      if (letter || digit) {
        digits = digits || digit;
        if (word.size() < 24) word.push_back(c);
        continue;
      }
      if (word.size() >= 2 && word.size() <= 20 && !digits) put(prefix, word);
      word.clear();
      digits = false;
    }
    if (word.size() >= 2 && !digits) put(prefix, word);
  }
  std::vector<std::uint32_t> out;
};

}  // namespace

std::vector<std::uint32_t> spam_features(const json::object& structure) {
  Features features;
  const std::string subject = string_or(structure, "subject");
  features.words("s:", fold(subject));
  const std::string text = fold(string_or(structure, "text").substr(0, kReadBytes));
  features.words("t:", text);
  const auto capitals = std::ranges::count_if(subject, [](char c) { return c >= 'A' && c <= 'Z'; });
  const auto small = std::ranges::count_if(subject, [](char c) { return c >= 'a' && c <= 'z'; });
  if (capitals > 8 && capitals > small) features.put("x:", "capital subject");
  if (subject.find('!') != subject.npos) features.put("x:", "subject !");
  if (subject.find("   ") != subject.npos) features.put("x:", "subject gap");
  const bool html = structure.contains("html") && structure.at("html").is_string();
  if (html) features.put("x:", "html");
  const auto* to = get_array(structure, "to");
  if (to == nullptr || to->empty()) features.put("x:", "no to");
  if (const auto* from = get_object(structure, "from")) {
    if (string_or(*from, "name").empty()) features.put("x:", "no name");
    const std::string address = fold(string_or(*from, "email"));
    const auto local = std::string_view(address).substr(0, address.find('@'));
    if (std::ranges::count_if(local, [](char c) { return c >= '0' && c <= '9'; }) >= 3)
      features.put("x:", "numbered sender");
  }
  if (text.find('>') == text.npos) features.put("x:", "no quote");
  auto& out = features.out;
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return std::move(out);
}

}  // namespace impl

double spam_probability(const json::object& structure) {
  const auto features = impl::spam_features(structure);
  if (features.empty()) return 0;
  double sum = 0;
  for (const auto bucket : features) sum += static_cast<double>(impl::kSpamWeights[bucket]);
  // Long mails have more words for the same evidence.
  const double z = impl::kSpamBias + impl::kSpamUnit * sum / std::sqrt(static_cast<double>(features.size()));
  return 1 / (1 + std::exp(-z));
}

}  // namespace castiel::content::mail
