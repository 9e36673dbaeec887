#include "processing/communications/email_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "connectors/records.hpp"
#include "content/mail/analyse.hpp"
#include "content/mail/reply.hpp"
#include "content/text/text.hpp"
#include "model/entity.hpp"
#include "processing/content/people.hpp"

namespace castiel::processing {

namespace {

namespace mail = content::mail;

constexpr std::size_t kMaxReferences = 30;     // of a mail that are looked up, the nearest ones
constexpr std::size_t kMaxSameSubject = 20;    // mails compared with when only the subject connects
constexpr std::size_t kMaxThreadBytes = 4096;  // of a mail's own words, compared with later quotes

// The structure of a parsed mail, back from the record's names.
json::object structure_of(const json::object& record) {
  json::object structure = record;
  for (const char* name : {"key", "line", "source", "threadId", "claim"}) structure.erase(name);
  structure["kind"] = "email";
  structure["messageId"] = string_or(record, "emailId");
  structure["text"] = string_or(record, "body");
  structure.erase("emailId");
  structure.erase("body");
  return structure;
}

std::vector<std::string> references_of(const json::object& record, bool bounce) {
  std::vector<std::string> ids;
  if (const auto parent = string_or(record, "inReplyTo"); !parent.empty()) ids.push_back(parent);
  if (const auto* list = get_array(record, "references")) {
    for (std::size_t i = list->size(); i-- > 0 && ids.size() < kMaxReferences;) {
      if ((*list)[i].is_string()) ids.emplace_back((*list)[i].get_string());
    }
  }
  // A report names the mail it is about only in what it gives back of it.
  if (const auto* list = ids.empty() && bounce ? get_array(record, "attachments") : nullptr) {
    for (const auto& item : *list) {
      if (auto id = string_or(item.get_object(), "messageId"); !id.empty() && ids.empty())
        ids.push_back(std::move(id));
    }
  }
  return ids;
}

// What the judgement of threads needs of a mail: of a record just read or, with the reply text as
// "bodyPlainText", of a shard.
mail::ThreadMessage thread_message_of(const json::object& data, std::string_view id,
                                      std::string_view own_words, Timestamp sent_at) {
  auto out = mail::thread_message(data);
  out.message_id = id;
  out.own = utf8_prefix(own_words, kMaxThreadBytes);
  out.sent_at = sent_at;
  return out;
}

std::string importance_of(const json::object& record) {
  const auto* headers = get_object(record, "headers");
  if (headers == nullptr) return "normal";
  const auto first = [&](const char* name) {
    const auto* values = get_array(*headers, name);
    return values == nullptr || values->empty() || !values->front().is_string()
               ? std::string()
               : std::string(values->front().get_string());
  };
  const std::string said = first("importance") + first("x-priority") + first("priority");
  if (said.empty()) return "normal";
  const char c = said.front();
  if (c == '1' || c == '2' || c == 'h' || c == 'H' || c == 'u' || c == 'U') return "high";
  if (c == '4' || c == '5' || c == 'l' || c == 'L') return "low";
  return "normal";
}

// The attachments as the shard names them, and the documents they become.
json::array take_attachments(const json::object& record, const std::string& id, Understood& out) {
  json::array attachments;
  const auto* list = get_array(record, "attachments");
  if (list == nullptr) return attachments;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto& a = (*list)[i].get_object();
    json::object shown{{"name", string_or(a, "name")},
                       {"mimeType", string_or(a, "mimeType")},
                       {"size", int_or(a, "size", 0)},
                       {"sha256", string_or(a, "sha256")}};
    // A signature's logo is no document.
    const bool picture_in_text =
        bool_or(a, "inline", false) && string_or(a, "mimeType").starts_with("image/");
    const auto blob = string_or(a, "blobUrl");
    if (!blob.empty() && !picture_in_text) {
      const std::string document_id = fmt::format("{}/{}", id, i + 1);
      shown["documentId"] = document_id;
      out.documents.push_back(
          {{"key", document_id},
           {"documentId", document_id},
           {"url", fmt::format("email:{}", document_id)},
           {"blobUrl", blob},
           {"sha256", string_or(a, "sha256")},
           {"mimeType", string_or(a, "mimeType")},
           {"size", int_or(a, "size", 0)},
           {"title", string_or(a, "name")},
           {"modifiedAt", string_or(record, "sentAt").empty() ? json::value(nullptr)
                                                              : json::value(string_or(record, "sentAt"))},
           {"modifiedBy", record.contains("from") && record.at("from").is_object()
                              ? string_or(record.at("from").get_object(), "email")
                              : ""},
           {"metadata",
            {{"parentType", model::type::kEmail},
             {"parentKey", id},
             {"path", string_or(a, "name")},
             {"parentFolder", ""}}}});
    }
    attachments.push_back(std::move(shown));
  }
  return attachments;
}

void take_invitation(const json::object& record, const std::string& id, Understood& out) {
  const auto* calendar = get_object(record, "calendar");
  const auto* events = calendar == nullptr ? nullptr : get_array(*calendar, "events");
  if (events == nullptr) return;
  for (const auto& event : *events) {
    auto entry = connectors::event_record(event.get_object(), string_or(*calendar, "method"));
    if (string_or(entry, "key").empty()) continue;
    entry["parent"] = json::object{{"type", model::type::kEmail}, {"key", id}};
    out.events.push_back(std::move(entry));
  }
}

}  // namespace

