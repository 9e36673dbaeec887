#include <fmt/format.h>
#include <gmime/gmime.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>

#include "base/digest.hpp"
#include "base/utf8.hpp"
#include "content/mail/impl/body_text.hpp"
#include "content/mail/impl/charset.hpp"
#include "content/mail/impl/header_fields.hpp"
#include "content/mail/impl/html_text.hpp"
#include "content/mail/impl/message_builder.hpp"
#include "content/mail/message.hpp"
#include "content/text_encoding.hpp"

namespace castiel::content::mail {
namespace impl {
namespace {

constexpr std::size_t kMaxWarnings = 50;

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
template <class T>
using Owned = std::unique_ptr<T, Unref>;

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string written(GMimeStream* stream) {
  GByteArray* bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
  return {reinterpret_cast<const char*>(bytes->data), bytes->len};
}
std::string content_of(GMimePart* part) {
  GMimeDataWrapper* content = g_mime_part_get_content(part);
  if (content == nullptr) return {};
  const Owned<GMimeStream> out(g_mime_stream_mem_new());
  g_mime_data_wrapper_write_to_stream(content, out.get());
  return written(out.get());
}
std::string serialised(GMimeObject* object) {
  const Owned<GMimeStream> out(g_mime_stream_mem_new());
  g_mime_object_write_to_stream(object, nullptr, out.get());
  return written(out.get());
}

std::string_view raw_header(GMimeObject* object, const char* name) {
  GMimeHeader* header = g_mime_header_list_get_header(g_mime_object_get_header_list(object), name);
  const char* raw = header == nullptr ? nullptr : g_mime_header_get_raw_value(header);
  return raw == nullptr ? std::string_view() : std::string_view(raw);
}

std::vector<HeaderField> fields_of(GMimeObject* object) {
  std::vector<HeaderField> out;
  GMimeHeaderList* list = g_mime_object_get_header_list(object);
  const int count = std::min(g_mime_header_list_get_count(list), static_cast<int>(kMaxHeaders));
  for (int i = 0; i < count; ++i) {
    GMimeHeader* header = g_mime_header_list_get_header_at(list, i);
    const char* raw = g_mime_header_get_raw_value(header);
    out.push_back({lowered(g_mime_header_get_name(header)), raw == nullptr ? "" : raw});
  }
  return out;
}

// A piece of the body in the forms the mail has it in.
struct Segment {
  std::optional<std::string> text;
  std::optional<std::string> html;
};

enum class Place { only, first, later, alternative, related };

std::string escaped(std::string_view text) {
  std::string out = "<pre>";
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out.push_back(c);
    }
  }
  return out + "</pre>";
}

// The charset an HTML page names for itself, if it does near its start.
std::string html_charset(std::string_view bytes) {
  const std::string head = lowered(bytes.substr(0, 2048));
  auto at = head.find("charset=");
  if (at == head.npos) return {};
  at += 8;
  while (at < head.size() && (head[at] == '"' || head[at] == '\'' || head[at] == ' ')) ++at;
  const auto end = head.find_first_of("\"' />;\r\n", at);
  return head.substr(at, end == head.npos ? 0 : end - at);
}

class Reader {
 public:
  explicit Reader(ParsedMail& mail) : mail_(mail) {}

  std::vector<std::string> warnings;
  std::optional<std::size_t> calendar_part;
  std::string calendar_method;

  void read_body(GMimeMessage* message, json::object& structure, std::size_t depth) {
    std::vector<Segment> segments;
    if (GMimeObject* root = g_mime_message_get_mime_part(message)) walk(root, Place::only, depth, segments);
    std::string text;
    std::string html;
    const bool has_html = std::ranges::any_of(segments, [](const Segment& s) { return s.html.has_value(); });
    for (auto& segment : segments) {
      if (!segment.text && segment.html) segment.text = html_to_text(*segment.html);
      if (segment.text) {
        if (!text.empty() && !text.ends_with('\n')) text.push_back('\n');
        text += *segment.text;
      }
      if (has_html) html += segment.html ? *segment.html : escaped(*segment.text);
    }
    if (text.size() > kMaxTextBytes || html.size() > kMaxTextBytes)
      warn("the text is longer than the limit, its end is left out");
    structure["text"] = utf8_prefix(text, kMaxTextBytes);
    if (has_html) structure["html"] = utf8_prefix(html, kMaxTextBytes);
  }

