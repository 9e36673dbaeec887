#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/time.hpp"
#include "content/calendar/impl/rule.hpp"

namespace castiel::content::calendar::impl {
namespace {

constexpr std::size_t kMaxRuleBytes = 4096;
constexpr std::size_t kMaxListItems = 512;

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() &&
         (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n'))
    text.remove_suffix(1);
  return text;
}

std::optional<std::int64_t> number(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.push_back(trimmed(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<int> weekday(std::string_view text) {
  static constexpr std::string_view kNames[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};
  const auto* found = std::ranges::find(kNames, text);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<int>(found - kNames);
}

std::unexpected<Error> bad(std::string_view part) {
  return permanent("invalid_rule",
                   fmt::format("not a valid part of a recurrence rule: {}", part.substr(0, 80)));
}

// Whole numbers from -limit to limit, without 0 unless `zero`, negative ones only where `negative`.
bool read_list(std::string_view text, int limit, bool zero, bool negative, std::vector<int>& out) {
  for (const auto item : split(text, ',')) {
    if (item.empty()) continue;
    const auto value = number(item);
    if (!value || *value > limit || *value < -limit || (*value == 0 && !zero) || (*value < 0 && !negative))
      return false;
    out.push_back(static_cast<int>(*value));
    if (out.size() > kMaxListItems) return false;
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return !out.empty();
}

bool read_days(std::string_view text, std::vector<RuleDay>& out) {
  for (const auto item : split(text, ',')) {
    if (item.empty()) continue;
    if (item.size() < 2 || out.size() >= kMaxListItems) return false;
    const auto day = weekday(item.substr(item.size() - 2));
    if (!day) return false;
    std::int64_t nth = 0;
    if (item.size() > 2) {
      const auto value = number(trimmed(item.substr(0, item.size() - 2)));
      if (!value || *value == 0 || *value > 53 || *value < -53) return false;
      nth = *value;
    }
    out.push_back({static_cast<int>(nth), *day});
  }
  return !out.empty();
}

bool read_frequency(std::string_view text, Frequency& out) {
  static constexpr std::string_view kNames[] = {"SECONDLY", "MINUTELY", "HOURLY", "DAILY",
                                                "WEEKLY",   "MONTHLY",  "YEARLY"};
  const auto* found = std::ranges::find(kNames, text);
  if (found == std::end(kNames)) return false;
  out = static_cast<Frequency>(found - kNames);
  return true;
}

bool read_until(std::string_view value, Rule& rule) {
  const auto time = parse_time_text(value);
  if (!time) return false;
  // A day means all of it.
  rule.until = time->date_only ? time->time + kDaySeconds - 1 : time->time;
  rule.until_utc = time->utc;
  return true;
}

bool read_part(std::string_view name, std::string_view value, Rule& rule) {
  if (name == "FREQ") return read_frequency(value, rule.frequency);
  if (name == "INTERVAL") {
    const auto interval = number(value);
    if (!interval || *interval < 1 || *interval > 1'000'000'000) return false;
    rule.interval = *interval;
    return true;
  }
  if (name == "COUNT") {
    const auto count = number(value);
    if (!count || *count < 1) return false;
    rule.count = static_cast<std::uint64_t>(*count);
    return true;
  }
  if (name == "UNTIL") return read_until(value, rule);
  if (name == "BYSECOND") return read_list(value, 60, true, false, rule.seconds);
  if (name == "BYMINUTE") return read_list(value, 59, true, false, rule.minutes);
  if (name == "BYHOUR") return read_list(value, 23, true, false, rule.hours);
  if (name == "BYMONTHDAY") return read_list(value, 31, false, true, rule.month_days);
  if (name == "BYYEARDAY") return read_list(value, 366, false, true, rule.year_days);
  if (name == "BYWEEKNO") return read_list(value, 53, false, true, rule.weeks);
  if (name == "BYMONTH") {
    if (rule.scale.empty()) return read_list(value, 12, false, false, rule.months);
    return true;  // leap months ("5L") are libical's to read
  }
  if (name == "BYSETPOS") return read_list(value, 366, false, true, rule.positions);
  if (name == "BYDAY") return read_days(value, rule.days);
  if (name == "WKST") {
    const auto day = weekday(value);
    if (day) rule.week_start = *day;
    return day.has_value();
  }
  if (name == "SKIP") {
    rule.skip = value == "BACKWARD" ? Skip::backward : value == "FORWARD" ? Skip::forward : Skip::omit;
    return value == "BACKWARD" || value == "FORWARD" || value == "OMIT";
  }
  return true;  // RSCALE was read before; X- parts mean nothing here
}

}  // namespace

std::optional<TimeText> parse_time_text(std::string_view text) {
  text = trimmed(text);
  const auto digits = [&](std::size_t at, std::size_t count) -> std::optional<int> {
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
      if (i >= text.size() || text[i] < '0' || text[i] > '9') return std::nullopt;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  const auto year = digits(0, 4), month = digits(4, 2), day = digits(6, 2);
  if (!year || !month || !day) return std::nullopt;
  const auto date = make_date(*year, *month, *day);
  if (!date) return std::nullopt;
  TimeText out{date->days * kDaySeconds, true, false};
  if (text.size() == 8) return out;
  if (text[8] != 'T') return std::nullopt;
  const auto hour = digits(9, 2), minute = digits(11, 2);
  const auto second = text.size() >= 15 ? digits(13, 2) : std::optional<int>(0);
  if (!hour || !minute || !second || *hour > 24 || *minute > 59 || *second > 60) return std::nullopt;
  out.date_only = false;
  out.time += *hour * 3600 + *minute * 60 + std::min(*second, 59);
  const std::size_t end = text.size() >= 15 ? 15 : 13;
  if (text.size() > end) {
    if (text.substr(end) != "Z") return std::nullopt;
    out.utc = true;
  }
  return out;
}

std::string time_text(Local time, bool date_only, bool utc) {
  std::int64_t days = time / kDaySeconds, rest = time % kDaySeconds;
  if (rest < 0) {
    --days;
    rest += kDaySeconds;
  }
  const auto date = castiel::split(Date{static_cast<std::int32_t>(days)});
  auto text = fmt::format("{:04}{:02}{:02}", date.year, date.month, date.day);
  if (!date_only) text += fmt::format("T{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60);
  if (utc && !date_only) text += 'Z';
  return text;
}

Result<Rule> parse_rule(std::string_view text) {
  if (text.size() > kMaxRuleBytes) return bad("a rule of more than 4096 bytes");
  const std::string whole = upper(trimmed(text));
  const auto parts = split(whole, ';');
  Rule rule;
  bool has_frequency = false;
  for (const auto part : parts) {
    if (part.starts_with("RSCALE=") && part != "RSCALE=GREGORIAN") rule.scale = part.substr(7);
  }
  for (const auto part : parts) {
    if (part.empty()) continue;
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) return bad(part);
    const auto name = trimmed(part.substr(0, equals));
    if (!read_part(name, trimmed(part.substr(equals + 1)), rule)) return bad(part);
    has_frequency = has_frequency || name == "FREQ";
  }
  if (!has_frequency) return bad("no FREQ");
  if (!rule.weeks.empty() && (!rule.month_days.empty() || !rule.year_days.empty()))
    return bad("BYWEEKNO beside BYMONTHDAY or BYYEARDAY");
  return rule;
}

}  // namespace castiel::content::calendar::impl
