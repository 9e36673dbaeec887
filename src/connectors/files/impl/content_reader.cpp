#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/digest.hpp"
#include "base/utf8.hpp"
#include "connectors/files/content_source.hpp"
#include "connectors/records.hpp"
#include "content/mail/mbox.hpp"
#include "model/event_types.hpp"

namespace castiel::connectors {

namespace {

using content::FileKind;

constexpr std::size_t kSniffBytes = 64 << 10;
constexpr std::size_t kChunkBytes = 256 << 10;
constexpr auto kExtraction = std::chrono::seconds(90);  // the extractor's own limit for a file is shorter

Result<std::string> read_some(ByteStream& stream, std::uint64_t offset, std::size_t count) {
  CASTIEL_TRY(stream.seek(offset));
  std::string bytes(count, '\0');
  std::size_t got = 0;
  while (got < count) {
    CASTIEL_ASSIGN(const std::size_t n, stream.read({bytes.data() + got, count - got}));
    if (n == 0) break;
    got += n;
  }
  bytes.resize(got);
  return bytes;
}

std::unexpected<Error> file_changed(const std::string& path) {
  return permanent("file_changed", fmt::format("'{}' changed while it was read: import it again", path));
}

Result<std::string> read_all(FileSystem& files, const std::string& path) {
  CASTIEL_ASSIGN(const auto stream, files.open(path));
  if (stream->size() > kMaxContentFileBytes) {
    return permanent("too_large", fmt::format("'{}' has {} bytes; files of its kind are read up to {}", path,
                                              stream->size(), kMaxContentFileBytes));
  }
  CASTIEL_ASSIGN(auto bytes, read_some(*stream, 0, static_cast<std::size_t>(stream->size())));
  if (bytes.size() != stream->size()) return file_changed(path);
  return bytes;
}

std::string_view extractor_kind(FileKind kind) {
  switch (kind) {
    case FileKind::email:
      return "email";
    case FileKind::calendar:
      return "calendar";
    case FileKind::transcript:
      return "transcript";
    case FileKind::chat_export:
      return "chat";
    default:
      return "";
  }
}

}  // namespace

Result<content::Sniffed> sniff_file(FileSystem& files, const std::string& path) {
  CASTIEL_ASSIGN(const auto stream, files.open(path));
  const std::uint64_t size = stream->size();
  CASTIEL_ASSIGN(const auto head, read_some(*stream, 0, kSniffBytes));
  std::string tail;
  if (size > kSniffBytes) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kSniffBytes, size - kSniffBytes));
    CASTIEL_ASSIGN(tail, read_some(*stream, size - count, count));
  }
  return content::sniff(head, tail, path.substr(path.rfind('/') + 1));
}

bool is_content(const content::Sniffed& sniffed) {
  switch (sniffed.kind) {
    case FileKind::email:
    case FileKind::mailbox:
    case FileKind::calendar:
    case FileKind::transcript:
    case FileKind::chat_export:
    case FileKind::document:
      return true;
    default:
      return false;
  }
}

struct ContentReader::State {
  ContentParts parts;
  ListedFile file;
  content::Sniffed sniffed;
  std::string sha256;
  std::uint64_t size = 0;
  RecordOrigin origin;
  Cursor at;
  bool done = false;

  // Of a file that is held whole.
  std::string bytes;
  json::object structure;
  std::vector<extract::Part> parsed_parts;
  json::object source;  // of all its records

  // Of a mailbox.
  std::unique_ptr<ByteStream> stream;
  std::optional<content::mail::MboxSplitter> splitter;
  std::uint64_t stream_position = 0;
  bool stream_ended = false;

  std::string name() const { return file.path.substr(file.path.rfind('/') + 1); }
  Result<extract::Extracted> extract(std::string_view as, std::string_view of) const {
    extract::Request request;
    request.as = as;
    request.name = as == "chat" ? file.path : name();
    request.media_type = sniffed.media_type;
    request.bytes = of;
    return parts.extractor->extract(request, Deadline::after(*parts.clock, kExtraction));
  }
  Result<json::object> source_of(std::string_view of) const;
  Result<> add(ContentPage& page, std::string_view event, json::object record, std::uint64_t line) const;
  Result<json::object> email(extract::Extracted extracted, std::string_view raw) const;
  Result<> hash_stream();
  Result<> open_whole();
  Result<std::optional<ContentPage>> whole_page();
  Result<std::optional<ContentPage>> list_page(std::size_t max_records, std::size_t max_bytes);
  Result<std::optional<ContentPage>> mailbox_page(std::size_t max_records, std::size_t max_bytes);
  Result<bool> next_mail(content::mail::MboxMessage& message);
};

