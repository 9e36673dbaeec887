#include "content/sniff.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <vector>

#include "content/csv.hpp"
#include "content/impl/sniff_parts.hpp"
#include "content/jsonl.hpp"
#include "content/text_encoding.hpp"

namespace castiel::content {

using namespace std::string_view_literals;

namespace {

constexpr std::size_t kMaxTextSampleBytes = 64 << 10;
constexpr double kRegularTable = 0.95;
constexpr double kWholeLines = 0.8;  // of a table have all its delimiters: values rarely span lines
constexpr std::size_t kLongestColumnName = 64;

Sniffed document(std::string_view media_type, std::string_view type) {
  return {FileKind::document, std::string(media_type), std::string(type)};
}

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  FileKind kind;
  std::string_view media_type;
  std::string_view document_type;
};

// Order matters only where one is the beginning of another.
constexpr auto kMagics = std::to_array<Magic>({
    {0, "%PDF-", FileKind::document, "application/pdf", "pdf"},
    {0, "{\\rtf", FileKind::document, "application/rtf", "rtf"},
    {0, "\x89PNG\r\n\x1a\n", FileKind::document, "image/png", "image"},
    {0, "\xFF\xD8\xFF", FileKind::document, "image/jpeg", "image"},
    {0, "GIF8", FileKind::document, "image/gif", "image"},
    {0, "II*\0"sv, FileKind::document, "image/tiff", "image"},
    {0, "MM\0*"sv, FileKind::document, "image/tiff", "image"},
    {0, "\0\0\0\x0CjP  "sv, FileKind::document, "image/jp2", "image"},
    {0, "\x37\x7A\xBC\xAF\x27\x1C", FileKind::archive, "application/x-7z-compressed", ""},
    {0, "\x1F\x8B", FileKind::archive, "application/gzip", ""},
    {0, "\x1F\x9D", FileKind::archive, "application/x-compress", ""},
    {0, "BZh", FileKind::archive, "application/x-bzip2", ""},
    {0,
     "\xFD"
     "7zXZ\0"sv,
     FileKind::archive, "application/x-xz", ""},
    {0, "\x28\xB5\x2F\xFD", FileKind::archive, "application/zstd", ""},
    {0, "\x5D\0\0"sv, FileKind::archive, "application/x-lzma", ""},
    {0, "Rar!\x1A\x07", FileKind::archive, "application/vnd.rar", ""},
    {257, "ustar", FileKind::archive, "application/x-tar", ""},
    {0, "ID3", FileKind::media, "audio/mpeg", ""},
    {0, "fLaC", FileKind::media, "audio/flac", ""},
    {0, "OggS", FileKind::media, "audio/ogg", ""},
    {0, "#!AMR", FileKind::media, "audio/amr", ""},
    {0, "\x1A\x45\xDF\xA3", FileKind::media, "video/webm", ""},
    {0, "\x30\x26\xB2\x75\x8E\x66\xCF\x11", FileKind::media, "video/x-ms-asf", ""},
    {0, "FLV\x01", FileKind::media, "video/x-flv", ""},
    {8, "AIFF", FileKind::media, "audio/aiff", ""},
    {0, "\x09\x02\x06\0"sv, FileKind::document, "application/vnd.ms-excel", "xls"},
    {0, "\x09\x04\x06\0"sv, FileKind::document, "application/vnd.ms-excel", "xls"},
    {0, "\x78\x9F\x3E\x22", FileKind::unknown, "application/ms-tnef", ""},
});

bool has_at(std::string_view bytes, std::size_t offset, std::string_view what) {
  return bytes.size() >= offset + what.size() && bytes.substr(offset, what.size()) == what;
}

// Containers whose kind stands a few bytes after their mark, and frames without a mark.
Sniffed by_container(std::string_view head) {
  if (has_at(head, 0, "RIFF")) {
    if (has_at(head, 8, "WAVE")) return {FileKind::media, "audio/wav", ""};
    if (has_at(head, 8, "AVI ")) return {FileKind::media, "video/x-msvideo", ""};
    if (has_at(head, 8, "WEBP")) return document("image/webp", "image");
  }
  if (has_at(head, 4, "ftyp")) {
    const auto brand = head.substr(8, 4);
    if (brand == "heic" || brand == "heix" || brand == "mif1" || brand == "avif")
      return document("image/heic", "image");
    const bool audio = brand == "M4A " || brand == "M4B ";
    return {FileKind::media, audio ? "audio/mp4" : brand == "qt  " ? "video/quicktime" : "video/mp4", ""};
  }
  if (has_at(head, 0, "BM") && head.size() > 18 && head[6] == 0 && head[7] == 0 && head[8] == 0)
    return document("image/bmp", "image");
  if (head.size() > 4 && head[0] == '\xFF') {
    const auto second = static_cast<unsigned char>(head[1]);
    if (second == 0xFB || second == 0xF3 || second == 0xF2 || second == 0xFA)
      return {FileKind::media, "audio/mpeg", ""};
    if (second == 0xF1 || second == 0xF9) return {FileKind::media, "audio/aac", ""};
  }
  return {};
}

// Word files are 7-bit names; the compound file writes them in UTF-16.
std::string wide(std::string_view name) {
  std::string result;
  for (const char c : name) {
    result += c;
    result += '\0';
  }
  return result;
}

Sniffed by_compound_file(std::string_view head, std::string_view tail, std::string_view extension) {
  const auto has = [&](std::string_view name) {
    const std::string pattern = wide(name);
    return head.find(pattern) != std::string_view::npos || tail.find(pattern) != std::string_view::npos;
  };
  const Sniffed message{FileKind::email, "application/vnd.ms-outlook", "msg"};
  const Sniffed doc = document("application/msword", "doc"),
                xls = document("application/vnd.ms-excel", "xls"),
                ppt = document("application/vnd.ms-powerpoint", "ppt");
  // A message can carry a workbook and a workbook a document; the outer one's name stands beside the root.
  if (has("EncryptedPackage") || has("DRMEncryptedTransform")) {
    const bool known = extension == "docx" || extension == "xlsx" || extension == "pptx";
    return document("application/x-ole-storage", known ? extension : ""sv);
  }
  if (has("__properties_version1.0") || has("__substg1.0_")) return message;
  if (extension == "msg") return message;
  const bool word = has("WordDocument"), slides = has("PowerPoint Document"),
             book = has("Workbook") || has("Book");
  const int kinds = word + slides + book;
  if (kinds != 1) {
    if (extension == "doc" || extension == "dot") return doc;
    if (extension == "xls" || extension == "xlt") return xls;
    if (extension == "ppt" || extension == "pps") return ppt;
  }
  if (slides) return ppt;
  if (word) return doc;
  if (book) return xls;
  return {FileKind::unknown, "application/x-ole-storage", ""};
}

Sniffed by_zip(std::string_view head, std::string_view tail) {
  if (has_at(head, 30, "mimetype")) {
    const auto declared = head.substr(38, 80);
    const auto is = [&](std::string_view type) { return declared.starts_with(type); };
    if (is("application/vnd.oasis.opendocument.text"))
      return document("application/vnd.oasis.opendocument.text", "odt");
    if (is("application/vnd.oasis.opendocument.spreadsheet"))
      return document("application/vnd.oasis.opendocument.spreadsheet", "ods");
    if (is("application/vnd.oasis.opendocument.presentation"))
      return document("application/vnd.oasis.opendocument.presentation", "odp");
    if (is("application/epub+zip")) return document("application/epub+zip", "epub");
  }
  const auto names = impl::zip_member_names(head, tail);
  bool channels = false, users = false, word = false, book = false, binary_book = false, slides = false;
  bool epub = false, odf_content = false, odf_manifest = false;
  for (const auto full : names) {
    const auto base = full.substr(full.find_last_of('/') + 1);
    channels |= base == "channels.json";
    users |= base == "users.json";
    word |= full.starts_with("word/");
    book |= full.starts_with("xl/");
    binary_book |= full == "xl/workbook.bin";
    slides |= full.starts_with("ppt/");
    epub |= full.ends_with(".opf");
    odf_content |= full == "content.xml";
    odf_manifest |= full == "META-INF/manifest.xml";
  }
  constexpr std::string_view kOoxml = "application/vnd.openxmlformats-officedocument.";
  if (channels && users) return {FileKind::chat_export, "application/zip", ""};
  if (word) return document(std::string(kOoxml) + "wordprocessingml.document", "docx");
  if (slides) return document(std::string(kOoxml) + "presentationml.presentation", "pptx");
  if (binary_book) return document("application/vnd.ms-excel.sheet.binary.macroEnabled.12", "xlsb");
  if (book) return document(std::string(kOoxml) + "spreadsheetml.sheet", "xlsx");
  if (epub) return document("application/epub+zip", "epub");
  if (odf_content && odf_manifest) return document("application/vnd.oasis.opendocument.text", "odt");
  return {FileKind::archive, "application/zip", ""};
}

// A name of a column: short, and without what a sentence, an address or a mail's header line has.
bool is_column_name(std::string_view name) {
  if (name.empty() || name.size() > kLongestColumnName) return false;
  if (name.back() == '.' || name.back() == '!' || name.back() == '?') return false;
  return name.find_first_of("@<>{}") == std::string_view::npos && name.find(": ") == std::string_view::npos &&
         name.back() != ':';
}

bool is_delimited_table(std::string_view text, bool complete) {
  const auto table = sniff_csv(text, complete);
  if (table.columns.size() < 2 || table.regularity < kRegularTable || table.dialect.skip_lines > 0)
    return false;
  if (!std::ranges::all_of(table.columns, is_column_name)) return false;
  std::size_t lines = 0, whole = 0;
  while (!text.empty()) {
    const auto line = impl::take_line(text);
    if (impl::trim(line).empty() || (text.empty() && !complete)) continue;
    ++lines;
    const auto delimiters = static_cast<std::size_t>(std::ranges::count(line, table.dialect.delimiter));
    whole += delimiters + 1 >= table.columns.size();
  }
  return lines >= 3 && static_cast<double>(whole) >= kWholeLines * static_cast<double>(lines);
}

Sniffed by_text(std::string_view text, bool complete, std::string_view extension) {
  const auto body = impl::trim_front(text);
  if (impl::starts_with_fold(body, "WEBVTT")) return {FileKind::transcript, "text/vtt", "vtt"};
  const Sniffed calendar{FileKind::calendar, "text/calendar", "ics"};
  if (impl::starts_with_fold(body, "BEGIN:VCALENDAR") || impl::starts_with_fold(body, "BEGIN:VEVENT") ||
      extension == "ics" || extension == "ical")
    return calendar;
  if (body.starts_with("{\\rtf")) return document("application/rtf", "rtf");
  const bool named_mail =
      extension == "eml" || extension == "msg" || extension == "mht" || extension == "mhtml";
  if (impl::looks_like_mbox(text) && !named_mail) return {FileKind::mailbox, "application/mbox", "mbox"};
  if (impl::looks_like_srt(body)) return {FileKind::transcript, "application/x-subrip", "srt"};
  if (extension == "eml" || impl::looks_like_mail(text, named_mail))
    return {FileKind::email, "message/rfc822", "eml"};
  if (!body.empty() && (body[0] == '{' || body[0] == '[') && sniff_json(body, complete)) {
    if (impl::looks_like_transcript_json(body)) return {FileKind::transcript, "application/json", "json"};
    return {FileKind::table, "application/json", ""};
  }
  if (extension == "csv" || extension == "tsv" || extension == "json" || extension == "jsonl" ||
      extension == "ndjson")
    return {FileKind::table, extension == "tsv" ? "text/tab-separated-values" : "text/csv", ""};
  if (extension == "md" || extension == "markdown") return document("text/markdown", "md");
  const auto html = impl::looks_like_html(body);
  if (html || extension == "html" || extension == "htm" || extension == "xhtml")
    return document("text/html", "html");
  if (body.starts_with("<?xml") || extension == "xml") return document("application/xml", "xml");
  if (is_delimited_table(text, complete)) return {FileKind::table, "text/csv", ""};
  return document("text/plain", "txt");
}

}  // namespace

