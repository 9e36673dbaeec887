// The only use of libical: rules of other calendars than the Gregorian (RFC 7529), which ICU computes for it.
// It keeps error state in globals, hence the lock. It reads no file here: times carry no zone.

#include <libical/ical.h>

#include <memory>
#include <mutex>

#include "base/time.hpp"
#include "content/calendar/impl/rule.hpp"

namespace castiel::content::calendar::impl {
namespace {

std::mutex& libical_lock() {
  static std::mutex lock;
  return lock;
}

Local local_of(const icaltimetype& time) {
  const auto date = make_date(time.year, time.month, time.day);
  const auto days = date ? static_cast<std::int64_t>(date->days) : kLastDay + 1;
  return days * kDaySeconds + (time.is_date ? 0 : time.hour * 3600 + time.minute * 60 + time.second);
}

}  // namespace

Result<std::vector<Local>> foreign_instances(std::string_view rule, Local start, bool date_only, Local to,
                                             std::size_t limit) {
  const std::lock_guard guard(libical_lock());
  icalerror_set_errors_are_fatal(0);
  const std::string text(rule);
  icalrecurrencetype parsed = icalrecurrencetype_from_string(text.c_str());
  // Shorter periods would be walked one by one, for centuries where none fits.
  const bool slow = parsed.freq == ICAL_SECONDLY_RECURRENCE || parsed.freq == ICAL_MINUTELY_RECURRENCE ||
                    parsed.freq == ICAL_HOURLY_RECURRENCE || parsed.freq == ICAL_NO_RECURRENCE;
  if (slow || parsed.rscale == nullptr || icalrecurrencetype_rscale_is_supported() == 0)
    return permanent("invalid_rule", "a rule of an unknown calendar or too fine a period");
  const auto first = icaltime_from_string(time_text(start, date_only, false).c_str());
  const std::unique_ptr<icalrecur_iterator, void (*)(icalrecur_iterator*)> instances(
      icalrecur_iterator_new(parsed, first), icalrecur_iterator_free);
  if (instances == nullptr) return permanent("invalid_rule", "a rule that cannot be expanded");
  std::vector<Local> times;
  while (times.size() < limit) {
    const auto time = icalrecur_iterator_next(instances.get());
    if (icaltime_is_null_time(time)) break;
    const Local local = local_of(time);
    if (local >= to) break;
    times.push_back(local);
  }
  return times;
}

}  // namespace castiel::content::calendar::impl
