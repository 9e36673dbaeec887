#include "extract/dispatch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/utf8.hpp"
#include "content/calendar/calendar.hpp"
#include "content/chat/chat.hpp"
#include "content/documents/archive.hpp"
#include "content/mail/mbox.hpp"
#include "content/mail/message.hpp"
#include "content/mail/outlook_msg.hpp"
#include "content/sniff.hpp"
#include "content/transcripts/transcript.hpp"

namespace castiel::extract {

namespace {

using content::FileKind;
using content::Sniffed;
namespace documents = content::documents;

std::unexpected<Error> unsupported(std::string message) {
  return permanent("unsupported", std::move(message));
}

std::string_view stem(std::string_view name) {
  if (const auto slash = name.find_last_of("/\\"); slash != std::string_view::npos)
    name.remove_prefix(slash + 1);
  return name.substr(0, name.find_last_of('.'));
}

template <class Parts>
std::vector<Part> to_parts(Parts parts) {
  std::vector<Part> out;
  out.reserve(parts.size());
  for (auto& part : parts)
    out.push_back(
        {std::move(part.name), std::move(part.media_type), std::move(part.sha256), std::move(part.bytes)});
  return out;
}

// One request: the file itself, then the files inside it, within its budget of files, text and time.
class Reader {
 public:
  Reader(const Request& request, const Native& native) : request_(request), native_(native) {}

  Result<Extracted> read(const Request& request, int depth) {
    CASTIEL_ASSIGN(Extracted extracted, parse(request));
    const std::string kind = string_or(extracted.structure, "kind");
    if (kind == "email") {
      read_inside_mail(extracted.structure, extracted.parts, depth);
    } else if (kind == "mailbox") {
      if (auto* messages = array_of(extracted.structure, "messages"))
        for (auto& message : *messages)
          if (message.is_object()) read_inside_mail(message.get_object(), extracted.parts, depth);
    } else if (kind == "document") {
      read_nested(extracted.structure, "embedded", extracted.parts, depth);
    } else if (kind == "archive") {
      read_nested(extracted.structure, "files", extracted.parts, depth);
    }
    return extracted;
  }

 private:
  static json::array* array_of(json::object& object, std::string_view key) {
    auto* value = object.if_contains(key);
    return value == nullptr ? nullptr : value->if_array();
  }

  Result<Extracted> parse(const Request& request) {
    const Sniffed sniffed = content::sniff(request.bytes, {}, request.name);
    if (request.as == "email") return mail(request.bytes, sniffed);
    if (request.as == "calendar") return calendar(request.bytes);
    if (request.as == "transcript")
      return wrap(content::transcripts::parse_transcript(request.bytes, request.name));
    if (request.as == "chat") return chat(request);
    if (request.as == "archive") return archive(request, sniffed);
    if (request.as == "document") return document(request, sniffed);
    if (!request.as.empty())
      return permanent("unsupported", fmt::format("Nothing reads files as '{}'.", request.as));
    switch (sniffed.kind) {
      case FileKind::email:
      case FileKind::mailbox:
        return mail(request.bytes, sniffed);
      case FileKind::calendar:
        return calendar(request.bytes);
      case FileKind::transcript:
        return wrap(content::transcripts::parse_transcript(request.bytes, request.name));
      case FileKind::chat_export:
        return chat(request);
      case FileKind::archive:
        return archive(request, sniffed);
      case FileKind::table:
      case FileKind::document:
      case FileKind::unknown:
        return document(request, sniffed);
      case FileKind::media:
        break;
    }
    return unsupported("Sound and film are not read.");
  }

  static Result<Extracted> wrap(Result<json::object> structure) {
    if (!structure) return std::unexpected(std::move(structure.error()));
    return Extracted{std::move(*structure), {}};
  }

  Result<Extracted> mail(std::string_view bytes, const Sniffed& sniffed) {
    const auto parse_mail = [&] {
      if (content::mail::is_outlook_msg(bytes)) return content::mail::parse_outlook_msg(bytes);
      if (sniffed.kind == FileKind::mailbox || content::mail::is_mbox(bytes))
        return content::mail::parse_mailbox(bytes);
      return content::mail::parse_message(bytes);
    };
    CASTIEL_ASSIGN(auto parsed, parse_mail());
    return Extracted{std::move(parsed.structure), to_parts(std::move(parsed.parts))};
  }

  Result<Extracted> calendar(std::string_view bytes) {
    content::calendar::Options options;
    options.from = request_.from;
    options.to = request_.to;
    return wrap(content::calendar::parse_calendar(bytes, options));
  }

  static Result<Extracted> chat(const Request& request) {
    if (request.bytes.starts_with("PK")) return wrap(content::chat::parse_slack_export(request.bytes));
    return wrap(content::chat::parse_slack_day(stem(request.name), request.bytes));
  }

  Result<Extracted> document(const Request& request, const Sniffed& sniffed) {
    const bool pdf = sniffed.document_type == "pdf", image = sniffed.document_type == "image";
    const auto& parser = pdf ? native_.pdf : native_.image;
    if ((pdf || image) && !parser) return unsupported("Nothing here reads PDF files or pictures.");
    const auto parse_it = [&] {
      return pdf || image ? parser(request.bytes, request.name, sniffed.media_type)
                          : documents::parse_document(request.bytes, request.name);
    };
    CASTIEL_ASSIGN(auto parsed, parse_it());
    return Extracted{std::move(parsed.structure), to_parts(std::move(parsed.parts))};
  }

