// Transcripts in JSON: the array that holds turns is found by its shape, so that vendors not known here are
// read too.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <span>

#include "base/time.hpp"
#include "content/transcripts/impl/draft.hpp"
#include "content/transcripts/transcript.hpp"

namespace castiel::content::transcripts::impl {
namespace {

constexpr std::size_t kMaxSearchDepth = 12;
constexpr std::size_t kMaxNodes = 500'000;        // looked at in search of turns
constexpr std::size_t kSampleTurns = 64;          // of an array, to tell what it is
constexpr std::size_t kMaxVendorBytes = 1 << 20;  // what is kept of a vendor's own findings
constexpr double kPauseBetweenTurns = 1.5;        // seconds, where words are all there is

using Keys = std::span<const std::string_view>;
constexpr std::array<std::string_view, 15> kText = {
    "text",    "punctuated_word", "raw_text", "transcript", "content", "sentence", "utterance", "caption",
    "display", "displayText",     "message",  "snippet",    "word",    "value",    "words"};
constexpr std::array<std::string_view, 17> kSpeaker = {
    "speaker",         "speaker_name", "speakerName", "speaker_label", "speakerLabel", "participant",
    "participantName", "user_name",    "userName",    "speakerId",     "speaker_id",   "speaker_tag",
    "speakerTag",      "channelTag",   "user",        "author",        "name"};
constexpr std::array<std::string_view, 17> kStart = {
    "start",       "start_time",    "startTime", "startMs",       "start_ms",
    "startTimeMs", "startSeconds",  "begin",     "from",          "ts",
    "time",        "timestamp",     "offset",    "offsetInTicks", "offsetMilliseconds",
    "startOffset", "startTimestamp"};
constexpr std::array<std::string_view, 12> kEnd = {"end",    "end_time",  "endTime",    "endMs",
                                                   "end_ms", "endTimeMs", "endSeconds", "to",
                                                   "end_ts", "stop",      "endOffset",  "endTimestamp"};
constexpr std::array<std::string_view, 5> kDuration = {"duration", "durationMs", "duration_ms",
                                                       "durationInTicks", "durationMilliseconds"};

const json::value* member(const json::object& object, Keys keys) {
  for (const auto key : keys) {
    const auto* value = object.if_contains(key);
    if (value != nullptr && !value->is_null()) return value;
  }
  return nullptr;
}

std::string label(const json::value& value) {
  if (value.is_string()) return collapse_spaces(value.get_string());
  if (value.is_number()) return json::serialize(value);
  if (const auto* object = value.if_object()) {
    for (const std::string_view key :
         {"name", "displayName", "display_name", "userName", "label", "email", "id"}) {
      const auto* inner = object->if_contains(key);
      if (inner != nullptr && (inner->is_string() || inner->is_number())) return label(*inner);
    }
    if (const auto* user = get_object(*object, "user")) return label(*user);
  }
  return {};
}

// Text of a turn; of an array of recognitions ("nBest", "alternatives") the first one's.
std::string text_of_turn(const json::object& object) {
  for (const auto key : kText) {
    const auto* value = object.if_contains(key);
    if (value != nullptr && value->is_string()) return collapse_spaces(value->get_string());
  }
  for (const std::string_view key : {"nBest", "alternatives"}) {
    const auto* list = get_array(object, key);
    if (list == nullptr || list->empty() || !(*list)[0].is_object()) continue;
    for (const std::string_view inner : {"display", "transcript", "content", "text"}) {
      if (const auto text = get_string((*list)[0].get_object(), inner)) return collapse_spaces(*text);
    }
  }
  return {};
}

struct Time {
  double value = 0;
  bool seconds = false;  // the text said so; else of unknown unit
  bool whole = true;
  bool absolute = false;  // seconds since 1970
};

std::optional<Time> time_of(const json::object& object, Keys keys) {
  for (const auto key : keys) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) continue;
    if (value->is_number()) {
      const double number = value->to_number<double>();
      if (!std::isfinite(number) || number < 0) continue;
      if (key.ends_with("Ticks")) return Time{number / 1e7, true, false, false};
      if (key.ends_with("Ms") || key.ends_with("_ms") || key.ends_with("Milliseconds"))
        return Time{number / 1000, true, false, false};
      if (key.ends_with("Seconds")) return Time{number, true, false, false};
      return Time{number, false, number == std::floor(number), false};
    }
    if (!value->is_string()) continue;
    const std::string_view text = value->get_string();
    if (const auto clock = clock_time(text)) return Time{*clock, true, false, false};
    if (const auto instant = parse_timestamp(text))
      return Time{static_cast<double>(instant->micros) / 1e6, true, false, true};
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (error != std::errc() || !std::isfinite(number) || number < 0) continue;
    if (unit == "s") return Time{number, true, false, false};
    if (unit == "ms") return Time{number / 1000, true, false, false};
    if (unit.empty()) return Time{number, false, text.find('.') == std::string_view::npos, false};
  }
  return std::nullopt;
}

