#pragma once
// The port behind which hostile bytes are parsed: a sandboxed worker program in the product
// (make_worker_pool), the parsers themselves in the simulator (testing/). Calls block up to their deadline;
// thread-safe.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::extract {

struct Request {
  std::string as;          // document, email, transcript, calendar, chat, archive, or empty: by content
  std::string name;        // file name, a hint
  std::string media_type;  // a hint, may be empty
  std::string_view bytes;
  bool nested_text = false;      // also read the text of attachments and embedded files (for `inspect`)
  std::optional<Date> from, to;  // calendar: occurrences in [from, to)
};

// A file inside the file: an attachment, an archive's member.
struct Part {
  std::string name;
  std::string media_type;
  std::string sha256;  // hex
  std::string bytes;
};

struct Extracted {
  // By kind, the parsed part of what `castiel inspect` shows; what analysis adds (language, action items, …)
  // is not in it. `attachments[]` and `embedded[]` have "part": the index into `parts`.
  json::object structure;
  std::vector<Part> parts;
};

class Extractor {
 public:
  virtual ~Extractor() = default;
  // Errors, permanent: encrypted, corrupt, too_large, bomb, unsupported, infected, timeout (over the limit
  // for one file, whatever the deadline), crashed (the worker died of it twice). Transient:
  // extractor_unavailable; deadline.
  virtual Result<Extracted> extract(const Request& request, Deadline deadline) = 0;
};

}  // namespace castiel::extract
