// Chat of Slack and Teams into one structure, and what is told from it (COMM-2).

#include "content/chat/chat.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include "base/json.hpp"

namespace castiel::content::chat {
namespace {

const json::object& message(const json::object& chat, std::size_t index) {
  return get_array(chat, "messages")->at(index).as_object();
}

json::object day(std::string_view text, std::string_view channel = "C1") {
  auto result = parse_slack_day(channel, text);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().describe());
  return result.value_or(json::object{});
}

constexpr std::string_view kUsers =
    R"([{"id":"U1","name":"ann","profile":{"display_name":"Ann","real_name":"Ann Lee","email":"ann@acme.example"}},
        {"id":"U2","name":"bo","profile":{"display_name":"","real_name":"Bo Ek"}}])";
constexpr std::string_view kDay =
    R"([{"type":"message","user":"U1","ts":"1704186000.000100","text":"Hi <@U2>, see <#C1|general> &amp; <https://acme.example/x|the plan>","thread_ts":"1704186000.000100",
         "reactions":[{"name":"+1","users":["U1","U2"],"count":2}],"files":[{"name":"plan.pdf","mimetype":"application/pdf","size":12}]},
        {"type":"message","user":"U2","ts":"1704186060.000200","thread_ts":"1704186000.000100","text":"<!channel> done","edited":{"user":"U2","ts":"1704186070.000000"}},
        {"type":"message","subtype":"channel_join","user":"U2","ts":"1704186001.000300","text":"<@U2> has joined the channel"}])";

TEST(SlackText, marks_become_plain_text) {
  const json::object names{{"U1", "Ann"}, {"C1", "deals"}};
  const auto shown = [&](std::string_view text) { return plain_text(text, names).text; };
  EXPECT_EQ(shown("<@U1> in <#C1|old> <@U9|bo> <@U8>"), "@Ann in #deals @bo @U8");
  EXPECT_EQ(shown("<!here> <!subteam^S1|@sales> <!date^1392734382^{date}|Feb 18>"), "@here @sales Feb 18");
  EXPECT_EQ(
      shown("<https://a.example/?x=1&amp;y=2> <mailto:a@b.example|a@b.example> <http://c.example|c.example>"),
      "https://a.example/?x=1&y=2 a@b.example c.example");
  EXPECT_EQ(shown("1 &lt; 2 &amp;&amp; a < b > c <>"), "1 < 2 && a < b > c <>");
  EXPECT_EQ(shown("<open"), "<open");
  EXPECT_EQ(plain_text("<@U1> <@U1> <!channel>", names).mentions.size(), 2u);
}

TEST(SlackExport, files_become_one_structure) {
  const std::vector<ExportFile> files = {
      {"users.json", kUsers},
      {"channels.json", R"([{"id":"C1","name":"general","members":["U1","U2"]}])"},
      {"dms.json", R"([{"id":"D1","members":["U1","U2"]}])"},
      {"mpims.json", R"([{"id":"G1","name":"mpdm-ann--bo-1","members":["U1","U2"]}])"},
      {"general/2024-01-02.json", kDay},
      {"D1/2024-01-02.json", R"([{"type":"message","user":"U2","ts":"1704186100.000100","text":"psst"}])"},
      {"general/canvas.json", "[]"}};
  const auto result = parse_slack_files(files);
  ASSERT_TRUE(result.has_value());
  ASSERT_EQ(get_array(*result, "messages")->size(), 4u);
  const auto& first = message(*result, 0);
  EXPECT_EQ(string_or(first, "text"), "Hi @Bo Ek, see #general & the plan (https://acme.example/x)");
  EXPECT_EQ(string_or(first, "userName"), "Ann Lee");
  EXPECT_EQ(string_or(first, "email"), "ann@acme.example");
  EXPECT_EQ(string_or(first, "channel"), "C1");
  EXPECT_EQ(string_or(first, "sentAt"), "2024-01-02T09:00:00.000100Z");
  EXPECT_EQ(json::serialize(first.at("reactions")), R"([{"name":"+1","count":2}])");
  EXPECT_EQ(json::serialize(first.at("mentions")), R"([{"id":"U2","name":"Bo Ek"}])");
  EXPECT_EQ(string_or(message(*result, 1), "subtype"), "channel_join");
  EXPECT_EQ(string_or(message(*result, 2), "threadTs"), "1704186000.000100");
  EXPECT_EQ(string_or(message(*result, 2), "editedAt"), "2024-01-02T09:01:10Z");
  EXPECT_EQ(string_or(message(*result, 3), "channel"), "D1");
  std::string types;
  for (const auto& channel : *get_array(*result, "channels"))
    types += string_or(channel.as_object(), "type") + " ";
  EXPECT_EQ(types, "channel dm group ");
}

