#include "http/client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>

#include "http/impl/text.hpp"

namespace castiel::http {

namespace {

struct CurlList {
  ~CurlList() { curl_slist_free_all(head); }
  void add(const std::string& line) { head = curl_slist_append(head, line.c_str()); }
  curl_slist* head = nullptr;
};

// What the callbacks of one transfer share.
struct Transfer {
  const ClientRequest* request;
  CURL* handle;
  ClientResponse response;
  std::string line;            // the unfinished one
  std::string pending;         // of the upload, given but not yet taken
  std::optional<Error> error;  // why a callback ended the transfer
  bool enough = false;         // on_line wants no more

  long status() const {
    long code = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
};

bool take_lines(Transfer& transfer, std::string_view data) {
  while (!data.empty()) {
    const auto end = data.find('\n');
    transfer.line += data.substr(0, end);
    if (transfer.line.size() > transfer.request->max_response_bytes) {
      transfer.error =
          Error{"response_too_large", "The server's answer has too long a line.", ErrorClass::permanent, {}};
      return false;
    }
    if (end == std::string_view::npos) return true;
    data.remove_prefix(end + 1);
    if (transfer.line.ends_with('\r')) transfer.line.pop_back();
    const bool more = transfer.request->on_line(transfer.line);
    transfer.line.clear();
    if (!more) {
      transfer.enough = true;
      return false;
    }
  }
  return true;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view piece(data, size * count);
  const auto status = transfer.status();
  if (transfer.request->on_line && status >= 200 && status < 300)
    return take_lines(transfer, piece) ? piece.size() : 0;
  if (transfer.response.body.size() + piece.size() > transfer.request->max_response_bytes) {
    transfer.error = Error{
        "response_too_large",
        fmt::format("The server's answer is larger than {} bytes.", transfer.request->max_response_bytes),
        ErrorClass::permanent,
        {}};
    return 0;
  }
  transfer.response.body += piece;
  return piece.size();
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  std::string_view line(data, size * count);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    transfer.response.headers = {};  // those before belonged to a 100 Continue
  } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    transfer.response.headers.add(std::string(line.substr(0, colon)),
                                  std::string(impl::trim(line.substr(colon + 1))));
  }
  return size * count;
}

std::size_t on_upload(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const auto limit = size * count;
  if (transfer.pending.empty()) {
    auto piece = transfer.request->upload(limit);
    if (!piece) {
      transfer.error = std::move(piece.error());
      return CURL_READFUNC_ABORT;
    }
    transfer.pending = std::move(*piece);
  }
  const auto taken = std::min(limit, transfer.pending.size());
  transfer.pending.copy(buffer, taken);
  transfer.pending.erase(0, taken);
  return taken;
}

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

Result<> check(const ClientRequest& request) {
  bool bad = request.target.empty() || request.target[0] != '/' || has_line_break(request.target) ||
             request.target.find(' ') != std::string::npos || request.method.empty() ||
             has_line_break(request.method);
  for (const auto& [name, value] : request.headers.all())
    bad = bad || has_line_break(name) || has_line_break(value);
  if (bad) return permanent("bad_request", "The request has a malformed target, method or header field.");
  return {};
}

std::unexpected<Error> failure(CURLcode code, const Endpoint& endpoint, const char* words) {
  const auto where = endpoint.socket_path.empty() ? fmt::format("{}:{}", endpoint.host, endpoint.port)
                                                  : endpoint.socket_path;
  const std::string cause = words[0] != '\0' ? words : curl_easy_strerror(code);
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return transient("server_unreachable", fmt::format("No server answers at {}.", where), cause);
    case CURLE_OPERATION_TIMEDOUT:
      return transient("deadline_exceeded", fmt::format("The server at {} did not answer in time.", where),
                       cause);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return permanent("bad_response", fmt::format("What answers at {} speaks no HTTP.", where), cause);
    default:
      return transient("connection_lost", fmt::format("The connection to {} was lost.", where), cause);
  }
}

