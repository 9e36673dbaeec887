// WebVTT and SRT: one reader, since files of either borrow from the other.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/utf8.hpp"
#include "content/transcripts/impl/draft.hpp"
#include "content/transcripts/impl/start_time.hpp"
#include "content/transcripts/transcript.hpp"

namespace castiel::content::transcripts::impl {
namespace {

struct Voice {
  std::string speaker, text;
};

struct RawCue {
  std::string id;
  double start = 0, end = 0;
  std::string text;  // lines joined by line ends, marks included
};

struct Evidence {
  std::size_t confidences = 0, word_times = 0;
  double confidence_sum = 0;
  bool says_human = false;
};

class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  bool next(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    auto end = text_.find_first_of("\r\n", at_);
    if (end == std::string_view::npos) end = text_.size();
    line = text_.substr(at_, end - at_);
    at_ = end;
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
    return true;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// "00:11.000 --> 00:13.000 align:right"
bool timing(std::string_view line, double& start, double& end) {
  const auto arrow = line.find("-->");
  if (arrow == std::string_view::npos) return false;
  const auto from = clock_time(line.substr(0, arrow));
  auto rest = trim(line.substr(arrow + 3));
  const auto to = clock_time(rest.substr(0, rest.find_first_of(" \t")));
  if (!from || !to) return false;
  start = *from;
  end = std::max(*from, *to);
  return true;
}

void decode_entity(std::string_view name, std::string& out) {
  static const std::map<std::string_view, std::string_view> kNames = {
      {"amp", "&"},  {"lt", "<"},   {"gt", ">"}, {"quot", "\""},
      {"apos", "'"}, {"nbsp", " "}, {"lrm", ""}, {"rlm", ""}};
  if (const auto known = kNames.find(name); known != kNames.end()) {
    out += known->second;
  } else if (name.starts_with('#')) {
    const bool hex = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    const auto code = std::strtoul(std::string(name.substr(hex ? 2 : 1)).c_str(), nullptr, hex ? 16 : 10);
    append_utf8(out, code == 0 || code > 0x10FFFF ? char32_t{0xFFFD} : static_cast<char32_t>(code));
  }
}

// What a cue says, by voice; marks gone, entities decoded.
std::vector<Voice> voices_of(std::string_view text, Evidence& evidence) {
  std::vector<Voice> voices(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<') {
      const auto close = text.find('>', i);
      const auto tag =
          close == std::string_view::npos ? std::string_view() : text.substr(i + 1, close - i - 1);
      const char first = tag.empty() ? ' ' : tag.front();
      const bool is_tag = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '/' ||
                          (first >= '0' && first <= '9');
      if (is_tag && tag.size() < 256) {
        if (clock_time(tag)) ++evidence.word_times;
        if (tag == "v" || tag.starts_with("v ") || tag.starts_with("v.") || tag.starts_with("v\t")) {
          const auto space = tag.find_first_of(" \t");
          std::string name;
          const auto raw = space == std::string_view::npos ? std::string_view() : trim(tag.substr(space));
          for (std::size_t k = 0; k < raw.size(); ++k) {
            const auto end = raw[k] == '&' ? raw.find(';', k) : std::string_view::npos;
            if (end != std::string_view::npos && end - k < 12) {
              decode_entity(raw.substr(k + 1, end - k - 1), name);
              k = end;
            } else {
              name += raw[k];
            }
          }
          if (!trim(voices.back().text).empty()) voices.emplace_back();
          voices.back().speaker = std::move(name);
        } else if (tag == "/v" && !trim(voices.back().text).empty()) {
          voices.emplace_back();
        }
        i = close;
        continue;
      }
    }
    if (text[i] == '&') {
      const auto end = text.find(';', i);
      if (end != std::string_view::npos && end - i <= 10) {
        std::string decoded;
        decode_entity(text.substr(i + 1, end - i - 1), decoded);
        const auto name = text.substr(i + 1, end - i - 1);
        if (!decoded.empty() || name == "lrm" || name == "rlm") {
          voices.back().text += decoded;
          i = end;
          continue;
        }
      }
    }
    if (text[i] == '{' && i + 1 < text.size() && text[i + 1] == '\\') {  // {\an8} of subtitle tools
      const auto close = text.find('}', i);
      if (close != std::string_view::npos && close - i < 32) {
        i = close;
        continue;
      }
    }
    voices.back().text += text[i];
  }
  std::erase_if(voices, [](const Voice& v) { return trim(v.text).empty(); });
  return voices;
}

// Zoom's `12 "Jane Doe" (16778240)`.
std::string name_in_id(std::string_view id) {
  const auto open = id.find('"');
  const auto close = id.rfind('"');
  if (open == std::string_view::npos || close <= open + 1) return {};
  return std::string(trim(id.substr(open + 1, close - open - 1)));
}

// Teams numbers sentences as <guid>/<sentence>-<part>: what parts of one sentence have in common.
std::string_view sentence_of(std::string_view id) {
  const auto slash = id.find('/');
  const auto dash = id.rfind('-');
  if (slash != 36 || dash == std::string_view::npos || dash < slash) return {};
  return id.substr(0, dash);
}

void read_note(std::string_view note, Evidence& evidence) {
  const auto at = note.find("onfidence");
  if (at == std::string_view::npos) return;
  const auto colon = note.find(':', at);
  if (colon == std::string_view::npos) return;
  ++evidence.confidences;
  evidence.confidence_sum += std::strtod(std::string(note.substr(colon + 1, 24)).c_str(), nullptr);
}

constexpr std::size_t kMaxNotesBytes = 4096;

struct CueFile {
  std::vector<RawCue> cues;
  Evidence evidence;
  std::size_t broken = 0;
  std::string notes;  // what stands above the first cue
};

CueFile read_blocks(std::string_view text, bool is_vtt) {
  CueFile file;
  Lines lines(text);
  std::string_view line, pending;         // a line that may be the next cue's id
  bool in_cue = false, in_note = is_vtt;  // the header is skipped like a note
  while (lines.next(line)) {
    const auto plain = trim(line);
    if (plain.empty()) {
      in_cue = in_note = false;
      pending = {};
      continue;
    }
    double start = 0, end = 0;
    if (timing(line, start, end)) {
      if (in_cue && !file.cues.empty()) {
        // No blank line before it: the last line of the cue above was this one's number.
        auto& above = file.cues.back().text;
        const auto last = above.rfind('\n');
        const auto tail =
            last == std::string::npos ? std::string_view(above) : std::string_view(above).substr(last + 1);
        const bool number =
            !tail.empty() && std::ranges::all_of(trim(tail), [](char c) { return c >= '0' && c <= '9'; });
        if (number) above.resize(last == std::string::npos ? 0 : last);
      }
      if (file.cues.size() > 2 * kMaxSegments) return file;
      file.cues.push_back(
          {std::string(in_note ? std::string_view() : pending.substr(0, 256)), start, end, {}});
      pending = {};
      in_cue = true;
      in_note = false;
      continue;
    }
    if (line.find("-->") != std::string_view::npos && !in_cue && !in_note) ++file.broken;
    if (in_cue) {
      auto& cue = file.cues.back().text;
      if (cue.size() < kMaxSegmentTextBytes * 2) {
        if (!cue.empty()) cue += '\n';
        cue += line;
      }
      continue;
    }
    if (file.cues.empty() && file.notes.size() < kMaxNotesBytes) file.notes.append(plain).append("\n");
    if (in_note) {
      read_note(plain, file.evidence);
      continue;
    }
    const auto keyword = [&](std::string_view word) {
      return plain.starts_with(word) &&
             (plain.size() == word.size() || plain[word.size()] == ' ' || plain[word.size()] == '\t');
    };
    if (pending.empty() && is_vtt && (keyword("NOTE") || keyword("STYLE") || keyword("REGION"))) {
      in_note = true;
      read_note(plain, file.evidence);
      continue;
    }
    pending = plain;
  }
  return file;
}

// Takes "Name: " off texts when the file speaks that way: most cues have it, or the same name comes again.
void take_names(std::vector<Cue>& cues) {
  std::map<std::string, std::size_t, std::less<>> names;
  std::size_t named = 0;
  for (const auto& cue : cues) {
    if (!cue.speaker.empty()) return;
    if (const auto split = split_name(cue.text)) {
      ++names[std::string(split->name)];
      ++named;
    }
  }
  const bool usual = named * 10 >= cues.size() * 3;
  std::string last;
  for (auto& cue : cues) {
    const auto split = split_name(cue.text);
    if (split && (usual || names[std::string(split->name)] > 1)) {
      last = split->name;
      cue.text = std::string(split->rest);
    }
    cue.speaker = last;  // a cue without a name goes on with the speaker
  }
  std::erase_if(cues, [](const Cue& cue) { return cue.text.empty(); });
}

}  // namespace

Result<Draft> read_cues(std::string_view text) {
  text = trim(text);
  const bool is_vtt = text.starts_with("WEBVTT");
  auto file = read_blocks(text, is_vtt);
  Draft draft;
  draft.format = is_vtt ? "vtt" : "srt";
  bool teams = false, zoom = false;
  std::string_view sentence;
  for (auto& raw : file.cues) {
    const auto name = name_in_id(raw.id);
    zoom = zoom || !name.empty();
    const auto part = sentence_of(raw.id);
    teams = teams || !part.empty();
    for (auto& voice : voices_of(raw.text, file.evidence)) {
      auto speaker = voice.speaker.empty() ? name : collapse_spaces(voice.speaker);
      auto words = collapse_spaces(voice.text);
      const bool goes_on =
          !part.empty() && part == sentence && !draft.cues.empty() && draft.cues.back().speaker == speaker;
      if (goes_on) {
        draft.cues.back().text += " " + words;
        draft.cues.back().end = std::max(*draft.cues.back().end, raw.end);
      } else {
        draft.cues.push_back({std::move(speaker), raw.start, raw.end, std::move(words)});
      }
    }
    sentence = part;
  }
  if (draft.cues.empty()) {
    if (is_vtt && file.broken == 0)
      draft.warnings.push_back("the transcript holds no words");
    else
      return permanent("corrupt", "no cue with a readable time");
  }
  const bool had_voices = std::ranges::any_of(draft.cues, [](const Cue& c) { return !c.speaker.empty(); });
  if (!had_voices) take_names(draft.cues);
  if (file.broken > 0)
    draft.warnings.push_back(fmt::format("{} cues with unreadable times were left out", file.broken));
  const auto& evidence = file.evidence;
  if (evidence.confidences > 0) {
    const double mean = evidence.confidence_sum / static_cast<double>(evidence.confidences);
    draft.quality = mean < 0.4 ? "draft" : "asr";
    draft.vendor["confidence"] = mean;
  } else if (evidence.word_times > 0) {
    draft.quality = "asr";
  } else if (teams || zoom) {
    draft.quality = "vendor";
  }
  draft.started_at = start_in_notes(file.notes);
  if (teams) draft.format = "teams";
  if (zoom) draft.format = "zoom";
  return draft;
}

}  // namespace castiel::content::transcripts::impl