std::string zipped(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string bytes(64 << 20, '\0');
  std::size_t used = 0;
  auto* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  archive_write_open_memory(writer, bytes.data(), bytes.size(), &used);
  for (const auto& [path, text] : files) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(text.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(writer, entry);
    archive_write_data(writer, text.data(), text.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  bytes.resize(used);
  return bytes;
}

TEST(SlackExport, a_zip_is_read_and_its_limits_hold) {
  const auto good = parse_slack_export(zipped({{"team/users.json", std::string(kUsers)},
                                               {"team/channels.json", R"([{"id":"C1","name":"general"}])"},
                                               {"team/general/2024-01-02.json", std::string(kDay)}}));
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(get_array(*good, "messages")->size(), 3u);
  const auto other = parse_slack_export(zipped({{"readme.txt", "hello"}}));
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, "unsupported");
  const auto bomb =
      parse_slack_export(zipped({{"general/2024-01-02.json", "[" + std::string(40 << 20, ' ') + "]"}}));
  ASSERT_FALSE(bomb.has_value());
  EXPECT_EQ(bomb.error().code, "bomb");
  EXPECT_EQ(parse_slack_export("no zip").error().code, "corrupt");
}

TEST(SlackMessages, changes_removals_and_repeats_count_once) {
  const auto chat = day(R"([{"type":"message","user":"U1","ts":"1704186000.000100","text":"old"},
    {"type":"message","subtype":"message_changed","channel":"C1","ts":"1704186009.000100","message":{"type":"message","user":"U1","ts":"1704186000.000100","text":"new","edited":{"ts":"1704186009.000000"}}},
    {"type":"message","user":"U1","ts":"1704186020.000100","text":"gone"},
    {"type":"message","subtype":"message_deleted","channel":"C1","ts":"1704186030.000100","deleted_ts":"1704186020.000100"}])");
  ASSERT_EQ(get_array(chat, "messages")->size(), 2u);
  EXPECT_EQ(string_or(message(chat, 0), "text"), "new");
  EXPECT_EQ(string_or(message(chat, 1), "subtype"), "message_deleted");
  EXPECT_EQ(string_or(message(chat, 1), "text"), "");
}

TEST(SlackMessages, blocks_stand_in_for_missing_text) {
  const auto chat = day(
      R"({"event":{"type":"message","channel":"D7","channel_type":"im","user":"U1","ts":"1704186000.000100","text":"",
    "blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"user","user_id":"U2"},{"type":"text","text":" hello"}]}]}]}})",
      "");
  ASSERT_EQ(get_array(chat, "messages")->size(), 1u);
  EXPECT_EQ(string_or(message(chat, 0), "text"), "@U2 hello");
  EXPECT_EQ(string_or(get_array(chat, "channels")->at(0).as_object(), "type"), "dm");
}

TEST(TeamsMessages, html_mentions_and_replies_are_read) {
  const auto chat = day(
      R"({"value":[{"id":"17","replyToId":"16","messageType":"message","createdDateTime":"2024-01-02T09:00:00.5Z","importance":"high",
    "from":{"user":{"id":"a1","displayName":"Ann"}},"body":{"contentType":"html","content":"<p><at id=\"0\">Bo</at>&nbsp;look<br>here &amp; now</p>"},
    "channelIdentity":{"teamId":"t","channelId":"19:x"},"mentions":[{"id":0,"mentionText":"Bo","mentioned":{"user":{"id":"b1","displayName":"Bo"}}}],
    "reactions":[{"reactionType":"like"},{"reactionType":"like"}],"attachments":[{"contentType":"reference","name":"a.docx"}]}]})",
      "");
  ASSERT_EQ(get_array(chat, "messages")->size(), 1u);
  const auto& one = message(chat, 0);
  EXPECT_EQ(string_or(one, "text"), "@Bo look\nhere & now");
  EXPECT_EQ(string_or(one, "threadTs"), "16");
  EXPECT_EQ(string_or(one, "channel"), "19:x");
  EXPECT_EQ(json::serialize(one.at("reactions")), R"([{"name":"like","count":2}])");
  EXPECT_EQ(string_or(one, "sentAt"), "2024-01-02T09:00:00.500Z");
}

TEST(ChatAnalysis, messages_tell_items_amounts_feelings_and_importance) {
  auto chat = day(
      R"([{"type":"message","user":"U1","ts":"1704186000.000100","text":"<@U2|bo> could you send the contract for $50,000 by Friday?"},
    {"type":"message","user":"U2","ts":"1704186001.000100","text":"ok"},
    {"type":"message","user":"U2","ts":"1704186002.000100","text":"Figures","reactions":[{"name":"tada","count":5}]},
    {"type":"message","user":"U2","ts":"1704186003.000100","text":"URGENT: the customer is about to churn"},
    {"type":"message","bot_id":"B1","subtype":"bot_message","ts":"1704186004.000100","text":"I will send the report by Friday"}])");
  chat = analyse_chat(std::move(chat), {});
  const auto& ask = message(chat, 0);
  ASSERT_EQ(get_array(ask, "actionItems")->size(), 1u);
  const auto& item = get_array(ask, "actionItems")->at(0).as_object();
  EXPECT_EQ(string_or(item, "owner"), "bo");
  EXPECT_EQ(string_or(item, "due"), "2024-01-05");  // counted from the message's own day
  EXPECT_EQ(get_array(ask, "amounts")->size(), 1u);
  EXPECT_EQ(string_or(ask, "importance"), "normal");
  EXPECT_EQ(string_or(message(chat, 1), "importance"), "low");
  EXPECT_GT(message(chat, 2).at("sentiment").to_number<double>(), 0.5);
  EXPECT_EQ(string_or(message(chat, 3), "importance"), "high");
  EXPECT_TRUE(get_array(message(chat, 4), "actionItems")->empty());
}

}  // namespace
}  // namespace castiel::content::chat
