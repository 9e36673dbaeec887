#pragma once
// Which time zone a TZID means: an IANA name (also inside a path), a Windows name, an offset in a display
// name, or the file's own VTIMEZONE.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "content/calendar/impl/component.hpp"
#include "content/calendar/impl/rule.hpp"
#include "content/values.hpp"

namespace castiel::content::calendar::impl {

// Seconds since 1970 of the instant; of the local time.
class Zone {
 public:
  struct Transition {
    Local local;   // wall clock before it
    int from, to;  // seconds east of UTC
  };
  explicit Zone(TimeZone zone, std::string name) : zone_(std::move(zone)), name_(std::move(name)) {}
  Zone(std::vector<Transition> transitions, int first_offset, std::string name)
      : transitions_(std::move(transitions)),
        first_offset_(first_offset),
        own_(true),
        name_(std::move(name)) {}
  std::int64_t to_utc(Local local) const;
  Local to_local(std::int64_t instant) const;
  const std::string& name() const { return name_; }

 private:
  TimeZone zone_;
  std::vector<Transition> transitions_;
  int first_offset_ = 0;
  bool own_ = false;
  std::string name_;
};

class Zones {
 public:
  Zones(std::string_view floating, std::int64_t& budget);
  // The VTIMEZONEs of a calendar, and the zone its X-WR-TIMEZONE names for times without one.
  void add(const Component& calendar);
  const Zone& floating() const { return *floating_; }
  // The floating zone when `id` means nothing; then `known` is false.
  const Zone& find(std::string_view id, bool& known);
  const Zone& utc() const { return utc_; }

 private:
  std::unique_ptr<Zone> resolve(std::string_view id) const;

  std::int64_t* budget_;
  Zone utc_;
  std::unique_ptr<Zone> floating_;
  std::map<std::string, std::unique_ptr<Zone>, std::less<>> found_;
  std::map<std::string, Component, std::less<>> definitions_;
};

// A known IANA name for what calendars write, or empty.
std::string iana_name(std::string_view id);

}  // namespace castiel::content::calendar::impl
