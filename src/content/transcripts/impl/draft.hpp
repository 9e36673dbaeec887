#pragma once
// What the readers of the formats hand over, before times are filled in and limits applied.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::content::transcripts::impl {

struct Cue {
  std::string speaker;
  std::optional<double> start, end;  // seconds
  std::string text;
};

struct Participant {
  std::string name, email, affiliation;  // internal, external or empty
};

struct Draft {
  std::string format;   // vtt, srt, text, or the vendor
  std::string quality;  // empty: by the words themselves
  std::string title, started_at;
  std::vector<Cue> cues;
  std::vector<Participant> participants;
  json::object vendor;
  std::vector<std::string> warnings;
};

// Errors: corrupt, unsupported.
Result<Draft> read_cues(std::string_view text);  // WebVTT and SRT
Result<Draft> read_json(std::string_view text);
Result<Draft> read_plain(std::string_view text);

// "01:02:03.456", "2:03", "02:03,4"; nothing for anything else.
std::optional<double> clock_time(std::string_view text);
// How many times a text looks like the start of a turn in a plain transcript.
std::size_t plain_turns(std::string_view text, std::size_t limit);
std::string_view trim(std::string_view text);
std::string collapse_spaces(std::string_view text);
std::size_t count_words(std::string_view text);
// "Name: text" where the part before the colon may be a name; the view's parts.
struct NamedText {
  std::string_view name, rest;
};
std::optional<NamedText> split_name(std::string_view text);

}  // namespace castiel::content::transcripts::impl
