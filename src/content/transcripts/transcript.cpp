#include "content/transcripts/transcript.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.hpp"
#include "content/impl/valid_text.hpp"
#include "content/transcripts/impl/draft.hpp"

namespace castiel::content::transcripts {
namespace {

constexpr double kWordsPerSecond = 2.5;  // where a transcript has no times
constexpr std::size_t kMaxWarnings = 50;

double rounded(double seconds) {
  return std::round(seconds * 1000) / 1000;
}

// Times for all: the next one's start ends a segment without an end, as far as its words reach; segments
// without any time follow one another at the usual speed.
bool settle(std::vector<impl::Cue>& cues) {
  const bool timed = std::ranges::any_of(cues, [](const impl::Cue& c) { return c.start.has_value(); });
  double at = 0;
  for (std::size_t i = 0; i < cues.size(); ++i) {
    auto& cue = cues[i];
    const double spoken = std::max(0.4, static_cast<double>(impl::count_words(cue.text)) / kWordsPerSecond);
    if (!cue.start) cue.start = at;
    if (!cue.end) {
      cue.end = *cue.start + spoken;
      if (timed && i + 1 < cues.size() && cues[i + 1].start && *cues[i + 1].start >= *cue.start)
        cue.end = *cues[i + 1].start;
    }
    cue.end = std::max(*cue.start, *cue.end);
    at = *cue.end;
  }
  return timed;
}

// Recognisers write no capitals and no full stops where they do not know better; people do.
std::string quality_of(const impl::Draft& draft, std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower.find("draft") != std::string::npos) return "draft";
  if (!draft.quality.empty()) return draft.quality;
  std::size_t marks = 0, capitals = 0, words = 0;
  for (const auto& cue : draft.cues) {
    words += impl::count_words(cue.text);
    for (const char c : cue.text) {
      marks += c == '.' || c == '?' || c == '!' || c == ',' ? 1 : 0;
      capitals += c >= 'A' && c <= 'Z' ? 1 : 0;
    }
  }
  if (words >= 20 && marks * 100 < words && capitals * 100 < words * 2) return "asr";
  return "human";
}

bool looks_timed(std::string_view head) {
  const auto arrow = head.find("-->");
  if (arrow == std::string_view::npos) return false;
  const auto line_start = head.rfind('\n', arrow);
  const auto before = head.substr(line_start == std::string_view::npos ? 0 : line_start + 1,
                                  arrow - (line_start == std::string_view::npos ? 0 : line_start + 1));
  return impl::clock_time(before).has_value();
}

json::object participant_json(const impl::Participant& person) {
  return {{"name", person.name}, {"email", person.email}, {"affiliation", person.affiliation}};
}

}  // namespace

Result<json::object> parse_transcript(std::string_view bytes, std::string_view name) {
  if (bytes.size() > kMaxTranscriptBytes)
    return permanent("too_large", fmt::format("a transcript of more than {} MiB", kMaxTranscriptBytes >> 20));
  const std::string text = content::impl::text_of(bytes);
  const auto body = impl::trim(text);
  if (body.empty()) return permanent("corrupt", "an empty file");
  auto read = body.front() == '{' || body.front() == '['        ? impl::read_json(body)
              : body.starts_with("WEBVTT") || looks_timed(body) ? impl::read_cues(body)
                                                                : impl::read_plain(body);
  // "[00:01] Jane: …" begins like JSON.
  if (!read && body.front() == '[' && impl::plain_turns(body, 200) > 0) read = impl::read_plain(body);
  CASTIEL_ASSIGN(auto draft, std::move(read));
  if (draft.cues.size() > kMaxSegments) {
    draft.warnings.push_back(fmt::format("more than {} segments; the rest was left out", kMaxSegments));
    draft.cues.resize(kMaxSegments);
  }
  const bool timed = settle(draft.cues);
  if (!timed && !draft.cues.empty())
    draft.warnings.push_back("the transcript has no times; they are estimated from its words");
  json::array segments;
  segments.reserve(draft.cues.size());
  for (const auto& cue : draft.cues) {
    std::string_view words = cue.text;
    if (words.size() > kMaxSegmentTextBytes) {
      words = utf8_prefix(words, kMaxSegmentTextBytes);
      draft.warnings.push_back("a segment that is too long was cut");
    }
    segments.push_back(json::object{{"index", segments.size()},
                                    {"speaker", utf8_prefix(cue.speaker, 200)},
                                    {"start", rounded(*cue.start)},
                                    {"end", rounded(*cue.end)},
                                    {"text", words}});
  }
  json::array participants, warnings;
  for (const auto& person : draft.participants) participants.push_back(participant_json(person));
  for (std::size_t i = 0; i < std::min(draft.warnings.size(), kMaxWarnings); ++i)
    warnings.push_back(json::string(draft.warnings[i]));
  json::value started = nullptr;
  if (!draft.started_at.empty()) started = json::string(draft.started_at);
  return json::object{{"kind", "transcript"},
                      {"quality", quality_of(draft, name)},
                      {"title", utf8_prefix(draft.title, 1000)},
                      {"startedAt", std::move(started)},
                      {"segments", std::move(segments)},
                      {"participants", std::move(participants)},
                      {"vendor", std::move(draft.vendor)},
                      {"format", draft.format},
                      {"timesEstimated", !timed},
                      {"warnings", std::move(warnings)}};
}

double transcript_likelihood(std::string_view bytes, std::string_view name) {
  const std::string text = content::impl::text_of(bytes.substr(0, 64 << 10));
  const auto head = impl::trim(text);
  if (head.starts_with("WEBVTT")) return 1;
  if (head.empty()) return 0;
  const bool named = name.ends_with(".vtt") || name.ends_with(".srt");
  if (looks_timed(head.substr(0, 4096))) return 0.95;
  if (named) return 0.6;
  if (head.front() == '{' || head.front() == '[') {
    const auto has = [&](std::string_view word) { return head.find(word) != std::string_view::npos; };
    const bool words = has("\"text\"") || has("\"transcript\"") || has("\"sentence\"") || has("\"content\"");
    const bool speakers = has("\"speaker") || has("\"speakerId\"") || has("_speaker");
    const bool turns = has("\"sentences\"") || has("\"utterances\"") || has("\"segments\"") ||
                       has("\"monologues\"") || has("callTranscripts") || has("\"meeting_transcripts\"") ||
                       has("\"start");
    if (words && speakers && turns) return 0.9;
    if (words && has("\"segments\"") && has("\"start\"")) return 0.8;
    if (head.front() == '{') return 0;
  }
  return impl::plain_turns(head, 400) > 0 ? 0.7 : 0;
}

}  // namespace castiel::content::transcripts
