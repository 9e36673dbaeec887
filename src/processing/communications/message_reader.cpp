#include "processing/communications/message_reader.hpp"

#include "content/chat/chat.hpp"
#include "content/text/text.hpp"
#include "model/entity.hpp"
#include "processing/content/people.hpp"

namespace castiel::processing {

namespace {

// One message as a chat of its own, for the analysis.
json::object chat_of(const json::object& record) {
  const auto* from = get_object(record, "from");
  json::object message{{"id", string_or(record, "messageId")},
                       {"channel", string_or(record, "channelId")},
                       {"ts", string_or(record, "messageId")},
                       {"userId", from == nullptr ? "" : string_or(*from, "id")},
                       {"userName", from == nullptr ? "" : string_or(*from, "name")},
                       {"email", from == nullptr ? "" : string_or(*from, "email")},
                       {"text", string_or(record, "text")},
                       {"subtype", string_or(record, "subtype")}};
  for (const char* name : {"mentions", "reactions", "files", "sentAt", "bot"}) {
    if (const auto* value = record.if_contains(name)) message[name] = *value;
  }
  json::array messages, channels;
  messages.push_back(std::move(message));
  if (const auto* channel = get_object(record, "channel")) channels.push_back(*channel);
  return {{"kind", "chat"},
          {"channels", std::move(channels)},
          {"users", json::array()},
          {"messages", std::move(messages)}};
}

std::int64_t reaction_count(const json::object& record) {
  std::int64_t count = 0;
  if (const auto* reactions = get_array(record, "reactions")) {
    for (const auto& r : *reactions) count += r.is_object() ? int_or(r.get_object(), "count", 1) : 0;
  }
  return count;
}

}  // namespace

Result<Understood> MessageReader::read(const json::object& record, const RecordContext& context) {
  Understood out;
  out.external_id = string_or(record, "messageId");
  out.type = model::type::kMessage;
  if (out.external_id.empty()) return permanent("missing_id", "the message has no id");
  const auto sent = parse_timestamp(string_or(record, "sentAt"));
  const auto edited = parse_timestamp(string_or(record, "editedAt"));
  out.dated = sent.has_value();
  // Reactions and answers come later without a time of their own: the export that was read last knows most.
  out.version = edited ? *edited : sent ? *sent : context.observed_at;
  out.identity = {"from", "body", "sentAt"};

  auto chat =
      content::chat::analyse_chat(chat_of(record), {sent ? *sent : context.observed_at, context.time_zone});
  json::object understood;
  if (auto* list = chat.if_contains("messages");
      list != nullptr && list->is_array() && !list->get_array().empty())
    understood = std::move(list->get_array()[0].get_object());
  const auto take = [&understood](const char* name) {
    auto* value = understood.if_contains(name);
    return value == nullptr ? json::value(nullptr) : std::move(*value);
  };
  const auto* from_object = get_object(record, "from");
  const Person from = from_object == nullptr ? Person() : person_of(*from_object);
  const std::string text = string_or(record, "text"), subtype = string_or(record, "subtype");
  const std::string thread = string_or(record, "threadId", out.external_id);
  const bool by_machine = bool_or(record, "bot", false) || subtype.starts_with("channel_") ||
                          subtype.starts_with("group_") || subtype == "bot_message";
  const auto items = get_array(understood, "actionItems") != nullptr ? understood.at("actionItems")
                                                                     : json::value(json::array());
  auto topics =
      get_array(understood, "topics") != nullptr ? understood.at("topics") : json::value(json::array());

  std::vector<Person> everybody{from};
  for (const auto& mention : people_of(record, "mentions")) everybody.push_back(mention);
  out.tasks = task_seeds(items.get_array(), text, everybody, context.own);
  out.said = {{"messageId", out.external_id},
              {"sentiment", understood.contains("sentiment") && understood.at("sentiment").is_number()
                                ? understood.at("sentiment")
                                : json::value(0.0)},
              {"topics", topics},
              {"linkedOpportunities", json::array()}};
  json::object metadata{
      {"hasAttachments", get_array(record, "files") != nullptr && !get_array(record, "files")->empty()},
      {"isReply", thread != out.external_id},
      {"replyCount", int_or(record, "replyCount", 0)},
      {"reactionCount", reaction_count(record)},
      {"importance", string_or(understood, "importance", "normal")}};
  const auto member = [&record](const char* name) {
    const auto* value = record.if_contains(name);
    return value == nullptr ? json::value(nullptr) : *value;
  };
  out.data = {
      {"communicationType", string_or(record, "communicationType", "slack_message")},
      {"messageId", out.external_id},
      {"threadId", thread},
      {"parentMessageId", thread == out.external_id ? "" : thread},
      {"from", to_json(from)},
      {"to", json::array()},
      {"cc", json::array()},
      {"subject", ""},
      {"body", text},
      {"bodyPlainText", text},
      {"sentiment", take("sentiment")},
      {"topics", std::move(topics)},
      {"language", content::text::language_of(text)},
      {"class", by_machine ? "notification" : "person"},
      {"classReason", by_machine ? "chat: a program's or channel's own message" : "chat: a person's message"},
      {"actionItems", items},
      {"amounts", take("amounts")},
      {"dates", take("dates")},
      {"attachments", member("files")},
      {"channel", member("channel")},
      {"mentions", member("mentions")},
      {"reactions", member("reactions")},
      {"metadata", std::move(metadata)},
      {"sentAt", member("sentAt")},
      {"receivedAt", nullptr}};
  return out;
}

}  // namespace castiel::processing
