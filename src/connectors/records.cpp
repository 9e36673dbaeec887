#include "connectors/records.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"

namespace castiel::connectors {

namespace {

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}
std::string_view stem_of(std::string_view path) {
  const auto name = name_of(path);
  return name.substr(0, name.rfind('.'));
}
std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

json::value or_null(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value == nullptr ? json::value(nullptr) : *value;
}
json::value or_array(const json::object& object, std::string_view key) {
  const auto* value = get_array(object, key);
  return value == nullptr ? json::value(json::array()) : json::value(*value);
}
void copy_members(const json::object& from, std::initializer_list<std::string_view> names, json::object& to) {
  for (const auto name : names) {
    if (const auto* value = from.if_contains(name); value != nullptr && !value->is_null()) to[name] = *value;
  }
}

json::array people(const json::array* list) {
  json::array out;
  if (list == nullptr) return out;
  for (const auto& item : *list) {
    if (!item.is_object()) continue;
    out.push_back(
        {{"name", string_or(item.get_object(), "name")}, {"email", string_or(item.get_object(), "email")}});
  }
  return out;
}

json::array without_nulls(const json::array* list) {
  json::array out;
  if (list == nullptr) return out;
  for (const auto& item : *list) {
    if (!item.is_object()) continue;
    json::object kept;
    for (const auto& [name, value] : item.get_object()) {
      if (!value.is_null()) kept[name] = value;
    }
    out.push_back(std::move(kept));
  }
  return out;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
int number(std::string_view digits) {
  int n = 0;
  for (const char c : digits) n = n * 10 + (c - '0');
  return n;
}

// An entry without a UID is known by what it says: read again it is the same, changed it is another.
std::string id_from_content(const json::object& event) {
  std::string text;
  for (const char* name : {"title", "start", "end", "recurrence", "location", "description"})
    text += json::serialize(or_null(event, name)) + '\n';
  return "no-uid-" + sha256_hex(text).substr(0, 32);
}

}  // namespace

std::optional<Date> date_in_name(std::string_view name) {
  // Runs of digits, with what stands between them.
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!is_digit(name[i]) || (i > 0 && is_digit(name[i - 1]))) continue;
    std::size_t end = i;
    while (end < name.size() && is_digit(name[end])) ++end;
    const auto run = name.substr(i, end - i);
    if (run.size() == 8) {
      if (const auto date =
              make_date(number(run.substr(0, 4)), number(run.substr(4, 2)), number(run.substr(6, 2)));
          date && number(run.substr(0, 4)) >= 1970)
        return date;
      continue;
    }
    const auto part = [&](std::size_t from) {
      std::size_t to = from;
      while (to < name.size() && is_digit(name[to])) ++to;
      return name.substr(std::min(from, name.size()), to - std::min(from, name.size()));
    };
    if (end >= name.size() || (name[end] != '-' && name[end] != '.' && name[end] != '_')) continue;
    const auto second = part(end + 1);
    const auto third_at = end + 1 + second.size();
    if (second.empty() || second.size() > 2 || third_at >= name.size() || name[third_at] != name[end])
      continue;
    const auto third = part(third_at + 1);
    if (run.size() == 4 && !third.empty() && third.size() <= 2) {
      if (const auto date = make_date(number(run), number(second), number(third))) return date;
    } else if (run.size() <= 2 && third.size() == 4) {
      if (const auto date = make_date(number(third), number(second), number(run))) return date;
    }
  }
  return std::nullopt;
}

json::object email_record(json::object structure, const RecordOrigin& origin) {
  std::string id = string_or(structure, "messageId");
  // Without a Message-ID the bytes are the identity.
  if (id.empty()) id = "sha256:" + origin.content_sha256;
  std::string thread = id;
  if (const auto* references = get_array(structure, "references");
      references != nullptr && !references->empty() && references->front().is_string()) {
    thread = std::string(references->front().get_string());
  } else if (const auto parent = string_or(structure, "inReplyTo"); !parent.empty()) {
    thread = parent;
  }
  json::object record{{"key", id}, {"emailId", id}, {"threadId", thread}};
  record["from"] = nullptr;
  if (const auto* from = get_object(structure, "from")) {
    record["from"] = json::object{{"name", string_or(*from, "name")}, {"email", string_or(*from, "email")}};
  }
  for (const char* name : {"to", "cc", "bcc", "replyTo"}) record[name] = people(get_array(structure, name));
  for (const char* name : {"references", "warnings"}) record[name] = or_array(structure, name);
  record["attachments"] = without_nulls(get_array(structure, "attachments"));
  record["subject"] = string_or(structure, "subject");
  record["body"] = string_or(structure, "text");
  copy_members(structure, {"html", "sentAt", "receivedAt", "inReplyTo", "calendar", "headers"}, record);
  return record;
}

