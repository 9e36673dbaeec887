#pragma once
// Which of content's parsers reads a file, and what is read of the files inside it. Pure but for what
// `Native` brings along; no state, any thread.

#include <functional>
#include <string_view>

#include "content/documents/document.hpp"
#include "extract/extractor.hpp"

namespace castiel::extract {

inline constexpr int kMaxNestedDepth = 3;                     // a zip in a mail in a zip
inline constexpr std::size_t kMaxNestedFiles = 200;           // of one request whose text is read
inline constexpr std::size_t kMaxNestedTextBytes = 8u << 20;  // of one request, together

// Parsers that need libraries of their own, and time that only a running program can measure.
struct Native {
  using Parser = std::function<Result<content::documents::ParsedDocument>(
      std::string_view bytes, std::string_view name, std::string_view media_type)>;
  Parser pdf, image;                    // empty: unsupported
  std::function<bool()> time_is_short;  // then no further file inside is read; empty: never
};

// {"kind":"email"|"mailbox"|"document"|"transcript"|"calendar"|"chat"|"archive", …}. A mail's text/calendar
// part is read into "calendar". An archive is
// {"kind","documentType","mimeType","title","files":[…],"warnings"}. With Request::nested_text, attachments
// and embedded files have "text", and "error":{"code","message"} where they cannot be read.
Result<Extracted> dispatch(const Request& request, const Native& native);

}  // namespace castiel::extract
