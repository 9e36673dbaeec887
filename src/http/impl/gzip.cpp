#include "http/impl/gzip.hpp"

#include <zlib.h>

#include <limits>

namespace castiel::http::impl {

std::optional<std::string> gzip(std::string_view text) {
  constexpr int kLevel = 5;             // within a few per cent of 9 on JSON, at a third of its time
  constexpr int kGzipWindow = 15 + 16;  // 32 KiB window, gzip framing
  constexpr int kMemory = 8;
  if (text.size() > std::numeric_limits<uInt>::max() / 2) return std::nullopt;
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    return std::nullopt;
  std::string out(deflateBound(&stream, text.size()), '\0');
  // zlib's interface is not const-correct; it only reads.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) return std::nullopt;
  return out;
}

}  // namespace castiel::http::impl