  void warn(std::string text) {
    if (warnings.size() < kMaxWarnings && std::ranges::find(warnings, text) == warnings.end())
      warnings.push_back(std::move(text));
  }

 private:
  void walk(GMimeObject* object, Place place, std::size_t depth, std::vector<Segment>& out) {
    if (depth > kMaxMimeDepth) {
      warn("parts nested too deep are left out");
      return;
    }
    if (++parts_ > kMaxMimeParts) {
      warn("parts over the limit are left out");
      return;
    }
    if (GMIME_IS_MULTIPART(object)) {
      walk_multipart(GMIME_MULTIPART(object), depth, out);
    } else if (GMIME_IS_MESSAGE_PART(object)) {
      add_message(GMIME_MESSAGE_PART(object), depth);
    } else if (GMIME_IS_PART(object)) {
      walk_leaf(GMIME_PART(object), place, out);
    }
  }

  void walk_multipart(GMimeMultipart* multipart, std::size_t depth, std::vector<Segment>& out) {
    const auto type = parse_parameters(raw_header(GMIME_OBJECT(multipart), "Content-Type"));
    const int count = g_mime_multipart_get_count(multipart);
    if (type.value == "multipart/encrypted") warn("encrypted: the text cannot be read");
    if (type.value == "multipart/alternative") {
      walk_alternative(multipart, count, depth, out);
      return;
    }
    const bool related = type.value == "multipart/related";
    int root = 0;
    if (related && !type.get("start").empty()) {
      const auto start = parse_ids(type.get("start"));
      for (int i = 0; i < count && !start.empty(); ++i) {
        const auto ids = parse_ids(raw_header(g_mime_multipart_get_part(multipart, i), "Content-Id"));
        if (!ids.empty() && ids.front() == start.front()) root = i;
      }
    }
    for (int i = 0; i < count; ++i) {
      const Place place = i == root ? Place::first : related ? Place::related : Place::later;
      walk(g_mime_multipart_get_part(multipart, i), place, depth + 1, out);
    }
  }

  // The first form that has plain text and the last that has HTML; the richest one comes last (RFC 2046).
  void walk_alternative(GMimeMultipart* multipart, int count, std::size_t depth, std::vector<Segment>& out) {
    Segment chosen;
    for (int i = 0; i < count; ++i) {
      std::vector<Segment> form;
      walk(g_mime_multipart_get_part(multipart, i), Place::alternative, depth + 1, form);
      std::string text;
      std::string html;
      for (const auto& segment : form) {
        if (segment.text) text += *segment.text;
        if (segment.html) html += *segment.html;
      }
      const auto blank = [](std::string_view s) { return s.find_first_not_of(" \t\r\n") == s.npos; };
      if (!blank(text) && (!chosen.text || blank(*chosen.text))) chosen.text = text;
      if (!html.empty()) chosen.html = html;
    }
    if (chosen.text || chosen.html) out.push_back(std::move(chosen));
  }

  void walk_leaf(GMimePart* part, Place place, std::vector<Segment>& out) {
    auto* object = GMIME_OBJECT(part);
    auto type = parse_parameters(raw_header(object, "Content-Type"));
    const auto disposition = parse_parameters(raw_header(object, "Content-Disposition"));
    if (type.value.find('/') == type.value.npos) {
      // "text", "html" or nothing at all: what GMime takes it for, plain text without a field.
      type.value = type.value == "html"                         ? "text/html"
                   : type.value.empty() || type.value == "text" ? "text/plain"
                                                                : "application/octet-stream";
    }
    std::string name = clean_file_name(disposition.get("filename"));
    if (name.empty()) name = clean_file_name(type.get("name"));
    const bool attached = disposition.value == "attachment";
    const bool plain = type.value == "text/plain";
    const bool html = type.value == "text/html";
    const bool body_place = place == Place::related ? false : place != Place::later || name.empty();
    std::string bytes = content_of(part);
    if ((plain || html) && !attached && body_place) {
      out.push_back(text_segment(bytes, type, html));
      return;
    }
    if (type.value == "text/calendar" && !calendar_part) {
      calendar_part = mail_.parts.size();
      calendar_method = std::string(type.get("method"));
    }
    if (type.value == "application/ms-tnef") warn("winmail.dat (TNEF) is left as an attachment");
    if (type.value == "message/partial") warn("a piece of a split message");
    auto original = type.value == "text/rfc822-headers" ? message_id_in(bytes) : std::nullopt;
    add_part(object, std::move(name), type.value, std::move(bytes), disposition.value);
    if (original) mail_.structure["attachments"].get_array().back().get_object()["messageId"] = *original;
  }

