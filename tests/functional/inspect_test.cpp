// castiel inspect: the real program with its worker, on files of all kinds, none of which it stores.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support.hpp"

namespace castiel::functional {
namespace {

constexpr std::string_view kMail =
    "From: Jane Doe <jane@acme.example>\r\nTo: Max <max@vendor.example>\r\nSubject: Offer\r\n"
    "Date: Mon, 06 May 2024 10:00:00 +0200\r\nMessage-ID: <m1@acme.example>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Could you send us the signed contract by Friday?\r\n--b\r\nContent-Type: text/plain; name=notes.txt\r\n"
    "Content-Disposition: attachment; filename=notes.txt\r\n\r\nThe budget is approved.\r\n--b\r\n"
    "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\n"
    "BEGIN:VEVENT\r\nUID:e1\r\nDTSTAMP:20240506T000000Z\r\nDTSTART:20240510T080000Z\r\nDTEND:"
    "20240510T090000Z\r\n"
    "SUMMARY:Demo\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n--b--\r\n";
constexpr std::string_view kTranscript =
    "WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n<v Jane>Shall we talk about the price?</v>\n\n"
    "00:00:05.000 --> 00:00:08.000\n<v Max>Yes, I will send it tomorrow.</v>\n";
constexpr std::string_view kWeekly =
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:w1\r\nDTSTAMP:20240101T000000Z\r\n"
    "DTSTART:20240101T090000Z\r\nDTEND:20240101T100000Z\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:Weekly\r\nEND:"
    "VEVENT\r\n"
    "END:VCALENDAR\r\n";

json::object inspect(const Path& file, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"inspect", file.string(), "--json"});
  const auto done = castiel(more);
  EXPECT_EQ(done.status, 0) << done.err << done.out;
  return done.last();
}

TEST(Inspect, shows_a_mail_with_its_attachments_and_its_invitation) {
  TempFolder folder;
  const auto mail = inspect(folder.write("offer.eml", kMail));
  EXPECT_EQ(text(mail, "kind"), "email");
  EXPECT_FALSE(mail.contains("file"));
  EXPECT_EQ(text(mail, "from.email"), "jane@acme.example");
  EXPECT_EQ(text(mail, "sentAt"), "2024-05-06T08:00:00Z");
  EXPECT_EQ(text(mail, "class"), "calendar") << "an invitation, by its text/calendar part";
  EXPECT_NE(text(mail, "replyText").find("signed contract"), std::string::npos);
  bool found = false;
  for (const auto& attachment : find(mail, "attachments")->get_array())
    found = found || text(attachment.get_object(), "text").find("budget is approved") != std::string::npos;
  EXPECT_TRUE(found) << json::serialize(mail);
  ASSERT_TRUE(find(mail, "calendar")->is_object()) << json::serialize(mail);
  EXPECT_EQ(text(mail, "calendar.method"), "REQUEST");
}

TEST(Inspect, finds_what_a_person_asks_for_in_a_mail) {
  TempFolder folder;
  const auto mail = inspect(folder.write(
      "ask.eml",
      "From: Jane Doe <jane@acme.example>\r\nTo: Max <max@vendor.example>\r\nSubject: Contract\r\n"
      "Date: Mon, 06 May 2024 10:00:00 +0200\r\nMessage-ID: <m2@acme.example>\r\n\r\n"
      "Hello Max,\r\n\r\nCould you send us the signed contract by Friday?\r\n\r\nJane\r\n"));
  EXPECT_EQ(text(mail, "class"), "person");
  const auto& items = find(mail, "actionItems")->get_array();
  ASSERT_EQ(items.size(), 1u) << json::serialize(mail);
  EXPECT_EQ(text(items[0].get_object(), "kind"), "request");
}

