#pragma once
// Blobs in Azure Blob Storage, or what speaks its protocol, in one container:
// <tenant>/<first two digits>/<sha256>, last used at their modification time. Needs a general-purpose
// account; the container is made when it is missing and the key may. Any thread; every call blocks on the
// network.

#include <filesystem>
#include <memory>
#include <string_view>

#include "storage/blobs.hpp"

namespace castiel::storage {

// The account's key, or a shared access signature (read, add, create, write, delete, list) of the container.
// azblob+http is not encrypted: for emulators and private networks.
inline constexpr std::string_view kAzureBlobsForm =
    "azblob://account:key@host[:port]/container, azblob://account@host/container?SAS, or the same with "
    "azblob+http://";

inline constexpr std::size_t kAzureBlockBytes = std::size_t{8} << 20;   // what is larger goes block by block
inline constexpr Duration kLongestAccess = std::chrono::hours(24 * 7);  // of an access URL

struct AzureBlobsOptions {
  std::filesystem::path drafts;  // a folder for streams larger than a block, on their way
  Duration connect = std::chrono::seconds(5);
  Duration request = std::chrono::seconds(60);  // for one request, and as much again for each 32 MiB of it
  int page = 5'000;  // names asked for at once in a listing; 5,000 is the most there are
};

// A host whose first label is the account serves that account alone; others have the account as the first
// part of their paths. access_url() is a service SAS, read-only, for https (azblob+http: also http), at most
// kLongestAccess; where the URL has no key but a SAS, there is none to give. Does not connect.
// Error: invalid_blobs_url.
Result<std::unique_ptr<Blobs>> open_azure_blobs(std::string_view url, const Clock& clock,
                                                AzureBlobsOptions options);

}  // namespace castiel::storage