std::string_view to_string(FileKind kind) {
  switch (kind) {
    case FileKind::table:
      return "table";
    case FileKind::email:
      return "email";
    case FileKind::mailbox:
      return "mailbox";
    case FileKind::calendar:
      return "calendar";
    case FileKind::transcript:
      return "transcript";
    case FileKind::chat_export:
      return "chat_export";
    case FileKind::document:
      return "document";
    case FileKind::archive:
      return "archive";
    case FileKind::media:
      return "media";
    case FileKind::unknown:
      break;
  }
  return "unknown";
}

Sniffed sniff(std::string_view head, std::string_view tail, std::string_view name) {
  const std::string extension = impl::extension_of(name);
  if (has_at(head, 0, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")) return by_compound_file(head, tail, extension);
  if (has_at(head, 0, "PK\x03\x04") || has_at(head, 0, "PK\x05\x06")) return by_zip(head, tail);
  for (const auto& magic : kMagics) {
    if (has_at(head, magic.offset, magic.bytes))
      return {magic.kind, std::string(magic.media_type), std::string(magic.document_type)};
  }
  // Writers put junk before a PDF's first line; readers look for it in the first KiB.
  if (head.substr(0, 1024).find("%PDF-") != std::string_view::npos) return document("application/pdf", "pdf");
  if (auto found = by_container(head); found.kind != FileKind::unknown) return found;

  if (head.starts_with("\xFF\xFE\0\0"sv) || head.starts_with("\0\0\xFE\xFF"sv))
    return document("text/plain", "txt");
  std::string_view sample = head.substr(0, kMaxTextSampleBytes & ~std::size_t{1});
  const bool complete = tail.empty() && sample.size() == head.size();
  const auto detected = detect_encoding(sample);
  if (!detected) {
    // Mail and mailboxes may carry raw bytes of any kind after headers that are plain.
    if (impl::looks_like_mbox(sample)) return {FileKind::mailbox, "application/mbox", "mbox"};
    if (impl::looks_like_mail(sample, extension == "eml")) return {FileKind::email, "message/rfc822", "eml"};
    return {};
  }
  const std::string text = decode_text(sample, *detected);
  return by_text(text, complete, extension);
}

}  // namespace castiel::content
