#include <gtest/gtest.h>

#include <string>

#include "content/sniff.hpp"

namespace castiel::content {
namespace {

using namespace std::string_view_literals;

std::string kind_of(std::string_view bytes, std::string_view name = {}) {
  const auto found = sniff(bytes, {}, name);
  return std::string(to_string(found.kind)) + (found.document_type.empty() ? "" : " " + found.document_type);
}

std::string utf16(std::string_view text, bool big) {
  std::string result = big ? "\xFE\xFF" : "\xFF\xFE";
  for (const char c : text) {
    if (big) result += '\0';
    result += c;
    if (!big) result += '\0';
  }
  return result;
}

// A local file header, as far as recognition reads it.
std::string member(std::string_view name, std::string_view content = {}) {
  std::string header("PK\x03\x04", 4);
  header += std::string(22, '\0');
  header += static_cast<char>(name.size());
  header += std::string(3, '\0');
  return header + std::string(name) + std::string(content);
}

TEST(Sniff, tables_stay_with_the_crm_reader) {
  EXPECT_EQ(kind_of("id,name,amount\n1,Acme,5\n2,Globex,7\n", "deals.csv"), "table");
  EXPECT_EQ(kind_of("id;name\n1;Acme\n2;Globex\n3;Initech\n"), "table");
  EXPECT_EQ(kind_of("[{\"id\":1,\"name\":\"Acme\"}]"), "table");
  EXPECT_EQ(kind_of("{\"id\":1}\n{\"id\":2}\n"), "table");
  EXPECT_EQ(kind_of("{\"records\":[{\"Id\":\"1\",\"Name\":\"Acme\"}],\"done\":true}"), "table");
  EXPECT_EQ(kind_of("[{\"id\":1,\"content\":\"called them\",\"timestamp\":\"2024-01-01\"}]", "notes.json"),
            "table");
  EXPECT_EQ(kind_of("only one column\nvalue\n", "names.csv"), "table");
  EXPECT_EQ(kind_of(utf16("id\tname\n1\tAcme\n2\tGlobex\n", false)), "table");
}

TEST(Sniff, prose_with_commas_is_no_table) {
  EXPECT_EQ(kind_of("Dear all, thank you for coming.\nWe met, talked, and left.\nSee you soon, Ann.\n"),
            "document txt");
  EXPECT_EQ(kind_of("# Plan\n\n- one, two\n- three, four\n", "plan.md"), "document md");
}

TEST(Sniff, transcripts_are_known_by_what_their_arrays_hold) {
  EXPECT_EQ(kind_of("WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n"), "transcript vtt");
  EXPECT_EQ(kind_of("1\r\n00:00:01,000 --> 00:00:02,000\r\nHi\r\n"), "transcript srt");
  EXPECT_EQ(kind_of("{\"segments\":[{\"id\":0,\"start\":0.0,\"end\":1.5,\"text\":\"Hi\"}]}"),
            "transcript json");
  EXPECT_EQ(kind_of("{\"data\":{\"transcript\":{\"sentences\":[{\"index\":0,\"speaker_name\":\"Ann\","
                    "\"text\":\"Hi\"}]}}}"),
            "transcript json");
  EXPECT_EQ(kind_of("[{\"speaker\":\"Ann\",\"start\":0,\"text\":\"Hi\"},{\"speaker\":\"Bob\",\"start\":2,"
                    "\"text\":\"Yo\"}]"),
            "transcript json");
  // The text may be cut anywhere.
  EXPECT_EQ(kind_of("{\"utterances\":[{\"speaker\":\"A\",\"text\":\"Hello the"), "transcript json");
}

TEST(Sniff, mail_is_not_a_memo) {
  EXPECT_EQ(kind_of("Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\nFrom: a@acme.example\nSubject: "
                    "Hi\n\nText\n"),
            "email eml");
  EXPECT_EQ(kind_of("From: Ann\nTo: Bob\nSubject: Lunch\n\nAt noon.\n", "memo.txt"), "document txt");
  EXPECT_EQ(kind_of("From: Ann\nTo: Bob\nSubject: Lunch\n\nAt noon.\n", "memo.eml"), "email eml");
  EXPECT_EQ(kind_of("From a@acme.example Mon Jan  1 00:00:00 2024\nFrom: a@acme.example\n\nHi\n"),
            "mailbox mbox");
  EXPECT_EQ(kind_of("From here on we walk.\nIt is far.\n"), "document txt");
}

TEST(Sniff, containers_are_known_by_their_members) {
  EXPECT_EQ(kind_of(member("[Content_Types].xml") + member("word/document.xml")), "document docx");
  EXPECT_EQ(kind_of(member("xl/workbook.xml"), "wrong.docx"), "document xlsx");
  EXPECT_EQ(kind_of(member("ppt/presentation.xml")), "document pptx");
  EXPECT_EQ(kind_of(member("mimetype", "application/vnd.oasis.opendocument.spreadsheet")), "document ods");
  EXPECT_EQ(kind_of(member("channels.json") + member("users.json") + member("general/2024-01-01.json")),
            "chat_export");
  EXPECT_EQ(kind_of(member("readme.txt")), "archive");
  const auto names = sniff(
      member("a.bin"),
      std::string("PK\x01\x02", 4) + std::string(24, '\0') + "\x0D" + std::string(17, '\0') + "word/some.xml",
      "");
  EXPECT_EQ(names.document_type, "docx");
}

TEST(Sniff, compound_files_are_known_by_their_streams) {
  const auto wide = [](std::string_view name) { return utf16(name, false).substr(2); };
  const std::string mark = "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + std::string(504, '\0');
  EXPECT_EQ(kind_of(mark + wide("WordDocument")), "document doc");
  EXPECT_EQ(kind_of(mark + wide("Workbook")), "document xls");
  EXPECT_EQ(kind_of(mark + wide("PowerPoint Document")), "document ppt");
  EXPECT_EQ(kind_of(mark + wide("__properties_version1.0")), "email msg");
  EXPECT_EQ(kind_of(mark + wide("EncryptedPackage"), "a.xlsx"), "document xlsx");
}

TEST(Sniff, other_kinds) {
  EXPECT_EQ(kind_of("%PDF-1.7\n"), "document pdf");
  EXPECT_EQ(kind_of("\x89PNG\r\n\x1a\n"), "document image");
  EXPECT_EQ(kind_of("{\\rtf1\\ansi Hi}"), "document rtf");
  EXPECT_EQ(kind_of("<!DOCTYPE html><p>Hi"), "document html");
  EXPECT_EQ(kind_of("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"), "calendar ics");
  EXPECT_EQ(kind_of("RIFF\x24\0\0\0WAVEfmt "sv), "media");
  EXPECT_EQ(kind_of("\x37\x7A\xBC\xAF\x27\x1C\0\4"sv), "archive");
  EXPECT_EQ(kind_of(utf16("Plain text of no kind", true)), "document txt");
  EXPECT_EQ(kind_of("\1\2\3\4\0\5\6\0\0\7\1\0\0\6"sv), "unknown");
  EXPECT_EQ(kind_of(""), "document txt");
}

}  // namespace
}  // namespace castiel::content