// The array inside a turn that holds its sentences ("sentences", "elements", …).
const json::array* inner_turns(const json::object& object) {
  for (const auto& item : object) {
    const auto* list = item.value().if_array();
    if (list == nullptr || list->empty() || item.key() == "nBest" || item.key() == "alternatives") continue;
    const bool texts = std::ranges::all_of(*list, [](const json::value& v) { return v.is_object(); }) &&
                       std::ranges::any_of(
                           *list, [](const json::value& v) { return !text_of_turn(v.get_object()).empty(); });
    if (texts) return list;
  }
  return nullptr;
}

struct Candidate {
  const json::array* list = nullptr;
  std::string key;
  double fit = 0;
  std::size_t text_bytes = 0;
  bool words = false;
};

struct Search {
  std::vector<Candidate> found;
  std::size_t nodes = 0;
};

std::optional<Candidate> weigh(const json::array& list, std::string_view key) {
  std::size_t objects = 0, texts = 0, speakers = 0, times = 0, short_texts = 0, bytes = 0;
  for (const auto& item : list) {
    if (objects >= kSampleTurns) break;
    const auto* object = item.if_object();
    if (object == nullptr) return std::nullopt;
    ++objects;
    auto text = text_of_turn(*object);
    const json::array* inner = text.empty() ? inner_turns(*object) : nullptr;
    const json::object* timed = object;
    if (inner != nullptr) {
      for (const auto& one : *inner) text += text_of_turn(one.get_object()) + " ";
      timed = &(*inner)[0].get_object();
    }
    if (trim(text).empty()) continue;
    ++texts;
    bytes += text.size();
    short_texts += count_words(text) <= 1 ? 1 : 0;
    speakers += member(*object, kSpeaker) != nullptr ? 1 : 0;
    times += time_of(*object, kStart) || time_of(*timed, kStart) ? 1 : 0;
  }
  if (texts == 0 || texts * 10 < objects * 6) return std::nullopt;
  const auto share = [&](std::size_t n) { return static_cast<double>(n) / static_cast<double>(texts); };
  if (share(speakers) < 0.5 && share(times) < 0.5) return std::nullopt;
  Candidate out{&list, std::string(key), 1 + share(speakers) + share(times), bytes, false};
  out.words = texts >= 5 && short_texts * 10 >= texts * 9;
  if (out.words) out.fit -= 1.5;
  static constexpr std::string_view kUsual[] = {
      "sentences",  "segments", "utterances", "transcript", "monologues",
      "paragraphs", "turns",    "entries",    "cues",       "meeting_transcripts"};
  if (std::ranges::find(kUsual, key) != std::end(kUsual)) out.fit += 0.5;
  out.text_bytes = bytes * std::max<std::size_t>(1, list.size() / std::max<std::size_t>(1, objects));
  return out;
}

void search(const json::value& value, std::string_view key, std::size_t depth, Search& out) {
  if (depth > kMaxSearchDepth || ++out.nodes > kMaxNodes) return;
  if (const auto* list = value.if_array()) {
    if (auto candidate = weigh(*list, key)) out.found.push_back(std::move(*candidate));
    for (const auto& item : *list) search(item, key, depth + 1, out);
  } else if (const auto* object = value.if_object()) {
    for (const auto& item : *object) search(item.value(), item.key(), depth + 1, out);
  }
}

// id -> name, from the lists of people that come with a transcript.
using People = std::map<std::string, Participant, std::less<>>;

