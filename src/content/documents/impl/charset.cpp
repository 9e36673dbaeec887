#include "content/documents/impl/charset.hpp"

#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>
#include <unicode/unistr.h>

#include <memory>

#include "base/utf8.hpp"
#include "content/text_encoding.hpp"

namespace castiel::content::documents::impl {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kDetectBytes = 64 << 10;
constexpr int kSureOfCharset = 40;  // of ICU's 0..100; below, windows-1252 is the better guess

bool convert(std::string_view bytes, const char* name, std::string& out) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UConverter, decltype(&ucnv_close)> converter(ucnv_open(name, &status), ucnv_close);
  if (U_FAILURE(status)) return false;
  const icu::UnicodeString wide(bytes.data(), static_cast<int>(bytes.size()), converter.get(), status);
  if (U_FAILURE(status)) return false;
  wide.toUTF8String(out);
  return true;
}

std::string utf32(std::string_view bytes, bool big) {
  std::string result;
  for (std::size_t i = 4; i + 3 < bytes.size(); i += 4) {
    char32_t code = 0;
    for (std::size_t k = 0; k < 4; ++k)
      code = code << 8 | static_cast<unsigned char>(bytes[i + (big ? k : 3 - k)]);
    append_utf8(result, code);
  }
  return result;
}

// The charset ICU sees, if it is one of several bytes a character and ICU is sure.
std::string detected(std::string_view bytes) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<UCharsetDetector, decltype(&ucsdet_close)> detector(ucsdet_open(&status),
                                                                            ucsdet_close);
  if (U_FAILURE(status)) return {};
  const auto sample = bytes.substr(0, kDetectBytes);
  ucsdet_setText(detector.get(), sample.data(), static_cast<int>(sample.size()), &status);
  const UCharsetMatch* match = ucsdet_detect(detector.get(), &status);
  if (U_FAILURE(status) || !match || ucsdet_getConfidence(match, &status) < kSureOfCharset) return {};
  const char* name = ucsdet_getName(match, &status);
  return U_SUCCESS(status) && name ? name : "";
}

}  // namespace

std::string to_utf8(std::string_view bytes, std::string_view declared) {
  if (bytes.starts_with("\xFF\xFE\0\0"sv)) return utf32(bytes, false);
  if (bytes.starts_with("\0\0\xFE\xFF"sv)) return utf32(bytes, true);
  const auto guess = detect_encoding(bytes);
  const bool marked = guess && guess->bom_bytes > 0;
  if (guess && (marked || guess->encoding == Encoding::utf16le || guess->encoding == Encoding::utf16be))
    return decode_text(bytes, *guess);
  // A page that says another charset and is plainly UTF-8 lies.
  if (is_valid_utf8(bytes)) return std::string(bytes.substr(guess ? guess->bom_bytes : 0));
  std::string result;
  if (!declared.empty() && convert(bytes, std::string(declared).c_str(), result)) return result;
  const std::string name = detected(bytes);
  if (!name.empty() && name != "UTF-8" && name != "ISO-8859-1" && convert(bytes, name.c_str(), result))
    return result;
  return decode_text(bytes, {Encoding::windows1252, 0, true});
}

std::string from_code_page(std::string_view bytes, int code_page) {
  std::string result;
  std::string name = "windows-" + std::to_string(code_page);
  if (code_page == 932)
    name = "Shift_JIS";
  else if (code_page == 936)
    name = "GBK";
  else if (code_page == 949)
    name = "EUC-KR";
  else if (code_page == 950)
    name = "Big5";
  else if (code_page == 10000)
    name = "macintosh";
  else if (code_page == 437 || code_page == 850 || code_page == 852 || code_page == 866)
    name = "cp" + std::to_string(code_page);
  else if (code_page == 65001)
    return std::string(bytes);
  if (code_page != 1252 && convert(bytes, name.c_str(), result)) return result;
  return decode_text(bytes, {Encoding::windows1252, 0, true});
}

}  // namespace castiel::content::documents::impl
