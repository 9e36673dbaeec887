// Calendars: what a file says, when its events take place, and of what kind they are (CAL-1, CAL-2).

#include "content/calendar/calendar.hpp"

#include <gtest/gtest.h>

#include "base/json.hpp"

namespace castiel::content::calendar {
namespace {

json::object parsed(const std::string& events, std::string_view head = "", std::string zone = "UTC") {
  const std::string file =
      "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + std::string(head) + events + "END:VCALENDAR\r\n";
  auto result = parse_calendar(file, {make_date(2024, 1, 1), make_date(2025, 1, 1), std::move(zone)});
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().describe());
  return result.value_or(json::object{});
}

std::string event(std::string_view lines, std::string_view uid = "1") {
  return "BEGIN:VEVENT\r\nUID:" + std::string(uid) + "\r\n" + std::string(lines) + "END:VEVENT\r\n";
}

std::string starts(const json::object& calendar) {
  std::string out;
  for (const auto& one : *get_array(calendar, "occurrences"))
    out += string_or(one.as_object(), "start") + " ";
  return out;
}

const json::object& first(const json::object& calendar) {
  return get_array(calendar, "events")->at(0).as_object();
}

TEST(Calendar, an_invitation_is_read_whole) {
  const auto c =
      parsed(event("SEQUENCE:3\r\nSTATUS:TENTATIVE\r\nSUMMARY:Plan\\, part\r\n  one\r\nLOCATION:Room\\; 1\r\n"
                   "DTSTART;TZID=Europe/Berlin:20240701T090000\r\nDURATION:PT1H30M\r\n"
                   "ORGANIZER;CN=\"Lee, Ann\":MAILTO:ann@acme.example\r\n"
                   "ATTENDEE;PARTSTAT=ACCEPTED;ROLE=OPT-PARTICIPANT;CN=Bo:mailto:bo@b.example\r\n"
                   "ATTENDEE:mailto:cy@c.example\r\n"),
             "METHOD:REQUEST\r\n");
  EXPECT_EQ(string_or(c, "method"), "REQUEST");
  const auto& e = first(c);
  EXPECT_EQ(string_or(e, "title"), "Plan, part one");
  EXPECT_EQ(string_or(e, "location"), "Room; 1");
  EXPECT_EQ(string_or(e, "start"), "2024-07-01T07:00:00Z");
  EXPECT_EQ(string_or(e, "end"), "2024-07-01T08:30:00Z");
  EXPECT_EQ(string_or(e, "timeZone"), "Europe/Berlin");
  EXPECT_EQ(string_or(e, "status"), "tentative");
  EXPECT_EQ(int_or(e, "sequence", 0), 3);
  EXPECT_EQ(json::serialize(e.at("organizer")), R"({"email":"ann@acme.example","name":"Lee, Ann"})");
  EXPECT_EQ(json::serialize(get_array(e, "attendees")->at(0)),
            R"({"email":"bo@b.example","name":"Bo","status":"accepted","role":"optional"})");
  EXPECT_EQ(string_or(get_array(e, "attendees")->at(1).as_object(), "status"), "needs_action");
}

TEST(Calendar, days_take_no_zone) {
  const auto c =
      parsed(event("DTSTART;VALUE=DATE:20240229\r\nRRULE:FREQ=DAILY;COUNT=2\r\n"), "", "America/New_York");
  EXPECT_EQ(string_or(first(c), "start"), "2024-02-29");
  EXPECT_EQ(string_or(first(c), "end"), "2024-03-01");
  EXPECT_TRUE(bool_or(first(c), "allDay", false));
  EXPECT_EQ(starts(c), "2024-02-29 2024-03-01 ");
}

TEST(Calendar, times_follow_daylight_saving) {
  const auto c =
      parsed(event("DTSTART;TZID=Europe/Berlin:20240329T090000\r\nDTEND;TZID=Europe/"
                   "Berlin:20240329T100000\r\nRRULE:FREQ=DAILY;COUNT=4\r\n"));
  EXPECT_EQ(starts(c),
            "2024-03-29T08:00:00Z 2024-03-30T08:00:00Z 2024-03-31T07:00:00Z 2024-04-01T07:00:00Z ");
}

TEST(Calendar, zones_of_windows_of_paths_and_of_the_file_are_known) {
  const auto start = [](std::string_view zone, std::string_view head = "") {
    return string_or(
        first(parsed(event("DTSTART;TZID=\"" + std::string(zone) + "\":20240701T090000\r\n"), head)),
        "start");
  };
  EXPECT_EQ(start("W. Europe Standard Time"), "2024-07-01T07:00:00Z");
  EXPECT_EQ(start("/mozilla.org/20050126_1/Europe/Berlin"), "2024-07-01T07:00:00Z");
  EXPECT_EQ(start("(UTC+02:00) Somewhere, Else"), "2024-07-01T07:00:00Z");
  constexpr std::string_view kOwn =
      "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+"
      "0400\r\nTZOFFSETTO:+0300\r\n"
      "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:"
      "19700329T020000\r\nTZOFFSETFROM:+0300\r\n"
      "TZOFFSETTO:+0400\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n";
  EXPECT_EQ(start("Mine", kOwn), "2024-07-01T05:00:00Z");
  const auto winter = parsed(event("DTSTART;TZID=Mine:20240115T090000\r\n"), kOwn);
  EXPECT_EQ(string_or(first(winter), "start"), "2024-01-15T06:00:00Z");
  const auto unknown = parsed(event("DTSTART;TZID=Nowhere:20240701T090000\r\n"));
  EXPECT_EQ(string_or(first(unknown), "start"), "2024-07-01T09:00:00Z");
  EXPECT_EQ(get_array(unknown, "warnings")->size(), 1u);
  const auto floating = parsed(event("DTSTART:20240701T090000\r\n"), "X-WR-TIMEZONE:Asia/Tokyo\r\n");
  EXPECT_EQ(string_or(first(floating), "start"), "2024-07-01T00:00:00Z");
}

TEST(Calendar, exceptions_additions_and_overrides_change_the_series) {
  const auto c = parsed(
      event("DTSTART:20240101T090000Z\r\nDTEND:20240101T100000Z\r\nRRULE:FREQ=DAILY;COUNT=4\r\n"
            "EXDATE:20240102T090000Z\r\nRDATE:20240110T120000Z\r\n") +
      event("RECURRENCE-ID:20240103T090000Z\r\nDTSTART:20240103T150000Z\r\nDTEND:20240103T153000Z\r\n") +
      event("RECURRENCE-ID:20240104T090000Z\r\nDTSTART:20240104T090000Z\r\nSTATUS:CANCELLED\r\n"));
  EXPECT_EQ(starts(c), "2024-01-01T09:00:00Z 2024-01-03T15:00:00Z 2024-01-10T12:00:00Z ");
  EXPECT_EQ(string_or(get_array(c, "occurrences")->at(1).as_object(), "end"), "2024-01-03T15:30:00Z");
}

TEST(Calendar, all_from_one_on_can_move) {
  const auto c = parsed(event("DTSTART:20240101T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\n") +
                        event("RECURRENCE-ID;RANGE=THISANDFUTURE:20240115T090000Z\r\nDTSTART:"
                              "20240115T110000Z\r\nDURATION:PT2H\r\n"));
  EXPECT_EQ(starts(c),
            "2024-01-01T09:00:00Z 2024-01-08T09:00:00Z 2024-01-15T11:00:00Z 2024-01-22T11:00:00Z ");
}

TEST(Calendar, the_latest_version_counts) {
  const auto c = parsed(event("SEQUENCE:2\r\nDTSTART:20240103T090000Z\r\nSUMMARY:new\r\n") +
                        event("SEQUENCE:1\r\nDTSTART:20240102T090000Z\r\nSUMMARY:old\r\n"));
  EXPECT_EQ(get_array(c, "events")->size(), 1u);
  EXPECT_EQ(string_or(first(c), "title"), "new");
  const auto cancelled = parsed(event("SEQUENCE:2\r\nDTSTART:20240103T090000Z\r\n"), "METHOD:CANCEL\r\n");
  EXPECT_TRUE(bool_or(first(cancelled), "cancelled", false));
  EXPECT_EQ(starts(cancelled), "");
}

TEST(Calendar, jcal_says_the_same) {
  const auto c = parse_calendar(
      R"(["vcalendar",[["version",{},"text","2.0"]],[["vevent",[["uid",{},"text","1"],["summary",{},"text","a, b"],
      ["dtstart",{"tzid":"Europe/Berlin"},"date-time","2024-07-01T09:00:00"],["rrule",{},"recur",{"freq":"DAILY","count":2}]],[]]]])",
      {make_date(2024, 1, 1), make_date(2025, 1, 1), "UTC"});
  ASSERT_TRUE(c.has_value());
  EXPECT_EQ(string_or(first(*c), "title"), "a, b");
  EXPECT_EQ(starts(*c), "2024-07-01T07:00:00Z 2024-07-02T07:00:00Z ");
}