void read_people(const json::value& value, std::size_t depth, People& people,
                 std::vector<Participant>& listed) {
  if (depth > 6) return;
  if (const auto* list = value.if_array()) {
    for (std::size_t i = 0; i < list->size() && i < 100; ++i)
      read_people((*list)[i], depth + 1, people, listed);
    return;
  }
  const auto* object = value.if_object();
  if (object == nullptr) return;
  for (const auto& item : *object) {
    static constexpr std::string_view kLists[] = {
        "parties",           "participants", "speakers", "attendees",
        "meeting_attendees", "users",        "invitees", "people"};
    const auto* list = item.value().if_array();
    if (list == nullptr || std::ranges::find(kLists, std::string_view(item.key())) == std::end(kLists)) {
      if (item.value().is_structured()) read_people(item.value(), depth + 1, people, listed);
      continue;
    }
    for (const auto& entry : *list) {
      Participant person;
      if (entry.is_string()) {
        const auto text = label(entry);
        (text.find('@') == std::string::npos ? person.name : person.email) = text;
      } else if (const auto* fields = entry.if_object()) {
        for (const std::string_view key :
             {"name", "displayName", "display_name", "userName", "user_name", "fullName"}) {
          if (person.name.empty()) person.name = collapse_spaces(string_or(*fields, key));
        }
        for (const std::string_view key : {"email", "emailAddress", "email_address", "mail", "user_email"}) {
          if (person.email.empty()) person.email = collapse_spaces(string_or(*fields, key));
        }
        auto side = string_or(*fields, "affiliation");
        std::ranges::transform(side, side.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        if (side == "internal" || side == "external") person.affiliation = side;
        for (const std::string_view key : {"speakerId", "speaker_id", "id", "userId"}) {
          const auto* id = fields->if_contains(key);
          if (id == nullptr || person.name.empty() || (!id->is_string() && !id->is_number())) continue;
          people.try_emplace(label(*id), person);
        }
      }
      if ((!person.name.empty() || !person.email.empty()) && listed.size() < 1000) {
        const auto same = std::ranges::find_if(listed, [&](const Participant& p) {
          return (!p.email.empty() && p.email == person.email) || (p.email.empty() && p.name == person.name);
        });
        if (same == listed.end())
          listed.push_back(person);
        else if (same->name.empty())
          same->name = person.name;
      }
    }
  }
}

std::string speaker_of(const json::object& object, const People& people) {
  for (const auto key : kSpeaker) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) continue;
    auto text = label(*value);
    if (text.empty()) continue;
    if (const auto known = people.find(text); known != people.end()) return known->second.name;
    const bool bare =
        text.size() <= 2 && (std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }) ||
                             (text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z'));
    return bare ? "Speaker " + text : text;
  }
  return {};
}

struct TimedCue {
  Cue cue;
  std::optional<Time> start, end;
  std::optional<Time> duration;
};

void read_turn(const json::object& object, const People& people, const std::string& inherited,
               std::vector<TimedCue>& out) {
  if (out.size() > kMaxSegments) return;
  auto speaker = speaker_of(object, people);
  if (speaker.empty()) speaker = inherited;
  auto text = text_of_turn(object);
  if (text.empty()) {
    if (const auto* inner = inner_turns(object)) {
      for (const auto& item : *inner) {
        const auto& one = item.get_object();
        auto own = speaker_of(one, people);
        out.push_back({{own.empty() ? speaker : own, {}, {}, text_of_turn(one)},
                       time_of(one, kStart),
                       time_of(one, kEnd),
                       time_of(one, kDuration)});
        if (out.back().cue.text.empty()) out.pop_back();
      }
    }
    return;
  }
  out.push_back({{std::move(speaker), {}, {}, std::move(text)},
                 time_of(object, kStart),
                 time_of(object, kEnd),
                 time_of(object, kDuration)});
}

// Numbers without a unit: people say about 15 letters a second, and never fewer than one in three.
double unit_of(const std::vector<TimedCue>& turns) {
  double letters = 0, time = 0;
  bool whole = true;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const auto& turn = turns[i];
    if (!turn.start || turn.start->seconds) continue;
    whole = whole && turn.start->whole;
    double length = 0;
    if (turn.end && !turn.end->seconds)
      length = turn.end->value - turn.start->value;
    else if (i + 1 < turns.size() && turns[i + 1].start)
      length = turns[i + 1].start->value - turn.start->value;
    if (length <= 0) continue;
    time += length;
    letters += static_cast<double>(turn.cue.text.size());
  }
  if (time <= 0 || !whole) return 1;
  return letters / time < 0.3 ? 0.001 : 1;
}