Result<std::string> EmailReader::stored_thread(const RecordContext& context, std::string_view kind,
                                               std::string_view key) {
  CASTIEL_ASSIGN(const auto found, context.reader.aliases(kind, key));
  if (found.empty()) return std::string();
  CASTIEL_ASSIGN(const auto shard, context.reader.shard(found.front().shard));
  if (!shard) return std::string();
  const auto data = parse_json(shard->data);
  return data && data->is_object() ? string_or(data->get_object(), "threadId") : std::string();
}

Result<std::string> EmailReader::thread_by_subject(const RecordContext& context, const std::string& key,
                                                   const mail::ThreadMessage& later) {
  std::string thread;
  Timestamp nearest;
  const auto consider = [&](const std::string& candidate, const mail::ThreadMessage& earlier) {
    if (candidate.empty() || (!thread.empty() && earlier.sent_at < nearest)) return;
    if (!mail::continues(later, earlier)) return;
    thread = candidate;
    nearest = earlier.sent_at;
  };
  const auto [from, to] = thread_of_subject_.equal_range(key);
  for (auto it = from; it != to; ++it) consider(it->second.thread, it->second.message);
  CASTIEL_ASSIGN(const auto found, context.reader.aliases("mail:subject", key));
  for (std::size_t i = 0; i < std::min(found.size(), kMaxSameSubject); ++i) {
    CASTIEL_ASSIGN(const auto shard, context.reader.shard(found[found.size() - 1 - i].shard));
    const auto data = shard ? parse_json(shard->data) : parse_json("{}");
    if (!data || !data->is_object()) continue;
    const auto& o = data->get_object();
    if (const auto at = parse_timestamp(string_or(o, "sentAt")))
      consider(string_or(o, "threadId"),
               thread_message_of(o, string_or(o, "messageId"), string_or(o, "bodyPlainText"), *at));
  }
  return thread;
}

// The thread of the nearest mail it answers; else of a mail that already answered it; else, for an answer
// without references, of a mail it goes on with; else its own.
Result<std::string> EmailReader::thread_of(const json::object& record,
                                           const std::vector<std::string>& references,
                                           const RecordContext& context, const mail::ThreadMessage& message,
                                           const std::string& subject_key) {
  const std::string id = string_or(record, "emailId");
  std::string said = string_or(record, "threadId", id);
  for (const auto& reference : references) {
    if (const auto it = thread_of_id_.find(reference); it != thread_of_id_.end()) return it->second;
    CASTIEL_ASSIGN(auto thread, stored_thread(context, "mail:id", reference));
    if (!thread.empty()) return thread;
  }
  if (const auto it = thread_of_reference_.find(id); it != thread_of_reference_.end()) return it->second;
  CASTIEL_ASSIGN(auto thread, stored_thread(context, "mail:reference", id));
  if (!thread.empty()) return thread;
  if (references.empty() && !subject_key.empty()) {
    CASTIEL_ASSIGN(thread, thread_by_subject(context, subject_key, message));
    if (!thread.empty()) return thread;
  }
  return said;
}

