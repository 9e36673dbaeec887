#pragma once
// Who spoke when: the segments of a transcript as a timeline, and the measures taken from it.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace castiel::content::transcripts::impl {

enum class Side { unknown, internal, external };
std::string_view to_string(Side side);

struct Utterance {
  std::size_t index = 0;  // of the segment
  std::size_t speaker = 0;
  double start = 0, end = 0;
  std::size_t words = 0;
  std::string_view text;
  double length() const { return end - start; }
};

struct Talk {
  std::vector<std::string> speakers;  // by first appearance
  std::vector<Side> sides;            // of each speaker
  std::vector<Utterance> utterances;  // by start
};

// An utterance that holds nobody up: under a second and under three words.
bool is_back_channel(const Utterance& utterance);

std::vector<double> talk_times(const Talk& talk);
// Group of each speaker: its own, or its side. The longest run of each group's speech, in seconds;
// back-channels of others do not break it.
std::vector<double> longest_monologues(const Talk& talk, const std::vector<std::size_t>& group,
                                       std::size_t groups);
// How often each speaker cut another one off: begins, with at least three words, 0.5 s or more before the end
// of someone who then stops within two seconds.
std::vector<std::size_t> interruptions(const Talk& talk);
// Changes between groups, without back-channels.
std::size_t switches(const Talk& talk, const std::vector<std::size_t>& group);
// The median pause before a group answers another, in seconds; below 0 when it never does.
double patience(const Talk& talk, const std::vector<std::size_t>& group, std::size_t of);

}  // namespace castiel::content::transcripts::impl
