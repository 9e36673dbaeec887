#pragma once
// What kind of file bytes are, by content; the name only decides between kinds that look the same. Pure,
// thread-safe.

#include <string>
#include <string_view>

namespace castiel::content {

enum class FileKind {
  table,        // CSV, or JSON records: the CRM part of the files connector looks closer
  email,        // one RFC 5322 message, or an Outlook .msg
  mailbox,      // mbox
  calendar,     // iCalendar
  transcript,   // WebVTT, SRT, transcript JSON
  chat_export,  // a zip of Slack's export
  document,     // PDF, OOXML, OpenDocument, RTF, HTML, text, image
  archive,      // zip, tar (compressed or not), 7z of other files
  media,        // audio or video
  unknown,      // binary of no known kind
};
std::string_view to_string(FileKind kind);

struct Sniffed {
  FileKind kind = FileKind::unknown;
  std::string media_type;     // "application/pdf"
  std::string document_type;  // pdf, docx, xlsx, pptx, odt, ods, odp, rtf, html, txt, md, image, msg, eml, …;
                              // may be empty
};

// `head`: the first 64 KiB or the whole file. `tail`: its last 64 KiB where they are not in the head (the
// names of a zip's members are there), else empty.
Sniffed sniff(std::string_view head, std::string_view tail, std::string_view name);

}  // namespace castiel::content
