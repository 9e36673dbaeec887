#pragma once
// When a talk began, as the lines above its words say it.

#include <string>
#include <string_view>

namespace castiel::content::transcripts::impl {

// RFC 3339 UTC, or empty: of a time stamp ("2026-10-27T09:30:00-04:00"), else of a line such as "Date: 27
// October 2026" or "Datum: 27.10.2026, 9:30"; a day alone counts as its noon, which is the same day in most
// zones. A date within a sentence says nothing about when it was said.
std::string start_in_notes(std::string_view notes);

}  // namespace castiel::content::transcripts::impl
