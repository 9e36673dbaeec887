#include "storage/azure/impl/rest.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "http/client.hpp"
#include "http/message.hpp"

namespace castiel::storage::impl {

namespace {

constexpr int kTries = 4;
constexpr Duration kFirstPause = std::chrono::milliseconds(100);  // between tries, doubling
constexpr std::size_t kMaxBody = std::size_t{16} << 20;  // of an answer that goes into no sink: 5,000 names
constexpr std::size_t kIdleHandles = 16;
// Slower than this for so long is a broken connection.
constexpr long kSlowBytesPerSecond = 1'024, kSlowSeconds = 20;

struct CurlList {
  ~CurlList() { curl_slist_free_all(head); }
  void add(const std::string& line) { head = curl_slist_append(head, line.c_str()); }
  curl_slist* head = nullptr;
};

struct Transfer {
  const AzureRequest* request;
  AzureResponse response;
  std::string_view left;       // of the request's body
  std::optional<Error> error;  // why a callback ended the transfer
};

std::size_t take_header(char* data, std::size_t, std::size_t size, void* user) {
  auto& response = static_cast<Transfer*>(user)->response;
  std::string_view line(data, size);
  while (line.ends_with('\r') || line.ends_with('\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    response.headers.clear();
    const auto space = line.find(' ');
    response.status = space == line.npos ? 0 : std::atoi(std::string(line.substr(space + 1, 3)).c_str());
  } else if (const auto colon = line.find(':'); colon != line.npos) {
    std::string name(line.substr(0, colon));
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    auto value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    response.headers.insert_or_assign(std::move(name), std::string(value));
  }
  return size;
}

std::size_t take_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  auto& response = transfer.response;
  if (transfer.request->sink != nullptr && response.status >= 200 && response.status < 300) {
    if (auto taken = (*transfer.request->sink)({data, size}); !taken) {
      transfer.error = std::move(taken.error());
      return 0;
    }
    return size;
  }
  if (response.body.size() + size > kMaxBody) {
    transfer.error = Error{"blob_failed", "the blob store's answer is too long", ErrorClass::transient, {}};
    return 0;
  }
  response.body.append(data, size);
  return size;
}

std::size_t give_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& left = static_cast<Transfer*>(user)->left;
  const auto n = std::min(size, left.size());
  left.copy(data, n);
  left.remove_prefix(n);
  return n;
}

void pause_for(Duration time) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, time, [] { return false; });
}

}  // namespace

std::string AzureResponse::header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? std::string() : it->second;
}

struct AzureRest::Handles {
  struct Free {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };
  using Handle = std::unique_ptr<CURL, Free>;

  Handle take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto handle = std::move(idle.back());
        idle.pop_back();
        return handle;
      }
    }
    return Handle(curl_easy_init());
  }
  void give_back(Handle handle) {
    curl_easy_reset(handle.get());  // keeps its connections
    const std::lock_guard lock(mutex);
    if (idle.size() < kIdleHandles) idle.push_back(std::move(handle));
  }

  std::mutex mutex;
  std::vector<Handle> idle;
};

AzureRest::AzureRest(AzureAccount account, const Clock& clock, Duration connect)
    : account_(std::move(account)), clock_(clock), connect_(connect), handles_(std::make_unique<Handles>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

AzureRest::~AzureRest() = default;

Result<AzureResponse> AzureRest::send(const AzureRequest& request, Deadline deadline) const {
  Duration pause = kFirstPause;
  for (int tries = 1;; ++tries) {
    bool connected = true;
    auto response = send_once(request, deadline, connected);
    const bool again = response ? response->status == 503 : !connected;
    if (!again || tries == kTries || deadline.remaining() <= pause) return response;
    pause_for(pause);
    pause *= 2;
  }
}

Result<AzureResponse> AzureRest::send_once(const AzureRequest& request, Deadline deadline,
                                           bool& connected) const {
  auto handle = handles_->take();
  CURL* const curl = handle.get();
  if (curl == nullptr) return transient("blob_failed", "there is no memory for a request");

  auto headers = request.headers;
  headers["x-ms-date"] = http::http_date(clock_.now());
  headers["x-ms-version"] = kAzureVersion;
  const std::string path = account_.path(request.blob);
  if (!account_.key.empty())
    headers["authorization"] =
        shared_key(account_, request.method, path, request.query, headers, request.body.size());
  CurlList lines;
  for (const auto& [name, value] : headers) lines.add(fmt::format("{}: {}", name, value));
  lines.add("Expect:");
  std::string url = account_.endpoint() + path;
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    url += fmt::format("{}{}={}", std::exchange(separator, '&'), name, http::escape(value));
  }
  if (!account_.sas.empty()) url += separator + account_.sas.reveal();

  Transfer transfer{&request, {}, request.body, {}};
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");  // the environment's is not ours to read
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, account_.https ? "https" : "http");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.head);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining());
  const auto connect = std::chrono::ceil<std::chrono::milliseconds>(connect_);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(left.count(), 1)));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(std::max<std::int64_t>(std::min(left, connect).count(), 1)));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kSlowBytesPerSecond);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kSlowSeconds);
  if (request.method == "PUT") {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, &give_body);
    curl_easy_setopt(curl, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  } else if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  const CURLcode code = curl_easy_perform(curl);
  handles_->give_back(std::move(handle));
  if (transfer.error) return std::unexpected(*std::move(transfer.error));
  if (code == CURLE_OK) return std::move(transfer.response);
  connected = code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST;
  return transient("blob_failed",
                   fmt::format("the blob store at {} {}", account_.endpoint(),
                               connected ? "broke off or does not answer in time" : "cannot be reached"),
                   curl_easy_strerror(code));
}

}  // namespace castiel::storage::impl
