#include "content/text/impl/source.hpp"

#include "base/utf8.hpp"

namespace castiel::content::text::impl {

Source::Source(std::string_view raw) {
  raw = utf8_prefix(raw, kMaxTextBytes);
  if (is_utf8(raw)) {
    text_ = raw;
  } else {
    clean_.reserve(raw.size() + raw.size() / 8);
    while (!raw.empty()) {
      const std::size_t length = utf8_sequence_length(raw);
      if (length == 0) {
        clean_ += "\xEF\xBF\xBD";
        raw.remove_prefix(1);
      } else {
        clean_ += raw.substr(0, length);
        raw.remove_prefix(length);
      }
    }
    text_ = clean_;
  }
  std::uint32_t points = 0;
  points_.reserve(text_.size() / kStep + 1);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (i % kStep == 0) points_.push_back(points);
    if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) ++points;
  }
  if (text_.size() % kStep == 0) points_.push_back(points);
}

std::size_t Source::point_at(std::size_t byte) const {
  byte = std::min(byte, text_.size());
  std::size_t points = points_[byte / kStep];
  for (std::size_t i = byte / kStep * kStep; i < byte; ++i) {
    if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) ++points;
  }
  return points;
}

std::string lower(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_upper(c)) {
      out += static_cast<char>(c - 'A' + 'a');
    } else if (text.substr(i).starts_with("\xE2\x80\x99") || text.substr(i).starts_with("\xE2\x80\x98")) {
      out += '\'';
      i += 2;
    } else if (c == '\xC3' && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
               static_cast<unsigned char>(text[i + 1]) <= 0x9E && text[i + 1] != '\x97') {
      out += c;
      out += static_cast<char>(static_cast<unsigned char>(text[++i]) + 0x20);
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<Range> word_ranges(std::string_view text) {
  std::vector<Range> words;
  for (std::size_t i = 0; i < text.size();) {
    if (!is_word_byte(text[i])) {
      ++i;
      continue;
    }
    const std::size_t start = i;
    for (;;) {
      // Quotation marks and dashes past ASCII end a word, the apostrophe inside does not.
      if (text.substr(i).starts_with("\xE2\x80")) {
        const bool apostrophe = text.substr(i).starts_with("\xE2\x80\x99") && i > start &&
                                i + 3 < text.size() && is_alpha(text[i + 3]);
        if (!apostrophe) break;
        i += 3;
      } else if (i < text.size() && is_word_byte(text[i])) {
        ++i;
      } else if (i + 1 < text.size() && (text[i] == '\'' || text[i] == '-') && i > start &&
                 is_word_byte(text[i + 1])) {
        ++i;
      } else {
        break;
      }
    }
    if (i == start) {
      i += 3;
      continue;
    }
    words.push_back({start, i});
  }
  return words;
}

}  // namespace castiel::content::text::impl

namespace castiel::content::text {

std::string_view slice(std::string_view text, Span span) {
  std::size_t point = 0, at = 0;
  std::size_t first = text.size();
  while (at < text.size() && point < span.end) {
    if (point == span.start) first = at;
    const std::size_t length = utf8_sequence_length(text.substr(at));
    at += length == 0 ? 1 : length;
    ++point;
  }
  if (span.end <= span.start || first >= at) return text.substr(0, 0);
  return text.substr(first, at - first);
}

}  // namespace castiel::content::text