  // Of the header a report gives back.
  static std::optional<std::string> message_id_in(std::string_view header) {
    constexpr std::string_view kName = "message-id:";
    for (std::size_t from = 0; from < header.size();) {
      const auto to = std::min(header.find('\n', from), header.size());
      const auto line = header.substr(from, to - from);
      from = to + 1;
      if (lowered(line.substr(0, kName.size())) != kName) continue;
      // The value may stand on the next line.
      const auto value = header.substr(from - 1 - line.size() + kName.size(), line.size() + 300);
      if (auto ids = parse_ids(value); !ids.empty()) return ids.front();
      return std::nullopt;
    }
    return std::nullopt;
  }

  Segment text_segment(const std::string& bytes, const Parameters& type, bool html) {
    std::string charset(type.get("charset"));
    if (html && charset.empty()) charset = html_charset(bytes);
    auto decoded = to_utf8(bytes, charset);
    if (decoded.guessed && !charset.empty())
      warn(fmt::format("the text is not in the charset it names, \"{}\"",
                       utf8_prefix(to_utf8(charset, "").text, 40)));
    std::string text = with_line_feeds(decoded.text);
    if (html) return {std::nullopt, std::move(text)};
    if (lowered(type.get("format")) == "flowed") text = unflowed(text, lowered(type.get("delsp")) == "yes");
    for (auto& file : take_uuencoded(text)) {
      warn("a uuencoded file in the text became an attachment");
      add_part(nullptr, clean_file_name(file.name), "application/octet-stream", std::move(file.bytes),
               "attachment");
    }
    return {without_pgp_armour(text), std::nullopt};
  }

  void add_message(GMimeMessagePart* part, std::size_t depth) {
    auto* object = GMIME_OBJECT(part);
    GMimeMessage* inner = g_mime_message_part_get_message(part);
    if (inner == nullptr) return;
    json::object sub = empty_mail();
    std::vector<std::string> ignored;
    put_headers(sub, fields_of(GMIME_OBJECT(inner)), ignored);
    ParsedMail inner_mail;
    Reader reader(inner_mail);
    reader.parts_ = parts_;
    reader.read_body(inner, sub, depth + 1);
    parts_ = reader.parts_;
    const auto disposition = parse_parameters(raw_header(object, "Content-Disposition"));
    const auto type = parse_parameters(raw_header(object, "Content-Type"));
    std::string name = clean_file_name(disposition.get("filename"));
    if (name.empty()) name = clean_file_name(type.get("name"));
    if (name.empty()) name = clean_file_name(string_or(sub, "subject"));
    if (name.empty()) name = "message";
    if (!name.ends_with(".eml")) name += ".eml";
    add_part(object, std::move(name), "message/rfc822", serialised(GMIME_OBJECT(inner)), disposition.value);
    auto& entry = mail_.structure["attachments"].get_array().back().get_object();
    entry["text"] = sub["text"];
    entry["subject"] = sub["subject"];
    entry["from"] = sub["from"];
    entry["messageId"] = sub["messageId"];
  }

  void add_part(GMimeObject* object, std::string name, std::string media_type, std::string bytes,
                std::string_view disposition) {
    json::object entry;
    const auto ids =
        object == nullptr ? std::vector<std::string>() : parse_ids(raw_header(object, "Content-Id"));
    media_type = to_utf8(media_type, "").text;
    std::string hash = sha256_hex(bytes);
    entry["name"] = name;
    entry["mimeType"] = media_type;
    entry["size"] = bytes.size();
    entry["sha256"] = hash;
    entry["contentId"] = ids.empty() ? json::value(nullptr) : json::value(ids.front());
    entry["inline"] = disposition == "inline" || (disposition.empty() && !ids.empty());
    entry["part"] = mail_.parts.size();
    auto& list = mail_.structure["attachments"];
    if (!list.is_array()) list.emplace_array();
    list.get_array().push_back(std::move(entry));
    mail_.parts.push_back({std::move(name), std::move(media_type), std::move(hash), std::move(bytes)});
  }

