#include "extract/worker/ocr.hpp"

#include <leptonica/allheaders.h>
#include <omp.h>
#include <tesseract/baseapi.h>

#include <algorithm>
#include <memory>

#include "content/documents/builder.hpp"

namespace castiel::extract::worker {
namespace {

using content::documents::Builder;
using content::documents::ParsedDocument;

constexpr int kBestDpi = 300;
constexpr int kMaxScale = 3;
constexpr int kLongestSideInches = 25;  // of a page whose stated resolution is believed
constexpr int kSureText = 70;           // mean confidence from which the picture stands upright
constexpr int kHopelessText = 45;       // below, every way to turn it is tried
constexpr int kMaxTriedPixels = 8'000'000;

struct PixCloser {
  void operator()(Pix* pix) const { pixDestroy(&pix); }
};
using PixPtr = std::unique_ptr<Pix, PixCloser>;

// One recogniser a process: loading its model takes longer than reading a page.
class Recogniser {
 public:
  static Recogniser& shared() {
    static Recogniser recogniser;
    return recogniser;
  }

  Result<OcrText> read(Pix* picture) {
    if (!text_ready_) return permanent("unsupported", "the OCR's language data are missing");
    OcrText best = read_as_is(picture, 0);
    if (best.confidence >= kSureText) return best;
    const int turn = orientation(picture);
    if (turn != 0) best = better(std::move(best), read_turned(picture, turn));
    if (best.confidence >= kHopelessText || pixGetWidth(picture) * pixGetHeight(picture) > kMaxTriedPixels)
      return best;
    for (const int other : {90, 180, 270}) {
      if (other != turn) best = better(std::move(best), read_turned(picture, other));
    }
    return best;
  }

 private:
  Recogniser() {
    omp_set_num_threads(1);
    setMsgSeverity(L_SEVERITY_NONE);
    text_ready_ = text_.Init(nullptr, "eng", tesseract::OEM_LSTM_ONLY) == 0;
    if (text_ready_) {
      text_.SetPageSegMode(tesseract::PSM_AUTO);
      text_.SetVariable("debug_file", "/dev/null");
    }
    turn_ready_ = turn_.Init(nullptr, "osd", tesseract::OEM_TESSERACT_ONLY) == 0;
    if (turn_ready_) turn_.SetPageSegMode(tesseract::PSM_OSD_ONLY);
  }

  static OcrText better(OcrText a, OcrText b) {
    const auto worth = [](const OcrText& text) {
      return static_cast<double>(text.confidence) * (text.text.empty() ? 0 : 1);
    };
    return worth(b) > worth(a) ? std::move(b) : std::move(a);
  }

  OcrText read_as_is(Pix* picture, int rotation) {
    OcrText result;
    text_.SetImage(picture);
    const std::unique_ptr<char[]> words(text_.GetUTF8Text());
    if (words) result.text = words.get();
    result.confidence = text_.MeanTextConf();
    result.rotation = rotation;
    text_.Clear();
    return result;
  }

  OcrText read_turned(Pix* picture, int degrees) {
    const PixPtr turned(pixRotateOrth(picture, degrees / 90));
    return turned ? read_as_is(turned.get(), degrees) : OcrText{};
  }

  // Degrees clockwise that set the picture upright; 0 when it is not known.
  int orientation(Pix* picture) {
    if (!turn_ready_) return 0;
    turn_.SetImage(picture);
    int degrees = 0;
    float turn_sureness = 0, script_sureness = 0;
    const char* script = nullptr;
    const bool found = turn_.DetectOrientationScript(&degrees, &turn_sureness, &script, &script_sureness);
    turn_.Clear();
    return found ? (360 - degrees) % 360 : 0;
  }

