#include "extract/program/self_test.hpp"

#include <iconv.h>

#include <algorithm>

#include "extract/program/known_documents.hpp"
#include "extract/worker/parse.hpp"

namespace castiel::extract::program {

namespace {

// Words in ISO-2022-JP: only the C library's own tables turn them into "日本語" (Japanese).
constexpr std::string_view kKnownMail =
    "From: =?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?= <jo@example.com>\r\n"
    "To: max@example.org\r\n"
    "Subject: =?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?= offer\r\n"
    "Date: Mon, 01 Jan 2024 10:00:00 +0000\r\n"
    "Message-ID: <self-test@example.com>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=ISO-2022-JP\r\n"
    "\r\n"
    "Castiel reads \x1b$BF|K\\8l\x1b(B mails.\r\n";

constexpr std::string_view kKnownCalendar =
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Castiel//Self-test//EN\r\nBEGIN:VEVENT\r\nUID:self-test\r\n"
    "DTSTAMP:20240101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20240701T100000\r\n"
    "DTEND;TZID=Europe/Berlin:20240701T110000\r\nSUMMARY:Castiel reads "
    "calendars\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  return bytes;
}

struct Known {
  const char* name;
  const char* as;
  const char* file_name;
  std::string bytes;
  std::vector<std::string_view> expected;  // in the structure's JSON
};

SelfCheck check(const Known& known) {
  Request request;
  request.as = known.as;
  request.name = known.file_name;
  request.bytes = known.bytes;
  const auto outcome = worker::parse(request);
  if (!outcome) return {known.name, false, outcome.error().describe()};
  const std::string text = json::serialize(outcome->structure);
  for (const auto word : known.expected)
    if (text.find(word) == std::string::npos)
      return {known.name, false, "its text is not found: \"" + std::string(word) + "\""};
  return {known.name, true, ""};
}

std::string utf16(std::string_view ascii) {
  std::string bytes = "\xff\xfe";
  for (const char c : ascii) {
    bytes += c;
    bytes += '\0';
  }
  return bytes;
}

}  // namespace

std::vector<SelfCheck> run_self_test() {
  const Known known[] = {
      {"pdf",
       "document",
       "known.pdf",
       from_hex(kKnownPdf),
       {"Castiel reads \xc3\xa4\xc3\xb6\xc3\xbc offers"}},
      {"office", "document", "known.docx", from_hex(kKnownDocx), {"Castiel reads letters"}},
      {"text", "document", "known.txt", utf16("Castiel reads notes"), {"Castiel reads notes"}},
      {"mail",
       "email",
       "known.eml",
       std::string(kKnownMail),
       {"Castiel reads \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e mails",
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e offer"}},
      {"calendar",
       "calendar",
       "known.ics",
       std::string(kKnownCalendar),
       {"Castiel reads calendars", "2024-07-01T08:00:00Z"}},
  };
  std::vector<SelfCheck> checks;
  for (const auto& one : known) checks.push_back(check(one));
  return checks;
}

bool all_ok(const std::vector<SelfCheck>& checks) {
  return std::ranges::all_of(checks, &SelfCheck::ok);
}

std::string failures(const std::vector<SelfCheck>& checks) {
  std::string text;
  for (const auto& one : checks) {
    if (one.ok) continue;
    if (!text.empty()) text += "; ";
    text += one.name + ": " + one.detail;
  }
  return text;
}

json::array to_json(const std::vector<SelfCheck>& checks) {
  json::array all;
  for (const auto& one : checks) all.push_back({{"check", one.name}, {"ok", one.ok}, {"detail", one.detail}});
  return all;
}

void preload_libraries() {
  // Open converters keep their tables loaded; they are never closed.
  for (const char* charset :
       {"ISO-2022-JP", "SHIFT_JIS",   "CP932",      "EUC-JP",     "GB18030",     "GBK",         "GB2312",
        "BIG5",        "BIG5-HKSCS",  "EUC-KR",     "CP949",      "ISO-2022-KR", "ISO-2022-CN", "EUC-TW",
        "KOI8-R",      "KOI8-U",      "UTF-7",      "UTF-16",     "UTF-16LE",    "UTF-16BE",    "UTF-32",
        "CP1250",      "CP1251",      "CP1252",     "CP1253",     "CP1254",      "CP1255",      "CP1256",
        "CP1257",      "CP1258",      "CP437",      "CP850",      "CP852",       "CP866",       "CP874",
        "TIS-620",     "MACINTOSH",   "ISO-8859-1", "ISO-8859-2", "ISO-8859-3",  "ISO-8859-4",  "ISO-8859-5",
        "ISO-8859-6",  "ISO-8859-7",  "ISO-8859-8", "ISO-8859-9", "ISO-8859-10", "ISO-8859-13", "ISO-8859-14",
        "ISO-8859-15", "ISO-8859-16", "IBM037"}) {
    (void)::iconv_open("UTF-8", charset);
    (void)::iconv_open(charset, "UTF-8");
  }
  (void)run_self_test();
}

}  // namespace castiel::extract::program
