#include "content/mail/impl/charset.hpp"

#include <unicode/ucnv.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/utf8.hpp"
#include "content/text_encoding.hpp"

namespace castiel::content::mail::impl {
namespace {

std::string lower_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '"' || c == '\'' || c == ' ' || c == '\t') continue;
    if (c == '*') break;  // RFC 2231: charset*language
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  return out;
}

// What writers mean by a name, where that is more than the name says: supersets, and names of their own.
std::string_view converter_name(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kMeant{{
      {"gb2312", "gb18030"},
      {"gbk", "gb18030"},
      {"x-gbk", "gb18030"},
      {"ks_c_5601-1987", "windows-949"},
      {"ks_c_5601", "windows-949"},
      {"euc-kr", "windows-949"},
      {"iso-8859-8-i", "iso-8859-8"},
      {"iso-8859-8-e", "iso-8859-8"},
      {"shift_jis", "windows-31j"},
      {"shift-jis", "windows-31j"},
      {"x-sjis", "windows-31j"},
      {"iso-2022-jp", "iso-2022-jp-2"},
      {"unicode-1-1-utf-7", "utf-7"},
      {"unicode-1-1-utf-8", "utf-8"},
      {"iso-8859-9", "windows-1254"},
      {"iso-8859-11", "windows-874"},
      {"tis-620", "windows-874"},
      {"koi8-ru", "koi8-u"},
      {"x-mac-roman", "macintosh"},
      {"x-unknown", ""},
      {"unknown-8bit", ""},
      {"8bit", ""},
      {"default", ""},
      {"_autodetect", ""},
  }};
  for (const auto& [said, meant] : kMeant)
    if (said == name) return meant;
  if (name.starts_with("cp-")) return name;
  return name;
}

bool is_plain(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x80 && u != 0 && u != 0x1B;
  });
}

std::string decode_windows1252(std::string_view bytes) {
  return decode_text(bytes, {Encoding::windows1252, 0, true});
}

std::string repaired_utf8(std::string_view bytes) {
  std::string out;
  TextDecoder decoder(Encoding::utf8);
  std::size_t valid = 0;
  std::size_t faults = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (length != 0 && i + length <= bytes.size() && is_utf8(bytes.substr(i, length))) {
      out.append(bytes.substr(i, length));
      valid += length > 1 ? 1 : 0;
      i += length;
    } else {
      out.append("\xEF\xBF\xBD");
      ++faults;
      ++i;
    }
  }
  return faults > valid ? decode_windows1252(bytes) : out;
}

std::string guess(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  if (is_valid_utf8(bytes)) return std::string(bytes);
  return repaired_utf8(bytes);
}

std::string without_nuls(std::string text) {
  std::erase(text, '\0');
  return text;
}

std::size_t multibyte_sequences(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (c & 0xC0) == 0xC0; }));
}

bool convert(std::string_view bytes, const std::string& name, std::string& out) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UConverter, void (*)(UConverter*)> from(ucnv_open(name.c_str(), &error), ucnv_close);
  if (U_FAILURE(error) || !from) return false;
  const std::unique_ptr<UConverter, void (*)(UConverter*)> to(ucnv_open("utf-8", &error), ucnv_close);
  if (U_FAILURE(error) || !to) return false;
  std::array<UChar, 2048> pivot;
  UChar* pivot_source = pivot.data();
  UChar* pivot_target = pivot.data();
  const char* source = bytes.data();
  const char* const source_end = source + bytes.size();
  std::array<char, 8192> chunk;
  bool first = true;
  do {
    char* target = chunk.data();
    error = U_ZERO_ERROR;
    ucnv_convertEx(to.get(), from.get(), &target, chunk.data() + chunk.size(), &source, source_end,
                   pivot.data(), &pivot_source, &pivot_target, pivot.data() + pivot.size(), first, true,
                   &error);
    first = false;
    out.append(chunk.data(), static_cast<std::size_t>(target - chunk.data()));
  } while (error == U_BUFFER_OVERFLOW_ERROR);
  return U_SUCCESS(error);
}

}  // namespace

Decoded to_utf8(std::string_view bytes, std::string_view charset) {
  const std::string said = lower_name(charset);
  const bool stateful = said.starts_with("iso-2022") || said.starts_with("utf-16") ||
                        said.starts_with("utf-32") || said.starts_with("utf-7") ||
                        said.starts_with("unicode") || said.starts_with("hz") || said.starts_with("ucs-");
  if (!stateful && is_plain(bytes)) return {std::string(bytes), false};
  if (said.empty()) {
    // Japanese mails without a charset are in escape sequences, which nothing else is.
    std::string out;
    if (bytes.find("\x1B$B") != bytes.npos && convert(bytes, "iso-2022-jp", out))
      return {without_nuls(std::move(out)), true};
    return {without_nuls(guess(bytes)), !is_valid_utf8(bytes)};
  }
  if (said == "utf-8" || said == "utf8" || said == "us-ascii" || said == "ascii" ||
      said == "ansi_x3.4-1968") {
    const bool right = said.starts_with("utf") ? is_valid_utf8(bytes) : is_plain(bytes);
    return {without_nuls(guess(bytes)), !right};
  }
  if (said == "iso-8859-1" || said == "latin1" || said == "iso_8859-1" || said == "windows-1252" ||
      said == "cp1252" || said == "iso8859-1" || said == "iso-8859-15") {
    // UTF-8 under the name of a Western charset: its letters are not written that way by chance.
    if (is_valid_utf8(bytes) && multibyte_sequences(bytes) >= 1)
      return {without_nuls(std::string(bytes)), true};
    if (said != "iso-8859-15") return {without_nuls(decode_windows1252(bytes)), false};
  }
  std::string out;
  const std::string name(converter_name(said));
  if (!name.empty() && convert(bytes, name, out)) {
    if (out.starts_with("\xEF\xBB\xBF")) out.erase(0, 3);
    return {without_nuls(std::move(out)), false};
  }
  return {without_nuls(guess(bytes)), true};
}

std::string with_line_feeds(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out.push_back(text[i]);
    } else if (i + 1 >= text.size() || text[i + 1] != '\n') {
      // "\r\r\n" is one line end, written by programs that translate twice.
      if (i + 2 < text.size() && text[i + 1] == '\r' && text[i + 2] == '\n') continue;
      out.push_back('\n');
    }
  }
  return out;
}

}  // namespace castiel::content::mail::impl