  tesseract::TessBaseAPI text_, turn_;
  bool text_ready_ = false, turn_ready_ = false;
};

// Grey, upright by skew, and with letters as large as the recogniser knows them.
PixPtr prepared(PixPtr picture, int dpi) {
  PixPtr grey(pixConvertTo8(picture.get(), 0));
  if (!grey) return picture;
  const auto pixels = static_cast<double>(pixGetWidth(grey.get())) * pixGetHeight(grey.get());
  double scale = dpi > 0 && dpi < 200 ? std::min<double>(kMaxScale, static_cast<double>(kBestDpi) / dpi) : 1;
  if (pixels * scale * scale > static_cast<double>(kMaxImagePixels)) scale = 1;
  if (scale > 1) {
    PixPtr larger(pixScale(grey.get(), static_cast<float>(scale), static_cast<float>(scale)));
    if (larger) grey = std::move(larger);
  }
  const int resolution = dpi > 0 ? static_cast<int>(dpi * scale) : 0;
  pixSetResolution(grey.get(), resolution, resolution);
  return grey;
}

Result<OcrText> read_picture(PixPtr picture, int dpi) {
  const int longest = std::max(pixGetWidth(picture.get()), pixGetHeight(picture.get()));
  const bool believed = dpi > 0 && longest / dpi <= kLongestSideInches;
  if (!believed) dpi = 0;
  const PixPtr ready = prepared(std::move(picture), dpi);
  CASTIEL_ASSIGN(OcrText result, Recogniser::shared().read(ready.get()));
  if (dpi > 0 && dpi < kLowestDpi)
    result.warnings.push_back("the picture has " + std::to_string(dpi) + " dpi: text below " +
                              std::to_string(kLowestDpi) + " dpi is read unreliably");
  return result;
}

}  // namespace

Result<OcrText> read_pixels(const Pixels& pixels) {
  PixPtr picture(pixCreate(pixels.width, pixels.height, 8));
  if (!picture) return permanent("too_large", "the picture is larger than is read");
  for (int y = 0; y < pixels.height; ++y) {
    const auto* from = pixels.data + std::ptrdiff_t{y} * pixels.stride;
    auto* to = pixGetData(picture.get()) + std::ptrdiff_t{y} * pixGetWpl(picture.get());
    for (int x = 0; x < pixels.width; ++x) {
      const int grey = (from[x * 4 + 2] * 77 + from[x * 4 + 1] * 150 + from[x * 4] * 29) >> 8;
      SET_DATA_BYTE(to, x, static_cast<l_uint8>(grey));
    }
  }
  return read_picture(std::move(picture), pixels.dpi);
}

Result<ParsedDocument> parse_image(std::string_view bytes, std::string_view /*name*/,
                                   std::string_view media_type) {
  setMsgSeverity(L_SEVERITY_NONE);
  const auto* data = reinterpret_cast<const l_uint8*>(bytes.data());
  int format = 0, width = 0, height = 0;
  if (pixReadHeaderMem(data, bytes.size(), &format, &width, &height, nullptr, nullptr, nullptr) != 0)
    return permanent(media_type == "image/heic" ? "unsupported" : "corrupt", "the picture cannot be read");
  if (static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height) > kMaxImagePixels)
    return permanent("too_large", "the picture is larger than is read");
  Builder builder;
  std::size_t offset = 0;
  for (int page = 1; page <= kMaxImagePages; ++page) {
    const bool many = format >= IFF_TIFF && format <= IFF_TIFF_ZIP;
    PixPtr picture(many ? pixReadMemFromMultipageTiff(data, bytes.size(), &offset)
                        : pixReadMem(data, bytes.size()));
    if (!picture) {
      if (page == 1) return permanent("corrupt", "the picture cannot be read");
      builder.warn("a page of the picture cannot be read");
      break;
    }
    const int dpi = pixGetXRes(picture.get());
    CASTIEL_ASSIGN(const auto found, read_picture(std::move(picture), dpi));
    for (const auto& warning : found.warnings) builder.warn(warning);
    builder.line(found.text);
    builder.page(page, found.text, true);
    if (!many || offset == 0) break;
  }
  return std::move(builder).finish("image", media_type);
}

}  // namespace castiel::extract::worker
