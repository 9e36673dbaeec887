#include "content/mail/analyse.hpp"

#include <algorithm>

#include "content/mail/classify.hpp"
#include "content/mail/reply.hpp"
#include "content/mail/threads.hpp"

namespace castiel::content::mail {
namespace {

std::string person_of(const json::object& box) {
  const auto name = string_or(box, "name");
  return name.empty() ? string_or(box, "email") : name;
}

text::Speech speech_of(const json::object& mail) {
  text::Speech out;
  if (const auto* from = get_object(mail, "from")) out.speaker = person_of(*from);
  if (const auto* to = get_array(mail, "to"))
    for (const auto& box : *to)
      if (box.is_object()) out.addressees.push_back(person_of(box.get_object()));
  return out;
}

bool is_answer(const json::object& mail) {
  const auto* references = get_array(mail, "references");
  return !string_or(mail, "inReplyTo").empty() || (references != nullptr && !references->empty()) ||
         is_reply_subject(string_or(mail, "subject"));
}

void put_split(json::object& mail) {
  const std::string text = string_or(mail, "text");
  std::string name;
  std::string email;
  if (const auto* from = get_object(mail, "from")) {
    name = string_or(*from, "name");
    email = string_or(*from, "email");
  }
  const std::string subject = string_or(mail, "subject");
  auto split = split_text(text, {name, email, subject});
  mail["replyText"] = std::move(split.reply);
  mail["quotedText"] = std::move(split.quoted);
  mail["signature"] = std::move(split.signature);
  mail["forwarded"] = to_json(split.forwarded);
}

}  // namespace

json::object analyse_message(json::object structure, const text::Context& context) {
  put_split(structure);
  const MailClass kind = classify(structure);
  const std::string reply = string_or(structure, "replyText");
  const bool person = kind.name == "person";
  structure["class"] = kind.name;
  structure["classReason"] = kind.reason;
  structure["type"] =
      person ? mail_type(string_or(structure, "subject"), reply, is_answer(structure)) : "other";

  text::Context when = context;
  if (const auto sent = parse_timestamp(string_or(structure, "sentAt"))) when.at = *sent;
  const auto actions =
      person ? text::find_action_items(reply, speech_of(structure), when) : std::vector<text::ActionItem>();
  structure["actionItems"] = text::to_json(actions);
  structure["dates"] = person ? text::dates_with_sentences(reply, when) : json::array();
  structure["sentiment"] = person ? text::sentiment(reply) : 0.0;
  // Its own words say a mail's language best; a forwarded mail or a newsletter may have no others.
  std::string language = text::language_of(reply);
  if (language.empty()) language = text::language_of(string_or(structure, "text"));
  structure["language"] = language;
  const std::string subject_and_text = reply.empty() ? string_or(structure, "text") : reply;
  structure["entities"] = text::to_json(text::find_entities(subject_and_text));
  structure["pii"] = text::to_json(text::find_personal_data(subject_and_text));
  structure.stable_erase("headers");
  structure.stable_erase("calendarPart");
  structure.stable_erase("calendarMethod");
  if (auto* attachments = structure.if_contains("attachments");
      attachments != nullptr && attachments->is_array())
    for (auto& entry : attachments->get_array())
      if (entry.is_object()) entry.get_object().stable_erase("part");
  return structure;
}

json::object analyse_mailbox(json::object structure, const text::Context& context) {
  json::array analysed;
  if (const auto* messages = get_array(structure, "messages")) {
    analysed.reserve(messages->size());
    for (const auto& message : *messages)
      if (message.is_object()) analysed.push_back(analyse_message(message.get_object(), context));
  }
  structure["threads"] = threads_json(analysed);
  structure["messages"] = std::move(analysed);
  return structure;
}

}  // namespace castiel::content::mail
