#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/time.hpp"
#include "base/utf8.hpp"
#include "content/chat/impl/messages.hpp"

namespace castiel::content::chat::impl {
namespace {

constexpr std::size_t kMaxDepth = 24;
constexpr std::size_t kMaxWarnings = 50;

// "1516454398.000069" as an instant.
std::optional<Timestamp> instant_of(std::string_view ts) {
  std::int64_t seconds = 0, micros = 0;
  const auto dot = ts.find('.');
  const auto whole = ts.substr(0, dot);
  auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), seconds);
  if (error != std::errc() || end != whole.data() + whole.size() || whole.size() < 9 || whole.size() > 11)
    return std::nullopt;
  if (dot != std::string_view::npos) {
    std::string digits(ts.substr(dot + 1));
    if (digits.empty() || digits.size() > 9 ||
        !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
    digits.resize(6, '0');
    (void)std::from_chars(digits.data(), digits.data() + digits.size(), micros);
  }
  return Timestamp{seconds * 1'000'000 + micros};
}

bool is_message(const json::object& object) {
  const auto ts = get_string(object, "ts");
  if (!ts || !instant_of(*ts)) return false;
  const auto type = string_or(object, "type", "message");
  if (type != "message" && type != "app_mention") return false;
  return object.contains("text") || object.contains("subtype") || object.contains("blocks") ||
         object.contains("files") || object.contains("attachments");
}

// The words of blocks and attachments, for messages whose text is empty; still mrkdwn.
void collect_text(const json::value& value, std::size_t depth, std::string& out) {
  if (depth > 12 || out.size() > kMaxMessageTextBytes) return;
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) collect_text(item, depth + 1, out);
    return;
  }
  const auto* object = value.if_object();
  if (object == nullptr) return;
  const auto type = string_or(*object, "type");
  if (type == "user")
    out += "<@" + string_or(*object, "user_id") + ">";
  else if (type == "channel")
    out += "<#" + string_or(*object, "channel_id") + ">";
  else if (type == "broadcast")
    out += "<!" + string_or(*object, "range") + ">";
  else if (type == "emoji")
    out += ":" + string_or(*object, "name") + ":";
  else if (type == "link")
    out += "<" + string_or(*object, "url") + "|" + string_or(*object, "text") + ">";
  else {
    const bool block = type == "section" || type == "header" || type == "context" ||
                       type == "rich_text_section" || type == "rich_text_list" || type == "rich_text_quote" ||
                       type == "rich_text_preformatted" || type.empty();
    if (block && !out.empty() && out.back() != '\n') out += '\n';
    for (const std::string_view key :
         {"pretext", "title", "text", "fallback", "elements", "fields", "blocks"}) {
      const auto* inner = object->if_contains(key);
      if (inner == nullptr) continue;
      if (inner->is_string()) {
        if (key == "fallback" && object->contains("text")) continue;
        out += inner->get_string();
      } else {
        collect_text(*inner, depth + 1, out);
      }
    }
  }
}

json::array reactions_of(const json::object& message) {
  json::array out;
  if (const auto* list = get_array(message, "reactions")) {
    for (const auto& item : *list) {
      const auto* reaction = item.if_object();
      if (reaction == nullptr || out.size() >= 500) continue;
      const auto* users = get_array(*reaction, "users");
      const auto count =
          int_or(*reaction, "count", users == nullptr ? 1 : static_cast<std::int64_t>(users->size()));
      out.push_back(json::object{{"name", string_or(*reaction, "name")}, {"count", count}});
    }
  }
  return out;
}

json::array files_of(const json::object& message) {
  json::array out;
  const auto add = [&](const json::object& file) {
    auto name = string_or(file, "name");
    if (name.empty()) name = string_or(file, "title");
    if (out.size() < 500)
      out.push_back(json::object{
          {"name", name}, {"mimeType", string_or(file, "mimetype")}, {"size", int_or(file, "size", 0)}});
  };
  if (const auto* list = get_array(message, "files")) {
    for (const auto& item : *list) {
      if (item.is_object()) add(item.get_object());
    }
  } else if (const auto* file = get_object(message, "file")) {
    add(*file);
  }
  return out;
}

