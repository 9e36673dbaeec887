// Teams: Microsoft Graph's chatMessage, and a bot's activities.

#include <algorithm>
#include <map>

#include "base/time.hpp"
#include "base/utf8.hpp"
#include "content/chat/impl/messages.hpp"

namespace castiel::content::chat::impl {
namespace {

constexpr std::size_t kMaxDepth = 24;

std::string attribute(std::string_view tag, std::string_view name) {
  const auto at = tag.find(std::string(name) + "=\"");
  if (at == std::string_view::npos) return {};
  const auto begin = at + name.size() + 2;
  const auto end = tag.find('"', begin);
  return end == std::string_view::npos ? std::string() : std::string(tag.substr(begin, end - begin));
}

void put_entity(std::string_view name, std::string& out) {
  static const std::map<std::string_view, std::string_view> kNames = {
      {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"#39", "'"}, {"nbsp", " "}};
  const auto known = kNames.find(name);
  if (known != kNames.end())
    out += known->second;
  else
    out.append("&").append(name).append(";");
}

bool ends_line(std::string_view tag) {
  static constexpr std::string_view kTags[] = {"br",  "/p",  "/div", "/li",        "/tr",
                                               "/h1", "/h2", "/h3",  "/blockquote"};
  return std::ranges::find(kTags, tag) != std::end(kTags);
}

json::array reactions_of(const json::object& message) {
  std::map<std::string, std::int64_t> counts;
  if (const auto* list = get_array(message, "reactions")) {
    for (const auto& item : *list) {
      if (item.is_object()) ++counts[string_or(item.get_object(), "reactionType")];
    }
  }
  json::array out;
  for (const auto& [name, count] : counts) out.push_back(json::object{{"name", name}, {"count", count}});
  return out;
}

// {"user":{"id","displayName"}} or a bot framework's {"id","name"}.
User person_of(const json::value* value) {
  User user;
  const auto* object = value == nullptr ? nullptr : value->if_object();
  if (object == nullptr) return user;
  for (const std::string_view key : {"user", "application", "device"}) {
    if (const auto* inner = get_object(*object, key)) {
      user.bot = key == "application";
      user.id = string_or(*inner, "id");
      user.name = string_or(*inner, "displayName");
      user.email = string_or(*inner, "email", string_or(*inner, "userPrincipalName"));
      return user;
    }
  }
  user.id = string_or(*object, "aadObjectId", string_or(*object, "id"));
  user.name = string_or(*object, "name");
  return user;
}

json::array mentions_of(const json::object& message) {
  json::array out;
  const auto add = [&](const User& user, std::string name) {
    if (out.size() < 1000 && !(user.id.empty() && name.empty()))
      out.push_back(json::object{{"id", user.id}, {"name", std::move(name)}});
  };
  if (const auto* list = get_array(message, "mentions")) {
    for (const auto& item : *list) {
      if (!item.is_object()) continue;
      const auto user = person_of(item.get_object().if_contains("mentioned"));
      add(user, user.name.empty() ? string_or(item.get_object(), "mentionText") : user.name);
    }
  }
  if (const auto* list = get_array(message, "entities")) {
    for (const auto& item : *list) {
      if (!item.is_object() || string_or(item.get_object(), "type") != "mention") continue;
      const auto user = person_of(item.get_object().if_contains("mentioned"));
      add(user, user.name);
    }
  }
  return out;
}

bool is_activity(const json::object& object) {
  return string_or(object, "type") == "message" && object.contains("conversation") &&
         object.contains("from") && object.contains("text");
}

std::string channel_of(const json::object& message, std::string_view channel, Workspace& workspace) {
  std::string id, name, type = "channel";
  if (const auto* identity = get_object(message, "channelIdentity")) id = string_or(*identity, "channelId");
  if (id.empty()) {
    id = string_or(message, "chatId");
    type = "group";
  }
  if (const auto* conversation = get_object(message, "conversation"); conversation != nullptr && id.empty()) {
    id = string_or(*conversation, "id");
    id = id.substr(0, id.find(";messageid="));
    name = string_or(*conversation, "name");
    const auto kind = string_or(*conversation, "conversationType");
    type = kind == "personal" ? "dm" : kind == "groupChat" ? "group" : "channel";
  }
  // One-to-one chats are named after the two.
  if (id.ends_with("@unq.gbl.spaces")) type = "dm";
  if (id.empty()) return std::string(channel);
  if (!workspace.channels.contains(id)) workspace.add(Channel{id, name, type, {}});
  return id;
}

void add_message(const json::object& message, std::string_view channel, Workspace& workspace,
                 json::array& out) {
  if (out.size() >= kMaxMessages) return;
  const bool activity = is_activity(message);
  auto user = person_of(message.if_contains("from"));
  const auto time = parse_timestamp(string_or(message, activity ? "timestamp" : "createdDateTime"));
  std::string text;
  if (const auto* body = get_object(message, "body")) {
    text = string_or(*body, "content");
    if (string_or(*body, "contentType") != "text") text = text_of_html(text);
  } else {
    text = text_of_html(string_or(message, "text"));
  }
  const auto id = string_or(message, "id");
  const auto own_channel = channel_of(message, channel, workspace);
  std::string thread = string_or(message, "replyToId");
  if (const auto* conversation = get_object(message, "conversation")) {
    const auto whole = string_or(*conversation, "id");
    const auto at = whole.find(";messageid=");
    if (at != std::string::npos) thread = whole.substr(at + 11);
  }
  json::array files;
  if (const auto* list = get_array(message, "attachments")) {
    for (const auto& item : *list) {
      if (!item.is_object()) continue;
      const auto type = string_or(item.get_object(), "contentType");
      const auto name = string_or(item.get_object(), "name");
      if (!name.empty()) files.push_back(json::object{{"name", name}, {"mimeType", type}, {"size", 0}});
    }
  }
  std::string subtype = string_or(message, "messageType");
  if (subtype == "message") subtype.clear();
  if (message.contains("deletedDateTime") && !message.at("deletedDateTime").is_null()) {
    subtype = "message_deleted";
    text.clear();
  }
  json::object shown{{"id", own_channel + ":" + id},
                     {"channel", own_channel},
                     {"ts", id},
                     {"threadTs", thread},
                     {"userId", user.id},
                     {"userName", user.name},
                     {"email", user.email},
                     {"text", utf8_prefix(text, kMaxMessageTextBytes)},
                     {"mentions", mentions_of(message)},
                     {"reactions", reactions_of(message)},
                     {"files", std::move(files)},
                     {"subtype", subtype},
                     {"sentAt", nullptr},
                     {"editedAt", nullptr},
                     {"bot", user.bot}};
  if (time) shown["sentAt"] = to_string(*time);
  if (const auto edited = parse_timestamp(string_or(message, "lastEditedDateTime")))
    shown["editedAt"] = to_string(*edited);
  if (string_or(message, "importance") == "high" || string_or(message, "importance") == "urgent")
    shown["markedImportant"] = true;
  if (!user.id.empty() && !workspace.users.contains(user.id)) workspace.add(user);
  out.push_back(std::move(shown));
}

void walk(const json::value& value, std::string_view channel, Workspace& workspace, json::array& out,
          std::size_t depth) {
  if (depth > kMaxDepth) return;
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) walk(item, channel, workspace, out, depth + 1);
  } else if (const auto* object = value.if_object()) {
    if (is_teams_message(*object)) {
      add_message(*object, channel, workspace, out);
      if (const auto* replies = get_array(*object, "replies"))
        walk(*replies, channel, workspace, out, depth + 1);
      return;
    }
    for (const auto& item : *object) {
      if (item.value().is_structured()) walk(item.value(), channel, workspace, out, depth + 1);
    }
  }
}

}  // namespace

