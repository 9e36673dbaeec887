#include "processing/calendar/event_reader.hpp"

#include <algorithm>

#include "content/calendar/calendar.hpp"
#include "model/entity.hpp"
#include "processing/content/people.hpp"

namespace castiel::processing {

namespace {

json::value member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value == nullptr ? json::value(nullptr) : *value;
}

// When the entry was last changed: LAST-MODIFIED; else DTSTAMP, which without a method is the same thing and
// with one says when it was sent (RFC 5545, 3.8.7.2).
std::optional<Timestamp> changed_at(const json::object& event) {
  for (const char* name : {"updatedAt", "stampedAt"}) {
    if (const auto at = parse_timestamp(string_or(event, name))) return *at;
  }
  return std::nullopt;
}

// RFC 5546: these speak about an entry that another message brought.
bool is_about_an_entry(std::string_view method) {
  return method == "REPLY" || method == "COUNTER" || method == "DECLINECOUNTER" || method == "REFRESH";
}

bool is_empty(const json::value& value) {
  return value.is_null() || (value.is_string() && value.get_string().empty()) ||
         (value.is_array() && value.get_array().empty());
}

// A cancellation often names no more than the entry: what was known of it stays.
void fill_from(json::object& data, const json::object& known) {
  for (const auto& [name, value] : known) {
    if (const auto* given = data.if_contains(name); given == nullptr || is_empty(*given)) data[name] = value;
  }
}

// The answers of those who reply, in the list of those who were invited.
void take_answers(json::array& invited, const json::array& replying) {
  for (const auto& answer : replying) {
    const auto email = string_or(answer.get_object(), "email");
    const auto same = std::ranges::find_if(
        invited, [&](const json::value& one) { return string_or(one.get_object(), "email") == email; });
    if (same == invited.end()) {
      invited.push_back(answer);
    } else {
      same->get_object()["status"] = member(answer.get_object(), "status");
    }
  }
}

}  // namespace

Result<std::optional<EventReader::Known>> EventReader::known(const std::string& id,
                                                             const RecordContext& context) const {
  if (const auto found = before_.find(id); found != before_.end()) return found->second;
  CASTIEL_ASSIGN(const auto shard, context.reader.shard(model::ShardKey{std::string(model::type::kEvent),
                                                                        context.integration, id}));
  if (!shard) return std::nullopt;
  CASTIEL_ASSIGN(auto data, parse_json(shard->data));
  return Known{std::move(data.get_object()), shard->source_version};
}

Result<Understood> EventReader::read(const json::object& record, const RecordContext& context) {
  Understood out;
  out.external_id = string_or(record, "eventId");
  out.type = model::type::kEvent;
  if (out.external_id.empty()) return permanent("missing_id", "the calendar entry has no UID");
  out.came_along = get_object(record, "parent") != nullptr;
  json::object event;
  if (const auto* given = get_object(record, "event")) event = *given;
  const auto changed = changed_at(event);
  out.dated = changed.has_value();
  out.version = changed ? *changed : context.observed_at;
  // The same entry reaches us in several calendars and in mails; who accepted differs in each.
  out.identity = {"uid", "sequence", "startTime"};
  out.revision = "sequence";

  const std::vector<std::string> domains(context.own.domains().begin(), context.own.domains().end());
  const std::string method = string_or(record, "method"), status = string_or(event, "status", "confirmed");
  const bool cancelled = method == "CANCEL" || status == "cancelled" || bool_or(event, "cancelled", false);
  const std::string event_class = content::calendar::classify_event(event, {domains});
  // As it stands now it has been known since its last change, or since it was sent.
  json::value announced = nullptr;
  for (const char* name : {"updatedAt", "stampedAt", "createdAt"}) {
    const auto* at = event.if_contains(name);
    if (announced.is_null() && at != nullptr && at->is_string()) announced = *at;
  }
  json::array attendees;
  if (const auto* list = get_array(record, "attendees")) {
    for (const auto& item : *list) {
      auto attendee = item.get_object();
      if (const auto side = side_of(person_of(item), context.own); !side.empty())
        attendee["isInternal"] = side == "own";
      attendees.push_back(std::move(attendee));
    }
  }
  out.data = {{"uid", string_or(event, "uid", out.external_id)},
              {"recurrenceId", member(event, "recurrenceId")},
              {"title", string_or(record, "title")},
              {"description", string_or(event, "description")},
              {"startTime", member(record, "startTime")},
              {"endTime", member(record, "endTime")},
              {"allDay", bool_or(event, "allDay", false)},
              {"timeZone", string_or(event, "timeZone")},
              {"organizer", member(event, "organizer")},
              {"attendees", std::move(attendees)},
              {"location", string_or(record, "location")},
              {"url", string_or(event, "url")},
              {"recurrence", member(event, "recurrence")},
              {"status", cancelled ? "cancelled" : status},
              {"sequence", int_or(event, "sequence", 0)},
              {"class", event_class},
              {"cancelled", cancelled},
              {"announcedAt", announced},
              {"method", method}};
  CASTIEL_ASSIGN(const auto before, known(out.external_id, context));
  if (is_about_an_entry(method)) {
    if (!before) {
      out.version = Timestamp{0};  // the entry itself, should it come, says it better
      out.dated = true;
    } else {
      const bool newer = method == "REPLY" && changed && *changed > before->version;
      auto answered = before->data;
      if (newer) {
        auto invited = get_array(answered, "attendees") ? *get_array(answered, "attendees") : json::array{};
        take_answers(invited, out.data["attendees"].get_array());
        answered["attendees"] = std::move(invited);
        out.version = *changed;
      } else {
        out.version = before->version;
      }
      out.data = std::move(answered);
    }
  } else if (before && cancelled) {
    fill_from(out.data, before->data);
  }
  before_.insert_or_assign(out.external_id, Known{out.data, out.version});
  out.said = {{"eventId", out.external_id}, {"class", event_class}, {"linkedOpportunities", json::array()}};
  return out;
}

}  // namespace castiel::processing