void learn_author(const json::object& message, std::string_view id, Workspace& workspace) {
  if (id.empty() || workspace.users.contains(id)) return;
  const auto* profile = get_object(message, "user_profile");
  if (profile == nullptr) return;
  User user{std::string(id), string_or(*profile, "display_name"), string_or(*profile, "real_name"),
            string_or(*profile, "email")};
  if (user.name.empty()) user.name = string_or(*profile, "name");
  workspace.add(std::move(user));
}

void add_message(const json::object& message, std::string_view channel, Workspace& workspace,
                 json::array& out, std::string_view subtype_given) {
  if (out.size() >= kMaxMessages)
    return workspace.warn(fmt::format("more than {} messages; the rest was left out", kMaxMessages));
  const auto ts = string_or(message, "ts");
  const auto sent = instant_of(ts);
  if (!sent) return;
  std::string subtype(subtype_given.empty() ? get_string(message, "subtype").value_or("") : subtype_given);
  auto user_id = string_or(message, "user");
  const bool bot = message.contains("bot_id") || subtype == "bot_message";
  if (user_id.empty()) user_id = string_or(message, "bot_id");
  learn_author(message, user_id, workspace);
  std::string source = string_or(message, "text");
  if (source.empty()) {
    for (const std::string_view key : {"blocks", "attachments"}) {
      const auto* value = message.if_contains(key);
      if (value != nullptr && source.empty()) collect_text(*value, 0, source);
    }
    while (!source.empty() && source.front() == '\n') source.erase(0, 1);
  }
  auto plain = plain_text(utf8_prefix(source, kMaxMessageTextBytes), workspace.names);
  json::array mentions;
  for (auto& one : plain.mentions)
    mentions.push_back(json::object{{"id", std::move(one.id)}, {"name", std::move(one.name)}});
  const auto known = workspace.users.find(user_id);
  // Who wrote is told by the name the world knows, "@ann" only in texts.
  std::string name = known == workspace.users.end()    ? string_or(message, "username")
                     : known->second.real_name.empty() ? known->second.shown()
                                                       : known->second.real_name;
  if (name.empty()) {
    if (const auto* profile = get_object(message, "bot_profile")) name = string_or(*profile, "name");
  }
  auto own_channel = string_or(message, "channel", channel);
  json::object shown{{"id", own_channel + ":" + ts},
                     {"channel", own_channel},
                     {"ts", ts},
                     {"threadTs", string_or(message, "thread_ts")},
                     {"userId", user_id},
                     {"userName", name},
                     {"email", known == workspace.users.end() ? std::string() : known->second.email},
                     {"text", plain.text},
                     {"mentions", std::move(mentions)},
                     {"reactions", reactions_of(message)},
                     {"files", files_of(message)},
                     {"subtype", subtype},
                     {"sentAt", to_string(*sent)},
                     {"editedAt", nullptr},
                     {"bot", bot}};
  if (const auto* edited = get_object(message, "edited")) {
    if (const auto at = instant_of(string_or(*edited, "ts"))) shown["editedAt"] = to_string(*at);
  }
  out.push_back(std::move(shown));
}

// A change or removal of a message, which holds that message.
bool add_changed(const json::object& event, std::string_view channel, Workspace& workspace,
                 json::array& out) {
  const auto subtype = string_or(event, "subtype");
  if (subtype == "message_changed" || subtype == "message_replied") {
    const auto* inner = get_object(event, "message");
    if (inner == nullptr) return false;
    add_message(*inner, channel, workspace, out, {});
    return true;
  }
  if (subtype != "message_deleted") return false;
  json::object gone;
  if (const auto* before = get_object(event, "previous_message")) gone = *before;
  gone["ts"] = string_or(event, "deleted_ts", string_or(gone, "ts"));
  gone["text"] = "";
  gone.erase("blocks");
  gone.erase("attachments");
  gone.erase("files");
  add_message(gone, channel, workspace, out, "message_deleted");
  return true;
}