bool is_teams_message(const json::object& object) {
  if (is_activity(object)) return true;
  return object.contains("createdDateTime") && object.contains("id") && object.contains("body") &&
         object.at("body").is_object() && object.at("body").get_object().contains("content");
}

std::string text_of_html(std::string_view html) {
  std::string out;
  for (std::size_t i = 0; i < html.size(); ++i) {
    const char c = html[i];
    if (c == '<') {
      const auto close = html.find('>', i);
      if (close == std::string_view::npos || close - i > 4096) {
        out += c;
        continue;
      }
      const auto tag = html.substr(i + 1, close - i - 1);
      const auto name = tag.substr(0, tag.find_first_of(" \t\r\n", 1));
      const auto plain = name.ends_with('/') ? name.substr(0, name.size() - 1) : name;
      if (name == "at")
        out += '@';
      else if (plain == "emoji" || plain == "img")
        out += attribute(tag, "alt");
      else if (ends_line(plain))
        out += '\n';
      else if (plain == "li")
        out += "- ";
      i = close;
    } else if (c == '&') {
      const auto end = html.find(';', i);
      if (end == std::string_view::npos || end - i > 10) {
        out += c;
      } else {
        put_entity(html.substr(i + 1, end - i - 1), out);
        i = end;
      }
    } else if (c != '\r') {
      out += c;
    }
  }
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  const auto first = out.find_first_not_of(" \n");
  return first == std::string::npos ? std::string() : out.substr(first);
}

void read_teams(const json::value& value, std::string_view channel, Workspace& workspace, json::array& out) {
  walk(value, channel, workspace, out, 0);
}

}  // namespace castiel::content::chat::impl
