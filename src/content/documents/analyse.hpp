#pragma once
// What the text of a parsed document says: language, key phrases, topics, sentiment, entities, personal data.
// Pure.

#include "base/json.hpp"
#include "content/text/text.hpp"

namespace castiel::content::documents {

// `structure` of ParsedDocument, with "language","keyPhrases","topics","sentiment","entities" and "pii"
// added. Offsets count code points of "text". More than kMaxAnalysedBytes of text are not looked at.
inline constexpr std::size_t kMaxAnalysedBytes = 2u << 20;
json::object analyse_document(json::object structure, const text::Context& context);

}  // namespace castiel::content::documents
