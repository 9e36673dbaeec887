#include "processing/documents/document_reader.hpp"

#include <fmt/format.h>

#include "base/utf8.hpp"
#include "connectors/records.hpp"
#include "content/documents/analyse.hpp"
#include "content/documents/dateline.hpp"
#include "model/entity.hpp"

namespace castiel::processing {

namespace {

constexpr auto kExtraction = std::chrono::seconds(90);  // the extractor's own limit for a file is shorter
// Of text in a shard; the blob keeps the whole file.
constexpr std::size_t kMaxStoredTextBytes = std::size_t{4} << 20;
constexpr std::size_t kSaidTextBytes = 4000;  // of the text in the event

std::string type_by_name(std::string_view name) {
  const auto dot = name.rfind('.');
  std::string extension(dot == name.npos ? std::string_view() : name.substr(dot + 1));
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension.size() <= 5 ? extension : std::string();
}

// What the shard shows of a file that is no document of its own kind: a mail, an invitation or a transcript
// that came as an attachment.
json::object as_document(json::object structure) {
  const auto kind = string_or(structure, "kind");
  if (kind == "document") return structure;
  json::object document{
      {"kind", "document"}, {"documentType", kind}, {"title", string_or(structure, "title")}};
  std::string text = string_or(structure, "text");
  if (kind == "email") {
    document["title"] = string_or(structure, "subject");
    text = string_or(structure, "subject") + "\n\n" + text;
  } else if (kind == "transcript") {
    if (const auto* segments = get_array(structure, "segments")) {
      for (const auto& s : *segments)
        text += string_or(s.get_object(), "speaker") + ": " + string_or(s.get_object(), "text") + "\n";
    }
  } else if (kind == "calendar") {
    if (const auto* events = get_array(structure, "events")) {
      for (const auto& e : *events)
        text += string_or(e.get_object(), "title") + " " + string_or(e.get_object(), "start") + "\n" +
                string_or(e.get_object(), "description") + "\n";
    }
  }
  document["text"] = text;
  return document;
}

// When a document is of: when it says it was last changed, else the mail it came with, else a day in its name
// or at its head, else its file. Nothing where none of them tells.
std::pair<std::optional<Timestamp>, std::string_view> dated(const json::object& structure,
                                                            const json::object& record, std::string_view text,
                                                            bool came_along, Timestamp observed_at) {
  constexpr Timestamp kEarliest{631'152'000'000'000};  // 1990: earlier ones are a program's zero
  for (const char* name : {"modifiedAt", "createdAt"}) {
    if (const auto own = parse_timestamp(string_or(structure, name)); own && *own >= kEarliest)
      return {*own, "document"};
  }
  const auto modified = parse_timestamp(string_or(record, "modifiedAt"));
  if (came_along && modified) return {*modified, "mail"};
  // A file is no older than what stands in it: a later day is of something else.
  constexpr auto kZones = std::chrono::hours(24);
  const Timestamp latest = (modified && *modified >= kEarliest ? *modified : observed_at) + kZones;
  const auto fits = [&](Timestamp at) { return at >= kEarliest && at <= latest; };
  if (const auto day = connectors::date_in_name(string_or(record, "title")); day && fits(start_of(*day)))
    return {start_of(*day), "name"};
  if (const auto day = content::documents::dateline_of(text); day && fits(start_of(*day)))
    return {start_of(*day), "text"};
  if (modified) return {*modified, "file"};
  return {std::nullopt, ""};
}

}  // namespace

Result<Understood> DocumentReader::read(const json::object& record, const RecordContext& context) {
  Understood out;
  out.external_id = string_or(record, "documentId");
  out.type = model::type::kDocument;
  if (out.external_id.empty()) return permanent("missing_id", "the document has no id");
  out.version = context.observed_at;
  const auto* metadata = get_object(record, "metadata");
  const std::string parent_type = metadata == nullptr ? "" : string_or(*metadata, "parentType");
  out.came_along = !parent_type.empty();
  const auto modified = parse_timestamp(string_or(record, "modifiedAt"));
  if (out.came_along && modified) {
    out.version = *modified;
    out.dated = true;
  }

  CASTIEL_ASSIGN(const auto bytes, blobs_->get(context.reader.tenant(), string_or(record, "blobUrl")));
  extract::Request request;
  request.name = string_or(record, "title");
  request.media_type = string_or(record, "mimeType");
  request.bytes = bytes;
  auto extracted = extractor_->extract(request, Deadline::after(*clock_, kExtraction));
  json::object structure;
  json::value error;
  if (extracted) {
    structure =
        content::documents::analyse_document(as_document(std::move(extracted->structure)),
                                             {modified ? *modified : context.observed_at, context.time_zone});
  } else if (extracted.error().cls != ErrorClass::permanent) {
    return std::unexpected(extracted.error());
  } else {
    const auto& e = extracted.error();
    error = json::object{{"code", e.code}, {"message", e.message}};
    if (!out.came_along) out.problems.emplace_back(e.code, e.message);
  }

  const auto take = [&structure](const char* name, json::value fallback) {
    auto* value = structure.if_contains(name);
    return value == nullptr || value->is_null() ? std::move(fallback) : std::move(*value);
  };
  std::string text = string_or(structure, "text");
  const bool cut = text.size() > kMaxStoredTextBytes;
  if (cut) {
    text = std::string(utf8_prefix(text, kMaxStoredTextBytes));
    out.problems.emplace_back("text_cut",
                              fmt::format("the text of '{}' is longer than {} MiB: the rest is not searched",
                                          string_or(record, "title"), kMaxStoredTextBytes >> 20));
  }
  std::string title = string_or(structure, "title");
  if (title.empty()) title = string_or(record, "title");
  const auto when = [&](const char* name) {
    auto own = take(name, nullptr);
    return own.is_string() ? own : record.contains(name) ? record.at(name) : json::value(nullptr);
  };
  const std::string type = string_or(structure, "documentType", type_by_name(string_or(record, "title")));
  const auto author = string_or(structure, "author");
  const auto [date, date_from] = dated(structure, record, text, out.came_along, context.observed_at);
  out.data = {{"documentType", type},
              {"title", title},
              {"url", string_or(record, "url")},
              {"blobUrl", string_or(record, "blobUrl")},
              {"size", int_or(record, "size", 0)},
              {"sha256", string_or(record, "sha256")},
              {"mimeType", string_or(structure, "mimeType", string_or(record, "mimeType"))},
              {"extractedText", text},
              {"extractedEntities", take("entities", json::array())},
              {"dates", take("dates", json::array())},
              {"keyPhrases", take("keyPhrases", json::array())},
              {"sentiment", take("sentiment", nullptr)},
              {"topics", take("topics", json::array())},
              {"language", take("language", "")},
              {"date", date ? json::value(to_string(*date)) : json::value(nullptr)},
              {"dateFrom", date_from},
              {"createdAt", when("createdAt")},
              {"createdBy", author},
              {"modifiedAt", when("modifiedAt")},
              {"modifiedBy", string_or(record, "modifiedBy", author)},
              {"warnings", take("warnings", json::array())}};
  // Pages, slides and sheets repeat the text in its parts: evidence opens there.
  if (!cut) {
    for (const char* name : {"pages", "slides", "sheets", "tables"}) {
      if (auto* parts = structure.if_contains(name);
          parts != nullptr && parts->is_array() && !parts->get_array().empty())
        out.data[name] = std::move(*parts);
    }
  }
  json::object source{{"integration", context.integration}, {"path", ""}, {"parentFolder", ""}};
  if (metadata != nullptr) {
    source["path"] = string_or(*metadata, "path");
    source["parentFolder"] = string_or(*metadata, "parentFolder");
  }
  out.data["source"] = std::move(source);
  if (out.came_along)
    out.data["parent"] =
        json::object{{"type", parent_type}, {"externalId", string_or(*metadata, "parentKey")}};
  if (!error.is_null()) out.data["error"] = error;
  if (cut) out.data["truncated"] = true;
  out.said = {{"documentId", out.external_id},
              {"extractedText", std::string(utf8_prefix(text, kSaidTextBytes))},
              {"entities", out.data["extractedEntities"]},
              {"topics", out.data["topics"]},
              {"linkedOpportunities", json::array()}};
  return out;
}

}  // namespace castiel::processing
