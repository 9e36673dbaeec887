// Transcripts, calendars and chat.

#include <cstdio>
#include <cstdlib>

#include "base/utf8.hpp"
#include "content/calendar/calendar.hpp"
#include "content/chat/chat.hpp"
#include "content/fuzz/entry_points.hpp"
#include "content/transcripts/analyse.hpp"
#include "content/transcripts/transcript.hpp"

namespace castiel::content::fuzz {
namespace {

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace

void fuzz_transcript(std::string_view bytes) {
  const double likelihood = transcripts::transcript_likelihood(bytes, "a.txt");
  must(likelihood >= 0 && likelihood <= 1, "a likelihood is from 0 to 1");
  auto parsed = transcripts::parse_transcript(bytes, "a.txt");
  if (!parsed) return must(!parsed.error().code.empty(), "an error has a code");
  for (const auto& item : *get_array(*parsed, "segments")) {
    const auto& segment = item.as_object();
    must(segment.at("start").to_number<double>() <= segment.at("end").to_number<double>(),
         "segments end after they begin");
  }
  const auto count = get_array(*parsed, "segments")->size();
  const auto analysed = transcripts::analyse_transcript(std::move(*parsed), {});
  must(get_array(analysed, "segments")->size() == count, "analysis keeps the segments");
  must(is_utf8(json::serialize(analysed)), "the structure is text");
}

void fuzz_calendar(std::string_view bytes) {
  const calendar::Options options{make_date(2024, 1, 1), make_date(2025, 1, 1), "Europe/Berlin"};
  auto parsed = calendar::parse_calendar(bytes, options);
  if (!parsed) return must(!parsed.error().code.empty(), "an error has a code");
  for (const auto& item : *get_array(*parsed, "occurrences"))
    must(string_or(item.as_object(), "start").starts_with("2024"), "occurrences begin in the window");
  must(is_utf8(json::serialize(calendar::analyse_calendar(std::move(*parsed), {}))), "the structure is text");
}

void fuzz_chat(std::string_view bytes) {
  (void)chat::plain_text(bytes);
  (void)chat::parse_slack_export(bytes);
  auto parsed = chat::parse_slack_day("C1", bytes);
  if (!parsed) return must(!parsed.error().code.empty(), "an error has a code");
  must(is_utf8(json::serialize(chat::analyse_chat(std::move(*parsed), {}))), "the structure is text");
}

}  // namespace castiel::content::fuzz
