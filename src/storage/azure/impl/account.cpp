#include "storage/azure/impl/account.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/digest.hpp"
#include "http/client.hpp"
#include "storage/azure/azure_blobs.hpp"
#include "storage/impl/endpoint_url.hpp"

namespace castiel::storage::impl {

namespace {

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Nothing when the text is no base 64.
std::string from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return {};
  std::string out(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  const auto padding = std::ranges::count(text, '=');
  out.resize(static_cast<std::size_t>(size - padding));
  return out;
}

std::string signature(const Secret& key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  HMAC(EVP_sha256(), key.reveal().data(), static_cast<int>(key.reveal().size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return to_base64({reinterpret_cast<const char*>(digest.data()), size});
}

bool is_name(std::string_view text, std::string_view more) {
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != more.npos;
  });
}

}  // namespace

std::string AzureAccount::endpoint() const {
  const bool six = host.find(':') != host.npos;
  return fmt::format("{}://{}{}{}{}", https ? "https" : "http", six ? "[" : "", host, six ? "]" : "",
                     port == 0 ? std::string() : fmt::format(":{}", port));
}

std::string AzureAccount::path(std::string_view blob) const {
  return fmt::format("{}{}/{}{}{}", account_in_path ? "/" : "", account_in_path ? account : "", container,
                     blob.empty() ? "" : "/", blob);
}

Result<AzureAccount> parse_azure_url(std::string_view text) {
  const auto wrong = [](std::string_view what) {
    return permanent("invalid_blobs_url", fmt::format("the URL of the blob store is not of the form {}: {}",
                                                      kAzureBlobsForm, what));
  };
  auto url = split_url(text, "invalid_blobs_url", kAzureBlobsForm);
  if (!url) return std::unexpected(std::move(url.error()));
  AzureAccount account;
  if (url->scheme != "azblob" && url->scheme != "azblob+http") return wrong("the scheme is another");
  account.https = url->scheme == "azblob";
  account.account = std::move(url->user);
  if (!is_name(account.account, "")) return wrong("the account is missing");
  account.host = std::move(url->host);
  account.port = url->port;
  account.account_in_path = !account.host.starts_with(account.account + ".");
  account.container = url->path.empty() ? "" : url->path.substr(1);
  if (!is_name(account.container, "-")) return wrong("the container is missing or no container's name");
  account.sas = std::move(url->query);
  if (url->password.empty() == account.sas.empty()) return wrong("either a key or a SAS is needed");
  if (!url->password.empty()) account.key = Secret(from_base64(url->password.reveal()));
  if (account.sas.empty() && account.key.empty()) return wrong("the key is not in base 64");
  return account;
}

// learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key, for 2009-09-19 and later.
std::string shared_key(const AzureAccount& account, std::string_view method, std::string_view path,
                       const std::map<std::string, std::string>& query,
                       const std::map<std::string, std::string>& headers, std::size_t body_bytes) {
  static constexpr std::array<std::string_view, 11> kSigned{"content-encoding",
                                                            "content-language",
                                                            "content-length",
                                                            "content-md5",
                                                            "content-type",
                                                            "date",
                                                            "if-modified-since",
                                                            "if-match",
                                                            "if-none-match",
                                                            "if-unmodified-since",
                                                            "range"};
  std::string text(method);
  text += '\n';
  for (const auto name : kSigned) {
    if (name == "content-length") {
      if (body_bytes > 0) text += std::to_string(body_bytes);
    } else if (const auto it = headers.find(std::string(name)); it != headers.end()) {
      text += it->second;
    }
    text += '\n';
  }
  for (const auto& [name, value] : headers) {
    if (name.starts_with("x-ms-")) text += fmt::format("{}:{}\n", name, value);
  }
  text += fmt::format("/{}{}", account.account, path);
  for (const auto& [name, value] : query) text += fmt::format("\n{}:{}", name, value);
  return fmt::format("SharedKey {}:{}", account.account, signature(account.key, text));
}

// learn.microsoft.com/rest/api/storageservices/create-service-sas, for 2020-12-06 and later.
std::string service_sas(const AzureAccount& account, std::string_view blob, std::string_view permissions,
                        Timestamp until) {
  const std::string expiry = to_string(Timestamp{until.micros / 1'000'000 * 1'000'000});
  const std::string_view protocol = account.https ? "https" : "https,http";
  const std::string_view resource = blob.empty() ? "c" : "b";
  const auto text = fmt::format("{}\n\n{}\n/blob/{}/{}{}{}\n\n\n{}\n{}\n{}\n\n\n\n\n\n\n", permissions,
                                expiry, account.account, account.container, blob.empty() ? "" : "/", blob,
                                protocol, kAzureVersion, resource);
  return fmt::format("sv={}&spr={}&se={}&sr={}&sp={}&sig={}", kAzureVersion, http::escape(protocol),
                     http::escape(expiry), resource, permissions, http::escape(signature(account.key, text)));
}

Result<Timestamp> parse_http_date(std::string_view text) {
  const auto number = [&](std::size_t at, std::size_t size) {
    int value = -1;
    if (at + size <= text.size()) std::from_chars(text.data() + at, text.data() + at + size, value);
    return value;
  };
  // "Mon, 02 Mar 2026 09:00:00 GMT"
  const auto month = std::ranges::find(kMonths, text.substr(std::min<std::size_t>(8, text.size()), 3));
  const auto date = make_date(number(12, 4), static_cast<int>(month - kMonths.begin()) + 1, number(5, 2));
  const int hour = number(17, 2), minute = number(20, 2), second = number(23, 2);
  if (month == kMonths.end() || !date || hour < 0 || minute < 0 || second < 0)
    return transient("blob_failed", fmt::format("'{}' is no time the blob store should give", text));
  return start_of(*date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

}  // namespace castiel::storage::impl
