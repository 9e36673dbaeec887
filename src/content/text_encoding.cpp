#include "content/text_encoding.hpp"

#include <algorithm>
#include <cstring>

#include "base/utf8.hpp"

namespace castiel::content {
namespace {

// Code points of the bytes 0x80 to 0x9F; from 0xA0 on byte and code point are equal (WHATWG Encoding
// Standard).
constexpr std::array<char16_t, 32> kWindows1252{
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

constexpr std::size_t kBlock = 32;

bool is_ascii_block(const char* p) {
  std::uint64_t words[kBlock / 8];
  std::memcpy(words, p, kBlock);
  std::uint64_t all = 0;
  for (const auto word : words) all |= word;
  return (all & 0x8080808080808080ULL) == 0;
}

// White space and every printable byte; what is left makes a file look binary.
constexpr bool is_control(unsigned char c) {
  return (c < 0x20 && !(c >= 0x09 && c <= 0x0D)) || c == 0x7F;
}

std::size_t wanted_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 1;
}

}  // namespace

std::string_view to_string(Encoding encoding) {
  switch (encoding) {
    case Encoding::utf8:
      return "utf-8";
    case Encoding::utf16le:
      return "utf-16le";
    case Encoding::utf16be:
      return "utf-16be";
    case Encoding::windows1252:
      return "windows-1252";
  }
  return "utf-8";
}

Result<Encoding> parse_encoding(std::string_view name) {
  std::string key;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z')
      key.push_back(static_cast<char>(c - 'A' + 'a'));
    else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
      key.push_back(c);
  }
  if (key == "utf8" || key == "ascii" || key == "usascii") return Encoding::utf8;
  if (key == "utf16le" || key == "utf16" || key == "unicode") return Encoding::utf16le;
  if (key == "utf16be") return Encoding::utf16be;
  if (key == "windows1252" || key == "cp1252" || key == "latin1" || key == "iso88591" || key == "ansi") {
    return Encoding::windows1252;
  }
  return permanent("unsupported",
                   "'" + std::string(name) +
                       "' is not a known encoding: expected utf-8, utf-16le, utf-16be or windows-1252");
}

void EncodingDetector::push(std::string_view bytes) {
  for (std::size_t i = 0; head_size_ < head_.size() && i < bytes.size(); ++i) head_[head_size_++] = bytes[i];
  std::size_t i = 0;
  if (carry_size_ > 0) {
    // What was carried, with as much of this chunk as its last sequence could need.
    const std::size_t carried = carry_size_;
    std::array<char, 8> joined{};
    std::copy_n(carry_.begin(), carried, joined.begin());
    const std::size_t added = std::min<std::size_t>(bytes.size(), 4);
    std::copy_n(bytes.data(), added, joined.begin() + static_cast<std::ptrdiff_t>(carried));
    const std::string_view both(joined.data(), carried + added);
    std::size_t k = 0;
    while (k < carried) {
      const auto c = static_cast<unsigned char>(both[k]);
      if (c < 0x80) {
        if (c == 0)
          ++nul_[(size_ - carried + k) & 1];
        else if (is_control(c))
          ++control_;
        ++k;
        continue;
      }
      if (k + wanted_length(c) > both.size()) {
        carry_size_ = static_cast<std::uint32_t>(both.size() - k);
        std::copy_n(both.data() + k, carry_size_, carry_.begin());
        size_ += bytes.size();
        return;
      }
      const std::size_t length = utf8_sequence_length(both.substr(k));
      if (length == 0)
        ++invalid_;
      else
        ++valid_;
      k += std::max<std::size_t>(1, length);
    }
    carry_size_ = 0;
    i = k - carried;
  }
  while (i < bytes.size()) {
    if (i + kBlock <= bytes.size() && is_ascii_block(bytes.data() + i)) {
      unsigned odd = 0;
      for (std::size_t k = 0; k < kBlock; ++k) odd += is_control(static_cast<unsigned char>(bytes[i + k]));
      if (odd == 0) {
        i += kBlock;
        continue;
      }
    }
    const auto c = static_cast<unsigned char>(bytes[i]);
    if (c < 0x80) {
      if (c == 0)
        ++nul_[(size_ + i) & 1];
      else if (is_control(c))
        ++control_;
      ++i;
      continue;
    }
    const std::size_t wanted = wanted_length(c);
    if (i + wanted > bytes.size()) {
      carry_size_ = static_cast<std::uint32_t>(bytes.size() - i);
      std::copy_n(bytes.data() + i, carry_size_, carry_.begin());
      break;
    }
    const std::size_t length = utf8_sequence_length(bytes.substr(i, 4));
    if (length == 0) {
      ++invalid_;
      ++i;
    } else {
      ++valid_;
      i += length;
    }
  }
  size_ += bytes.size();
}

