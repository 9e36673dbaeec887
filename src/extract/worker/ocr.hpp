#pragma once
// Text in pictures, by tesseract. Blocks; not thread-safe across calls that share an Ocr.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "content/documents/document.hpp"

namespace castiel::extract::worker {

inline constexpr int kLowestDpi = 120;                        // below, reading is a guess: a warning
inline constexpr std::uint64_t kMaxImagePixels = 60'000'000;  // of a picture: more is too_large
inline constexpr int kMaxImagePages = 20;                     // of a TIFF

struct OcrText {
  std::string text;
  int confidence = 0;  // 0..100
  int rotation = 0;    // degrees clockwise by which the picture was turned to be read
  std::vector<std::string> warnings;
};

// Pixels of a page: 8 bits each of red, green, blue, and one byte unused, rows of `stride` bytes.
struct Pixels {
  const std::uint8_t* data = nullptr;
  int width = 0, height = 0, stride = 0;
  int dpi = 0;  // 0: unknown
};
Result<OcrText> read_pixels(const Pixels& pixels);

// A picture file as a document of one page, or one page for each of a TIFF's. Errors: corrupt, too_large,
// unsupported.
Result<content::documents::ParsedDocument> parse_image(std::string_view bytes, std::string_view name,
                                                       std::string_view media_type);

}  // namespace castiel::extract::worker