Result<Understood> EmailReader::read(const json::object& record, const RecordContext& context) {
  Understood out;
  out.external_id = string_or(record, "emailId");
  out.type = model::type::kEmail;
  if (out.external_id.empty()) return permanent("missing_id", "the mail has no id");
  const auto sent = parse_timestamp(string_or(record, "sentAt"));
  out.dated = sent.has_value();
  out.version = sent ? *sent : context.observed_at;
  out.identity = {"from", "subject", "sentAt"};

  auto mail = mail::analyse_message(structure_of(record), {out.version, context.time_zone});
  auto message = thread_message_of(mail, out.external_id, string_or(mail, "replyText"), out.version);
  const auto key = mail::thread_keys(message).subject;
  const std::string mail_class = string_or(mail, "class");
  const auto references = references_of(record, mail_class == "bounce");
  CASTIEL_ASSIGN(const auto thread, thread_of(record, references, context, message, key));
  const std::string parent = references.empty() ? "" : references.front();
  const std::string subject = string_or(record, "subject"), own_words = string_or(mail, "replyText");

  const auto from = record.contains("from") ? person_of(record.at("from")) : Person();
  const auto to = people_of(record, "to"), cc = people_of(record, "cc"), bcc = people_of(record, "bcc");
  auto attachments = take_attachments(record, out.external_id, out);
  take_invitation(record, out.external_id, out);
  json::object metadata{{"hasAttachments", !attachments.empty()},
                        {"isReply", !parent.empty() || mail::is_reply_subject(subject)},
                        {"reactionCount", 0},
                        {"importance", importance_of(record)}};
  json::array topics;
  if (mail_class == "person") {
    for (const auto& topic : content::text::topics(own_words)) topics.push_back(json::value(topic));
  }
  const auto take = [&mail](const char* name) {
    auto* value = mail.if_contains(name);
    return value == nullptr ? json::value(nullptr) : std::move(*value);
  };
  const auto text_or_null = [&record](const char* name) {
    const auto value = string_or(record, name);
    return value.empty() ? json::value(nullptr) : json::value(value);
  };
  out.said = {
      {"emailId", out.external_id},
      {"threadId", thread},
      {"class", mail_class},
      {"sentiment", mail.contains("sentiment") && mail.at("sentiment").is_number() ? mail.at("sentiment")
                                                                                   : json::value(0.0)},
      {"actionItems",
       get_array(mail, "actionItems") != nullptr ? mail.at("actionItems") : json::value(json::array())},
      {"linkedOpportunities", json::array()},
      {"linkedContacts", json::array()}};
  std::vector<Person> everybody{from};
  everybody.insert(everybody.end(), to.begin(), to.end());
  everybody.insert(everybody.end(), cc.begin(), cc.end());
  out.tasks = task_seeds(out.said["actionItems"].get_array(), own_words, everybody, context.own);
  out.data = {{"communicationType", "email"},
              {"messageId", out.external_id},
              {"threadId", thread},
              {"parentMessageId", parent},
              {"from", to_json(from)},
              {"to", to_json(to)},
              {"cc", to_json(cc)},
              {"bcc", to_json(bcc)},
              {"subject", subject},
              {"body", string_or(record, "body")},
              {"bodyPlainText", own_words},
              {"quotedText", take("quotedText")},
              {"signature", take("signature")},
              {"forwarded", take("forwarded")},
              {"sentiment", take("sentiment")},
              {"topics", std::move(topics)},
              {"language", take("language")},
              {"class", mail_class},
              {"classReason", take("classReason")},
              {"type", take("type")},
              {"actionItems", take("actionItems")},
              {"dates", take("dates")},
              {"entities", take("entities")},
              {"attachments", std::move(attachments)},
              {"channel", nullptr},
              {"metadata", std::move(metadata)},
              {"sentAt", text_or_null("sentAt")},
              {"receivedAt", text_or_null("receivedAt")}};

  out.aliases.emplace_back("mail:id", out.external_id);
  for (const auto& reference : references) out.aliases.emplace_back("mail:reference", reference);
  if (!key.empty()) out.aliases.emplace_back("mail:subject", key);
  thread_of_id_[out.external_id] = thread;
  for (const auto& reference : references) thread_of_reference_.try_emplace(reference, thread);
  if (!key.empty()) thread_of_subject_.emplace(key, Membership{thread, std::move(message)});
  return out;
}

}  // namespace castiel::processing
