#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "content/calendar/calendar.hpp"
#include "content/calendar/impl/events.hpp"

namespace castiel::content::calendar::impl {
namespace {

struct Found {
  std::int64_t start, end;
  std::string_view uid;
  bool date_only;
};

// Whether an instance is excluded: by its instant, or by its day where the exception is a day.
class Exceptions {
 public:
  explicit Exceptions(const std::vector<Moment>& list, bool days) {
    for (const auto& moment : list) {
      if (days)
        days_.insert(floor_day(moment.local));
      else if (moment.date_only)
        days_.insert(floor_day(moment.local));
      else
        instants_.insert(moment.utc);
    }
  }
  bool has(Local local, std::int64_t utc) const {
    return instants_.contains(utc) || days_.contains(floor_day(local));
  }

 private:
  static std::int64_t floor_day(Local local) {
    return local / kDaySeconds - (local % kDaySeconds < 0 ? 1 : 0);
  }
  std::set<std::int64_t> instants_, days_;
};

class Expansion {
 public:
  Expansion(const Event& event, const Window& window, std::int64_t& budget, Warnings& warnings)
      : event_(event), window_(window), budget_(budget), warnings_(warnings) {}

  // The instants of the instances that begin in the window, without exceptions.
  std::map<std::int64_t, std::int64_t> starts() {  // start -> duration
    const Exceptions exceptions(event_.exceptions, event_.start.date_only);
    std::map<std::int64_t, std::int64_t> out;
    std::set<std::int64_t> excluded;
    for (const auto& rule : event_.exception_rules) {
      expand(rule, [&](Local, std::int64_t utc) { excluded.insert(utc); });
    }
    const auto add = [&](Local local, std::int64_t utc, std::int64_t duration) {
      if (utc < window_.from || utc >= window_.to || exceptions.has(local, utc) || excluded.contains(utc))
        return;
      out.emplace(utc, duration);
    };
    for (const auto& rule : event_.rules)
      expand(rule, [&](Local local, std::int64_t utc) { add(local, utc, event_.duration); });
    if (event_.rules.empty()) add(event_.start.local, event_.start.utc, event_.duration);
    for (std::size_t i = 0; i < event_.dates.size(); ++i) {
      const auto& date = event_.dates[i];
      const auto duration = event_.date_durations[i] < 0 ? event_.duration : event_.date_durations[i];
      if (date.date_only == event_.start.date_only)
        add(date.local, date.utc, duration);
      else if (event_.start.date_only)
        add(date.local, date.local / kDaySeconds * kDaySeconds, duration);
    }
    return out;
  }

 private:
  template <class Take>
  void expand(const std::string& text, Take take) {
    auto rule = parse_rule(text);
    if (!rule) return;  // reading the event warned already
    const Zone& zone = *event_.start.zone;
    const bool day = event_.start.date_only;
    if (rule->until && rule->until_utc && !day) rule->until = zone.to_local(*rule->until);
    if (rule->until && rule->until_utc && day)
      *rule->until = *rule->until / kDaySeconds * kDaySeconds + kDaySeconds - 1;
    if (day) rule->hours.clear(), rule->minutes.clear(), rule->seconds.clear();
    const auto utc_of = [&](Local local) { return day ? local : zone.to_utc(local); };
    if (!rule->scale.empty()) {
      const auto times =
          foreign_instances(text, event_.start.local, day, window_.to + kDaySeconds, kMaxOccurrencesPerEvent);
      if (!times) return warnings_.add(times.error().message);
      for (const auto local : *times) take(local, utc_of(local));
      return;
    }
    std::int64_t allowed = std::min<std::int64_t>(budget_, kMaxRuleSteps);
    const auto before = allowed;
    RuleInstances instances(*rule, event_.start.local, allowed);
    instances.skip_to(window_.from - kDaySeconds);
    std::size_t taken = 0;
    bool cut = false;
    while (const auto local = instances.next()) {
      const auto utc = utc_of(*local);
      if (utc >= window_.to + kDaySeconds) break;
      if (utc < window_.from) continue;
      if (taken++ == kMaxOccurrencesPerEvent) {
        cut = true;
        break;
      }
      take(*local, utc);
    }
    budget_ -= before - allowed;
    if (cut || allowed <= 0)
      warnings_.add(fmt::format("not all occurrences of '{}' are listed", event_.uid.substr(0, 80)));
  }

  const Event& event_;
  const Window& window_;
  std::int64_t& budget_;
  Warnings& warnings_;
};

}  // namespace

json::array occurrences(const std::vector<Event>& events, const Window& window, std::int64_t& budget,
                        Warnings& warnings) {
  std::map<std::string_view, std::vector<const Event*>> exceptions;
  for (const auto& event : events) {
    if (event.recurrence_id) exceptions[event.uid].push_back(&event);
  }
  std::vector<Found> found;
  bool cut = false;
  for (const auto& event : events) {
    if (event.recurrence_id || event.cancelled) continue;
    if (!event.has_start) continue;
    const auto own = exceptions.find(event.uid);
    // An exception shifts what follows it, so instances from before the window may move into it; a day is
    // enough for the usual shift.
    for (const auto& [at_rule, own_duration] : Expansion(event, window, budget, warnings).starts()) {
      auto start = at_rule;
      auto duration = own_duration;
      bool replaced = false;
      if (own != exceptions.end()) {
        const Event* governing = nullptr;
        for (const auto* exception : own->second) {
          const auto& id = *exception->recurrence_id;
          const auto at = id.date_only && !event.start.date_only
                              ? event.start.zone->to_utc(
                                    id.local + (event.start.local % kDaySeconds + kDaySeconds) % kDaySeconds)
                              : id.utc;
          if (at == start) replaced = true;
          if (exception->this_and_future && at < start &&
              (governing == nullptr || governing->recurrence_id->utc < exception->recurrence_id->utc))
            governing = exception;
        }
        if (governing != nullptr && !replaced) {
          if (governing->cancelled) continue;
          start += governing->start.utc - governing->recurrence_id->utc;
          duration = governing->duration;
        }
      }
      if (replaced) continue;
      if (found.size() >= kMaxOccurrences)
        cut = true;
      else
        found.push_back({start, start + duration, event.uid, event.start.date_only});
    }
  }
  for (const auto& event : events) {
    if (!event.recurrence_id || event.cancelled || !event.has_start) continue;
    if (event.start.utc < window.from || event.start.utc >= window.to) continue;
    if (found.size() >= kMaxOccurrences)
      cut = true;
    else
      found.push_back({event.start.utc, event.start.utc + event.duration, event.uid, event.start.date_only});
  }
  if (cut) warnings.add(fmt::format("more than {} occurrences; the rest is not listed", kMaxOccurrences));
  std::ranges::stable_sort(found, {}, &Found::start);
  json::array out;
  out.reserve(found.size());
  for (const auto& one : found) {
    out.push_back(json::object{{"uid", json::string(one.uid)},
                               {"start", shown_instant(one.start, one.date_only)},
                               {"end", shown_instant(one.end, one.date_only)}});
  }
  return out;
}

}  // namespace castiel::content::calendar::impl
