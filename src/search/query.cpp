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

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Words of a title that the query has, too; with another ending where they are long.
json::array marks_in(std::string_view title, std::span<const storage::SearchTerm> terms) {
  constexpr std::size_t kLong = 4, kEnding = 3;
  std::vector<std::string> wanted;
  for (const auto& term : terms) {
    for (std::size_t i = 0; i < term.text.size();) {
      const std::size_t from = i;
      while (i < term.text.size() && is_word_byte(static_cast<unsigned char>(term.text[i]))) ++i;
      if (i > from) wanted.push_back(lower(std::string_view(term.text).substr(from, i - from)));
      i += i < term.text.size();
    }
  }
  const auto fits = [&](const std::string& word, const std::string& other) {
    const auto& shorter = word.size() < other.size() ? word : other;
    const auto& longer = word.size() < other.size() ? other : word;
    return shorter.size() == longer.size()
               ? shorter == longer
               : shorter.size() >= kLong && longer.size() - shorter.size() <= kEnding &&
                     longer.starts_with(shorter);
  };
  json::array marks;
  std::size_t at = 0, start = 0;
  std::string word;
  const auto close = [&] {
    if (!word.empty() && std::ranges::any_of(wanted, [&](const auto& w) { return fits(lower(word), w); }))
      marks.push_back({{"start", start}, {"end", at}});
    word.clear();
  };
  for (const char c : title) {
    const auto byte = static_cast<unsigned char>(c);
    if (!is_word_byte(byte)) close();
    if (is_word_byte(byte)) {
      if (word.empty()) start = at;
      word += c;
    }
    at += (byte & 0xC0) != 0x80;
  }
  close();
  return marks;
}

// A stretch of a call has a line for each segment: the one in which the first found word stands.
void move_to_segment(json::object& locator, const storage::SearchHit& hit, const model::Shard& shard) {
  const auto mark = hit.snippet.find(storage::kMarkStart);
  if (!locator.contains("lastSegment") || mark == std::string::npos) return;
  const auto line = hit.snippet.rfind('\n', mark);
  // What stands around the word in the snippet tells where in the stretch it is.
  std::string around = hit.snippet.substr(line == std::string::npos ? 0 : line + 1);
  around = around.substr(0, around.find('\n'));
  std::erase_if(around, [](char c) { return c == storage::kMarkStart || c == storage::kMarkEnd; });
  constexpr std::string_view kLeftOut = "…";
  if (around.starts_with(kLeftOut)) around.erase(0, kLeftOut.size());
  if (around.ends_with(kLeftOut)) around.erase(around.size() - kLeftOut.size());
  const auto place = around.empty() ? std::string::npos : hit.chunk.text.find(around);
  if (place == std::string::npos) return;
  const auto before = std::string_view(hit.chunk.text).substr(0, place);
  const auto wanted = int_or(locator, "segment", 0) + std::ranges::count(before, '\n');
  const auto data = parse_json(shard.data);
  const auto* transcript = data && data->is_object() ? get_object(data->get_object(), "transcript") : nullptr;
  const auto* segments = transcript == nullptr ? nullptr : get_array(*transcript, "segments");
  for (std::size_t i = 0; segments != nullptr && i < segments->size(); ++i) {
    const auto* segment = (*segments)[i].if_object();
    if (segment == nullptr || int_or(*segment, "index", static_cast<std::int64_t>(i)) != wanted) continue;
    const auto* start = segment->if_contains("startTime");
    const double seconds = start != nullptr && start->is_number() ? start->to_number<double>() : 0;
    locator["segment"] = wanted;
    locator["minute"] = static_cast<std::int64_t>(seconds / 60);
    locator["seconds"] = seconds;
    return;
  }
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
    if (snippet.empty()) {
      snippet = hit.chunk.title;
      highlights = marks_in(snippet, query.terms);
    }
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
    auto locator = parse_json(hit.chunk.locator);
    if (shard && locator && locator->is_object()) move_to_segment(locator->get_object(), hit, *shard);
    item["locator"] = locator ? std::move(*locator) : json::value(json::object());
    items.push_back(std::move(item));
  }
  return json::object{
      {"query", request.text}, {"mode", "keyword"}, {"total", answer.total}, {"items", std::move(items)}};
}

}  // namespace castiel::search
