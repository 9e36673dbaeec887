// Transcripts that people export or type: "Jane Doe (00:01:02): …", "[00:01] Jane: …", "Jane Doe  0:03" above
// the words, "Jane: …".

#include <re2/re2.h>

#include <algorithm>
#include <map>

#include "content/transcripts/impl/draft.hpp"
#include "content/transcripts/impl/start_time.hpp"

namespace castiel::content::transcripts::impl {
namespace {

constexpr std::size_t kMaxNotesBytes = 4096;

struct Turn {
  std::string speaker;
  std::optional<double> time;
  std::string_view rest;
  bool sure = false;  // it names a time, so that it is no accident
};

const std::string kClock = R"((\d{1,3}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?))";
const std::string kName = R"(([\p{Lu}\p{Lo}][^:\[\]()|<>\n]{0,60}?))";

struct Patterns {
  RE2 time_name{R"(^[\[(]?)" + kClock + R"([\])]?\s*[-–|]?\s*)" + kName + R"(\s*:\s*(.*)$)"};
  RE2 name_time{R"(^)" + kName + R"(\s*[\[(])" + kClock + R"([\])]\s*:?\s*(.*)$)"};
  RE2 name_above{R"(^)" + kName + R"(\s*[-–|]?\s+)" + kClock + R"(\s*$)"};
  RE2 time_above{R"(^[\[(]?)" + kClock + R"([\])]?\s*[-–|]?\s+)" + kName + R"(\s*$)"};
  RE2 time_only{R"(^[\[(])" + kClock + R"([\])]\s+(.*)$)"};
};

const Patterns& patterns() {
  static const Patterns kPatterns;
  return kPatterns;
}

std::optional<Turn> turn_of(std::string_view line) {
  const auto& p = patterns();
  re2::StringPiece time, name, rest;
  Turn turn;
  const auto view = [](const re2::StringPiece& piece) {
    return std::string_view(piece.data(), piece.size());
  };
  turn.sure = true;
  const re2::StringPiece subject(line.data(), line.size());
  const bool found = RE2::FullMatch(subject, p.time_name, &time, &name, &rest) ||
                     RE2::FullMatch(subject, p.name_time, &name, &time, &rest) ||
                     RE2::FullMatch(subject, p.name_above, &name, &time) ||
                     RE2::FullMatch(subject, p.time_above, &time, &name);
  if (found && count_words(view(name)) <= 6) {
    turn.speaker = std::string(trim(view(name)));
    turn.time = clock_time(view(time));
    turn.rest = trim(view(rest));
    return turn;
  }
  if (RE2::FullMatch(subject, p.time_only, &time, &rest)) {
    turn.time = clock_time(view(time));
    turn.rest = trim(view(rest));
    return turn;
  }
  if (const auto named = split_name(line)) {
    turn.sure = false;
    turn.speaker = std::string(named->name);
    turn.rest = named->rest;
    return turn;
  }
  return std::nullopt;
}

template <class Take>
void each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const auto end = text.find_first_of("\r\n");
    if (!take(trim(text.substr(0, std::min<std::size_t>(end, 64 << 10))))) return;
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::size_t plain_turns(std::string_view text, std::size_t limit) {
  std::size_t lines = 0, sure = 0, named = 0;
  std::map<std::string, std::size_t> names;
  each_line(text, [&](std::string_view line) {
    if (line.empty()) return true;
    if (const auto turn = turn_of(line)) {
      if (turn->sure)
        ++sure;
      else
        ++named, ++names[turn->speaker];
    }
    return ++lines < limit;
  });
  if (sure >= 2 && sure * 8 >= lines) return sure + named;
  // Names alone: some come again, and most lines have one.
  const auto again = std::ranges::count_if(names, [](const auto& item) { return item.second > 1; });
  const bool talk =
      names.size() >= 2 && again >= 1 && named >= 4 && named * 10 >= lines * 6 && names.size() * 2 <= named;
  return talk ? named : 0;
}

Result<Draft> read_plain(std::string_view text) {
  if (plain_turns(text, 2'000) == 0) return permanent("unsupported", "no transcript of a known form");
  Draft draft;
  draft.format = "text";
  std::map<std::string, std::size_t> names;
  bool timed = false;
  each_line(text, [&](std::string_view line) {
    if (const auto turn = turn_of(line)) {
      ++names[turn->speaker];
      timed = timed || turn->sure;
    }
    return true;
  });
  std::string before;  // the first line above the first turn
  std::string notes;
  each_line(text, [&](std::string_view line) {
    if (line.empty()) return true;
    auto turn = turn_of(line);
    if (draft.cues.empty() && notes.size() < kMaxNotesBytes && !(turn && turn->sure) &&
        !start_in_notes(line).empty()) {
      notes.append(line).append("\n");
      return true;
    }
    // In a transcript with times a line such as "Note: …" belongs to who speaks.
    if (turn && timed && !turn->sure && names[turn->speaker] < 2) turn.reset();
    if (turn) {
      const std::string speaker =
          turn->speaker.empty() && !draft.cues.empty() ? draft.cues.back().speaker : turn->speaker;
      draft.cues.push_back({speaker, turn->time, std::nullopt, collapse_spaces(turn->rest)});
    } else if (draft.cues.empty()) {
      if (before.empty()) before = collapse_spaces(line);
    } else {
      auto& words = draft.cues.back().text;
      if (!words.empty()) words += ' ';
      words += collapse_spaces(line);
    }
    return true;
  });
  std::erase_if(draft.cues, [](const Cue& cue) { return cue.text.empty(); });
  if (draft.cues.empty()) return permanent("corrupt", "a transcript without words");
  draft.started_at = start_in_notes(notes);
  if (before.size() <= 200) draft.title = before;
  const auto mentions = [&](std::string_view word) { return text.find(word) != std::string_view::npos; };
  if (mentions("otter.ai") || mentions("Transcribed by https://") || mentions("fireflies.ai"))
    draft.quality = "vendor";
  return draft;
}

}  // namespace castiel::content::transcripts::impl
