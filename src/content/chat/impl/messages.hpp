#pragma once
// Messages of one service as values of the common structure.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "content/chat/chat.hpp"

namespace castiel::content::chat::impl {

struct User {
  std::string id, name, real_name, email;
  bool bot = false;
  const std::string& shown() const { return !name.empty() ? name : real_name; }
};

struct Channel {
  std::string id, name, type;  // dm, channel, group
  std::vector<std::string> members;
};

// What is known while messages are read.
struct Workspace {
  std::string name;
  std::map<std::string, User, std::less<>> users;        // by id
  std::map<std::string, Channel, std::less<>> channels;  // by id
  json::object names;  // id -> shown name of users and channels, for plain_text
  std::vector<std::string> warnings;
  void add(User user);
  void add(Channel channel);
  void warn(std::string text);
};

// Every message in `value`, at any depth; what is none is passed over. `channel`: of those that do not name
// theirs.
void read_slack(const json::value& value, std::string_view channel, Workspace& workspace, json::array& out);
void read_teams(const json::value& value, std::string_view channel, Workspace& workspace, json::array& out);
bool is_teams_message(const json::object& object);

void read_users(const json::array& list, Workspace& workspace);
void read_channels(const json::array& list, std::string_view type, Workspace& workspace);

// HTML of a message as text: <at> as @name, breaks as line ends.
std::string text_of_html(std::string_view html);
std::string channel_type_of(std::string_view id);

// The structure of chat.hpp; messages by channel and time, each once.
json::object assemble(Workspace workspace, json::array messages);

struct UnpackedFile {
  std::string path, bytes;
};
Result<std::vector<UnpackedFile>> unpack(std::string_view zip_bytes);

}  // namespace castiel::content::chat::impl
