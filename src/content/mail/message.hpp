#pragma once
// One e-mail (RFC 5322, MIME) as a structure and the bytes of its parts. Pure: no files, clock or network;
// any number of threads. Hostile bytes give a structure with warnings, or an error; never a crash or endless
// work.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::content::mail {

inline constexpr std::size_t kMaxMessageBytes = 160U << 20;  // of a whole message, coded parts included
inline constexpr std::size_t kMaxHeaderBytes = 1U << 20;  // of one header block; the rest of it is left out
inline constexpr std::size_t kMaxHeaders = 2'000;         // of one header block
inline constexpr std::size_t kMaxMimeDepth = 24;          // multiparts and messages inside each other
inline constexpr std::size_t kMaxMimeParts = 1'000;       // leaves of one message
inline constexpr std::size_t kMaxTextBytes = 8U << 20;    // of `text` and of `html`, each
inline constexpr std::size_t kMaxAddresses = 5'000;       // of one field

// An attachment's content, decoded.
struct MailPart {
  std::string name;
  std::string media_type;
  std::string sha256;  // hex
  std::string bytes;
};

struct ParsedMail {
  // {"kind":"email","messageId","inReplyTo","references","from","replyTo","to","cc","bcc","subject","sentAt",
  // "receivedAt","text","html","attachments":[{"name","mimeType","size","sha256","contentId","inline","part"}],
  // "calendar":null,"headers":{"lower-case-name":["value"]},"warnings"}. "part" is an index into `parts`;
  // "calendarPart", present with "calendarMethod" when the mail has a text/calendar part, too. A message
  // inside the message is an attachment with "text" (its own words) and "subject". Times are RFC 3339 UTC.
  json::object structure;
  std::vector<MailPart> parts;
};

// Errors: too_large (more than kMaxMessageBytes), corrupt (no header and no text: nothing of a mail).
Result<ParsedMail> parse_message(std::string_view bytes);

}  // namespace castiel::content::mail
