#include "content/chat/chat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "content/chat/impl/messages.hpp"
#include "content/impl/valid_text.hpp"

namespace castiel::content::chat {
namespace {

std::string_view last_part(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : last_part(path.substr(0, slash));
}

// "2024-01-02.json"
bool is_day(std::string_view name) {
  if (name.size() != 15 || !name.ends_with(".json")) return false;
  for (std::size_t i = 0; i < 10; ++i) {
    const bool dash = i == 4 || i == 7;
    if (dash ? name[i] != '-' : name[i] < '0' || name[i] > '9') return false;
  }
  return true;
}

struct List {
  std::string_view file, type;
};
constexpr List kChannelLists[] = {
    {"channels.json", "channel"}, {"groups.json", "group"}, {"mpims.json", "group"}, {"dms.json", "dm"}};

void read_lists(std::span<const ExportFile> files, impl::Workspace& workspace) {
  for (const auto& file : files) {
    const auto name = last_part(file.path);
    const bool users = name == "users.json" || name == "org_users.json";
    const auto list = std::ranges::find(kChannelLists, name, &List::file);
    if (!users && list == std::end(kChannelLists)) continue;
    const auto value = parse_json(content::impl::valid_utf8(file.bytes));
    if (!value || !value->is_array()) {
      workspace.warn(fmt::format("{} cannot be read", content::impl::valid_utf8(name)));
      continue;
    }
    if (users)
      impl::read_users(value->get_array(), workspace);
    else
      impl::read_channels(value->get_array(), list->type, workspace);
  }
}

// The id of the channel whose messages a folder holds.
std::string channel_of_folder(std::string_view folder, const impl::Workspace& workspace) {
  if (workspace.channels.contains(folder)) return std::string(folder);
  for (const auto& [id, channel] : workspace.channels) {
    if (channel.name == folder) return id;
  }
  return std::string(folder);
}

}  // namespace

Result<json::object> parse_slack_files(std::span<const ExportFile> files) {
  impl::Workspace workspace;
  read_lists(files, workspace);
  json::array messages;
  std::size_t days = 0, damaged = 0;
  for (const auto& file : files) {
    if (!is_day(last_part(file.path))) continue;
    ++days;
    const auto value = parse_json(content::impl::valid_utf8(file.bytes));
    if (!value) {
      ++damaged;
      workspace.warn(fmt::format("{} cannot be read", content::impl::valid_utf8(file.path)));
      continue;
    }
    impl::read_slack(*value, channel_of_folder(folder_of(file.path), workspace), workspace, messages);
  }
  if (days == 0 && workspace.channels.empty() && workspace.users.empty())
    return permanent("unsupported", "no export of Slack: it has neither channels nor days");
  if (days > 0 && damaged == days) return permanent("corrupt", "none of the export's days can be read");
  return impl::assemble(std::move(workspace), std::move(messages));
}

Result<json::object> parse_slack_export(std::string_view zip_bytes) {
  CASTIEL_ASSIGN(const auto unpacked, impl::unpack(zip_bytes));
  std::vector<ExportFile> files;
  files.reserve(unpacked.size());
  for (const auto& file : unpacked) files.push_back({content::impl::valid_utf8(file.path), file.bytes});
  return parse_slack_files(files);
}

Result<json::object> parse_slack_day(std::string_view channel, std::string_view json_bytes) {
  if (json_bytes.size() > kMaxMemberBytes)
    return permanent("too_large", fmt::format("messages of more than {} MiB", kMaxMemberBytes >> 20));
  const auto value = parse_json(content::impl::text_of(json_bytes));
  if (!value) return permanent("corrupt", "the JSON of the messages cannot be read", value.error().message);
  impl::Workspace workspace;
  json::array messages;
  impl::read_slack(*value, channel, workspace, messages);
  impl::read_teams(*value, channel, workspace, messages);
  return impl::assemble(std::move(workspace), std::move(messages));
}

namespace impl {

json::object assemble(Workspace workspace, json::array messages) {
  std::vector<json::object*> order;
  order.reserve(messages.size());
  for (auto& message : messages) order.push_back(&message.get_object());
  // Events come more than once, and a changed message after its first form: the last one counts.
  std::map<std::string, json::object*> newest;
  for (auto* message : order) {
    auto& known = newest[string_or(*message, "id")];
    if (known != nullptr && string_or(*message, "text").empty() && string_or(*message, "subtype").empty())
      continue;
    known = message;
  }
  std::vector<json::object*> kept;
  kept.reserve(newest.size());
  for (const auto& [id, message] : newest) kept.push_back(message);
  std::ranges::stable_sort(kept, [](const json::object* a, const json::object* b) {
    return std::tuple(string_or(*a, "channel"), string_or(*a, "sentAt"), string_or(*a, "ts")) <
           std::tuple(string_or(*b, "channel"), string_or(*b, "sentAt"), string_or(*b, "ts"));
  });
  json::array shown, channels, users, warnings;
  for (auto* message : kept) {
    const auto channel = string_or(*message, "channel");
    if (!channel.empty() && !workspace.channels.contains(channel))
      workspace.add(Channel{channel, channel, channel_type_of(channel), {}});
    shown.push_back(std::move(*message));
  }
  for (const auto& [id, channel] : workspace.channels) {
    json::array members;
    for (const auto& member : channel.members) members.push_back(json::string(member));
    channels.push_back(json::object{
        {"id", id}, {"name", channel.name}, {"type", channel.type}, {"members", std::move(members)}});
  }
  for (const auto& [id, user] : workspace.users)
    users.push_back(json::object{{"id", id},
                                 {"name", user.shown()},
                                 {"realName", user.real_name},
                                 {"email", user.email},
                                 {"bot", user.bot}});
  for (const auto& text : workspace.warnings) warnings.push_back(json::string(text));
  return {{"kind", "chat"},
          {"workspace", workspace.name},
          {"channels", std::move(channels)},
          {"users", std::move(users)},
          {"messages", std::move(shown)},
          {"warnings", std::move(warnings)}};
}

}  // namespace impl
}  // namespace castiel::content::chat