TEST(Calendar, damage_leaves_the_rest) {
  const auto c = parsed("no property\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:nonsense\r\nSUMMARY:odd\r\n" +
                        event("DTSTART:20240101T090000Z\r\n", "2"));
  EXPECT_GE(get_array(c, "warnings")->size(), 1u);
  EXPECT_EQ(starts(c), "2024-01-01T09:00:00Z ");
  EXPECT_EQ(parse_calendar("hello").error().code, "corrupt");
  EXPECT_EQ(parse_calendar("").error().code, "corrupt");
  EXPECT_EQ(parse_calendar("[1]").error().code, "corrupt");
}

TEST(Rules, endless_and_empty_ones_end) {
  const auto c =
      parsed(event("DTSTART:19700101T000000Z\r\nRRULE:FREQ=SECONDLY\r\n") +
             event("DTSTART:20240101T000000Z\r\nRRULE:FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30\r\n", "2") +
             event("DTSTART:20240101T000000Z\r\nRRULE:FREQ=SECONDLY;INTERVAL=60;BYSECOND=1\r\n", "3"));
  EXPECT_EQ(get_array(c, "occurrences")->size(), kMaxOccurrencesPerEvent);
  EXPECT_GE(get_array(c, "warnings")->size(), 1u);
}

TEST(Rules, long_running_ones_reach_the_window_at_once) {
  const auto c =
      parsed(event("DTSTART;TZID=Europe/Paris:19000101T090000\r\nRRULE:FREQ=MONTHLY;BYDAY=-1FR\r\n"));
  EXPECT_EQ(get_array(c, "occurrences")->size(), 12u);
  EXPECT_EQ(starts(c).substr(0, 20), "2024-01-26T08:00:00Z");
}

