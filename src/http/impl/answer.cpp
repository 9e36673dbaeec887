#include "http/impl/answer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "http/impl/gzip.hpp"
#include "http/impl/text.hpp"
#include "http/server.hpp"

namespace castiel::http::impl {

namespace {

bool is_compressible(std::string_view type) {
  type = trim(type.substr(0, type.find(';')));
  return type.starts_with("text/") || type == "application/json" || type.ends_with("+json") ||
         type == "application/javascript" || type.ends_with("+xml");
}

// A line break in a value would let it write header fields of its own.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  const auto append_line = [&out](std::string_view text) {
    for (const char c : text) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  };
  append_line(name);
  out += ": ";
  append_line(value);
  out += "\r\n";
}

}  // namespace

void compress(Response& response, std::string_view accept_encoding) {
  auto* body = std::get_if<std::string>(&response.body);
  if (body == nullptr || body->size() < kGzipFromBytes || response.headers.has("Content-Encoding") ||
      !is_compressible(response.headers.get_or("Content-Type", "")))
    return;
  response.headers.add("Vary", "Accept-Encoding");
  if (!accepts_gzip(accept_encoding)) return;
  auto packed = gzip(*body);
  if (!packed || packed->size() >= body->size()) return;
  *body = std::move(*packed);
  response.headers.set("Content-Encoding", "gzip");
  // The bytes are no longer those the tag was made of.
  if (const auto tag = response.headers.get("ETag"); tag && !tag->starts_with("W/"))
    response.headers.set("ETag", "W/" + std::string(*tag));
}

std::string render_head(const Response& response, const AnswerForm& form, Timestamp now,
                        std::string_view content_security_policy, std::optional<std::uint64_t> length) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status, reason_of(response.status),
                                http_date(now));
  for (const auto& [name, value] : response.headers.all()) append_field(out, name, value);
  const auto by_default = [&](std::string_view name, std::string_view value) {
    if (!response.headers.has(name)) append_field(out, name, value);
  };
  by_default("X-Content-Type-Options", "nosniff");
  by_default("Content-Security-Policy", content_security_policy);
  by_default("Referrer-Policy", "same-origin");
  by_default("X-Frame-Options", "DENY");
  by_default("Cross-Origin-Resource-Policy", "same-origin");
  by_default("Cache-Control", response.headers.has("ETag") ? "no-cache" : "no-store");
  if (response.status != 204 && response.status != 304) {
    if (length) {
      fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", *length);
    } else if (form.http11) {
      out += "Transfer-Encoding: chunked\r\n";
    }
  }
  if (!form.keep_alive) {
    out += "Connection: close\r\n";
  } else if (!form.http11) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  return out;
}

}  // namespace castiel::http::impl
