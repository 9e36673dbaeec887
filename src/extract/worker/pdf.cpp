#include "extract/worker/pdf.hpp"

#include <poppler-destination.h>
#include <poppler-document.h>
#include <poppler-embedded-file.h>
#include <poppler-global.h>
#include <poppler-image.h>
#include <poppler-page-renderer.h>
#include <poppler-page.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <memory>

#include "base/clock.hpp"
#include "base/time.hpp"
#include "content/documents/builder.hpp"
#include "extract/worker/ocr.hpp"

namespace castiel::extract::worker {
namespace {

using content::documents::Builder;
using content::documents::ParsedDocument;

constexpr int kOcrDpi = 300;
constexpr double kPointsPerInch = 72;
constexpr double kMaxRenderedPixels = 20e6;
constexpr std::size_t kFewCharacters = 8;  // of text on a page: fewer, and the page is likely a picture

std::string utf8(const poppler::ustring& text) {
  const auto bytes = text.to_utf8();
  return {bytes.begin(), bytes.end()};
}

// poppler's own value of "no time" is -1, cut to 32 bits by some versions.
std::string time_text(std::time_t seconds) {
  if (seconds <= 0 || seconds >= 0xFFFFFFFF) return {};
  return to_string(Timestamp{static_cast<std::int64_t>(seconds) * 1'000'000});
}

class PdfReader {
 public:
  PdfReader(poppler::document& document, Deadline until) : document_(document), until_(until) {}

  ParsedDocument read() && {
    read_metadata();
    const int pages = std::min(document_.pages(), kMaxPdfPages);
    if (pages < document_.pages()) builder_.warn("more pages than are read");
    for (int i = 0; i < pages && !builder_.full(); ++i) {
      if (until_.passed()) {
        builder_.warn("reading took too long: the last pages are missing");
        break;
      }
      read_page(i);
    }
    read_files();
    return std::move(builder_).finish("pdf", "application/pdf");
  }

 private:
  void read_metadata() {
    auto& metadata = builder_.metadata();
    metadata.title = utf8(document_.get_title());
    metadata.author = utf8(document_.get_author());
    metadata.created = time_text(document_.get_creation_date_t());
    metadata.modified = time_text(document_.get_modification_date_t());
  }

  void read_page(int index) {
    const std::unique_ptr<poppler::page> page(document_.create_page(index));
    if (!page) {
      builder_.warn("a page cannot be read");
      return;
    }
    std::string text = utf8(page->text(poppler::rectf(), poppler::page::non_raw_non_physical_layout));
    bool ocr = false;
    const auto printable =
        std::ranges::count_if(text, [](char c) { return static_cast<unsigned char>(c) > ' '; });
    if (static_cast<std::size_t>(printable) < kFewCharacters) ocr = read_picture(*page, text);
    builder_.line(text);
    builder_.page(index + 1, text, ocr);
  }

  // The page as a picture, read by OCR. False when there is nothing on it or no time left.
  bool read_picture(poppler::page& page, std::string& text) {
    if (ocr_pages_ >= kMaxOcrPages) {
      builder_.warn("more scanned pages than are read");
      return false;
    }
    const auto size = page.page_rect();
    const double inches = size.width() * size.height() / (kPointsPerInch * kPointsPerInch);
    if (inches <= 0 || !std::isfinite(inches)) return false;
    const double most = std::sqrt(kMaxRenderedPixels / inches);
    const int dpi = static_cast<int>(std::min<double>(kOcrDpi, most));
    if (dpi < 30) return false;
    poppler::page_renderer renderer;
    renderer.set_image_format(poppler::image::format_argb32);
    renderer.set_render_hint(poppler::page_renderer::antialiasing, true);
    renderer.set_render_hint(poppler::page_renderer::text_antialiasing, true);
    const auto image = renderer.render_page(&page, dpi, dpi);
    if (!image.is_valid() || is_blank(image)) return false;
    ++ocr_pages_;
    const auto found = read_pixels({reinterpret_cast<const std::uint8_t*>(image.const_data()), image.width(),
                                    image.height(), image.bytes_per_row(), dpi});
    if (!found) {
      builder_.warn(found.error().message);
      return false;
    }
    for (const auto& warning : found->warnings) builder_.warn(warning);
    text = text.size() > found->text.size() ? text : found->text;
    return true;
  }

  static bool is_blank(const poppler::image& image) {
    const auto* first = reinterpret_cast<const std::uint32_t*>(image.const_data());
    for (int y = 0; y < image.height(); ++y) {
      const auto* row = reinterpret_cast<const std::uint32_t*>(image.const_data() +
                                                               std::ptrdiff_t{y} * image.bytes_per_row());
      for (int x = 0; x < image.width(); ++x) {
        if (row[x] != *first) return false;
      }
    }
    return true;
  }

  void read_files() {
    for (const auto* file : document_.embedded_files()) {
      if (!file->is_valid() || file->size() > static_cast<int>(content::documents::kMaxEmbeddedBytes))
        continue;
      const auto bytes = file->data();
      const std::string name = file->name();
      builder_.embed(name, content::documents::media_type_of(name), {bytes.begin(), bytes.end()});
    }
  }

  poppler::document& document_;
  Deadline until_;
  Builder builder_;
  int ocr_pages_ = 0;
};

}  // namespace

Result<ParsedDocument> parse_pdf(std::string_view bytes, std::string_view /*name*/) {
  if (bytes.size() > content::documents::kMaxDocumentBytes)
    return permanent("too_large", "the document is larger than is read");
  // The library writes what it dislikes about a file to standard error.
  poppler::set_debug_error_function([](const std::string&, void*) {}, nullptr);
  const std::unique_ptr<poppler::document> document(
      poppler::document::load_from_raw_data(bytes.data(), static_cast<int>(bytes.size())));
  if (!document) return permanent("corrupt", "the PDF cannot be read");
  if (document->is_locked()) return permanent("encrypted", "the PDF needs a password");
  const SystemClock clock;
  return PdfReader(*document, Deadline::after(clock, std::chrono::seconds(kMaxPdfSeconds))).read();
}

}  // namespace castiel::extract::worker
