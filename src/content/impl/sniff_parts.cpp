#include "content/impl/sniff_parts.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace castiel::content::impl {
namespace {

constexpr std::size_t kMaxMemberNames = 4096;
constexpr std::size_t kMaxHeaderLines = 200;
constexpr std::size_t kMaxJsonDepth = 64;
constexpr std::string_view kSpace = " \t\r\n\f\v";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
std::string lowered(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), lower);
  return result;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::uint32_t little16(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]) |
         static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + 1])) << 8;
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::ranges::find(names, name) != names.end();
}

// "Name: value": the name in lower case, or empty.
std::string header_name(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon > 76) return {};
  for (const char c : line.substr(0, colon)) {
    if (c <= ' ' || c >= 127) return {};
  }
  return lowered(line.substr(0, colon));
}

// Walks JSON text as far as it goes and asks, of each object inside an array, which members it has.
class TranscriptShape {
 public:
  bool found_in(std::string_view text) {
    for (std::size_t i = 0; i < text.size() && !found_; ++i) {
      const char c = text[i];
      if (c == '"') {
        const auto end = string_end(text, i);
        if (end == std::string_view::npos) return found_;
        auto next = end + 1;
        while (next < text.size() && kSpace.find(text[next]) != std::string_view::npos) ++next;
        if (next < text.size() && text[next] == ':' && !stack_.empty() && stack_.back().object)
          member(text.substr(i + 1, end - i - 1));
        i = end;
      } else if (c == '{' || c == '[') {
        if (stack_.size() >= kMaxJsonDepth) return false;
        open(c == '{');
      } else if (c == '}' || c == ']') {
        if (stack_.empty()) return found_;
        stack_.pop_back();
      } else if (c == ',' && !stack_.empty() && stack_.back().object) {
        stack_.back().key.clear();
      }
    }
    return found_;
  }

 private:
  struct Level {
    bool object = false;
    bool listed = false;     // an array of what was said by its name, or an element of one
    bool top_array = false;  // an element of the outermost array
    std::string key;         // of an object: the member being read
    bool words = false, speaker = false, time = false;
  };

  static std::size_t string_end(std::string_view text, std::size_t at) {
    for (++at; at < text.size(); ++at) {
      if (text[at] == '\\')
        ++at;
      else if (text[at] == '"')
        return at;
    }
    return std::string_view::npos;
  }

  void open(bool object) {
    static constexpr std::array<std::string_view, 12> kLists{
        "sentences", "segments",   "utterances", "monologues", "transcript",          "transcripts",
        "captions",  "paragraphs", "turns",      "cues",       "meeting_transcripts", "transcription"};
    Level level;
    level.object = object;
    if (!object) {
      level.listed = !stack_.empty() && is_one_of(stack_.back().key, kLists);
    } else if (!stack_.empty() && !stack_.back().object) {
      level.listed = stack_.back().listed;
      level.top_array = stack_.size() == 1;
    }
    stack_.push_back(std::move(level));
  }

  void member(std::string_view name) {
    static constexpr std::array<std::string_view, 9> kWords{"text",      "content",    "sentence",
                                                            "sentences", "words",      "utterance",
                                                            "elements",  "transcript", "caption"};
    static constexpr std::array<std::string_view, 14> kTimes{
        "start",   "end",   "start_time", "end_time",      "starttime", "endtime",   "start_ms",
        "startms", "begin", "offset",     "offsetinticks", "ts",        "timestamp", "from"};
    Level& level = stack_.back();
    level.key = lowered(name);
    level.words |= is_one_of(level.key, kWords);
    level.time |= is_one_of(level.key, kTimes);
    level.speaker |=
        level.key.starts_with("speaker") || level.key.starts_with("participant") || level.key == "channel";
    if (level.listed) found_ |= level.words && (level.speaker || level.time);
    // Without a telling name around it an element has to show all three: a CRM's notes have words and times.
    if (level.top_array) found_ |= level.words && level.key.starts_with("speaker") ? level.time : false;
    if (level.top_array) found_ |= level.words && level.time && level.speaker && level.key != "channel";
  }

  std::vector<Level> stack_;
  bool found_ = false;
};

}  // namespace

std::string_view trim_front(std::string_view text) {
  const auto at = text.find_first_not_of(kSpace);
  return at == std::string_view::npos ? std::string_view{} : text.substr(at);
}

