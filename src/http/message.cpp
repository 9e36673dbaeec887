#include "http/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.hpp"
#include "http/event_stream.hpp"
#include "http/impl/text.hpp"

namespace castiel::http {

using impl::equals_ignoring_case;

namespace {

Error invalid_parameter(std::string_view name, std::string_view must) {
  return {"invalid_parameter",
          fmt::format("The parameter \"{}\" must be {}.", name, must),
          ErrorClass::permanent,
          {}};
}

// Percent-decoding; in queries '+' is a space.
Result<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] == '%') {
      const int high = i + 2 < text.size() ? impl::hex_value(text[i + 1]) : -1;
      const int low = high >= 0 ? impl::hex_value(text[i + 2]) : -1;
      if (low < 0) return permanent("bad_request", "The address has a '%' that starts no escape.");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  if (out.find('\0') != std::string::npos || !is_utf8(out))
    return permanent("bad_request", "The address is not UTF-8 text.");
  return out;
}

}  // namespace

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const auto& [key, value] : fields_)
    if (equals_ignoring_case(key, name)) return value;
  return std::nullopt;
}

std::string_view Headers::get_or(std::string_view name, std::string_view fallback) const {
  return get(name).value_or(fallback);
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      fields_, [&](const auto& field) { return equals_ignoring_case(field.first, name); }));
}

void Headers::set(std::string name, std::string value) {
  remove(name);
  add(std::move(name), std::move(value));
}

void Headers::set_default(std::string_view name, std::string_view value) {
  if (!has(name)) add(std::string(name), std::string(value));
}

void Headers::add(std::string name, std::string value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return equals_ignoring_case(field.first, name); });
}

std::optional<std::string_view> Parameters::get(std::string_view name) const {
  for (const auto& [key, value] : items_)
    if (key == name) return value;
  return std::nullopt;
}

std::string Parameters::string_or(std::string_view name, std::string_view fallback) const {
  return std::string(get(name).value_or(fallback));
}

std::vector<std::string_view> Parameters::all_of(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const auto& [key, value] : items_)
    if (key == name) out.emplace_back(value);
  return out;
}

Result<std::int64_t> Parameters::integer_or(std::string_view name, std::int64_t fallback, std::int64_t low,
                                            std::int64_t high) const {
  const auto text = get(name);
  if (!text) return fallback;
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (problem != std::errc() || end != text->data() + text->size() || value < low || value > high)
    return std::unexpected(invalid_parameter(name, fmt::format("a whole number from {} to {}", low, high)));
  return value;
}

Result<bool> Parameters::bool_or(std::string_view name, bool fallback) const {
  const auto text = get(name);
  if (!text) return fallback;
  if (*text == "true" || *text == "1" || text->empty()) return true;
  if (*text == "false" || *text == "0") return false;
  return std::unexpected(invalid_parameter(name, "true or false"));
}

Result<> set_target(Request& request, std::string_view target) {
  request.target = target;
  request.path.clear();
  request.segments.clear();
  request.query = {};
  if (const auto scheme = target.find("://"); scheme != std::string_view::npos && target[0] != '/') {
    const auto path = target.find_first_of("/?", scheme + 3);
    target = path == std::string_view::npos ? "/" : target.substr(path);
    if (target[0] == '?') return permanent("bad_request", "The address has no path.");
  }
  if (target.empty() || target[0] != '/')
    return permanent("bad_request", "The address must begin with a slash.");
  target = target.substr(0, target.find('#'));
  const auto mark = target.find('?');
  auto path = target.substr(0, mark);
  const auto query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);

  CASTIEL_ASSIGN(request.path, decode(path, false));
  path.remove_prefix(1);
  for (bool more = !path.empty(); more;) {
    const auto slash = path.find('/');
    auto segment = decode(path.substr(0, slash), false);
    if (!segment) return std::unexpected(std::move(segment.error()));
    if (*segment == "." || *segment == "..")
      return permanent("bad_request", "The address must not have dot segments.");
    request.segments.push_back(std::move(*segment));
    more = slash != std::string_view::npos;
    if (more) path.remove_prefix(slash + 1);
  }

  for (const auto pair : impl::split(query, '&')) {
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    CASTIEL_ASSIGN(std::string name, decode(pair.substr(0, equals), true));
    CASTIEL_ASSIGN(
        std::string value,
        decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true));
    request.query.add(std::move(name), std::move(value));
  }
  return {};
}

Response Response::empty(int status) {
  Response response;
  response.status = status;
  return response;
}

Response Response::bytes(std::string body, std::string content_type, int status) {
  Response response;
  response.status = status;
  response.headers.set("Content-Type", std::move(content_type));
  response.body = std::move(body);
  return response;
}

Response Response::text(std::string body, int status) {
  return bytes(std::move(body), "text/plain; charset=utf-8", status);
}

Response Response::json(const json::value& value, int status) {
  return bytes(json::serialize(value), "application/json", status);
}

Response Response::json_text(std::string body, int status) {
  return bytes(std::move(body), "application/json", status);
}

Response Response::source(std::shared_ptr<BodySource> source, std::string content_type, int status) {
  Response response;
  response.status = status;
  response.headers.set("Content-Type", std::move(content_type));
  response.body = std::move(source);
  return response;
}

Response Response::stream(std::shared_ptr<EventStream> stream) {
  Response response;
  response.headers.set("Content-Type", stream->format() == EventStream::Format::events
                                           ? "text/event-stream"
                                           : "application/x-ndjson");
  response.headers.set("Cache-Control", "no-store");
  response.body = std::move(stream);
  return response;
}

std::string_view reason_of(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 425:
      return "Too Early";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  for (auto item : impl::split(accept_encoding, ',')) {
    const auto semicolon = item.find(';');
    const auto name = impl::trim(item.substr(0, semicolon));
    const auto weight = semicolon == std::string_view::npos ? "" : impl::trim(item.substr(semicolon + 1));
    // A weight is "q=0" to "q=1" with at most three decimals: it is zero when it has no other digit.
    const bool zero = (weight.starts_with("q=") || weight.starts_with("Q=")) &&
                      weight.substr(2).find_first_of("123456789") == std::string_view::npos;
    if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) return !zero;
    if (name == "*") any = !zero;
  }
  return any;
}

std::string http_date(Timestamp t) {
  static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto date = date_of(t);
  const auto [year, month, day] = split(date);
  const auto seconds = (t - start_of(date)).count() / 1'000'000;
  const auto weekday = static_cast<std::size_t>(((date.days + 4) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday], day,
                     kMonths[static_cast<std::size_t>(month - 1)], year, seconds / 3600, seconds / 60 % 60,
                     seconds % 60);
}

}  // namespace castiel::http
