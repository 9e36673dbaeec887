#pragma once
// Requests to Azure Blob Storage: signed, sent with a deadline, tried again only when there was no connection
// or the service was busy (503). Any thread; blocks.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "storage/azure/impl/account.hpp"
#include "storage/blobs.hpp"

namespace castiel::storage::impl {

struct AzureRequest {
  std::string method = "GET";
  std::string blob{};                            // its name; empty: the container
  std::map<std::string, std::string> query{};    // not escaped
  std::map<std::string, std::string> headers{};  // names in lower case
  std::string_view body{};                       // of a PUT
  const BlobSink* sink = nullptr;                // takes the body of a 2xx answer
};

struct AzureResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string header(const std::string& name) const;
  // The service's own word for what is wrong: "BlobNotFound".
  std::string code() const { return header("x-ms-error-code"); }
};

class AzureRest {
 public:
  AzureRest(AzureAccount account, const Clock& clock, Duration connect);
  ~AzureRest();

  // The answer, whatever its status. Errors: blob_failed (transient), the sink's.
  Result<AzureResponse> send(const AzureRequest& request, Deadline deadline) const;
  const AzureAccount& account() const { return account_; }

 private:
  struct Handles;
  Result<AzureResponse> send_once(const AzureRequest& request, Deadline deadline, bool& connected) const;

  const AzureAccount account_;
  const Clock& clock_;
  const Duration connect_;
  std::unique_ptr<Handles> handles_;  // connections that are kept
};

}  // namespace castiel::storage::impl
