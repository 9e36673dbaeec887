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

json::object analyse_document(json::object structure, const text::Context& context) {
  const std::string whole = string_or(structure, "text");
  const std::string_view text = utf8_prefix(whole, kMaxAnalysedBytes);
  structure["language"] = text::language_of(text);
  structure["keyPhrases"] = strings(text::key_phrases(text));
  structure["topics"] = strings(text::topics(text));
  // "Next week" is meant from the day it was written.
  text::Context when = context;
  for (const char* known : {"createdAt", "modifiedAt"}) {
    if (const auto at = parse_timestamp(string_or(structure, known))) when.at = *at;
  }
  structure["dates"] = text::dates_with_sentences(text, when);
  structure["sentiment"] = text::sentiment(text);
  structure["entities"] = text::to_json(text::find_entities(text));
  structure["pii"] = text::to_json(text::find_personal_data(text));
  return structure;
}

}  // namespace castiel::content::documents
