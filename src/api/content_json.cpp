#include "api/content_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <tuple>

#include "base/utf8.hpp"
#include "linking/content.hpp"
#include "model/entity.hpp"

namespace castiel::api {
namespace {

namespace type = model::type;

constexpr std::size_t kMaxPeopleShown = 50;
constexpr std::size_t kTextAround = 500;   // bytes before the evidence of a link
constexpr std::size_t kTextShown = 1'500;  // bytes of text of a link's source
constexpr std::size_t kMessageShown = 4'000;
constexpr std::size_t kMaxThreadCounted = 500;  // messages of a thread

json::value or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

std::string first_of(const json::object& data, std::initializer_list<const char*> members) {
  for (const char* member : members) {
    if (auto text = string_or(data, member); !text.empty()) return text;
  }
  return {};
}

std::optional<Timestamp> time_of(const json::object& data, std::initializer_list<const char*> members) {
  for (const char* member : members) {
    const auto text = string_or(data, member);
    if (const auto at = parse_timestamp(text)) return *at;
    if (const auto day = parse_date(text)) return start_of(*day);
  }
  return std::nullopt;
}

std::string person_name(const json::value* value) {
  const auto* person = value == nullptr ? nullptr : value->if_object();
  return person == nullptr ? std::string() : first_of(*person, {"name", "email"});
}

void add_people(std::vector<std::string>& people, const json::object& data,
                std::initializer_list<const char*> members) {
  const auto add = [&](const json::value* value) {
    auto name = person_name(value);
    if (!name.empty() && people.size() < kMaxPeopleShown && std::ranges::find(people, name) == people.end())
      people.push_back(std::move(name));
  };
  for (const char* member : members) {
    const auto* value = data.if_contains(member);
    if (value == nullptr) continue;
    if (const auto* list = value->if_array()) {
      for (const auto& item : *list) add(&item);
    } else {
      add(value);
    }
  }
}

const json::array* segments_of(const json::object& data) {
  const auto* transcript = get_object(data, "transcript");
  return transcript == nullptr ? nullptr : get_array(*transcript, "segments");
}

std::string spoken(const json::object& data) {
  std::string text;
  const auto* segments = segments_of(data);
  for (std::size_t i = 0; segments != nullptr && i < segments->size(); ++i) {
    const auto* segment = (*segments)[i].if_object();
    if (segment == nullptr) continue;
    if (!text.empty()) text += '\n';
    const auto speaker = string_or(*segment, "speaker");
    if (!speaker.empty()) text += speaker + ": ";
    text += string_or(*segment, "text");
  }
  return text;
}

// A file's path says where it lies, its last part what it is.
std::string_view file_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

// N of "transcript.segments[N].text".
std::optional<std::int64_t> segment_in(std::string_view field) {
  constexpr std::string_view kStart = "transcript.segments[";
  if (!field.starts_with(kStart)) return std::nullopt;
  field.remove_prefix(kStart.size());
  std::int64_t n = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), n);
  return error == std::errc() ? std::optional(n) : std::nullopt;
}

// The part of a document that holds the words: its number or name under `place`.
json::value part_with(const json::object& data, const char* list, const char* content, const char* key,
                      const char* place, std::string_view words) {
  const auto* parts = get_array(data, list);
  for (std::size_t i = 0; parts != nullptr && i < parts->size(); ++i) {
    const auto* part = (*parts)[i].if_object();
    const auto* value = part == nullptr ? nullptr : part->if_contains(content);
    if (value == nullptr || !part->contains(key)) continue;
    const auto text = value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
    if (text.find(words) != std::string::npos) return json::object{{place, part->at(key)}};
  }
  return nullptr;
}

}  // namespace

json::object data_of(const model::Shard& shard) {
  auto parsed = parse_json(shard.data);
  return parsed && parsed->is_object() ? std::move(parsed->get_object()) : json::object();
}