  static Result<Extracted> archive(const Request& request, const Sniffed& sniffed) {
    CASTIEL_ASSIGN(auto unpacked, documents::unpack_archive(request.bytes, request.name));
    auto& members = unpacked.members;
    if (unpacked.breaks_off) {
      return permanent("corrupt", fmt::format("the archive breaks off after {} files; nothing of it was read",
                                              members.size()));
    }
    Extracted extracted;
    json::array files;
    for (auto& member : members) {
      const auto inside = content::sniff(member.bytes, {}, member.name);
      Part part{std::move(member.name), inside.media_type, sha256_hex(member.bytes), std::move(member.bytes)};
      files.push_back({{"name", part.name},
                       {"mimeType", part.media_type},
                       {"size", part.bytes.size()},
                       {"sha256", part.sha256},
                       {"damaged", member.damaged},
                       {"part", extracted.parts.size()}});
      extracted.parts.push_back(std::move(part));
    }
    extracted.structure = {{"kind", "archive"},
                           {"documentType", sniffed.document_type},
                           {"mimeType", sniffed.media_type},
                           {"title", request.name},
                           {"files", std::move(files)},
                           {"warnings", json::array()}};
    return extracted;
  }

  void read_inside_mail(json::object& email, const std::vector<Part>& parts, int depth) {
    read_calendar(email, parts);
    read_nested(email, "attachments", parts, depth);
  }

  // An invitation is a part of its own, or, from some programs, only an attached file.
  void read_calendar(json::object& email, const std::vector<Part>& parts) {
    std::int64_t index = int_or(email, "calendarPart", -1);
    if (const auto* attachments = get_array(email, "attachments"); index < 0 && attachments != nullptr) {
      for (const auto& item : *attachments) {
        const auto* attachment = item.if_object();
        if (attachment == nullptr) continue;
        const auto type = string_or(*attachment, "mimeType");
        if (type == "text/calendar" || type == "application/ics") index = int_or(*attachment, "part", -1);
      }
    }
    if (index < 0 || static_cast<std::size_t>(index) >= parts.size()) return;
    if (auto read = calendar(parts[static_cast<std::size_t>(index)].bytes)) {
      email["calendar"] = std::move(read->structure);
    } else {
      warn(email, fmt::format("the calendar in it is not readable: {}", read.error().code));
    }
  }

  static void warn(json::object& structure, std::string text) {
    if (auto* warnings = array_of(structure, "warnings"))
      warnings->emplace_back(text);
    else
      structure["warnings"] = json::array{json::value(text)};
  }

  void read_nested(json::object& structure, std::string_view list, const std::vector<Part>& parts,
                   int depth) {
    if (!request_.nested_text || depth >= kMaxNestedDepth) return;
    auto* files = array_of(structure, list);
    if (files == nullptr) return;
    std::size_t left_out = 0;
    for (auto& item : *files) {
      auto* file = item.if_object();
      if (file == nullptr || file->contains("text")) continue;
      const auto index = int_or(*file, "part", -1);
      if (index < 0 || static_cast<std::size_t>(index) >= parts.size()) continue;
      if (!may_read_more()) {
        ++left_out;
        continue;
      }
      ++files_;
      add_text(*file, parts[static_cast<std::size_t>(index)], depth);
    }
    if (left_out > 0) warn(structure, fmt::format("{} files inside it were not read", left_out));
  }

  bool may_read_more() const {
    return files_ < kMaxNestedFiles && text_bytes_ < kMaxNestedTextBytes &&
           !(native_.time_is_short && native_.time_is_short());
  }

  void add_text(json::object& file, const Part& part, int depth) {
    Request inner;
    inner.name = part.name;
    inner.media_type = part.media_type;
    inner.bytes = part.bytes;
    const auto outcome = read(inner, depth + 1);
    if (!outcome) {
      file["text"] = "";
      file["error"] = {{"code", outcome.error().code}, {"message", outcome.error().message}};
      return;
    }
    std::string text = words_of(outcome->structure);
    text.resize(utf8_prefix(text, kMaxNestedTextBytes - std::min(text_bytes_, kMaxNestedTextBytes)).size());
    text_bytes_ += text.size();
    file["text"] = std::move(text);
  }

  // All the words of a structure, for search and reading: its own and those of the files inside.
  static std::string words_of(const json::object& structure) {
    std::string text;
    const auto add = [&](std::string_view more) {
      if (more.empty()) return;
      if (!text.empty()) text += '\n';
      text += more;
    };
    add(get_string(structure, "subject").value_or(""));
    add(get_string(structure, "text").value_or(""));
    for (const char* list : {"messages", "segments", "events", "attachments", "embedded", "files"}) {
      const auto* items = get_array(structure, list);
      if (items == nullptr) continue;
      for (const auto& item : *items) {
        const auto* object = item.if_object();
        if (object == nullptr || bool_or(*object, "inline", false)) continue;
        add(get_string(*object, "subject").value_or(get_string(*object, "title").value_or("")));
        add(get_string(*object, "text").value_or(get_string(*object, "description").value_or("")));
      }
    }
    return text;
  }

  const Request& request_;
  const Native& native_;
  std::size_t files_ = 0, text_bytes_ = 0;
};

}  // namespace

Result<Extracted> dispatch(const Request& request, const Native& native) {
  return Reader(request, native).read(request, 0);
}

}  // namespace castiel::extract
