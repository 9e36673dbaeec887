#pragma once
// A text made safe to scan: valid UTF-8 with a map between bytes and code points. One owner, any thread.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "content/text/text.hpp"

namespace castiel::content::text::impl {

// Text past this many bytes is not analysed; callers cut it first.
inline constexpr std::size_t kMaxTextBytes = 4 * 1024 * 1024;
// Findings of one kind per text.
inline constexpr std::size_t kMaxFindings = 5000;

// Every byte that is no part of a valid sequence becomes U+FFFD, one for each.
class Source {
 public:
  explicit Source(std::string_view raw);
  std::string_view text() const { return text_; }
  std::size_t size() const { return text_.size(); }
  // The code point that begins at or holds a byte of text().
  std::size_t point_at(std::size_t byte) const;
  Span span(std::size_t byte_start, std::size_t byte_end) const {
    return {point_at(byte_start), point_at(byte_end)};
  }
  std::string part(std::size_t byte_start, std::size_t byte_end) const {
    return std::string(text().substr(byte_start, byte_end - byte_start));
  }

 private:
  static constexpr std::size_t kStep = 64;  // bytes between entries of the map
  std::string clean_;
  std::string_view text_;
  std::vector<std::uint32_t> points_;  // code points before byte i * kStep
};

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
inline bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
// A byte of a word: letters, digits and everything past ASCII.
inline bool is_word_byte(char c) {
  return is_alpha(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80;
}
inline bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}
// Upper and lower case of ASCII, Latin-1 and the typographic apostrophe as a plain one.
std::string lower(std::string_view text);

// A word list written as one string with spaces around each word.
inline bool in_list(std::string_view list, std::string_view word) {
  if (word.empty()) return false;
  for (std::size_t at = list.find(word); at != list.npos; at = list.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if (at > 0 && list[at - 1] == ' ' && end < list.size() && list[end] == ' ') return true;
  }
  return false;
}

// Byte ranges of the sentences of a clean text.
struct Range {
  std::size_t start = 0;
  std::size_t end = 0;
};
std::vector<Range> sentence_ranges(std::string_view text);

// Words (letters, digits, inner apostrophes and hyphens) of a text, as byte ranges.
std::vector<Range> word_ranges(std::string_view text);

}  // namespace castiel::content::text::impl