// The bytes as they were sent: inside the record while they are small, else in the blob store.
Result<json::object> ContentReader::State::source_of(std::string_view of) const {
  if (of.size() <= kMaxInlineSourceBytes) {
    if (is_utf8(of)) return json::object{{"encoding", "utf-8"}, {"text", of}};
    return json::object{{"encoding", "base64"}, {"text", to_base64(of)}};
  }
  CASTIEL_ASSIGN(const auto ref, parts.blobs->put(parts.tenant, of));
  return json::object{
      {"blobUrl", ref.url}, {"size", static_cast<std::int64_t>(ref.size)}, {"sha256", ref.sha256}};
}

Result<> ContentReader::State::add(ContentPage& page, std::string_view event, json::object record,
                                   std::uint64_t line) const {
  record["line"] = static_cast<std::int64_t>(line);
  if (const auto text = json::serialize(record); text.size() > parts.max_inline_record_bytes) {
    CASTIEL_ASSIGN(const auto ref, parts.blobs->put(parts.tenant, text));
    record = {
        {"key", record["key"]},
        {"line", static_cast<std::int64_t>(line)},
        {"claim", {{"url", ref.url}, {"size", static_cast<std::int64_t>(ref.size)}, {"sha256", ref.sha256}}}};
  }
  page.records.push_back({event, std::move(record)});
  return {};
}

// The record of a parsed mail; its attachments go to the blob store.
Result<json::object> ContentReader::State::email(extract::Extracted extracted, std::string_view raw) const {
  if (auto* attachments = extracted.structure.if_contains("attachments");
      attachments != nullptr && attachments->is_array()) {
    for (auto& item : attachments->get_array()) {
      auto& attachment = item.get_object();
      const auto index = static_cast<std::size_t>(int_or(attachment, "part", -1));
      attachment.erase("part");
      if (index >= extracted.parts.size() || extracted.parts[index].bytes.empty()) continue;
      CASTIEL_ASSIGN(const auto ref, parts.blobs->put(parts.tenant, extracted.parts[index].bytes));
      attachment["blobUrl"] = ref.url;
    }
  }
  RecordOrigin from = origin;
  from.content_sha256 = sha256_hex(raw);
  auto record = email_record(std::move(extracted.structure), from);
  CASTIEL_ASSIGN(record["source"], source_of(raw));
  return record;
}

Result<> ContentReader::State::hash_stream() {
  Sha256 hash;
  std::string chunk(kChunkBytes, '\0');
  for (;;) {
    CASTIEL_ASSIGN(const std::size_t n, stream->read({chunk.data(), chunk.size()}));
    if (n == 0) break;
    hash.update({chunk.data(), n});
    size += n;
  }
  const auto digest = hash.finish();
  sha256 = to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
  return {};
}

Result<> ContentReader::State::open_whole() {
  CASTIEL_ASSIGN(bytes, read_all(*parts.files, file.path));
  size = bytes.size();
  sha256 = sha256_hex(bytes);
  return {};
}

Result<ContentReader> ContentReader::open(ContentParts parts, const ListedFile& file,
                                          content::Sniffed sniffed) {
  auto state = std::make_unique<State>();
  auto& s = *state;
  s.parts = std::move(parts);
  s.file = file;
  s.sniffed = std::move(sniffed);
  if (s.sniffed.kind == FileKind::mailbox) {
    CASTIEL_ASSIGN(s.stream, s.parts.files->open(file.path));
    CASTIEL_TRY(s.hash_stream());
    CASTIEL_TRY(s.stream->seek(0));
    s.splitter.emplace();
  } else {
    CASTIEL_TRY(s.open_whole());
  }
  s.origin = {file.path, file.modified, s.sha256};
  return ContentReader(std::move(state));
}

