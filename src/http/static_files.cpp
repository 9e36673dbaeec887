#include "http/static_files.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"
#include "http/impl/text.hpp"
#include "http/problem.hpp"

namespace castiel::http {

std::string etag_of(std::string_view content) {
  return fmt::format("\"{:016x}\"", stable_hash(content));
}

bool not_modified(const Request& request, std::string_view etag) {
  const auto header = request.headers.get("If-None-Match");
  if (!header) return false;
  const auto opaque = [](std::string_view tag) { return tag.starts_with("W/") ? tag.substr(2) : tag; };
  for (const auto item : impl::split(*header, ',')) {
    const auto tag = impl::trim(item);
    if (tag == "*" || opaque(tag) == opaque(etag)) return true;
  }
  return false;
}

Response with_etag(const Request& request, Response response, std::string_view etag) {
  response.headers.set("ETag", std::string(etag));
  if ((request.method == "GET" || request.method == "HEAD") && not_modified(request, etag)) {
    response.status = 304;
    response.body = std::string();
    response.headers.remove("Content-Type");
  }
  return response;
}

std::string_view content_type_of(std::string_view file_name) {
  static constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
      {".map", "application/json"},
  };
  for (const auto& [extension, type] : kTypes)
    if (file_name.ends_with(extension)) return type;
  return "application/octet-stream";
}

void StaticFiles::add(std::string path, const File& file) {
  files_.insert_or_assign(std::move(path), Entry{file, etag_of(file.content)});
}

Response StaticFiles::serve(const Request& request, std::string_view path, bool fall_back_to_index) const {
  auto found = files_.find(path.empty() ? "index.html" : path);
  const auto name = path.substr(path.rfind('/') + 1);
  if (found == files_.end() && fall_back_to_index && name.find('.') == std::string_view::npos)
    found = files_.find("index.html");
  if (found == files_.end())
    return error_response(
        {"not_found", fmt::format("There is nothing at {}.", request.path), ErrorClass::permanent, {}},
        request.path);

  const auto& [file, etag] = found->second;
  const bool packed = !file.gzip.empty() && accepts_gzip(request.headers.get_or("Accept-Encoding", ""));
  auto response = Response::bytes(std::string(packed ? file.gzip : file.content),
                                  std::string(content_type_of(found->first)));
  if (!file.gzip.empty()) response.headers.set("Vary", "Accept-Encoding");
  if (packed) response.headers.set("Content-Encoding", "gzip");
  response.headers.set("Cache-Control", file.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  // Other bytes need another strong tag (RFC 9110, 8.8.3).
  return with_etag(request, std::move(response), packed ? etag.substr(0, etag.size() - 1) + "-gz\"" : etag);
}

}  // namespace castiel::http
