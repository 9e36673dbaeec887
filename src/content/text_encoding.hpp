#pragma once
// Which encoding a text file has, and its text as UTF-8. Pure functions and small streaming objects: no I/O,
// one owner, one thread each.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace castiel::content {

enum class Encoding { utf8, utf16le, utf16be, windows1252 };

std::string_view to_string(Encoding encoding);  // "utf-8", "utf-16le", "utf-16be", "windows-1252"
// The names above and the usual aliases ("utf8", "latin1", "cp1252", "iso-8859-1"). Error: unsupported.
Result<Encoding> parse_encoding(std::string_view name);

struct DetectedEncoding {
  Encoding encoding = Encoding::utf8;
  std::uint32_t bom_bytes = 0;  // bytes of the byte order mark, to be skipped before decoding
  bool all_valid = true;        // false: some sequences are not valid in `encoding`
};

// Looks at a whole file, chunk by chunk. A byte order mark decides; then NULs in every second place (UTF-16);
// then valid UTF-8; else windows-1252, unless valid multi-byte UTF-8 outnumbers the faults ten to one.
class EncodingDetector {
 public:
  void push(std::string_view bytes);
  // Error: unsupported, when the bytes are no text (NULs, or more than one control character in 50).
  Result<DetectedEncoding> finish();

 private:
  std::array<char, 4> head_{};
  std::uint32_t head_size_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t nul_[2] = {0, 0};  // by parity of the offset
  std::uint64_t control_ = 0;
  std::uint64_t valid_ = 0;  // multi-byte sequences
  std::uint64_t invalid_ = 0;
  std::array<char, 4> carry_{};  // a sequence cut by the end of a chunk
  std::uint32_t carry_size_ = 0;
};

// The same for bytes that are all there.
Result<DetectedEncoding> detect_encoding(std::string_view bytes);

// Decodes a stream of bytes, given without its byte order mark, to UTF-8. A sequence cut by the end of a
// chunk is carried over. UTF-8 passes unchanged, faults included, so that offsets stay exact and a fault can
// be reported with its record; a fault of UTF-16 becomes U+FFFD. windows-1252 is the WHATWG table, which
// gives every byte a code point of its own.
class TextDecoder {
 public:
  explicit TextDecoder(Encoding encoding) : encoding_(encoding) {}
  void push(std::string_view bytes, std::string& out);  // appends
  void finish(std::string& out);

 private:
  void put_unit(char16_t unit, std::string& out);
  Encoding encoding_;
  char carry_ = 0;
  bool has_carry_ = false;
  char16_t high_ = 0;  // a high surrogate that waits for its second half
};

std::string decode_text(std::string_view bytes, const DetectedEncoding& detected);
// How many bytes of the source `utf8`, whole code points that a TextDecoder gave, took: for offsets.
std::uint64_t encoded_length(Encoding encoding, std::string_view utf8);
// The bytes of windows-1252 text again; code points outside of its table become '?'.
std::string encode_windows1252(std::string_view utf8);
// is_utf8 with a fast path for ASCII.
bool is_valid_utf8(std::string_view text);

}  // namespace castiel::content