Shown show(const model::Shard& shard, const json::object& data) {
  Shown shown;
  shown.at = shard.source_is_dated ? shard.source_version : shard.created_at;
  const auto& t = shard.key.type;
  const auto dated = [&](std::initializer_list<const char*> members) {
    if (const auto at = time_of(data, members)) shown.at = *at;
  };
  if (t == type::kEmail || t == type::kMessage) {
    dated({"sentAt", "receivedAt"});
    shown.title = string_or(data, "subject");
    const auto* channel = get_object(data, "channel");
    if (shown.title.empty() && channel != nullptr) {
      const auto name = string_or(*channel, "name");
      shown.title = string_or(*channel, "type") == "dm" || name.empty() ? "Direct conversation" : "#" + name;
    }
    shown.text = first_of(data, {"bodyPlainText", "body"});
    add_people(shown.people, data, {"from", "to", "cc"});
  } else if (t == type::kMeeting) {
    dated({"startTime"});
    shown.title = string_or(data, "title");
    shown.text = spoken(data);
    add_people(shown.people, data, {"participants"});
  } else if (t == type::kEvent) {
    dated({"startTime"});
    shown.title = string_or(data, "title");
    shown.text = first_of(data, {"description", "location"});
    add_people(shown.people, data, {"organizer", "attendees"});
  } else if (t == type::kDocument) {
    dated({"date", "modifiedAt", "createdAt"});
    shown.title = string_or(data, "title");
    if (const auto* source = get_object(data, "source"); source != nullptr && shown.title.empty())
      shown.title = file_name(string_or(*source, "path"));
    if (shown.title.empty()) shown.title = "Attachment (" + string_or(data, "documentType", "unknown") + ")";
    shown.text = string_or(data, "extractedText");
    if (auto by = string_or(data, "createdBy"); !by.empty()) shown.people.push_back(std::move(by));
  } else {
    dated({"saidAt", "modifiedAt", "createdAt"});
    shown.title = first_of(data, {"name", "title"});
    if (shown.title.empty()) {
      shown.title = string_or(data, "firstName") + " " + string_or(data, "lastName");
      if (shown.title == " ") shown.title = string_or(data, "email");
    }
  }
  return shown;
}

std::string snippet(std::string_view text) {
  std::string line;
  bool space = false;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      space = !line.empty();
      continue;
    }
    if (line.size() >= kSnippetBytes) return std::string(utf8_prefix(line, kSnippetBytes)) + "…";
    if (space) line += ' ';
    space = false;
    line += c;
  }
  return line;
}

json::object segment_place(const json::object& data, std::int64_t segment) {
  json::object place{{"segment", segment}};
  const auto* segments = segments_of(data);
  for (std::size_t i = 0; segments != nullptr && i < segments->size(); ++i) {
    const auto* one = (*segments)[i].if_object();
    if (one == nullptr || int_or(*one, "index", static_cast<std::int64_t>(i)) != segment) continue;
    const auto* start = one->if_contains("startTime");
    if (start != nullptr && start->is_number()) place["minute"] = start->to_number<double>() / 60;
    break;
  }
  return place;
}

json::value place_of(const json::object& data, const json::array& evidence) {
  for (const auto& item : evidence) {
    const auto* piece = item.if_object();
    if (piece == nullptr) continue;
    const auto field = string_or(*piece, "field"), words = string_or(*piece, "text");
    if (const auto segment = segment_in(field)) return segment_place(data, *segment);
    if (field != "extractedText" || words.empty()) continue;
    for (auto place : {part_with(data, "slides", "text", "number", "slide", words),
                       part_with(data, "sheets", "rows", "name", "sheet", words),
                       part_with(data, "pages", "text", "number", "page", words)}) {
      if (!place.is_null()) return place;
    }
  }
  return nullptr;
}

json::object link_brief(const storage::Link& link) {
  const auto evidence = parse_json(link.evidence);
  return {{"id", link.id},
          {"strategy", link.strategy},
          {"confidence", link.confidence},
          {"status", link.status},
          {"reason", link.reason},
          {"evidence", evidence && evidence->is_array() ? *evidence : json::value(json::array())}};
}