std::string_view trim(std::string_view text) {
  text = trim_front(text);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool starts_with_fold(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::ranges::equal(text.substr(0, prefix.size()), prefix,
                            [](char a, char b) { return lower(a) == lower(b); });
}

std::string extension_of(std::string_view name) {
  const auto base = name.substr(name.find_last_of("/\\") + 1);
  const auto dot = base.find_last_of('.');
  return dot == std::string_view::npos ? std::string{} : lowered(base.substr(dot + 1));
}

bool looks_like_mbox(std::string_view text) {
  if (!text.starts_with("From ")) return false;
  const auto first = take_line(text);
  // "From address day-of-week month day time year", the way every writer of mailboxes has it, more or less.
  bool year = false;
  for (std::size_t i = 0; i + 3 < first.size(); ++i)
    year |= (first.substr(i, 2) == "19" || first.substr(i, 2) == "20") && is_digit(first[i + 2]) &&
            is_digit(first[i + 3]);
  const auto second = take_line(text);
  return !header_name(second).empty() && (year || first.find(':') != std::string_view::npos);
}

bool looks_like_srt(std::string_view text) {
  auto number = trim(take_line(text));
  if (number.starts_with("\xEF\xBB\xBF")) number.remove_prefix(3);
  if (number.empty() || number.size() > 9 || !std::ranges::all_of(number, is_digit)) return false;
  const auto times = trim(take_line(text));
  const auto arrow = times.find("-->");
  return arrow != std::string_view::npos && arrow > 4 && is_digit(times[0]) && times.find(':') < arrow;
}

bool looks_like_html(std::string_view text) {
  if (!text.starts_with('<')) return false;
  static constexpr std::array<std::string_view, 22> kFirstTags{"<!doctype html",
                                                               "<html",
                                                               "<head",
                                                               "<body",
                                                               "<table",
                                                               "<div",
                                                               "<p>",
                                                               "<p ",
                                                               "<h1",
                                                               "<h2",
                                                               "<h3",
                                                               "<span",
                                                               "<ul",
                                                               "<ol",
                                                               "<br",
                                                               "<meta",
                                                               "<title",
                                                               "<a ",
                                                               "<img",
                                                               "<section",
                                                               "<article",
                                                               "<style"};
  for (const auto tag : kFirstTags) {
    if (starts_with_fold(text, tag)) return true;
  }
  if (!text.starts_with("<?xml") && !text.starts_with("<!")) return false;
  const std::string start = lowered(text.substr(0, 4096));
  return start.find("<html") != std::string::npos || start.find("<!doctype html") != std::string::npos;
}

bool looks_like_mail(std::string_view text, bool named) {
  if (text.starts_with("From ")) take_line(text);
  static constexpr std::array<std::string_view, 11> kWritten{
      "from", "to",     "cc",           "bcc",        "subject", "reply-to",
      "date", "sender", "organization", "importance", "keywords"};
  static constexpr std::array<std::string_view, 13> kCarried{
      "received",        "return-path",  "message-id",     "mime-version",
      "delivered-to",    "content-type", "references",     "in-reply-to",
      "envelope-to",     "x-mailer",     "dkim-signature", "content-transfer-encoding",
      "x-mozilla-status"};
  std::size_t written = 0, carried = 0, others = 0;
  for (std::size_t lines = 0; !text.empty() && lines < kMaxHeaderLines; ++lines) {
    const auto line = take_line(text);
    if (line.empty()) {
      if (lines == 0) return false;
      break;
    }
    if (lines > 0 && (line[0] == ' ' || line[0] == '\t')) continue;
    const auto name = header_name(line);
    if (name.empty()) {
      if (!named || lines == 0) return false;
      ++others;
      continue;
    }
    if (is_one_of(name, kWritten))
      ++written;
    else if (is_one_of(name, kCarried) || name.starts_with("x-"))
      ++carried;
    else
      ++others;
  }
  // A memo in a text file has "From:" and "To:" too: only what a mail program adds makes a mail of it.
  if (named) return written + carried > 0;
  return carried > 0 && written + carried >= 2 && written + carried >= others;
}

bool looks_like_transcript_json(std::string_view text) {
  return TranscriptShape().found_in(text);
}

std::vector<std::string_view> zip_member_names(std::string_view head, std::string_view tail) {
  std::vector<std::string_view> names;
  const auto collect = [&](std::string_view bytes, std::string_view mark, std::size_t length_at,
                           std::size_t name_at) {
    for (auto at = bytes.find(mark); at != std::string_view::npos && names.size() < kMaxMemberNames;
         at = bytes.find(mark, at + 4)) {
      if (at + name_at > bytes.size()) break;
      const auto length = little16(bytes, at + length_at);
      if (length > 0 && length < 1024 && at + name_at + length <= bytes.size())
        names.push_back(bytes.substr(at + name_at, length));
    }
  };
  collect(tail, "PK\x01\x02", 28, 46);
  collect(head, "PK\x03\x04", 26, 30);
  collect(head, "PK\x01\x02", 28, 46);
  return names;
}

}  // namespace castiel::content::impl
