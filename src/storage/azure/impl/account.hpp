#pragma once
// Who asks Azure Blob Storage, where, and how it proves it: addresses, signatures of requests (SharedKey) and
// of URLs (service SAS). Plain functions.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"

namespace castiel::storage::impl {

inline constexpr std::string_view kAzureVersion = "2021-12-02";

struct AzureAccount {
  bool https = true;
  std::string account;
  Secret key;  // decoded; empty where there is a SAS
  Secret sas;  // a query, as given
  std::string host;
  std::uint16_t port = 0;        // 0: the scheme's
  bool account_in_path = false;  // as emulators have it
  std::string container;

  std::string endpoint() const;                   // "https://host:port", also for messages
  std::string path(std::string_view blob) const;  // "/container/blob", escaped where that is needed
};

// Error: invalid_blobs_url.
Result<AzureAccount> parse_azure_url(std::string_view url);

// The value of the header Authorization. `headers`: all that are sent, names in lower case, among them
// x-ms-date and x-ms-version; `query`: not escaped.
std::string shared_key(const AzureAccount& account, std::string_view method, std::string_view path,
                       const std::map<std::string, std::string>& query,
                       const std::map<std::string, std::string>& headers, std::size_t body_bytes);

// The query that lets anybody do until then what `permissions` ("r", "rwl", …) says: with a blob or, where
// its name is empty, with all of the container.
std::string service_sas(const AzureAccount& account, std::string_view blob, std::string_view permissions,
                        Timestamp until);

// "Mon, 02 Mar 2026 09:00:00 GMT", as http::http_date() writes it.
// Error: blob_failed.
Result<Timestamp> parse_http_date(std::string_view text);

}  // namespace castiel::storage::impl
