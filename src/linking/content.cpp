#include "linking/content.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/utf8.hpp"
#include "content/name_key.hpp"
#include "linking/mentions.hpp"
#include "model/entity.hpp"

namespace castiel::linking {
namespace {

namespace type = model::type;

constexpr std::array kUnwanted{"marketing", "spam", "bounce", "auto_reply", "list"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

void add_person(Content& content, const json::value* value, std::string_view role) {
  const auto* object = value == nullptr ? nullptr : value->if_object();
  if (object == nullptr) return;
  Person person{lower(string_or(*object, "email")), string_or(*object, "name"), std::string(role)};
  if (person.email.empty() && person.name.empty()) return;
  const auto same = [&](const Person& p) {
    return person.email.empty() ? p.name == person.name : p.email == person.email;
  };
  if (!person.email.empty() && person.email.find('+') != std::string::npos)
    content.addresses.push_back(string_or(*object, "email"));
  if (std::ranges::any_of(content.people, same)) return;
  content.people.push_back(std::move(person));
}

void add_people(Content& content, const json::object& data, std::string_view member, std::string_view role) {
  const auto* list = get_array(data, member);
  if (list == nullptr) return;
  for (const auto& item : *list) add_person(content, &item, role);
}

void add_field(Content& content, std::string name, std::string text, bool title = false) {
  if (!text.empty()) content.fields.push_back({std::move(name), std::move(text), title});
}

Timestamp time_of(const json::object& data, std::initializer_list<const char*> members, Timestamp fallback) {
  for (const char* member : members) {
    if (const auto at = parse_timestamp(string_or(data, member))) return *at;
    if (const auto day = parse_date(string_or(data, member))) return start_of(*day);
  }
  return fallback;
}

void read_communication(Content& content, const json::object& data) {
  content.at = time_of(data, {"sentAt", "receivedAt"}, content.at);
  content.subject = string_or(data, "subject");
  content.thread = string_or(data, "threadId");
  add_person(content, data.if_contains("from"), "from");
  for (const char* role : {"to", "cc", "bcc"}) add_people(content, data, role, role);
  add_field(content, "subject", content.subject, true);
  const auto own_words = string_or(data, "bodyPlainText");
  if (!own_words.empty()) {
    add_field(content, "bodyPlainText", own_words);
  } else {
    add_field(content, "body", string_or(data, "body"));
  }
  if (const auto* channel = get_object(data, "channel");
      channel != nullptr && string_or(*channel, "type") != "dm") {
    content.channel = string_or(*channel, "name");
    add_field(content, "channel.name", content.channel, true);
    if (content.subject.empty()) content.subject = "#" + content.channel;
  }
  const auto mail_class = string_or(data, "class", "person");
  content.automatic = mail_class != "person" && mail_class != "calendar";
  if (const auto answered = string_or(data, "parentMessageId");
      !answered.empty() && (mail_class == "bounce" || mail_class == "auto_reply"))
    content.parent = model::ShardKey{content.key.type, content.key.integration, answered};
  content.unwanted = std::ranges::find(kUnwanted, mail_class) != kUnwanted.end();
}

void read_document(Content& content, const json::object& data) {
  content.at = time_of(data, {"date", "modifiedAt", "createdAt"}, content.at);
  content.subject = string_or(data, "title");
  add_field(content, "title", content.subject, true);
  add_field(content, "extractedText", string_or(data, "extractedText"));
  if (const auto* source = get_object(data, "source"))
    add_field(content, "source.path", string_or(*source, "path"));
}

void read_meeting(Content& content, const json::object& data) {
  content.at = time_of(data, {"startTime"}, content.at);
  content.subject = string_or(data, "title");
  add_field(content, "title", content.subject, true);
  add_people(content, data, "participants", "participant");
  const auto* transcript = get_object(data, "transcript");
  const auto* segments = transcript == nullptr ? nullptr : get_array(*transcript, "segments");
  if (segments == nullptr) return;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < segments->size() && bytes < Gazetteer::kMaxTextBytes; ++i) {
    const auto* segment = (*segments)[i].if_object();
    if (segment == nullptr) continue;
    auto text = string_or(*segment, "text");
    bytes += text.size();
    add_field(content, fmt::format("transcript.segments[{}].text", i), std::move(text));
  }
}

void read_event(Content& content, const json::object& data) {
  content.at = time_of(data, {"startTime"}, content.at);
  content.subject = string_or(data, "title");
  add_field(content, "title", content.subject, true);
  add_field(content, "description", string_or(data, "description"));
  add_field(content, "location", string_or(data, "location"));
  add_person(content, data.if_contains("organizer"), "organizer");
  add_people(content, data, "attendees", "attendee");
  content.cancelled = bool_or(data, "cancelled", false);
}

}  // namespace

bool is_content_type(std::string_view t) {
  return t == type::kEmail || t == type::kMessage || t == type::kDocument || t == type::kMeeting ||
         t == type::kEvent;
}

bool Content::is_meeting() const {
  return key.type == type::kMeeting || key.type == type::kEvent;
}

std::optional<Content> read_content(const model::Shard& shard) {
  if (!is_content_type(shard.key.type)) return std::nullopt;
  const auto parsed = parse_json(shard.data);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const auto& data = parsed->get_object();
  Content content;
  content.id = shard.id;
  content.key = shard.key;
  content.at = shard.source_version;
  if (shard.key.type == type::kEmail || shard.key.type == type::kMessage) {
    read_communication(content, data);
  } else if (shard.key.type == type::kDocument) {
    read_document(content, data);
  } else if (shard.key.type == type::kMeeting) {
    read_meeting(content, data);
  } else {
    read_event(content, data);
  }
  if (const auto* parent = get_object(data, "parent")) {
    const auto external = string_or(*parent, "externalId", string_or(*parent, "key"));
    if (!external.empty())
      content.parent = model::ShardKey{string_or(*parent, "type"), shard.key.integration, external};
  }
  return content;
}

std::string Content::direction(const tenancy::OwnPeople& own) const {
  if (people.empty() || key.type == type::kDocument) return {};
  const auto is_own = [&](const Person& p) {
    return p.email.empty() ? own.is_own_name(content::name_key(p.name)) : own.is_own(p.email);
  };
  if (std::ranges::all_of(people, is_own)) return "internal";
  const auto& first = people.front();
  if (first.role != "from" && first.role != "organizer") return {};
  return is_own(first) ? "outbound" : "inbound";
}

std::string parent_key(const model::ShardKey& key) {
  return fmt::format("{}/{}/{}", key.type, key.integration, key.external_id);
}

std::vector<storage::Footprint> footprints_of(const Content& content, std::int64_t directory_version) {
  std::set<storage::Footprint> all;
  const auto add = [&](std::string_view kind, std::string key) {
    if (!key.empty()) all.insert({std::string(kind), std::move(key)});
  };
  add(footprint::kLinkedWith, std::to_string(directory_version));
  for (const auto& person : content.people) {
    add(footprint::kPerson, person.email);
    if (person.email.empty()) add(footprint::kPersonName, content::name_key(person.name));
    // acme.com has to find mail.acme.com too.
    std::string_view domain =
        std::string_view(person.email).substr(std::min(person.email.find('@'), person.email.size()));
    if (!domain.empty()) domain.remove_prefix(1);
    for (; domain.find('.') != domain.npos; domain.remove_prefix(domain.find('.') + 1))
      add(footprint::kDomain, std::string(domain));
  }
  add(footprint::kThread, content.thread);
  add(footprint::kChannel, content::name_key(content.channel));
  if (content.parent) add(footprint::kParent, parent_key(*content.parent));
  return {all.begin(), all.end()};
}

std::vector<storage::Interaction> interactions_of(const Content& content, const tenancy::OwnPeople& own) {
  std::vector<storage::Interaction> all;
  if (content.people.empty() || content.people.size() > Content::kMaxPeople || content.cancelled ||
      content.key.type == type::kDocument)
    return all;
  const auto own_one =
      std::ranges::find_if(content.people, [&](const Person& p) { return own.is_own(p.email); });
  const std::string own_address = own_one == content.people.end() ? std::string() : own_one->email;
  const auto& first = content.people.front();
  const bool ours = own.is_own(first.email);
  storage::Interaction made;
  made.at = content.at;
  made.shard = content.id;
  made.own = own_address;
  made.size = static_cast<int>(content.people.size()) - 1;
  if (content.is_meeting()) {
    made.type = "meeting";
    made.direction = "both";
  } else {
    made.type = content.automatic ? "automatic" : content.key.type == type::kMessage ? "chat" : "mail";
    made.direction = ours ? "outbound" : "inbound";
  }
  made.size = std::max(1, made.size);
  for (const auto& person : content.people) {
    if (person.email.empty() || own.is_own(person.email)) continue;
    // What outsiders write to each other says nothing of us.
    if (!content.is_meeting() && !ours && &person != &first) continue;
    made.person = person.email;
    all.push_back(made);
  }
  return all;
}

}  // namespace castiel::linking
