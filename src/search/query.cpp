#include "search/query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/utf8.hpp"

namespace castiel::search {
namespace {

// Function words of English, German, French and Spanish questions.
constexpr std::array<std::string_view, 72> kCommon{
    "a",    "about", "an",   "and",  "are",  "as",    "at",    "be",    "been", "but",  "by",   "can",
    "did",  "do",    "does", "for",  "from", "had",   "has",   "have",  "he",   "her",  "his",  "how",
    "i",    "if",    "in",   "into", "is",   "it",    "its",   "me",    "my",   "of",   "on",   "or",
    "our",  "she",   "so",   "that", "the",  "their", "them",  "there", "they", "this", "to",   "us",
    "was",  "we",    "were", "what", "when", "where", "which", "who",   "why",  "will", "with", "you",
    "your", "der",   "die",  "das",  "und",  "le",    "la",    "les",   "et",   "el",   "los",  "de"};

bool is_word_byte(unsigned char c) {
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool is_common(std::string_view word) {
  std::string low(word);
  for (char& c : low) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::ranges::find(kCommon, low) != kCommon.end();
}

// The snippet without its marks, and what they marked in code points.
std::pair<std::string, json::array> highlights_of(std::string_view marked) {
  std::string text;
  json::array highlights;
  std::size_t at = 0, start = 0;
  for (const char c : marked) {
    if (c == storage::kMarkStart) {
      start = at;
    } else if (c == storage::kMarkEnd) {
      highlights.push_back({{"start", start}, {"end", at}});
    } else {
      text += c;
      at += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }
  }
  return {std::move(text), std::move(highlights)};
}

}  // namespace

std::vector<storage::SearchTerm> parse_query(std::string_view text) {
  std::vector<storage::SearchTerm> terms;
  const auto add = [&](std::string_view term, bool prefix) {
    if (std::ranges::none_of(term, [](char c) { return is_word_byte(static_cast<unsigned char>(c)); }))
      return;
    const storage::SearchTerm made{std::string(term), prefix};
    const auto same = [&](const storage::SearchTerm& t) {
      return t.text == made.text && t.prefix == made.prefix;
    };
    if (terms.size() < storage::kMaxSearchTerms && std::ranges::none_of(terms, same)) terms.push_back(made);
  };
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      const auto end = std::min(text.find('"', i + 1), text.size());
      add(text.substr(i + 1, end - i - 1), false);
      i = end + 1;
      continue;
    }
    if (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && text[end] != ' ' && text[end] != '\t' && text[end] != '\n' &&
           text[end] != '\r' && text[end] != '"')
      ++end;
    auto word = text.substr(i, end - i);
    const bool prefix = word.ends_with('*');
    while (!word.empty() && word.back() == '*') word.remove_suffix(1);
    add(word, prefix);
    i = end;
  }
  const auto common = [](const storage::SearchTerm& t) { return !t.prefix && is_common(t.text); };
  if (!std::ranges::all_of(terms, common)) std::erase_if(terms, common);
  return terms;
}

Result<json::object> search(const storage::Reader& reader, const Request& request) {
  if (request.text.size() > kMaxQueryBytes)
    return permanent("invalid_parameter", fmt::format("the query is longer than {} bytes", kMaxQueryBytes));
  if (request.mode == "vector")
    return permanent("not_available", "there are no vectors to search in yet: use mode keyword or hybrid");
  storage::SearchQuery query;
  query.terms = parse_query(request.text);
  query.type = request.type;
  query.limit = std::min(request.limit, kMaxLimit);
  if (query.terms.empty()) return permanent("invalid_parameter", "the query has no word to search for");
  CASTIEL_ASSIGN(const auto answer, reader.search(query));
  json::array items;
  for (const auto& hit : answer.hits) {
    auto [snippet, highlights] = highlights_of(hit.snippet);
    json::object item{{"shardId", hit.chunk.shard.str()},
                      {"type", hit.chunk.type},
                      {"title", hit.chunk.title},
                      {"date", to_string(hit.chunk.at)},
                      {"score", std::round(hit.score * 1000) / 1000},
                      {"snippet", std::move(snippet)},
                      {"highlights", std::move(highlights)}};
    CASTIEL_ASSIGN(const auto shard, reader.shard(hit.chunk.shard));
    if (shard) {
      item["externalId"] = shard->key.external_id;
      item["integration"] = shard->key.integration;
    }
    const auto locator = parse_json(hit.chunk.locator);
    item["locator"] = locator ? *locator : json::value(json::object());
    items.push_back(std::move(item));
  }
  return json::object{
      {"query", request.text}, {"mode", "keyword"}, {"total", answer.total}, {"items", std::move(items)}};
}

}  // namespace castiel::search