TEST(Inspect, shows_transcripts_and_documents_by_their_content) {
  TempFolder folder;
  const auto call = inspect(folder.write("call.vtt", kTranscript));
  EXPECT_EQ(text(call, "kind"), "transcript");
  EXPECT_EQ(find(call, "segments")->get_array().size(), 2u);
  EXPECT_EQ(find(call, "speakers")->get_array().size(), 2u);
  const auto page =
      inspect(folder.write("page.html", "<title>Plan</title><p>Acme wants <b>two</b> sites.</p>"));
  EXPECT_EQ(text(page, "kind"), "document");
  EXPECT_EQ(text(page, "documentType"), "html");
  EXPECT_NE(text(page, "text").find("Acme wants two sites."), std::string::npos);
  EXPECT_NE(find(page, "language"), nullptr);
}

TEST(Inspect, lists_the_occurrences_of_a_time) {
  TempFolder folder;
  const auto calendar =
      inspect(folder.write("weekly.ics", kWeekly), {"--from", "2024-03-01", "--to", "2024-04-01"});
  EXPECT_EQ(text(calendar, "kind"), "calendar");
  EXPECT_EQ(find(calendar, "occurrences")->get_array().size(), 4u);
}

TEST(Inspect, reads_plain_text_with_dates_from_a_given_time) {
  TempFolder folder;
  const auto found = inspect(folder.write("note.txt", "We meet tomorrow."),
                             {"--as", "text", "--at", "2024-05-01T09:00:00Z", "--timezone", "Europe/Berlin"});
  EXPECT_EQ(text(found, "kind"), "text");
  const auto& dates = find(found, "dates")->get_array();
  ASSERT_EQ(dates.size(), 1u) << json::serialize(found);
  EXPECT_EQ(dates[0].at("resolution").at(0), "2024-05-02");
}

TEST(Inspect, goes_on_after_a_file_it_cannot_read) {
  TempFolder folder;
  const auto good = folder.write("page.html", "<p>Good</p>"),
             bad = folder.write("broken.pdf", "%PDF-1.4 broken");
  const auto done = castiel({"inspect", bad.string(), good.string(), "/nonexistent", "--json"});
  EXPECT_EQ(done.status, 3) << done.err;
  const auto lines = done.lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(text(lines[0], "file"), bad.string());
  EXPECT_EQ(text(lines[0], "error.code"), "corrupt");
  EXPECT_FALSE(text(lines[0], "error.message").empty());
  EXPECT_EQ(text(lines[1], "file"), good.string());
  EXPECT_EQ(text(lines[1], "kind"), "document");
  EXPECT_EQ(text(lines[2], "error.code"), "unreadable");
  const auto alone = castiel({"inspect", bad.string(), "--json"});
  EXPECT_EQ(alone.status, 1);
  EXPECT_EQ(text(alone.last(), "error.code"), "corrupt");
}

TEST(Inspect, of_huge_files_stays_in_its_memory) {  // DOC-4
  TempFolder folder;
  const auto file = folder.write("huge.txt", "").string();
  std::filesystem::resize_file(file, 400u << 20);  // of holes
  const auto refused = castiel({"inspect", file, "--json"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(text(refused.last(), "error.code"), "too_large");
  EXPECT_LT(refused.peak_memory, 128 << 20);
  std::filesystem::resize_file(file, 240u << 20);
  EXPECT_LT(castiel({"inspect", file, "--json"}).peak_memory, 512 << 20);
}

TEST(Inspect, prints_for_people_too_and_refuses_wrong_options) {
  TempFolder folder;
  const auto page = folder.write("page.html", "<p>Some words</p>").string();
  const auto done = castiel({"inspect", page});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_NE(done.out.find("Some words"), std::string::npos);
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--timezone", "Moon/Base"},
                                               {"--at", "soon"},
                                               {"--from", "2024-01-01"},
                                               {"--as", "song"}}) {
    auto arguments = more;
    arguments.insert(arguments.begin(), {"inspect", page});
    EXPECT_EQ(castiel(arguments).status, 2) << more[0];
  }
  EXPECT_EQ(castiel({"inspect"}).status, 2);
}

}  // namespace
}  // namespace castiel::functional