void walk(const json::value& value, std::string_view channel, Workspace& workspace, json::array& out,
          std::size_t depth) {
  if (depth > kMaxDepth) return;
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) walk(item, channel, workspace, out, depth + 1);
    return;
  }
  const auto* object = value.if_object();
  if (object == nullptr) return;
  std::string own;
  if (const auto id = get_string(*object, "channel"))
    own = *id;
  else if (const auto* inner = get_object(*object, "channel"))
    own = string_or(*inner, "id");
  if (own.empty()) own = channel;
  if (const auto type = get_string(*object, "channel_type");
      type && !own.empty() && !workspace.channels.contains(own)) {
    // "C" and "G" are how events about members name it.
    const std::string kind = *type == "im"                                         ? "dm"
                             : *type == "mpim" || *type == "group" || *type == "G" ? "group"
                                                                                   : "channel";
    workspace.add(Channel{own, "", kind, {}});
  }
  if (add_changed(*object, own, workspace, out)) return;
  if (is_message(*object)) return add_message(*object, own, workspace, out, {});
  for (const auto& item : *object) {
    if (item.value().is_structured()) walk(item.value(), own, workspace, out, depth + 1);
  }
}

}  // namespace

void Workspace::add(User user) {
  if (user.id.empty()) return;
  names[user.id] = user.shown();
  users.insert_or_assign(user.id, std::move(user));
}

void Workspace::add(Channel channel) {
  if (channel.id.empty()) return;
  if (!channel.name.empty()) names[channel.id] = channel.name;
  channels.insert_or_assign(channel.id, std::move(channel));
}

void Workspace::warn(std::string text) {
  if (warnings.size() < kMaxWarnings && std::ranges::find(warnings, text) == warnings.end())
    warnings.push_back(std::move(text));
}

std::string channel_type_of(std::string_view id) {
  if (id.starts_with('D')) return "dm";
  if (id.starts_with('G') || id.starts_with("mpdm-")) return "group";
  return "channel";
}

void read_slack(const json::value& value, std::string_view channel, Workspace& workspace, json::array& out) {
  walk(value, channel, workspace, out, 0);
}

void read_users(const json::array& list, Workspace& workspace) {
  for (const auto& item : list) {
    const auto* object = item.if_object();
    if (object == nullptr) continue;
    static const json::object kNone;
    const auto* given = get_object(*object, "profile");
    const auto& profile = given == nullptr ? kNone : *given;
    User user;
    user.id = string_or(*object, "id");
    user.name = string_or(profile, "display_name");
    user.real_name = string_or(profile, "real_name", string_or(*object, "real_name"));
    if (user.name.empty()) user.name = user.real_name;
    if (user.name.empty()) user.name = string_or(*object, "name");
    user.email = string_or(profile, "email", string_or(*object, "email"));
    user.bot = bool_or(*object, "is_bot", false);
    workspace.add(std::move(user));
  }
}

void read_channels(const json::array& list, std::string_view type, Workspace& workspace) {
  for (const auto& item : list) {
    const auto* object = item.if_object();
    if (object == nullptr) continue;
    Channel channel;
    channel.id = string_or(*object, "id");
    channel.name = string_or(*object, "name");
    channel.type = type;
    if (const auto* members = get_array(*object, "members")) {
      for (const auto& member : *members) {
        if (member.is_string()) channel.members.emplace_back(member.get_string());
      }
    }
    workspace.add(std::move(channel));
  }
}

}  // namespace castiel::content::chat::impl