json::object message_record(const json::object& chat, const json::object& m,
                            std::string_view communication_type, std::int64_t reply_count) {
  const std::string channel_id = string_or(m, "channel");
  const std::string ts = string_or(m, "ts", string_or(m, "id"));
  const std::string thread_ts = string_or(m, "threadTs");
  const std::string id = fmt::format("{}:{}", channel_id, ts);
  json::object channel{{"id", channel_id}, {"name", ""}, {"type", "channel"}};
  if (const auto* channels = get_array(chat, "channels")) {
    for (const auto& c : *channels) {
      if (string_or(c.get_object(), "id") != channel_id) continue;
      channel["name"] = string_or(c.get_object(), "name");
      channel["type"] = string_or(c.get_object(), "type", "channel");
      channel["members"] = or_array(c.get_object(), "members");
      break;
    }
  }
  json::object record{{"key", id},
                      {"messageId", id},
                      {"channelId", channel_id},
                      {"threadId", thread_ts.empty() ? id : fmt::format("{}:{}", channel_id, thread_ts)},
                      {"from",
                       {{"id", string_or(m, "userId")},
                        {"name", string_or(m, "userName")},
                        {"email", string_or(m, "email")}}},
                      {"text", string_or(m, "text")},
                      {"mentions", without_nulls(get_array(m, "mentions"))},
                      {"reactions", without_nulls(get_array(m, "reactions"))},
                      {"channel", std::move(channel)},
                      {"communicationType", communication_type},
                      {"files", or_array(m, "files")},
                      {"subtype", string_or(m, "subtype")},
                      {"replyCount", reply_count}};
  copy_members(m, {"sentAt", "editedAt", "bot"}, record);
  return record;
}

json::object meeting_record(json::object transcript, const RecordOrigin& origin) {
  std::string id = string_or(transcript, "meetingId");
  if (id.empty()) id = origin.path.empty() ? "sha256:" + origin.content_sha256 : origin.path;
  std::string title = string_or(transcript, "title");
  if (title.empty()) title = std::string(stem_of(origin.path));
  double last = 0;
  if (const auto* segments = get_array(transcript, "segments")) {
    for (const auto& s : *segments) {
      const auto* end = s.get_object().if_contains("end");
      if (end != nullptr && end->is_number()) last = std::max(last, end->to_number<double>());
    }
  }
  std::optional<Timestamp> start;
  if (const auto at = get_string(transcript, "startedAt")) {
    if (const auto parsed = parse_timestamp(*at)) start = *parsed;
  }
  if (!start) {
    if (const auto date = date_in_name(name_of(origin.path))) {
      start = start_of(*date);
    } else {
      start = origin.modified;
    }
  }
  json::object record{{"key", id},
                      {"meetingId", id},
                      {"title", title},
                      {"startTime", nullptr},
                      {"endTime", nullptr},
                      {"duration", last},
                      {"participants", people(get_array(transcript, "participants"))}};
  if (start) {
    record["startTime"] = to_string(*start);
    record["endTime"] = to_string(*start + Duration(static_cast<std::int64_t>(last * 1e6)));
  }
  record["transcript"] = std::move(transcript);
  return record;
}

json::object event_record(const json::object& event, std::string_view method) {
  std::string uid = string_or(event, "uid");
  if (uid.empty()) uid = id_from_content(event);
  const std::string instance = string_or(event, "recurrenceId");
  const std::string id = instance.empty() ? uid : uid + "#" + instance;
  return {{"key", id},
          {"eventId", id},
          {"title", string_or(event, "title")},
          {"startTime", or_null(event, "start")},
          {"endTime", or_null(event, "end")},
          {"attendees", or_array(event, "attendees")},
          {"location", string_or(event, "location")},
          {"event", event},
          {"method", method}};
}

json::object document_record(const RecordOrigin& origin, std::string_view media_type, std::uint64_t size,
                             std::string_view blob_url) {
  json::object record{{"key", origin.path},
                      {"documentId", origin.path},
                      {"url", "file:" + origin.path},
                      {"blobUrl", blob_url},
                      {"sha256", origin.content_sha256},
                      {"mimeType", media_type},
                      {"size", static_cast<std::int64_t>(size)},
                      {"title", name_of(origin.path)},
                      {"modifiedAt", nullptr},
                      {"modifiedBy", ""},
                      {"metadata", {{"path", origin.path}, {"parentFolder", folder_of(origin.path)}}}};
  if (origin.modified) record["modifiedAt"] = to_string(*origin.modified);
  return record;
}

}  // namespace castiel::connectors
