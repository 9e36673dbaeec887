#include "linking/mentions.hpp"

#include <algorithm>

#include "base/utf8.hpp"
#include "content/name_key.hpp"

namespace castiel::linking {
namespace {

constexpr std::size_t kMaxGapBytes = 3;  // between two words of one name: " & ", ", "

bool is_word_byte(unsigned char c) {
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool is_small(char c) {
  return c >= 'a' && c <= 'z';
}

struct Word {
  std::size_t from = 0, to = 0;  // bytes
  std::string key;
};

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_word_byte(static_cast<unsigned char>(text[i]))) {
      ++i;
      continue;
    }
    const std::size_t from = i;
    bool ascii = true;
    while (i < text.size() && is_word_byte(static_cast<unsigned char>(text[i])))
      ascii = static_cast<unsigned char>(text[i++]) < 0x80 && ascii;
    Word word{from, i, {}};
    if (ascii) {
      word.key = text.substr(from, i - from);
      for (char& c : word.key) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
    } else {
      word.key = content::name_key(text.substr(from, i - from));
    }
    // Dashes and quotes outside ASCII are part of the run but of no word.
    if (!word.key.empty()) words.push_back(std::move(word));
  }
  return words;
}

}  // namespace

void Gazetteer::add(std::string_view name, Named named) {
  if (name.empty()) return;
  std::vector<std::string> keys{content::name_key(name)};
  if (named.type == "account" && !named.part) {
    if (auto key = content::company_key(name); key != keys.front()) keys.push_back(std::move(key));
  }
  for (auto& key : keys) {
    if (key.size() < kMinKeyBytes) continue;
    longest_ = std::max(longest_, key.size());
    auto& entry = entries_[std::move(key)];
    // A whole name is stronger than a word of another one.
    const bool whole_there = std::ranges::any_of(entry.named, [](const Named& n) { return !n.part; });
    if (named.part && whole_there) continue;
    if (!named.part) std::erase_if(entry.named, [](const Named& n) { return n.part; });
    (is_small(name.front()) ? entry.small : entry.capital) = true;
    if (std::ranges::find(entry.named, named) == entry.named.end()) entry.named.push_back(named);
  }
}

const std::vector<Named>* Gazetteer::lookup(std::string_view key) const {
  const auto it = entries_.find(std::string(key));
  return it == entries_.end() ? nullptr : &it->second.named;
}

std::vector<Mention> Gazetteer::find(std::string_view text) const {
  std::vector<Mention> found;
  if (entries_.empty()) return found;
  text = utf8_prefix(text, kMaxTextBytes);
  const auto words = words_of(text);
  std::size_t counted = 0, code_points = 0;  // bytes looked at and the code points in them
  const auto position = [&](std::size_t byte) {
    for (; counted < byte; ++counted)
      code_points += (static_cast<unsigned char>(text[counted]) & 0xC0) != 0x80;
    return code_points;
  };
  for (std::size_t i = 0; i < words.size();) {
    std::string key;
    const Entry* best = nullptr;
    std::size_t last = 0;
    for (std::size_t j = i; j < words.size() && j < i + kMaxWords; ++j) {
      if (j > i && words[j].from - words[j - 1].to > kMaxGapBytes) break;
      key += words[j].key;
      if (key.size() > longest_) break;
      const auto it = entries_.find(key);
      if (it == entries_.end()) continue;
      if (j == i && !it->second.small && is_small(text[words[i].from])) continue;
      best = &it->second;
      last = j;
    }
    if (best == nullptr) {
      ++i;
      continue;
    }
    Mention mention;
    mention.named = &best->named;
    mention.text = text.substr(words[i].from, words[last].to - words[i].from);
    mention.start = position(words[i].from);
    mention.end = position(words[last].to);
    mention.words = static_cast<int>(last - i + 1);
    mention.after_at =
        words[i].from > 0 && text[words[i].from - 1] == '@' &&
        (words[i].from == 1 || !is_word_byte(static_cast<unsigned char>(text[words[i].from - 2])));
    found.push_back(std::move(mention));
    i = last + 1;
  }
  return found;
}

}  // namespace castiel::linking
