// COMM-1: MIME messages into the structure that everything after them reads.

#include <gtest/gtest.h>

#include <string>

#include "base/digest.hpp"
#include "content/mail/message.hpp"

namespace castiel::content::mail {
namespace {

ParsedMail parsed(std::string_view bytes) {
  auto mail = parse_message(bytes);
  EXPECT_TRUE(mail.has_value()) << (mail ? "" : mail.error().describe());
  return mail ? std::move(*mail) : ParsedMail{};
}
std::string text_of(const ParsedMail& mail) {
  return string_or(mail.structure, "text");
}
std::string warnings_of(const ParsedMail& mail) {
  return json::serialize(*get_array(mail.structure, "warnings"));
}

TEST(Message, gives_every_field_of_a_plain_mail) {
  const auto mail = parsed(
      "Message-ID: <1@acme.example>\r\nIn-Reply-To: <0@acme.example>\r\nReferences: <a@x.example>\r\n"
      " <0@acme.example>\r\nFrom: Jane Doe <jane@acme.example>\r\nTo: bob@b.example, \"Roe, Rita\" "
      "<rita@b.example>\r\nCc: carl@b.example (Carl)\r\nSubject: Offer\r\n 2026\r\n"
      "Date: Wed, 4 Mar 2026 10:00:00 +0100\r\nReceived: from a by b; Wed, 4 Mar 2026 09:00:05 GMT\r\n\r\n"
      "Hello\r\nBob\r\n");
  EXPECT_EQ(
      json::serialize(mail.structure),
      R"({"kind":"email","messageId":"1@acme.example","inReplyTo":"0@acme.example",)"
      R"("references":["a@x.example","0@acme.example"],"from":{"name":"Jane Doe","email":"jane@acme.example"},)"
      R"("replyTo":[],"to":[{"name":"","email":"bob@b.example"},{"name":"Roe, Rita","email":"rita@b.example"}],)"
      R"("cc":[{"name":"Carl","email":"carl@b.example"}],"bcc":[],"subject":"Offer 2026",)"
      R"("sentAt":"2026-03-04T09:00:00Z","receivedAt":"2026-03-04T09:00:05Z","importance":"normal",)"
      R"("receiptRequested":false,"text":"Hello\nBob\n","html":null,"attachments":[],"calendar":null,)"
      R"("headers":{"message-id":["<1@acme.example>"],"in-reply-to":["<0@acme.example>"],)"
      R"("from":["Jane Doe <jane@acme.example>"],"date":["Wed, 4 Mar 2026 10:00:00 +0100"]},"warnings":[]})");
}

TEST(Message, takes_text_and_html_of_an_alternative_and_the_attachments_beside_it) {
  const auto mail = parsed(
      "From: a@x.example\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\nDate: 4 Mar 2026 10:00:00 +0000\n"
      "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/alternative; boundary=a\n\n"
      "--a\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
      "Gr=FC=DFe\n--a\nContent-Type: text/html\n\n<p>Hi</p>\n--a--\n--m\n"
      "Content-Type: application/pdf\nContent-Disposition: attachment; "
      "filename*=utf-8''Angebot%20%E2%82%AC.pdf\n"
      "Content-Transfer-Encoding: base64\n\nJVBERg==\n--m--\n");
  EXPECT_EQ(string_or(mail.structure, "subject"), "Grüße");
  EXPECT_EQ(text_of(mail), "Grüße");
  EXPECT_EQ(string_or(mail.structure, "html"), "<p>Hi</p>");
  ASSERT_EQ(mail.parts.size(), 1U);
  EXPECT_EQ(mail.parts[0].name, "Angebot €.pdf");
  EXPECT_EQ(mail.parts[0].bytes, "%PDF");
  EXPECT_EQ(mail.parts[0].sha256, sha256_hex("%PDF"));
  EXPECT_EQ(json::serialize(mail.structure.at("attachments").at(0).at("part")), "0");
}

TEST(Message, derives_text_from_html_line_by_line) {
  const auto mail = parsed(
      "From: a@x.example\nContent-Type: text/html; "
      "charset=utf-8\n\n<html><head><title>no</title></head><body>"
      "<p>Dear&nbsp;Bob,</p><p>see <a href=\"https://acme.example/o/1\">the "
      "offer</a>.</p><ul><li>one<li>two</ul>"
      "<table><tr><td>Seats</td><td>40</td></tr></table><blockquote>old<br>words</blockquote></body></html>");
  EXPECT_EQ(
      text_of(mail),
      "Dear Bob,\n\nsee the offer <https://acme.example/o/1>.\n\n- one\n- two\n\nSeats\t40\n> old\n> words");
}

TEST(Message, keeps_a_message_inside_as_an_attachment_with_its_words) {
  const auto mail = parsed(
      "From: a@x.example\nContent-Type: multipart/mixed; boundary=m\n\n--m\n\nsee below\n--m\n"
      "Content-Type: message/rfc822\n\nFrom: b@x.example\nSubject: Old offer\n\nold words\n--m--\n");
  EXPECT_EQ(text_of(mail), "see below");
  const auto& entry = mail.structure.at("attachments").at(0).as_object();
  EXPECT_EQ(string_or(entry, "name"), "Old offer.eml");
  EXPECT_EQ(string_or(entry, "text"), "old words");
  EXPECT_TRUE(parse_message(mail.parts.at(0).bytes).has_value());
}

TEST(Message, hands_over_a_calendar_part_unparsed) {
  const auto mail = parsed(
      "From: a@x.example\nContent-Type: multipart/alternative; boundary=m\n\n--m\n\ncome\n--m\n"
      "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--m--\n");
  EXPECT_EQ(int_or(mail.structure, "calendarPart", -1), 0);
  EXPECT_EQ(mail.parts.at(0).bytes, "BEGIN:VCALENDAR");
}

TEST(Message, joins_flowed_lines_and_keeps_quotes) {
  const auto mail = parsed(
      "From: a@x.example\nContent-Type: text/plain; format=flowed\n\nThis is one \nline.\n> a quoted \n> "
      "line\n-- \nJane\n");
  EXPECT_EQ(text_of(mail), "This is one line.\n> a quoted line\n-- \nJane\n");
}

TEST(Message, reads_wrong_and_unknown_charsets) {
  EXPECT_EQ(text_of(parsed("From: a@x.example\nContent-Type: text/plain; charset=us-ascii\n\nGr\xFC\xDF"
                           "e")),
            "Grüße");
  const auto unknown = parsed(
      "From: a@x.example\nContent-Type: text/plain; charset=x-nothing\n\nGr\xC3\xBC\xC3\x9F"
      "e");
  EXPECT_EQ(text_of(unknown), "Grüße");
  EXPECT_NE(warnings_of(unknown).find("x-nothing"), std::string::npos);
  EXPECT_EQ(string_or(parsed("From: a@x.example\nSubject: Gr\xFC\xDF"
                             "e\n\nx")
                          .structure,
                      "subject"),
            "Grüße");
  EXPECT_EQ(string_or(parsed("From: a@x.example\nSubject: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=\n\nx").structure,
                      "subject"),
            "日本");
}

TEST(Message, takes_a_uuencoded_file_out_of_the_text) {
  const auto mail = parsed("From: a@x.example\n\nsee\nbegin 644 a.txt\n#0V%T\n`\nend\nbye\n");
  EXPECT_EQ(text_of(mail), "see\nbye\n");
  EXPECT_EQ(mail.parts.at(0).name, "a.txt");
  EXPECT_EQ(mail.parts.at(0).bytes, "Cat");
}

TEST(Message, survives_missing_and_broken_headers) {
  const auto mail = parsed("From: \nTo: undisclosed-recipients:;\nDate: yesterday\n\nwords");
  EXPECT_TRUE(mail.structure.at("from").is_null());
  EXPECT_TRUE(mail.structure.at("to").as_array().empty());
  EXPECT_TRUE(mail.structure.at("sentAt").is_null());
  EXPECT_NE(warnings_of(mail).find("date"), std::string::npos);
  EXPECT_EQ(text_of(parsed("Only words.\nNo header.")), "Only words.\nNo header.");
  EXPECT_EQ(parse_message("").error().code, "corrupt");
}

TEST(Message, leaves_out_what_is_nested_too_deep) {
  std::string bytes = "From: a@x.example\n";
  for (int i = 0; i < 200; ++i) {
    const std::string b = "b" + std::to_string(i);
    bytes += "Content-Type: multipart/mixed; boundary=" + b + "\n\n--" + b + "\n";
  }
  bytes += "\nwords\n";
  EXPECT_NE(warnings_of(parsed(bytes)).find("too deep"), std::string::npos);
}

TEST(Message, reads_html_without_end_in_bounded_time) {
  std::string html = "From: a@x.example\nContent-Type: text/html\n\n";
  for (int i = 0; i < 300'000; ++i) html += "<div><b a=1>";
  EXPECT_EQ(text_of(parsed(html + "words")), "words");
}

TEST(MailMessage, a_report_names_the_mail_it_gives_back) {
  const auto mail = parse_message(
      "From: MAILER-DAEMON@b.test\r\nContent-Type: multipart/report; report-type=delivery-status; "
      "boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nno such user\r\n--x\r\n"
      "Content-Type: text/rfc822-headers\r\n\r\nFrom: a@a.test\r\nMessage-Id:\r\n <one@a.test>\r\nSubject: "
      "Hi\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <two@a.test>\r\n\r\nhello\r\n"
      "--x--\r\n");
  ASSERT_TRUE(mail);
  const auto& files = mail->structure.at("attachments").get_array();
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(string_or(files[0].get_object(), "messageId"), "one@a.test");
  EXPECT_EQ(string_or(files[1].get_object(), "messageId"), "two@a.test");
}

}  // namespace
}  // namespace castiel::content::mail
