#pragma once
// iCalendar (RFC 5545, and what Outlook, Google and others make of it) and jCal into events and their
// occurrences. Pure functions over hostile bytes; time zones come from ICU, whose data is in its library: no
// file is read. Thread-safe (libical, which keeps global state and computes only rules of other calendars, is
// behind one lock).

#include <cstddef>
#include <cstdint>
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
inline constexpr std::int64_t kMaxRuleSteps = 2'000'000;  // days (or hours and less) that one rule looks at
inline constexpr std::int64_t kMaxTotalRuleSteps = 10'000'000;  // the same for all rules of a file

struct Options {
  std::optional<Date> from, to;       // occurrences that begin in [from, to), days of UTC; both or none
  std::string floating_zone = "UTC";  // IANA zone of times that name none, and of days
};

// {"kind":"calendar","method","events":[{"uid","sequence","status","title","description","start","end","allDay",
//  "timeZone","organizer":{"email","name"}|null,"attendees":[{"email","name","status","role"}],"location","url",
//  "recurrence":"FREQ=…"|null (several rules: one a line), "recurrenceDates", "exceptionDates",
//  "recurrenceId"|null, "cancelled","busy","categories","visibility","createdAt","updatedAt","stampedAt"}],
//  "occurrences":[{"uid","start","end"}] (with from and to), "warnings"}.
// start and end: RFC 3339 UTC, or YYYY-MM-DD where allDay (the end exclusive), or null. Of several versions
// of one event the one with the highest SEQUENCE, then DTSTAMP, counts. Occurrences hold overrides in place
// of what they override, and no cancelled or excluded ones. status: confirmed|tentative|cancelled; an
// attendee's status: accepted|declined| tentative|needs_action|delegated; role: chair|required|optional|none.
// Damaged parts are left out with a warning; errors: corrupt (no calendar at all), too_large.
Result<json::object> parse_calendar(std::string_view bytes, const Options& options = {});

// The start of every instance of a rule, in local time as "19970902T090000" ("…Z" where `start` has it,
// "19970902" for days), at most `limit`. Error: invalid_rule.
Result<std::vector<std::string>> expand_rule(std::string_view rule, std::string_view start,
                                             std::size_t limit);

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
