#pragma once
// VEVENTs as values: read, the versions of one event reduced to what counts, and their occurrences.

#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "content/calendar/impl/component.hpp"
#include "content/calendar/impl/zones.hpp"

namespace castiel::content::calendar::impl {

// A time of an event: an instant, or a day.
struct Moment {
  Local local = 0;
  std::int64_t utc = 0;  // of a day: midnight as if in UTC
  bool date_only = false;
  const Zone* zone = nullptr;
};

struct Event {
  std::string uid;
  std::int64_t sequence = 0;
  std::string stamp;  // DTSTAMP, which sorts by time
  std::string method;
  bool has_start = true;
  Moment start;
  std::int64_t duration = 0;  // seconds; whole days of what takes days
  std::optional<Moment> recurrence_id;
  bool this_and_future = false;
  bool cancelled = false;
  std::vector<std::string> rules, exception_rules;
  std::vector<Moment> dates, exceptions;
  std::vector<std::int64_t> date_durations;  // of `dates`; -1: the event's own
  json::object shown;                        // as in the structure's "events"
};

struct Warnings {
  std::vector<std::string> texts;
  void add(std::string text);
};

// An event without a start has no occurrences.
Event read_event(const Component& component, std::string_view method, Zones& zones, Warnings& warnings);
// Leaves the latest of the versions of each event and of each of its exceptions; cancellations are applied.
std::vector<Event> latest(std::vector<Event> events);

struct Window {
  std::int64_t from, to;  // seconds, UTC
};
json::array occurrences(const std::vector<Event>& events, const Window& window, std::int64_t& budget,
                        Warnings& warnings);

std::string shown_time(const Moment& moment);
std::string shown_instant(std::int64_t seconds, bool date_only);

}  // namespace castiel::content::calendar::impl
