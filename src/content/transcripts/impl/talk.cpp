#include "content/transcripts/impl/talk.hpp"

#include <algorithm>
#include <optional>

namespace castiel::content::transcripts::impl {
namespace {

constexpr double kShortSeconds = 1.0;  // of a back-channel
constexpr std::size_t kShortWords = 3;
constexpr double kOverlapSeconds = 0.5;  // of an interruption, at least
constexpr double kStopsWithinSeconds = 2.0;
constexpr double kSamePauseSeconds = 0.25;  // cues so near are one utterance

}  // namespace

std::string_view to_string(Side side) {
  return side == Side::internal ? "internal" : side == Side::external ? "external" : "unknown";
}

bool is_back_channel(const Utterance& utterance) {
  return utterance.length() < kShortSeconds && utterance.words < kShortWords;
}

std::vector<double> talk_times(const Talk& talk) {
  std::vector<double> times(talk.speakers.size(), 0.0);
  for (const auto& one : talk.utterances) times[one.speaker] += one.length();
  return times;
}

std::vector<double> longest_monologues(const Talk& talk, const std::vector<std::size_t>& group,
                                       std::size_t groups) {
  std::vector<double> longest(groups, 0.0);
  std::optional<std::size_t> current;
  double run = 0;
  for (const auto& one : talk.utterances) {
    const auto own = group[one.speaker];
    if (current && own != *current) {
      if (is_back_channel(one)) {
        longest[own] = std::max(longest[own], one.length());
        continue;
      }
      run = 0;
    }
    current = own;
    run += one.length();
    longest[own] = std::max(longest[own], run);
  }
  return longest;
}

std::vector<std::size_t> interruptions(const Talk& talk) {
  // Cues of one speaker that touch are one stretch of speech.
  struct Stretch {
    std::size_t speaker, words;
    double start, end;
  };
  std::vector<Stretch> stretches;
  std::vector<std::optional<std::size_t>> open(talk.speakers.size());
  for (const auto& one : talk.utterances) {
    auto& last = open[one.speaker];
    if (last && one.start - stretches[*last].end <= kSamePauseSeconds) {
      stretches[*last].end = std::max(stretches[*last].end, one.end);
      stretches[*last].words += one.words;
    } else {
      last = stretches.size();
      stretches.push_back({one.speaker, one.words, one.start, one.end});
    }
  }
  std::vector<std::size_t> counts(talk.speakers.size(), 0);
  std::vector<std::optional<std::size_t>> latest(talk.speakers.size());  // each speaker's last stretch so far
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    const auto& own = stretches[i];
    if (own.words >= kShortWords) {
      const bool cuts = std::ranges::any_of(latest, [&](const auto& other) {
        if (!other || stretches[*other].speaker == own.speaker) return false;
        const double over = stretches[*other].end - own.start;
        return stretches[*other].start < own.start && over >= kOverlapSeconds && over <= kStopsWithinSeconds;
      });
      counts[own.speaker] += cuts ? 1 : 0;
    }
    latest[own.speaker] = i;
  }
  return counts;
}

std::size_t switches(const Talk& talk, const std::vector<std::size_t>& group) {
  std::size_t count = 0;
  std::optional<std::size_t> current;
  for (const auto& one : talk.utterances) {
    if (is_back_channel(one)) continue;
    if (current && *current != group[one.speaker]) ++count;
    current = group[one.speaker];
  }
  return count;
}

double patience(const Talk& talk, const std::vector<std::size_t>& group, std::size_t of) {
  std::vector<double> gaps;
  const Utterance* before = nullptr;
  for (const auto& one : talk.utterances) {
    if (before != nullptr && group[one.speaker] == of && group[before->speaker] != of &&
        one.words >= kShortWords && one.start >= before->end)
      gaps.push_back(one.start - before->end);
    before = &one;
  }
  if (gaps.empty()) return -1;
  const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
  std::ranges::nth_element(gaps, middle);
  return *middle;
}

}  // namespace castiel::content::transcripts::impl