void settle_times(std::vector<TimedCue>& turns, Draft& draft) {
  const double unit = unit_of(turns);
  const auto seconds = [&](const Time& time) { return time.seconds ? time.value : time.value * unit; };
  std::optional<double> origin;
  for (const auto& turn : turns) {
    if (!turn.start) continue;
    const double start = seconds(*turn.start);
    if (turn.start->absolute || start > 5e8) origin = std::min(origin.value_or(start), start);
  }
  if (origin && draft.started_at.empty())
    draft.started_at = to_string(Timestamp{static_cast<std::int64_t>(*origin * 1000) * 1000});
  for (auto& turn : turns) {
    if (turn.start) turn.cue.start = std::max(0.0, seconds(*turn.start) - origin.value_or(0));
    if (turn.end)
      turn.cue.end = std::max(0.0, seconds(*turn.end) - origin.value_or(0));
    else if (turn.duration && turn.cue.start)
      turn.cue.end = *turn.cue.start + seconds(*turn.duration);
  }
}

// Single words put together: until the speaker changes, a sentence ends or a pause comes.
std::vector<Cue> joined_words(const std::vector<TimedCue>& words) {
  std::vector<Cue> out;
  for (const auto& word : words) {
    const auto& cue = word.cue;
    const bool mark = cue.text.size() <= 2 && count_words(cue.text) == 0;
    if (mark && !out.empty()) {  // punctuation on its own
      out.back().text += cue.text;
      continue;
    }
    bool fresh = out.empty() || out.back().speaker != cue.speaker;
    if (!fresh) {
      const char last = out.back().text.back();
      const bool pause = cue.start && out.back().end && *cue.start - *out.back().end > kPauseBetweenTurns;
      fresh = last == '.' || last == '?' || last == '!' || pause;
    }
    if (fresh) {
      out.push_back(cue);
    } else {
      out.back().text += " " + cue.text;
      if (cue.end) out.back().end = cue.end;
    }
  }
  return out;
}

struct Vendor {
  std::string_view name, quality;
};

bool has_key(const json::value& value, std::string_view wanted, std::size_t depth) {
  if (depth > 5) return false;
  if (const auto* object = value.if_object()) {
    if (object->contains(wanted)) return true;
    return std::ranges::any_of(*object,
                               [&](const auto& item) { return has_key(item.value(), wanted, depth + 1); });
  }
  const auto* list = value.if_array();
  return list != nullptr && !list->empty() && has_key((*list)[0], wanted, depth + 1);
}

Vendor vendor_of(const json::value& root) {
  struct Mark {
    std::string_view key;
    Vendor vendor;
  };
  static constexpr Mark kMarks[] = {
      {"callTranscripts", {"gong", "vendor"}},  {"metaData", {"gong", "vendor"}},
      {"speakerId", {"gong", "vendor"}},        {"ai_filters", {"fireflies", "vendor"}},
      {"raw_text", {"fireflies", "vendor"}},    {"meeting_attendees", {"fireflies", "vendor"}},
      {"recording_files", {"zoom", "vendor"}},  {"timeline", {"zoom", "vendor"}},
      {"speech_model", {"assemblyai", "asr"}},  {"audio_url", {"assemblyai", "asr"}},
      {"punctuated_word", {"deepgram", "asr"}}, {"avg_logprob", {"whisper", "asr"}},
      {"no_speech_prob", {"whisper", "asr"}},   {"speaker_labels", {"aws", "asr"}},
      {"recognizedPhrases", {"azure", "asr"}},  {"monologues", {"revai", "asr"}},
      {"callRecordId", {"teams", "vendor"}},    {"speechServiceResultId", {"teams", "vendor"}}};
  for (const auto& mark : kMarks) {
    if (has_key(root, mark.key, 0)) return mark.vendor;
  }
  if (has_key(root, "confidence", 0)) return {"recogniser", "asr"};
  return {"json", ""};
}

