#include "content/impl/valid_text.hpp"

#include "base/utf8.hpp"
#include "content/text_encoding.hpp"

namespace castiel::content::impl {

std::string valid_utf8(std::string_view text) {
  if (is_valid_utf8(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto length = utf8_sequence_length(text);
    if (length == 0)
      append_utf8(out, 0xFFFD);
    else
      out.append(text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string text_of(std::string_view bytes) {
  const auto detected = detect_encoding(bytes);
  std::string text = detected ? decode_text(bytes, *detected) : std::string(bytes);
  std::erase(text, '\0');
  return valid_utf8(text);
}

}  // namespace castiel::content::impl