Result<json::value> link_source(const storage::Reader& reader, const storage::Link& link) {
  json::object from{{"id", link.from.str()}, {"type", link.from_type}};
  CASTIEL_ASSIGN(const auto shard, reader.shard(link.from));
  if (!shard) {
    for (const char* member : {"title", "at", "text"}) from[member] = nullptr;
    from["people"] = json::array();
    return json::value(std::move(from));
  }
  const auto shown = show(*shard, data_of(*shard));
  std::string_view text = shown.text;
  std::string before;
  const auto evidence = parse_json(link.evidence);
  for (const auto& item : evidence && evidence->is_array() ? evidence->get_array() : json::array()) {
    const auto words = item.is_object() ? string_or(item.get_object(), "text") : std::string();
    const auto at = words.empty() ? text.npos : text.find(words);
    if (at == text.npos) continue;
    if (at + words.size() <= kTextShown) break;
    std::size_t start = at - std::min(at, kTextAround);
    while (start < at && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) ++start;
    text.remove_prefix(start);
    before = "… ";
    break;
  }
  std::string shortened = before + std::string(utf8_prefix(text, kTextShown));
  if (text.size() > kTextShown) shortened += " …";
  from["title"] = or_null(shown.title);
  from["at"] = to_string(shown.at);
  from["text"] = or_null(shortened);
  from["people"] = json::array(shown.people.begin(), shown.people.end());
  return json::value(std::move(from));
}

Result<json::value> link_target(const storage::Reader& reader, const storage::Link& link) {
  CASTIEL_ASSIGN(const auto shard, reader.shard(link.to));
  return json::value{{"id", link.to.str()},
                     {"type", link.to_type},
                     {"name", shard ? or_null(show(*shard, data_of(*shard)).title) : json::value(nullptr)}};
}

namespace {

// The contact with the person's address; of several sources' the shard's own, else of the first by name.
Result<> add_contact_id(const storage::Reader& reader, const model::Shard& shard, json::value& person,
                        std::map<std::string, json::value>& known) {
  auto* object = person.if_object();
  if (object == nullptr) return {};
  std::string email = string_or(*object, "email");
  for (char& c : email) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  auto [it, fresh] = known.try_emplace(email, nullptr);
  if (fresh && !email.empty()) {
    CASTIEL_ASSIGN(const auto aliases, reader.aliases("contact:email", email));
    const auto best = std::ranges::min_element(aliases, {}, [&](const storage::Alias& a) {
      return std::tuple(a.integration != shard.key.integration, std::string_view(a.integration),
                        a.shard.view());
    });
    if (best != aliases.end()) it->second = best->shard.str();
  }
  (*object)["contactId"] = it->second;
  return {};
}

// How many messages of the thread answer this one.
Result<> add_reply_count(const storage::Reader& reader, const model::Shard& shard, json::object& data) {
  auto* metadata = data.if_contains("metadata");
  const auto thread = string_or(data, "threadId"), id = string_or(data, "messageId");
  if (metadata == nullptr || !metadata->is_object() || metadata->get_object().contains("replyCount"))
    return {};
  std::int64_t replies = 0;
  if (!thread.empty() && !id.empty()) {
    CASTIEL_ASSIGN(const auto members,
                   reader.shards_with({std::string(linking::footprint::kThread), thread}, kMaxThreadCounted));
    for (const auto& member : members) {
      if (member == shard.id) continue;
      CASTIEL_ASSIGN(const auto other, reader.shard(member));
      if (!other || other->deleted_at) continue;
      CASTIEL_ASSIGN(const auto parsed, parse_json(other->data));
      if (const auto* object = parsed.if_object();
          object != nullptr && string_or(*object, "parentMessageId") == id)
        ++replies;
    }
  }
  metadata->get_object()["replyCount"] = replies;
  return {};
}

Result<> add_people(const storage::Reader& reader, const model::Shard& shard, json::object& data) {
  std::map<std::string, json::value> known;
  for (const char* member : {"from", "to", "cc", "bcc", "participants", "attendees", "organizer"}) {
    auto* value = data.if_contains(member);
    if (value == nullptr) continue;
    if (auto* list = value->if_array()) {
      for (auto& person : *list) CASTIEL_TRY(add_contact_id(reader, shard, person, known));
    } else {
      CASTIEL_TRY(add_contact_id(reader, shard, *value, known));
    }
  }
  return shard.key.type == type::kEmail ? add_reply_count(reader, shard, data) : Result<>();
}

}  // namespace

