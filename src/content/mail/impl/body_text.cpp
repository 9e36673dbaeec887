#include "content/mail/impl/body_text.hpp"

#include <algorithm>

namespace castiel::content::mail::impl {
namespace {

constexpr std::size_t kMaxQuoteDepth = 50;

std::string_view next_line(std::string_view text, std::size_t& at) {
  auto end = text.find('\n', at);
  if (end == text.npos) end = text.size();
  const auto line = text.substr(at, end - at);
  at = end + 1;
  return line;
}

}  // namespace

std::string unflowed(std::string_view text, bool delete_space) {
  std::string out;
  std::size_t depth_before = 0;
  bool flowing = false;
  for (std::size_t at = 0; at < text.size();) {
    std::string_view line = next_line(text, at);
    std::size_t depth = 0;
    while (line.starts_with('>')) {
      line.remove_prefix(1);
      ++depth;
    }
    depth = std::min(depth, kMaxQuoteDepth);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (!(flowing && depth == depth_before)) {
      if (flowing) out.push_back('\n');
      for (std::size_t i = 0; i < depth; ++i) out.push_back('>');
      if (depth > 0) out.push_back(' ');
    }
    const bool signature = line == "-- ";
    flowing = line.ends_with(' ') && !signature;
    if (flowing && delete_space) line.remove_suffix(1);
    out += line;
    depth_before = depth;
    if (!flowing) out.push_back('\n');
  }
  return out;
}

std::vector<CodedFile> take_uuencoded(std::string& text) {
  std::vector<CodedFile> files;
  if (text.find("begin ") == text.npos) return files;
  std::string kept;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t begin = at;
    const auto line = next_line(text, at);
    const bool opens = line.size() > 10 && line.starts_with("begin ") && line[9] == ' ' &&
                       std::ranges::all_of(line.substr(6, 3), [](char c) { return c >= '0' && c <= '7'; });
    CodedFile file;
    bool whole = false;
    std::size_t inside = at;
    while (opens && inside < text.size()) {
      const auto coded = next_line(text, inside);
      if (coded == "end" || coded == "end\r") {
        whole = true;
        break;
      }
      if (coded.empty()) continue;
      const std::size_t length = (static_cast<unsigned char>(coded[0]) - 32U) & 63U;
      const std::size_t need = (length + 2) / 3 * 4;
      if (static_cast<unsigned char>(coded[0]) < 32 || static_cast<unsigned char>(coded[0]) > 96) break;
      std::string bytes;
      for (std::size_t i = 1; i < 1 + need; i += 4) {
        unsigned v[4];
        for (std::size_t k = 0; k < 4; ++k)
          v[k] = i + k < coded.size() ? (static_cast<unsigned char>(coded[i + k]) - 32U) & 63U : 0;
        bytes.push_back(static_cast<char>(v[0] << 2 | v[1] >> 4));
        bytes.push_back(static_cast<char>(v[1] << 4 | v[2] >> 2));
        bytes.push_back(static_cast<char>(v[2] << 6 | v[3]));
      }
      bytes.resize(std::min(bytes.size(), length));
      file.bytes += bytes;
    }
    if (whole) {
      file.name = std::string(line.substr(10));
      files.push_back(std::move(file));
      at = inside;
    } else {
      kept += std::string_view(text).substr(begin, std::min(at, text.size()) - begin);
    }
    if (files.size() > 100) {
      kept += std::string_view(text).substr(std::min(at, text.size()));
      break;
    }
  }
  if (!files.empty()) text = std::move(kept);
  return files;
}

std::string without_pgp_armour(std::string_view text) {
  constexpr std::string_view kSigned = "-----BEGIN PGP SIGNED MESSAGE-----";
  if (text.find(kSigned) == text.npos) return std::string(text);
  std::string out;
  enum { outside, head, words, signature } state = outside;
  for (std::size_t at = 0; at < text.size();) {
    std::string_view line = next_line(text, at);
    const bool last = at > text.size();
    if (line.starts_with(kSigned)) {
      state = head;
    } else if (state == head) {
      if (line.empty()) state = words;
    } else if (line.starts_with("-----BEGIN PGP SIGNATURE-----")) {
      state = signature;
    } else if (state == signature) {
      if (line.starts_with("-----END PGP SIGNATURE-----")) state = outside;
    } else {
      if (state == words && line.starts_with("- ")) line.remove_prefix(2);
      out += line;
      if (!last) out.push_back('\n');
    }
  }
  return out;
}

}  // namespace castiel::content::mail::impl