// What the vendor says besides the words, as it is.
json::value without_turns(const json::value& value, const Search& found, std::size_t depth) {
  if (depth > 10) return nullptr;
  if (const auto* list = value.if_array()) {
    const bool turns = std::ranges::any_of(found.found, [&](const Candidate& c) { return c.list == list; });
    if (turns && list->size() > 0) return nullptr;
    json::array out;
    for (const auto& item : *list) out.push_back(without_turns(item, found, depth + 1));
    return out;
  }
  if (const auto* object = value.if_object()) {
    json::object out;
    for (const auto& item : *object) {
      auto inner = without_turns(item.value(), found, depth + 1);
      if (!inner.is_null()) out[item.key()] = std::move(inner);
    }
    return out;
  }
  return value;
}

void read_head(const json::value& value, std::size_t depth, Draft& draft) {
  if (depth > 4) return;
  if (const auto* list = value.if_array()) {
    if (!list->empty() && depth > 0) read_head((*list)[0], depth + 1, draft);
    return;
  }
  const auto* object = value.if_object();
  if (object == nullptr) return;
  for (const std::string_view key : {"title", "topic", "meetingTitle", "meeting_title", "subject"}) {
    if (draft.title.empty()) draft.title = collapse_spaces(string_or(*object, key));
  }
  for (const std::string_view key :
       {"started", "startTime", "start_time", "startedAt", "started_at", "dateString", "date", "scheduled"}) {
    const auto* time = object->if_contains(key);
    if (time == nullptr || !draft.started_at.empty()) continue;
    if (time->is_string()) {
      if (const auto instant = parse_timestamp(std::string_view(time->get_string())))
        draft.started_at = to_string(*instant);
    } else if (time->is_number()) {
      const double number = time->to_number<double>();
      if (number > 1e12 && number < 5e12)
        draft.started_at = to_string(Timestamp{static_cast<std::int64_t>(number) * 1000});
      else if (number > 1e9 && number < 5e9)
        draft.started_at = to_string(Timestamp{static_cast<std::int64_t>(number) * 1'000'000});
    }
  }
  for (const auto& item : *object) {
    if (item.value().is_structured()) read_head(item.value(), depth + 1, draft);
  }
}

}  // namespace

Result<Draft> read_json(std::string_view text) {
  const auto root = parse_json(text);
  if (!root) return permanent("corrupt", "the JSON of the transcript cannot be read", root.error().message);
  Search found;
  search(*root, "", 0, found);
  Draft draft;
  const auto vendor = vendor_of(*root);
  draft.format = vendor.name;
  draft.quality = vendor.quality;
  const bool named = has_key(*root, "sentences", 0) || has_key(*root, "callTranscripts", 0) ||
                     has_key(*root, "transcript", 0) || has_key(*root, "utterances", 0);
  if (found.found.empty() && !named) return permanent("unsupported", "JSON that holds no transcript");
  std::ranges::stable_sort(found.found, [](const Candidate& a, const Candidate& b) {
    return std::pair(a.fit, a.text_bytes) > std::pair(b.fit, b.text_bytes);
  });
  People people;
  read_people(*root, 0, people, draft.participants);
  read_head(*root, 0, draft);
  if (found.found.empty()) {
    draft.warnings.push_back("the transcript holds no words");
  } else {
    const auto& best = found.found.front();
    std::vector<TimedCue> turns;
    for (const auto& item : *best.list) read_turn(item.get_object(), people, "", turns);
    settle_times(turns, draft);
    if (best.words)
      draft.cues = joined_words(turns);
    else
      for (auto& turn : turns) draft.cues.push_back(std::move(turn.cue));
    const auto others = std::ranges::count_if(
        found.found, [&](const Candidate& c) { return c.key == best.key && c.fit == best.fit && !c.words; });
    if (others > 1)
      draft.warnings.push_back(fmt::format("the file holds {} transcripts; the longest was read", others));
  }
  auto rest = without_turns(*root, found, 0);
  if (rest.is_array() && !rest.get_array().empty()) rest = json::object{{"records", rest}};
  if (rest.is_object() && !rest.get_object().empty()) {
    if (json::serialize(rest).size() <= kMaxVendorBytes)
      draft.vendor = std::move(rest.get_object());
    else
      draft.warnings.push_back("the vendor's own findings are too many and were left out");
  }
  return draft;
}

}  // namespace castiel::content::transcripts::impl