ContentReader::ContentReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ContentReader::~ContentReader() = default;
ContentReader::ContentReader(ContentReader&&) noexcept = default;
ContentReader& ContentReader::operator=(ContentReader&&) noexcept = default;
const std::string& ContentReader::path() const {
  return state_->file.path;
}
const std::string& ContentReader::sha256() const {
  return state_->sha256;
}
std::uint64_t ContentReader::size() const {
  return state_->size;
}
const content::Sniffed& ContentReader::sniffed() const {
  return state_->sniffed;
}
bool ContentReader::is_single() const {
  const auto kind = state_->sniffed.kind;
  return kind == FileKind::email || kind == FileKind::document || kind == FileKind::transcript;
}

// Mail, document, transcript: one record.
Result<std::optional<ContentPage>> ContentReader::State::whole_page() {
  if (done) return std::nullopt;
  ContentPage page;
  if (sniffed.kind == FileKind::document) {
    CASTIEL_ASSIGN(const auto ref, parts.blobs->put(parts.tenant, bytes));
    CASTIEL_TRY(add(page, model::event::kDocumentDetected,
                    document_record(origin, sniffed.media_type, size, ref.url), 0));
  } else {
    CASTIEL_ASSIGN(auto extracted, extract(extractor_kind(sniffed.kind), bytes));
    if (sniffed.kind == FileKind::email) {
      CASTIEL_ASSIGN(auto record, email(std::move(extracted), bytes));
      CASTIEL_TRY(add(page, model::event::kEmailReceived, std::move(record), 0));
    } else {
      auto record = meeting_record(std::move(extracted.structure), origin);
      CASTIEL_ASSIGN(record["source"], source_of(bytes));
      CASTIEL_TRY(add(page, model::event::kMeetingCompleted, std::move(record), 0));
    }
  }
  done = true;
  at = {size, 1, 1};
  page.after = at;
  page.bytes_read = page.bytes_total = size;
  return page;
}

// Calendar and chat export: a list that is parsed at once and handed out in pages. The cursor counts its
// items.
Result<std::optional<ContentPage>> ContentReader::State::list_page(std::size_t max_records,
                                                                   std::size_t max_bytes) {
  const bool chat = sniffed.kind == FileKind::chat_export;
  if (structure.empty()) {
    CASTIEL_ASSIGN(auto extracted, extract(extractor_kind(sniffed.kind), bytes));
    structure = std::move(extracted.structure);
    const auto* items = get_array(structure, chat ? "messages" : "events");
    // Many records share one file: it is kept once.
    if (items != nullptr && items->size() == 1 && !chat) {
      CASTIEL_ASSIGN(source, source_of(bytes));
    } else {
      CASTIEL_ASSIGN(const auto ref, parts.blobs->put(parts.tenant, bytes));
      source = {{"blobUrl", ref.url}, {"size", static_cast<std::int64_t>(ref.size)}, {"sha256", ref.sha256}};
    }
    bytes.clear();
  }
  const auto* items = get_array(structure, chat ? "messages" : "events");
  const std::size_t total = items == nullptr ? 0 : items->size();
  if (done) return std::nullopt;
  std::map<std::string, std::int64_t> replies;
  if (chat) {
    for (const auto& item : *items) {
      const auto& m = item.get_object();
      const auto thread = string_or(m, "threadTs");
      if (!thread.empty() && thread != string_or(m, "ts")) ++replies[string_or(m, "channel") + ":" + thread];
    }
  }
  ContentPage page;
  if (const auto* warnings = get_array(structure, "warnings"); warnings != nullptr && at.records == 0) {
    for (const auto& warning : *warnings) {
      if (warning.is_string())
        page.problems.push_back(
            {file.path, 0, "partly_understood", std::string(warning.get_string()), {}, false});
    }
  }
  std::size_t bytes_in_page = 0;
  std::size_t index = static_cast<std::size_t>(at.records);
  for (; index < total && page.records.size() < max_records && bytes_in_page < max_bytes; ++index) {
    const auto& item = (*items)[index].get_object();
    json::object record;
    if (chat) {
      const auto it = replies.find(string_or(item, "channel") + ":" + string_or(item, "ts"));
      record = message_record(structure, item, "slack_message", it == replies.end() ? 0 : it->second);
      record["source"] = source;
    } else {
      record = event_record(item, string_or(structure, "method"));
      record["source"] = source;
    }
    bytes_in_page += json::serialize(record).size();
    CASTIEL_TRY(
        add(page, chat ? model::event::kMessageReceived : model::event::kEventCreated, std::move(record), 0));
  }
  if (total == 0) {
    page.problems.push_back({file.path,
                             0,
                             "no_records",
                             fmt::format("'{}' has no {}", file.path, chat ? "messages" : "calendar entries"),
                             {},
                             false});
  }
  done = index >= total;
  at.records = index;
  page.after = at;
  page.bytes_total = size;
  page.bytes_read = total == 0 || done ? size : size / total * index;
  return page;
}

