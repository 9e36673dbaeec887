#include "content/text_encoding.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/utf8.hpp"

namespace castiel::content {
namespace {

std::string utf16(std::u16string_view text, bool little) {
  std::string out;
  for (const char16_t c : text) {
    const char low = static_cast<char>(c & 0xFF), high = static_cast<char>(c >> 8);
    out += little ? std::string{low, high} : std::string{high, low};
  }
  return out;
}

TEST(Encoding, is_found_by_mark_by_statistics_and_by_validity) {
  const auto is = [](std::string_view bytes, Encoding encoding, std::uint32_t bom) {
    const auto found = detect_encoding(bytes);
    return found && found->encoding == encoding && found->bom_bytes == bom;
  };
  EXPECT_TRUE(is("plain text", Encoding::utf8, 0));
  EXPECT_TRUE(is("\xEF\xBB\xBFid,name", Encoding::utf8, 3));
  EXPECT_TRUE(is("Grüße", Encoding::utf8, 0));
  EXPECT_TRUE(
      is("Gr\xFC\xDF"
         "e",
         Encoding::windows1252, 0));
  EXPECT_TRUE(is("\xFF\xFE" + utf16(u"id,é", true), Encoding::utf16le, 2));
  EXPECT_TRUE(is("\xFE\xFF" + utf16(u"id,é", false), Encoding::utf16be, 2));
  EXPECT_TRUE(is(utf16(u"id,name,stage", true), Encoding::utf16le, 0));
  EXPECT_TRUE(is(utf16(u"id,name,stage", false), Encoding::utf16be, 0));
}

TEST(Encoding, keeps_a_file_utf8_that_has_one_fault_among_many_letters) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "größer ";
  const auto found = detect_encoding(text + "\xFF");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->encoding, Encoding::utf8);
  EXPECT_FALSE(found->all_valid);
}

TEST(Encoding, refuses_binary_files) {
  EXPECT_EQ(detect_encoding(std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0", 20)).error().code,
            "unsupported");
  EXPECT_EQ(detect_encoding(std::string(100, '\x01')).error().code, "unsupported");
}

TEST(Decoder, gives_back_every_byte_of_windows_1252) {
  std::string bytes;
  for (int i = 1; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const std::string text = decode_text(bytes, {Encoding::windows1252, 0, true});
  EXPECT_TRUE(is_utf8(text));
  EXPECT_NE(text.find("€"), std::string::npos);
  EXPECT_EQ(encode_windows1252(text), bytes);
  EXPECT_EQ(encoded_length(Encoding::windows1252, text), bytes.size());
}

RC_GTEST_PROP(DecoderProperty, decodes_utf16_in_any_chunks, ()) {
  const auto units = *rc::gen::container<std::u16string>(rc::gen::arbitrary<char16_t>());
  const std::string bytes = utf16(units, true);
  const std::string whole = decode_text(bytes, {Encoding::utf16le, 0, true});
  std::string pieces;
  TextDecoder decoder(Encoding::utf16le);
  for (const char c : bytes) decoder.push({&c, 1}, pieces);
  decoder.finish(pieces);
  RC_ASSERT(whole == pieces);
  RC_ASSERT(is_utf8(whole));
  RC_ASSERT(encoded_length(Encoding::utf16le, whole) == bytes.size());
}

RC_GTEST_PROP(DecoderProperty, detects_the_same_in_any_chunks, (std::string text)) {
  text += "äöü€ plain";
  const auto whole = detect_encoding(text);
  EncodingDetector detector;
  for (const char c : text) detector.push({&c, 1});
  const auto pieces = detector.finish();
  RC_ASSERT(whole.has_value() == pieces.has_value());
  if (whole) RC_ASSERT(whole->encoding == pieces->encoding);
}

}  // namespace
}  // namespace castiel::content
