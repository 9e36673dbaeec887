#include "content/documents/analyse.hpp"

#include "base/utf8.hpp"

namespace castiel::content::documents {
namespace {

json::array strings(std::vector<std::string> values) {
  json::array result;
  for (auto& value : values) result.emplace_back(std::move(value));
  return result;
}

}  // namespace

json::object analyse_document(json::object structure, const text::Context& /*context*/) {
  const std::string whole = string_or(structure, "text");
  const std::string_view text = utf8_prefix(whole, kMaxAnalysedBytes);
  structure["language"] = text::language_of(text);
  structure["keyPhrases"] = strings(text::key_phrases(text));
  structure["topics"] = strings(text::topics(text));
  structure["sentiment"] = text::sentiment(text);
  structure["entities"] = text::to_json(text::find_entities(text));
  structure["pii"] = text::to_json(text::find_personal_data(text));
  return structure;
}

}  // namespace castiel::content::documents
