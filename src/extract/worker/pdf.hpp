#pragma once
// PDF by poppler: text by page in reading order, ruled tables, metadata, attached files. Blocks; one call at
// a time a thread.

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "content/documents/document.hpp"

namespace castiel::extract::worker {

inline constexpr int kMaxPdfPages = 5'000;  // more are left out, with a warning
inline constexpr int kMaxPdfSeconds = 40;   // then the pages so far, with a warning
inline constexpr int kMaxOcrPages = 20;     // of one document

// Errors: encrypted, corrupt, too_large.
Result<content::documents::ParsedDocument> parse_pdf(std::string_view bytes, std::string_view name);

}  // namespace castiel::extract::worker
