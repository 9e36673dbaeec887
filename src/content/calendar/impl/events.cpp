#include "content/calendar/impl/events.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/time.hpp"
#include "content/impl/valid_text.hpp"

namespace castiel::content::calendar::impl {
namespace {

constexpr std::size_t kMaxWarnings = 50;
constexpr std::size_t kMaxAttendees = 5'000;     // of an event
constexpr std::size_t kMaxListedDates = 10'000;  // RDATE and EXDATE of an event
constexpr std::int64_t kMaxDuration = 366 * 10 * kDaySeconds;

// "P1DT2H", "-PT15M", "P2W"; days apart from the exact part.
struct Length {
  std::int64_t days = 0, seconds = 0;
};
std::optional<Length> parse_duration(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || (text[0] != 'P' && text[0] != 'p')) return std::nullopt;
  Length out;
  std::int64_t value = 0;
  bool any = false;
  for (const char c : text.substr(1)) {
    if (c >= '0' && c <= '9') {
      value = std::min<std::int64_t>(value * 10 + (c - '0'), 1'000'000'000);
      continue;
    }
    if (c == 'W')
      out.days += value * 7;
    else if (c == 'D')
      out.days += value;
    else if (c == 'H')
      out.seconds += value * 3600;
    else if (c == 'M')
      out.seconds += value * 60;
    else if (c == 'S')
      out.seconds += value;
    else if (c != 'T')
      return std::nullopt;
    any = any || c != 'T';
    value = 0;
  }
  if (!any) return std::nullopt;
  if (negative) return Length{-out.days, -out.seconds};
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string address_of(const Property& property) {
  if (const auto email = property.parameter("EMAIL"); !email.empty()) return std::string(email);
  std::string_view value = property.value;
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (lower(value.substr(0, 7)) == "mailto:") value.remove_prefix(7);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
  return value.find('@') == std::string_view::npos ? std::string() : std::string(value);
}

std::string attendee_status(std::string_view text) {
  const auto status = lower(text);
  if (status == "accepted" || status == "declined" || status == "tentative" || status == "delegated")
    return status;
  if (status == "confirmed") return "accepted";  // vCalendar 1.0
  return "needs_action";
}

std::string attendee_role(const Property& property) {
  const auto role = lower(property.parameter("ROLE"));
  if (role == "chair") return "chair";
  if (role == "opt-participant") return "optional";
  if (role == "non-participant") return "none";
  return "required";
}

json::array attendees_of(const Component& component) {
  json::array out;
  for (const auto& property : component.properties) {
    if (property.name != "ATTENDEE" || out.size() >= kMaxAttendees) continue;
    json::object attendee;
    attendee["email"] = address_of(property);
    attendee["name"] = unescape(property.parameter("CN"));
    attendee["status"] = attendee_status(property.parameter("PARTSTAT"));
    attendee["role"] = attendee_role(property);
    if (const auto type = lower(property.parameter("CUTYPE")); !type.empty() && type != "individual")
      attendee["type"] = type;
    out.push_back(std::move(attendee));
  }
  return out;
}

class Reader {
 public:
  Reader(const Component& component, Zones& zones, Warnings& warnings)
      : component_(component), zones_(zones), warnings_(warnings) {}

  std::optional<Moment> moment(const Property& property, std::string_view value) {
    const auto time = parse_time_text(value);
    if (!time) return std::nullopt;
    Moment out;
    out.local = time->time;
    out.date_only = time->date_only;
    if (out.date_only) {
      out.zone = &zones_.utc();
      out.utc = out.local;
      return out;
    }
    const auto id = property.parameter("TZID");
    bool known = true;
    if (time->utc)
      out.zone = &zones_.utc();
    else if (id.empty())
      out.zone = &zones_.floating();
    else
      out.zone = &zones_.find(id, known);
    if (!known)
      warnings_.add(fmt::format("unknown time zone '{}': its times are taken as local", id.substr(0, 80)));
    out.utc = out.zone->to_utc(out.local);
    return out;
  }
  std::optional<Moment> first(std::string_view name) {
    const auto* property = component_.find(name);
    if (property == nullptr) return std::nullopt;
    auto out = moment(*property, property->value);
    if (!out && !property->value.empty())
      warnings_.add(fmt::format("{} is not a time: '{}'", name, property->value.substr(0, 40)));
    return out;
  }
  void list(std::string_view name, std::vector<Moment>& out, std::vector<std::int64_t>* durations) {
    for (const auto& property : component_.properties) {
      if (property.name != name) continue;
      for (const auto value : split_values(property.value)) {
        if (out.size() >= kMaxListedDates) return;
        const auto slash = value.find('/');
        const auto time = moment(property, value.substr(0, slash));
        if (!time) {
          warnings_.add(fmt::format("{} is not a time: '{}'", name, value.substr(0, 40)));
          continue;
        }
        out.push_back(*time);
        if (durations == nullptr) continue;
        std::int64_t duration = -1;
        if (slash != std::string_view::npos) {
          const auto rest = value.substr(slash + 1);
          if (const auto length = parse_duration(rest))
            duration = length->days * kDaySeconds + length->seconds;
          else if (const auto end = moment(property, rest))
            duration = std::max<std::int64_t>(0, end->utc - time->utc);
        }
        durations->push_back(duration);
      }
    }
  }

 private:
  const Component& component_;
  Zones& zones_;
  Warnings& warnings_;
};

std::int64_t duration_of(const Component& component, Reader& reader, const Moment& start) {
  if (const auto end = reader.first("DTEND"); end && start.zone != nullptr) {
    if (end->date_only == start.date_only)
      return std::clamp<std::int64_t>(end->utc - start.utc, 0, kMaxDuration);
    return std::clamp<std::int64_t>(end->local - start.local, 0, kMaxDuration);
  }
  if (const auto* property = component.find("DURATION")) {
    if (const auto length = parse_duration(property->value)) {
      if (start.date_only)
        return std::clamp<std::int64_t>(length->days * kDaySeconds + length->seconds, 0, kMaxDuration);
      const auto end = start.zone->to_utc(start.local + length->days * kDaySeconds) + length->seconds;
      return std::clamp<std::int64_t>(end - start.utc, 0, kMaxDuration);
    }
  }
  return start.date_only ? kDaySeconds : 0;
}

json::array shown_list(const std::vector<Moment>& moments) {
  json::array out;
  for (const auto& moment : moments) out.push_back(json::string(shown_time(moment)));
  return out;
}

json::value shown_or_null(std::optional<Moment> moment) {
  if (!moment) return nullptr;
  return json::string(shown_time(*moment));
}

void show(Event& event, const Component& component, Reader& reader) {
  auto& out = event.shown;
  out["uid"] = event.uid;
  out["sequence"] = event.sequence;
  auto status = lower(component.text("STATUS"));
  if (event.cancelled)
    status = "cancelled";
  else if (status != "tentative")
    status = "confirmed";
  out["status"] = status;
  out["title"] = component.text("SUMMARY");
  out["description"] = component.text("DESCRIPTION");
  if (!event.has_start) {
    out["start"] = nullptr;
    out["end"] = nullptr;
    out["allDay"] = false;
    out["timeZone"] = "";
  } else {
    out["start"] = shown_time(event.start);
    out["end"] = shown_instant(event.start.utc + event.duration, event.start.date_only);
    out["allDay"] = event.start.date_only;
    out["timeZone"] = event.start.date_only ? "" : event.start.zone->name();
  }
  out["organizer"] = nullptr;
  if (const auto* organizer = component.find("ORGANIZER"))
    out["organizer"] =
        json::object{{"email", address_of(*organizer)}, {"name", unescape(organizer->parameter("CN"))}};
  out["attendees"] = attendees_of(component);
  out["location"] = component.text("LOCATION");
  out["url"] = component.text("URL");
  std::string rules;
  for (const auto& rule : event.rules) rules += (rules.empty() ? "" : "\n") + rule;
  if (rules.empty())
    out["recurrence"] = nullptr;
  else
    out["recurrence"] = rules;
  out["recurrenceDates"] = shown_list(event.dates);
  out["exceptionDates"] = shown_list(event.exceptions);
  out["recurrenceId"] = shown_or_null(event.recurrence_id);
  out["cancelled"] = event.cancelled;
  out["busy"] = upper_ascii(component.text("TRANSP")) != "TRANSPARENT";
  json::array categories;
  for (const auto& property : component.properties) {
    if (property.name != "CATEGORIES") continue;
    for (const auto value : split_values(property.value)) categories.push_back(json::string(unescape(value)));
  }
  out["categories"] = std::move(categories);
  const auto visibility = lower(component.text("CLASS"));
  out["visibility"] = visibility.empty() ? "public" : visibility;
  out["createdAt"] = shown_or_null(reader.first("CREATED"));
  out["updatedAt"] = shown_or_null(reader.first("LAST-MODIFIED"));
  out["stampedAt"] = shown_or_null(reader.first("DTSTAMP"));
}

}  // namespace

void Warnings::add(std::string text) {
  text = content::impl::valid_utf8(text);
  if (texts.size() < kMaxWarnings && std::ranges::find(texts, text) == texts.end())
    texts.push_back(std::move(text));
}

std::string shown_instant(std::int64_t seconds, bool date_only) {
  const Timestamp time{seconds * 1'000'000};
  return date_only ? to_string(date_of(time)) : to_string(time);
}

std::string shown_time(const Moment& moment) {
  return shown_instant(moment.utc, moment.date_only);
}

Event read_event(const Component& component, std::string_view method, Zones& zones, Warnings& warnings) {
  Reader reader(component, zones, warnings);
  Event event;
  event.uid = component.text("UID");
  event.method = method;
  event.recurrence_id = reader.first("RECURRENCE-ID");
  auto start = reader.first("DTSTART");
  if (!start) start = event.recurrence_id;  // a cancellation may name nothing else
  event.has_start = start.has_value();
  if (!start) start = Moment{0, 0, true, &zones.utc()};
  event.start = *start;
  const auto sequence = component.text("SEQUENCE");
  (void)std::from_chars(sequence.data(), sequence.data() + sequence.size(), event.sequence);
  event.stamp = component.text("DTSTAMP");
  if (const auto* id = component.find("RECURRENCE-ID"))
    event.this_and_future = upper_ascii(id->parameter("RANGE")) == "THISANDFUTURE";
  event.cancelled = method == "CANCEL" || upper_ascii(component.text("STATUS")) == "CANCELLED";
  event.duration = duration_of(component, reader, event.start);
  for (const auto& property : component.properties) {
    const bool rule = property.name == "RRULE";
    if (!rule && property.name != "EXRULE") continue;
    auto& list = rule ? event.rules : event.exception_rules;
    if (list.size() >= 16) continue;
    if (const auto parsed = parse_rule(property.value); !parsed) warnings.add(parsed.error().message);
    list.push_back(property.value);
  }
  reader.list("RDATE", event.dates, &event.date_durations);
  reader.list("EXDATE", event.exceptions, nullptr);
  show(event, component, reader);
  return event;
}

std::vector<Event> latest(std::vector<Event> events) {
  const auto informs = [](const Event& e) {
    return e.method.empty() || e.method == "REQUEST" || e.method == "PUBLISH" || e.method == "CANCEL" ||
           e.method == "ADD";
  };
  // The newest version by identity. Replies and the like are about an event, no version of it; two events
  // that differ in nothing but their start are two with a careless UID.
  std::map<std::string, std::size_t> newest;
  std::vector<Event> kept;
  for (auto& event : events) {
    if (event.uid.empty() || !informs(event)) {
      kept.push_back(std::move(event));
      continue;
    }
    auto key = event.uid + "\n" + (event.recurrence_id ? shown_time(*event.recurrence_id) : std::string());
    const auto known = newest.find(key);
    if (known == newest.end()) {
      newest.emplace(std::move(key), kept.size());
      kept.push_back(std::move(event));
      continue;
    }
    auto& old = kept[known->second];
    const bool careless = old.sequence == event.sequence && old.start.utc != event.start.utc &&
                          old.stamp == event.stamp && !event.cancelled && !event.recurrence_id;
    if (careless) {
      kept.push_back(std::move(event));
    } else if (std::pair(event.sequence, event.stamp) >= std::pair(old.sequence, old.stamp)) {
      if (event.cancelled && !event.has_start) {  // tells only that it is off
        old.cancelled = true;
        old.shown["cancelled"] = true;
        old.shown["status"] = "cancelled";
      } else {
        old = std::move(event);
      }
    }
  }
  return kept;
}

}  // namespace castiel::content::calendar::impl
