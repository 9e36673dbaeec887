#pragma once
// Files that do not change while the program runs (the dashboard), and answers to conditional requests.
// Filled once, then read by all threads.

#include <map>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace castiel::http {

// A strong entity tag from the content: "\"<16 hex digits>\"".
std::string etag_of(std::string_view content);
// Whether If-None-Match names this tag (weak comparison, RFC 9110 13.1.2).
bool not_modified(const Request& request, std::string_view etag);
// Sets the tag; turns the response into a 304 without a body when the client has it already.
Response with_etag(const Request& request, Response response, std::string_view etag);

// The media type for a file name, "application/octet-stream" for an unknown extension.
std::string_view content_type_of(std::string_view file_name);

class StaticFiles {
 public:
  struct File {
    std::string_view content;  // borrowed for the life of this object
    std::string_view gzip;     // the same compressed; empty: none
    bool immutable = false;    // the name changes with the content: cached for a year
  };

  // `path` without a leading slash, "assets/app.js".
  void add(std::string path, const File& file);
  // The file at `path` ("" is index.html), as 200 or 304. With `fall_back_to_index`, a path that names no
  // file and has no extension gets index.html, so the dashboard's own addresses can be opened directly. Else
  // 404.
  Response serve(const Request& request, std::string_view path, bool fall_back_to_index = true) const;

 private:
  struct Entry {
    File file;
    std::string etag;
  };
  std::map<std::string, Entry, std::less<>> files_;
};

}  // namespace castiel::http
