#include "content/text/impl/patterns.hpp"
#include "content/text/impl/source.hpp"
#include "content/values.hpp"

namespace castiel::content::text {

std::vector<DateMention> find_dates(std::string_view text, const Context& context) {
  using namespace impl;
  const Source source(text);
  const auto zone = TimeZone::find(context.time_zone).value_or(TimeZone());
  const Date today = date_of(zone.to_local(context.at));
  static const re2::RE2 pattern(
      "\\b(?:(\\d{4}-\\d{2}-\\d{2})|(today)|(tomorrow)|((?:mon|tues|wednes|thurs|fri|satur|sun)day))\\b",
      ignoring_case());
  std::vector<DateMention> out;
  each_match<5>(pattern, source.text(), [&](const auto& groups) {
    std::optional<Date> date;
    if (!groups[1].empty()) {
      if (const auto parsed = parse_date(view(groups[1]))) date = *parsed;
    } else if (!groups[2].empty()) {
      date = today;
    } else if (!groups[3].empty()) {
      date = today + 1;
    } else {
      static constexpr std::string_view kDays = "mon tue wed thu fri sat sun ";
      const int day = static_cast<int>(kDays.find(lower(view(groups[4])).substr(0, 3)) / 4);
      const int now = ((today.days + 3) % 7 + 7) % 7;
      date = today + ((day - now + 7) % 7 == 0 ? 7 : (day - now + 7) % 7);
    }
    if (!date) return true;
    const auto start = static_cast<std::size_t>(groups[0].data() - source.text().data());
    const auto end = start + groups[0].size();
    out.push_back(
        {source.part(start, end), source.span(start, end), "date", json::array{to_string(*date)}, date});
    return out.size() < kMaxFindings;
  });
  return out;
}

}  // namespace castiel::content::text