Result<> add_linked_ids(const storage::Reader& reader, const model::Shard& shard, json::object& data) {
  if (!linking::is_content_type(shard.key.type)) return {};
  CASTIEL_TRY(add_people(reader, shard, data));
  storage::LinkQuery query;
  query.from = shard.id;
  query.status = "attached";
  query.limit = kMaxLinksShown;
  CASTIEL_ASSIGN(const auto links, reader.links(query));
  constexpr std::array kMembers{std::pair{type::kOpportunity, "linkedOpportunities"},
                                std::pair{type::kAccount, "linkedAccounts"},
                                std::pair{type::kContact, "linkedContacts"}};
  for (const auto& [to, member] : kMembers) {
    json::array ids;
    for (const auto& link : links) {
      if (link.to_type == to) ids.push_back(json::value(link.to.str()));
    }
    data[member] = std::move(ids);
  }
  auto* attachments = data.if_contains("attachments");
  if (attachments == nullptr || !attachments->is_array()) return {};
  for (auto& item : attachments->get_array()) {
    auto* file = item.if_object();
    if (file == nullptr) continue;
    const auto external = string_or(*file, "documentId");
    if (external.empty()) continue;
    CASTIEL_ASSIGN(const auto document, reader.shard(model::ShardKey{std::string(type::kDocument),
                                                                     shard.key.integration, external}));
    (*file)["documentId"] =
        document && !document->deleted_at ? json::value(document->id.str()) : json::value(nullptr);
  }
  return {};
}

Result<json::array> links_of(const storage::Reader& reader, const ShardId& shard) {
  json::array out;
  for (const char* status : {"attached", "suggested"}) {
    storage::LinkQuery query;
    query.from = shard;
    query.status = status;
    query.limit = kMaxLinksShown;
    CASTIEL_ASSIGN(const auto links, reader.links(query));
    for (const auto& link : links) {
      auto item = link_brief(link);
      CASTIEL_ASSIGN(item["to"], link_target(reader, link));
      out.push_back(std::move(item));
    }
  }
  return out;
}

Result<json::array> thread_of(const storage::Reader& reader, const model::Shard& shard,
                              const json::object& data) {
  const auto thread = string_or(data, "threadId");
  if ((shard.key.type != type::kEmail && shard.key.type != type::kMessage) || thread.empty())
    return json::array();
  CASTIEL_ASSIGN(const auto ids,
                 reader.shards_with({std::string(linking::footprint::kThread), thread}, kMaxThreadShown));
  std::vector<std::pair<Timestamp, json::object>> messages;
  for (const auto& id : ids) {
    CASTIEL_ASSIGN(const auto one, reader.shard(id));
    if (!one || one->deleted_at || one->key.type != shard.key.type) continue;
    const auto of_one = data_of(*one);
    const auto shown = show(*one, of_one);
    const auto text = one->key.type == type::kMessage ? std::string(utf8_prefix(shown.text, kMessageShown))
                                                      : snippet(shown.text);
    messages.emplace_back(shown.at, json::object{{"id", one->id.str()},
                                                 {"at", to_string(shown.at)},
                                                 {"from", person_name(of_one.if_contains("from"))},
                                                 {"title", or_null(string_or(of_one, "subject"))},
                                                 {"text", or_null(text)}});
  }
  std::ranges::stable_sort(messages, {}, &std::pair<Timestamp, json::object>::first);
  json::array out;
  for (auto& [at, message] : messages) out.push_back(std::move(message));
  return out;
}

}  // namespace castiel::api
