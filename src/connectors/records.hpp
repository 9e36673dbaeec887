#pragma once
// The records of the source events (FLOW-14) made from parsed structures: the one shape in which mails,
// messages, meetings and calendar entries reach the stages, whatever tool they come from. Pure; thread-safe.

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/time.hpp"

namespace castiel::connectors {

// What is known of the file or message a record came from.
struct RecordOrigin {
  std::string path;                   // of the file
  std::optional<Timestamp> modified;  // of the file
  std::string content_sha256;         // hex; the key of what has no identifier of its own
};

// integration.email.received from a parsed email. Attachments' blobUrl are the caller's to add.
json::object email_record(json::object structure, const RecordOrigin& origin);
// integration.message.received for message `m` of a parsed chat export.
json::object message_record(const json::object& chat, const json::object& m,
                            std::string_view communication_type, std::int64_t reply_count);
// integration.meeting.completed from a parsed transcript. A transcript that does not say when it was takes
// the date of its file's name, else of the file.
json::object meeting_record(json::object transcript, const RecordOrigin& origin);
// integration.event.created from an event of a parsed calendar.
json::object event_record(const json::object& event, std::string_view method);
// integration.document.detected for a file.
json::object document_record(const RecordOrigin& origin, std::string_view media_type, std::uint64_t size,
                             std::string_view blob_url);

// The day a file's name gives: "2026-10-14", "20261014", "14.10.2026".
std::optional<Date> date_in_name(std::string_view name);

}  // namespace castiel::connectors