Result<bool> ContentReader::State::next_mail(content::mail::MboxMessage& message) {
  std::string chunk;
  while (!splitter->next(message)) {
    if (stream_ended) return false;
    chunk.resize(kChunkBytes);
    CASTIEL_ASSIGN(const std::size_t n, stream->read({chunk.data(), chunk.size()}));
    if (n == 0) {
      if (stream_position != size) return file_changed(file.path);
      stream_ended = true;
      splitter->finish();
    } else {
      stream_position += n;
      if (stream_position > size) return file_changed(file.path);
      splitter->push({chunk.data(), n});
    }
  }
  return true;
}

Result<std::optional<ContentPage>> ContentReader::State::mailbox_page(std::size_t max_records,
                                                                      std::size_t max_bytes) {
  ContentPage page;
  std::size_t bytes_in_page = 0, taken = 0;
  while (!done && taken < max_records && bytes_in_page < max_bytes) {
    content::mail::MboxMessage message;
    CASTIEL_ASSIGN(const bool more, next_mail(message));
    if (!more) {
      done = true;
      break;
    }
    ++taken;
    ++at.records;
    at.offset = message.end_offset;
    bytes_in_page += message.bytes.size();
    const auto lose = [&](const Error& error) {
      page.problems.push_back({file.path, at.records, error.code,
                               fmt::format("mail {} of the mailbox: {}", at.records, error.describe()),
                               message.bytes.substr(0, kMaxInlineSourceBytes), true});
    };
    if (message.truncated) {
      lose({"too_large",
            fmt::format("it has more than {} bytes", content::mail::kMaxMessageBytes),
            ErrorClass::permanent,
            {}});
      continue;
    }
    auto extracted = extract("email", message.bytes);
    if (!extracted && extracted.error().cls != ErrorClass::permanent)
      return std::unexpected(extracted.error());
    if (!extracted) {
      lose(extracted.error());
      continue;
    }
    CASTIEL_ASSIGN(auto record, email(std::move(*extracted), message.bytes));
    // The number in the mailbox serves as the line.
    CASTIEL_TRY(add(page, model::event::kEmailReceived, std::move(record), at.records));
  }
  if (taken == 0) return std::nullopt;
  page.after = at;
  page.bytes_read = done ? size : at.offset;
  page.bytes_total = size;
  return page;
}

Result<std::optional<ContentPage>> ContentReader::next_page(std::size_t max_records, std::size_t max_bytes) {
  switch (state_->sniffed.kind) {
    case FileKind::mailbox:
      return state_->mailbox_page(max_records, max_bytes);
    case FileKind::calendar:
    case FileKind::chat_export:
      return state_->list_page(max_records, max_bytes);
    default:
      return state_->whole_page();
  }
}

Result<> ContentReader::seek(const Cursor& cursor) {
  auto& s = *state_;
  s.at = cursor;
  if (s.sniffed.kind == FileKind::mailbox) {
    CASTIEL_TRY(s.stream->seek(cursor.offset));
    s.splitter.emplace(cursor.offset);
    s.stream_position = cursor.offset;
    s.stream_ended = false;
  } else if (is_single()) {
    s.done = cursor.records > 0;
  }
  return {};
}

}  // namespace castiel::connectors
