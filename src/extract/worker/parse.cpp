#include "extract/worker/parse.hpp"

#include "extract/dispatch.hpp"
#include "extract/worker/ocr.hpp"
#include "extract/worker/pdf.hpp"

namespace castiel::extract::worker {

namespace {

// For the files inside a file: what starts within it may still take the time of a long PDF.
constexpr Duration kNestedTime = std::chrono::seconds(15);

}  // namespace

Result<Extracted> parse(const Request& request) {
  const SystemClock clock;
  const auto nested = Deadline::after(clock, kNestedTime);
  Native native;
  native.pdf = [](std::string_view bytes, std::string_view name, std::string_view) {
    return parse_pdf(bytes, name);
  };
  native.image = [](std::string_view bytes, std::string_view name, std::string_view media_type) {
    return parse_image(bytes, name, media_type);
  };
  native.time_is_short = [&] { return nested.passed(); };
  return dispatch(request, native);
}

}  // namespace castiel::extract::worker