TEST(Rules, what_is_no_rule_is_refused) {
  for (const auto* rule : {"", "FREQ=NEVER", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;BYMONTH=13",
                           "FREQ=DAILY;COUNT=x", "FREQ=DAILY;BYDAY=XX", "COUNT=3",
                           "FREQ=YEARLY;BYWEEKNO=1;BYMONTHDAY=3", "RSCALE=KLINGON;FREQ=YEARLY"})
    EXPECT_FALSE(expand_rule(rule, "20240101T090000", 3).has_value()) << rule;
}

TEST(Rules, other_calendars_are_known) {
  const auto years = expand_rule("RSCALE=CHINESE;FREQ=YEARLY", "20130210", 3);
  ASSERT_TRUE(years.has_value());
  EXPECT_EQ((*years)[1], "20140131");
}

json::object meeting(std::string_view title, std::initializer_list<std::string_view> addresses,
                     bool all_day = false) {
  json::array attendees;
  for (const auto address : addresses) attendees.push_back(json::object{{"email", address}});
  return {{"title", title}, {"allDay", all_day}, {"attendees", std::move(attendees)}, {"organizer", nullptr}};
}

TEST(EventClass, people_and_words_decide) {  // CAL-2
  const std::vector<std::string> own = {"acme.example"};
  const Sides sides{own};
  EXPECT_EQ(classify_event(meeting("Planning", {"a@acme.example", "b@acme.example"}), sides), "internal");
  EXPECT_EQ(classify_event(meeting("Team lunch", {"a@acme.example", "x@customer.example"}), sides),
            "customer");
  EXPECT_EQ(classify_event(meeting("Interview with Bo", {"a@acme.example", "bo@gmail.com"}), sides),
            "interview");
  EXPECT_EQ(classify_event(meeting("Dentist", {"a@acme.example"}), sides), "personal");
  EXPECT_EQ(classify_event(meeting("OOO: vacation", {}), sides), "out_of_office");
  EXPECT_EQ(classify_event(meeting("Public holiday", {}, true), sides), "holiday");
  EXPECT_EQ(classify_event(meeting("Focus time", {"a@acme.example"}), sides), "focus");
  EXPECT_EQ(classify_event(meeting("Flight to Oslo", {}), sides), "travel");
  EXPECT_EQ(classify_event(meeting("Catch up", {}), sides), "unknown");
  EXPECT_EQ(classify_event(
                meeting("Sync", {"a@eu.acme.example", "b@acme.example", "room@resource.calendar.google.com"}),
                sides),
            "internal");
}

}  // namespace
}  // namespace castiel::content::calendar
