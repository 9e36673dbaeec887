// Damaged transcripts, calendars and messages, the same ones in every run.

#include <gtest/gtest.h>

#include <string>

#include "base/random.hpp"
#include "content/fuzz/entry_points.hpp"

namespace castiel::content {
namespace {

void smoke(void (*target)(std::string_view), std::initializer_list<std::string_view> seeds,
           std::uint64_t seed) {
  SeededRandom random(seed);
  constexpr std::string_view kInteresting = "\",;\t\n\r\\{}[]:'()-+.0123456789TZ<>/&=|@#! \xFF\xC3\xA9";
  for (int i = 0; i < 1500; ++i) {
    std::string text(*(seeds.begin() + static_cast<std::ptrdiff_t>(random.below(seeds.size()))));
    for (auto edits = random.below(10); edits > 0 && !text.empty(); --edits) {
      const std::size_t at = random.below(text.size());
      switch (random.below(4)) {
        case 0:
          text.insert(at, 1, kInteresting[random.below(kInteresting.size())]);
          break;
        case 1:
          text.erase(at, 1 + random.below(6));
          break;
        case 2:
          text[at] = static_cast<char>(random.next());
          break;
        default:
          text.insert(at, text.substr(at, random.below(40)));
          break;
      }
    }
    target(text);
  }
}

TEST(TalkSmoke, transcripts_survive_damage) {
  smoke(
      fuzz::fuzz_transcript,
      {"WEBVTT\n\nNOTE x\n\n1\n00:00:01.000 --> 00:00:02.000\n<v Ann>Hello &amp; "
       "welcome?</v>\n\n2\n00:00:02.000 --> 00:00:03.000\nBo: Hi.\n",
       "1\n00:00:01,000 --> 00:00:02,000\nOne\n\n2\n00:00:02,000 --> 00:00:03,500\nTwo\n",
       R"({"sentences":[{"speaker_name":"Ann","text":"Hello.","start_time":0.2,"end_time":"00:01.5"},{"speaker":1,"text":"Hi","start_time":2}]})",
       "Ann Lee (00:01:02): Hello.\nBo (00:01:05): I will send it by Friday.\nAnn Lee (00:01:09): Bye.\n"},
      11);
}
TEST(TalkSmoke, calendars_survive_damage) {
  smoke(
      fuzz::fuzz_calendar,
      {"BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:M\nBEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+"
       "0200\nTZOFFSETTO:+0100\n"
       "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\nDTSTART;"
       "TZID=M:20240101T090000\n"
       "DURATION:PT1H\nRRULE:FREQ=MONTHLY;BYDAY=1MO,-1FR;BYSETPOS=-1;COUNT=9\nEXDATE;TZID=M:"
       "20240105T090000\nEND:VEVENT\nEND:VCALENDAR\n",
       "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20240101T090000Z\nRRULE:FREQ=HOURLY;INTERVAL=7;BYMINUTE=5;"
       "UNTIL=20240301\nEND:VEVENT\nEND:VCALENDAR\n",
       R"(["vcalendar",[],[["vevent",[["dtstart",{},"date","2024-07-01"],["rrule",{},"recur",{"freq":"DAILY","count":2}]],[]]]])"},
      12);
}
TEST(TalkSmoke, chat_survives_damage) {
  smoke(
      fuzz::fuzz_chat,
      {R"([{"type":"message","user":"U1","ts":"1704186000.000100","text":"<@U2|bo> could you send <https://a.example|it>?","reactions":[{"name":"+1","count":2}]}])",
       R"({"value":[{"id":"1","createdDateTime":"2024-01-02T09:00:00Z","from":{"user":{"id":"a"}},"body":{"content":"<p>Hi <at>Bo</at></p>"}}]})",
       "PK\x03\x04 no zip"},
      13);
}

}  // namespace
}  // namespace castiel::content
