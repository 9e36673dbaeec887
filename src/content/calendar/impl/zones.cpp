#include "content/calendar/impl/zones.hpp"

#include <unicode/timezone.h>

#include <algorithm>
#include <optional>

namespace castiel::content::calendar::impl {
namespace {

constexpr std::size_t kMaxTransitions = 2'000;    // of one VTIMEZONE
constexpr Local kLastTransition = 4'102'444'800;  // 2100-01-01: later years keep the last offset
constexpr std::size_t kMaxZones = 1'000;          // per file

std::int64_t floor_seconds(Timestamp time) {
  const auto seconds = time.micros / 1'000'000;
  return time.micros % 1'000'000 < 0 ? seconds - 1 : seconds;
}

// "+0100", "-053000", "+01:00", "+01.00".
std::optional<int> offset_of(std::string_view text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  std::string digits;
  for (const char c : text.substr(1)) {
    if (c >= '0' && c <= '9')
      digits += c;
    else if (c != ':' && c != '.')
      break;
  }
  if (digits.size() != 4 && digits.size() != 6) return std::nullopt;
  const auto two = [&](std::size_t at) { return (digits[at] - '0') * 10 + (digits[at + 1] - '0'); };
  const int seconds = two(0) * 3600 + two(2) * 60 + (digits.size() == 6 ? two(4) : 0);
  if (seconds > 18 * 3600) return std::nullopt;
  return text[0] == '-' ? -seconds : seconds;
}

std::string windows_to_iana(std::string_view name) {
  UErrorCode status = U_ZERO_ERROR;
  icu::UnicodeString id;
  icu::TimeZone::getIDForWindowsID(icu::UnicodeString::fromUTF8(std::string(name)), nullptr, id, status);
  std::string out;
  if (U_SUCCESS(status)) id.toUTF8String(out);
  return out;
}

void add_observance(const Component& part, std::vector<Zone::Transition>& out, std::int64_t& budget) {
  const auto from = offset_of(part.text("TZOFFSETFROM")), to = offset_of(part.text("TZOFFSETTO"));
  const auto start = parse_time_text(part.text("DTSTART"));
  if (!to || !start) return;
  const auto add = [&](Local local) {
    if (out.size() < kMaxTransitions) out.push_back({local, from.value_or(*to), *to});
  };
  bool has_rule = false;
  for (const auto& property : part.properties) {
    if (property.name == "RDATE") {
      for (const auto value : split_values(property.value)) {
        if (const auto time = parse_time_text(value.substr(0, value.find('/')))) add(time->time);
      }
    }
    if (property.name != "RRULE") continue;
    auto rule = parse_rule(property.value);
    if (!rule || rule->frequency < Frequency::daily || !rule->scale.empty()) continue;
    if (rule->until && rule->until_utc) *rule->until += from.value_or(*to);
    has_rule = true;
    RuleInstances instances(*rule, start->time, budget);
    while (const auto time = instances.next()) {
      if (*time > kLastTransition || out.size() >= kMaxTransitions) break;
      add(*time);
    }
  }
  if (!has_rule) add(start->time);
}

std::unique_ptr<Zone> own_zone(const Component& definition, std::string_view id, std::int64_t& budget) {
  std::vector<Zone::Transition> transitions;
  for (const auto& part : definition.children) {
    if (part.name == "STANDARD" || part.name == "DAYLIGHT") add_observance(part, transitions, budget);
  }
  if (transitions.empty()) return nullptr;
  std::ranges::sort(transitions, {}, &Zone::Transition::local);
  const int first = transitions.front().from;
  return std::make_unique<Zone>(std::move(transitions), first, std::string(id));
}

}  // namespace

std::string iana_name(std::string_view id) {
  while (!id.empty() && (id.front() == '"' || id.front() == '\'' || id.front() == ' ')) id.remove_prefix(1);
  while (!id.empty() && (id.back() == '"' || id.back() == '\'' || id.back() == ' ')) id.remove_suffix(1);
  if (id.empty() || id.size() > 200) return {};
  // "/mozilla.org/20050126_1/Europe/Berlin": the longest end that is a name.
  for (std::string_view rest = id; !rest.empty();) {
    if (TimeZone::find(rest)) return std::string(rest);
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (auto name = windows_to_iana(id); !name.empty()) return name;
  // "(UTC+01:00) Amsterdam, Berlin": all it says for certain is the offset.
  const auto open = id.find("UTC") != std::string_view::npos ? id.find("UTC") : id.find("GMT");
  if (open != std::string_view::npos && open <= 1) {
    const auto text = id.substr(open + 3);
    if (const auto offset = offset_of(text)) {
      const int minutes = std::abs(*offset) / 60;
      std::string name(1, *offset < 0 ? '-' : '+');
      const auto two = [&](int value) {
        name += static_cast<char>('0' + value / 10), name += static_cast<char>('0' + value % 10);
      };
      two(minutes / 60);
      name += ':';
      two(minutes % 60);
      return name;
    }
    if (text.empty() || text.front() == ')') return "UTC";
  }
  return {};
}

std::int64_t Zone::to_utc(Local local) const {
  if (!own_) return floor_seconds(zone_.to_utc({local * 1'000'000}));
  auto after = std::ranges::upper_bound(transitions_, local, {}, &Transition::local);
  if (after == transitions_.begin()) return local - first_offset_;
  const auto& last = *std::prev(after);
  // In the gap of a spring the old offset counts.
  const bool in_gap = last.to > last.from && local < last.local + (last.to - last.from);
  return local - (in_gap ? last.from : last.to);
}

Local Zone::to_local(std::int64_t instant) const {
  if (!own_) return floor_seconds(zone_.to_local({instant * 1'000'000}));
  auto after = std::ranges::upper_bound(transitions_, instant, {},
                                        [](const Transition& t) { return t.local - t.from; });
  return instant + (after == transitions_.begin() ? first_offset_ : std::prev(after)->to);
}

Zones::Zones(std::string_view floating, std::int64_t& budget) : budget_(&budget), utc_(TimeZone(), "UTC") {
  auto zone = TimeZone::find(floating);
  floating_ = std::make_unique<Zone>(zone ? *zone : TimeZone(), "");
}

void Zones::add(const Component& calendar) {
  for (const auto& part : calendar.children) {
    if (part.name != "VTIMEZONE" || definitions_.size() >= kMaxZones) continue;
    const auto id = part.text("TZID");
    definitions_.try_emplace(id, part);
  }
  if (const auto name = iana_name(calendar.text("X-WR-TIMEZONE")); !name.empty()) {
    if (auto zone = TimeZone::find(name)) floating_ = std::make_unique<Zone>(*zone, "");
  }
}

std::unique_ptr<Zone> Zones::resolve(std::string_view id) const {
  const auto definition = definitions_.find(id);
  const auto name = iana_name(id);
  // An offset in a display name says less than the file's own rules.
  const bool only_offset = name.starts_with('+') || name.starts_with('-');
  if (!name.empty() && !(only_offset && definition != definitions_.end())) {
    if (auto zone = TimeZone::find(name)) return std::make_unique<Zone>(*zone, name);
  }
  if (definition == definitions_.end()) return nullptr;
  if (const auto location = iana_name(definition->second.text("X-LIC-LOCATION")); !location.empty()) {
    if (auto zone = TimeZone::find(location)) return std::make_unique<Zone>(*zone, location);
  }
  return own_zone(definition->second, id, *budget_);
}

const Zone& Zones::find(std::string_view id, bool& known) {
  known = true;
  auto at = found_.find(id);
  if (at == found_.end()) {
    if (found_.size() >= kMaxZones) {
      known = false;
      return *floating_;
    }
    at = found_.emplace(std::string(id), resolve(id)).first;
  }
  if (at->second) return *at->second;
  known = false;
  return *floating_;
}

}  // namespace castiel::content::calendar::impl
