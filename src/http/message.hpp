#pragma once
// Requests and responses as handlers see them: plain values, no library types. One thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace castiel::http {

class EventStream;

// Header fields in the order they came. Names compare without case.
class Headers {
 public:
  // The first field of this name, or nothing.
  std::optional<std::string_view> get(std::string_view name) const;
  std::string_view get_or(std::string_view name, std::string_view fallback) const;
  bool has(std::string_view name) const { return get(name).has_value(); }
  std::size_t count(std::string_view name) const;
  // Replaces all fields of this name.
  void set(std::string name, std::string value);
  void set_default(std::string_view name, std::string_view value);
  void add(std::string name, std::string value);
  void remove(std::string_view name);
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// Decoded query parameters or path parameters, in order; a name may repeat.
class Parameters {
 public:
  std::optional<std::string_view> get(std::string_view name) const;  // the first of that name
  std::string string_or(std::string_view name, std::string_view fallback = {}) const;
  std::vector<std::string_view> all_of(std::string_view name) const;
  // Error: invalid_parameter, when present and not a whole number within [low, high].
  Result<std::int64_t> integer_or(std::string_view name, std::int64_t fallback, std::int64_t low,
                                  std::int64_t high) const;
  // "true", "1" and a bare name are true; "false" and "0" are false. Error: invalid_parameter.
  Result<bool> bool_or(std::string_view name, bool fallback) const;
  void add(std::string name, std::string value) { items_.emplace_back(std::move(name), std::move(value)); }
  const std::vector<std::pair<std::string, std::string>>& all() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// Takes the body of a large upload piece by piece. Called by one worker thread at a time; write() may block
// (the client is then slowed down by TCP) and gives false to refuse the rest.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual bool write(std::string_view chunk) = 0;
  // The client went away or was too slow: no more writes, and no handler will see this request.
  virtual void abandoned() {}
};

// Gives the body of a large download piece by piece. Called by one worker thread at a time.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // At most `limit` bytes; empty at the end. An error cuts the connection, so the client sees a broken body.
  virtual Result<std::string> read(std::size_t limit) = 0;
};

struct Request {
  explicit Request(Deadline d) : deadline(d) {}

  std::string method = "GET";
  std::string target;                 // as it was sent
  std::string path;                   // decoded
  std::vector<std::string> segments;  // of the path, decoded one by one: "/a%2Fb/c" has two
  Parameters query;
  Parameters params;  // what the route's {names} matched
  Headers headers;
  std::string body;                // empty when a sink took it
  std::shared_ptr<BodySink> sink;  // the route's sink, after its last write
  bool body_complete = true;       // false when the sink refused the rest
  std::string remote_address;      // "127.0.0.1", "::1"; empty on the local socket
  bool is_local_socket = false;    // came over the Unix socket: the peer may read this user's files anyway
  Deadline deadline;
  std::string traceparent;  // the client's if it sent a valid one
};

// Fills target, path, segments and query from the origin form ("/a/b?c=d") or the absolute form.
// Error: bad_request for escapes that are none, NUL, text that is not UTF-8, and dot segments.
Result<> set_target(Request& request, std::string_view target);

struct Response {
  using Body = std::variant<std::string, std::shared_ptr<BodySource>, std::shared_ptr<EventStream>>;

  int status = 200;
  Headers headers;
  Body body;

  static Response empty(int status = 204);
  static Response text(std::string body, int status = 200);  // text/plain
  static Response json(const json::value& value, int status = 200);
  // A JSON text that is already serialised.
  static Response json_text(std::string body, int status = 200);
  static Response bytes(std::string body, std::string content_type, int status = 200);
  static Response source(std::shared_ptr<BodySource> source, std::string content_type, int status = 200);
  // Stays open until the stream is closed, the client leaves or the server stops.
  static Response stream(std::shared_ptr<EventStream> stream);
};

// The reason phrase of a status: "Not Found".
std::string_view reason_of(int status);
// Whether the Accept-Encoding value allows gzip (RFC 9110, 12.5.3).
bool accepts_gzip(std::string_view accept_encoding);
// "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(Timestamp t);

}  // namespace castiel::http