  ParsedMail& mail_;
  std::size_t parts_ = 0;
};

void start_gmime() {
  static std::once_flag once;
  std::call_once(once, [] { g_mime_init(); });
}

// Nothing when GMime finds no header.
Owned<GMimeMessage> construct(std::string_view bytes) {
  const Owned<GMimeStream> stream(g_mime_stream_mem_new_with_buffer(bytes.data(), bytes.size()));
  const Owned<GMimeParser> parser(g_mime_parser_new_with_stream(stream.get()));
  g_mime_parser_set_format(parser.get(), GMIME_FORMAT_MESSAGE);
  return Owned<GMimeMessage>(g_mime_parser_construct_message(parser.get(), nullptr));
}

std::size_t header_end(std::string_view bytes) {
  const auto lf = bytes.find("\n\n");
  const auto crlf = bytes.find("\n\r\n");
  return std::min({lf, crlf, bytes.size()});
}

bool is_header_line(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == line.npos || colon == 0 || colon > 80) return false;
  return std::ranges::all_of(line.substr(0, colon), [](char c) { return c > 32 && c < 127; });
}

// The message without what stands before it: a byte order mark, empty lines, the "From " line of a mailbox.
std::string_view without_preamble(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  for (;;) {
    while (!bytes.empty() && (bytes.front() == '\n' || bytes.front() == '\r')) bytes.remove_prefix(1);
    if (!bytes.starts_with("From ") && !bytes.starts_with(">From ")) return bytes;
    const auto end = bytes.find('\n');
    if (end == bytes.npos) return bytes;
    bytes.remove_prefix(end + 1);
  }
}

}  // namespace
}  // namespace impl

Result<ParsedMail> parse_message(std::string_view bytes) {
  if (bytes.size() > kMaxMessageBytes)
    return permanent("too_large", fmt::format("the message has more than {} MiB", kMaxMessageBytes >> 20));
  impl::start_gmime();
  std::string converted;
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    // Saved as UTF-16 by an editor.
    const auto encoding = detect_encoding(bytes);
    if (encoding) converted = decode_text(bytes.substr(encoding->bom_bytes), *encoding);
    bytes = converted;
  }
  bytes = impl::without_preamble(bytes);
  const auto end = impl::header_end(bytes);
  std::string shortened;
  bool cut = false;
  if (end > kMaxHeaderBytes) {
    cut = true;
    const auto line = bytes.rfind('\n', kMaxHeaderBytes);
    shortened = std::string(bytes.substr(0, line == bytes.npos ? 0 : line)) + std::string(bytes.substr(end));
    bytes = shortened;
  }
  const bool no_header = !impl::is_header_line(bytes.substr(0, bytes.find('\n')));
  if (bytes.find_first_not_of(" \t\r\n") == bytes.npos ||
      (no_header && !detect_encoding(bytes.substr(0, 65536))))
    return permanent("corrupt", "this is no e-mail: it has no header and no text");

  auto message = impl::construct(bytes);
  if (!message) message = impl::construct("MIME-Version: 1.0\n\n" + std::string(bytes));  // words alone
  if (!message) return permanent("corrupt", "this is no e-mail: its header cannot be read");

  ParsedMail out;
  out.structure = impl::empty_mail();
  impl::Reader reader(out);
  if (cut) reader.warn("header fields over the limit are left out");
  const auto fields = impl::fields_of(GMIME_OBJECT(message.get()));
  impl::put_headers(out.structure, fields, reader.warnings);
  if (no_header) reader.warn("no header");
  reader.read_body(message.get(), out.structure, 0);
  if (reader.calendar_part) {
    out.structure["calendarPart"] = *reader.calendar_part;
    out.structure["calendarMethod"] = reader.calendar_method;
  }
  out.structure["warnings"] = impl::to_json(reader.warnings);
  return out;
}

}  // namespace castiel::content::mail
