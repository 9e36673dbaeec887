#pragma once
// Chat: Slack's export (zip or its unpacked files), arrays of Slack messages, and Teams messages of Microsoft
// Graph, into one structure with plain text. Pure functions over hostile bytes; thread-safe.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "content/text/text.hpp"

namespace castiel::content::chat {

inline constexpr std::size_t kMaxExportBytes = std::size_t{2} << 30;  // the zip
inline constexpr std::size_t kMaxMemberBytes = 64 << 20;              // one file of it, unpacked
inline constexpr std::size_t kMaxUnpackedBytes = 512 << 20;           // all of them
inline constexpr std::size_t kMaxMembers = 200'000;
inline constexpr std::size_t kMaxMessages = 2'000'000;
inline constexpr std::size_t kMaxMessageTextBytes = 256 << 10;

// {"kind":"chat","workspace","channels":[{"id","name","type":"dm|channel|group","members"}],"users":[{"id","name",
//  "realName","email"}],"messages":[{"id","channel","ts","threadTs","userId","userName","email","text","mentions":
//  [{"id","name"}],"reactions":[{"name","count"}],"files":[{"name","mimeType","size"}],"subtype","sentAt","editedAt",
//  "bot"}],"warnings"}; messages by time within a channel, each once.
// Errors: corrupt, too_large, bomb, encrypted, unsupported (a zip that is no Slack export).
Result<json::object> parse_slack_export(std::string_view zip_bytes);

// One file of an unpacked export.
struct ExportFile {
  std::string path;  // relative, "general/2024-01-02.json", "users.json"
  std::string_view bytes;
};
Result<json::object> parse_slack_files(std::span<const ExportFile> files);

// One day's file of a channel, or any JSON with Slack messages: an array, an API's answer, an event. Mentions
// that the text does not name stay as ids.
Result<json::object> parse_slack_day(std::string_view channel, std::string_view json_bytes);

// Slack's mrkdwn as plain text: <@U1> -> @name, <#C1|name> -> #name, <!here> -> @here, <url|label> -> label
// (url), entities decoded. Marks such as *bold* stay.
struct Mention {
  std::string id;  // of a user, group or "here", "channel", "everyone"
  std::string name;
};
struct PlainText {
  std::string text;
  std::vector<Mention> mentions;
};
PlainText plain_text(std::string_view mrkdwn, const json::object& names = {});  // names: id -> name

// Adds to each message "sentiment" (words, then reactions), "topics", "actionItems" (owner may be who is
// mentioned), "amounts", "dates" and "importance" (low|normal|high). Messages of bots and about the channel
// itself get no action items. Relative dates count from the message's own time.
json::object analyse_chat(json::object structure, const text::Context& context);

}  // namespace castiel::content::chat