// curl's options are variadic: each call with the type the option wants.
void set_common(CURL* handle, const Endpoint& endpoint, Transfer& transfer) {
  const auto host = endpoint.socket_path.empty() ? endpoint.host : std::string("localhost");
  const auto name = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  const auto authority = endpoint.socket_path.empty() ? fmt::format("{}:{}", name, endpoint.port) : name;
  curl_easy_setopt(handle, CURLOPT_URL,
                   fmt::format("http://{}{}", authority, transfer.request->target).c_str());
  if (!endpoint.socket_path.empty())
    curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, endpoint.socket_path.c_str());
  curl_easy_setopt(handle, CURLOPT_PROXY, "");  // also those of the environment
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
}

void set_body(CURL* handle, Transfer& transfer, CurlList& headers) {
  const auto& request = *transfer.request;
  // On a kept connection that just died, curl would send the request again, which may do its work twice.
  if (request.method != "GET" && request.method != "HEAD")
    curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
  if (request.upload) {
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, &on_upload);
    curl_easy_setopt(handle, CURLOPT_READDATA, &transfer);
    if (request.upload_bytes >= 0) {
      curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.upload_bytes));
    } else {
      headers.add("Transfer-Encoding: chunked");
    }
  } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
             request.method == "PATCH") {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
    // Else curl calls it a form.
    if (!request.headers.has("Content-Type")) headers.add("Content-Type: application/json");
  }
  if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

}  // namespace

struct Client::State {
  Endpoint endpoint;
  const Clock* clock;
  CURL* handle;
  ~State() { curl_easy_cleanup(handle); }
};

Client::Client(Endpoint endpoint, const Clock& clock) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  state_.reset(new State{std::move(endpoint), &clock, curl_easy_init()});
}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<ClientResponse> Client::send(const ClientRequest& request, Deadline deadline) {
  CASTIEL_TRY(check(request));
  auto* handle = state_->handle;
  if (handle == nullptr) return transient("connection_lost", "There is no memory for a connection.");
  const auto millis = deadline.remaining().count() / 1000;
  if (millis <= 0) return transient("deadline_exceeded", "There was no time left to ask the server.");
  curl_easy_reset(handle);  // keeps the connection

  Transfer transfer{&request, handle, {}, {}, {}, {}, false};
  char words[CURL_ERROR_SIZE] = "";
  CurlList headers;
  for (const auto& [name, value] : request.headers.all()) headers.add(name + ": " + value);
  set_common(handle, state_->endpoint, transfer);
  set_body(handle, transfer, headers);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.head);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(millis));

  const auto code = curl_easy_perform(handle);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
  transfer.response.status = static_cast<int>(transfer.status());
  if (transfer.error) return std::unexpected(std::move(*transfer.error));
  if (code != CURLE_OK && !transfer.enough) return failure(code, state_->endpoint, words);
  if (!transfer.line.empty() && !transfer.enough) request.on_line(transfer.line);
  return std::move(transfer.response);
}

Result<ClientResponse> Client::send_ok(const ClientRequest& request, Deadline deadline) {
  CASTIEL_ASSIGN(auto response, send(request, deadline));
  if (response.status < 400) return response;
  const auto cls =
      response.status >= 500 || response.status == 429 ? ErrorClass::transient : ErrorClass::permanent;
  Error error{"bad_response",
              fmt::format("The server answered {} {}.", response.status, reason_of(response.status)),
              cls,
              {}};
  if (const auto value = parse_json(response.body); value && value->is_object()) {
    error.code = string_or(value->as_object(), "code", error.code);
    error.message = string_or(value->as_object(), "detail", error.message);
  }
  return std::unexpected(std::move(error));
}

Result<ClientResponse> Client::get(std::string target, Deadline deadline) {
  ClientRequest request;
  request.target = std::move(target);
  return send_ok(request, deadline);
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace castiel::http
