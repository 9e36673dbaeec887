#pragma once
// Transcripts of meetings and calls: WebVTT, SRT, vendors' JSON (Zoom, Gong, Fireflies, Teams, speech
// recognisers) and plain "Speaker (00:01:02): text" into one structure. Pure functions over hostile bytes;
// thread-safe.

#include <cstddef>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::content::transcripts {

inline constexpr std::size_t kMaxTranscriptBytes = 64 << 20;
inline constexpr std::size_t kMaxSegments = 200'000;           // more are dropped with a warning
inline constexpr std::size_t kMaxSegmentTextBytes = 64 << 10;  // a longer one is cut with a warning

// {"kind":"transcript","quality":"human|vendor|asr|draft","title","startedAt" (RFC 3339 or null),
//  "segments":[{"index","speaker","start","end","text"}] (seconds; "end" >= "start"; speaker "" when
//  unknown), "participants":[{"name","email","affiliation" (internal|external|"")}], "vendor":{…as
//  imported…},"format","warnings"}.
// `name` is the file's name, only a hint. Errors: unsupported (no transcript), corrupt (one that holds no
// cue), too_large.
Result<json::object> parse_transcript(std::string_view bytes, std::string_view name);

// Whether `bytes` (a file's head is enough) look like a transcript of any of these formats, 0 to 1.
double transcript_likelihood(std::string_view bytes, std::string_view name);

}  // namespace castiel::content::transcripts
