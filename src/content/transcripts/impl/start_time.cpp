#include "content/transcripts/impl/start_time.hpp"

#include <re2/re2.h>

#include <optional>

#include "base/time.hpp"
#include "content/text/impl/due.hpp"
#include "content/text/text.hpp"
#include "content/transcripts/impl/draft.hpp"

namespace castiel::content::transcripts::impl {
namespace {

constexpr std::size_t kMaxNotesBytes = 4096;
constexpr std::int64_t kMicrosPerHour = 3'600'000'000;

// A year must be written: nothing says here which one a bare day is of.
std::optional<Timestamp> dated(std::string_view words) {
  static const RE2 year(R"(\b(?:19|20)\d{2}\b)");
  const re2::StringPiece whole(words.data(), words.size());
  if (!RE2::PartialMatch(whole, year)) return std::nullopt;
  static const RE2 iso(R"(\b(\d{4}-\d{2}-\d{2}))");
  static const RE2 clock(R"((?:^|[\s,T])(\d{1,2})[:.](\d{2})(?::\d{2})?(?:\s*([ap])\.?m\b)?)");
  std::optional<Date> day;
  std::string date;
  if (RE2::PartialMatch(whole, iso, &date)) {
    if (const auto parsed = parse_date(date)) day = *parsed;
  }
  // Far back, so that any day with a year lies ahead and counts.
  const text::Context context{Timestamp{0}, "UTC"};
  for (const std::string_view language : {"de", "en", "fr"}) {
    if (day) break;
    if (const auto due = text::impl::find_due(words, language, context)) day = due->day;
  }
  if (!day) return std::nullopt;
  int hour = 12, minute = 0;
  std::string half;
  int said_hour = 0, said_minute = 0;
  std::string rest(words);  // without the date, whose dots are no clock's
  static const RE2 dates(R"(\d{1,4}[-./]\s?\d{1,2}[-./]\s?\d{1,4})");
  RE2::GlobalReplace(&rest, dates, " ");
  if (RE2::PartialMatch(rest, clock, &said_hour, &said_minute, &half) && said_hour < 24 && said_minute < 60) {
    hour = half == "p" && said_hour < 12 ? said_hour + 12 : half == "a" && said_hour == 12 ? 0 : said_hour;
    minute = said_minute;
  }
  return Timestamp{start_of(*day).micros + hour * kMicrosPerHour + minute * (kMicrosPerHour / 60)};
}

}  // namespace

std::string start_in_notes(std::string_view notes) {
  notes = notes.substr(0, kMaxNotesBytes);
  static const RE2 stamp(
      R"((\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:?\d{2})))");
  std::string found;
  if (RE2::PartialMatch(re2::StringPiece(notes.data(), notes.size()), stamp, &found)) {
    if (const auto at = parse_timestamp(found)) return to_string(*at);
  }
  static const RE2 labelled(
      R"((?i)^(?:NOTE\s+)?(?:meeting |call |recording |start(?:ed)? )?(?:date(?:\s*(?:and|&|/)\s*time)?|datum|recorded(?: on| at)?|recording started|started(?: at| on)?|start|when|aufgezeichnet am|aufnahme vom|wann|fecha|data)\s*[:=]?\s+(.{4,120})$)");
  while (!notes.empty()) {
    const auto end = notes.find_first_of("\r\n");
    const auto line = trim(notes.substr(0, end));
    re2::StringPiece value;
    if (RE2::FullMatch(re2::StringPiece(line.data(), line.size()), labelled, &value)) {
      if (const auto at = dated(std::string_view(value.data(), value.size()))) return to_string(*at);
    }
    // The title of the file: "WEBVTT - Review, 27 October 2026".
    if (line.starts_with("WEBVTT") && line.size() > 8) {
      if (const auto at = dated(line.substr(6))) return to_string(*at);
    }
    if (end == std::string_view::npos) break;
    notes.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace castiel::content::transcripts::impl
