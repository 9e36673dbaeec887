#include "content/calendar/calendar.hpp"

#include <fmt/format.h>

#include "content/calendar/impl/events.hpp"
#include "content/impl/valid_text.hpp"

namespace castiel::content::calendar {
namespace {

Result<impl::Parsed> components_of(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '[') {
    const auto value = parse_json(text);
    if (!value) return permanent("corrupt", "neither iCalendar nor jCal", value.error().message);
    return impl::parse_jcal(*value);
  }
  return impl::parse_components(text);
}

void read_calendar(const impl::Component& calendar, impl::Zones& zones, std::vector<impl::Event>& events,
                   impl::Warnings& warnings) {
  const auto method = impl::upper_ascii(calendar.text("METHOD"));
  for (const auto& part : calendar.children) {
    if (part.name == "VCALENDAR") {  // one inside another: seen, harmless
      read_calendar(part, zones, events, warnings);
      continue;
    }
    if (part.name != "VEVENT") continue;
    if (events.size() >= kMaxEvents)
      return warnings.add(fmt::format("more than {} events; the rest was left out", kMaxEvents));
    events.push_back(impl::read_event(part, method, zones, warnings));
  }
}

}  // namespace

Result<json::object> parse_calendar(std::string_view bytes, const Options& options) {
  if (bytes.size() > kMaxCalendarBytes)
    return permanent("too_large", fmt::format("a calendar of more than {} MiB", kMaxCalendarBytes >> 20));
  CASTIEL_ASSIGN(const auto parsed, components_of(content::impl::text_of(bytes)));
  impl::Warnings warnings;
  for (const auto& text : parsed.warnings) warnings.add(text);
  std::int64_t budget = kMaxTotalRuleSteps;
  impl::Zones zones(options.floating_zone, budget);
  std::vector<impl::Event> events;
  std::string method;
  for (const auto& calendar : parsed.roots) zones.add(calendar);
  for (const auto& calendar : parsed.roots) {
    if (method.empty()) method = impl::upper_ascii(calendar.text("METHOD"));
    read_calendar(calendar, zones, events, warnings);
  }
  events = impl::latest(std::move(events));
  json::object out{{"kind", "calendar"}, {"method", method}};
  if (options.from && options.to) {
    const impl::Window window{options.from->days * impl::kDaySeconds, options.to->days * impl::kDaySeconds};
    out["occurrences"] = impl::occurrences(events, window, budget, warnings);
  }
  json::array shown;
  shown.reserve(events.size());
  for (auto& event : events) shown.push_back(std::move(event.shown));
  out["events"] = std::move(shown);
  json::array texts;
  for (const auto& text : warnings.texts) texts.push_back(json::string(text));
  out["warnings"] = std::move(texts);
  return out;
}

Result<std::vector<std::string>> expand_rule(std::string_view rule, std::string_view start,
                                             std::size_t limit) {
  const auto first = impl::parse_time_text(start);
  if (!first) return permanent("invalid_rule", "the start is not a time");
  CASTIEL_ASSIGN(auto parsed, impl::parse_rule(rule));
  std::vector<std::string> out;
  if (!parsed.scale.empty()) {
    CASTIEL_ASSIGN(const auto times,
                   impl::foreign_instances(rule, first->time, first->date_only,
                                           (impl::kLastDay + 1) * impl::kDaySeconds, limit));
    for (const auto time : times) out.push_back(impl::time_text(time, first->date_only, first->utc));
    return out;
  }
  if (first->date_only) {
    parsed.hours.clear();
    parsed.minutes.clear();
    parsed.seconds.clear();
  }
  std::int64_t budget = kMaxRuleSteps;
  impl::RuleInstances instances(parsed, first->time, budget);
  while (out.size() < limit) {
    const auto time = instances.next();
    if (!time) break;
    out.push_back(impl::time_text(*time, first->date_only, first->utc));
  }
  return out;
}

}  // namespace castiel::content::calendar
