#include "processing/calendar/event_reader.hpp"

#include "content/calendar/calendar.hpp"
#include "model/entity.hpp"
#include "processing/content/people.hpp"

namespace castiel::processing {

Result<Understood> EventReader::read(const json::object& record, const RecordContext& context) {
  Understood out;
  out.external_id = string_or(record, "eventId");
  out.type = model::type::kEvent;
  if (out.external_id.empty()) return permanent("missing_id", "the calendar entry has no UID");
  out.came_along = get_object(record, "parent") != nullptr;
  json::object event;
  if (const auto* given = get_object(record, "event")) event = *given;
  const auto changed = parse_timestamp(string_or(event, "updatedAt"));
  out.dated = changed.has_value();
  out.version = changed ? *changed : context.observed_at;
  // The same entry reaches us in several calendars and in mails; who accepted differs in each.
  out.identity = {"uid", "sequence", "startTime"};

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
  const auto member = [](const json::object& object, const char* name) {
    const auto* value = object.if_contains(name);
    return value == nullptr ? json::value(nullptr) : *value;
  };
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
  out.said = {{"eventId", out.external_id}, {"class", event_class}, {"linkedOpportunities", json::array()}};
  return out;
}

}  // namespace castiel::processing
