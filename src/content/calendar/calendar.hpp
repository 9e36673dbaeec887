#pragma once
// iCalendar (RFC 5545, and what Outlook, Google and others make of it) into events and their occurrences.
// Pure functions over hostile bytes, except that libical reads its time zones: call preload_time_zones()
// before a sandbox closes the file system. Thread-safe: libical's global state is behind one lock.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace castiel::content::calendar {

inline constexpr std::size_t kMaxCalendarBytes = 32 << 20;
inline constexpr std::size_t kMaxEvents = 50'000;               // per file; more are dropped with a warning
inline constexpr std::size_t kMaxOccurrencesPerEvent = 10'000;  // in [from, to); more are cut with a warning
inline constexpr std::size_t kMaxOccurrences = 100'000;         // per file
inline constexpr std::size_t kMaxRuleSteps = 200'000;  // instances one rule may pass on the way to `from`
inline constexpr std::size_t kMaxTotalRuleSteps = 1'000'000;  // the same for all rules of a file

struct Options {
  std::optional<Date> from,
      to;  // occurrences that begin before `to` and end after `from`, days of UTC; both or none
  std::string floating_zone = "UTC";  // IANA zone of times that name none, and of days
};

// {"kind":"calendar","method","events":[{"uid","sequence","status","title","description","start","end","allDay",
//  "timeZone","organizer":{"email","name"}|null,"attendees":[{"email","name","status","role"}],"location","url",
//  "recurrence":{"rules":[…],"dates":[…],"exceptions":[…]}|null,"recurrenceId"|null,"cancelled","busy","categories",
//  "visibility","createdAt","updatedAt"}],
//  "occurrences":[{"uid","start","end"}] (with from and to), "warnings"}.
// start and end: RFC 3339 UTC, or YYYY-MM-DD where allDay (the end exclusive). Of several versions of one
// event the one with the highest SEQUENCE, then DTSTAMP, counts. Occurrences hold overrides in place of what
// they override, and no cancelled or excluded ones. status: confirmed|tentative|cancelled; an attendee's
// status: accepted|declined| tentative|needs_action|delegated; role: chair|required|optional|none. Damaged
// parts are left out with a warning; errors: corrupt (no calendar at all), too_large.
Result<json::object> parse_calendar(std::string_view bytes, const Options& options = {});

// The start of every instance of a rule, in local time as "19970902T090000" ("…Z" where `start` has it,
// "19970902" for days), at most `limit`. Error: invalid_rule.
Result<std::vector<std::string>> expand_rule(std::string_view rule, std::string_view start,
                                             std::size_t limit);

// Reads the time zone data that parse_calendar may need: /usr/share/zoneinfo/tzdata's "zone.tab" and each
// zone's file.
void preload_time_zones();

// Who the tenant is: its domains ("acme.com"), and the words of stages or titles that mean an interview etc.
// are built in (CAL-2).
struct Sides {
  std::span<const std::string> own_domains;
};
// internal, customer, interview, personal, holiday, out_of_office, focus, travel or unknown. `event` as in
// "events".
std::string classify_event(const json::object& event, const Sides& sides);
// "class" for each event; nothing else changes.
json::object analyse_calendar(json::object structure, const Sides& sides);

}  // namespace castiel::content::calendar
