#include "storage/postgres/impl/text_code.hpp"

#include <cstring>

#include "base/utf8.hpp"

namespace castiel::storage::postgres {

namespace {

constexpr char kLead[] = "\xF4\x8F";  // of U+10F000 to U+10FFFF
constexpr char32_t kFirst = 0x10FF00;

// Bytes from `from` on that can stay: a UTF-8 sequence, no NUL and none of our own code points; else 0.
std::size_t plain_sequence(std::string_view text) {
  const std::size_t length = utf8_sequence_length(text);
  if (length == 1) return text[0] == '\0' ? 0 : 1;
  if (length == 4 && text.starts_with(kLead) && static_cast<unsigned char>(text[2]) >= 0xBC) return 0;
  return length;
}

// The length of the part that can stay as it is.
std::size_t plain_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    // Eight ASCII bytes at a time, none of them NUL.
    if (text.size() - at >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, 8);
      constexpr std::uint64_t kHigh = 0x8080808080808080, kLow = 0x0101010101010101;
      if ((word & kHigh) == 0 && ((word - kLow) & kHigh) == 0) {
        at += 8;
        continue;
      }
    }
    if (static_cast<signed char>(text[at]) > 0) {  // ASCII
      ++at;
      continue;
    }
    const std::size_t length = plain_sequence(text.substr(at, 4));
    if (length == 0) return at;
    at += length;
  }
  return at;
}

}  // namespace

std::string_view encode_text(std::string_view text, std::string& buffer) {
  std::size_t plain = plain_prefix(text);
  if (plain == text.size()) return text;
  buffer.clear();
  while (!text.empty()) {
    buffer.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    append_utf8(buffer, kFirst + static_cast<unsigned char>(text[0]));
    text.remove_prefix(1);
    plain = plain_prefix(text);
  }
  return buffer;
}

std::string decode_text(std::string_view text) {
  std::size_t at = text.find(kLead);
  if (at == std::string_view::npos) return std::string(text);
  std::string out;
  while (at != std::string_view::npos && at + 4 <= text.size()) {
    const auto third = static_cast<unsigned char>(text[at + 2]);
    const auto fourth = static_cast<unsigned char>(text[at + 3]);
    const bool ours = third >= 0xBC;
    out.append(text.substr(0, ours ? at : at + 4));
    if (ours) out += static_cast<char>((third & 3) << 6 | (fourth & 0x3F));
    text.remove_prefix(at + 4);
    at = text.find(kLead);
  }
  out.append(text);
  return out;
}

}  // namespace castiel::storage::postgres