Result<DetectedEncoding> EncodingDetector::finish() {
  const std::string_view head(head_.data(), head_size_);
  for (std::uint32_t k = 0; k < carry_size_; ++k) {
    const auto c = static_cast<unsigned char>(carry_[k]);
    if (c >= 0x80)
      ++invalid_;
    else if (is_control(c))
      ++(c == 0 ? nul_[(size_ - carry_size_ + k) & 1] : control_);
  }
  carry_size_ = 0;
  if (head.starts_with("\xEF\xBB\xBF"))
    return DetectedEncoding{Encoding::utf8, 3, invalid_ == 0 && nul_[0] + nul_[1] == 0};
  // FF FE 00 00 would be UTF-32, which no tool in question writes: as UTF-16 it is a NUL, and so binary.
  if (head.starts_with("\xFF\xFE") && !head.starts_with(std::string_view("\xFF\xFE\0\0", 4))) {
    return DetectedEncoding{Encoding::utf16le, 2, true};
  }
  if (head.starts_with("\xFE\xFF")) return DetectedEncoding{Encoding::utf16be, 2, true};
  const std::uint64_t nuls = nul_[0] + nul_[1];
  if (size_ >= 4 && nuls > 0) {
    const std::uint64_t units = size_ / 2;
    // Western text in UTF-16 has a zero in nearly every second byte; 30 % leaves room for other scripts.
    if (nul_[1] * 10 >= units * 3 && nul_[0] * 20 <= units)
      return DetectedEncoding{Encoding::utf16le, 0, true};
    if (nul_[0] * 10 >= units * 3 && nul_[1] * 20 <= units)
      return DetectedEncoding{Encoding::utf16be, 0, true};
  }
  if (nuls * 1000 > size_ || control_ > 1 + size_ / 50) {
    return permanent("unsupported", "the file is binary, not text");
  }
  if (invalid_ == 0) return DetectedEncoding{Encoding::utf8, 0, nuls == 0};
  if (valid_ >= 10 * invalid_) return DetectedEncoding{Encoding::utf8, 0, false};
  return DetectedEncoding{Encoding::windows1252, 0, nuls == 0};
}

Result<DetectedEncoding> detect_encoding(std::string_view bytes) {
  EncodingDetector detector;
  detector.push(bytes);
  return detector.finish();
}

void TextDecoder::put_unit(char16_t unit, std::string& out) {
  if (unit >= 0xDC00 && unit < 0xE000 && high_ != 0) {
    append_utf8(out, 0x10000 + ((static_cast<char32_t>(high_) - 0xD800) << 10) + (unit - 0xDC00u));
    high_ = 0;
    return;
  }
  if (high_ != 0) append_utf8(out, 0xFFFD);
  high_ = 0;
  if (unit >= 0xD800 && unit < 0xDC00)
    high_ = unit;
  else
    append_utf8(out, unit);  // a lone low surrogate becomes U+FFFD there
}

void TextDecoder::push(std::string_view bytes, std::string& out) {
  switch (encoding_) {
    case Encoding::utf8:
      out.append(bytes);
      return;
    case Encoding::windows1252:
      out.reserve(out.size() + bytes.size());
      for (std::size_t i = 0; i < bytes.size();) {
        std::size_t end = i;
        while (end + kBlock <= bytes.size() && is_ascii_block(bytes.data() + end)) end += kBlock;
        while (end < bytes.size() && static_cast<unsigned char>(bytes[end]) < 0x80) ++end;
        out.append(bytes.substr(i, end - i));
        for (; end < bytes.size() && static_cast<unsigned char>(bytes[end]) >= 0x80; ++end) {
          const auto c = static_cast<unsigned char>(bytes[end]);
          append_utf8(out, c < 0xA0 ? kWindows1252[c - 0x80u] : static_cast<char32_t>(c));
        }
        i = end;
      }
      return;
    case Encoding::utf16le:
    case Encoding::utf16be:
      for (const char c : bytes) {
        if (!has_carry_) {
          carry_ = c;
          has_carry_ = true;
          continue;
        }
        const auto first = static_cast<unsigned char>(carry_), second = static_cast<unsigned char>(c);
        has_carry_ = false;
        put_unit(
            static_cast<char16_t>(encoding_ == Encoding::utf16le ? first | second << 8 : first << 8 | second),
            out);
      }
      return;
  }
}

void TextDecoder::finish(std::string& out) {
  if (high_ != 0) append_utf8(out, 0xFFFD);
  if (has_carry_) append_utf8(out, 0xFFFD);
  high_ = 0;
  has_carry_ = false;
}

std::string decode_text(std::string_view bytes, const DetectedEncoding& detected) {
  std::string out;
  TextDecoder decoder(detected.encoding);
  decoder.push(bytes.substr(std::min<std::size_t>(detected.bom_bytes, bytes.size())), out);
  decoder.finish(out);
  return out;
}

std::uint64_t encoded_length(Encoding encoding, std::string_view utf8) {
  if (encoding == Encoding::utf8) return utf8.size();
  std::uint64_t points = 0, long_points = 0;
  for (const char c : utf8) {
    points += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    long_points += static_cast<unsigned char>(c) >= 0xF0;
  }
  return encoding == Encoding::windows1252 ? points : 2 * (points + long_points);
}

std::string encode_windows1252(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size();) {
    const std::size_t length = std::max<std::size_t>(1, utf8_sequence_length(utf8.substr(i, 4)));
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(utf8[i + k]); };
    char32_t point = byte(0);
    if (length == 2) point = (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
    if (length == 3) point = (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    if (length == 4) point = 0x10000;  // outside of the table in any case
    i += length;
    const auto special =
        point >= 0x80
            ? std::ranges::find(kWindows1252, static_cast<char16_t>(std::min<char32_t>(point, 0xFFFF)))
            : kWindows1252.end();
    if (special != kWindows1252.end()) {
      out.push_back(static_cast<char>(0x80 + (special - kWindows1252.begin())));
    } else {
      out.push_back(point < 0x80 || (point >= 0xA0 && point < 0x100) ? static_cast<char>(point) : '?');
    }
  }
  return out;
}

bool is_valid_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    if (i + kBlock <= text.size() && is_ascii_block(text.data() + i)) {
      i += kBlock;
    } else if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
    } else {
      const std::size_t length = utf8_sequence_length(text.substr(i, 4));
      if (length == 0) return false;
      i += length;
    }
  }
  return true;
}

}  // namespace castiel::content
